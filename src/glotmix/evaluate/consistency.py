"""Does a model say the same in every language? MuBench's multilingual consistency, and the correction that it needs.

For languages a and b with answers c and c' to N aligned items (arXiv 2506.19468):

- ``MLC(a, b) = (1/N) sum_i 1[c_i = c'_i]``, right or wrong alike; ``Rel-MLC = MLC / mean(ACC_a, ACC_b)``.
- A model that always answers one class agrees with itself. Agreement by chance is ``e = sum_k P_a(k) P_b(k)``, from how
  often each language takes option k; ``kappa = (MLC - e) / (1 - e)`` (Cohen 1960) is what is left. It is undefined,
  never 0, where e = 1.
- MLC splits into both right and the same wrong; the rest differs.

Rel-MLC rewards inaccurate models: it is told, nothing is ranked by it. An answer that could not be read agrees with
none, not even with another that could not be read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from glotmix.evaluate.answers import MISSING, Grid
from glotmix.evaluate.intervals import DRAWS, Array, between, weights, wilson
from glotmix.native.threads import one_thread

_CLASSES = 64
"""Classes whose marginals are drawn. Open answers may have thousands: those beyond the most frequent keep the share
that was seen, and what they add to chance agreement is next to nothing."""
_ONE = 1e-6
"""How near to 1 chance agreement counts as 1: the weights of a draw are single-precision numbers."""
_PAIRS = 512
"""Pairs that are looked at together."""


@dataclass(frozen=True)
class Figure:
    """A number with its interval of 95 %; None where it is undefined or has none."""

    value: float | None
    low: float | None = None
    high: float | None = None


def told(figure: Figure | None, sign: str = "") -> str:
    """Write a figure with its interval; a dash is what is not there.

    >>> told(Figure(0.5, 0.4, 0.6)), told(None)
    ('0.500 [0.40 0.60]', '–')
    """
    if figure is None or figure.value is None:
        return "–"
    value, *ends = (None if x is None else round(x, 3) + 0.0 for x in (figure.value, figure.low, figure.high))
    return f"{value:{sign}.3f}" + ("" if None in ends else f" [{ends[0]:.2f} {ends[1]:.2f}]")


@dataclass(frozen=True)
class Pair:
    """Two languages: what they agree on. Shares of the items; `kappa` and `rel` may be undefined."""

    a: str
    b: str
    mlc: Figure
    chance: float
    kappa: Figure
    rel: Figure
    both_right: Figure | None
    same_wrong: Figure | None
    different: Figure


@dataclass(frozen=True)
class Summary:
    """Means over pairs: of all languages, or of the pivot with each other one."""

    pairs: int
    mlc: Figure
    chance: Figure
    kappa: Figure
    rel: Figure


@dataclass(frozen=True)
class Moments:
    """What everything else is computed from, for the data (no leading axis) or for each draw (a leading axis).

    Args:
        agree: (…, P) share of items on which a pair agrees.
        right: (…, L) accuracy.
        marginal: (…, L, K) share of each class among a language's answers.
        gold: (…, K) share of each class among the right answers.
        rest: (P,) chance agreement on the classes beyond K.
    """

    agree: Array
    right: Array
    marginal: Array
    gold: Array
    rest: Array

    def chance(self, a: npt.NDArray[np.intp], b: npt.NDArray[np.intp]) -> Array:
        """Return (…, P) chance agreement."""
        total = self.rest + np.zeros_like(self.agree)
        for k in range(self.marginal.shape[-1]):
            total += self.marginal[..., a, k] * self.marginal[..., b, k]
        return total

    def null(self) -> Array:
        """Return (…, L) the accuracy of a language's own answers, shuffled over the items."""
        return np.asarray(np.einsum("...lk,...k->...l", self.marginal, self.gold))


@dataclass(frozen=True)
class Measured:
    """Moments of a grid and of its draws, with the pairs (positions of languages) that they are of."""

    grid: Grid
    a: npt.NDArray[np.intp]
    b: npt.NDArray[np.intp]
    point: Moments
    draws: Moments


def pairs_of(langs: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the positions of the first and of the second language of every pair."""
    both = np.array(list(combinations(range(langs), 2)), dtype=np.intp).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def measure(grid: Grid, draws: int = DRAWS, seed: int = 0) -> Measured:
    """Compute the moments of a grid, once for the data and once for each draw of the bootstrap over items."""
    a, b = pairs_of(len(grid.langs))
    items, langs = grid.choice.shape
    codes, classes, rest = _classes(grid, a, b)
    gold = np.where(grid.gold == MISSING, MISSING, codes[1])
    choice = codes[0]
    worth = grid.correct if grid.worth is None else grid.worth
    columns = len(a) + langs + langs * classes + classes
    sums = np.zeros((draws, columns))
    total = np.zeros((draws, 1))
    point = np.zeros(columns)
    # One thread: a sum in another order would be another number.
    with one_thread():
        for block, drawn in weights(items, draws, seed):
            part = _indicators(choice[block], worth[block], gold[block], grid.choice[block], a, b, classes)
            point += part.sum(axis=0, dtype=np.float64)
            sums += drawn @ part
            total += drawn.sum(axis=1, dtype=np.float64)[:, None]
    return Measured(
        grid,
        a,
        b,
        _moments(point / items, len(a), langs, classes, rest),
        _moments(sums / total, len(a), langs, classes, rest),
    )


def _classes(
    grid: Grid, a: npt.NDArray[np.intp], b: npt.NDArray[np.intp]
) -> tuple[tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]], int, Array]:
    """Number answers by how often they are given; those beyond `_CLASSES` become `MISSING`, their chance constant."""
    most = int(max(grid.choice.max(initial=0), grid.gold.max(initial=0))) + 1
    if most <= _CLASSES:
        return (grid.choice, grid.gold), most, np.zeros(len(a))
    counts = np.bincount(grid.choice[grid.choice != MISSING], minlength=most)
    rank = np.empty(most, np.int32)
    rank[np.lexsort((np.arange(most), -counts))] = np.arange(most, dtype=np.int32)
    marginal = np.stack([np.bincount(c[c != MISSING], minlength=most) / len(c) for c in grid.choice.T])[
        :, rank >= _CLASSES
    ]
    rest = np.array([marginal[i] @ marginal[j] for i, j in zip(a, b, strict=True)])

    def numbered(codes: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        found = rank[codes]
        return np.where((codes == MISSING) | (found >= _CLASSES), MISSING, found).astype(np.int32)

    return (numbered(grid.choice), numbered(grid.gold)), _CLASSES, rest


def _indicators(
    choice: npt.NDArray[np.int32],
    worth: npt.NDArray[np.float32] | npt.NDArray[np.bool_],
    gold: npt.NDArray[np.int32],
    answers: npt.NDArray[np.int32],
    a: npt.NDArray[np.intp],
    b: npt.NDArray[np.intp],
    classes: int,
) -> npt.NDArray[np.float32]:
    """Return (items, P + L + L K + K) numbers from 0 to 1 whose weighted means are the moments."""
    items, langs = choice.shape
    out = np.empty((items, len(a) + langs + langs * classes + classes), np.float32)
    for start in range(0, len(a), _PAIRS):
        part = slice(start, min(start + _PAIRS, len(a)))
        left, right = answers[:, a[part]], answers[:, b[part]]
        out[:, part] = (left == right) & (left != MISSING)
    at = len(a)
    out[:, at : at + langs] = worth
    at += langs
    kinds = np.arange(classes, dtype=np.int32)
    out[:, at : at + langs * classes] = (choice[:, :, None] == kinds).reshape(items, -1)
    out[:, at + langs * classes :] = gold[:, None] == kinds
    return out


def _moments(flat: Array, pairs: int, langs: int, classes: int, rest: Array) -> Moments:
    at = pairs + langs
    return Moments(
        flat[..., :pairs],
        flat[..., pairs:at],
        flat[..., at : at + langs * classes].reshape(*flat.shape[:-1], langs, classes),
        flat[..., at + langs * classes :],
        rest,
    )


def kappa(agree: Array, chance: Array) -> Array:
    """Return ``(agree - chance) / (1 - chance)``, NaN where chance is 1.

    >>> kappa(np.array([0.862, 1.0]), np.array([0.862, 1.0]))
    array([ 0., nan])
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(chance > 1 - _ONE, np.nan, (agree - chance) / (1 - chance))


def relative(agree: Array, right: Array, a: npt.NDArray[np.intp], b: npt.NDArray[np.intp]) -> Array:
    """Return Rel-MLC, NaN where no answer of the two languages is right."""
    mean = (right[..., a] + right[..., b]) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(mean == 0, np.nan, agree / mean)


def figures(values: Array, draws: Array) -> list[Figure]:
    """Return each value with the percentile interval of its draws."""
    low, high = between(draws)
    return [figure(*each) for each in zip(np.ravel(values), np.ravel(low), np.ravel(high), strict=True)]


def figure(value: float, low: float | None = None, high: float | None = None) -> Figure:
    """Return a figure; NaN becomes None."""
    return Figure(*(None if x is None or np.isnan(x) else float(x) for x in (value, low, high)))


def shares(hits: npt.NDArray[np.int64], n: int) -> list[Figure]:
    """Return plain shares with Wilson's intervals."""
    return [figure(h / n, low, high) for h, low, high in zip(hits, *wilson(hits, n), strict=True)]


def pairs(measured: Measured) -> list[Pair]:
    """Return every pair of languages; none where there was nothing to choose."""
    if measured.grid.single:
        return []
    grid, a, b, point, draws = measured.grid, measured.a, measured.b, measured.point, measured.draws
    n = len(grid.items)
    same = np.rint(point.agree * n).astype(np.int64)
    both = np.array([np.count_nonzero(grid.correct[:, i] & grid.correct[:, j]) for i, j in zip(a, b, strict=True)])
    # Open answers may be right in two languages and written differently: those are right, and not the same.
    agreed = np.array(
        [
            np.count_nonzero(
                grid.correct[:, i]
                & grid.correct[:, j]
                & (grid.choice[:, i] == grid.choice[:, j])
                & (grid.choice[:, i] != MISSING)
            )
            for i, j in zip(a, b, strict=True)
        ]
    )
    chance = point.chance(a, b)
    kappas = figures(kappa(point.agree, chance), kappa(draws.agree, draws.chance(a, b)))
    for p in np.flatnonzero(same == n):
        # All agree: no draw differs, and only Wilson's interval knows that n is finite.
        if kappas[p].value is not None:
            low = float(wilson(n, n)[0])
            kappas[p] = figure(1.0, (low - chance[p]) / (1 - chance[p]), 1.0)
    rels = figures(relative(point.agree, point.right, a, b), relative(draws.agree, draws.right, a, b))
    mlc, different = shares(same, n), shares(n - same, n)
    right, wrong = shares(both, n), shares(same - agreed, n)
    known = grid.worth is not None
    return [
        Pair(
            grid.langs[i], grid.langs[j], mlc[p], float(chance[p]), kappas[p], rels[p] if known else Figure(None),
            right[p] if grid.judged else None, wrong[p] if grid.judged else None, different[p],
        )
        for p, (i, j) in enumerate(zip(a, b, strict=True))
    ]  # fmt: skip


@dataclass(frozen=True)
class Series:
    """A summary's value and its draws, before they become figures: for means over tasks and differences of models."""

    values: dict[str, float]
    draws: dict[str, Array]


def series(measured: Measured, pivot: str | None = None) -> Series:
    """Return the means over all pairs, or over those with the pivot: ``mlc, chance, kappa, rel``, and ``accuracy``.

    A pair whose kappa is undefined stands in no mean of kappa; where there was nothing to choose, accuracy is all.
    """
    chosen = _with(measured, pivot)
    a, b = measured.a[chosen], measured.b[chosen]
    values: dict[str, float] = {}
    draws: dict[str, Array] = {}
    for moments, told in ((measured.point, values), (measured.draws, draws)):
        agree, chance = moments.agree[..., chosen], moments.chance(measured.a, measured.b)[..., chosen]
        if measured.grid.single:
            agree, chance = np.full_like(agree, np.nan), np.full_like(chance, np.nan)
        known = measured.grid.worth is not None
        every = {
            "mlc": agree,
            "chance": chance,
            "kappa": kappa(agree, chance),
            "rel": relative(agree, moments.right, a, b) if known else np.full_like(agree, np.nan),
            "accuracy": moments.right if known else np.full_like(moments.right, np.nan),
        }
        for name, array in every.items():
            told[name] = _mean(array)  # type: ignore[assignment]
    return Series(values, draws)


def summary(told: Series, pairs: int, items: int) -> Summary:
    """Return a series as figures; `items` is how many it was measured on, at least."""
    mlc, chance, kappa, rel = (of(told, name) for name in ("mlc", "chance", "kappa", "rel"))
    if told.values["mlc"] == 1:
        # All agree on all items: see `pairs`.
        low = float(wilson(items, items)[0])
        mlc = Figure(1.0, low, 1.0)
        if kappa.value is not None and chance.value is not None:
            kappa = Figure(1.0, (low - chance.value) / (1 - chance.value), 1.0)
    return Summary(pairs, mlc, chance, kappa, rel)


def of(told: Series, name: str) -> Figure:
    """Return one number of a series with its interval."""
    return figures(np.array([told.values[name]]), told.draws[name][:, None])[0]


def count(measured: Measured, pivot: str | None = None) -> int:
    """Return over how many pairs a mean is."""
    return 0 if measured.grid.single else int(_with(measured, pivot).sum())


def over(tasks: Sequence[Series]) -> Series:
    """Return the plain mean over tasks; their draws are independent."""
    names = tasks[0].values
    return Series(
        {n: float(_mean(np.array([t.values[n] for t in tasks]))) for n in names},
        {n: _mean(np.stack([t.draws[n] for t in tasks], axis=-1)) for n in names},
    )


def _with(measured: Measured, pivot: str | None) -> npt.NDArray[np.bool_]:
    if pivot is None:
        return np.ones(len(measured.a), bool)
    at = measured.grid.langs.index(pivot)
    there: npt.NDArray[np.bool_] = (measured.a == at) | (measured.b == at)
    return there


def _mean(values: Array) -> Array:
    """Return the mean over the last axis of what is defined; NaN where nothing is."""
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        mean: Array = np.where(there, values, 0.0).sum(axis=-1) / there.sum(axis=-1)
    return mean
