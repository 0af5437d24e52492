"""The third stage: laws of every problem's subsets, chosen by held-out subsets, and what cells bring beside others."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glotmix.combine import carried
from glotmix.combine.judge import Judged, judge
from glotmix.combine.laws import Fitted
from glotmix.combine.problems import Problem
from glotmix.combine.training import Bench, losses, surprises
from glotmix.core.record import Counts, Output
from glotmix.mix.accounting import Array

LAWS = "laws.json"
_ALONE = 0.5
"""Two cells are interchangeable where each brings less than this part of itself beside the other, beyond doubt."""


def make(output: Output, plan: Path, losses: Path) -> Counts:
    """Fit the laws of every problem, and leave ``laws.json``: see `told`.

    Args:
        output: where.
        plan: folder of the first stage.
        losses: folder of the second.
    """
    found, known = judged(Bench.of(plan), losses)
    said = told(found, known)
    (output.path / LAWS).write_text(json.dumps(said, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return {"problems": len(found)}


@dataclass(frozen=True, eq=False)
class Beside:
    """What each cell brings alone and beside each other: bits per byte that a block of it saves.

    Args:
        names: of the J cells.
        alone: (J, 3) value, low, high.
        beside: (J, J, 3): the row's beside a block of the column's.
        interchangeable: pairs of which each brings clearly less beside the other.
        together: pairs that bring clearly more together.
    """

    names: tuple[str, ...]
    alone: Array
    beside: Array
    interchangeable: tuple[tuple[int, int], ...]
    together: tuple[tuple[int, int], ...]


def beside(judged: Judged) -> Beside:
    """Return what cells bring, with 95 % intervals over draws of the subsets."""
    cells = judged.chosen.cells
    point = _gains(judged.chosen)
    drawn = np.array([_gains(one) for one in judged.draws])
    # The draws are of half the information: their spread counts, their mean is not the estimate.
    half = 1.96 * drawn.std(axis=0) if len(drawn) else np.zeros_like(point)
    ends = np.stack([point, point - half, point + half], axis=-1)
    alone, pairs = ends[:, -1], ends[:, :-1]
    part = drawn[:, :, :-1] - _ALONE * drawn[:, :, -1:] if len(drawn) else np.zeros((1, len(cells), len(cells)))
    less = (np.quantile(part, 0.95, axis=0) < 0) & (alone[:, 1:2] > 0)
    over = drawn[:, :, :-1] - drawn[:, :, -1:] if len(drawn) else part
    more = np.quantile(over, 0.05, axis=0) > 0
    upper = np.triu(np.ones_like(less), 1).astype(bool)
    pair = (less & less.T & upper, (more & more.T & upper))
    alike, together = (tuple((int(i), int(j)) for i, j in zip(*np.nonzero(one), strict=True)) for one in pair)
    return Beside(cells.names, alone, pairs, alike, together)


def _gains(law: Fitted) -> Array:
    """Return (J, J + 1): what a block of the row brings beside a block of the column; alone in the last."""
    size = len(law.cells)
    one = np.eye(size)
    first = law.worth(one)
    nothing = float(law.worth(np.zeros((1, size)))[0])
    both = law.worth((one[:, None] + one[None]).reshape(-1, size)).reshape(size, size)
    return np.column_stack([both - first[None, :], first - nothing])


def measured(bench: Bench, folder: Path, problem: Problem) -> carried.Measured:
    """Return the subsets of a problem with their losses, and its cells with all traits."""
    held = surprises(folder)
    more = {"surprise": np.array([held[name] for name in problem.cells])}
    return carried.Measured(
        bench.plan.cells(problem, more), bench.plan.subsets(problem), losses(folder, bench, problem)
    )


def judged(bench: Bench, folder: Path) -> tuple[dict[str, Judged], dict[str, carried.Measured]]:
    """Judge the subsets of every problem, and return them beside."""
    known = {problem.name: measured(bench, folder, problem) for problem in bench.plan.problems}
    config = bench.config
    found = {
        name: judge(one.cells, one.blocks, one.losses, seed=config.seed, law=config.law) for name, one in known.items()
    }
    return found, known


def told(found: Mapping[str, Judged], known: Mapping[str, carried.Measured]) -> dict[str, Any]:
    """Return laws as plain data: scores, forms, influences, what cells bring beside others, and what carries."""
    said: dict[str, Any] = {"problems": {name: _told(one) for name, one in found.items()}}
    if len(known) > 1:
        selector = carried.learn(known)
        said["selector"] = {
            "traits": dict(zip(selector.names, selector.weights.tolist(), strict=True)),
            "mean": selector.mean,
            "form": asdict(selector.form),
            "left_out_rank": carried.left_out(known),
        }
    return said


def _told(one: Judged) -> dict[str, Any]:
    matrix = beside(one)
    return {
        "law": one.chosen.law,
        "speaks": one.speaks,
        "slack": one.slack,
        "scores": [asdict(score) for score in one.scores],
        "form": asdict(one.chosen.form),
        "cells": list(matrix.names),
        "influence": one.chosen.influence.tolist(),
        "alone": matrix.alone.tolist(),
        "beside": matrix.beside.tolist(),
        "interchangeable": [list(pair) for pair in matrix.interchangeable],
        "together": [list(pair) for pair in matrix.together],
    }
