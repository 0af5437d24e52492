"""The best mixture under fitted laws and limits.

`min_r  F(L(r̃)) + κ KL(r ‖ natural)` over `low ≤ r ≤ high, Σ r = 1`, where r̃ is what the drawn shares are worth after
repeats, and F is the weighted mean of the losses or their q-quantile (q = 1: the worst). With gradients it is solved
directly (SLSQP, from several starts); with trees by sampling. Under the laws with a formula the mean and the worst are
convex problems, repeats and anchor included, so every start must end at the same optimum; it is reported if not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glotmix.mix.accounting import Array
from glotmix.mix.laws import Fitted, knows_budgets
from glotmix.mix.limits import Box, nearest, nearest_rows
from glotmix.mix.repeats import Repeats

_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Goal:
    """What is minimised.

    Args:
        laws: a fitted law per target; one that knows of budgets and repeats (`Scaled`) is asked about drawn shares.
        weights: importance of each target, shape (t,), summing to 1; used by the mean only.
        within: the bounds on the shares.
        repeats: what repeated data is worth.
        natural: the mixture that the anchor holds to, shape (m,).
        anchor: κ, in units of the loss; 0 for none. (Olmix uses 0.05–0.1.)
        quantile: None for the weighted mean, else q of the q-quantile of the targets' losses: 1 is the worst.
    """

    laws: Sequence[Fitted]
    weights: Array
    within: Box
    repeats: Repeats
    natural: Array
    anchor: float = 0.0
    quantile: float | None = None

    def losses(self, shares: Array) -> Array:
        """Predicted loss of every target: shape (k, m) → (k, t)."""
        worth = self.repeats.worth(shares)
        return np.column_stack([law.predict(shares if knows_budgets(law) else worth) for law in self.laws])

    def score(self, losses: Array) -> Array:
        """F: the mean or the quantile of losses, shape (k, t) → (k,)."""
        if self.quantile is None:
            mean: Array = losses @ self.weights
            return mean
        return np.asarray(np.sort(losses, axis=1)[:, self._rank()])

    def value(self, shares: Array) -> Array:
        """The whole objective, shape (k, m) → (k,)."""
        return self.score(self.losses(shares)) + self.anchor * self.divergence(shares)

    def slopes(self, shares: Array) -> Array | None:
        """∂loss/∂share of every target at one mixture: shape (m,) → (t, m); None if a law has no gradient."""
        worth, slope = self.repeats.worth(shares)[None], self.repeats.slope(shares)
        rows = []
        for law in self.laws:
            knows = knows_budgets(law)
            gradient = law.gradient(shares[None] if knows else worth)
            if gradient is None:
                return None
            rows.append(gradient[0] * (1.0 if knows else slope))
        return np.array(rows)

    def anchor_slope(self, shares: Array) -> Array:
        """∂(κ KL)/∂share, shape (m,) → (m,)."""
        on = self.natural > 0
        slope = np.zeros_like(shares)
        slope[on] = self.anchor * (np.log(np.maximum(shares[on], _TINY) / self.natural[on]) + 1)
        return slope

    def _rank(self) -> int:
        assert self.quantile is not None
        return max(int(np.ceil(self.quantile * len(self.laws))) - 1, 0)

    def divergence(self, shares: Array) -> Array:
        """KL(r ‖ natural) over the languages that have text, shape (k, m) → (k,)."""
        on = self.natural > 0
        r = np.maximum(shares[:, on], _TINY)
        divergence: Array = (r * np.log(r / self.natural[on])).sum(axis=1)
        return divergence


@dataclass(frozen=True, eq=False)
class Optimum:
    """A solved mixture.

    Args:
        shares: shape (m,).
        losses: predicted loss of every target there, shape (t,).
        value: the objective there.
        agree: how many of the starts ended within a thousandth of the best one's gain over the worst start.
        starts: how many there were.
    """

    shares: Array
    losses: Array
    value: float
    agree: int
    starts: int


def solve(goal: Goal, seed: int = 0, starts: int = 4, near: Array | None = None) -> Optimum:
    """Solve it.

    Args:
        goal: what is minimised, and where.
        seed: of the random starts, or of the samples.
        starts: how many, beside natural and the middle of the box.
        near: a mixture to start from instead of all others, shape (m,).
    """
    rng = np.random.default_rng(seed)
    begin = _starts(goal, rng, starts) if near is None else [nearest(np.maximum(near, _TINY), goal.within)]
    if goal.slopes(begin[0]) is None:
        found = [_sampled(goal, rng, begin)]
    elif goal.quantile is None:
        found = [_mean(goal, r) for r in begin]
    else:
        found = [_quantile(goal, r) for r in begin]
    values = goal.value(np.array(found))
    best = int(values.argmin())
    gained = float(goal.value(np.array(begin)).max() - values[best])
    return Optimum(
        shares=found[best],
        losses=goal.losses(found[best][None])[0],
        value=float(values[best]),
        agree=int(np.sum(values - values[best] <= 1e-3 * max(gained, _TINY))),
        starts=len(found),
    )


def _starts(goal: Goal, rng: np.random.Generator, count: int) -> list[Array]:
    m = len(goal.natural)
    open_ = (goal.within.high > 0).astype(np.float64)
    weights = [goal.natural + _TINY * open_, open_, *(rng.dirichlet(np.ones(m), count) * open_ + _TINY * open_)]
    return [nearest(w, goal.within) for w in weights]


def _mean(goal: Goal, start: Array) -> Array:
    def value(r: Array) -> float:
        return float(goal.value(r[None])[0])

    def slope(r: Array) -> Array:
        slopes = goal.slopes(r)
        assert slopes is not None
        return goal.weights @ slopes + goal.anchor_slope(r)

    return descend(value, slope, start, goal.within)


def descend(value: Callable[[Array], float], slope: Callable[[Array], Array], start: Array, within: Box) -> Array:
    """Minimise a smooth function of the shares within a box, from a start, by SLSQP with its slope."""
    return _slsqp(value, slope, start, within, [])


def _quantile(goal: Goal, start: Array) -> Array:
    """Least t with `L_i ≤ t` for the targets up to the quantile; which those are is settled by repetition."""
    r, before = start, np.inf
    for _ in range(20):
        order = np.argsort(goal.losses(r[None])[0], kind="stable")
        held = order[: goal._rank() + 1]
        t = float(goal.score(goal.losses(r[None]))[0])

        def value(x: Array) -> float:
            return float(x[-1] + goal.anchor * goal.divergence(x[None, :-1])[0])

        def slope(x: Array) -> Array:
            return np.append(goal.anchor_slope(x[:-1]), 1.0)

        def room(x: Array, held: NDArray[np.intp] = held) -> Array:
            return np.asarray(x[-1] - goal.losses(x[None, :-1])[0][held])

        def room_slope(x: Array, held: NDArray[np.intp] = held) -> Array:
            slopes = goal.slopes(x[:-1])
            assert slopes is not None
            return np.column_stack([-slopes[held], np.ones(len(held))])

        limits = [{"type": "ineq", "fun": room, "jac": room_slope}]
        box = Box(np.append(goal.within.low, -np.inf), np.append(goal.within.high, np.inf), goal.within.groups)
        found = nearest(np.maximum(_slsqp(value, slope, np.append(r, t), box, limits)[:-1], _TINY), goal.within)
        now = float(goal.value(found[None])[0])
        if now >= before - 1e-9:
            break
        r, before = found, now
    return r


def _slsqp(
    value: Callable[[Array], float],
    slope: Callable[[Array], Array],
    start: Array,
    within: Box,
    limits: list[dict[str, object]],
) -> Array:
    """Minimise over shares summing to one (a last variable beyond them, if the box has one, is free of that)."""

    from scipy.optimize import minimize

    summed = np.isfinite(within.low).astype(np.float64)
    one = {"type": "eq", "fun": lambda x: summed @ x - 1, "jac": lambda x: summed}
    found = minimize(
        value,
        start,
        jac=slope,
        bounds=list(zip(within.low, within.high, strict=True)),
        constraints=[one, *limits, *linear_limits(within, len(within.low))],
        method="SLSQP",
        options={"maxiter": 300, "ftol": 1e-11},
    ).x
    if limits:
        return np.asarray(found)
    return nearest(np.maximum(found, _TINY * (within.high > 0)), within)


def linear_limits(within: Box, width: int) -> list[dict[str, object]]:
    """Return the bounds on groups as SLSQP's constraints, over variables of which the first are the shares."""
    limits: list[dict[str, object]] = []
    for group in within.groups:
        inside = np.zeros(width)
        inside[group.members] = 1.0
        limits += [
            {"type": "ineq", "fun": lambda x, a=inside, b=group.low: a @ x - b, "jac": lambda x, a=inside: a},
            {"type": "ineq", "fun": lambda x, a=inside, b=group.high: b - a @ x, "jac": lambda x, a=inside: -a},
        ]
    return limits


def _sampled(goal: Goal, rng: np.random.Generator, begin: Sequence[Array], rounds: int = 8, size: int = 1024) -> Array:
    """Cross-entropy search: sample Dirichlet mixtures, keep the best 5 %, sample more narrowly around their mean.

    The mean of the best is returned, as RegMix does it: a single best point of a step function is an accident of the
    sample.
    """
    centre = np.mean(begin, axis=0)
    # The kept set of each round is the elite; a mean of mixtures within the box is within the box.
    pool = np.array(begin)
    for number in range(rounds):
        strength = 2.0 * 2.5**number
        drawn = rng.dirichlet(np.maximum(centre * strength, 0.05 / 2**number), size)
        drawn = nearest_rows(np.maximum(drawn, _TINY) * (goal.within.high > 0), goal.within)
        pool = np.vstack([pool, drawn])
        pool = pool[np.argsort(goal.value(pool), kind="stable")[: size // 20]]
        centre = pool.mean(axis=0)
    return nearest(np.maximum(centre, _TINY) * (goal.within.high > 0), goal.within)
