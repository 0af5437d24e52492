"""Documents that may be each other's translations: vectors of whole documents, and the nearest in another language.

A document's vector is the sum of its sentences' vectors, each times the logarithm of its bytes, less the mean of its
language. Two documents are candidates where each is the other's best by the margin

    m(x, y) = cos(x, y) − (r(x) + r(y)) / 2

with r the mean cosine to the k = 4 nearest documents of the other language (Artetxe & Schwenk 2019, the margin called
*distance*; their ratio has no meaning where cosines of centred vectors are near zero). The null is what comes next: the
candidates that there would be if none of these had been there, brought to where the first of many would lie by chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from glotmix.align.sentences import MOST
from glotmix.core.sentences import cut
from glotmix.embed.protocol import Embedder

VERSION = 1

NEIGHBOURS = 4
"""Documents that a margin is measured against."""

KEPT = 8
"""Nearest documents, by cosine, among which the best by margin is looked for."""

BLOCK = 2_048
"""Documents whose cosines with as many others are in memory at once."""

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def vectors(texts: Sequence[str], lang: str, embedder: Embedder) -> Floats:
    """Return (n, width) vectors of documents of one language, at length one; zero where the embedder knows nothing."""
    return summed([cut(text, lang, MOST) for text in texts], embedder)


def summed(split: Sequence[Sequence[str]], embedder: Embedder) -> Floats:
    """Return the vectors of documents that are cut into sentences already."""
    flat = [s for one in split for s in one]
    found = np.zeros((len(split), embedder.width), np.float32)
    if flat:
        weights = np.log1p(np.array([len(s.encode()) for s in flat], np.float32))
        each = embedder.embed(flat) * weights[:, None]
        filled = np.array([len(one) for one in split])
        starts = np.cumsum(filled) - filled
        found[filled > 0] = np.add.reduceat(each, starts[filled > 0], axis=0)
    return unit(found)


def unit(given: Floats) -> Floats:
    """Return vectors at length one; those of no length stay zero."""
    lengths = np.linalg.norm(given, axis=1, keepdims=True)
    made: Floats = np.divide(given, lengths, out=np.zeros_like(given), where=lengths > 0)
    return made


def centred(given: Floats) -> Floats:
    """Return the vectors of one language less their mean, at length one."""
    there = np.abs(given).sum(axis=1) > 0
    moved = given - given[there].mean(axis=0) if there.any() else given
    return unit(np.where(there[:, None], moved, 0).astype(np.float32))


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pairs of documents: places in the one language and in the other, their margins, largest first."""

    one: Ints
    other: Ints
    margins: Floats


def candidates(one: Floats, other: Floats) -> tuple[Candidates, Candidates]:
    """Return the documents that are each other's best, and the null: those that would be if these were not there.

    Args:
        one: (n, w) centred vectors of a language; may be a memory map.
        other: (m, w) of another.
    """
    rows, columns = nearest(one, other, min(KEPT, len(other), len(one)))
    edges = _edges(rows, columns)
    r, c = _means(rows[1]), _means(columns[1])
    margins = (edges[2] - (r[edges[0]] + c[edges[1]]) / 2).astype(np.float32)
    graph: Graph = (edges[0], edges[1], margins)
    first, graph = _mutual(graph, len(one), len(other))
    second, graph = _mutual(graph, len(one), len(other))
    third, _ = _mutual(graph, len(one), len(other))
    return first, Candidates(second.one, second.other, second.margins + _gap(second.margins, third.margins))


def _gap(second: Floats, third: Floats) -> np.float32:
    """Return by how much what comes first by chance lies above what comes second.

    The largest of many draws is apart from the second by a mean that is twice that of the second from the third, where
    their tail is exponential (Rényi 1953); both are taken over the upper tenth.
    """
    if not len(second) or not len(third):
        return np.float32(0)
    few = max(1, min(len(second), len(third)) // 10)
    return np.float32(max(0.0, 2 * float(second[:few].mean() - third[:few].mean())))


def nearest(one: Floats, other: Floats, k: int) -> tuple[tuple[Ints, Floats], tuple[Ints, Floats]]:
    """Return the k nearest of each, block by block: places (n, k) and cosines, nearest first; and (m, k) of the other.

    Equal cosines are told apart by their place, so that the size of a block changes nothing.
    """
    rows = (np.full((len(one), k), -1, np.int64), np.full((len(one), k), -np.inf, np.float32))
    columns = (np.full((len(other), k), -1, np.int64), np.full((len(other), k), -np.inf, np.float32))
    for a in range(0, len(one), BLOCK):
        mine = np.asarray(one[a : a + BLOCK])
        for b in range(0, len(other), BLOCK):
            cosines = mine @ np.asarray(other[b : b + BLOCK]).T
            _merge(rows, slice(a, a + len(mine)), cosines, b)
            _merge(columns, slice(b, b + cosines.shape[1]), np.ascontiguousarray(cosines.T), a)
    return rows, columns


def _merge(held: tuple[Ints, Floats], at: slice, cosines: Floats, begin: int) -> None:
    """Put the nearest of a block among those that are held, in place."""
    k = held[0].shape[1]
    few = min(k, cosines.shape[1])
    places = _largest(cosines, few)
    values = np.concatenate([held[1][at], np.take_along_axis(cosines, places, axis=1)], axis=1)
    names = np.concatenate([held[0][at], places + begin], axis=1)
    order = np.lexsort((names, -values), axis=1)[:, :k]
    held[0][at] = np.take_along_axis(names, order, axis=1)
    held[1][at] = np.take_along_axis(values, order, axis=1)


def _largest(cosines: Floats, few: int) -> Ints:
    """Return the places of the `few` largest of each row, of equal ones the first: (n, few).

    The largest is looked for a few times over: of eight, that is six times as fast as to part each row in two.
    """
    left = cosines.copy()
    places = np.empty((len(cosines), few), np.int64)
    rows = np.arange(len(cosines))
    for column in range(few):
        places[:, column] = left.argmax(axis=1)
        left[rows, places[:, column]] = -np.inf
    return places


def _means(cosines: Floats) -> Floats:
    found: Floats = cosines[:, :NEIGHBOURS].mean(axis=1)
    return found


def _edges(rows: tuple[Ints, Floats], columns: tuple[Ints, Floats]) -> tuple[Ints, Ints, Floats]:
    """Return every pair that stands among the nearest of either: places and cosines."""
    n, m = len(rows[0]), len(columns[0])
    there = np.repeat(np.arange(n), rows[0].shape[1]) * m + rows[0].ravel()
    back = columns[0].ravel() * m + np.repeat(np.arange(m), columns[0].shape[1])
    keys, first = np.unique(np.concatenate([there, back]), return_index=True)
    cosines = np.concatenate([rows[1].ravel(), columns[1].ravel()])[first]
    return keys // m, keys % m, cosines


Graph: TypeAlias = tuple[Ints, Ints, Floats]
"""Pairs of documents: places in the one language and in the other, and their margins."""


def _mutual(graph: Graph, n: int, m: int) -> tuple[Candidates, Graph]:
    """Return the edges of a graph that are the best of both their ends, best first, and the graph without them."""
    one, other, margins = graph
    # The edges stand in the order of their ends, which a stable sort keeps among equals.
    order = np.argsort(-margins, kind="stable")
    best = [np.full(size, -1, np.int64) for size in (n, m)]
    for held, ends in zip(best, (one, other), strict=True):
        # The last to be written is the first of the order.
        held[ends[order[::-1]]] = order[::-1]
    both = (best[0][one[order]] == order) & (best[1][other[order]] == order)
    chosen, rest = order[both], np.sort(order[~both])
    return Candidates(one[chosen], other[chosen], margins[chosen]), (one[rest], other[rest], margins[rest])
