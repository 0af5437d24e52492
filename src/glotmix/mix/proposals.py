"""Which mixture to train a proxy on next: the one whose loss would teach most about where the optimum is."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.design import dirichlet
from glotmix.mix.limits import Box, nearest_rows
from glotmix.mix.solve import Goal


@cache
def _nodes() -> Array:
    from scipy.special import ndtri

    return np.asarray(ndtri((np.arange(64) + 0.5) / 64), np.float64)


_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Proposal:
    """A run that is worth making.

    Args:
        shares: its mixture, shape (m,).
        gain: how much less loss the best mixture is expected to have once it is known, in units of the objective.
    """

    shares: Array
    gain: float


def propose(
    goals: Sequence[Goal], candidates: Array, contenders: Array, noise: float, count: int
) -> tuple[Proposal, ...]:
    """Choose runs by their correlated knowledge gradient (Frazier, Powell and Dayanik 2009), one after another.

    The goals F_b stand for what might be true. With mean μ and covariance Σ over them, a run at c moves the
    objective of every contender k by `σ̃_k Z`, `σ̃_k = Σ_kc / √(Σ_cc + σ²)`, Z standard normal, so that its gain is
    `min_k μ_k − E min_k (μ_k + σ̃_k Z)`. After each choice the covariance is conditioned on it.

    Args:
        goals: what might be true.
        candidates: mixtures that could be run, shape (k, m).
        contenders: mixtures that may be the best, shape (c, m).
        noise: standard deviation σ of a run's objective around its law.
        count: runs to choose.
    """
    both = np.vstack([contenders, candidates])
    values = np.array([goal.value(both) for goal in goals])
    mean, off = values.mean(axis=0), values - values.mean(axis=0)
    covariance = off.T @ off / max(len(values) - 1, 1)
    c = len(contenders)
    chosen: list[Proposal] = []
    taken: list[int] = []
    for _ in range(count):
        spread = np.sqrt(np.maximum(covariance.diagonal()[c:], 0) + noise**2)
        moved = covariance[:c, c:] / np.maximum(spread, _TINY)
        after = (mean[:c, None, None] + moved[:, :, None] * _nodes()).min(axis=0).mean(axis=1)
        gain = mean[:c].min() - after
        # Where no run is expected to change the choice, the one that says most of the contenders.
        gain[taken] = -np.inf
        best = int(np.lexsort(((moved**2).sum(axis=0), gain.round(9)))[-1])
        taken.append(best)
        chosen.append(Proposal(candidates[best], float(max(gain[best], 0.0))))
        along = covariance[:, c + best]
        covariance = covariance - np.outer(along, along) / max(spread[best] ** 2, _TINY)
    return tuple(chosen)


def candidates(prior: Array, around: Array, within: Box, seed: int, count: int = 256) -> Array:
    """Return mixtures that could be run: half around a prior as RegMix draws them, half close around a mixture.

    Args:
        prior: shape (m,).
        around: shape (m,).
        within: where the optimum may be: a run outside says less of it.
        seed: of the draws.
        count: how many.
    """
    open_ = within.high > 0
    rng = np.random.default_rng(seed)
    wide = dirichlet(np.where(open_, np.maximum(prior, 1e-4), 1e-9), count // 2, seed)
    strengths = np.geomspace(5.0, 200.0, count - count // 2)
    close = np.array([rng.dirichlet(np.maximum(around * s, 0.02)) for s in strengths])
    drawn = np.maximum(np.vstack([wide, close]), _TINY) * open_
    return nearest_rows(drawn, within)
