"""Rehydration: the kept member of a duplicate cluster may count for more than one document."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

FEWEST = 100
"""Documents that a range of cluster sizes needs for a rate of its own; smaller ranges join the one below."""


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
    codes = pc.dictionary_encode(lang)
    if isinstance(codes, pa.ChunkedArray):
        codes = codes.combine_chunks()
    own, size = codes.indices.to_numpy(), np.asarray(cluster_size)
    bucket = np.ceil(np.log2(size)).astype(np.int64)
    out = np.ones(len(own), np.float32)
    for code in range(len(codes.dictionary)):
        mine = np.flatnonzero(own == code)
        mapped = _merged(bucket[mine], fewest)
        count = np.bincount(mapped)
        rate = np.bincount(mapped, weights=removed[mine]) / np.maximum(count, 1)
        whole, lowest = float(removed[mine].mean()), float(rate[count > 0].min())
        if lowest < whole:
            scaled = 1 + (most - 1) * np.clip((whole - rate) / (whole - lowest), 0, 1)
            out[mine] = scaled[mapped]
    return out


def _merged(bucket: NDArray[np.int64], fewest: int) -> NDArray[np.int64]:
    """Return the bucket of each document after ranges with too few of them have joined the one below."""
    count = np.bincount(bucket)
    target = np.arange(len(count))
    for b in range(len(count) - 1, 0, -1):
        if count[b] < fewest:
            count[b - 1] += count[b]
            target[target == b] = b - 1
    return target[bucket]
