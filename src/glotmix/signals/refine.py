"""From candidates to near-duplicates: clusters of pairs whose similarity was checked.

A candidate cluster is checked by itself, so candidate clusters are dealt to partitions that fit into memory: the
evidence of a partition is written together once, then read once, on whatever core or machine is free.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.core import table
from glotmix.core.record import Counts
from glotmix.native import folding, link, shingles
from glotmix.native.arrays import buffers
from glotmix.signals.candidates import node_of
from glotmix.signals.signatures import SignatureConfig, band, unpack

if TYPE_CHECKING:
    import daft

PARTITION_SHINGLES = 2**24
"""Shingles per partition: 8 bytes each, so 128 MiB of sets for each core (a larger candidate cluster stands alone)."""

CAP = 256
"""In a bucket of more documents, each is compared with the first 256 by hash of id, and with no others."""

_TALLY = ("compared", "linked", "skipped")
_CHECKED = pa.struct(
    [
        pa.field("clusters", pa.list_(pa.struct([pa.field("node", pa.int64()), pa.field("label", pa.int64())]))),
        *(pa.field(name, pa.int64()) for name in _TALLY),
    ]
)


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

    `standard_error` says by how much an estimate errs.
    """
    by_band, order = _sorted(keys)
    labels = np.empty(len(keys), np.int64)
    return Checked(labels, *link.link_sketches(by_band, order, sketch, threshold, CAP, labels))


def standard_error(config: SignatureConfig, similarity: float) -> float:
    """Return the standard error of an estimated Jaccard similarity: ``sqrt(J (1 − J) / minima)``.

    >>> round(standard_error(SignatureConfig(), 0.8), 3)
    0.038
    """
    return float((similarity * (1 - similarity) / (config.bands * config.rows)) ** 0.5)


def _sorted(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    by_band = np.ascontiguousarray(keys.T)
    return by_band, np.argsort(by_band, axis=1, kind="stable")


def check(
    members: "daft.DataFrame",
    evidence: "daft.DataFrame",
    verify: Literal["estimated", "exact"],
    config: SignatureConfig,
    threshold: float,
    parts: int,
    folder: Path,
) -> tuple["daft.DataFrame", Counts]:
    """Return ``node, label`` of the checked clusters, and counts of pairs.

    Args:
        members: ``node, label`` of the candidate clusters.
        evidence: ``id`` and ``text`` (exact) or the signature (estimated), of all documents.
        verify: which of the two.
        config: how the signatures are made.
        threshold: the similarity that links.
        parts: partitions to cut the work into.
        folder: scratch space, made anew; the caller removes it when the result has been used.
    """
    import daft
    from daft import col, lit
    from daft.functions import unnest

    dealt = members.select(col("node"), (col("label").abs() % lit(parts)).alias("partition"))
    evidence = evidence.with_column("node", node_of("id")).exclude("id")
    evidence.join(dealt, on="node").write_parquet(
        str(folder.absolute()), partition_cols=["partition"], write_mode="overwrite", compression="zstd"
    )

    def partitions(numbers: pa.Array) -> pa.StructArray:
        found = [_partition(folder / f"partition={n}", verify, config, threshold) for n in numbers.to_pylist()]
        return pa.array(found, _CHECKED)

    numbers = daft.from_pydict({"partition": list(range(parts))})
    if daft.get_or_infer_runner_type() == "ray":
        numbers = numbers.into_partitions(parts)
    call = table.batch(partitions, _CHECKED, rows=1)
    checked = numbers.select(call(col("partition")).alias("checked")).select(unnest(col("checked"))).collect()
    tally = table.collect(checked.select(*_TALLY).sum(*_TALLY)).to_pylist()[0]
    clusters = checked.select(col("clusters")).explode("clusters").select(unnest(col("clusters")))
    return clusters.where(col("node").not_null()), {f"pairs_{name}": tally[name] for name in _TALLY}


def _partition(
    folder: Path, verify: Literal["estimated", "exact"], config: SignatureConfig, threshold: float
) -> dict[str, object]:
    files = sorted(folder.glob("*.parquet"))
    if not files:
        return {"clusters": [], **dict.fromkeys(_TALLY, 0)}
    checked, own = verified(table.read(files), verify, config, threshold)
    rows = pa.StructArray.from_arrays([own, own.take(pa.array(checked.labels))], ["node", "label"])
    return {"clusters": rows, **{name: getattr(checked, name) for name in _TALLY}}


def verified(
    rows: pa.Table, verify: Literal["estimated", "exact"], config: SignatureConfig, threshold: float
) -> tuple[Checked, pa.Array]:
    """Return the clusters among some documents, and their nodes in the order that the clusters' rows have.

    Args:
        rows: ``node``, and ``text`` (exact) or the bands and the ``sketch`` of the signature (estimated).
        verify: by which of the two.
        config: how the signatures are made.
        threshold: the similarity that links.
    """
    # Sorted by hash of id: the cap then looks at the same documents whatever the order of the corpus.
    found = rows.sort_by("node")
    if verify == "exact":
        checked = exact(found["text"].combine_chunks(), config, threshold)
    else:
        keys = np.stack([found[band(b)].to_numpy() for b in range(config.bands)], axis=1)
        checked = estimated(np.ascontiguousarray(keys), unpack(found["sketch"].combine_chunks()), threshold)
    return checked, found["node"].combine_chunks()
