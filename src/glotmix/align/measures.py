"""How alike a model's states of translations are: d′, CSLS P@1, MEXA, cosine gap, with intervals over sentences.

All are of n sentences in two languages, row i of one the translation of row i of the other. Each language is centred on
its own mean first: without that, every sentence of a language looks like every other, and figures say which languages
are told apart, not what their sentences say. So a rotation, a scale, another order of the pairs, and a shift of a
language change nothing.

- **d′** of a query i: `(c_ii − mean_j c_ij) / sd_j c_ij` over the others j ≠ i, c the cosine; mean over queries of both
  sides. **A reconstruction**: the formula of the Language Alignment Coefficient (arXiv 2604.10590) is not public; of it
  only that it stays stable with little data. It does not saturate as retrieval does.
- **CSLS P@1**: share of queries whose translation is nearest by `2 c_ij − r_i − r_j`, r the mean of the k = 10 largest
  cosines of a sentence to the other side (Conneau et al. 2018, arXiv 1710.04087); mean of both sides.
- **MEXA**: share of pairs whose cosine is the strictly largest of its row and of its column (arXiv 2410.05873); there
  the languages are not centred.
- **gap**: mean cosine of translations less that of all other pairs (mPLM-Sim compares languages by cosines).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

NAMES = ("d_prime", "p1", "mexa", "gap")
NEIGHBOURS = 10
LEVEL, DRAWS = 0.95, 500
LEAST = 10
"""Sentences below which nothing is said."""


@dataclass(frozen=True)
class Figure:
    """A figure with its interval of 95 % over sentences."""

    value: float
    low: float
    high: float


def cosines(one: NDArray[np.floating], other: NDArray[np.floating]) -> Array:
    """Return the cosines of every two rows after each side is centred on its mean, (n, n).

    A row that is its side's mean has cosine 0 to all.
    """
    sides = []
    for side in (one, other):
        x = np.asarray(side, float)
        x = x - x.mean(axis=0)
        length = np.linalg.norm(x, axis=1, keepdims=True)
        # What is left of equal rows is rounding, not meaning.
        floor = 1e-7 * np.sqrt((np.asarray(side, float) ** 2).sum(axis=1).mean() + 1e-300)
        sides.append(np.divide(x, length, out=np.zeros_like(x), where=length > floor))
    return np.asarray(sides[0] @ sides[1].T)


def d_prime(c: Array, weights: Array | None = None) -> Array:
    """Return the d′ of every query, rows and then columns, (2n,) or with weights of sentences (2n, draws).

    Args:
        c: cosines, (n, n), translations on the diagonal.
        weights: of the sentences among which a query is looked for, (n, draws); None for equal ones.
    """
    w = np.ones((len(c), 1)) if weights is None else weights
    found = []
    for side in (c, c.T):
        right = np.diag(side)[:, None]
        others = side - np.diag(np.diag(side))
        left = w.sum(axis=0) - w
        mean = others @ w / left
        spread = np.sqrt(np.maximum(others**2 @ w / left - mean**2, 0.0))
        # Where all others are alike there is no spread to measure by.
        found.append(np.divide(right - mean, spread, out=np.zeros_like(mean), where=spread > 1e-12))
    both = np.concatenate(found)
    return both[:, 0] if weights is None else both


def hits(c: Array, neighbours: int = NEIGHBOURS) -> Array:
    """Return whether each query finds its translation by CSLS, rows and then columns, (2n,); ties are no find."""
    k = min(neighbours, len(c) - 1)
    rows, columns = (np.partition(side, len(c) - k, axis=1)[:, -k:].mean(axis=1) for side in (c, c.T))
    score = 2 * c - rows[:, None] - columns[None]
    return np.concatenate([_strictly(score), _strictly(score.T)])


def mutual(c: Array) -> Array:
    """Return whether each pair's cosine is strictly the largest of its row and of its column, (n,)."""
    return _strictly(c) * _strictly(c.T)


def _strictly(score: Array) -> Array:
    others = score.copy()
    np.fill_diagonal(others, -np.inf)
    # What differs by rounding alone is a tie.
    return np.asarray(np.diag(score) > others.max(axis=1) + 1e-12, float)


def gaps(c: Array, weights: Array | None = None) -> Array:
    """Return of every sentence its cosine to its translation less the mean to the others, (n,) or (n, draws)."""
    w = np.ones((len(c), 1)) if weights is None else weights
    left = w.sum(axis=0) - w
    others = c - np.diag(np.diag(c))
    both = np.diag(c)[:, None] - (others @ w + others.T @ w) / (2 * left)
    return np.asarray(both[:, 0] if weights is None else both)


def drawn(n: int, draws: int = DRAWS, seed: int = 0) -> Array:
    """Return weights of n sentences for every draw, (n, draws): Rubin's Bayesian bootstrap (1981), sum n.

    Sentences drawn with weights, not with repeats: a sentence that is there twice would have itself for a neighbour.
    """
    found = np.random.default_rng([seed, n]).standard_exponential((n, draws))
    return np.asarray(found * (n / found.sum(axis=0)))


def measure(c: Array, weights: Array) -> dict[str, tuple[float, Array]]:
    """Return every figure of `NAMES` and its draws.

    Args:
        c: cosines, (n, n).
        weights: `drawn`, (n, draws). For d′ and the gap they weigh queries and those they are looked for among; for
            retrieval, queries alone.
    """
    two = np.concatenate([weights, weights])
    by_query = {"d_prime": d_prime(c), "p1": hits(c), "mexa": mutual(c), "gap": gaps(c)}
    moved = {"d_prime": d_prime(c, weights), "gap": gaps(c, weights)}
    found = {}
    for name, values in by_query.items():
        w = two if len(values) == 2 * len(c) else weights
        spread = values[:, None] if name not in moved else moved[name]
        found[name] = float(values.mean()), np.asarray((w * spread).sum(axis=0) / w.sum(axis=0))
    return found


def figure(value: float, draws: Array) -> Figure:
    """Return a figure with the percentile interval of its draws."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Figure(value, float(min(low, value)), float(max(high, value)))


def above(model: Mapping[str, tuple[float, Array]], floor: Mapping[str, tuple[float, Array]], looks: int) -> bool:
    """Say whether a model is above the lexical floor beyond chance: in d′ and in retrieval, each by the same draws.

    Args:
        model: `measure` of the model's states.
        floor: `measure` of the lexical floor, with the same weights.
        looks: how many layers are looked at: one-sided 2.5 % are shared between them (Bonferroni).
    """
    from scipy import stats

    needed = float(stats.norm.isf(0.025 / looks))
    for name in ("d_prime", "p1"):
        more = model[name][0] - floor[name][0]
        spread = float((model[name][1] - floor[name][1]).std(ddof=1))
        if not more > needed * spread:
            return False
    return True
