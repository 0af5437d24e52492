"""The one loop of every per-document signal: groups of shards in, one part per group out."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from glotmix.core import flight, table
from glotmix.core.record import Counts, Output

GROUP_BYTES = 64 * 2**20
"""Uncompressed bytes of documents per part: a part is what a killed run loses at most."""

_PAGED = 512


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
        function: Arrow arrays in (one per column), one struct array out; called on several threads and in several
            processes or machines at once.
        returns: the type of that struct array.

    Returns:
        ``{"documents": n}``.
    """

    def make(files: list[Path], folder: Path) -> Counts:
        documents = table.read(files, ["id", *columns])
        signal = annotated(documents, columns, function, returns)
        rows = pa.table([documents["id"].combine_chunks(), *signal.flatten()], ["id", *(f.name for f in returns)])
        table.write(paged(rows, files), folder / f"{folder.name.removesuffix('.scratch')}.parquet")
        return {"documents": rows.num_rows}

    return output.each(parts(corpus), make)


def annotated(
    documents: pa.Table, columns: Sequence[str], function: Callable[..., pa.Array], returns: pa.DataType
) -> pa.Array:
    """Return what a function makes of the documents' columns, `table.ROWS_PER_CALL` rows at a time, in their order."""
    given = documents.select(list(columns))
    if any(column.num_chunks * table.ROWS_PER_CALL > len(column) for column in given.columns):
        # Of many small shards: a call for each would cost more than putting them together.
        given = given.combine_chunks()
    batches = given.to_batches(max_chunksize=table.ROWS_PER_CALL)
    found = flight.spread(lambda batch: function(*batch.columns).cast(returns), batches)
    return pa.concat_arrays(found) if found else pa.array([], returns)


def paged(rows: pa.Table, files: Sequence[Path]) -> pa.Table:
    """Return the rows of some shards in chunks of fixed bounds: where Parquet ends a page depends on the chunks.

    The bounds are every 512 rows of the part and every 512 of a shard, so that parts are the same bytes as those that
    were written when a query made them.
    """
    starts = np.cumsum([0, *(pq.read_metadata(f).num_rows for f in files)]).tolist()
    cuts = {*range(0, rows.num_rows, _PAGED), rows.num_rows}
    for start, stop in pairwise(starts):
        cuts.update(range(start, stop, _PAGED))
    return pa.concat_tables([rows.slice(start, stop - start) for start, stop in pairwise(sorted(cuts))] or [rows])


def parts(corpus: Path) -> dict[str, list[Path]]:
    """Return the groups of shards that every signal of a corpus is cut by: ``part-00000`` → files."""
    sizes = {f: sum(_sizes(f)) for f in table.shards(corpus)}
    return {f"part-{n:05d}": files for n, files in enumerate(table.groups(sizes, GROUP_BYTES))}


def _sizes(file: Path) -> list[int]:
    metadata = pq.ParquetFile(file).metadata
    return [metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)]
