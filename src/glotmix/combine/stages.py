"""The four stages in a folder, each with files that the next one reads: design, losses, laws, choice.

Every stage is an output with a record (`glotmix.core.record`): asked for again it is there, changed it is made anew,
and interrupted it goes on where it was.
"""

import json
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

from glotmix.combine import fitted, plan, training, trial, verdict
from glotmix.combine.config import CombinationsConfig
from glotmix.combine.documents import read
from glotmix.combine.plan import Plan
from glotmix.combine.training import Bench, Tell, silent
from glotmix.combine.verdict import Verdict
from glotmix.core.record import Counts, Identity, Output, Watcher, build, digest, require
from glotmix.embed import choose as embedders
from glotmix.embed.protocol import Embedder
from glotmix.proxy.need import need

DESIGN, LOSSES, LAWS, CHOICE = "design", "losses", "laws", "choice"
_CONFIG = "config.json"
REVISION = 1
"""Raised where a combination of the same documents would be measured, fitted or chosen in another way."""


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
    if config.tokenizer is not None:
        inputs["tokenizer"] = digest(Path(config.tokenizer).read_text("utf-8"))

    def make(output: Output) -> Counts:
        return plan.make(output, documents, config, model, held)

    _build(folder / DESIGN, "combine-design", config, inputs, make, watcher)
    return Plan(folder / DESIGN)


def train(folder: Path, tell: Tell = silent, watcher: Watcher | None = None) -> None:
    """Train the warm starts, and every subset on from them.

    Raises:
        MissingExtraError: if torch is not installed.
        GlotmixError: if there is no design.
    """
    need("combinations")
    bench, inputs = _bench(folder), _made(folder, DESIGN)
    _build(
        folder / LOSSES, "combine-train", bench.config, inputs,
        lambda output: training.make(output, bench.folder, bench.config, tell), watcher,
    )  # fmt: skip


def fit(folder: Path, watcher: Watcher | None = None) -> dict[str, Any]:
    """Fit the laws, choose between them by held-out subsets, and say what cells bring; see ``laws/laws.json``.

    Raises:
        GlotmixError: if no subsets are trained.
    """
    bench, inputs = _bench(folder), _made(folder, DESIGN, LOSSES)

    def make(output: Output) -> Counts:
        found, known = fitted.judged(bench, folder / LOSSES)
        fitted.write(output.path / "laws.json", fitted.told(found, known))
        return {"problems": len(found)}

    _build(folder / LAWS, "combine-fit", bench.config, inputs, make, watcher)
    told: dict[str, Any] = json.loads((folder / LAWS / "laws.json").read_text("utf-8"))
    return told


def choose(folder: Path, tell: Tell = silent, watcher: Watcher | None = None) -> list[Verdict]:
    """Choose sets by the laws and by simple ways, try them, and judge; see ``choice/verdict.json``.

    Raises:
        MissingExtraError: if torch is not installed.
        GlotmixError: if no laws are fitted.
    """
    need("combinations")
    bench, inputs = _bench(folder), _made(folder, DESIGN, LOSSES, LAWS)

    def make(output: Output) -> Counts:
        found, _ = fitted.judged(bench, folder / LOSSES)
        counts = trial.make(output, bench, folder / LOSSES, found, tell)
        told = [one.as_dict() for one in verdicts(bench, output.path, {n: j.chosen.law for n, j in found.items()})]
        (output.path / "verdict.json").write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")
        return counts

    _build(folder / CHOICE, "combine-choose", bench.config, inputs, make, watcher)
    laws = json.loads((folder / LAWS / "laws.json").read_text("utf-8"))["problems"]
    return verdicts(bench, folder / CHOICE, {name: one["law"] for name, one in laws.items()})


def verdicts(bench: Bench, folder: Path, laws: Mapping[str, str]) -> list[Verdict]:
    """Judge every problem by what its trial left, given the law of each."""
    return [
        verdict.judge(folder / "tried" / f"{number:03d}.npz", problem.name, laws[problem.name])
        for number, problem in enumerate(bench.plan.problems)
    ]


def config_of(folder: Path) -> CombinationsConfig:
    """Return the settings that a design was made with.

    Raises:
        GlotmixError: if there is none.
    """
    require(folder / DESIGN, "combine design")
    return CombinationsConfig.model_validate_json((folder / DESIGN / _CONFIG).read_text("utf-8"))


def _bench(folder: Path) -> Bench:
    return Bench(folder / DESIGN, config_of(folder))


def _made(folder: Path, *stages: str) -> dict[str, Any]:
    commands = {DESIGN: "design", LOSSES: "train", LAWS: "fit"}
    return {stage: require(folder / stage, f"combine {commands[stage]}").fingerprint for stage in stages}


def _build(
    folder: Path, step: str, config: CombinationsConfig, inputs: Mapping[str, Any], make: Any, watcher: Watcher | None
) -> None:
    def whole(output: Output) -> Counts:
        counts: Counts = make(output)
        if step == "combine-design":
            (output.path / _CONFIG).write_text(config.model_dump_json(indent=1) + "\n", "utf-8")
        return counts

    build(folder, Identity(step, REVISION, config.model_dump(mode="json"), dict(inputs)), whole, watcher)
