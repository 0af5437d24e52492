"""The engine's set-up: Daft, local by default, Ray by one setting, its analytics off; tables in, tables out.

Every step reads with `scan`, adds columns with `batch` functions over Arrow where expressions do not reach, and
writes with `write`, the one place that fixes how Parquet is written (so that equal tables are equal bytes).
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core import flight
from glotmix.core.errors import DataError, MissingExtraError, RequestError

if TYPE_CHECKING:
    import daft

# Before Daft is first imported: it reads these once. A data tool for other people's text reports to nobody.
os.environ["DAFT_ANALYTICS_ENABLED"] = "0"
os.environ["DO_NOT_TRACK"] = "true"
os.environ.setdefault("DAFT_PROGRESS_BAR", "0")

ROWS_PER_CALL = 512
"""Documents that a batch function is given at once: enough to pay for the call, few enough to spread over cores."""


_STARTED: list[tuple[str, int | None]] = []


def start(
    runner: Literal["local", "ray"] = "local",
    workers: int | None = None,
    oversubscribe: bool = False,
    memory: int | None = None,
) -> None:
    """Choose where queries run, before the first of them; results never depend on it.

    The engine is set up once per process: a later call for the same does nothing.

    Args:
        runner: ``local`` (this machine) or ``ray`` (the cluster that `RAY_ADDRESS` names, or a local one).
        workers: how many cores to use on this machine; None for all.
        oversubscribe: allow more workers than cores. They gain nothing, but that results do not depend on them can be
            tested on a small machine.
        memory: bytes that parts in flight may take on this machine; None for a share of what there is.

    Raises:
        MissingExtraError: if Ray is asked for and not installed.
        RequestError: if `workers` is not between 1 and the number of cores, or the engine already runs otherwise.
    """
    cores = os.cpu_count() or 1
    if workers is not None and not 1 <= workers <= (workers if oversubscribe else cores):
        raise RequestError(f"{workers} workers were asked for; this machine has {cores} cores", f"1 to {cores} workers")
    wanted = (runner, workers)
    if _STARTED:
        if [wanted] != _STARTED:
            raise RequestError(f"the engine already runs as {_STARTED[0]}, and {wanted} was asked for")
        return
    if runner == "ray":
        try:
            import ray  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("engine.runner: ray", "ray") from error
    if workers is not None:
        pa.set_cpu_count(workers)
        pa.set_io_thread_count(workers)
    flight.use(flight.Engine(runner, workers, memory))
    _STARTED.append(wanted)
    _engine.cache_clear()


@cache
def _engine() -> None:
    """Set the engine of queries up, before the first of them: what needs none does not pay for loading it."""
    for runner, workers in _STARTED:
        if runner == "local":
            os.environ["DAFT_RUNNER"] = "native"
        import daft

        if runner == "ray":
            daft.set_runner_ray(noop_if_initialized=True)
        elif workers is not None:
            daft.set_runner_native(num_threads=workers)


def _literal(path: Path) -> str:
    """Return a path as Daft reads it: absolute, for it takes a relative one with an odd name for an address; and
    escaped, for it takes every path for a pattern."""
    return re.sub(r"([][*?{}\\])", r"\\\1", str(path.absolute()))


def scan(files: Sequence[Path], columns: Sequence[str] | None = None) -> "daft.DataFrame":
    """Return the lazy table of the given Parquet files, in the order of the files and of their rows."""
    _engine()
    import daft

    frame = daft.read_parquet([_literal(f) for f in files])
    return frame if columns is None else frame.select(*columns)


def batch(
    function: Callable[..., pa.Array], returns: pa.DataType, rows: int = ROWS_PER_CALL
) -> Callable[..., "daft.Expression"]:
    """Make a Daft expression of a function from Arrow arrays to one Arrow array of the same length.

    The function runs on several threads at once, on `rows` rows at a time; release the GIL in native code.

    Args:
        function: takes one Arrow array per column, returns an array of type `returns`.
        returns: its Arrow type; a struct for several values per row.
        rows: rows per call.
    """
    _engine()
    import daft

    @daft.func.batch(return_dtype=daft.DataType.from_arrow_type(returns), batch_size=rows, use_process=False)
    def call(*columns: "daft.Series") -> "daft.Series":
        result = function(*(c.to_arrow() for c in columns))
        return daft.Series.from_arrow(result.cast(returns))

    return call


def collect(frame: "daft.DataFrame") -> pa.Table:
    """Run a query and return its rows, with plain (not large) types so that files do not depend on the engine."""
    table = frame.to_arrow()
    return table.cast(pa.schema([pa.field(f.name, plain(f.type)) for f in table.schema]))


def plain(kind: pa.DataType) -> pa.DataType:
    """Return the 32-bit-offset form of an Arrow type, at any depth."""
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_large_list(kind) or pa.types.is_list(kind):
        return pa.list_(plain(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(f.name, plain(f.type), f.nullable) for f in kind])
    if pa.types.is_dictionary(kind):
        return plain(kind.value_type)
    return kind


def write(table: pa.Table, path: Path) -> None:
    """Write one Parquet file (zstd, no timestamps inside): equal tables give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        table.replace_schema_metadata(None),
        path.absolute(),  # a relative one with a colon in it would be taken for an address
        compression="zstd",
        compression_level=3,
        row_group_size=16_384,
        write_page_checksum=True,
    )


def read(files: Sequence[Path], columns: Sequence[str] | None = None, at_once: bool = False) -> pa.Table:
    """Read whole (small) Parquet files into memory, in order; types are unified where files differ.

    Args:
        files: what to read.
        columns: which columns; all if None.
        at_once: whether several files are read at once, by `flight.spread`: not for use within its pieces.

    Raises:
        DataError: if there is no file, or their types cannot be unified.
    """
    if not files:
        raise DataError("there is no Parquet file to read")
    wanted = None if columns is None else list(columns)

    def one(file: Path) -> pa.Table:
        return pq.read_table(file, columns=wanted, partitioning=None, page_checksum_verification=True)

    tables = flight.spread(one, files) if at_once else [one(file) for file in files]
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowTypeError as error:
        raise DataError(f"{files[0].parent}: the files' columns do not fit together: {error}") from error


def rows_of(whole: pa.Table, rows: NDArray[np.int64]) -> pa.Table:
    """Return some rows of a table, (k,) int64, increasing and each once: the table itself where these are all."""
    return whole if len(rows) == whole.num_rows else whole.take(pa.array(rows))


def sums(files: Sequence[Path], by: str, columns: Sequence[str], where: str | None = None) -> dict[str, list[int]]:
    """Count rows and add up columns, one file at a time.

    Args:
        files: Parquet files with the columns.
        by: the column that says which sum a row belongs to.
        columns: of integers.
        where: a column of booleans; rows for which it is false are left out.

    Returns:
        value of `by`, sorted → the number of rows, and the sum of each column.
    """
    found: dict[str, list[int]] = {}
    for file in files:
        rows = read([file], [by, *columns, *([where] if where else [])])
        rows = rows.filter(rows[where]) if where else rows
        grouped = rows.group_by(by).aggregate([([], "count_all"), *((c, "sum") for c in columns)])
        for row in grouped.to_pylist():
            held = found.setdefault(row[by], [0] * (len(columns) + 1))
            for at, name in enumerate(("count_all", *(f"{c}_sum" for c in columns))):
                held[at] += row[name] or 0
    return {key: found[key] for key in sorted(found)}


def shards(folder: Path) -> list[Path]:
    """Return the Parquet files of an output, sorted by path; what the folder itself is called plays no part."""
    found = folder.rglob("*.parquet")
    return sorted(p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts))


def groups(sizes: Mapping[Path, int], limit: int) -> Iterator[list[Path]]:
    """Cut files, in their order, into runs of at most `limit` bytes (a larger file stands alone).

    >>> [len(g) for g in groups({Path("a"): 5, Path("b"): 5, Path("c"): 9}, 10)]
    [2, 1]
    """
    run: list[Path] = []
    held = 0
    for path, size in sizes.items():
        if run and held + size > limit:
            yield run
            run, held = [], 0
        run.append(path)
        held += size
    if run:
        yield run
