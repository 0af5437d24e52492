"""The items of evaluation sets, in the shapes that sets come in: texts, lists of choices, objects that hold both."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from glotmix.core import json_text
from glotmix.core.errors import DataError, RequestError, did_you_mean
from glotmix.corpus import jsonl
from glotmix.corpus.columns import text_for_bytes
from glotmix.corpus.rows import as_id
from glotmix.corpus.values import plain

_CODECS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}


def read_items(name: str, files: Sequence[Path], columns: Sequence[str], id_column: str | None = None) -> pa.Table:
    """Return ``set, item, text``: one item for each text in each of the columns of each row of an evaluation set.

    A column may hold a text, or texts within lists and objects: then each is an item of its own, named by where it
    stands (``7.choices.0``, ``7.question.stem``). Numbers are taken as text; what is missing is no item.

    Args:
        name: of the set.
        files: Parquet, JSON lines, or one JSON array; the last two plain or compressed (gzip, zstd, bzip2).
        columns: those that hold text, such as a question and its choices; dots reach into objects.
        id_column: names the rows; without it, or where it is empty, they are numbered.

    Raises:
        RequestError: if a column stands in no row, or holds no text in any.
        DataError: if a file cannot be read.
    """
    rows = [row for file in files for row in _rows(name, file)]
    for column in [*columns, *([id_column] if id_column else [])]:
        get = jsonl.getter(column)
        if not any(get(row) is not None for row in rows):
            known = list(dict.fromkeys(key for row in rows for key in jsonl.keys_of(row)))
            raise RequestError(
                f"evaluation set '{name}' has no column '{column}', or nothing in it{did_you_mean(column, known)}",
                f"its columns: {', '.join(known) or 'none'}",
            )
    identity = jsonl.getter(id_column) if id_column else None
    names = [(as_id(identity(row)) if identity else None) or str(number) for number, row in enumerate(rows)]
    items: list[str] = []
    texts: list[str] = []
    for column in columns:
        get = jsonl.getter(column)
        before = len(texts)
        for item, row in zip(names, rows, strict=True):
            for place, text in _texts(get(row)):
                items.append(".".join([item, *([column] if len(columns) > 1 else []), *place]))
                texts.append(text)
        if len(texts) == before:
            kind = type(next(v for row in rows if (v := get(row)) is not None)).__name__
            raise RequestError(
                f"evaluation set '{name}': column '{column}' holds no text, but {kind}", "name a column with text"
            )
    return pa.table({"set": [name] * len(items), "item": items, "text": pa.array(texts, pa.string())})


def _texts(value: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    match value:
        case None | bool():
            return
        case str():
            yield place, value
        case int() | float():
            yield place, str(value)
        case list():
            for number, inner in enumerate(value):
                yield from _texts(inner, (*place, str(number)))
        case dict():
            for key, inner in value.items():
                yield from _texts(inner, (*place, key))


def _rows(name: str, file: Path) -> list[dict[str, Any]]:
    try:
        if file.suffix.lower() == ".parquet":
            table = pq.ParquetFile(file).read()
            columns = {n: plain(text_for_bytes(_whole(table[n]))[0]) for n in table.column_names}
            return [{n: values[i] for n, values in columns.items()} for i in range(table.num_rows)]
        with pa.input_stream(str(file), compression=_CODECS.get(file.suffix.lower())) as stream:
            text = stream.read().decode("utf-8-sig")
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        raise DataError(f"evaluation set '{name}': {file.name} cannot be read: {error}") from error
    try:
        rows = json_text.loads(text) if text.lstrip().startswith("[") else list(_lines(text))
    except ValueError as error:
        raise DataError(
            f"evaluation set '{name}': {file.name} is neither JSON lines nor one JSON array: {error}",
            "write one object a line, or Parquet",
        ) from error
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or jsonl.too_deep(row):
            what = "nested too deeply" if isinstance(row, dict) else f"{type(row).__name__}, and no object"
            raise DataError(f"evaluation set '{name}': {file.name}: row {number} is {what}")
    return rows


def _lines(text: str) -> Iterator[Any]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield json_text.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error


def _whole(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole
