"""Sentences of two documents put side by side in order: a monotone alignment, 0–2 to 0–2.

The cost of a block of sentences x beside a block y is Vecalign's (Thompson & Koehn 2019, equation 4):

    c(x, y) = (1 − cos(x, y)) · n(x) · n(y) / (mean_s (1 − cos(x, y_s)) + mean_s (1 − cos(x_s, y)))

with sentences x_s, y_s of other documents in the same two languages: a sentence that is near to everything is near to
nothing. To this comes what a length costs that is far from what is usual between the two documents, after Gale & Church
(1993). A sentence that has no counterpart costs `SKIP`. Vecalign searches long documents coarse to fine; here all of
the table is filled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from glotmix.core.sentences import cut
from glotmix.embed.protocol import Embedder
from glotmix.native.monotone import cheapest

VERSION = 2

SKIP = 0.26
"""Cost of a sentence without a counterpart; two that are as near as any two cost 0.5 together. Chosen on documents of
NTREX that the embedder's development set holds (docs/align.md), never on those that are tested."""

LENGTH, SPREAD, FAR = 0.02, 0.35, 9.0
"""Cost of a length, times the squared deviations (of the logarithm) from what is usual between the documents, and the
greatest of these that counts."""

MIDDLE = 2
"""Sentences of a document that stay where they are when it is read backwards: a block of two holds them."""

MOST = 1_500
"""Sentences of a document that are aligned, from its beginning: the table grows with the square."""

MOVES = ((1, 1), (1, 0), (0, 1), (1, 2), (2, 1), (2, 2))
"""Sentences of the one and of the other that a step takes, those that are preferred at equal cost first."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sentences:
    """A document's sentences and their vectors.

    Args:
        texts: n sentences, in order.
        single: (n, w) their vectors, at length one.
        double: (n − 1, w) those of each two that follow each other.
    """

    texts: tuple[str, ...]
    single: Floats
    double: Floats


@dataclass(frozen=True)
class Link:
    """A block of sentences and its counterpart.

    Args:
        one: first sentence and the one behind the last, of the one document.
        other: the same of the other.
        score: one less its cost per two sentences: above 0.5 where they are nearer than two that were drawn.
    """

    one: tuple[int, int]
    other: tuple[int, int]
    score: float


def sentences(texts: Sequence[str], lang: str, embedder: Embedder) -> list[Sentences]:
    """Cut documents of one language into sentences and embed these, and each two that follow each other."""
    return of([cut(text, lang, MOST) for text in texts], embedder)


def of(split: Sequence[Sequence[str]], embedder: Embedder) -> list[Sentences]:
    """Embed documents that are cut into sentences already."""
    flat = [s for one in split for s in one]
    flat += [f"{a} {b}" for one in split for a, b in pairwise(one)]
    vectors = embedder.embed(flat) if flat else np.zeros((0, embedder.width), np.float32)
    found = []
    first, second = 0, sum(map(len, split))
    for one in split:
        doubles = max(0, len(one) - 1)
        found.append(Sentences(tuple(one), vectors[first : first + len(one)], vectors[second : second + doubles]))
        first, second = first + len(one), second + doubles
    return found


def align(one: Sentences, other: Sentences, others: tuple[Floats, Floats], skip: float = SKIP) -> list[Link]:
    """Align two documents.

    Args:
        one: the one, n sentences.
        other: the other, m sentences.
        others: (s, w) vectors of sentences from other documents in the language of the one, and of the other.
        skip: see `SKIP`.

    Returns:
        the links in order; sentences in none have no counterpart.
    """
    n, m = len(one.texts), len(other.texts)
    if not n or not m:
        return []
    costs = _costs(one, other, others)
    came = np.frombuffer(cheapest(MOVES, [costs.get(move) for move in MOVES], skip, n, m), np.uint8).reshape(
        n + 1, m + 1
    )
    links: list[Link] = []
    i, j = n, m
    while i or j:
        a, b = MOVES[came[i, j]]
        i, j = i - a, j - b
        if a and b:
            cost = float(costs[a, b][i, j]) / (a * b)
            links.append(Link((i, i + a), (j, j + b), 1 - cost))
    return links[::-1]


def _costs(one: Sentences, other: Sentences, others: tuple[Floats, Floats]) -> dict[tuple[int, int], Floats]:
    """Return the cost of every block of the one beside every block of the other, by their sizes."""
    mine = {1: one.single, 2: one.double}
    theirs = {1: other.single, 2: other.double}
    far = {size: _far(vectors, others[1]) for size, vectors in mine.items()}
    near = {size: _far(vectors, others[0]) for size, vectors in theirs.items()}
    sizes, lengths = _lengths(one.texts), _lengths(other.texts)
    usual = np.log(max(1, lengths[1].sum()) / max(1, sizes[1].sum()))
    return {
        (a, b): np.float32(a * b)
        * (
            (1 - mine[a] @ theirs[b].T) / (far[a][:, None] + near[b][None, :])
            + _longer(np.log(lengths[b])[None, :] - np.log(sizes[a])[:, None] - usual)
        )
        for a, b in MOVES
        if a and b
    }


def _lengths(texts: Sequence[str]) -> dict[int, Floats]:
    single = np.array([max(1, len(text)) for text in texts], np.float32)
    return {1: single, 2: single[:-1] + single[1:]}


def _longer(off: Floats) -> Floats:
    """Return what a block costs for being longer or shorter than the other lets expect (Gale & Church 1993)."""
    found: Floats = LENGTH * np.minimum((off / SPREAD) ** 2, FAR)
    return found.astype(np.float32)


def _far(vectors: Floats, drawn: Floats) -> Floats:
    """Return the mean distance of each vector to those that were drawn."""
    if not len(drawn):
        return np.ones(len(vectors), np.float32)
    found: Floats = np.maximum(1 - vectors @ drawn.mean(axis=0), np.float32(1e-3))
    return found


def in_order(links: Sequence[Link], one: Sentences, other: Sentences, others: tuple[Floats, Floats]) -> float:
    """Return the score of an alignment less what it owes to no order: 0 to 1.

    Sentences that are all alike, lists of dates or of goods, find their links in any order. So the score of the same
    documents is taken off, one of them read backwards; but for the two sentences in the middle, which stay side by
    side then, too. Of documents of one or two sentences nothing is taken off.

    Args:
        links: as `align` found them.
        one: the one document.
        other: the other.
        others: see `align`.
    """
    n, m = len(one.texts), len(other.texts)
    found = score(links, n, m)
    if not found:
        return 0.0
    back = score(align(one, backwards(other), others), n, m)
    return max(0.0, found - max(0.0, back - found * min(1.0, 2 * MIDDLE / (n + m))))


def backwards(given: Sentences) -> Sentences:
    """Return a document read from its last sentence to its first."""
    return Sentences(given.texts[::-1], given.single[::-1], given.double[::-1])


def score(links: Sequence[Link], n: int, m: int) -> float:
    """Return how much of two documents of n and m sentences stands in links, and how near: 0 to 1.

    The mean over all sentences of both, those without a counterpart at 0, of what a link has above 0.5, doubled.
    """
    whole = sum(
        max(0.0, 2 * link.score - 1) * (link.one[1] - link.one[0] + link.other[1] - link.other[0]) for link in links
    )
    return whole / max(1, n + m)
