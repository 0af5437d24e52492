"""How sure a gain is: over the worlds that might be true, and by how far held-out mixtures differ from all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.law_fit import Choice
from glotmix.mix.laws import Context
from glotmix.mix.runs import Runs
from glotmix.mix.solve import Goal
from glotmix.mix.worlds import SURE, Worlds, distinct, worlds

LEVEL = 0.95
_HOPELESS = 64
"""Times the runs there are: more than that is not counted as a number of runs that would tell two mixtures apart."""


@dataclass(frozen=True)
class Gain:
    """How much less loss the chosen mixture is predicted to have than another.

    Args:
        over: the other mixture's name.
        gain: its objective less the chosen one's (mean or quantile of the losses, without the anchor).
        low: lower end of the 95 % interval: over the laws that choose, over draws of the runs, and by how far held-out
            mixtures were from what these say (`worlds.Worlds.slack`).
        high: upper end.
        told_apart: whether the interval lies on one side of zero.
        runs_needed: about how many mixtures would tell the two apart if the gain is what it seems, as intervals shrink
            with the root of their number; None where they are told apart or no number of runs is likely to do it.
    """

    over: str
    gain: float
    low: float
    high: float
    told_apart: bool
    runs_needed: int | None = None


def not_told(gain: Gain) -> Gain:
    """Return a gain as one that tells nothing apart."""
    return replace(gain, told_apart=False, runs_needed=None)


def gains(drawn: Worlds, chosen: Array, others: Mapping[str, Array], mixtures: int) -> tuple[Gain, ...]:
    """Return the gain of a mixture over others, with 95 % intervals.

    Args:
        drawn: what might be true.
        chosen: shape (m,).
        others: mixtures to compare with, by name, shape (m,) each.
        mixtures: how many distinct mixtures the runs hold.
    """
    if not others:
        return ()
    told = []
    for name, *ends in zip(others, *drawn.interval(chosen, np.array(list(others.values()))), strict=True):
        gain, low, high = map(float, ends)
        apart = low > 0 or high < 0
        told.append(Gain(name, gain, low, high, apart, None if apart else _needed(gain, (high - low) / 2, mixtures)))
    return tuple(told)


@dataclass(frozen=True)
class Width:
    """How wide the interval of the gain over the prior is with so many mixtures, in units of the loss.

    Args:
        mixtures: distinct mixtures.
        width: from end to end.
        measured: whether it comes from draws of so many runs, or is carried on from them.
    """

    mixtures: int
    width: float
    measured: bool


def shrinkage(
    drawn: Worlds,
    goal: Goal,
    runs: Runs,
    choices: Sequence[Choice],
    between: tuple[Array, Array],
    draws: int = 20,
    seed: int = 0,
    context: Context | None = None,
) -> tuple[Width, ...]:
    """Say how the interval of a gain shrinks with more runs: measured at half and all mixtures, carried on to 2 and 4.

    The gain is that of the first of two mixtures over the second.

    Draws of fewer mixtures than there are tell what so many would have told; a line through the logarithms carries on,
    no steeper than the root of the number and never rising.
    """
    n = distinct(runs)
    size = max(n // 2, 4)
    widths = [(n, _width(drawn, *between))]
    if size < n:
        few = worlds(goal, runs, choices, between[1], draws, seed + 1, size, context, dosed=False)
        widths.insert(0, (size, _width(few, *between)))
    measured = [Width(size, width, True) for size, width in widths]
    logs = np.log([[size, max(width, 1e-9)] for size, width in widths])
    slope = float(np.clip(np.polyfit(logs[:, 0], logs[:, 1], 1)[0], -0.5, 0.0)) if len(logs) > 1 else -0.5
    return (*measured, *(Width(n * k, widths[-1][1] * k**slope, False) for k in (2, 4)))


def _width(drawn: Worlds, one: Array, other: Array) -> float:
    return float(2 * SURE * drawn.gain(one, other[None])[1][0])


def _needed(gain: float, half: float, mixtures: int) -> int | None:
    if gain == 0 or half > np.sqrt(_HOPELESS) * abs(gain):
        return None
    return int(np.ceil(mixtures * (half / gain) ** 2)) + 1
