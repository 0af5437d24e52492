"""The second stage: one warm start, and every subset of cells read on from it.

Left in the folder: ``starts.safetensors``, and ``losses/PROBLEM-PART.npz``: bits of every held-out document after every
subset. Killed at any moment, the same call goes on from the last checkpoint and ends with the same figures.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from glotmix.combine.config import CombinationsConfig
from glotmix.combine.documents import Document
from glotmix.combine.plan import CONFIG, Plan
from glotmix.combine.problems import Problem, shares
from glotmix.combine.streams import Asked, Reading, Row, asked, encoded, joined
from glotmix.core import json_text
from glotmix.core.record import Counts, Output
from glotmix.mix.accounting import Array
from glotmix.proxy import ensemble, model
from glotmix.proxy.cores import parts, processes
from glotmix.proxy.model import Weights
from glotmix.proxy.size import Shape, shape

TOGETHER = 48
"""Subsets of a part: what a killed run loses at most, checkpoints aside."""
EVERY = 60.0
"""Seconds between two checkpoints."""
WORTH = 2e11
"""Floating-point operations of a part from which on every core has a process."""
FEW = 5
"""Held-out documents of a group that is a kind by itself: the mean of fewer says more of them than of the group."""
_SAMPLE = 20_000
"""Bytes of a cell on which the warm start is measured."""

Tell = Callable[[str, int, int], None]


def silent(part: str, done: int, total: int) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Bench:
    """Models, and what they read and are asked, of one plan."""

    folder: Path
    config: CombinationsConfig

    @classmethod
    def of(cls, folder: Path) -> "Bench":
        """Return the models of a plan, with the settings that it was made with."""
        return cls(folder, CombinationsConfig.model_validate_json((folder / CONFIG).read_text("utf-8")))

    @cached_property
    def plan(self) -> Plan:
        """The first stage."""
        return Plan(self.folder)

    @cached_property
    def shape(self) -> Shape:
        """Of every model."""
        return shape(self.config.parameters, len(self.plan.pieces), self.config.context)

    @property
    def steps(self) -> int:
        """Optimiser steps that a subset is read in."""
        return self.steps_of(self.config.tokens)

    def steps_of(self, tokens: int) -> int:
        """Return the optimiser steps in which a model reads so many tokens."""
        return max(4, -(-tokens // (self.config.batch * self.config.context)))

    def training(self, steps: int) -> ensemble.Training:
        """Return how models are trained."""
        return ensemble.Training(self.config.batch, steps, self.config.rate_of(self.shape.width))

    def row(self, name: str) -> Row:
        """Return the text of a cell."""
        return joined(encoded(self.plan.documents("pool", name), self.plan.pieces), self.plan.pieces.end)

    def asked(self, side: str, problem: Problem) -> dict[str, Asked]:
        """Return what counts for a problem: its targets, or held-out text of its languages, by source (see `kinds`)."""
        config, plan = self.config, self.plan
        if plan.targets:
            return {
                name: asked(plan.documents(side, target=name), plan.pieces, config.held_bytes, config.held_each)
                for name in plan.targets
            }
        found = {}
        for lang in problem.langs:
            for kind, mine in kinds(plan.documents(side, lang=lang)).items():
                found[f"{lang} {kind}"] = asked(mine, plan.pieces, config.held_bytes, config.held_each)
        return found

    def begin(self, checkpoint: Path, tell: Tell) -> Weights:
        """Train the warm starts, one a seed: all languages alike, on documents that no cell holds."""
        config, cpu = self.config, torch.device("cpu")
        langs = sorted({row["lang"] for row in self.plan.about.values()})
        rows = {
            lang: joined(encoded(self.plan.documents("start", lang=lang), self.plan.pieces), self.plan.pieces.end)
            for lang in langs
        }
        steps = self.steps_of(config.start_tokens)
        seeds = range(config.seed, config.seed + config.seeds)
        even = np.full((config.seeds, len(langs)), 1 / len(langs))
        reading = Reading(rows, even, steps * config.batch, config.context, list(seeds))
        kept = ensemble.Checkpoint(checkpoint, repr(config), EVERY)
        state = kept.read(cpu) or ensemble.State.begin(model.begin(self.shape, list(seeds)), cpu)
        ensemble.train(
            state, self.shape, self.training(steps), reading, checkpoint=kept,
            tell=lambda step: tell("start", step, steps),
        )  # fmt: skip
        kept.path.unlink(missing_ok=True)
        return state.weights

    def follow(
        self, begun: Weights, reading: Reading, steps: int, checkpoint: Path, about: str, told: Callable[[int], None]
    ) -> Weights:
        """Train models on from given weights, for so many steps."""
        cpu = torch.device("cpu")
        kept = ensemble.Checkpoint(checkpoint, about, EVERY)
        state = kept.read(cpu) or ensemble.State.begin(begun, cpu)
        ensemble.train(state, self.shape, self.training(steps), reading, checkpoint=kept, tell=told)
        kept.path.unlink(missing_ok=True)
        return state.weights

    def begun(self, folder: Path, at: Sequence[int]) -> Weights:
        """Return warm starts, one a model: `at` says which."""
        state = ensemble.Checkpoint(folder / "starts.safetensors", repr(self.config)).read(torch.device("cpu"))
        assert state is not None
        return {name: w[list(at)].clone() for name, w in state.weights.items()}


def kinds(documents: Sequence[Document]) -> dict[str, list[Document]]:
    """Return held-out documents by kind, each of which counts the same: a group; of fewer than `FEW`, with the next."""
    counts = Counter(one.group for one in documents)
    together: dict[str, tuple[str, ...]] = {group: (group,) for group in counts}
    while len(together) > 1:
        small, other = sorted(together, key=lambda kind: (sum(counts[g] for g in together[kind]), kind))[:2]
        if sum(counts[group] for group in together[small]) >= FEW:
            break
        together[f"{other} and {small}"] = (*together.pop(other), *together.pop(small))
    return {kind: [one for one in documents if one.group in groups] for kind, groups in sorted(together.items())}


def make(output: Output, plan: Path, config: CombinationsConfig, tell: Tell = silent) -> Counts:
    """Train the warm starts, and every subset of every problem.

    Args:
        output: where.
        plan: folder of the first stage.
        config: as it was there.
        tell: told of a part's steps.

    Returns:
        ``{models, tokens}``.
    """
    bench = Bench(plan, config)

    def start(_: int, scratch: Path) -> Counts:
        weights = bench.begin(scratch.with_suffix(".checkpoint"), tell)
        state = ensemble.State.begin(weights, torch.device("cpu"))
        ensemble.Checkpoint(scratch / "starts.safetensors", repr(config)).write(state)
        _measure_cells(bench, weights, scratch / "cells.json")
        return {"starts": config.seeds}

    output.each({"start": 0}, start, here=True, one_by_one=True)
    units: dict[str, tuple[Problem, slice]] = {}
    for number, problem in enumerate(bench.plan.problems):
        count = -(-config.subsets // TOGETHER)
        units |= {f"{number:03d}-{i:03d}": (problem, at) for i, at in enumerate(parts(config.subsets, count))}

    def part(unit: tuple[Problem, slice], scratch: Path) -> Counts:
        problem, at = unit
        rows = range(config.subsets)[at]
        count = cores_for(bench, len(rows))
        calls = [
            (plan, config, output.path, problem, list(rows[some]), scratch.with_suffix(f".{i}.checkpoint"))
            for i, some in enumerate(parts(len(rows), count))
        ]
        made = [measured(*calls[0], tell=tell)] if len(calls) == 1 else processes(measured, calls)
        (scratch / "losses").mkdir()
        whole = {name: np.concatenate([one[name] for one in made]) for name in made[0]}
        np.savez(scratch / "losses" / f"{scratch.name.removesuffix('.scratch')}.npz", allow_pickle=False, **whole)
        return {"models": len(rows), "tokens": len(rows) * bench.steps * config.batch * config.context}

    return output.each(units, part, here=True, one_by_one=True)


def measured(
    plan: Path,
    config: CombinationsConfig,
    folder: Path,
    problem: Problem,
    rows: Sequence[int],
    checkpoint: Path,
    tell: Tell = silent,
) -> dict[str, Array]:
    """Train some subsets of a problem, and return the bits of every held-out document after each, by target, (K, n)."""
    bench = Bench(plan, config)
    blocks = bench.plan.subsets(problem)[list(rows)]
    text = {name: bench.row(name) for name in (*problem.cells, *problem.own)}
    own = np.array([len(text[name]) for name in problem.own], np.float64)
    reading = Reading(
        text, shares(problem, blocks, own), bench.steps * config.batch, config.context,
        [config.seed + 1000 * (row + 1) for row in rows],
    )  # fmt: skip
    weights = bench.follow(
        bench.begun(folder, [0] * len(rows)), reading, bench.steps, checkpoint, repr((config, problem, list(rows))),
        lambda step: tell(problem.name, step, bench.steps),
    )  # fmt: skip
    end = bench.plan.pieces.end
    return {name: one.bits(weights, bench.shape, end) for name, one in bench.asked("held", problem).items()}


def losses(folder: Path, bench: Bench, problem: Problem) -> Array:
    """Return the loss of every subset, the mean over targets of their bits per byte, (n,)."""
    number = bench.plan.problems.index(problem)
    files = sorted((folder / "losses").glob(f"{number:03d}-*.npz"))
    held = bench.asked("held", problem)
    each = []
    for name, one in held.items():
        bits = np.concatenate([np.load(file)[name] for file in files])
        each.append(bits.sum(axis=1) / one.sizes.sum())
    return np.asarray(np.mean(each, axis=0))


def surprises(folder: Path) -> dict[str, float]:
    """Return by cell the bits per byte of its text under the warm start: a trait of it."""
    found: dict[str, float] = json_text.loads((folder / "cells.json").read_text("utf-8"))
    return found


def cores_for(bench: Bench, models: int) -> int:
    """Return the processes that share some models: one a core, where that is worth their start."""
    work = bench.shape.flops * bench.steps * bench.config.batch * bench.config.context * models
    return 1 if work < WORTH else min(torch.get_num_threads(), models)


def _measure_cells(bench: Bench, weights: Weights, path: Path) -> None:
    first = {name: w[:1] for name, w in weights.items()}
    found: dict[str, float] = {}
    for name in bench.plan.about:
        some = asked(bench.plan.documents("pool", name), bench.plan.pieces, _SAMPLE, bench.config.held_each)
        found[name] = float(some.bits(first, bench.shape, bench.plan.pieces.end).sum() / some.sizes.sum())
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
