"""How far raters agree, per language: Kendall's τ between two, Krippendorff's α among all; with intervals.

Low agreement is no fault of itself: raters that measure different things are worth joining. It says how much the
joined score can mean.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from glotmix.core.errors import RequestError

Floats: TypeAlias = NDArray[np.float64]
Level: TypeAlias = Literal["nominal", "ordinal", "interval"]

MOST = 4_000
"""Documents of a language that τ is measured on: its interval takes every pair of them."""


@dataclass(frozen=True)
class Agreement:
    """A coefficient with its 95 % interval over n documents; None where it cannot be measured."""

    value: float | None
    low: float | None
    high: float | None
    n: int


def kendall(x: Floats, y: Floats) -> Agreement:
    """Return Kendall's τ-b of two raters and its jackknife interval over documents.

    τ_b = Σ sign(x_i − x_j) sign(y_i − y_j) / √(Σ sign(x_i − x_j)² · Σ sign(y_i − y_j)²) over all pairs (Kendall 1945).
    Leaving document i out takes its own row and column from each sum, so the jackknife is exact and costs one pass.

    Args:
        x: (n,) values; NaN is missing.
        y: (n,) values of the other.

    >>> kendall(np.arange(5.0), np.array([0.0, 1, 2, 4, 3])).value
    0.8
    """

    from scipy.stats import rankdata

    both = ~(np.isnan(x) | np.isnan(y))
    x, y = rankdata(x[both], "dense"), rankdata(y[both], "dense")
    n = len(x)
    rows = np.zeros((3, n))
    step = max(1, 4_000_000 // max(n, 1))
    for first in range(0, n, step):
        part = slice(first, first + step)
        of_x, of_y = np.sign(x[part, None] - x), np.sign(y[part, None] - y)
        rows[:, part] = (of_x * of_y).sum(axis=1), np.abs(of_x).sum(axis=1), np.abs(of_y).sum(axis=1)
    together, in_x, in_y = rows.sum(axis=1)
    if n < 3 or in_x == 0 or in_y == 0:
        return Agreement(None, None, None, n)
    value = float(together / np.sqrt(in_x * in_y))
    left = rows.sum(axis=1)[:, None] - 2 * rows
    scale = np.sqrt(left[1] * left[2])
    without = np.divide(left[0], scale, out=np.full(n, value), where=scale > 0)
    reach = 1.96 * float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))
    return Agreement(value, max(-1.0, value - reach), min(1.0, value + reach), n)


def krippendorff(values: Floats, level: Level, draws: int = 1_000, seed: int = 0) -> Agreement:
    """Return Krippendorff's α among k raters and its bootstrap interval over units.

    α = 1 − D_o / D_e, with coincidences o_ck = Σ_u (pairs c, k in u) / (m_u − 1), D_o = Σ o_ck δ²_ck / n and
    D_e = Σ n_c n_k δ²_ck / (n (n − 1)); δ² is 1 for unlike values (nominal), (c − k)² (interval), or
    (Σ_{g=c..k} n_g − (n_c + n_k) / 2)² (ordinal). Krippendorff 2011, "Computing Krippendorff's alpha-reliability".

    Units with fewer than two values count for nothing. Where all values are equal there is no α.

    Args:
        values: (units, k); NaN is missing.
        level: of measurement. ``interval`` takes any numbers; the others take at most 64 different ones.
        draws: bootstrap samples of units.
        seed: of the draws.
    """
    known = ~np.isnan(values)
    units = known.sum(axis=1) > 1
    values, known = values[units], known[units]
    n = len(values)
    if n < 2:
        return Agreement(None, None, None, n)
    measure = _interval if level == "interval" else _by_category
    parts = measure(values, known)
    value = _alpha(parts, np.ones((1, n)), level)[0]
    if np.isnan(value):
        return Agreement(None, None, None, n)
    rng = np.random.default_rng(seed)
    drawn = []
    step = max(1, 4_000_000 // n)
    for first in range(0, draws, step):
        times = rng.multinomial(n, np.full(n, 1 / n), size=min(step, draws - first)).astype(float)
        drawn.append(_alpha(parts, times, level))
    found = np.concatenate(drawn)
    found = found[~np.isnan(found)]
    low, high = np.quantile(found, [0.025, 0.975]).tolist() if len(found) else (None, None)
    return Agreement(float(value), low, high, n)


def _interval(values: Floats, known: NDArray[np.bool_]) -> Floats:
    """Return (units, 4): disagreement within, number, sum and sum of squares of values."""
    # Values far from 0 would lose their digits in the difference of two large sums.
    x = np.where(known, values - values[known].mean(), 0.0)
    number, total, squares = known.sum(axis=1), x.sum(axis=1), (x**2).sum(axis=1)
    # Σ_{i≠j} (x_i − x_j)² = 2 (m Σ x² − (Σ x)²)
    within = 2 * (number * squares - total**2) / (number - 1)
    return np.stack([within, number, total, squares], axis=1)


def _by_category(values: Floats, known: NDArray[np.bool_]) -> Floats:
    """Return (units, c²) coincidences of categories."""
    names, inverse = np.unique(values[known], return_inverse=True)
    if len(names) > 64:
        raise RequestError(f"{len(names)} different values are no categories", "rank them, and take them as intervals")
    count = np.zeros((len(values), len(names)))
    np.add.at(count, (np.nonzero(known)[0], inverse), 1)
    pairs = count[:, :, None] * count[:, None, :]
    pairs[:, np.arange(len(names)), np.arange(len(names))] -= count
    return np.asarray((pairs / (known.sum(axis=1) - 1)[:, None, None]).reshape(len(values), -1))


def _alpha(parts: Floats, times: Floats, level: Level) -> Floats:
    """Return (draws,) α where each unit counts as often as `times` (draws, units) says; NaN for no variation."""
    sums = times @ parts
    if level == "interval":
        within, number, total, squares = sums.T
        with np.errstate(divide="ignore", invalid="ignore"):
            observed, expected = within / number, 2 * (number * squares - total**2) / (number * (number - 1))
    else:
        size = round(np.sqrt(parts.shape[1]))
        together = sums.reshape(-1, size, size)
        marginal = together.sum(axis=2)
        number = marginal.sum(axis=1)
        if level == "nominal":
            apart = np.broadcast_to(1 - np.eye(size), together.shape)
        else:
            upto = np.cumsum(marginal, axis=1) - marginal / 2
            apart = (upto[:, :, None] - upto[:, None, :]) ** 2
        observed = (together * apart).sum(axis=(1, 2)) / number
        expected = (marginal[:, :, None] * marginal[:, None, :] * apart).sum(axis=(1, 2)) / (number * (number - 1))
    found: Floats = np.divide(expected - observed, expected, out=np.full(len(sums), np.nan), where=expected > 1e-12)
    return found


def by_language(
    values: Floats, names: tuple[str, ...], langs: NDArray[np.object_], draws: int = 1_000, seed: int = 0
) -> dict[str, Any]:
    """Return the agreement of rater columns in each language.

    Raters have scales of their own. So α is taken of their ranks within the language, from 0 to 1, as interval data:
    1 where all rank alike, 0 for chance, negative where some rank in reverse.

    Args:
        values: (n, k), a higher value for a better document; NaN is missing.
        names: k raters.
        langs: (n,) languages.
        draws: bootstrap samples.
        seed: of the draws, and of the choice of documents where a language has more than `MOST`.

    Returns:
        language → ``{"documents", "alpha": Agreement, "tau": {"a × b": Agreement}}`` as plain data.
    """

    from scipy.stats import rankdata

    found: dict[str, Any] = {}
    for number, lang in enumerate(sorted(set(langs.tolist()))):
        rows = np.flatnonzero(langs == lang)
        if len(rows) > MOST:
            rows = np.sort(np.random.default_rng([seed, number]).choice(rows, MOST, replace=False))
        mine = values[rows]
        ranks = np.full_like(mine, np.nan)
        for column in range(mine.shape[1]):
            known = ~np.isnan(mine[:, column])
            if known.any():
                ranks[known, column] = (rankdata(mine[known, column]) - 0.5) / known.sum()
        pairs = [(a, b) for a in range(len(names)) for b in range(a + 1, len(names))]
        found[lang] = {
            "documents": len(rows),
            "alpha": asdict(krippendorff(ranks, "interval", draws, seed)),
            "tau": {f"{names[a]} × {names[b]}": asdict(kendall(mine[:, a], mine[:, b])) for a, b in pairs},
        }
    return found
