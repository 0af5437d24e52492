"""From a table of runs to the mixture they speak for: choose laws, solve, and say how sure it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glotmix.errors import RequestError, did_you_mean
from glotmix.mix.accounting import Array, Available
from glotmix.mix.baselines import natural
from glotmix.mix.fit import Choice, Score, choose, fit
from glotmix.mix.laws import law
from glotmix.mix.limits import Box
from glotmix.mix.repeats import Repeats
from glotmix.mix.runs import Runs
from glotmix.mix.solve import Goal, Optimum, solve
from glotmix.mix.uncertainty import Gain, Interval, bootstrap, gains


@dataclass(frozen=True)
class Prediction:
    """What the runs say of one target.

    Args:
        target: the target.
        law: the law chosen for it.
        scores: every law that competed, judged on held-out mixtures, the best first.
        losses: predicted loss under each mixture, by the mixture's name (the chosen one is ``chosen``).
    """

    target: str
    law: str
    scores: tuple[Score, ...]
    losses: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Measured:
    """A mixture from runs, over the languages of the account.

    Args:
        shares: shape (m,).
        interval: lower and upper end of each share, None without a bootstrap.
        others: what it was compared with: the baselines given, and the optima of MSL (``msl``) and of RegMix
            (``regmix``) on the same runs, by name.
        predictions: one per target.
        gains: one per other mixture.
        warnings: what a reader must know, in sentences.
    """

    shares: Array
    interval: tuple[Array, Array] | None
    others: Mapping[str, Array]
    predictions: tuple[Prediction, ...]
    gains: tuple[Gain, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Ask:
    """What is wanted of the optimum.

    Args:
        laws: names of the laws that compete.
        weights: importance per target, 1 where none is given; the mean is weighted with it.
        quantile: None for the weighted mean of the losses, else the quantile that is minimised (1 is the worst).
        anchor: strength of the anchor to the natural mixture, in units of the loss.
        draws: bootstrap samples; 0 for no intervals.
        seed: of folds, starts and samples.
    """

    laws: Sequence[str]
    weights: Mapping[str, float]
    quantile: float | None
    anchor: float
    draws: int
    seed: int


def find(
    available: Available, tokens: int, within: Box, runs: Runs, baselines: Mapping[str, Array], ask: Ask
) -> Measured:
    """Choose a law for every target, solve for the best mixture within the bounds, and bootstrap it.

    Raises:
        RequestError: if the runs say nothing of a language that has text, or a weight is of no target.
        DataError: if there are too few runs to judge a law.
    """
    place = _places(available, runs, within)
    choices = [choose(runs, target, ask.laws, seed=ask.seed) for target in runs.targets]
    goal = Goal(
        laws=[choice.fitted for choice in choices],
        weights=_weights(runs, ask.weights),
        within=Box(_spread(within.low, place, runs), _spread(within.high, place, runs)),
        repeats=Repeats(_spread(available.sizes / tokens, place, runs)),
        natural=_mixture(natural(available), place, runs),
        anchor=ask.anchor,
        quantile=ask.quantile,
    )
    optimum = solve(goal, ask.seed)
    rivals = _rivals(goal, runs, ask)
    others = {name: _mixture(shares, place, runs) for name, shares in baselines.items()} | rivals
    interval = bootstrap(goal, optimum, runs, choices, others, ask.draws, ask.seed) if ask.draws else None
    won = interval.gains if interval else _point_gains(goal, optimum, others)
    losses = {name: goal.losses(shares[None])[0] for name, shares in others.items()} | {"chosen": optimum.losses}
    return Measured(
        shares=_gather(optimum.shares, place),
        interval=(_gather(interval.low, place), _gather(interval.high, place)) if interval else None,
        others={**baselines, **{name: _gather(shares, place) for name, shares in rivals.items()}},
        predictions=tuple(
            Prediction(c.target, c.law.name, c.scores, {name: float(row[i]) for name, row in losses.items()})
            for i, c in enumerate(choices)
        ),
        gains=won,
        warnings=tuple(_warnings(runs, choices, optimum, interval)),
    )


def _places(available: Available, runs: Runs, within: Box) -> list[int | None]:
    """Say where each language of the account stands among the domains of the runs."""
    places: list[int | None] = []
    for i, lang in enumerate(available.languages):
        known = lang in runs.domains
        if not known and within.high[i] > 0:
            raise RequestError(
                f"the runs say nothing of {lang}, of which there are {available.tokens[i]:,} tokens"
                f"{did_you_mean(lang, runs.domains)}; they are over: {', '.join(runs.domains[:12])}",
                f"add runs with {lang}, or leave it out: mix.ceilings.{lang}=0",
            )
        places.append(runs.domains.index(lang) if known else None)
    return places


def _spread(values: Array, place: Sequence[int | None], runs: Runs) -> Array:
    """From the languages of the account to the domains of the runs; a domain without text gets 0."""
    spread = np.zeros(len(runs.domains))
    for value, at in zip(values, place, strict=True):
        if at is not None:
            spread[at] = value
    return spread


def _mixture(shares: Array, place: Sequence[int | None], runs: Runs) -> Array:
    """The same for a mixture: a law sees it without the languages that the runs do not know."""
    spread = _spread(shares, place, runs)
    return np.asarray(spread / spread.sum())


def _gather(values: Array, place: Sequence[int | None]) -> Array:
    return np.array([0.0 if at is None else values[at] for at in place])


def _weights(runs: Runs, given: Mapping[str, float]) -> Array:
    for target, weight in given.items():
        if target not in runs.targets:
            raise RequestError(
                f"mix.weights names {target!r}, which the runs did not measure{did_you_mean(target, runs.targets)}",
                f"one of: {', '.join(runs.targets)}",
            )
        if weight < 0:
            raise RequestError(f"mix.weights.{target} is {weight:g}; a weight is not negative")
    weights = np.array([given.get(target, 1.0) for target in runs.targets])
    if weights.sum() <= 0:
        raise RequestError("mix.weights gives no target any weight")
    return np.asarray(weights / weights.sum())


def _rivals(goal: Goal, runs: Runs, ask: Ask) -> dict[str, Array]:
    """What MSL and RegMix would choose from the same runs under the same limits, in the order of the domains."""
    rivals = {}
    own = [i for i, target in enumerate(runs.targets) if runs.own(target) is not None and goal.weights[i] > 0]
    if own:
        alone = replace(
            goal,
            laws=[fit(runs, runs.targets[i], law("own_share"), ask.seed) for i in own],
            weights=goal.weights[own] / goal.weights[own].sum(),
        )
        rivals["msl"] = solve(alone, ask.seed).shares
    if "lightgbm" in ask.laws:
        trees = replace(goal, laws=[fit(runs, target, law("lightgbm"), ask.seed) for target in runs.targets])
        rivals["regmix"] = solve(trees, ask.seed).shares
    return rivals


def _point_gains(goal: Goal, optimum: Optimum, others: Mapping[str, Array]) -> tuple[Gain, ...]:
    won = gains(goal, optimum.shares, others)
    return tuple(Gain(name, float(gain), None, None, None) for name, gain in zip(others, won, strict=True))


def _warnings(runs: Runs, choices: Sequence[Choice], optimum: Optimum, interval: Interval | None) -> list[str]:
    said = [choice.warning for choice in choices if choice.warning is not None]
    wanted = 3 * (len(runs.domains) + 1)
    if len(runs) < wanted:
        said.append(f"{len(runs)} runs over {len(runs.domains)} languages are few: {wanted} are a good number (Olmix)")
    if optimum.agree < optimum.starts:
        said.append(
            f"{optimum.agree} of {optimum.starts} starts of the solver ended at the best mixture: the fitted laws have "
            "several optima"
        )
    for domain, share, most in zip(runs.domains, optimum.shares, runs.shares.max(axis=0), strict=True):
        if share > most + 0.02:
            said.append(
                f"{domain} is given {share:.1%}, and no run had more than {most:.1%}: the law is beyond its runs"
            )
    if interval is not None:
        same = [gain.over for gain in interval.gains if not gain.told_apart]
        if same:
            said.append(f"these runs cannot tell the chosen mixture from {', '.join(same)}")
    return said
