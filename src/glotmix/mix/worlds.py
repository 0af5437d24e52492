"""What might be true, given the runs: laws, each as often as it predicts well, fitted to runs drawn anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glotmix.core import flight
from glotmix.core.errors import RequestError
from glotmix.mix.accounting import Array
from glotmix.mix.law_fit import Choice, fit, judged_on
from glotmix.mix.laws import Context, Fitted, PowerLaw, knows_budgets, law
from glotmix.mix.repeats import Repeats
from glotmix.mix.runs import Runs
from glotmix.mix.solve import Goal, solve

SURE = 1.96
"""Standard deviations of a two-sided interval of 95 %."""
_SHRINKS, _WIDENS = 0.25, 0.2
"""Per tenfold size of the model: how a difference may shrink, in powers of ten, and how its interval widens.

Chosen on RegMix's runs: what models of 1M say of a difference is 0.8 of it at 60M and 0.3 at 1B.
"""
_PLACES = 16
"""Worlds without draws: weights of laws are kept to a sixteenth."""
_NEAR = 0.67
_SEEDS = 3
"""Further seeds of mixtures from which on the noise between them counts as measured."""
_LEAST_MISS = 0.1
"""Part of the squared errors of held-out differences that is never taken for noise."""
_CLIPPED = (0.05, 0.95)
"""Held-out errors beyond these quantiles count as these: a run that starved a language says nothing near the answer."""


@dataclass(frozen=True, eq=False)
class Average:
    """The mean of several fitted laws, at drawn shares (`Scaled`): what repeats are worth is counted within."""

    laws: Sequence[Fitted]
    weights: Sequence[float]
    repeats: Repeats

    def predict(self, shares: Array) -> Array:
        """See `Fitted`."""
        worth = self.repeats.worth(shares)
        each = [by.predict(shares if knows_budgets(by) else worth) for by in self.laws]
        mean: Array = np.asarray(self.weights) @ np.array(each)
        return mean

    def gradient(self, shares: Array) -> Array | None:
        """See `Fitted`."""
        worth, slope = self.repeats.worth(shares), self.repeats.slope(shares)
        mean = np.zeros_like(shares)
        for by, weight in zip(self.laws, self.weights, strict=True):
            knows = knows_budgets(by)
            gradient = by.gradient(shares if knows else worth)
            if gradient is None:
                return None
            mean += weight * (gradient if knows else gradient * slope)
        return mean

    def at(self, context: Context) -> "Average":
        """See `Scaled`."""
        return replace(self, laws=[by.at(context) if knows_budgets(by) else by for by in self.laws])


@dataclass(frozen=True, eq=False)
class Worlds:
    """Goals that might be the true one, all as likely.

    Args:
        point: the goal with the averaged laws, fitted to all runs: what is expected.
        goals: the goal with the laws of each world.
        dosed: for each and each target a law of the form `E + B r̃^−β`; empty where there are none.
        slack: s of the discrepancy: two mixtures apart by a Hellinger distance d differ by s·d more or less than any
            of these laws says (one standard deviation), as held-out mixtures did.
        decades: how many times tenfold the model to be is larger, or smaller, than the proxies.
    """

    point: Goal
    goals: tuple[Goal, ...]
    dosed: tuple[tuple[PowerLaw, ...], ...]
    slack: float
    decades: float = 0.0

    def losses(self, shares: Array) -> Array:
        """Predicted loss of every target in every world: shape (k, m) → (worlds, k, t)."""
        return np.array([goal.losses(shares) for goal in self.goals])

    def scores(self, shares: Array) -> Array:
        """The objective's loss, without an anchor: shape (k, m) → (worlds, k)."""
        return np.array([goal.score(goal.losses(shares)) for goal in self.goals])

    def doubt(self, shares: Array, other: Array) -> Array:
        """Standard deviation of what no law knows of the difference of mixtures: (k, m), (m,) → (k,)."""
        return self.slack * hellinger(shares, other)

    def gain(self, chosen: Array, others: Array) -> tuple[Array, Array]:
        """Expected gain of a mixture over others and its standard deviation: (m,), (k, m) → (k,), (k,)."""
        both = np.vstack([chosen, others])
        expected, scores = self.point.score(self.point.losses(both)), self.scores(both)
        spread = (scores[:, 1:] - scores[:, :1]).var(axis=0)
        return expected[1:] - expected[0], np.sqrt(spread + self.doubt(others, chosen) ** 2)

    def interval(self, chosen: Array, others: Array) -> tuple[Array, Array, Array]:
        """Expected gain of a mixture over others with the ends of its 95 % interval: (m,), (k, m) → (k,) each.

        Larger models tell mixtures apart by less, in the same order: the end that is nearer to zero shrinks with the
        distance of sizes, the width grows.
        """
        mean, sd = self.gain(chosen, others)
        reach = SURE * sd * (1 + _WIDENS * self.decades)
        less = 10 ** (-_SHRINKS * self.decades)
        low, high = mean - reach, mean + reach
        return mean, np.where(low > 0, low * less, low), np.where(high < 0, high * less, high)


def hellinger(one: Array, other: Array) -> Array:
    """Hellinger distance of mixtures, √(1 − Σ √(p q)): (k, m), (m,) or (k, m) → (k,).

    >>> hellinger(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([0.0, 1.0])).round(3)
    array([1.   , 0.541])
    """
    affinity = np.sqrt(np.maximum(one, 0.0) * np.maximum(other, 0.0)).sum(axis=-1)
    distance: Array = np.sqrt(np.maximum(1.0 - affinity, 0.0))
    return distance


def slack(runs: Runs, choices: Sequence[Choice], goal: Goal, *around: Array) -> float:
    """Return s: root mean square of the errors of held-out differences over that of the mixtures' distances.

    The averaged laws predict each run from runs of other mixtures; a pair's error is that of the difference of their
    objectives. Pairs are of the two thirds of the runs that are nearest to what is compared, the prior or where the
    laws see the best mixture: a run that starves a language is missed by as much as nothing near either is. Of the
    noise of seeds, which is in the difference of two runs twice and in no expected loss, half is taken out where it was
    measured; the other half stays, for of many mixtures the one that looks best owes part of that to it.

    Args:
        runs: the table.
        choices: the laws of each target.
        goal: says what is minimised.
        around: what is compared, shape (m,) each.
    """
    rows = judged_on(runs)
    measured = runs.losses[rows]
    predicted = measured + np.column_stack([c.residuals for c in choices])
    error = goal.score(predicted) - goal.score(measured)
    far = np.min([hellinger(runs.shares[rows], mixture) for mixture in around], axis=0)
    near = np.flatnonzero(far <= np.quantile(far, _NEAR))
    one, other = (near[i] for i in np.triu_indices(len(near), 1))
    between = error[one] - error[other]
    low, high = np.quantile(between, _CLIPPED)
    squares = float((np.clip(between, low, high) ** 2).mean())
    noise = seed_noise(runs, goal) or 0.0
    squares = max(squares - noise**2, _LEAST_MISS * squares)
    apart = hellinger(runs.shares[rows][one], runs.shares[rows][other])
    return float(np.sqrt(squares / max((apart**2).mean(), 1e-12)))


def seed_noise(runs: Runs, goal: Goal) -> float | None:
    """Return the standard deviation of the objective between seeds of one run, None where it was hardly measured."""
    rows = judged_on(runs)
    stock = np.zeros((len(runs), 0)) if runs.unique is None else runs.unique
    same = np.unique(np.column_stack([runs.groups(), stock])[rows], axis=0, return_inverse=True)[1].reshape(-1)
    scores = goal.score(runs.losses[rows])
    off = [scores[same == g] - scores[same == g].mean() for g in np.unique(same) if (same == g).sum() > 1]
    free = sum(len(each) - 1 for each in off)
    if free < _SEEDS:
        return None
    every = np.concatenate(off)
    return float(np.sqrt(every @ every / free))


def worlds(
    goal: Goal,
    runs: Runs,
    choices: Sequence[Choice],
    prior: Array,
    draws: int,
    seed: int = 0,
    mixtures: int | None = None,
    context: Context | None = None,
    dosed: bool = True,
) -> Worlds:
    """Draw mixtures of the runs with replacement, a law for every target, and fit it to them.

    Runs that share a mixture are drawn together; runs of one language alone are in every draw, for a law of a language
    alone needs all of its budgets. A law is drawn as often as its weight says (`law_fit.weights`), in one order for all
    targets, so that what is doubtful of a form is doubtful of all languages at once.

    Args:
        goal: the problem.
        runs: what the laws were fitted to.
        choices: the laws that speak for each target, in the order of the targets.
        prior: the mixture near which the laws are asked, shape (m,).
        draws: worlds; 0 for one of each law, fitted to all runs.
        seed: of the draws.
        mixtures: how many to draw; by default as many as there are.
        context: what laws that know of budgets are asked about; None for the runs' main scale.
        dosed: whether a law of the form `E + B r̃^−β` is fitted where the one drawn has another.

    Raises:
        RequestError: if a target has no law that can choose.
    """
    for c in choices:
        if not c.weights:
            raise RequestError(
                f"none of {', '.join(s.law for s in c.scores)} has diminishing returns in a language's own share: the "
                "best mixture under such laws is a corner where no run was; they rank mixtures, they cannot choose one",
                "mix.laws=[effective_data, own_share]",
            )
    rng = np.random.default_rng(seed)
    groups, kept = drawable(runs)
    size = mixtures or len(groups)
    # Every law has its part of the worlds exactly, whatever their number.
    places = (rng.permutation(draws or _PLACES) + 0.5) / (draws or _PLACES)
    rows = [np.concatenate([kept, *(groups[i] for i in rng.integers(0, len(groups), size))]) for _ in range(draws)]

    def world(number: str) -> tuple[list[Fitted], list[PowerLaw]]:
        at_ = int(number)
        names = [_at_place(c.weights, places[at_]) for c in choices]
        if draws:
            sample = runs.take(rows[at_])
            fitted = [fit(sample, c.target, law(n), seed, c.members[n]) for c, n in zip(choices, names, strict=True)]
        else:
            sample, fitted = runs, [c.members[n] for c, n in zip(choices, names, strict=True)]
        found = [at(mine, context) for mine in fitted]
        if not dosed:
            return found, []
        return found, [
            mine
            if isinstance(mine, PowerLaw)
            else _dosed(at(fit(sample, c.target, c.transfer_law, seed, c.transfer_fit), context))
            for mine, c in zip(found, choices, strict=True)
        ]

    made = list(flight.apart(world, [str(number) for number in range(len(places))]))
    goals = tuple(replace(goal, laws=found) for found, _ in made)
    transfer_laws = tuple(tuple(found) for _, found in made) if dosed else ()
    point = replace(goal, laws=[average(c, goal.repeats, context) for c in choices])
    likely = solve(point, seed, near=prior).shares
    return Worlds(point, goals, transfer_laws, slack(runs, choices, goal, prior, likely))


def _at_place(weights: Mapping[str, float], place: float) -> str:
    """Return the law at a place in [0, 1) where each has a part as long as its weight."""
    names = sorted(weights)
    return names[min(int(np.searchsorted(np.cumsum([weights[n] for n in names]), place)), len(names) - 1)]


def at(fitted: Fitted, context: Context | None) -> Fitted:
    """Return a law at a budget, size and stock, if it knows of them."""
    return fitted.at(context) if context is not None and knows_budgets(fitted) else fitted


def average(c: Choice, repeats: Repeats, context: Context | None = None) -> Average:
    """Return the laws that speak for a target, fitted to all runs, as one."""
    return Average([at(c.members[name], context) for name in c.weights], list(c.weights.values()), repeats)


def distinct(runs: Runs) -> int:
    """Count the distinct mixtures that are drawn from."""
    return len(drawable(runs)[0])


def drawable(runs: Runs) -> tuple[list[NDArray[np.intp]], NDArray[np.intp]]:
    """Return the rows of each mixture, and the rows that are in every draw."""
    groups = runs.groups()
    monolingual = runs.shares.max(axis=1) > 1 - 1e-9 if runs.tokens is not None else np.zeros(len(runs), dtype=bool)
    members = [np.flatnonzero(groups == g) for g in np.unique(groups[~monolingual])]
    return members, np.flatnonzero(monolingual)


def _dosed(fitted: Fitted) -> PowerLaw:
    assert isinstance(fitted, PowerLaw)
    return fitted
