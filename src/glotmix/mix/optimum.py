"""From a table of runs to the mixture they speak for: choose laws, solve, and say how sure it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glotmix.core.errors import RequestError, did_you_mean
from glotmix.mix import evidence
from glotmix.mix.accounting import Array, Available
from glotmix.mix.baselines import natural, temperature, unimax
from glotmix.mix.doubts import Doubt, doubts, unmeasured
from glotmix.mix.fit import Choice, Score, choose, fit
from glotmix.mix.groups import Group
from glotmix.mix.laws import Context, law
from glotmix.mix.limits import Box
from glotmix.mix.repeats import Repeats
from glotmix.mix.runs import Runs
from glotmix.mix.solve import Goal, Optimum, solve
from glotmix.mix.transfer import Transfer
from glotmix.mix.uncertainty import Gain, Width, at, distinct, ensemble, gains, interval, not_told, shrinkage


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
        two_step: None where the objective is not the mean.
        bound: None where the problem is not convex.
        transfer: between the languages that were measured; None for fewer than two.
        widths: how the intervals shrink with more runs; empty without a bootstrap.
        next_runs: empty without a bootstrap.
        doubts: what the runs cannot speak for: if anything, no gain counts as told apart.
    """

    shares: Array
    interval: tuple[Array, Array] | None
    others: Mapping[str, Array]
    predictions: tuple[Prediction, ...]
    gains: tuple[Gain, ...]
    warnings: tuple[str, ...]
    two_step: evidence.Steps | None
    bound: evidence.Bound | None
    transfer: Transfer | None
    widths: tuple[Width, ...]
    next_runs: tuple[evidence.NextRun, ...]
    doubts: tuple[Doubt, ...] = ()


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
        scale: parameters (None: the proxies') and tokens of the model to be trained, to predict at its scale; None to
            stay at the proxies'.
        next_runs: how many further runs to propose.
    """

    laws: Sequence[str]
    weights: Mapping[str, float]
    quantile: float | None
    anchor: float
    draws: int
    seed: int
    scale: tuple[float | None, float] | None = None
    next_runs: int = 4


def judge(runs: Runs, ask: Ask) -> list[Choice]:
    """Choose a law for every target.

    Raises:
        RequestError: if laws of the proxies' scale alone are to predict at another.
        DataError: if there are too few runs to judge a law.
    """
    laws = ask.laws
    if ask.scale is not None:
        laws = [name for name in laws if {"scale", "alone"} & set(law(name).needs)]
        if not laws:
            raise RequestError(
                f"none of {', '.join(ask.laws)} predicts at another scale than the proxies'", "mix.laws=[atlas]"
            )
    return [choose(runs, target, laws, seed=ask.seed) for target in runs.targets]


def find(
    available: Available,
    tokens: int,
    within: Box,
    runs: Runs,
    baselines: Mapping[str, Array],
    ask: Ask,
    choices: Sequence[Choice] | None = None,
) -> Measured:
    """Choose a law for every target (unless they are chosen), solve for the best mixture within bounds, and bootstrap.

    Raises:
        RequestError: if the runs say nothing of a language that has text, or a weight is of no target.
        DataError: if there are too few runs to judge a law.
    """
    place = _places(available, runs, within)
    choices = choices or judge(runs, ask)
    weights = weights_of(runs, ask.weights)
    doubted = doubts(runs, choices, weights)
    unique = _spread(available.sizes / tokens, place, runs)
    context = context_of(runs, unique, ask.scale)
    prior = _mixture(unimax(available, within), place, runs)
    goal = Goal(
        laws=[at(choice.fitted, context) for choice in choices],
        weights=weights,
        within=_hold(_box(within, place, runs), prior, unmeasured(runs, weights), runs),
        repeats=Repeats(unique),
        natural=_mixture(natural(available), place, runs),
        anchor=ask.anchor,
        quantile=ask.quantile,
    )
    optimum = solve(goal, ask.seed)
    optimum, bound = evidence.certified(goal, [choice.law for choice in choices], optimum)
    rivals = _rivals(goal, runs, ask)
    others = {name: _mixture(shares, place, runs) for name, shares in baselines.items()} | rivals
    drawn = ensemble(goal, optimum, runs, choices, ask.draws, ask.seed, context=context) if ask.draws else None
    sure = None if drawn is None else interval(goal, optimum, drawn, others, distinct(runs))
    won = sure.gains if sure else _point_gains(goal, optimum, others)
    if doubted:
        won = tuple(not_told(gain) for gain in won)
    losses = {name: goal.losses(shares[None])[0] for name, shares in others.items()} | {"chosen": optimum.losses}
    speaking = [evidence.dosed(at(choice.spoken, context)) for choice in choices]
    spread = _mixture(temperature(available, 2.0), place, runs)
    return Measured(
        shares=_gather(optimum.shares, place),
        interval=(_gather(sure.low, place), _gather(sure.high, place)) if sure else None,
        others={**baselines, **{name: _gather(shares, place) for name, shares in rivals.items()}},
        predictions=tuple(
            Prediction(c.target, c.law.name, c.scores, {name: float(row[i]) for name, row in losses.items()})
            for i, c in enumerate(choices)
        ),
        gains=won,
        warnings=tuple(_warnings(runs, doubted, optimum, won, bound)),
        two_step=evidence.steps(goal, speaking, runs, optimum) if ask.quantile is None else None,
        bound=bound,
        transfer=evidence.between(goal, runs, choices, speaking, optimum, drawn),
        widths=() if drawn is None else shrinkage(goal, optimum, runs, choices, drawn, 20, ask.seed, context),
        next_runs=()
        if drawn is None
        else evidence.next_runs(goal, runs, choices, optimum, drawn, others, spread, ask.next_runs, ask.seed),
        doubts=doubted,
    )


def context_of(runs: Runs, unique: Array, scale: tuple[float | None, float] | None = None) -> Context | None:
    """Say at which size, budget and stock laws are asked.

    Args:
        runs: what the laws were fitted to.
        unique: unique tokens of each domain at the target, in units of its budget, shape (m,).
        scale: parameters (None: the proxies') and tokens of the target; None for the proxies' scale, with a stock that
            repeats as the target's does.

    Returns:
        None where the runs know of no budget, and the laws of none.
    """
    size = None if runs.parameters is None else float(runs.parameters[runs.main()[0]])
    if scale is not None:
        size, budget = scale[0] or size, scale[1]
    elif runs.tokens is None:
        return None
    else:
        budget = float(runs.tokens[runs.main()[0]])
    return Context(None if size is None else np.array([size]), np.array([budget]), unique[None] * budget)


def _places(available: Available, runs: Runs, within: Box) -> list[int | None]:
    """Say where each language of the account stands among the domains of the runs."""
    places: list[int | None] = []
    for i, lang in enumerate(available.languages):
        known = lang in runs.domains and runs.shares[:, runs.domains.index(lang)].max() > 0
        if not known and within.high[i] > 0:
            raise RequestError(
                f"the runs say nothing of {lang}, of which there are {available.tokens[i]:,} tokens"
                f"{did_you_mean(lang, runs.domains)}; they are over: {', '.join(runs.domains[:12])}",
                f"add runs with {lang}, or leave it out: mix.ceilings.{lang}=0",
            )
        places.append(runs.domains.index(lang) if known else None)
    return places


def _box(within: Box, place: Sequence[int | None], runs: Runs) -> Box:
    groups = []
    for group in within.groups:
        members = [p for i in group.members if (p := place[int(i)]) is not None]
        groups.append(Group(group.name, np.array(members, dtype=np.intp), group.low, group.high))
    return Box(_spread(within.low, place, runs), _spread(within.high, place, runs), tuple(groups))


def _hold(within: Box, prior: Array, names: Sequence[str], runs: Runs) -> Box:
    """Hold languages that nothing speaks for at their share of the prior, unless a floor was given for them."""
    low, high = within.low.copy(), within.high.copy()
    for name in names:
        i = runs.domains.index(name)
        if low[i] == 0:
            low[i] = high[i] = prior[i]
    return Box(low, high, within.groups)


def _spread(values: Array, place: Sequence[int | None], runs: Runs) -> Array:
    """From the languages of the account to the domains of the runs; a domain without text gets 0."""
    spread = np.zeros(len(runs.domains))
    for value, position in zip(values, place, strict=True):
        if position is not None:
            spread[position] = value
    return spread


def _mixture(shares: Array, place: Sequence[int | None], runs: Runs) -> Array:
    """The same for a mixture: a law sees it without the languages that the runs do not know."""
    spread = _spread(shares, place, runs)
    return np.asarray(spread / spread.sum())


def _gather(values: Array, place: Sequence[int | None]) -> Array:
    return np.array([0.0 if at is None else values[at] for at in place])


def weights_of(runs: Runs, given: Mapping[str, float]) -> Array:
    """Return the importance of every target, 1 where none is given, scaled to sum to one, shape (t,)."""
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


def _warnings(
    runs: Runs, doubted: Sequence[Doubt], optimum: Optimum, won: Sequence[Gain], bound: evidence.Bound | None
) -> list[str]:
    said = [doubt.said for doubt in doubted]
    wanted = 3 * (len(runs.domains) + 1)
    if len(runs) < wanted:
        said.append(f"{len(runs)} runs over {len(runs.domains)} languages are few: {wanted} are a good number (Olmix)")
    if optimum.agree < optimum.starts:
        said.append(
            f"{optimum.agree} of {optimum.starts} starts of the solver ended at the best mixture: the fitted laws have "
            "several optima"
        )
    if bound is not None and bound.of_gain is not None and bound.of_gain > 0.05:
        said.append(
            f"linear programmes cannot rule out a mixture that is better by {bound.gap:.3g}, {bound.of_gain:.0%} of "
            "the gain over natural"
        )
    for domain, share, most in zip(runs.domains, optimum.shares, runs.shares.max(axis=0), strict=True):
        if share > most + 0.02:
            said.append(
                f"{domain} is given {share:.1%}, and no run had more than {most:.1%}: the law is beyond its runs"
            )
    if same := [gain for gain in won if gain.told_apart is False]:
        text = f"these runs cannot tell the chosen mixture from {', '.join(gain.over for gain in same)}"
        if needed := [f"{gain.over} {gain.runs_needed}" for gain in same if gain.runs_needed]:
            text += f"; mixtures in all that might (95 % intervals): {', '.join(needed)}"
        said.append(text)
    return said
