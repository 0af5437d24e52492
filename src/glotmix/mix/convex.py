"""Where the laws make the problem convex: how far, at most, a mixture is from the best one there is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.laws import Law
from glotmix.mix.limits import nearest
from glotmix.mix.solve import Goal

_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Certificate:
    """A bound from below on the objective of every mixture within the limits.

    Args:
        shares: the best mixture that was met, shape (m,).
        value: its objective.
        lower: no mixture is below it.
        rounds: linear programmes that were solved.
    """

    shares: Array
    value: float
    lower: float
    rounds: int

    @property
    def gap(self) -> float:
        """How far the mixture is from the optimum at most, in units of the loss."""
        return max(self.value - self.lower, 0.0)


def convex(goal: Goal, kinds: Sequence[Law]) -> bool:
    """Whether the problem is convex: convex laws, the mean or the worst, and repeats that only discount what helps.

    A repeated share is worth a concave part of itself; a convex law stays convex in it only if more never harms.
    """
    if goal.quantile not in (None, 1.0) or not all(kind.convex for kind in kinds):
        return False
    repeating = goal.repeats.unique < np.minimum(goal.within.high, 1.0)
    slopes = goal.slopes(nearest(np.maximum(goal.natural, _TINY), goal.within))
    return slopes is not None and bool(np.all(slopes[:, repeating] <= 0))


def certify(goal: Goal, shares: Array, tolerance: float = 1e-3, rounds: int = 60) -> Certificate:
    """Bound a convex goal from below by linear programmes (Kelley 1960), and improve the mixture where it can be.

    Each convex loss lies above its tangents. The least mixture of all tangents so far is a lower bound; new tangents
    are laid between it and the best mixture known (Ben-Ameur and Neto 2007), until the gap is a part `tolerance` of
    what the best mixture gains over natural.

    Args:
        goal: a convex one: see `convex`.
        shares: a mixture to begin with, shape (m,).
        tolerance: part of the gain over natural at which it is content.
        rounds: linear programmes at most.
    """

    from scipy.optimize import linprog

    m, t = len(goal.natural), len(goal.laws)
    low, high = goal.within.low, goal.within.high
    natural = nearest(np.maximum(goal.natural, _TINY * (high > 0)), goal.within)
    rows, right = _limits(goal, m, t)
    best, value, lower = shares, float(goal.value(shares[None])[0]), -np.inf
    gain = max(float(goal.value(natural[None])[0]) - value, 1e-9)
    # Variables: shares, a bound on each target's loss, on the objective's loss, and on the anchor.
    weights = np.concatenate([np.zeros(m + t), [1.0, 1.0]])
    bounds = [*zip(low, high, strict=True), *[(None, None)] * t, (None, None), (0, None)]
    equal = np.concatenate([np.ones(m), np.zeros(t + 2)])[None]
    cuts, done = [shares, natural], 0
    while done < rounds and value - lower > tolerance * gain:
        done += 1
        for r in cuts:
            made = _tangents(goal, r, m, t)
            rows, right = np.vstack([rows, made[0]]), np.append(right, made[1])
        found = linprog(weights, A_ub=rows, b_ub=right, A_eq=equal, b_eq=[1.0], bounds=bounds, method="highs")
        if not found.success:
            break
        lower = max(lower, float(found.fun))
        tried = nearest(np.maximum(found.x[:m], _TINY * (high > 0)), goal.within)
        between = 0.5 * best + 0.5 * tried
        cuts = [between, tried]
        for r in cuts:
            now = float(goal.value(r[None])[0])
            if now < value:
                best, value = r, now
    return Certificate(best, value, lower, done)


def _limits(goal: Goal, m: int, t: int) -> tuple[Array, Array]:
    """Return rows `A x ≤ b` of groups and of the objective: the mean of the losses, or all of them."""
    rows, right = [], []
    for group in goal.within.groups:
        inside = np.zeros(m + t + 2)
        inside[group.members] = 1.0
        rows += [inside, -inside]
        right += [group.high, -group.low]
    if goal.quantile is None:
        mean = np.concatenate([np.zeros(m), goal.weights, [-1.0, 0.0]])
        rows.append(mean)
        right.append(0.0)
    else:
        for i in range(t):
            worst = np.zeros(m + t + 2)
            worst[m + i], worst[m + t] = 1.0, -1.0
            rows.append(worst)
            right.append(0.0)
    return np.array(rows), np.array(right)


def _tangents(goal: Goal, r: Array, m: int, t: int) -> tuple[Array, Array]:
    """Return rows that say: each loss, and the anchor, is above its tangent at a mixture."""
    slopes, losses = goal.slopes(r), goal.losses(r[None])[0]
    assert slopes is not None
    rows = np.zeros((t + (goal.anchor > 0), m + t + 2))
    rows[:t, :m] = slopes
    rows[np.arange(t), m + np.arange(t)] = -1.0
    right = slopes @ r - losses
    if goal.anchor > 0:
        slope = goal.anchor_slope(r)
        rows[t, :m], rows[t, -1] = slope, -1.0
        right = np.append(right, slope @ r - goal.anchor * goal.divergence(r[None])[0])
    return rows, right
