"""How often the true difference of two mixtures lies in the interval that `glotmix mix` gives: for regmix and swarm."""

from collections.abc import Sequence

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.law_fit import choose
from glotmix.mix.limits import Box
from glotmix.mix.repeats import Repeats
from glotmix.mix.runs import Runs
from glotmix.mix.solve import Goal
from glotmix.mix.worlds import Worlds, worlds


def fitted(runs: Runs, laws: Sequence[str], draws: int = 24, seed: int = 0) -> Worlds:
    """Return what might be true of the mean loss of all targets, by laws that choose."""
    choices = [choose(runs, target, laws) for target in runs.targets]
    m, t, prior = len(runs.domains), len(runs.targets), runs.shares.mean(axis=0)
    goal = Goal([], np.full(t, 1 / t), Box(np.zeros(m), np.ones(m)), Repeats(np.full(m, np.inf)), prior)
    return worlds(goal, runs, choices, prior, draws, seed, dosed=False)


def covered(drawn: Worlds, shares: Array, measured: Array, seed: int, pairs: int = 200) -> tuple[float, float, int]:
    """Return the part of pairs of unseen mixtures whose difference is in its interval, its mean width, and the pairs.

    Args:
        drawn: see `fitted`.
        shares: of the mixtures, shape (n, m).
        measured: their mean losses, shape (n,).
        seed: of the pairs.
        pairs: how many.
    """
    rng = np.random.default_rng([7, seed])
    inside, widths = [], []
    for _ in range(pairs):
        one, other = rng.choice(len(shares), 2, replace=False)
        if np.allclose(shares[one], shares[other]):
            continue
        _, (low,), (high,) = drawn.interval(shares[one], shares[[other]])
        inside.append(low <= measured[other] - measured[one] <= high)
        widths.append(high - low)
    return float(np.mean(inside)), float(np.mean(widths)), len(inside)
