"""What to make of a mixture that the rule found: in words and numbers, and whether further runs may change it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glotmix.mix import evidence, rule
from glotmix.mix.doubts import Doubt
from glotmix.mix.law_fit import Choice, judged_on
from glotmix.mix.runs import Runs
from glotmix.mix.solve import Goal
from glotmix.mix.transfer import Figure
from glotmix.mix.uncertainty import Gain
from glotmix.mix.worlds import SURE, Worlds, seed_noise


@dataclass(frozen=True)
class Verdict:
    """What the runs say of the choice, in words and numbers.

    Args:
        said: in a sentence or two.
        proven: whether the mixture taken is better than the prior beyond its 95 % interval; if not, it is the prior.
        way: part of the way from the prior to the mixture found that is proven, and gone: 0 to 1.
        prior: the name of what is taken without proof.
        gain: predicted gain of the mixture taken over the prior, with its 95 % interval; where the prior is taken, of
            the mixture found.
        best: the mixture found, by language, whether it is taken or not.
        noise: standard deviation of the objective between seeds of one run: mixtures nearer than this are as good.
        as_good: baselines that the runs cannot tell from the mixture taken.
        worse: languages that the mixture of the gain is predicted to harm, against the prior.
        settled: whether further runs are not expected to change the choice: by a tenth of the noise, nor by proving a
            gain that is above the noise; None if not asked.
    """

    said: str
    proven: bool
    way: float
    prior: str
    gain: Figure
    best: Mapping[str, float]
    noise: float
    as_good: tuple[str, ...]
    worse: tuple[str, ...]
    settled: bool | None


def noise_of(runs: Runs, choices: Sequence[Choice], goal: Goal) -> float:
    """Return the standard deviation of the objective between seeds of one run.

    Where it was not measured: how far the averaged laws are from held-out runs, which is more.
    """
    if (measured := seed_noise(runs, goal)) is not None:
        return measured
    rows = judged_on(runs)
    predicted = runs.losses[rows] + np.column_stack([c.residuals for c in choices])
    return float(np.sqrt(np.mean((goal.score(predicted) - goal.score(runs.losses[rows])) ** 2)))


def changes(drawn: Worlds, found: rule.Chosen) -> list[Figure]:
    """Say how each target's loss is predicted to change from the prior to the mixture that the gain is of."""
    both = np.array([found.prior, found.judged])
    expected, each = drawn.point.losses(both), drawn.losses(both)
    change = expected[1] - expected[0]
    # What no law knows of a mean of t targets is √t times as much of one of them.
    beyond = drawn.doubt(found.judged[None], found.prior)[0] * np.sqrt(len(change))
    sd = np.sqrt((each[:, 1] - each[:, 0]).var(axis=0) + beyond**2)
    return [Figure(float(c), float(c - SURE * s), float(c + SURE * s)) for c, s in zip(change, sd, strict=True)]


def verdict_of(
    runs: Runs,
    prior: str,
    found: rule.Chosen,
    won: Sequence[Gain],
    changed: Sequence[Figure],
    noise: float,
    doubted: Sequence[Doubt],
    further: Sequence[evidence.NextRun],
) -> Verdict:
    """Put what was found into words, and say whether further runs may change it."""
    gain = Figure(*found.gain)
    proven = found.proven and not doubted
    as_good = tuple(g.over for g in won if not g.told_apart and g.over != prior)
    worse = tuple(t for t, c in zip(runs.targets, changed, strict=True) if c.low is not None and c.low > 0)
    figure = f"{gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
    if doubted:
        said = f"The runs cannot say whether any mixture is better than {prior}: see the warnings. It is taken."
    elif proven:
        said = f"The mixture is predicted to gain {figure} over {prior}."
        if found.way < 1:
            said += (
                f" It goes {found.way:.0%} of the way to the best one found, predicted to gain {found.whole:+.4f}: of "
                "more of the way no gain is proven."
            )
        if as_good:
            said += f" As good, as far as the runs can tell: {', '.join(as_good)}."
        if worse:
            said += f" Worse than under {prior}: {', '.join(worse[:8])}."
    else:
        said = (
            f"No mixture is shown to be better than {prior}, which is taken: the best found is predicted to gain "
            f"{figure} over it."
        )
        if as_good:
            said += f" Any of these is as good, as far as the runs can tell: {', '.join(as_good)}."
    best = {lang: float(r) for lang, r in zip(runs.domains, found.best, strict=True)}
    # Seeds of the mixture found and of the prior prove a gain that is larger than the noise of one.
    open_ = found.whole - (gain.value if proven else 0.0) > noise
    settled = not open_ and max(run.gain for run in further) < 0.1 * noise if further else None
    return Verdict(said, proven, found.way if proven else 0.0, prior, gain, best, noise, as_good, worse, settled)
