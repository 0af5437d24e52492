"""Planted worlds of cells, where the worth of every set is known: copies, near-copies, junk, and pairs that help only
together. What a set is worth follows another formula than any law that is fitted: topics that are covered, and then
bring little more.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.stats import spearmanr

from benchmarks.harness import Row
from glotmix.combine import choice, laws, subsets
from glotmix.combine.cells import Cells
from glotmix.mix.accounting import Array

NAME = "combinations"
GOOD, COPIES, JUNK, PAIRS = 5, 3, 6, 3
BLOCKS, NOISE = 8, 0.1
FIRST = 500
"""Number of the first world that is reported: laws, search and the default of 96 subsets were chosen on those below."""
WHAT = "how far the law's choice goes from the mean set to the best of the unseen sets, and beyond"


@dataclass(frozen=True, eq=False)
class Planted:
    """A world: its cells, what each of them is, and the loss of sets (n, J) → (n,)."""

    cells: Cells
    kinds: tuple[str, ...]
    loss: Callable[[Array], Array]

    def pairs(self) -> list[tuple[int, int]]:
        first = GOOD * COPIES
        return [(first + 2 * p, first + 2 * p + 1) for p in range(PAIRS)]


def world(seed: int, width: int = 24) -> Planted:
    """Make a world of 27 cells: five good topics thrice (a copy and a near-copy of each), three pairs of cells that
    bring nothing alone, six of junk, two and two of them alike."""
    rng = np.random.default_rng([seed, 77])
    topics = GOOD + 2 * PAIRS + JUNK // 2
    axes = rng.normal(size=(topics, width))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    worth = np.zeros(topics)
    worth[:GOOD] = rng.uniform(0.7, 1.3, GOOD)
    held: list[Array] = []
    kinds: list[str] = []
    for topic in range(GOOD):
        for copy in range(COPIES):
            row = np.eye(topics)[topic]
            if copy == COPIES - 1:
                row = 0.8 * row + 0.2 * np.eye(topics)[(topic + 1) % GOOD]
            held.append(row)
            kinds.append(("good", "copy", "near")[copy])
    for topic in range(GOOD, topics):
        twice = 1 if topic < GOOD + 2 * PAIRS else 2
        held += [np.eye(topics)[topic]] * twice
        kinds += ["pair" if twice == 1 else "junk"] * twice
    about = np.array(held)
    vectors = about @ axes + 0.1 * rng.normal(size=(len(about), width)) / width**0.5
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    first = GOOD * COPIES
    pairs = [(first + 2 * p, first + 2 * p + 1) for p in range(PAIRS)]

    def loss(blocks: Array) -> Array:
        covered = -np.expm1(-3.0 * blocks @ about)
        found = covered @ worth
        for i, j in pairs:
            found = found + 1.2 * np.sqrt(np.expm1(-3.0 * blocks[:, i]) * np.expm1(-3.0 * blocks[:, j]))
        return np.asarray(3.0 - 0.02 * found)

    names = tuple(f"{kind} {number}" for number, kind in enumerate(kinds))
    return Planted(Cells(names, np.full(len(names), 4.0), vectors @ vectors.T), tuple(kinds), loss)


def planted(small: bool) -> Iterable[Row]:
    """Rank of unseen sets by their true loss, on worlds of other seeds; noise of a tenth of the sets' spread."""
    worlds = 2 if small else 20
    for count in (96,) if small else (64, 96, 128):
        ranks: dict[str, list[float]] = {name: [] for name in laws.LAWS}
        nearer: dict[str, list[float]] = {name: [] for name in laws.LAWS}
        found = 0
        for seed in range(FIRST, FIRST + worlds):
            one = world(seed)
            drawn = subsets.draw(one.cells, count, BLOCKS, seed)
            unseen = subsets.draw(one.cells, 200, BLOCKS, 1000 + seed)
            true, loss = one.loss(unseen), one.loss(drawn)
            loss = loss + NOISE * true.std() * np.random.default_rng([seed, 78]).normal(size=count)
            for name, fit in laws.LAWS.items():
                law = fit(one.cells, drawn, loss)
                ranks[name].append(float(spearmanr(-law.worth(unseen), true).statistic))
                best = float(one.loss(choice.best(law, BLOCKS)[None])[0])
                nearer[name].append((float(true.mean()) - best) / float(true.mean() - true.min()))
                if name == "relational":
                    found += len(set(one.pairs()) & set(law.together))
        settings = {
            "subsets": count,
            "cells": len(one.cells),
            "blocks": BLOCKS,
            "noise": NOISE,
            "unseen": 200,
            "first world": FIRST,
        }
        tail = "" if count == 96 else f".subsets_{count}"
        for name in laws.LAWS:
            yield _row(f"planted.rank.{name}{tail}", ranks[name], settings)
            yield _row(f"planted.choice.{name}{tail}", nearer[name], settings | {"what": WHAT})
        share = found / (worlds * PAIRS)
        yield Row(NAME, f"planted.pairs_found{tail}", share, n=worlds * PAIRS, settings=settings)


def _row(metric: str, values: list[float], settings: dict[str, object]) -> Row:
    half = float(stats.t.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / len(values) ** 0.5
    mean = float(np.mean(values))
    return Row(NAME, metric, mean, mean - half, mean + half, len(values), "worlds", settings | {"worst": min(values)})


PARTS = {"planted": planted}
