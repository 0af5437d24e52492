"""Candidate clusters: documents that share the key of a band, and whatever these share a key with.

In memory it is one sort per band and labels that climb to the smallest; as Daft queries it is a group-by per band and
the alternation of large and small stars. Both give the same clusters.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core import flight, table
from glotmix.signals.components import components, gathered
from glotmix.signals.signatures import band, nodes

if TYPE_CHECKING:
    import daft


def column(files: Sequence[Path], name: str) -> NDArray[np.int64]:
    """Return one integer column of all files, (n,) int64, in their order."""
    parts = [pq.read_table(f, columns=[name], partitioning=None)[name].to_numpy() for f in files]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


Edges = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Leaf and hub of each edge: two (e,) int64 of row numbers."""


def stars(keys: NDArray[np.int64]) -> Edges:
    """Return the edges (leaf, hub) that connect all rows of equal key: two (e,) int64 of row numbers.

    >>> leaf, hub = stars(np.array([7, 5, 7, 7]))
    >>> leaf.tolist(), hub.tolist()
    ([2, 3], [0, 0])
    """
    # Which of them is the hub makes no difference to what is connected: no stable sort is needed.
    order = np.argsort(keys)
    ranked = keys[order]
    new = np.ones(len(keys), dtype=bool)
    new[1:] = ranked[1:] != ranked[:-1]
    first = order[np.flatnonzero(new)][np.cumsum(new) - 1] if len(keys) else order
    return order[~new], first[~new]


def merge(labels: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the labels, (n,) int64, after the groups of each pair of rows have become one: each its smallest row."""
    # The larger root of each pair takes the smaller, then all rows climb to their roots, until every pair agrees
    # (Shiloach and Vishkin 1982). scipy has this too, and takes longer to import than a small corpus to deduplicate.
    merged = labels.copy()
    while True:
        one, other = merged[left], merged[right]
        apart = one != other
        if not apart.any():
            return merged
        left, right, one, other = left[apart], right[apart], one[apart], other[apart]
        np.minimum.at(merged, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(climbed := merged[merged], merged):
            merged = climbed


def in_memory(files: Sequence[Path], bands: int) -> pa.Table:
    """Return ``node, label`` (int64) of the documents that have a partner, reading one band at a time.

    ``node`` is the hash of the id, ``label`` the smallest node of the candidate cluster.
    """
    own = nodes(table.read(files, ["id"])["id"])
    labels = joined(len(own), _edges(files, bands))
    least = np.full(len(own), np.iinfo(np.int64).max)
    np.minimum.at(least, labels, own)
    crowded = np.bincount(labels, minlength=len(own))[labels] > 1
    return pa.table({"node": own[crowded], "label": least[labels[crowded]]})


def _edges(files: Sequence[Path], bands: int) -> Iterator[Edges]:
    """Yield the `stars` of each band, two bands at a time: sorting them takes most of the time, keys the memory."""
    for first in range(0, bands, 2):
        yield from flight.spread(lambda b: stars(column(files, band(b))), range(first, min(first + 2, bands)))


def joined(n: int, bands: Iterable[Edges]) -> NDArray[np.int64]:
    """Return labels from 0, (n,) int64: equal for rows that share a key in a band, and for what these share one with.

    Args:
        n: how many rows.
        bands: the `stars` of each band, asked for one after another.
    """
    labels = np.arange(n, dtype=np.int64)
    held: list[Edges] = []
    for edges in bands:
        held.append(edges)
        # Edges of several bands at once, as long as they are fewer than the rows.
        if sum(len(leaves) for leaves, _ in held) > n:
            labels, held = merge(labels, *map(np.concatenate, zip(*held, strict=True))), []
    return merge(labels, *map(np.concatenate, zip(*held, strict=True))) if held else labels


def as_queries(files: Sequence[Path], bands: int) -> "daft.DataFrame":
    """Do as `in_memory`, as Daft queries."""
    from daft import col, lit

    documents = table.scan(files).select(node_of("id").alias("node"), *(col(band(b)) for b in range(bands)))
    edges = None
    for b in range(bands):
        bucket = documents.select(col("node"), col(band(b)).alias("key"))
        hubs = bucket.groupby("key").agg(col("node").min().alias("hub"), col("node").count().alias("size"))
        found = bucket.join(hubs.where(col("size") > lit(1)), on="key").where(col("node") != col("hub"))
        # One band at a time: the groups of all bands at once would need the memory of all bands.
        found = gathered(found.select("node", "hub"))
        edges = found if edges is None else edges.concat(found)
    assert edges is not None
    return components(edges)


def node_of(column: str) -> "daft.Expression":
    """Return the expression for the hash of an id."""
    from daft import col

    return table.batch(lambda ids: pa.array(nodes(ids)), pa.int64())(col(column))
