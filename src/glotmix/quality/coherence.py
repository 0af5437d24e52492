"""How a text hangs together, from the vectors of its sentences: what a bag of pieces cannot see.

Word salad has sentences that are near to nothing; inserted boilerplate is far from its neighbours; repeated sentences
are too near; in shuffled text neighbours are no nearer than others. The columns are cosines and shares, so they compare
across languages as far as the embedder does.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from glotmix.core.sentences import cut
from glotmix.embed.protocol import Embedder

VERSION = 1

COLUMNS = (
    "neighbours",
    "others",
    "order",
    "decay",
    "nearest_focus",
    "focus",
    "spread",
    "least_focus",
    "again",
    "halves",
    "last_focus",
    "lead",
    "falling",
    "first_length",
)
"""Mean cosine of adjacent sentences; of all others; their difference; the slope of cosine on distance; mean cosine of
each sentence with its nearest; mean, standard deviation and minimum of its cosine with the text without it; the share
that is as good as another; cosine of the two halves; focus of the last sentence; how much more than the mean the first
one is in focus (a text tends to say first what it is about); the correlation of focus and place; the logarithm of the
first one's length over the mean. NaN for fewer than three sentences."""

MOST = 40
"""Sentences of a text that are looked at, from its beginning."""


def measure(texts: Sequence[str], langs: Sequence[str], embedder: Embedder) -> NDArray[np.float64]:
    """Return (texts, columns) of `COLUMNS`.

    Args:
        texts: the texts.
        langs: their languages, canonical codes.
        embedder: gives sentences their vectors.
    """
    sentences = [cut(text, lang, MOST) for text, lang in zip(texts, langs, strict=True)]
    starts = np.cumsum([0, *(len(s) for s in sentences)])
    flat = [sentence for s in sentences for sentence in s]
    vectors = embedder.embed(flat) if flat else np.zeros((0, embedder.width))
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors / np.where(length > 0, length, 1)
    found = np.full((len(texts), len(COLUMNS)), np.nan)
    for at, (start, stop) in enumerate(pairwise(starts)):
        if stop - start >= 3:
            sizes = np.array([len(sentence.encode()) for sentence in sentences[at]], float)
            found[at] = [*_flow(np.asarray(vectors[start:stop], float)), np.log(sizes[0] / sizes.mean())]
    return found


def _flow(v: NDArray[np.float64]) -> list[float]:
    n = len(v)
    near = v @ v.T
    distance = np.abs(np.arange(n)[:, None] - np.arange(n))
    upper = np.triu_indices(n, 1)
    cosines, gaps = near[upper], distance[upper]
    neighbours = float(cosines[gaps == 1].mean())
    others = float(cosines[gaps > 1].mean())
    decay = float(np.polyfit(np.log(gaps), cosines, 1)[0])
    apart = near - 2 * np.eye(n)
    rest = v.sum(axis=0) - v
    size = np.linalg.norm(rest, axis=1)
    focus = (v * rest).sum(axis=1) / np.where(size > 0, size, 1)
    half = n // 2
    one, two = v[:half].sum(axis=0), v[half:].sum(axis=0)
    scale = float(np.linalg.norm(one) * np.linalg.norm(two))
    return [
        neighbours,
        others,
        neighbours - others,
        decay,
        float(apart.max(axis=1).mean()),
        float(focus.mean()),
        float(focus.std()),
        float(focus.min()),
        float((apart.max(axis=1) > 0.98).mean()),
        float(one @ two) / scale if scale > 0 else 0.0,
        float(focus[-1]),
        float(focus[0] - focus.mean()),
        float(np.corrcoef(np.arange(n), focus)[0, 1]) if focus.std() > 1e-9 else 0.0,
    ]
