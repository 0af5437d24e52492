"""How sure a mixture is: the runs are drawn anew, the laws refitted, the mixture solved again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.fit import Choice, fit
from glotmix.mix.runs import Runs
from glotmix.mix.solve import Goal, Optimum, solve

LEVEL = 0.95


@dataclass(frozen=True)
class Gain:
    """How much less loss the chosen mixture is predicted to have than another.

    Args:
        over: the other mixture's name.
        gain: its objective less the chosen one's (mean or quantile of the losses, without the anchor).
        low: lower end of the 95 % interval; None without a bootstrap.
        high: upper end.
        told_apart: whether the interval lies on one side of zero; None without a bootstrap.
    """

    over: str
    gain: float
    low: float | None
    high: float | None
    told_apart: bool | None


@dataclass(frozen=True, eq=False)
class Interval:
    """95 % percentile intervals over `draws` bootstrap samples of the runs.

    `low` and `high` bound each share, shape (m,); `gains` are of the chosen mixture, held fixed, over each other one.
    """

    low: Array
    high: Array
    gains: tuple[Gain, ...]
    draws: int


def gains(goal: Goal, chosen: Array, others: Mapping[str, Array]) -> Array:
    """Predicted gain of a mixture over each other one, shape (len(others),)."""
    scores = goal.score(goal.losses(np.array([chosen, *others.values()])))
    return np.asarray(scores[1:] - scores[0])


def bootstrap(
    goal: Goal,
    optimum: Optimum,
    runs: Runs,
    choices: Sequence[Choice],
    others: Mapping[str, Array],
    draws: int = 100,
    seed: int = 0,
) -> Interval:
    """Draw the mixtures of the runs with replacement, refit every chosen law, and solve again.

    Runs that share a mixture are drawn together. The choice of law is kept, so what an interval leaves out is the
    doubt about the law itself, and whether small proxies speak for the model to be trained; it is too narrow by that.

    Args:
        goal: the solved problem.
        optimum: its solution.
        runs: what the laws were fitted to.
        choices: the chosen laws, in the order of `goal.laws`.
        others: mixtures to compare with, by name, shape (m,) each.
        draws: bootstrap samples.
        seed: of the samples.
    """
    rng = np.random.default_rng(seed)
    groups = runs.groups()
    members = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    shares, won = [], []
    for _ in range(draws):
        rows = np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))])
        sample = runs.take(rows)
        again = replace(goal, laws=[fit(sample, c.target, c.law, seed, c.fitted) for c in choices])
        shares.append(solve(again, seed, near=optimum.shares).shares)
        won.append(gains(again, optimum.shares, others))
    ends = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    low, high = np.quantile(shares, ends, axis=0)
    least, most = np.quantile(won, ends, axis=0)
    point = gains(goal, optimum.shares, others)
    told = tuple(
        Gain(name, float(point[i]), float(least[i]), float(most[i]), bool(least[i] > 0 or most[i] < 0))
        for i, name in enumerate(others)
    )
    return Interval(low, high, told, draws)
