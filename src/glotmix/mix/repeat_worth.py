"""What repeated text is worth, from runs that repeat: R*, for each size of the proxies."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.config import CAP
from glotmix.mix.law_fit import fit
from glotmix.mix.laws import law
from glotmix.mix.repeats import WORTH
from glotmix.mix.runs import Runs

_GRID = (1.0, 2.0, 4.0, 8.0, WORTH, 30.0, 60.0)
_LEAST = 12
"""Fewer mixtures of one size that repeat anything say nothing of repeats."""
_SURE = 1.645


@dataclass(frozen=True)
class RepeatWorth:
    """R* at one size.

    Args:
        parameters: of the proxies; None where it is not known.
        rate: R*, the one of a grid under which laws of the own share miss least.
        low: the least of the grid that the runs do not rule out (one-sided, 5 %, mixtures as units).
        high: the greatest.
        runs: how many mixtures repeat a language.
    """

    parameters: float | None
    rate: float
    low: float
    high: float
    runs: int


def estimate(runs: Runs) -> tuple[RepeatWorth, ...]:
    """Estimate R* at every size whose runs repeat a language, by the misses of a law of the own share on a grid.

    Muennighoff et al. (2023) found 15 for models of 10M to 9B parameters; smaller ones may get less of repeats, so that
    what proxies say is asked, not assumed.
    """
    if runs.unique is None or runs.tokens is None:
        return ()
    sizes = [None] if runs.parameters is None else sorted(set(map(float, runs.parameters)))
    found = []
    for size in sizes:
        mine = runs if size is None else runs.take(np.flatnonzero(runs.parameters == size))
        mine = mine.take(mine.main())
        repeating = int(np.sum(np.any(_epochs(mine) > 1.5, axis=1)))
        targets = [t for t in mine.targets if mine.own(t) is not None]
        if repeating < _LEAST or not targets:
            continue
        misses = np.array([_misses(replace(mine, repeats=rate), targets) for rate in _GRID])
        best = int(misses.mean(axis=1).argmin())
        worse = misses - misses[best]
        spread = worse.std(axis=1, ddof=1) / np.sqrt(worse.shape[1])
        able = [rate for rate, more, sd in zip(_GRID, worse.mean(axis=1), spread, strict=True) if more <= _SURE * sd]
        found.append(RepeatWorth(size, _GRID[best], min(able), max(able), repeating))
    return tuple(found)


def cap(measured: Sequence[RepeatWorth]) -> float:
    """Return how often a token may be seen at most, by what repeats were found to be worth.

    Text that was seen R* times more is worth little again; the least R* of the sizes counts, because smaller models get
    less of repeats. 4 where fewer than two sizes say it; 15 (Muennighoff et al. 2023) at most.

    >>> two = [RepeatWorth(1e5, 8.0, 4.0, 15.0, 20), RepeatWorth(2e5, 30.0, 8.0, 60.0, 20)]
    >>> cap(two), cap(two[:1])
    (8.0, 4.0)
    """
    if len(measured) < 2:
        return CAP
    return float(np.clip(min(one.rate for one in measured), CAP, WORTH))


def discounted(runs: Runs) -> Runs:
    """Return the runs with R* as they say, where they rule Muennighoff's 15 out; else as they are."""
    main = None if runs.parameters is None else float(runs.parameters[runs.main()[0]])
    told = next((one for one in estimate(runs) if one.parameters == main), None)
    if told is None or told.low <= WORTH <= told.high:
        return runs
    return replace(runs, repeats=told.rate)


def _epochs(runs: Runs) -> Array:
    assert runs.unique is not None and runs.tokens is not None
    return np.asarray(runs.shares * runs.tokens[:, None] / np.maximum(runs.unique, 1e-9))


def _misses(runs: Runs, targets: list[str]) -> Array:
    """Squared miss of the log loss, mean of the targets, of every run: shape (n,)."""
    by = law("own_share")
    worth = runs.worth()
    off = [np.log(fit(runs, t, by).predict(worth) / runs.loss(t)) ** 2 for t in targets]
    # One run that starves a language shall not decide it.
    each = np.array(off)
    return np.asarray(np.minimum(each, np.quantile(each, 0.9, axis=1, keepdims=True)).mean(axis=0))
