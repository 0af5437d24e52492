"""Rows of the parts dealt to buckets on disk, and back: what belongs together is decided together."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.signals.signatures import nodes


def bucket(keys: pa.Array, buckets: int) -> NDArray[np.int64]:
    """Return the bucket of each of n texts: the same for the same text."""
    return np.asarray(nodes(keys) % buckets, np.int64)


def deal(path: Path, rows: pa.Table, where: NDArray[np.int64], count: int) -> None:
    """Write a file of so many batches: those rows in each that belong there, in their order."""
    order = np.argsort(where, kind="stable")
    starts = np.searchsorted(where[order], np.arange(count + 1))
    ordered = rows.take(pa.array(order)).combine_chunks()
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
        for batch in _cut(ordered, starts):
            writer.write_batch(batch)


def _cut(rows: pa.Table, starts: NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
    none = pa.RecordBatch.from_pylist([], rows.schema)
    for start, stop in pairwise(starts.tolist()):
        found = rows.slice(start, stop - start).to_batches()
        yield found[0] if found else none


def batch(path: Path, number: int) -> pa.RecordBatch:
    """Return one of the batches of a file."""
    with pa.OSFile(str(path)) as opened:
        return pa.ipc.open_file(opened).get_batch(number)


def of_parts(folder: Path, parts: list[str], number: int) -> tuple[pa.Table, NDArray[np.int64]]:
    """Return the rows of a bucket, in the order of the parts that dealt them, and the number of each one's part."""
    found = [batch(folder / part, number) for part in parts]
    rows = pa.Table.from_batches(found).combine_chunks()
    return rows, np.repeat(np.arange(len(found)), [one.num_rows for one in found])


def of_buckets(folder: Path, buckets: int, number: int) -> pa.Table:
    """Return what all buckets dealt to a part, sorted by ``row``."""
    return pa.Table.from_batches([batch(folder / str(b), number) for b in range(buckets)]).sort_by("row")
