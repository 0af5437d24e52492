"""What a trial showed: gain and harm of every arm beyond the controls, with intervals, and a verdict with its power.

The *gain* of a model in one direction is what a wrong source costs: bits per byte of held-out targets after the
source of another pair, less those after their own. It is 0 where nothing of the source is used. Controls need not be at
0: names and numbers can be copied. The *harm* is bits per byte of the same sentences alone, less the control's that
never saw a pair (`unpaired`), at as many tokens that bear loss.

Sentences and seeds are both in an interval (`glotmix.proxy.figures`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from glotmix.align.trial import CONTROLS, Trial
from glotmix.proxy import figures
from glotmix.proxy.figures import Array, Figure

Said: TypeAlias = Literal["pays", "harms", "not shown at this size"]

WORTH = 0.01
"""Bits per byte: the least gain beyond the controls that is worth anything, and the most harm that is borne."""


@dataclass(frozen=True)
class Arm:
    """What was found of one arm.

    Args:
        arm: the way of packing.
        gain: by direction.
        excess: by direction, the gain less that of the control that gains more there; empty for a control.
        beyond: mean of the two; None for a control.
        harm: bits per byte of single sentences less those of `unpaired`, mean of both languages.
        tokens: of a model, that bore loss.
        power: the chance that an excess of `WORTH` would have been told from 0 in such a trial; None for a control.
        shown: the least excess that would be told from 0 four times in five; None for a control.
        verdict: ``pays``: the excess is at least `WORTH` and beyond 0, the harm no more than `WORTH`. ``harms``: the
            harm is beyond `WORTH`. Else ``not shown at this size``. None for a control.
    """

    arm: str
    gain: Mapping[str, Figure]
    excess: Mapping[str, Figure]
    beyond: Figure | None
    harm: Figure
    tokens: int
    power: float | None
    shown: float | None
    verdict: Said | None


@dataclass(frozen=True)
class Verdict:
    """What a trial showed, controls first; `pairs` were asked for."""

    languages: tuple[str, str]
    seeds: int
    pairs: int
    arms: tuple[Arm, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, ready for JSON."""
        return asdict(self)

    @property
    def sentence(self) -> str:
        """Say it in one sentence."""
        paying = [arm for arm in self.arms if arm.verdict == "pays"]
        if paying:
            best = max(paying, key=lambda arm: arm.beyond.value if arm.beyond else 0.0)
            assert best.beyond is not None
            return (
                f"parallel text pays here as {best.arm}: {best.beyond.value:.3f} bits per byte beyond the controls "
                f"({best.beyond.low:.3f} to {best.beyond.high:.3f})"
            )
        asked = [arm for arm in self.arms if arm.verdict is not None]
        most = max((arm.power or 0.0 for arm in asked), default=0.0)
        least = min((arm.shown for arm in asked if arm.shown is not None), default=float("nan"))
        return (
            f"not shown at this size: a gain of {WORTH:g} bits per byte would have been seen with a chance of "
            f"{most:.0%}, one of {least:.3f} four times in five"
        )


def judge(folder: Path, trial: Trial) -> Verdict:
    """Judge a trial by what its arms left (`trial.make`)."""
    found = {arm: _load(folder / "arms" / f"{arm}.npz") for arm in trial.all_arms}
    a, b = trial.languages
    ways = (f"{a}>{b}", f"{b}>{a}")
    told = []
    for arm, mine in found.items():
        gain = {way: _figure([_gain(mine, way)]) for way in ways}
        harm = _figure([_alone(mine, lang) - _alone(found["unpaired"], lang) for lang in (a, b)])
        if arm in CONTROLS:
            told.append(Arm(arm, gain, {}, None, harm, _tokens(mine, trial), None, None, None))
            continue
        beyond = [_gain(mine, way) - max((_gain(found[c], way) for c in CONTROLS), key=np.mean) for way in ways]
        excess = {way: _figure([each]) for way, each in zip(ways, beyond, strict=True)}
        both = _figure(beyond)
        power, shown = figures.power(both, WORTH)
        told.append(Arm(arm, gain, excess, both, harm, _tokens(mine, trial), power, shown, _verdict(both, harm)))
    return Verdict((a, b), len(trial.seeds), _pairs(found), tuple(told))


def _load(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path) as found:
        return {name: found[name] for name in found.files}


def _pairs(found: Mapping[str, Mapping[str, NDArray[Any]]]) -> int:
    first = next(iter(found.values()))
    return len(next(values for name, values in first.items() if name.startswith("size own")))


def _tokens(mine: Mapping[str, NDArray[Any]], trial: Trial) -> int:
    return int(mine["tokens"]) // len(trial.seeds)


def _gain(mine: Mapping[str, NDArray[Any]], way: str) -> Array:
    """Return (S, n) what each sentence adds to the bits per byte of a gain: their mean is the gain of a model."""
    size = mine[f"size own {way}"]
    return np.asarray((mine[f"wrong {way}"] - mine[f"own {way}"]) / size.mean())


def _alone(mine: Mapping[str, NDArray[Any]], lang: str) -> Array:
    return np.asarray(mine[f"alone {lang}"] / mine[f"size alone {lang}"].mean())


def _figure(each: Sequence[Array]) -> Figure:
    """Return the mean of (S, n) numbers with an interval; of several kinds on the same sentences, of their means."""
    return figures.over([np.mean(np.stack(each), axis=0)])


def _verdict(beyond: Figure, harm: Figure) -> Said:
    if harm.low > WORTH:
        return "harms"
    if beyond.value >= WORTH and beyond.low > 0 and harm.value <= WORTH:
        return "pays"
    return "not shown at this size"
