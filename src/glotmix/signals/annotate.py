"""The one loop of every per-document signal: groups of shards in, one part per group and signal out."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from glotmix.core import flight, table
from glotmix.core.context import RunContext
from glotmix.core.output import together
from glotmix.core.record import Counts, Output

GROUP_BYTES = 64 * 2**20
"""Uncompressed bytes of documents per part: a part is what a killed run loses at most."""

_PAGED = 512


@dataclass(frozen=True)
class Measure:
    """What a signal makes of each document by itself.

    Args:
        columns: the document columns that `function` takes, in order.
        function: Arrow arrays in (one per column), one struct array out; called on several threads and in several
            processes or machines at once.
        returns: the type of that struct array.
        after: called with the finished parts; writes what the signal notes of the whole, and returns more counts.
    """

    columns: Sequence[str]
    function: Callable[..., pa.StructArray]
    returns: pa.StructType
    after: Callable[[Output], Counts] = lambda output: {}


@dataclass(frozen=True)
class Measured:
    """How a step that measures each document by itself is made: alone, or with others in one pass over the corpus.

    Args:
        measure: what it measures, by a recipe at work. Called before anything is read: it refuses what cannot be done.
    """

    measure: Callable[[RunContext], Measure]

    def __call__(self, context: RunContext, output: Output) -> Counts:
        """Fill the output of one step."""
        return measured(context.corpus, [(output, self.measure(context))])[0]


def annotate(
    output: Output,
    corpus: Path,
    columns: Sequence[str],
    function: Callable[..., pa.StructArray],
    returns: pa.StructType,
) -> Counts:
    """Write a signal: for every document its ``id`` and the fields of `returns`; see `Measure`.

    Parts are named ``part-00000.parquet`` …; their rows stand in the order of the corpus.

    Args:
        output: the signal under construction.
        corpus: the corpus, a folder of shards.
        columns: the document columns that `function` takes, in order.
        function: what it makes of them.
        returns: the type of what it makes.

    Returns:
        ``{"documents": n}``.
    """
    return measured(corpus, [(output, Measure(columns, function, returns))])[0]


def measured(corpus: Path, wanted: Sequence[tuple[Output, Measure]]) -> list[Counts]:
    """Write several signals in one pass: what a part holds is read once, and each signal has the same bytes as alone.

    Args:
        corpus: the corpus, a folder of shards.
        wanted: the signals under construction, and what each measures.

    Returns:
        ``{"documents": n}`` and what `Measure.after` counted, of each.
    """
    measures = {output.step: measure for output, measure in wanted}

    def make(files: list[Path], folders: Mapping[str, Path]) -> dict[str, tuple[Counts, float]]:
        mine = {step: measures[step] for step in folders}
        documents = table.read(files, list(dict.fromkeys(["id", *(c for m in mine.values() for c in m.columns)])))
        found = _several(documents, mine)
        made: dict[str, tuple[Counts, float]] = {}
        for step, folder in folders.items():
            signal, seconds = found.pop(step)
            names = [field.name for field in mine[step].returns]
            rows = pa.table([documents["id"].combine_chunks(), *signal.flatten()], ["id", *names])
            began = time.thread_time()
            table.write(paged(rows, files), folder / f"{folder.name.removesuffix('.scratch')}.parquet")
            made[step] = {"documents": rows.num_rows}, seconds + time.thread_time() - began
        return made

    counts = together([output for output, _ in wanted], parts(corpus), make)
    return [found | measure.after(output) for found, (output, measure) in zip(counts, wanted, strict=True)]


def _several(documents: pa.Table, measures: Mapping[str, Measure]) -> dict[str, tuple[pa.Array, float]]:
    """Return what each signal makes of a part, and its CPU-seconds: all look at a batch while it is in the cache."""

    def look(batch: pa.RecordBatch) -> dict[str, tuple[pa.Array, float]]:
        found = {}
        for step, measure in measures.items():
            began = time.thread_time()
            made = measure.function(*(batch.column(name) for name in measure.columns)).cast(measure.returns)
            found[step] = made, time.thread_time() - began
        return found

    batches = _batches(documents)
    found = flight.spread(look, batches)
    return {
        step: (
            pa.concat_arrays([one[step][0] for one in found]) if found else pa.array([], measure.returns),
            sum(one[step][1] for one in found),
        )
        for step, measure in measures.items()
    }


def annotated(
    documents: pa.Table, columns: Sequence[str], function: Callable[..., pa.Array], returns: pa.DataType
) -> pa.Array:
    """Return what a function makes of the documents' columns, `table.ROWS_PER_CALL` rows at a time, in their order."""
    found = flight.spread(
        lambda batch: function(*batch.columns).cast(returns), _batches(documents.select(list(columns)))
    )
    return pa.concat_arrays(found) if found else pa.array([], returns)


def _batches(given: pa.Table) -> list[pa.RecordBatch]:
    if any(column.num_chunks * table.ROWS_PER_CALL > len(column) for column in given.columns):
        # Of many small shards: a call for each would cost more than putting them together.
        given = given.combine_chunks()
    batches: list[pa.RecordBatch] = given.to_batches(max_chunksize=table.ROWS_PER_CALL)
    return batches


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
