"""From a table of runs to the mixture they speak for: laws, the rule, and what to make of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glotmix.core.errors import RequestError, did_you_mean
from glotmix.mix import evidence, rule
from glotmix.mix.accounting import Array, Available
from glotmix.mix.baselines import natural, temperature
from glotmix.mix.cells import languages
from glotmix.mix.doubts import Doubt, doubts, unmeasured
from glotmix.mix.law_fit import MANY, Choice, Score, choose_each, fit
from glotmix.mix.laws import Context, law
from glotmix.mix.limits import Box, nearest
from glotmix.mix.places import Places, hold
from glotmix.mix.ranges import ranges
from glotmix.mix.repeats import Repeats
from glotmix.mix.runs import Runs, code
from glotmix.mix.solve import Goal, solve
from glotmix.mix.transfer import Figure, Transfer
from glotmix.mix.uncertainty import Gain, Width, gains, not_told, shrinkage
from glotmix.mix.verdict import Verdict, changes, noise_of, verdict_of
from glotmix.mix.worlds import at, distinct, worlds

_TINY = 1e-12


@dataclass(frozen=True)
class Prediction:
    """What the runs say of one target.

    Args:
        target: the target.
        law: of the laws that choose, the one with most weight.
        weights: of the laws that choose.
        scores: every law that competed, judged on held-out mixtures, the best first.
        losses: predicted loss under each mixture, by the mixture's name (the chosen one is ``chosen``).
        change: predicted change of the loss from the prior to the mixture taken, with its 95 % interval; to the best
            found where the prior is taken.
    """

    target: str
    law: str
    weights: Mapping[str, float]
    scores: tuple[Score, ...]
    losses: Mapping[str, float]
    change: Figure


@dataclass(frozen=True, eq=False)
class Measured:
    """A mixture from runs, over the languages of the account.

    Args:
        shares: shape (m,): the mixture found, or as much of the way to it as is proven better than the prior.
        interval: least and greatest share of each language among mixtures that are as good: see `ranges`.
        others: what it was compared with: the baselines given, and the optima of MSL (``msl``) and of RegMix
            (``regmix``) on the same runs, by name.
        predictions: one per target.
        gains: one per other mixture.
        verdict: what to make of it.
        warnings: what a reader must know, in sentences.
        two_step: None where the objective is not the mean, or of many languages (`law_fit.MANY`).
        bound: None where the problem is not convex.
        transfer: between the languages that were measured; None for fewer than two.
        widths: how the interval of the gain shrinks with more runs; empty without a bootstrap, or of many languages.
        next_runs: empty without a bootstrap.
        doubts: what the runs cannot speak for: if anything, no gain counts as told apart.
    """

    shares: Array
    interval: tuple[Array, Array]
    others: Mapping[str, Array]
    predictions: tuple[Prediction, ...]
    gains: tuple[Gain, ...]
    verdict: Verdict
    warnings: tuple[str, ...]
    two_step: evidence.Steps | None
    bound: evidence.Bound | None
    transfer: Transfer | None
    widths: tuple[Width, ...]
    next_runs: tuple[evidence.NextRun, ...]
    doubts: tuple[Doubt, ...]


@dataclass(frozen=True)
class Ask:
    """What is wanted of the optimum.

    Args:
        laws: names of the laws that compete.
        weights: importance per target, 1 where none is given; the mean is weighted with it.
        quantile: None for the weighted mean of the losses, else the quantile that is minimised (1 is the worst).
        prior: the name of what is taken without proof; one of the baselines.
        anchor: strength of the pull to it, in units of the loss.
        caution: standard deviations of doubt that a gain must pay for.
        keep: part of its share of the prior that every language keeps.
        draws: of the runs; 0 for none.
        seed: of folds, starts and samples.
        scale: parameters (None: the proxies') and tokens of the model to be trained, to predict at its scale; None to
            stay at the proxies'.
        next_runs: how many further runs to propose.
        keep_others: whether languages that no run drew on keep their share of the prior; else they are refused.
        parameters: of the model to be trained, where it is known: intervals widen with its distance from the proxies.
    """

    laws: Sequence[str]
    weights: Mapping[str, float]
    quantile: float | None
    prior: str = "unimax"
    anchor: float = 0.003
    caution: float = 0.5
    keep: float = 0.005
    draws: int = 40
    seed: int = 0
    scale: tuple[float | None, float] | None = None
    next_runs: int = 4
    keep_others: bool = False
    parameters: float | None = None


def judge(runs: Runs, ask: Ask) -> list[Choice]:
    """Choose a law for every target.

    Raises:
        RequestError: if laws of the proxies' scale alone are to predict at another.
        DataError: if there are too few runs to judge a law.
    """
    laws = ask.laws
    if ask.scale is not None:
        laws = [name for name in laws if {"scale", "monolingual"} & set(law(name).needs)]
        if not laws:
            raise RequestError(
                f"none of {', '.join(ask.laws)} predicts at another scale than the proxies'", "mix.laws=[atlas]"
            )
    return list(choose_each(runs, laws, seed=ask.seed))


def find(
    available: Available,
    tokens: int,
    within: Box,
    runs: Runs,
    baselines: Mapping[str, Array],
    ask: Ask,
    choices: Sequence[Choice] | None = None,
) -> Measured:
    """Choose laws for every target (unless they are chosen), and by them the mixture: see `rule.Rule`.

    Raises:
        RequestError: if the runs say nothing of a language that has text, a weight is of no target, or none of the laws
            can choose.
        DataError: if there are too few runs to judge a law.
    """
    place = Places.among(available, runs, within, ask.keep_others)
    whole = nearest(np.maximum(baselines[ask.prior], _TINY * (within.high > 0)), within)
    outside = np.array([r if at is None else 0.0 for r, at in zip(whole, place.of, strict=True)])
    # What the runs are about: shares are of this part of the budget, until the account is put together again.
    part = 1 - float(outside.sum())
    weights = weights_of(runs, ask.weights)
    choices = choices or judge(runs, ask)
    floored = [lang for lang, least in zip(available.languages, within.low, strict=True) if least > 0]
    doubted = doubts(runs, choices, weights, floored)
    unique = place.spread(available.sizes / (tokens * part))
    context = context_of(runs, unique, ask.scale)
    prior = place.mixture(whole)
    goal = Goal(
        laws=[],
        weights=weights,
        within=hold(place.box(within, part, outside), prior, unmeasured(runs, weights), runs),
        repeats=Repeats(unique, runs.repeats),
        natural=place.mixture(natural(available)),
        quantile=ask.quantile,
    )
    drawn = worlds(goal, runs, choices, prior, ask.draws, ask.seed, context=context)
    drawn = replace(drawn, decades=_decades(runs, ask))
    goal = drawn.point
    found = rule.choose(drawn, rule.Rule(prior, ask.caution, ask.anchor, ask.keep), ask.seed)
    shares = found.prior if doubted else found.shares
    rivals = _rivals(goal, runs, ask)
    others = {name: place.mixture(r) for name, r in baselines.items()} | rivals
    won = gains(drawn, shares, others, distinct(runs))
    if doubted:
        won = tuple(not_told(gain) for gain in won)
    noise = noise_of(runs, choices, goal)
    inside = rule.floored(goal.within, rule.Rule(prior, floor=ask.keep))
    low, high = ranges(drawn, found.best, shares, goal.within, noise)
    losses = dict(zip((*others, "chosen"), goal.losses(np.array([*others.values(), shares])), strict=True))
    changed = changes(drawn, found)
    further: tuple[evidence.NextRun, ...] = ()
    if ask.draws and ask.next_runs:
        spread = place.mixture(temperature(available, 2.0))
        further = evidence.next_runs(drawn, found.best, inside, runs, others, spread, noise, ask.next_runs, ask.seed)
    verdict = verdict_of(runs, ask.prior, found, won, changed, noise, doubted, further)
    transfer_laws = [evidence.dosed(at(choice.transfer_fit, context)) for choice in choices]
    value = float(goal.value(shares[None])[0])
    return Measured(
        shares=part * place.gather(shares) + outside,
        interval=(part * place.gather(low) + outside, part * place.gather(high) + outside),
        others={**baselines, **{name: part * place.gather(r) + outside for name, r in rivals.items()}},
        predictions=tuple(
            Prediction(
                c.target, max(c.weights, key=lambda name: c.weights[name]), c.weights, c.scores,
                {name: float(row[i]) for name, row in losses.items()}, changed[i],
            )
            for i, c in enumerate(choices)
        ),
        gains=won,
        verdict=verdict,
        warnings=(*_outside(available, outside, ask.prior), *_warnings(runs, doubted, shares)),
        two_step=evidence.steps(goal, transfer_laws, runs, value)
        if ask.quantile is None and len(runs.domains) <= MANY
        else None,
        bound=evidence.bounded(goal, [law(name) for c in choices for name in c.weights], shares),
        transfer=evidence.between(goal, runs, choices, transfer_laws, shares, drawn),
        widths=shrinkage(drawn, goal, runs, choices, (found.judged, found.prior), 20, ask.seed, context)
        if ask.draws and len(runs.domains) <= MANY
        else (),
        next_runs=further,
        doubts=doubted,
    )  # fmt: skip


def _decades(runs: Runs, ask: Ask) -> float:
    """Say how many times tenfold the model to be differs in size from the nearest that the laws were fitted to."""
    if ask.parameters is None or runs.parameters is None:
        return 0.0
    fitted = runs.parameters if ask.scale is not None else runs.parameters[runs.main()]
    return float(np.abs(np.log10(ask.parameters / fitted)).min())


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


def _outside(available: Available, outside: Array, prior: str) -> list[str]:
    names = [lang for lang, share in zip(available.languages, outside, strict=True) if share > 0]
    if not names:
        return []
    listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return [
        f"no run drew on {listed}: they keep their share of {prior}, {outside.sum():.1%} of the tokens, and what is "
        "said of gains is about the other languages"
    ]


def weights_of(runs: Runs, given: Mapping[str, float]) -> Array:
    """Return the importance of every target, 1 where none is given, scaled to sum to one, shape (t,)."""
    given = {known if (known := code(target)) in runs.targets else target: weight for target, weight in given.items()}
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
        raise RequestError("mix.weights gives no target any weight", f"mix.weights.{runs.targets[0]}=1")
    return np.asarray(weights / weights.sum())


def _rivals(goal: Goal, runs: Runs, ask: Ask) -> dict[str, Array]:
    """What MSL and RegMix would choose from the same runs under the same limits, in the order of the domains."""
    rivals = {}
    own = [i for i, target in enumerate(runs.targets) if runs.own(target) is not None and goal.weights[i] > 0]
    if own:
        own_only = replace(
            goal,
            laws=[fit(runs, runs.targets[i], law("own_share"), ask.seed) for i in own],
            weights=goal.weights[own] / goal.weights[own].sum(),
        )
        rivals["msl"] = solve(own_only, ask.seed).shares
    if "lightgbm" in ask.laws and len(runs.domains) <= MANY:
        trees = replace(goal, laws=[fit(runs, target, law("lightgbm"), ask.seed) for target in runs.targets])
        rivals["regmix"] = solve(trees, ask.seed).shares
    return rivals


def _warnings(runs: Runs, doubted: Sequence[Doubt], shares: Array) -> list[str]:
    said = [doubt.said for doubt in doubted]
    wanted = 3 * (len(runs.domains) + 1)
    if len(runs) < wanted:
        what = "languages" if languages(runs.domains) is None else "cells"
        said.append(f"{len(runs)} runs over {len(runs.domains)} {what} are few: {wanted} are a good number (Olmix)")
    for domain, share, most in zip(runs.domains, shares, runs.shares.max(axis=0), strict=True):
        if share > most + 0.02:
            said.append(
                f"{domain} is given {share:.1%}, and no run had more than {most:.1%}: the laws are beyond their runs"
            )
    return said
