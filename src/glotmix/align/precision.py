"""A line through scores that keeps a stated precision, from a null of the same making and no labels."""

import numpy as np
from numpy.typing import NDArray

VERSION = 1

LEAST = 10
"""Scores of the null below which there is no line: nothing is kept."""


def line(scores: NDArray[np.floating], null: NDArray[np.floating], precision: float, wrong: float = 1.0) -> float:
    """Return the least score at and above which no more than 1 − `precision` should be wrong; infinite for none.

    Of what is wrong among the scores, as large a part lies above a line as of the null (Storey 2002, with the null's
    ranks for its p-values); (1 + b) / (1 + n) for b of n, so that a small null promises no more than it can. Above the
    largest of the null its tail goes on exponentially, at the rate of its upper tenth (of ten and more).

    Args:
        scores: of what is to be judged.
        null: of what is surely wrong, found and scored in the same way.
        precision: what is promised.
        wrong: the greatest part of the scores that may be wrong; see `wrongs`.

    >>> null = np.linspace(0, 0.5, 200)
    >>> scores = np.concatenate([np.linspace(0.7, 0.9, 100), np.linspace(0, 0.5, 100)])
    >>> 0.45 < line(scores, null, 0.98) <= 0.7, line(null, null, 0.98)
    (True, inf)
    """
    if len(null) < LEAST or not len(scores):
        return float("inf")
    given = np.sort(np.asarray(scores, np.float64))[::-1]
    kept = np.arange(1, len(given) + 1)
    expected = wrong * len(given) * tail(given, null)
    enough = np.flatnonzero(expected <= (1 - precision) * kept)
    return float(given[enough[-1]]) if len(enough) else float("inf")


def tail(at: NDArray[np.floating], null: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the part of the null at and above each score."""
    held = np.sort(np.asarray(null, np.float64))
    above = len(held) - np.searchsorted(held, at, side="left")
    part = (1 + above) / (1 + len(held))
    begin = held[max(0, len(held) - max(LEAST, len(held) // 10))]
    upper = held[held >= begin]
    rate = float((upper - begin).mean())
    if rate <= 0:
        return np.asarray(part)
    # The tail that goes on is no less than what was seen, up to where anything was.
    beyond = len(upper) / len(held) * np.exp(-(np.asarray(at, np.float64) - begin) / rate)
    return np.where(np.asarray(at) > held[-1], np.minimum(part, beyond), part)


def wrongs(scores: NDArray[np.floating], null: NDArray[np.floating]) -> float:
    """Return the part of the scores that is wrong at most: twice that below the median of the null, 1 at most.

    >>> wrongs(np.array([0.1, 0.9, 0.8, 0.95]), np.linspace(0, 0.5, 40))
    0.5
    """
    if not len(null) or not len(scores):
        return 1.0
    return float(min(1.0, 2 * (np.asarray(scores) < np.median(null)).mean()))
