"""From a design and documents to the losses of its runs: tokenizer, text, ensembles, tables.

What is left in the output's folder: ``tokenizer.json``, ``text/`` (the pieces of every language), ``losses/`` (a file
an ensemble), ``text.csv``, and the tables ``ratios.csv``, ``metrics.csv`` and ``unigram.csv``. Killed at any moment,
the same call goes on from the last checkpoint and ends with the same losses.
"""

import csv
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from glotmix.core import json_text
from glotmix.core.record import Counts, Output
from glotmix.mix import cells
from glotmix.proxy import design as designs
from glotmix.proxy import texts as text
from glotmix.proxy.config import ProxiesConfig
from glotmix.proxy.cores import parts, processes
from glotmix.proxy.design import Design, Run
from glotmix.proxy.earlier import Earlier
from glotmix.proxy.need import need
from glotmix.proxy.size import Shape, shape, vocabulary
from glotmix.proxy.texts import Texts
from glotmix.proxy.tokenizer import Pieces, learn

EVERY = 60.0
"""Seconds between two checkpoints of an ensemble."""
WORTH = 2e11
"""Floating-point operations of an ensemble from which on every core has a process: some four seconds of one core."""


@dataclass(frozen=True)
class Unit:
    """Runs that are trained as one program: of one size and one length."""

    name: str
    shape: Shape
    steps: int
    runs: tuple[Run, ...]

    def tokens(self, config: ProxiesConfig) -> int:
        """Training tokens of each run: whole steps."""
        return self.steps * config.batch * config.context


def units(design: Design, pieces: int, config: ProxiesConfig) -> list[Unit]:
    """Group the runs of a design into ensembles of at most `config.together`, in the order of the design."""
    groups: dict[tuple[Shape, int], list[Run]] = {}
    for run in design.runs:
        formed = shape(run.parameters, pieces, config.context)
        steps = max(1, -(-run.tokens // (config.batch * config.context)))
        groups.setdefault((formed, steps), []).append(run)
    return [
        Unit(f"{formed.parameters}-{steps}-{at:05d}", formed, steps, tuple(runs[at : at + config.together]))
        for (formed, steps), runs in groups.items()
        for at in range(0, len(runs), config.together)
    ]


def make(
    output: Output,
    design: Design,
    documents: Callable[[], Iterable[tuple[str, str]]],
    config: ProxiesConfig,
    tokenizer: Path | None = None,
    runner: str = "local",
    earlier: Earlier | None = None,
) -> Counts:
    """Train every run of a design.

    Args:
        output: where; see the module.
        design: what to train.
        documents: gives pairs of language and text, of the languages of the design and others; called once at most.
        config: how.
        tokenizer: a ``tokenizer.json`` to use instead of one trained on the documents.
        earlier: runs that stand beside those of the design, whose tokenizer and held-out text are taken.
        runner: ``local``, or ``ray`` for one task per ensemble on a cluster.

    Returns:
        ``{runs, tokens, languages}``.

    Raises:
        MissingExtraError: if torch is not installed.
    """
    need("training proxies")
    output.each(
        {"text": design},
        lambda wanted, scratch: _prepare(scratch, wanted, documents, config, tokenizer, earlier),
        one_by_one=True,
    )
    pieces = Pieces(output.path / "tokenizer.json")
    corpus = text.load(output.path / "text", pieces).choose(design.languages)
    groups = {unit.name: unit for unit in units(design, len(pieces), config)}
    if runner == "ray":
        from glotmix.proxy.cluster import trained

        answers = trained([groups[name] for name in output.missing(groups)], corpus, config, train_unit)

        def answer(unit: Unit, checkpoint: Path) -> list[list[float]]:
            return answers(unit.name)

    else:

        def answer(unit: Unit, checkpoint: Path) -> list[list[float]]:
            if (cores := cores_of(unit, config)) == 1:
                return train_unit(unit, corpus, config, checkpoint)
            at = (output.path, design.languages, config)
            calls = [
                (replace(unit, runs=unit.runs[part]), *at, checkpoint.with_suffix(f".{i}.checkpoint"))
                for i, part in enumerate(parts(len(unit.runs), cores))
            ]
            found = [losses for some in processes(train_part, calls) for losses in some]
            for *_, kept in calls:
                kept.unlink(missing_ok=True)
            return found

    def one(unit: Unit, scratch: Path) -> Counts:
        checkpoint = scratch.with_suffix(".checkpoint")
        losses = answer(unit, checkpoint)
        (scratch / "losses").mkdir()
        told = {run.name: row for run, row in zip(unit.runs, losses, strict=True)}
        (scratch / "losses" / f"{unit.name}.json").write_text(json.dumps(told, indent=0) + "\n", "utf-8")
        checkpoint.unlink(missing_ok=True)
        return {"runs": len(unit.runs), "tokens": len(unit.runs) * unit.tokens(config)}

    # An ensemble takes the whole machine, or a place of its own in the cluster.
    counts = output.each(groups, one, one_by_one=True)
    losses: dict[str, list[float]] = {}
    trained_as: dict[str, tuple[int, int]] = {}
    for unit in groups.values():
        losses |= json_text.loads((output.path / "losses" / f"{unit.name}.json").read_text("utf-8"))
        trained_as |= {run.name: (unit.shape.parameters, unit.tokens(config)) for run in unit.runs}
    if earlier is not None:
        design = replace(design, runs=(*earlier.runs, *design.runs))
        losses |= {run.name: list(earlier.losses[run.name]) for run in earlier.runs}
        trained_as |= {run.name: (round(run.parameters), run.tokens) for run in earlier.runs}
    designs.write(output.path, design, trained_as, losses)
    _describe(output.path / "text.csv", corpus)
    designs.write_unigram(output.path, {lang: corpus.unigram[lang] for lang in corpus.targets})
    output.notes["vocabulary"] = len(pieces)
    return counts | {"languages": len(design.languages)}


def _prepare(
    scratch: Path,
    design: Design,
    documents: Callable[[], Iterable[tuple[str, str]]],
    config: ProxiesConfig,
    tokenizer: Path | None,
    earlier: Earlier | None = None,
) -> Counts:
    wanted = set(design.languages)
    chosen = (document for document in documents() if document[0] in wanted)
    train, held = text.divide(chosen, config.held_out, config.held_bytes, config.held_each)
    if earlier is not None:
        tokenizer = earlier.folder / "tokenizer.json"
    if tokenizer is None:
        size = config.vocabulary or vocabulary(min(run.parameters for run in design.runs))
        learn(_by_language(train), size, scratch / "tokenizer.json")
    else:
        shutil.copyfile(tokenizer, scratch / "tokenizer.json")
    before = None if earlier is None else earlier.folder / "text"
    text.encode(train, held, Pieces(scratch / "tokenizer.json"), scratch / "text", before)
    return {"held_out": sum(map(len, held.values()))}


def _by_language(documents: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the documents of languages' cells by language, in the order of the hash."""
    found: dict[str, list[str]] = {}
    for name, some in documents.items():
        found.setdefault(cells.of(name), []).extend(some)
    return {lang: sorted(some, key=text.place) if lang not in documents else some for lang, some in found.items()}


def cores_of(unit: Unit, config: ProxiesConfig) -> int:
    """Return the processes that share the runs of a unit: one a core, where that is worth their start."""
    import torch

    if config.device == "cuda" or (config.device == "auto" and torch.cuda.is_available()):
        return 1
    work = unit.shape.flops * unit.tokens(config) * len(unit.runs)
    return 1 if work < WORTH else min(torch.get_num_threads(), len(unit.runs))


def train_part(
    unit: Unit, folder: Path, languages: tuple[str, ...], config: ProxiesConfig, checkpoint: Path
) -> list[list[float]]:
    """Do what `train_unit` does, with the text that stands in a folder: in a process of its own."""
    corpus = text.load(folder / "text", Pieces(folder / "tokenizer.json")).choose(languages)
    return train_unit(unit, corpus, config, checkpoint)


def train_unit(unit: Unit, corpus: Texts, config: ProxiesConfig, checkpoint: Path | None = None) -> list[list[float]]:
    """Train the runs of an ensemble and return bits per byte, a row per run and a column per language of the corpus."""
    import torch

    from glotmix.proxy import bits, ensemble, model

    device = torch.device(config.device if config.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
    precise = config.precision if config.precision != "auto" else "bfloat16" if device.type == "cuda" else "float32"
    kind = getattr(torch, precise)
    training = ensemble.Training(config.batch, unit.steps, config.rate_of(unit.shape.width))
    pieces = corpus.weights(config.unit)
    windows = [
        text.starts(
            corpus,
            run.shares * pieces,
            unit.steps * config.batch,
            unit.shape.context,
            run.seed,
            # Unique tokens are counted as shares are: of bytes, a language with longer pieces has fewer of them.
            (np.array(run.unique) * pieces / (run.shares @ pieces)).tolist(),
            [(sum(phase) * np.array(phase) * pieces / (np.array(phase) @ pieces)).tolist() for phase in run.phases],
        )
        for run in unit.runs
    ]
    streams = ensemble.Streams(corpus, windows, unit.shape.context, device)
    kept = None
    if checkpoint is not None:
        kept = ensemble.Checkpoint(checkpoint, repr((unit, training, precise)), EVERY)
    state = kept.read(device) if kept is not None else None
    if state is None:
        state = ensemble.State.begin(model.begin(unit.shape, [run.seed for run in unit.runs]), device)
    ensemble.train(state, unit.shape, training, streams, kind, kept)
    found: list[list[float]] = bits.per_byte(state.weights, unit.shape, corpus, kind).round(6).tolist()
    return found


def _describe(path: Path, corpus: Texts) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["language", "train_tokens", "held_out_documents", "held_out_tokens", "held_out_bytes"])
        for name in corpus.languages:
            held, size = corpus.held[cells.of(name)], corpus.held_bytes[cells.of(name)]
            out.writerow([name, len(corpus.train[name]), len(held), sum(map(len, held)), size])
