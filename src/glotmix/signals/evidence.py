"""What is needed of some documents, dealt to partitions in one pass over the corpus: a shuffle within one machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core import flight
from glotmix.signals.signatures import nodes


@dataclass(frozen=True)
class Deal:
    """Which documents are wanted, and in which partition each.

    Args:
        wanted: (m,) int64, hashes of ids, increasing.
        partition: (m,) int64, from 0.
        parts: how many partitions.
    """

    wanted: NDArray[np.int64]
    partition: NDArray[np.int64]
    parts: int

    def order(self, own: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows of some hashes that are wanted, partition by partition, and the bounds of each partition."""
        at = np.searchsorted(self.wanted, own)
        at[at == len(self.wanted)] = 0
        rows = np.flatnonzero(self.wanted[at] == own) if len(self.wanted) else np.empty(0, np.int64)
        partition = self.partition[at[rows]]
        order = np.argsort(partition, kind="stable")
        return rows[order], np.searchsorted(partition[order], np.arange(self.parts + 1))


def deal(files: Sequence[Path], columns: Sequence[str], deals: Sequence[Deal], folder: Path) -> None:
    """Write ``node`` and some columns of the documents that are wanted, one Arrow file for each file of a table.

    Args:
        files: Parquet files with ``id`` and the columns.
        columns: what is needed.
        deals: of different sets of documents; a document may be in several.
        folder: of the Arrow files, made anew; see `dealt`.
    """
    folder.mkdir(parents=True)

    def one(number: int) -> None:
        file = pq.ParquetFile(files[number], page_checksum_verification=True)
        kinds = [file.schema_arrow.field(name) for name in columns]
        schema = pa.schema([pa.field("node", pa.int64()), *kinds])
        with pa.OSFile(str(folder / f"{number:06d}.arrow"), "wb") as sink, pa.ipc.new_file(sink, schema) as out:
            for group in range(file.num_row_groups):
                documents = file.read_row_group(group, ["id", *columns])
                own = nodes(documents["id"])
                documents = documents.set_column(0, "node", pa.array(own)).cast(schema)
                for each in deals:
                    rows, bounds = each.order(own)
                    found = documents.take(pa.array(rows)).combine_chunks()
                    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
                        held = found.slice(start, stop - start).to_batches()
                        out.write_batch(held[0] if held else pa.RecordBatch.from_pylist([], schema))

    flight.spread(one, range(len(files)))


def dealt(folder: Path, number: int, parts: int) -> pa.Table:
    """Return what one partition was dealt.

    Args:
        folder: see `deal`.
        number: the partition; those of later deals are counted on.
        parts: partitions of all deals.
    """
    batches: list[pa.RecordBatch] = []
    schema = None
    for path in sorted(folder.glob("*.arrow")):
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        schema = reader.schema
        batches += [reader.get_batch(at) for at in range(number, reader.num_record_batches, parts)]
    return pa.Table.from_batches(batches, schema)
