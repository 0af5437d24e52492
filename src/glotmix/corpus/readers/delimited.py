"""Tables as text: `.csv` and `.tsv`, read by Arrow. Every column is text: such a file has no types."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc_csv

from glotmix.core.errors import DataError
from glotmix.corpus import encoding, jsonl, tabular
from glotmix.corpus.readers.spec import ReaderSpec
from glotmix.corpus.rows import Reject, Rows, shown
from glotmix.corpus.sources import InputFile, Source

_SAMPLE = 64 * 2**10
_BLOCK = 8 * 2**20
_DELIMITERS = (",", "\t", ";", "|")
_SAID = re.compile(r"\ufeff?sep=(\S|\t)\r?\n", re.IGNORECASE)
"""What Excel writes before the names, and heeds."""


@dataclass(frozen=True)
class Dialect:
    """How a table is written.

    Args:
        delimiter: what stands between two cells.
        quoted: whether ``"`` around a cell protects what is in it.
        names: of the columns; one without a name has its place, ``column_3``.
        head: lines before the first row: blank ones, Excel's ``sep=;``, the names (quoted ones may have several).
    """

    delimiter: str
    quoted: bool
    names: tuple[str, ...]
    head: int


def dialect(source: Source, file: InputFile, told: encoding.Guess) -> Dialect:
    """Return how a table is written: as the source says, else as its first rows tell.

    Of all delimiters and quotings, that one under which most rows have as many cells as the head, and more than one.

    Raises:
        DataError: if it has no first row, or one name twice.
    """
    with jsonl.opened(file) as stream:
        sample = encoding.Transcoded(stream, told).read(_SAMPLE).decode("utf-8", "replace")
    options = source.options
    said = _SAID.match(sample)
    if options.delimiter is not None:
        given: tuple[str, ...] = (options.delimiter,)
    elif said is not None:
        given = (said[1],)
    else:
        given = ("\t",) if file.kind == "tsv" else _DELIMITERS
    before = said[0].count("\n") if said is not None else 0
    sample = sample[said.end() :] if said is not None else sample
    quotings = (True, False) if options.quoted is None else (options.quoted,)
    best: tuple[float, Dialect] | None = None
    for delimiter in given:
        for quoted in quotings:
            rows, strays, head = _rows(sample, delimiter, quoted)
            if not rows:
                continue
            alike = sum(len(r) == len(rows[0]) for r in rows) / len(rows) - (0.1 if strays else 0)
            score = alike if len(rows[0]) > 1 else alike / 2
            if best is None or score > best[0] + 1e-9:
                best = score, Dialect(delimiter, quoted, tuple(rows[0]), before + head)
    if best is None:
        raise DataError(f"source '{source.name}': {file.shown} holds no row", "take it out of path")
    found = best[1]
    names = options.names or tuple(name.strip() or f"column_{at}" for at, name in enumerate(found.names, 1))
    if twice := next((n for n in names if names.count(n) > 1), None):
        raise DataError(
            f"source '{source.name}': {file.shown} has two columns '{twice}'",
            "rename one, or name the columns of a file without a head: options: {names: […]}",
        )
    return replace(found, names=names, head=before if options.names else found.head)


def _rows(sample: str, delimiter: str, quoted: bool) -> tuple[list[list[str]], bool, int]:
    """Return the whole rows of the beginning of a table, whether quotes stand where they protect nothing, and the lines
    to the end of the first row."""
    text = io.StringIO(sample, newline="")
    head = 0
    try:
        if quoted:
            found = csv.reader(text, delimiter=delimiter)
        else:
            found = csv.reader(text, delimiter=delimiter, quoting=csv.QUOTE_NONE)
        rows = []
        for row in found:
            if row:
                head = head or found.line_num
                rows.append(row)
    except csv.Error:
        return [], True, 0
    if len(sample) >= _SAMPLE // 4 and len(rows) > 1:
        rows.pop()
    try:
        strays = quoted and not all(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        strays = "unexpected end" not in str(error)
    return rows, strays, head


def _peek(source: Source, file: InputFile) -> list[str]:
    return list(dialect(source, file, encoding.sure(source, file)).names)


def _read(source: Source, file: InputFile, start: int, stop: int | None) -> Iterator[Rows]:
    told = encoding.sure(source, file)
    form = dialect(source, file, told)
    bad: list[pc_csv.InvalidRow] = []

    def keep(row: pc_csv.InvalidRow) -> str:
        bad.append(row)
        return "skip"

    try:
        with jsonl.opened(file) as stream:
            text = encoding.Transcoded(stream, told, mark=True)
            reader = pc_csv.open_csv(
                pa.PythonFile(text, "r"),
                pc_csv.ReadOptions(
                    use_threads=False,
                    block_size=_BLOCK,
                    column_names=list(form.names),
                    skip_rows=form.head,
                ),
                pc_csv.ParseOptions(
                    delimiter=form.delimiter,
                    quote_char='"' if form.quoted else False,
                    newlines_in_values=form.quoted,
                    invalid_row_handler=keep,
                ),
                pc_csv.ConvertOptions(
                    check_utf8=False,
                    column_types={n: pa.string() for n in form.names},
                    strings_can_be_null=False,
                ),
            )
            yield from _numbered(source, file, reader, text, bad, told, form.head + 1)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"source '{source.name}': {file.shown} cannot be read: {error}",
            "fetch it again, or say how it is written: options: {delimiter: …, quoted: false}",
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"source '{source.name}': {file.shown} is not in {told.name}: {error}") from error


def _numbered(
    source: Source,
    file: InputFile,
    reader: Any,
    text: encoding.Transcoded,
    bad: list[Any],
    told: encoding.Guess,
    head: int,
) -> Iterator[Rows]:
    """Yield the rows by their numbers; `head` is what Arrow calls the first one behind the names."""
    first = 0
    gone: list[int] = []
    for batch in reader:
        table = pa.Table.from_batches([_as_bytes(batch) if text.broken else batch])
        for name, value in told.columns.items():
            if name not in table.column_names:
                table = table.append_column(name, pa.repeat(pa.scalar(value), table.num_rows))
        rejects = _refused(bad, head)
        bad.clear()
        gone += [r.at for r in rejects]
        # Arrow leaves refused rows out: numbers go on behind them.
        span = np.arange(first, first + table.num_rows + len(gone))
        at = span[~np.isin(span, gone)][: table.num_rows]
        rows = tabular.rows(source, table, 0, file.shown)
        yield replace(
            rows,
            at=at[rows.at],
            rejects=[*(replace(r, at=int(at[r.at])) for r in rows.rejects), *rejects],
            read=rows.read + len(rejects),
        )
        first = int(at[-1]) + 1 if len(at) else first
    if bad:
        empty = pa.table({n: pa.array([], pa.string()) for n in reader.schema.names})
        yield replace(tabular.rows(source, empty, first, file.shown), rejects=_refused(bad, head), read=len(bad))


def _as_bytes(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows with the bytes that were marked: what is no UTF-8 is refused as in any other table."""
    columns = []
    for column in batch.columns:
        values = [encoding.unmarked(value) for value in column.to_pylist()]
        columns.append(pa.array(values, pa.binary()).view(pa.string()))
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _refused(bad: list[Any], head: int) -> list[Reject]:
    found = []
    for row in bad:
        cells = f"{row.actual_columns} instead of {row.expected_columns}"
        found.append(
            Reject((row.number or head) - head, "wrong number of cells", cells, shown(encoding.unmarked(row.text)))
        )
    return found


_OPTIONS = ("encoding", "min_encoding", "delimiter", "quoted", "names")
READER = (
    ReaderSpec(name="csv", endings=(".csv",), read=_read, peek=_peek, counts="row", options=_OPTIONS),
    ReaderSpec(name="tsv", endings=(".tsv", ".tab"), read=_read, peek=_peek, counts="row", options=_OPTIONS),
)
