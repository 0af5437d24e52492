"""How sure a mixture is: the runs are drawn anew, the laws refitted, the mixture solved again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glotmix.mix.accounting import Array
from glotmix.mix.fit import Choice, fit
from glotmix.mix.laws import Context, Fitted, PowerLaw, Scaled
from glotmix.mix.runs import Runs
from glotmix.mix.solve import Goal, Optimum, solve

LEVEL = 0.95
_ENDS = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
_HOPELESS = 64
"""Times the runs there are: more than that is not counted as a number of runs that would tell two mixtures apart."""


@dataclass(frozen=True)
class Gain:
    """How much less loss the chosen mixture is predicted to have than another.

    Args:
        over: the other mixture's name.
        gain: its objective less the chosen one's (mean or quantile of the losses, without the anchor).
        low: lower end of the 95 % interval; None without a bootstrap.
        high: upper end.
        told_apart: whether the interval lies on one side of zero; None without a bootstrap.
        runs_needed: about how many mixtures would tell the two apart if the gain is what it seems, as intervals shrink
            with the root of their number; None where they are told apart or no number of runs is likely to do it.
    """

    over: str
    gain: float
    low: float | None
    high: float | None
    told_apart: bool | None
    runs_needed: int | None = None


@dataclass(frozen=True, eq=False)
class Interval:
    """95 % percentile intervals over `draws` bootstrap samples of the runs.

    `low` and `high` bound each share, shape (m,); `gains` are of the chosen mixture, held fixed, over each other one.
    """

    low: Array
    high: Array
    gains: tuple[Gain, ...]
    draws: int


@dataclass(frozen=True, eq=False)
class Ensemble:
    """What might have been found had other runs been made.

    Args:
        goals: the goal with the laws of each draw.
        shares: its optimum, shape (draws, m).
        dosed: for each draw and target a law of the form `E + B r̃^−β`: the chosen one, where it has that form.
    """

    goals: tuple[Goal, ...]
    shares: Array
    dosed: tuple[tuple[PowerLaw, ...], ...]


def not_told(gain: Gain) -> Gain:
    """Return a gain that was asked about as one that tells nothing apart."""
    return gain if gain.told_apart is None else replace(gain, told_apart=False, runs_needed=None)


def gains(goal: Goal, chosen: Array, others: Mapping[str, Array]) -> Array:
    """Predicted gain of a mixture over each other one, shape (len(others),)."""
    scores = goal.score(goal.losses(np.array([chosen, *others.values()])))
    return np.asarray(scores[1:] - scores[0])


def ensemble(
    goal: Goal,
    optimum: Optimum,
    runs: Runs,
    choices: Sequence[Choice],
    draws: int,
    seed: int = 0,
    mixtures: int | None = None,
    context: Context | None = None,
) -> Ensemble:
    """Draw the mixtures of the runs with replacement, refit every chosen law, and solve again.

    Runs that share a mixture are drawn together; runs of one language alone are in every draw, for a law of a language
    alone needs all of its budgets. The choice of law is kept, so what an interval leaves out is the doubt about the law
    itself, and whether small proxies speak for the model to be trained; it is too narrow by that.

    Args:
        goal: the solved problem.
        optimum: its solution.
        runs: what the laws were fitted to.
        choices: the chosen laws, in the order of `goal.laws`.
        draws: bootstrap samples.
        seed: of the samples.
        mixtures: how many to draw; by default as many as there are.
        context: what laws that know of budgets are asked about; None for the runs' main scale.
    """
    rng = np.random.default_rng(seed)
    groups, kept = _drawable(runs)
    size = mixtures or len(groups)
    goals, shares, dosed = [], [], []
    for _ in range(draws):
        rows = np.concatenate([kept, *(groups[i] for i in rng.integers(0, len(groups), size))])
        sample = runs.take(rows)
        found = [at(fit(sample, c.target, c.law, seed, c.fitted), context) for c in choices]
        again = replace(goal, laws=found)
        goals.append(again)
        shares.append(solve(again, seed, near=optimum.shares).shares)
        dosed.append(tuple(
            mine if isinstance(mine, PowerLaw) else _dosed(fit(sample, c.target, c.speaker, seed, c.spoken))
            for mine, c in zip(found, choices, strict=True)
        ))  # fmt: skip
    return Ensemble(tuple(goals), np.array(shares), tuple(dosed))


def at(fitted: Fitted, context: Context | None) -> Fitted:
    """Return a law at a budget, size and stock, if it knows of them."""
    return fitted.at(context) if context is not None and isinstance(fitted, Scaled) else fitted


def interval(goal: Goal, optimum: Optimum, drawn: Ensemble, others: Mapping[str, Array], mixtures: int) -> Interval:
    """Summarise an ensemble.

    Args:
        goal: the solved problem.
        optimum: its solution.
        drawn: its ensemble.
        others: mixtures to compare with, by name, shape (m,) each.
        mixtures: how many distinct mixtures the runs hold.
    """
    low, high = np.quantile(drawn.shares, _ENDS, axis=0)
    won = np.array([gains(again, optimum.shares, others) for again in drawn.goals])
    least, most = np.quantile(won, _ENDS, axis=0)
    point = gains(goal, optimum.shares, others)
    told = []
    for i, name in enumerate(others):
        apart = bool(least[i] > 0 or most[i] < 0)
        needed = None if apart else _needed(float(point[i]), float(least[i]), float(most[i]), mixtures)
        told.append(Gain(name, float(point[i]), float(least[i]), float(most[i]), apart, needed))
    return Interval(low, high, tuple(told), len(drawn.goals))


def bootstrap(
    goal: Goal,
    optimum: Optimum,
    runs: Runs,
    choices: Sequence[Choice],
    others: Mapping[str, Array],
    draws: int = 100,
    seed: int = 0,
) -> Interval:
    """Return the intervals of a solved problem: `ensemble`, then `interval`."""
    drawn = ensemble(goal, optimum, runs, choices, draws, seed)
    return interval(goal, optimum, drawn, others, distinct(runs))


@dataclass(frozen=True)
class Width:
    """How wide the intervals are with so many mixtures.

    Args:
        mixtures: distinct mixtures.
        share: mean width of the intervals of the shares.
        measured: whether it comes from draws of so many runs, or is carried on from them.
    """

    mixtures: int
    share: float
    measured: bool


def shrinkage(
    goal: Goal,
    optimum: Optimum,
    runs: Runs,
    choices: Sequence[Choice],
    drawn: Ensemble,
    draws: int = 30,
    seed: int = 0,
    context: Context | None = None,
) -> tuple[Width, ...]:
    """Say how the intervals shrink with more runs: measured at half, 0.71 of and all mixtures, carried on to 2 and 4.

    Draws of fewer mixtures than there are tell what so many would have told; a line through the logarithms carries on,
    no steeper than the root of the number and never rising.
    """
    n = distinct(runs)
    sizes = sorted({max(n // 2, 4), max(round(n * 0.71), 4)} - {n})
    widths = [
        (size, _width(ensemble(goal, optimum, runs, choices, draws, seed + 1 + i, size, context).shares))
        for i, size in enumerate(sizes)
    ]
    widths.append((n, _width(drawn.shares[:draws])))
    measured = [Width(size, width, True) for size, width in widths]
    logs = np.log([[size, max(width, 1e-9)] for size, width in widths])
    slope = float(np.clip(np.polyfit(logs[:, 0], logs[:, 1], 1)[0], -0.5, 0.0)) if len(logs) > 1 else -0.5
    return (*measured, *(Width(n * k, widths[-1][1] * k**slope, False) for k in (2, 4)))


def distinct(runs: Runs) -> int:
    """Count the distinct mixtures that a bootstrap draws from."""
    return len(_drawable(runs)[0])


def _drawable(runs: Runs) -> tuple[list[NDArray[np.intp]], NDArray[np.intp]]:
    """Return the rows of each mixture, and the rows that are in every draw."""
    groups = runs.groups()
    alone = runs.shares.max(axis=1) > 1 - 1e-9 if runs.tokens is not None else np.zeros(len(runs), dtype=bool)
    members = [np.flatnonzero(groups == g) for g in np.unique(groups[~alone])]
    return members, np.flatnonzero(alone)


def _dosed(fitted: Fitted) -> PowerLaw:
    assert isinstance(fitted, PowerLaw)
    return fitted


def _width(shares: Array) -> float:
    low, high = np.quantile(shares, _ENDS, axis=0)
    return float((high - low).mean())


def _needed(gain: float, low: float, high: float, mixtures: int) -> int | None:
    half = gain - low if gain > 0 else high - gain
    if gain == 0 or half > np.sqrt(_HOPELESS) * abs(gain):
        return None
    return int(np.ceil(mixtures * (half / gain) ** 2)) + 1
