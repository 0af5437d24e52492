"""From candidates to near-duplicates: clusters of pairs whose similarity was checked.

A candidate cluster is checked by itself, so candidate clusters are dealt to partitions that fit into memory, and
each partition's texts are written together once and then read once.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix import table
from glotmix.native import folding, link, shingles
from glotmix.native.arrays import buffers
from glotmix.signals.signatures import SignatureConfig, nodes

PARTITION_SHINGLES = 2**25
"""Shingles per partition: 8 bytes each, so 256 MiB of sets (a larger candidate cluster stands alone)."""

CAP = 256
"""In a bucket of more documents, each is compared with the first 256 by hash of id, and with no others."""


class Checked(NamedTuple):
    """The clusters of n documents: `labels` (n,) int64, each the smallest row of its cluster, and what it took."""

    labels: NDArray[np.int64]
    compared: int
    linked: int
    skipped: int


def exact(texts: pa.Array, config: SignatureConfig, threshold: float) -> Checked:
    """Link the candidates among n texts whose exact Jaccard similarity is at least `threshold`."""
    starts, data = buffers(texts)
    n = len(texts)
    keys = np.empty((n, config.bands), np.int64)
    sketch = np.empty((n, config.bands * config.rows), np.uint8)
    spare = np.empty(n, np.int64), np.empty(n, np.int32)
    shingles.sign(starts, data, *folding.table(), config.shingle, config.rows, *spare, keys, sketch)
    sets = shingles.shingle_sets(starts, data, *folding.table(), config.shingle)
    by_band, order = _sorted(keys)
    labels = np.empty(n, np.int64)
    return Checked(labels, *link.link_sets(by_band, order, *sets, threshold, CAP, labels))


def estimated(keys: NDArray[np.int64], sketch: NDArray[np.uint8], threshold: float) -> Checked:
    """Link the candidates whose similarity, estimated from (n, bins) sketches, is at least `threshold`.

    The standard error of an estimate is ``sqrt(J (1 − J) / bins)``.
    """
    by_band, order = _sorted(keys)
    labels = np.empty(len(keys), np.int64)
    return Checked(labels, *link.link_sketches(by_band, order, sketch, threshold, CAP, labels))


def _sorted(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    by_band = np.ascontiguousarray(keys.T)
    return by_band, np.argsort(by_band, axis=1, kind="stable")


def spill(corpus: Path, members: pa.Table, folder: Path) -> None:
    """Write the texts of the given documents to ``folder/partition=N/``: ``node, text``.

    Args:
        corpus: the corpus.
        members: ``node, partition``, one row for each document.
        folder: made anew.
    """
    import daft
    from daft import col

    hashed = table.batch(lambda ids: pa.array(nodes(ids)), pa.int64())
    documents = table.scan(table.shards(corpus), ["id", "text"]).select(hashed(col("id")).alias("node"), col("text"))
    joined = documents.join(daft.from_arrow(members), on="node")
    joined.write_parquet(str(folder), partition_cols=["partition"], write_mode="overwrite")


def spilled(folder: Path, partition: int) -> pa.Table:
    """Return one partition that `spill` wrote, sorted by ``node``."""
    files = sorted((folder / f"partition={partition}").glob("*.parquet"))
    return table.read(files, ["node", "text"]).sort_by("node")
