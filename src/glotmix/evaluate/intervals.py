"""Intervals of 95 %: Wilson's for a plain share, the Bayesian bootstrap over items for everything made of several."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
LEVEL = 0.95
DRAWS = 1000
_BLOCK = 4096


def wilson(hits: npt.ArrayLike, n: npt.ArrayLike) -> tuple[Array, Array]:
    """Return the ends of Wilson's score interval of a share (Wilson 1927), elementwise.

    >>> [round(float(end), 4) for end in wilson(0, 20)]
    [0.0, 0.1611]
    """

    from scipy import stats

    hits, n = np.asarray(hits, float), np.asarray(n, float)
    z = float(stats.norm.ppf(0.5 + LEVEL / 2))
    share = hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def weights(n: int, draws: int, seed: int) -> Iterator[tuple[slice, npt.NDArray[np.float32]]]:
    """Yield blocks of items with their weights, (draws, items in the block): Rubin's Bayesian bootstrap (1981).

    The weights of an item are exponential; divided by their sum over all items they are a draw of the posterior of the
    population. They depend on the seed, n and the number of draws alone.
    """
    rng = np.random.default_rng([seed, n])
    for start in range(0, n, _BLOCK):
        size = min(_BLOCK, n - start)
        yield slice(start, start + size), rng.standard_exponential((draws, size), dtype=np.float32)


def between(draws: Array) -> tuple[Array, Array]:
    """Return the ends of the percentile interval of draws along their first axis; NaN where a draw is undefined."""
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(draws, [tail, 100 - tail], axis=0)
    return low, high
