"""Who helps whom: what a token of each language is worth to each other one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.laws import PowerLaw, knows_budgets
from glotmix.mix.repeats import Repeats
from glotmix.mix.uncertainty import LEVEL


@dataclass(frozen=True)
class Figure:
    """A number with its 95 % interval, None without a bootstrap."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Pair:
    """Two languages that do not help each other alike: `value` is what `donor` gives `other` less what it gets."""

    donor: str
    other: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Transfer:
    """What a token of one language is worth to another, in tokens of the other's own.

    Args:
        languages: in an order in which languages that help each other stand together.
        laws: the law that speaks for each.
        worth: `worth[i][j]` is ∂r̃_i/∂r_j at the chosen mixture: what a token of language j does for the loss of i, in
            tokens of i. The diagonal is 1 in linear laws.
        gives: by language, the mean of what it gives each other one.
        receives: the mean of what each other one gives it.
        asymmetric: pairs whose interval of the difference leaves zero, the largest difference first.
    """

    languages: tuple[str, ...]
    laws: tuple[str, ...]
    worth: tuple[tuple[Figure, ...], ...]
    gives: tuple[Figure, ...]
    receives: tuple[Figure, ...]
    asymmetric: tuple[Pair, ...]


def worths(laws: Sequence[PowerLaw], positions: Sequence[int], shares: Array, repeats: Repeats) -> Array:
    """∂r̃_i/∂r_j between languages at one mixture, repeats left out, shape (t, t).

    Args:
        laws: a law of the form `E + B r̃^−β` for each language.
        positions: where each stands among the shares.
        shares: shape (m,).
        repeats: what the drawn shares are worth.
    """
    worth = repeats.worth(shares)[None]
    slopes = [law.ratio_slope(shares[None] if knows_budgets(law) else worth)[0] for law in laws]
    return np.array(slopes)[:, list(positions)]


def transfer(names: Sequence[str], laws: Sequence[str], point: Array, drawn: Array | None) -> Transfer:
    """Order, summarise and bound a matrix of transfer.

    Args:
        names: the languages.
        laws: the law that speaks for each.
        point: `worths` of the laws fitted to all runs, shape (t, t).
        drawn: the same of every draw of the bootstrap, shape (draws, t, t).
    """
    order = _order(point)
    point = point[np.ix_(order, order)]
    drawn = None if drawn is None else drawn[:, order][:, :, order]
    languages = tuple(names[i] for i in order)
    t = len(order)
    off = ~np.eye(t, dtype=bool)

    def figures(of: Array, samples: Array | None) -> tuple[Figure, ...]:
        if samples is None:
            return tuple(Figure(float(v), None, None) for v in of)
        low, high = np.quantile(samples, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        return tuple(Figure(float(v), float(a), float(b)) for v, a, b in zip(of, low, high, strict=True))

    def mean(of: Array, axis: int) -> Array:
        return np.asarray((of * off).sum(axis=axis) / max(t - 1, 1))

    return Transfer(
        languages=languages,
        laws=tuple(laws[i] for i in order),
        worth=tuple(figures(point[i], None if drawn is None else drawn[:, i]) for i in range(t)),
        gives=figures(mean(point, 0), None if drawn is None else mean(drawn, 1)),
        receives=figures(mean(point, 1), None if drawn is None else mean(drawn, 2)),
        asymmetric=() if drawn is None else _asymmetric(languages, point, drawn),
    )


def _order(worth: Array) -> list[int]:
    """Order languages so that those that help each other are neighbours (average linkage, optimal leaves)."""

    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    t = len(worth)
    if t < 3:
        return list(range(t))
    both = np.log(np.maximum(worth, 1e-4))
    both = 0.5 * (both + both.T)
    apart = both.max() - both
    np.fill_diagonal(apart, 0.0)
    return [int(i) for i in leaves_list(linkage(squareform(apart, checks=False), "average", optimal_ordering=True))]


def _asymmetric(languages: Sequence[str], point: Array, drawn: Array) -> tuple[Pair, ...]:
    differences = drawn.transpose(0, 2, 1) - drawn
    low, high = np.quantile(differences, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    pairs = []
    # Entry (i, j): what i gives j (worth[j, i]) less what it gets of it (worth[i, j]).
    value = point.T - point
    for i, donor in enumerate(languages):
        for j, other in enumerate(languages):
            if i != j and value[i, j] > 0 and low[i, j] > 0:
                pairs.append(Pair(donor, other, float(value[i, j]), float(low[i, j]), float(high[i, j])))
    return tuple(sorted(pairs, key=lambda p: (-p.value, p.donor, p.other)))
