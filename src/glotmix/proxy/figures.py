"""Differences between models as figures with intervals, and what a comparison would have shown.

Two things are drawn at random, texts and seeds, and both are in an interval: the variance of a mean of S models over n
texts is taken as `var_seeds / S + var_texts / n`, with Welch's and Satterthwaite's degrees of freedom. The formulas are
ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from glotmix.core.errors import DataError

Array: TypeAlias = NDArray[np.float64]

LEVEL, WANTED = 0.95, 0.80


@dataclass(frozen=True)
class Figure:
    """A mean over seeds and texts, in bits per byte, with its interval of 95 %.

    Args:
        value: the mean.
        low: lower end.
        high: upper end.
        error: standard error.
        freedom: its degrees of freedom.
    """

    value: float
    low: float
    high: float
    error: float
    freedom: float


def over(each: Sequence[Array], level: float = LEVEL) -> Figure:
    """Return the mean over kinds of text, each with the same weight, of what S models have on n texts of it.

    Args:
        each: per kind (S, n) numbers, the same models in all; n may differ, and no text stands in two kinds.
        level: of the interval.

    Raises:
        DataError: if there is one text of a kind: nothing says how texts differ.
    """
    from scipy import stats

    if any(one.shape[1] < 2 for one in each):
        raise DataError("of one held-out text no interval can be drawn", "more held-out text")
    by_seed = np.mean([one.mean(axis=1) for one in each], axis=0)
    seeds = len(by_seed)
    between = float(by_seed.var(ddof=1)) / seeds
    parts = [(float(one.mean(axis=0).var(ddof=1)) / one.shape[1] / len(each) ** 2, one.shape[1] - 1) for one in each]
    total = between + sum(part for part, _ in parts)
    value = float(by_seed.mean())
    if total == 0.0:
        return Figure(value, value, value, 0.0, float(seeds - 1))
    freedom = total**2 / (between**2 / (seeds - 1) + sum(part**2 / free for part, free in parts))
    error = total**0.5
    half = float(stats.t.ppf(0.5 + level / 2, freedom)) * error
    return Figure(value, value - half, value + half, error, freedom)


def power(found: Figure, worth: float) -> tuple[float, float]:
    """Return the chance to tell a difference of `worth` from 0, and the least that is told four times in five."""
    from scipy import stats

    if found.error == 0.0:
        return 1.0, 0.0
    needed = float(stats.t.ppf(0.5 + LEVEL / 2, found.freedom))
    chance = float(stats.nct.sf(needed, found.freedom, worth / found.error))
    shown = (needed + float(stats.t.ppf(WANTED, found.freedom))) * found.error
    return chance, shown
