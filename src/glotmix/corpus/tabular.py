"""Rows that come as Arrow tables: Parquet files, data sets of the Hugging Face Hub. No text becomes a Python object."""

import json
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core.errors import DataError
from glotmix.corpus import columns
from glotmix.corpus.rows import SHOWN, Reject, Rows, as_id, shown
from glotmix.corpus.sources import Column, InputFile, Source, require
from glotmix.corpus.values import plain

BATCH_BYTES = 16 * 2**20
"""Uncompressed bytes that are read at once, by the file's own account."""

BATCH_ROWS = 20_000


def metadata(source: Source, file: InputFile) -> pq.FileMetaData:
    """Return what a Parquet file says of itself.

    Raises:
        DataError: if it is no Parquet file.
    """
    try:
        return pq.read_metadata(file.path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"source '{source.name}': {file.shown} is no Parquet file: {error}") from error


def names(schema: pa.Schema) -> list[str]:
    """Return the columns of a schema, and the fields of its structs with a dot."""
    found: list[str] = []

    def visit(fields: "pa.Schema | pa.StructType", before: str) -> None:
        for field in fields:
            found.append(before + field.name)
            if pa.types.is_struct(field.type):
                visit(field.type, f"{before}{field.name}.")

    visit(schema, "")
    return found


def read(source: Source, file: InputFile, start: int, stop: int) -> Iterator[Rows]:
    """Read row groups `start` to `stop` of a Parquet file. Rows are numbered from 0, where the file begins."""
    about = metadata(source, file)
    groups = [about.row_group(i) for i in range(about.num_row_groups)]
    first = sum(g.num_rows for g in groups[:start])
    size = sum(g.total_byte_size for g in groups[start:stop])
    count = sum(g.num_rows for g in groups[start:stop])
    batch = max(1, min(BATCH_ROWS, BATCH_BYTES * count // max(size, 1)))
    try:
        with pq.ParquetFile(file.path, pre_buffer=False, buffer_size=2**20) as parquet:
            for part in parquet.iter_batches(batch, row_groups=list(range(start, stop))):
                yield rows(source, pa.table(part), first, file.shown)
                first += part.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"source '{source.name}': {file.shown} cannot be read: {error}", "fetch it again") from error


def checked(
    source: Source, table: pa.Table, first: int, where: str
) -> tuple[NDArray[np.int64], dict[str, pa.Array], dict[int, Reject]]:
    """Return the rows of a table whose strings are UTF-8: their numbers, their columns; and the others, refused."""
    if len(set(table.column_names)) < table.num_columns:
        twice = next(n for n in table.column_names if table.column_names.count(n) > 1)
        raise DataError(f"source '{source.name}': {where} has two columns '{twice}'", "rename one")
    at = np.arange(first, first + table.num_rows, dtype=np.int64)
    arrays = {n: columns.portable(_whole(table[n])) for n in table.column_names}
    rejects: dict[int, Reject] = {}
    for name, array in arrays.items():
        for row in _invalid(array):
            raw = array[row].as_buffer().to_pybytes() if pa.types.is_string(array.type) else b""
            rejects[row] = Reject(int(at[row]), "invalid UTF-8", f"in column '{name}'", shown(raw))
    if rejects:
        keep = pa.array(np.setdiff1d(np.arange(table.num_rows), list(rejects)))
        at = at[keep.to_numpy()]
        arrays = {n: a.take(keep) for n, a in arrays.items()}
    return at, arrays, rejects


def rows(source: Source, table: pa.Table, first: int, where: str) -> Rows:
    """Take the rows of a table as documents to be screened.

    Args:
        source: where they come from.
        table: the rows, all columns.
        first: the number of the first one.
        where: names the table in errors.
    """
    require(source, names(table.schema), where)
    at, arrays, rejects = checked(source, table, first, where)
    text = _pick(arrays, source.columns.text)
    unusable: dict[int, tuple[str, str]] = {}
    if pa.types.is_binary(text.type):
        text, why = _decoded(text)
        unusable |= {row: ("invalid UTF-8", detail) for row, detail in why.items()}
    elif not pa.types.is_string(text.type):
        kind = str(text.type)
        unusable |= {int(i): ("text is not a string", kind) for i in np.flatnonzero(text.is_valid())}
        text = pa.nulls(len(at), pa.string())
    ids = pa.nulls(len(at), pa.string())
    column = source.columns.id
    if column is not None and (column != "id" or "id" in arrays):
        given, broken = columns.text_for_bytes(_pick(arrays, column))
        unusable |= dict.fromkeys(broken, ("invalid UTF-8", f"in column '{column}'"))
        ids = _ids(given)
        lost = pc.and_(given.is_valid(), ids.is_null())
        if pa.types.is_string(given.type):
            lost = pa.repeat(pa.scalar(False), len(at))
        unusable |= {int(i): ("id is not text or a number", str(given.type)) for i in np.flatnonzero(lost)}
    lang = None
    if isinstance(source.language, Column):
        column = source.language.column
        lang, broken = columns.text_for_bytes(_pick(arrays, column))
        unusable |= dict.fromkeys(broken, ("invalid UTF-8", f"in column '{column}'"))
        if not pa.types.is_string(lang.type):
            told = f"column '{column}' is {lang.type}"
            unusable |= {int(i): ("language is not text", told) for i in np.flatnonzero(lang.is_valid())}
            lang = pa.nulls(len(at), pa.string())

    def start(row: int) -> str:
        values = {n: plain(a.slice(row, 1))[0] for n, a in arrays.items() if not pa.types.is_string(a.type)}
        values |= {n: pc.utf8_slice_codeunits(a[row], 0, SHOWN).as_py() for n, a in arrays.items()
                   if pa.types.is_string(a.type)}  # fmt: skip
        return shown(json.dumps({n: values[n] for n in arrays}, ensure_ascii=False, default=str))

    bad = [Reject(int(at[i]), *unusable[i], start(i)) for i in sorted(unusable)]
    found = Rows(
        at=at,
        text=text,
        ids=ids,
        lang=lang,
        extras={n: a for n, a in arrays.items() if n not in source.consumed},
        start=start,
        rejects=[*rejects.values(), *bad],
        read=table.num_rows,
    )
    return _without(found, list(unusable)) if unusable else found


def _whole(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole


def _pick(arrays: dict[str, pa.Array], path: str) -> pa.Array:
    if path in arrays:
        return arrays[path]
    head, *rest = path.split(".")
    return pc.struct_field(arrays[head], rest)


def _invalid(array: pa.Array) -> Iterator[int]:
    """Yield the rows whose strings are not UTF-8: a Parquet file may call any bytes a string."""
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        if len(array) == 1:
            yield 0
            return
        half = len(array) // 2
        # Taken, not sliced: a slice is judged by the whole that it was cut from.
        yield from _invalid(pa.concat_arrays([array.slice(0, half)]))
        yield from (half + i for i in _invalid(pa.concat_arrays([array.slice(half)])))


def _decoded(array: pa.Array) -> tuple[pa.Array, dict[int, str]]:
    """Return bytes as strings, null where they are not UTF-8, and what is wrong with those."""
    try:
        return array.cast(pa.string()), {}
    except pa.ArrowInvalid:
        texts, broken = [], {}
        for row, value in enumerate(array.to_pylist()):
            try:
                texts.append(None if value is None else value.decode())
            except UnicodeDecodeError as error:
                texts.append(None)
                broken[row] = f"byte {error.start}: {error.reason}"
        return pa.array(texts, pa.string()), broken


def _ids(given: pa.Array) -> pa.Array:
    if pa.types.is_string(given.type):
        return pc.if_else(pc.equal(given, ""), None, given)
    if pa.types.is_integer(given.type):
        return given.cast(pa.string())
    if pa.types.is_floating(given.type):
        return pa.array([as_id(v) for v in given.to_pylist()], pa.string())
    return pa.nulls(len(given), pa.string())


def _without(found: Rows, gone: list[int]) -> Rows:
    keep = np.setdiff1d(np.arange(len(found.at)), gone)
    indices = pa.array(keep)
    return Rows(
        at=found.at[keep],
        text=found.text.take(indices),
        ids=found.ids.take(indices),
        lang=None if found.lang is None else found.lang.take(indices),
        extras={n: a.take(indices) for n, a in found.extras.items()},
        start=lambda row: found.start(int(keep[row])),
        rejects=found.rejects,
        read=found.read,
    )
