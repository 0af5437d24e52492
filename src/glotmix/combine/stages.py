"""The four stages in a folder, each with files that the next one reads: design, losses, laws, choice.

Every stage is an output with a record (`glotmix.core.record`): asked for again it is there, changed it is made anew,
and interrupted it goes on where it was.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any, TypeAlias

from glotmix.combine import VERSION, cost, fitted, plan, training, transfer, trial, verdict
from glotmix.combine.config import CombinationsConfig
from glotmix.combine.documents import read
from glotmix.combine.plan import Plan
from glotmix.combine.training import Bench, Tell, silent
from glotmix.combine.verdict import Verdict
from glotmix.core import json_text
from glotmix.core.identity import RECORD
from glotmix.core.record import Counts, Identity, Output, Record, Watcher, build, digest, require
from glotmix.embed import choose as embedders
from glotmix.embed.protocol import Embedder
from glotmix.proxy.need import need

Make: TypeAlias = Callable[[Output], Counts]

DESIGN, LOSSES, LAWS, CHOICE, CARRIED = "design", "losses", "laws", "choice", "carried"


def design(
    folder: Path,
    given: Any,
    config: CombinationsConfig,
    targets: Mapping[str, Any] | None = None,
    embedder: Embedder | None = None,
    watcher: Watcher | None = None,
) -> Plan:
    """Make cells of documents, and draw subsets of them.

    Args:
        folder: of all stages.
        given: documents: a table, rows, a file, or a folder of Parquet (`documents.read`).
        config: how.
        targets: other text to choose for, by name; by default what `config.targets` names.
        embedder: by default the one that `config` names.
        watcher: told of the progress.

    Raises:
        MissingExtraError: if torch and tokenizers are not installed.
        RequestError: for documents without a language or text.
        DataError: for too little text.
    """
    need("combinations")
    model = embedder or embedders.load(config.embedder)
    documents = read(given, config)
    goals = {name: Path(path) for name, path in config.targets.items()} if targets is None else dict(targets)
    held = {name: plan.read_target(one, config) for name, one in goals.items()}
    inputs = {"documents": digest([list(astuple(one)) for one in documents]), "embedder": digest(model.fingerprint)}
    inputs |= {f"target {name}": digest([list(astuple(one)) for one in some]) for name, some in held.items()}
    tokenizer = None if config.tokenizer is None else Path(config.tokenizer)
    if tokenizer is not None:
        inputs["tokenizer"] = digest(tokenizer.read_text("utf-8"))

    def make(output: Output) -> Counts:
        return plan.make(output, documents, config, model, held, tokenizer)

    _build(folder / DESIGN, "combine-design", config, inputs, make, watcher)
    return Plan(folder / DESIGN)


def train(folder: Path, tell: Tell = silent, watcher: Watcher | None = None) -> Record:
    """Train the warm starts, and every subset on from them.

    Raises:
        MissingExtraError: if torch is not installed.
        GlotmixError: if there is no design.
    """
    need("combinations")
    bench, inputs = _bench(folder), _made(folder, DESIGN)
    return _build(
        folder / LOSSES, "combine-train", bench.config, inputs,
        lambda output: training.make(output, bench.folder, bench.config, tell), watcher,
    )  # fmt: skip


def foretold(folder: Path) -> tuple[int, float] | None:
    """Return how many models `train` makes and about how many seconds that takes here; None where they are made.

    Raises:
        MissingExtraError: if torch is not installed.
        GlotmixError: if there is no design.
    """
    need("combinations")
    bench = _bench(folder)
    if (folder / LOSSES / RECORD).is_file():
        return None
    return cost.models(bench), cost.seconds(bench)


def fit(folder: Path, watcher: Watcher | None = None) -> dict[str, Any]:
    """Fit the laws, choose between them by held-out subsets, and say what cells bring; see ``laws/laws.json``.

    Raises:
        GlotmixError: if no subsets are trained.
    """
    bench, inputs = _bench(folder), _made(folder, DESIGN, LOSSES)
    _build(
        folder / LAWS, "combine-fit", bench.config, inputs,
        lambda output: fitted.make(output, bench.folder, folder / LOSSES), watcher,
    )  # fmt: skip
    told: dict[str, Any] = json_text.loads((folder / LAWS / fitted.LAWS).read_text("utf-8"))
    return told


def choose(folder: Path, tell: Tell = silent, watcher: Watcher | None = None) -> list[Verdict]:
    """Choose sets by the laws and by simple ways, try them, and judge; see ``choice/verdict.json``.

    Raises:
        MissingExtraError: if torch is not installed.
        GlotmixError: if no laws are fitted.
    """
    need("combinations")
    bench, inputs = _bench(folder), _made(folder, DESIGN, LOSSES, LAWS)

    _build(
        folder / CHOICE, "combine-choose", bench.config, inputs,
        lambda output: make_choice(output, folder, tell), watcher,
    )  # fmt: skip
    laws = json_text.loads((folder / LAWS / fitted.LAWS).read_text("utf-8"))["problems"]
    return verdicts(bench, folder / CHOICE, {name: one["law"] for name, one in laws.items()})


def carry(folder: Path, learned: Path, watcher: Watcher | None = None) -> dict[str, Any]:
    """Choose sets of a design on which nothing is trained, by what others learned; see ``carried/``.

    Args:
        folder: with a design.
        learned: of all stages of other documents, subsets trained.
        watcher: told of the progress.

    Returns:
        what the selector says of itself: the languages that it learned from, its traits, its rank in each left out.

    Raises:
        MissingExtraError: if torch is not installed.
        GlotmixError: if one of the stages is not there.
    """
    need("combinations")
    bench = _bench(folder)
    inputs = _made(folder, DESIGN) | {f"learned {n}": d for n, d in _made(learned, DESIGN, LOSSES).items()}
    _build(
        folder / CARRIED, "combine-carry", bench.config, inputs,
        lambda output: transfer.make(output, bench.folder, learned), watcher,
    )  # fmt: skip
    told: dict[str, Any] = json_text.loads((folder / CARRIED / "selector.json").read_text("utf-8"))
    return told


def make_choice(output: Output, folder: Path, tell: Tell = silent) -> Counts:
    """Choose sets and try them (`trial.make`), and leave ``verdict.json``.

    Args:
        output: where.
        folder: with the stages before.
        tell: told of a problem's steps.
    """
    bench = Bench.of(folder / DESIGN)
    found, _ = fitted.judged(bench, folder / LOSSES)
    counts = trial.make(output, bench, folder / LOSSES, found, tell)
    told = [one.as_dict() for one in verdicts(bench, output.path, {n: j.chosen.law for n, j in found.items()})]
    (output.path / "verdict.json").write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return counts


def verdicts(bench: Bench, folder: Path, laws: Mapping[str, str]) -> list[Verdict]:
    """Judge every problem by what its trial left, given the law of each."""
    return [
        verdict.judge(folder / "tried" / f"{number:03d}.npz", problem.name, laws[problem.name])
        for number, problem in enumerate(bench.plan.problems)
    ]


def _bench(folder: Path) -> Bench:
    require(folder / DESIGN, "combine design")
    return Bench.of(folder / DESIGN)


def _made(folder: Path, *stages: str) -> dict[str, Any]:
    commands = {DESIGN: "design", LOSSES: "train", LAWS: "fit"}
    return {stage: require(folder / stage, f"combine {commands[stage]}").fingerprint for stage in stages}


def _build(
    folder: Path, step: str, config: CombinationsConfig, inputs: Mapping[str, Any], make: Make, watcher: Watcher | None
) -> Record:
    return build(folder, Identity(step, VERSION, config.model_dump(mode="json"), dict(inputs)), make, watcher)
