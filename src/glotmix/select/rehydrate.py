"""Rehydration: the kept member of a duplicate cluster may count for more than one document."""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

FEWEST = 100
"""Documents that a range of cluster sizes needs for a rate of its own; smaller ranges join the one below."""


Removals: TypeAlias = dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]
"""Language → (ranges,) documents in clusters of each range of sizes, and (ranges,) those of them that are removed."""


def weights(
    lang: pa.Array, cluster_size: pa.Array, removed: NDArray[np.bool_], most: float = 10.0, fewest: int = FEWEST
) -> NDArray[np.float32]:
    """Return how often each document should count, (n,) float32 from 1 to `most`.

    Where filters remove fewer documents of large clusters than of small ones, being repeated is a sign of quality.
    Per language, the range of cluster sizes with the lowest rate of removal weighs `most`, those at the language's
    own rate and above weigh 1, and between it is linear in the rate. A reconstruction of the rehydration of
    FineWeb2 (arXiv 2506.20920) from its description; the ranges (1, 2, 3–4, 5–8, 9–16, …) are ours.

    Args:
        lang: (n,) strings.
        cluster_size: (n,) integers, at least 1.
        removed: (n,) booleans: the rules other than those of duplicates drop the document.
        most: the largest weight.
        fewest: documents that a range needs.
    """
    return looked_up(lang, cluster_size, scale(removals(lang, cluster_size, removed), most, fewest))


def removals(lang: pa.Array, cluster_size: pa.Array, removed: NDArray[np.bool_]) -> Removals:
    """Count documents, and those that are removed, by language and range of cluster sizes."""
    names, own = _encoded(lang)
    ranges = _ranges(cluster_size)
    many = int(ranges.max(initial=0)) + 1
    counts = [
        np.bincount((own * many + ranges)[mine], minlength=len(names) * many).reshape(-1, many)
        for mine in (np.ones(len(own), bool), removed)
    ]
    return {name: (counts[0][at], counts[1][at]) for at, name in enumerate(names)}


def together(one: Removals, other: Removals) -> Removals:
    """Add the counts of some documents to those of others."""
    found = dict(one)
    for lang, counts in other.items():
        sides = zip(found.get(lang, counts), counts, strict=True)
        found[lang] = counts if lang not in one else tuple(_sum(a, b) for a, b in sides)  # type: ignore[assignment]
    return found


def _sum(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    long, short = sorted((a, b), key=len, reverse=True)
    return long + np.pad(short, (0, len(long) - len(short)))


def scale(found: Removals, most: float, fewest: int = FEWEST) -> dict[str, NDArray[np.float32]]:
    """Return the weight of a document by its language and range of cluster sizes."""
    weight = {}
    for lang, (count, removed) in found.items():
        target = _merged(count, fewest)
        held, gone = (np.bincount(target, weights=one, minlength=len(count)) for one in (count, removed))
        rate = gone / np.maximum(held, 1)
        whole, lowest = removed.sum() / count.sum(), rate[held > 0].min()
        of = np.ones(len(count), np.float32)
        if lowest < whole:
            of[:] = (1 + (most - 1) * np.clip((whole - rate) / (whole - lowest), 0, 1))[target]
        weight[lang] = of
    return weight


def looked_up(lang: pa.Array, cluster_size: pa.Array, weight: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the weight of each document, (n,) float32."""
    names, own = _encoded(lang)
    ranges, out = _ranges(cluster_size), np.ones(len(own), np.float32)
    for at, name in enumerate(names):
        mine = np.flatnonzero(own == at)
        out[mine] = weight[name][ranges[mine]]
    return out


def _encoded(lang: pa.Array) -> tuple[list[str], NDArray[np.int64]]:
    codes = pc.dictionary_encode(lang)
    if isinstance(codes, pa.ChunkedArray):
        codes = codes.combine_chunks()
    return codes.dictionary.to_pylist(), codes.indices.to_numpy().astype(np.int64)


def _ranges(cluster_size: pa.Array) -> NDArray[np.int64]:
    return np.asarray(np.ceil(np.log2(np.asarray(cluster_size))), np.int64)


def _merged(count: NDArray[np.int64], fewest: int) -> NDArray[np.int64]:
    """Return the range that each becomes after those with too few documents have joined the one below."""
    count, target = count.copy(), np.arange(len(count))
    for b in range(len(count) - 1, 0, -1):
        if count[b] < fewest:
            count[b - 1] += count[b]
            target[target == b] = b - 1
    return target
