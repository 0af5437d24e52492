"""Mixtures side by side, as laws fitted to runs see them: which is better, by how much, and whether one can tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.doubts import doubts
from glotmix.mix.law_fit import Choice
from glotmix.mix.limits import Box
from glotmix.mix.optimum import context_of
from glotmix.mix.repeats import Repeats
from glotmix.mix.runs import Runs
from glotmix.mix.solve import Goal
from glotmix.mix.transfer import Figure
from glotmix.mix.uncertainty import LEVEL, Gain, gains, not_told
from glotmix.mix.worlds import average, distinct, worlds


@dataclass(frozen=True)
class Compared:
    """Predicted losses of mixtures.

    Args:
        first: the mixture that the others are compared with.
        targets: what the runs measured.
        objective: the weighted mean loss of each mixture, by name.
        losses: each target's loss, by mixture.
        gains: how much less loss the first has than each other one.
        draws: bootstrap samples.
        doubts: what the runs cannot speak for, in sentences: if any, no gain counts as told apart.
    """

    first: str
    targets: tuple[str, ...]
    objective: Mapping[str, Figure]
    losses: Mapping[str, tuple[Figure, ...]]
    gains: tuple[Gain, ...]
    draws: int
    doubts: tuple[str, ...] = ()


def compare(
    runs: Runs,
    choices: Sequence[Choice],
    mixtures: Mapping[str, Array],
    weights: Array,
    unique: Array | None = None,
    draws: int = 100,
    seed: int = 0,
) -> Compared:
    """Compare mixtures by what a solved mixture's intervals come from: laws, draws of the runs, held-out differences.

    Args:
        runs: what the laws were fitted to.
        choices: a law per target.
        mixtures: shares in the order of the runs' domains, by name; the first is compared with the others.
        weights: importance of each target, shape (t,), summing to one.
        unique: unique tokens of each domain in units of the budget, shape (m,); None where nothing repeats.
        draws: bootstrap samples.
        seed: of the samples.
    """
    m = len(runs.domains)
    all_ = np.array(list(mixtures.values()))
    first = next(iter(mixtures))
    stock = np.full(m, np.inf) if unique is None else unique
    context = context_of(runs, stock)
    goal = Goal(
        laws=[average(choice, Repeats(stock, runs.repeats), context) for choice in choices],
        weights=weights,
        within=Box(np.zeros(m), np.ones(m)),
        repeats=Repeats(stock, runs.repeats),
        natural=all_[0],
    )
    point = goal.losses(all_)
    drawn = worlds(goal, runs, choices, all_[0], draws, seed, context=context, dosed=False)
    samples = drawn.losses(all_)
    others = {name: shares for name, shares in mixtures.items() if name != first}
    told = gains(drawn, all_[0], others, distinct(runs))
    doubted = doubts(runs, choices, weights)
    names = list(mixtures)
    return Compared(
        first=first,
        targets=runs.targets,
        objective={name: _figure(point[i] @ weights, samples[:, i] @ weights) for i, name in enumerate(names)},
        losses={
            name: tuple(_figure(point[i, t], samples[:, i, t]) for t in range(len(runs.targets)))
            for i, name in enumerate(names)
        },
        gains=tuple(not_told(g) if doubted else g for g in told),
        doubts=tuple(doubt.said for doubt in doubted),
        draws=draws,
    )


def _figure(value: float, samples: Array) -> Figure:
    low, high = np.quantile(samples, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Figure(float(value), float(low), float(high))
