"""Climb's way to the optimum: first the direction, then how far one gets along it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glotmix.mix.accounting import Array
from glotmix.mix.laws import PowerLaw, knows_budgets
from glotmix.mix.limits import nearest
from glotmix.mix.solve import Goal, linear_limits

_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class TwoStep:
    """What the two steps end at.

    Args:
        shares: shape (m,).
        direction: p, the effective ratio wanted of every target, shape (t,), summing to one.
        magnitude: s, the largest scale with `r̃(r) ≥ s p`.
        value: the goal's objective there.
    """

    shares: Array
    direction: Array
    magnitude: float
    value: float


def two_step(goal: Goal, laws: Sequence[PowerLaw], own: Sequence[int | None]) -> TwoStep:
    """Solve it in Climb's two steps (arXiv 2509.15556, a **reconstruction**), within the goal's bounds.

    Direction: the effective ratios of equal marginal benefit, `r̃_i ∝ (w_i β_i B_i / λ)^(1/(1+β_i))`. Magnitude:
    `max s` with `r̃_i(r) ≥ s p_i`, a linear programme where r̃ is linear and nothing repeats. As the direction depends on
    how large the ratios can be, both are repeated until s stands still. A language that has all the share it may (the
    paper has no such caps) keeps it, and the others go on without it. The steps ignore that a token of a donor counts
    for several languages at once, so the answer is exact only where all donate alike; anchor and quantile are not
    known to them.

    Args:
        goal: bounds, weights and repeats; `value` is its objective.
        laws: a law of the form `E + B r̃^−β` for every target, in their order.
        own: the position of each target's own language among the shares, if it is one.
    """
    powers = np.array([law.power() for law in laws])
    scale, beta = powers[:, 1], powers[:, 2]
    m, heard = len(goal.natural), goal.weights > 0
    shares = nearest(np.maximum((goal.within.high > 0) / m, _TINY * (goal.within.high > 0)), goal.within)
    direction, s, within = np.full(len(laws), 1 / len(laws)), 1.0, goal.within
    for _ in range(len(laws)):
        for _ in range(30):
            direction = _direction(goal.weights * heard, scale, beta, s)
            shares, now = _magnitude(replace(goal, within=within), laws, direction, heard, shares)
            still, s = abs(now - s) <= 1e-5 * s, now
            if still:
                break
        full = heard & _at_most(goal, own, shares)
        if not full.any() or not (heard & ~full).any():
            break
        heard &= ~full
        held = [i for i, is_full in zip(own, full, strict=True) if is_full and i is not None]
        low = within.low.copy()
        low[held] = within.high[held]
        within = replace(within, low=low)
    return TwoStep(shares, direction, s, float(goal.value(shares[None])[0]))


def _at_most(goal: Goal, own: Sequence[int | None], shares: Array) -> NDArray[np.bool_]:
    """Say which targets are languages that have all the share they may."""
    high = goal.within.high
    return np.array([i is not None and high[i] < 1 and shares[i] >= high[i] - 1e-6 for i in own])


def _direction(weights: Array, scale: Array, beta: Array, total: float) -> Array:
    """Return p of the ratios of equal marginal benefit that sum to `total`, by halving ln λ."""
    on = weights > 0
    gain = np.log(np.where(on, weights * beta * scale, 1.0))

    def ratios(ln_price: float) -> Array:
        return np.where(on, np.exp((gain - ln_price) / (1 + beta)), 0.0)

    low, high = float(gain[on].min()) - 60.0, float(gain[on].max()) + 60.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if ratios(middle).sum() > total else (low, middle)
    found = ratios(high)
    direction: Array = found / found.sum()
    return direction


def _magnitude(
    goal: Goal, laws: Sequence[PowerLaw], direction: Array, heard: NDArray[np.bool_], start: Array
) -> tuple[Array, float]:
    """`max s, r̃(r) ≥ s p, Σ r = 1`, within the bounds."""

    from scipy.optimize import minimize

    on = [i for i in range(len(laws)) if heard[i]]
    wanted = direction[on]

    def ratios(r: Array) -> Array:
        worth = goal.repeats.worth(r)[None]
        return np.array([laws[i].ratio(r[None] if knows_budgets(laws[i]) else worth)[0] for i in on])

    def slopes(r: Array) -> Array:
        worth, slope = goal.repeats.worth(r)[None], goal.repeats.slope(r)
        rows = [
            laws[i].ratio_slope(r[None])[0] if knows_budgets(laws[i]) else laws[i].ratio_slope(worth)[0] * slope
            for i in on
        ]
        return np.array(rows)

    m = len(start)
    limits = [
        {"type": "ineq", "fun": lambda x: ratios(x[:m]) - x[m] * wanted,
         "jac": lambda x: np.column_stack([slopes(x[:m]), -wanted])},
        {"type": "eq", "fun": lambda x: x[:m].sum() - 1, "jac": lambda x: np.append(np.ones(m), 0.0)},
        *linear_limits(goal.within, m + 1),
    ]  # fmt: skip
    first = float((ratios(start) / wanted).min())
    found = minimize(
        lambda x: -x[m],
        np.append(start, first),
        jac=lambda x: np.append(np.zeros(m), -1.0),
        bounds=[*zip(goal.within.low, goal.within.high, strict=True), (0, None)],
        constraints=limits,
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-12},
    ).x
    shares = nearest(np.maximum(found[:m], _TINY * (goal.within.high > 0)), goal.within)
    return shares, float((ratios(shares) / wanted).min())
