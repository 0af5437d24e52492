"""What stands beside a mixture from runs: another way to solve it, a bound, who helps whom, what to run next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.convex import certify, convex
from glotmix.mix.law_fit import Choice
from glotmix.mix.laws import Law, PowerLaw
from glotmix.mix.limits import Box, nearest
from glotmix.mix.proposals import candidates, propose
from glotmix.mix.runs import Runs
from glotmix.mix.solve import Goal, solve
from glotmix.mix.transfer import Transfer, transfer, worths
from glotmix.mix.two_step import two_step
from glotmix.mix.worlds import Worlds

_CONTEND = 8
"""Worlds whose own optima contend: each is a problem to be solved."""


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


def bounded(goal: Goal, kinds: Sequence[Law], shares: Array) -> Bound | None:
    """Bound a convex goal from below: by how much any mixture within the limits is expected to be better, at most."""
    if not convex(goal, kinds):
        return None
    found = certify(goal, shares)
    value = float(goal.value(shares[None])[0])
    gap = max(value - found.lower, 0.0)
    return Bound(found.lower, gap, _part(gap, goal, value), found.rounds)


def _part(of: float, goal: Goal, value: float) -> float | None:
    gain = float(goal.value(goal.natural[None])[0]) - value
    return of / gain if gain > 1e-9 else None


def steps(goal: Goal, laws: Sequence[PowerLaw], runs: Runs, direct: float) -> Steps:
    """Solve in Climb's two steps, and say what that loses against the direct solver."""
    found = two_step(goal, laws, [runs.own(target) for target in runs.targets])
    shares = {lang: float(r) for lang, r in zip(runs.domains, found.shares, strict=True)}
    return Steps(shares, found.value, direct, _part(found.value - direct, goal, direct))


def between(
    goal: Goal,
    runs: Runs,
    choices: Sequence[Choice],
    laws: Sequence[PowerLaw],
    shares: Array,
    drawn: Worlds,
) -> Transfer | None:
    """Return the transfer between the languages that were measured, at the chosen mixture; None for fewer than two."""
    here = [i for i, target in enumerate(runs.targets) if runs.own(target) is not None]
    if len(here) < 2:
        return None
    positions = [runs.domains.index(runs.targets[i]) for i in here]
    point = worths([laws[i] for i in here], positions, shares, goal.repeats)
    samples = None
    if drawn.dosed:
        many = [worths([each[i] for i in here], positions, shares, goal.repeats) for each in drawn.dosed]
        samples = np.array(many)
    return transfer([runs.targets[i] for i in here], [choices[i].transfer_law.name for i in here], point, samples)


def next_runs(
    drawn: Worlds,
    best: Array,
    within: Box,
    runs: Runs,
    others: Mapping[str, Array],
    prior: Array,
    noise: float,
    count: int,
    seed: int,
) -> tuple[NextRun, ...]:
    """Propose further runs, by what the worlds expect to learn of them: `proposals.propose`.

    Args:
        drawn: what might be true.
        best: the mixture that the rule found, shape (m,).
        within: the limits that it keeps.
        runs: what the laws were fitted to.
        others: baselines, by name; those within the limits contend.
        prior: around which half of the candidates are drawn, shape (m,).
        noise: standard deviation of the objective between seeds of a run.
        count: runs to propose.
        seed: of the candidates.
    """
    could = candidates(prior, best, within, seed)
    allowed = [r for r in others.values() if np.allclose(nearest(np.maximum(r, 1e-12), within), r, atol=1e-6)]
    solved = [solve(replace(goal, within=within), seed, near=best).shares for goal in drawn.goals[:_CONTEND]]
    found = propose(drawn.goals[:50], could, np.vstack([best, *solved, *allowed]), noise, count)
    return tuple(
        NextRun({lang: float(r) for lang, r in zip(runs.domains, run.shares, strict=True)}, run.gain) for run in found
    )
