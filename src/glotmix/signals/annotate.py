"""The one loop of every per-document signal: groups of shards in, one part per group out."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from daft import col
from daft.functions import unnest

from glotmix.core import table
from glotmix.core.errors import DataError
from glotmix.core.record import Counts, Output

GROUP_BYTES = 64 * 2**20
"""Uncompressed bytes of documents per part: a part is what a killed run loses at most."""


def annotate(
    output: Output,
    corpus: Path,
    columns: Sequence[str],
    function: Callable[..., pa.StructArray],
    returns: pa.StructType,
) -> Counts:
    """Write a signal: for every document its ``id`` and the fields of `returns`.

    Parts are named ``part-00000.parquet`` …; their rows stand in the order of the corpus.

    Args:
        output: the signal under construction.
        corpus: the corpus, a folder of shards.
        columns: the document columns that `function` takes, in order.
        function: Arrow arrays in (one per column), one struct array out; called on several threads.
        returns: the type of that struct array.

    Returns:
        ``{"documents": n}``.
    """
    call = table.batch(function, returns)

    def make(files: list[Path], folder: Path) -> Counts:
        frame = table.scan(files, ["id", *columns])
        rows = table.collect(
            frame.select(col("id"), call(*(col(c) for c in columns)).alias("signal")).select(
                col("id"), unnest(col("signal"))
            )
        )
        table.write(in_order(rows, files), folder / f"{folder.name.removesuffix('.scratch')}.parquet")
        return {"documents": rows.num_rows}

    return output.each(parts(corpus), make)


def in_order(rows: pa.Table, files: Sequence[Path]) -> pa.Table:
    """Return the rows of some shards, one for each ``id``, in the order of the shards: Ray has an order of its own.

    Raises:
        DataError: if they are not the shards' rows.
    """
    ids = table.read(files, ["id"])["id"]
    if rows["id"].equals(ids):
        return rows
    places = pc.index_in(ids, rows["id"].combine_chunks())
    if rows.num_rows != len(ids) or places.null_count:
        raise DataError(
            f"{rows.num_rows:,} rows came back of the {len(ids):,} documents of {files[0]} and what follows"
        )
    return rows.take(places).combine_chunks()


def parts(corpus: Path) -> dict[str, list[Path]]:
    """Return the groups of shards that every signal of a corpus is cut by: ``part-00000`` → files."""
    sizes = {f: sum(_sizes(f)) for f in table.shards(corpus)}
    return {f"part-{n:05d}": files for n, files in enumerate(table.groups(sizes, GROUP_BYTES))}


def _sizes(file: Path) -> list[int]:
    metadata = pq.ParquetFile(file).metadata
    return [metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)]
