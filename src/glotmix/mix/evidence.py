"""What stands beside a mixture from runs: another way to solve it, a bound, who helps whom, what to run next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.convex import certify, convex
from glotmix.mix.fit import Choice
from glotmix.mix.laws import Law, PowerLaw
from glotmix.mix.limits import nearest
from glotmix.mix.proposals import candidates, propose
from glotmix.mix.runs import Runs
from glotmix.mix.solve import Goal, Optimum
from glotmix.mix.transfer import Transfer, transfer, worths
from glotmix.mix.two_step import two_step
from glotmix.mix.uncertainty import Ensemble


@dataclass(frozen=True)
class Steps:
    """Where Climb's two steps end, beside the direct solver.

    Args:
        shares: by language.
        value: the objective there.
        direct: the objective of the chosen mixture.
        of_gain: how much of the gain over natural the two steps lose, 0.01 is 1 %; None where there is no gain.
    """

    shares: Mapping[str, float]
    value: float
    direct: float
    of_gain: float | None


@dataclass(frozen=True)
class Bound:
    """What linear programmes say of a convex problem: no mixture within the limits is better by more than `gap`.

    `of_gain` is the gap as a part of the gain over natural; None where there is no gain.
    """

    lower: float
    gap: float
    of_gain: float | None
    rounds: int


@dataclass(frozen=True)
class NextRun:
    """A proxy that is worth training next: its mixture, and the gain that is expected of knowing its loss."""

    shares: Mapping[str, float]
    gain: float


def dosed(fitted: object) -> PowerLaw:
    """Return a law as one of the form `E + B r̃^−β`, which the caller knows it to be."""
    assert isinstance(fitted, PowerLaw)
    return fitted


def certified(goal: Goal, kinds: Sequence[Law], optimum: Optimum) -> tuple[Optimum, Bound | None]:
    """Bound a convex goal from below, and take the better mixture if the bounding met one."""
    if not convex(goal, kinds):
        return optimum, None
    found = certify(goal, optimum.shares)
    if found.value < optimum.value:
        losses = goal.losses(found.shares[None])[0]
        optimum = replace(optimum, shares=found.shares, losses=losses, value=found.value)
    return optimum, Bound(found.lower, found.gap, _part(found.gap, goal, optimum), found.rounds)


def _part(of: float, goal: Goal, optimum: Optimum) -> float | None:
    gain = float(goal.value(goal.natural[None])[0]) - optimum.value
    return of / gain if gain > 1e-9 else None


def steps(goal: Goal, laws: Sequence[PowerLaw], runs: Runs, optimum: Optimum) -> Steps:
    """Solve in Climb's two steps, and say what that loses against the direct solver."""
    found = two_step(goal, laws, [runs.own(target) for target in runs.targets])
    shares = {lang: float(r) for lang, r in zip(runs.domains, found.shares, strict=True)}
    return Steps(shares, found.value, optimum.value, _part(found.value - optimum.value, goal, optimum))


def between(
    goal: Goal,
    runs: Runs,
    choices: Sequence[Choice],
    laws: Sequence[PowerLaw],
    optimum: Optimum,
    drawn: Ensemble | None,
) -> Transfer | None:
    """Return the transfer between the languages that were measured, at the chosen mixture; None for fewer than two."""
    here = [i for i, target in enumerate(runs.targets) if runs.own(target) is not None]
    if len(here) < 2:
        return None
    positions = [runs.domains.index(runs.targets[i]) for i in here]
    point = worths([laws[i] for i in here], positions, optimum.shares, goal.repeats)
    samples = None
    if drawn is not None:
        many = [worths([each[i] for i in here], positions, optimum.shares, goal.repeats) for each in drawn.dosed]
        samples = np.array(many)
    return transfer([runs.targets[i] for i in here], [choices[i].speaker.name for i in here], point, samples)


def next_runs(
    goal: Goal,
    runs: Runs,
    choices: Sequence[Choice],
    optimum: Optimum,
    drawn: Ensemble,
    others: Mapping[str, Array],
    prior: Array,
    count: int,
    seed: int,
) -> tuple[NextRun, ...]:
    """Propose further runs, by what the ensemble expects to learn of them: `proposals.propose`."""
    few = replace(drawn, goals=drawn.goals[:50])
    could = candidates(prior, optimum.shares, goal.within, seed)
    allowed = [r for r in others.values() if np.allclose(nearest(np.maximum(r, 1e-12), goal.within), r, atol=1e-6)]
    contend = np.vstack([optimum.shares, drawn.shares[:50], *allowed])
    errors = np.array([choice.scores[0].error for choice in choices])
    # An error is the mean of an absolute value: of normal noise it is 0.8 of the standard deviation.
    noise = float(np.sqrt(((goal.weights * errors / 0.8) ** 2).sum()))
    found = propose(few, could, contend, noise, count)
    return tuple(
        NextRun({lang: float(r) for lang, r in zip(runs.domains, run.shares, strict=True)}, run.gain) for run in found
    )
