"""The area under the ROC curve, and its bootstrap."""

import numpy as np
from numpy.typing import NDArray


def auc(labels: NDArray[np.bool_], scores: NDArray[np.floating]) -> float | None:
    """Return the chance that a good document scores above a bad one; a tie is half a chance. None without both.

    >>> auc(np.array([True, True, False]), np.array([2.0, 1.0, 1.0]))
    0.75
    """

    from scipy.stats import rankdata

    good = int(labels.sum())
    bad = len(labels) - good
    if good == 0 or bad == 0:
        return None
    return float((rankdata(scores)[labels].sum() - good * (good + 1) / 2) / (good * bad))


def resampled(
    labels: NDArray[np.bool_], scores: NDArray[np.floating], draws: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the AUC of k raters on `draws` bootstrap samples: the same samples for all, so that they can be compared.

    Good and bad documents are drawn apart (with replacement, as many as there are).

    Args:
        labels: (n,) true = good; there must be both.
        scores: (k, n).
        draws: number of samples.
        rng: draws them.

    Returns:
        (k, draws).
    """
    good, bad = np.flatnonzero(labels), np.flatnonzero(~labels)
    found = np.empty((len(scores), draws))
    # A sample is a count per document; a few at a time, so that memory stays flat for large sets.
    step = max(1, 2_000_000 // len(labels))
    for first in range(0, draws, step):
        many = min(step, draws - first)
        times = np.zeros((many, len(labels)))
        for side in (good, bad):
            times[:, side] = rng.multinomial(len(side), np.full(len(side), 1 / len(side)), size=many)
        for number, one in enumerate(scores):
            found[number, first : first + many] = _weighted(labels, one, times)
    return found


def _weighted(
    labels: NDArray[np.bool_], scores: NDArray[np.floating], times: NDArray[np.float64]
) -> NDArray[np.float64]:
    order = np.argsort(scores, kind="stable")
    sorted_scores = scores[order]
    ties = np.flatnonzero(np.r_[True, sorted_scores[1:] != sorted_scores[:-1]])
    good = np.add.reduceat(np.where(labels[order], times[:, order], 0.0), ties, axis=1)
    bad = np.add.reduceat(np.where(labels[order], 0.0, times[:, order]), ties, axis=1)
    below = np.cumsum(bad, axis=1) - bad
    return np.asarray((good * (below + bad / 2)).sum(axis=1) / (good.sum(axis=1) * bad.sum(axis=1)), np.float64)


def percentiles(draws: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % percentile interval of bootstrap draws."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)
