"""Which law speaks for these subsets, and how sure what it says is: held-out subsets, draws, and the discrepancy.

As for mixtures (`glotmix.mix.worlds`): an interval holds what other subsets might have said, and by how far held-out
subsets were from what the law said of them. The latter grows with the distance of two sets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from glotmix.combine.cells import Cells
from glotmix.combine.laws import LAWS, Fitted, again
from glotmix.core.errors import DataError
from glotmix.mix.accounting import Array
from glotmix.mix.law_fit import Score
from glotmix.mix.worlds import SURE, hellinger
from glotmix.native.threads import one_thread

Rows: TypeAlias = NDArray[np.int64]

FOLDS = 8
DRAWS = 100
_CHANCE = 1.645
"""One-sided, 5 %."""


@dataclass(frozen=True, eq=False)
class Judged:
    """The laws on subsets that they were not fitted to, and the one that is chosen, fitted to all.

    Args:
        chosen: the law of the least held-out error.
        fitted: both, by name.
        scores: of both, by rising error.
        draws: the chosen law, fitted to subsets drawn with replacement.
        slack: standard deviation, per unit of the Hellinger distance of two sets, of what no law knows of their
            difference.
        speaks: whether the chosen law ranks held-out subsets better than chance, and beats their mean beyond it.
    """

    chosen: Fitted
    fitted: Mapping[str, Fitted]
    scores: tuple[Score, ...]
    draws: tuple[Fitted, ...]
    slack: float
    speaks: bool

    def gain(self, one: Array, other: Array) -> tuple[float, float, float]:
        """Return by how much less loss a set is predicted to have than another, with its 95 % interval: (J,), (J,)."""
        both = np.vstack([one, other])
        value = float(np.diff(self.chosen.worth(both)[::-1])[0])
        drawn = np.array([float(np.diff(each.worth(both)[::-1])[0]) for each in self.draws])
        apart = float(hellinger(_shares(one)[None], _shares(other))[0])
        reach = SURE * float(np.sqrt(drawn.var() + (self.slack * apart) ** 2))
        return value, value - reach, value + reach


@one_thread()
def judge(cells: Cells, blocks: Array, losses: Array, draws: int = DRAWS, seed: int = 0, law: str = "auto") -> Judged:
    """Fit both laws, and choose between them by held-out subsets.

    Args:
        cells: J of them.
        blocks: (n, J) subsets.
        losses: (n,) measured.
        draws: of the subsets, for intervals.
        seed: of folds and draws.
        law: that chooses; ``auto`` for the better one on held-out subsets.

    Raises:
        DataError: for fewer than 16 subsets.
    """
    if len(losses) < 2 * FOLDS:
        raise DataError(
            f"{len(losses)} subsets cannot be held out and fitted to", f"select.combinations.subsets={2 * FOLDS}"
        )
    y = np.asarray(losses, np.float64)
    fold = np.random.default_rng([seed, 32]).permutation(len(y)) % FOLDS
    predicted = {law: held_out(law, cells, blocks, y, fold) for law in LAWS}
    scores = tuple(sorted((_score(law, found, y, fold) for law, found in predicted.items()), key=lambda s: s.rms))
    fitted = {law: fit(cells, blocks, y) for law, fit in LAWS.items()}
    best = scores[0] if law == "auto" else next(one for one in scores if one.law == law)
    rng = np.random.default_rng([seed, 33])
    rows = [rng.integers(0, len(y), len(y)) for _ in range(draws)]
    speaks = best.beats_mean and best.rank is not None and best.rank > _CHANCE / np.sqrt(len(y) - 1)
    return Judged(
        fitted[best.law], fitted, scores, tuple(again(fitted[best.law], blocks[r], y[r]) for r in rows),
        slack(predicted[best.law] - y, blocks), bool(speaks),
    )  # fmt: skip


@one_thread()
def held_out(law: str, cells: Cells, blocks: Array, losses: Array, fold: Rows) -> Array:
    """Return the loss of each subset as the law says that was fitted to the other folds, (n,)."""
    found = np.empty(len(losses))
    for one in np.unique(fold):
        out = fold == one
        found[out] = -LAWS[law](cells, blocks[~out], losses[~out]).worth(blocks[out])
    return found


def slack(errors: Array, blocks: Array) -> float:
    """Return the discrepancy: root mean square of errors of held-out differences over that of the sets' distances.

    Args:
        errors: (n,) predicted less measured losses.
        blocks: (n, J) the subsets.
    """
    one, other = np.triu_indices(len(errors), 1)
    between = errors[one] - errors[other]
    shares = _shares(blocks)
    apart = hellinger(shares[one], shares[other])
    return float(np.sqrt((between**2).mean() / max((apart**2).mean(), 1e-12)))


def _shares(blocks: Array) -> Array:
    found: Array = blocks / np.maximum(blocks.sum(axis=-1, keepdims=True), 1e-12)
    return found


def _score(law: str, predicted: Array, y: Array, fold: Rows) -> Score:
    from scipy.stats import spearmanr

    errors = predicted - y
    # The mean is held out, too.
    mean = np.array([y[fold != fold[row]].mean() for row in range(len(y))])
    better = (mean - y) ** 2 - errors**2
    told = float(better.mean()) > _CHANCE * float(better.std(ddof=1)) / np.sqrt(len(y))
    flat = np.ptp(predicted) == 0 or np.ptp(y) == 0
    return Score(
        law, float(np.abs(errors).mean()), float(np.sqrt((errors**2).mean())), float(np.abs(mean - y).mean()),
        None if flat else float(spearmanr(predicted, y).statistic), len(y), bool(told),
    )  # fmt: skip
