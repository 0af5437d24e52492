"""Which mixture to take: the least of what is expected, what is doubtful, and the way from what needs no proof."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.limits import Box, nearest
from glotmix.mix.solve import Goal, descend, solve
from glotmix.mix.worlds import Worlds

_TINY = 1e-12
_WORLD_TARGETS, _FEWEST = 1200, 12
"""Laws that a step of the solver asks, in all worlds and for all targets, and the fewest worlds."""
_STEPS = 20
"""Parts of the way from the prior to the best mixture, of which the proof is asked."""
_SMOOTH = 1e-8
"""Variance under the root: at the prior, where nothing is doubtful, a root has no slope."""


@dataclass(frozen=True, eq=False)
class Rule:
    """How a mixture is chosen.

    `min_r  mean_w g_w(r) + z sd_w g_w(r) + κ KL(r ‖ q)`, `g_w(r) = F_w(r) − F_w(q)` over the worlds w, within the
    limits and above a part of q. Where the 95 % interval of its gain is not above zero, only as much of the way from q
    to it is gone as has one that is; and where no part of the way has, q itself is taken.

    Args:
        prior: q, what is taken without proof, shape (m,).
        caution: z.
        pull: κ, in units of the loss.
        floor: part of q that every language keeps.
    """

    prior: Array
    caution: float = 0.5
    pull: float = 0.003
    floor: float = 0.005


@dataclass(frozen=True, eq=False)
class Chosen:
    """What the rule says.

    Args:
        best: the least of the rule.
        prior: q, within the limits.
        way: part of the way from the prior to `best` that is proven, and gone: 0 to 1.
        gain: expected gain over the prior of the mixture to take, with the ends of its 95 % interval; of `best` where
            the prior is taken.
        whole: expected gain of `best` over the prior.
    """

    best: Array
    prior: Array
    way: float
    gain: tuple[float, float, float]
    whole: float

    @property
    def proven(self) -> bool:
        """Whether the mixture to take is shown to be better than the prior."""
        return self.way > 0

    @property
    def shares(self) -> Array:
        """The mixture to take, shape (m,)."""
        return self.best if self.way == 1 else self.prior + self.way * (self.best - self.prior)

    @property
    def judged(self) -> Array:
        """The mixture that `gain` is of, shape (m,)."""
        return self.shares if self.proven else self.best


def floored(within: Box, rule: Rule) -> Box:
    """Raise the lower bounds to the rule's part of the prior, where the upper ones leave room."""
    low = np.maximum(within.low, np.minimum(rule.floor * rule.prior, within.high))
    return replace(within, low=low) if low.sum() <= 1 else within


def choose(worlds: Worlds, rule: Rule, seed: int = 0) -> Chosen:
    """Apply the rule: see `Rule`.

    An objective that is no mean (the worst language, a quantile) has no slope in its doubt: of these the least expected
    value with the pull is taken, and the proof asked as of a mean.

    Args:
        worlds: what might be true.
        rule: how.
        seed: of the random starts of an objective that is no mean.
    """
    within = floored(worlds.point.within, rule)
    q = nearest(np.maximum(rule.prior, _TINY * (within.high > 0)), within)
    pulled = replace(worlds.point, within=within, natural=q, anchor=rule.pull)
    if pulled.quantile is not None:
        solved = solve(pulled, seed)
        found, values = [solved.shares], [solved.value]
    else:
        value, slope = _objective(worlds, pulled, rule.caution)
        expected = solve(pulled, seed, near=q).shares
        found = [descend(value, slope, start, within) for start in (q, expected)]
        values = [value(r) for r in found]
    at = int(np.argmin(values))
    way, gain, whole = proven_way(worlds, q, found[at])
    return Chosen(found[at], q, way, gain, whole)


def proven_way(worlds: Worlds, start: Array, end: Array) -> tuple[float, tuple[float, float, float], float]:
    """Return how much of the way between two mixtures is proven to gain.

    Returns diminish and doubt does not: of a part of the way more of its gain is proven than of the whole.

    Args:
        worlds: what might be true.
        start: shape (m,).
        end: shape (m,).

    Returns:
        the largest part of the way, of twenty, whose gain over `start` has a 95 % interval above zero, 0 if none has;
        that gain with its interval, of all of the way if none has; the expected gain of all of the way.
    """
    ways = np.arange(_STEPS, 0, -1) / _STEPS
    lost, least, most = worlds.interval(start, start + ways[:, None] * (end - start))
    gains = np.column_stack([-lost, -most, -least])
    proven = np.flatnonzero(gains[:, 1] > 0)
    at, way = (int(proven[0]), float(ways[proven[0]])) if len(proven) else (0, 0.0)
    mean, low, high = map(float, gains[at])
    return way, (mean, low, high), float(gains[0, 0])


def _objective(
    worlds: Worlds, pulled: Goal, caution: float
) -> tuple[Callable[[Array], float], Callable[[Array], Array]]:
    """Return the objective relative to the prior, and its slope."""
    q = pulled.natural
    # Of many targets some of the worlds say how doubtful a direction is; the interval asks all.
    few = replace(worlds, goals=worlds.goals[: max(_WORLD_TARGETS // len(pulled.laws), _FEWEST)])
    at_q = few.scores(q[None])[:, 0]
    start = float(pulled.value(q[None])[0])

    def doubt(r: Array) -> tuple[Array, float]:
        off = few.scores(r[None])[:, 0] - at_q
        off = off - off.mean()
        return off, float(np.sqrt((off**2).mean() + _SMOOTH))

    def value(r: Array) -> float:
        return float(pulled.value(r[None])[0]) - start + caution * doubt(r)[1]

    def slope(r: Array) -> Array:
        slopes = pulled.slopes(r)
        assert slopes is not None
        total = pulled.weights @ slopes + pulled.anchor_slope(r)
        if caution > 0:
            off, sd = doubt(r)
            for each, goal in zip(off, few.goals, strict=True):
                slopes = goal.slopes(r)
                assert slopes is not None
                total += caution * each / (len(off) * sd) * (goal.weights @ slopes)
        return np.asarray(total)

    return value, slope
