"""Lines of JSON, plain or compressed: any stretch of a file on its own, in blocks, so that memory stays flat."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import IO, Any

import numpy as np
import pyarrow as pa

from glotmix.core import json_text
from glotmix.core.errors import DataError
from glotmix.corpus import columns, flat
from glotmix.corpus.kinds import decompressed
from glotmix.corpus.rows import SHOWN, Reject, Rows, as_id, shown
from glotmix.corpus.sources import Column, InputFile, Source

BLOCK_BYTES = 4 * 2**20
"""Bytes that are parsed at once."""

LINE_BYTES = 64 * 2**20
"""A longer line is no document, and is not held in memory to find out."""

MAX_COLUMNS = 1_000

MAX_LEVELS = 200
"""An object that is nested deeper is no document: past some hundred levels nothing that reads JSON agrees."""

_PEEK, _PEEK_BYTES = 20, 256 * 2**10


def read(source: Source, file: InputFile, start: int, stop: int | None) -> Iterator[Rows]:
    """Read the lines that begin in bytes `start` to `stop` of a file (all of it where it is compressed).

    Lines are numbered from 1, where the stretch begins.
    """
    line = 1
    for block, too_long in blocks(file, start, stop):
        if too_long:
            reject = Reject(line, "over-long line", f"more than {LINE_BYTES:,} bytes", shown(block))
            rows = replace(_rows(source, [], [], []), rejects=[reject], read=1)
        else:
            rows = _parse(source, block, line)
        line += rows.read
        yield rows


def peek(source: Source, file: InputFile) -> list[str] | None:
    """Return the keys of the first objects of a file (fields of objects with a dot), None where there is none."""
    keys: dict[str, None] = {}
    found = 0
    whole = (b for b, too_long in blocks(file, 0, None, _PEEK_BYTES) if not too_long)
    for line in islice((line for b in whole for line in b.split(b"\n", 10 * _PEEK)), 10 * _PEEK):
        try:
            record = json_text.loads(line.decode().lstrip("\ufeff"))
        except ValueError:
            continue
        if isinstance(record, dict) and not too_deep(record):
            keys.update(dict.fromkeys(keys_of(record)))
            found += 1
            if found == _PEEK:
                break
    return list(keys) if found else None


def keys_of(record: dict[str, Any], before: str = "") -> Iterator[str]:
    """Yield the keys of an object, those of objects in it with a dot."""
    for key, value in record.items():
        yield before + key
        if isinstance(value, dict):
            yield from keys_of(value, f"{before}{key}.")


def blocks(file: InputFile, start: int, stop: int | None, size: int | None = None) -> Iterator[tuple[bytes, bool]]:
    """Yield blocks of whole lines, of some `size`; a line that is too long comes alone, cut short, with True."""
    size = size or BLOCK_BYTES
    with opened(file) as stream:
        span = None
        if file.codec is None:
            span = (file.size if stop is None else stop) - start
            if start:
                # A line belongs to the stretch that it begins in: the one that the start cuts is the neighbour's.
                stream.seek(start - 1)
                while True:
                    skipped = stream.readline(size)
                    span -= len(skipped)
                    if not skipped or skipped.endswith(b"\n"):
                        break
                span += 1
        # A long line comes in many pieces: an array of bytes takes each in without a copy of those before.
        rest, long = bytearray(), False
        for data in _chunks(stream, span, size):
            cut = data.rfind(b"\n") + 1
            if not cut:
                rest += b"" if long else data
                if len(rest) > LINE_BYTES:
                    rest, long = rest[: 4 * SHOWN], True
                continue
            first = data.index(b"\n") + 1
            if long or len(rest) + first > LINE_BYTES:
                yield bytes(rest[: 4 * SHOWN]), True
                yield data[first:cut], False
            else:
                yield bytes(rest) + data[:cut], False
            rest, long = bytearray(data[cut:]), False
        if rest:
            yield bytes(rest), long


def opened(file: InputFile) -> IO[bytes]:
    """Open a file for reading, through its compression."""
    return decompressed(file.path, file.codec)


def _chunks(stream: IO[bytes], span: int | None, size: int) -> Iterator[bytes]:
    """Yield `span` bytes, and then what is missing of the last line."""
    data = b"\n"
    while span is None or span > 0:
        data = stream.read(size if span is None else min(size, span))
        if not data:
            return
        yield data
        if span is not None:
            span -= len(data)
    while not data.endswith(b"\n"):
        data = stream.readline(size)
        if not data:
            return
        yield data


def _parse(source: Source, block: bytes, first: int) -> Rows:
    if (found := flat.rows(source, block, first)) is not None:
        return found
    at, raw, records, rejects, count = objects(block, first)
    return as_rows(source, at, raw, records, rejects, count)


def as_rows(
    source: Source, at: list[int], raw: list[str], records: list[dict[str, Any]], rejects: list[Reject], count: int
) -> Rows:
    """Take objects as documents to be screened; the lists are changed.

    Args:
        source: where they come from.
        at: their numbers.
        raw: their beginnings, as they were read.
        records: the objects.
        rejects: rows that are none.
        count: rows that were gone through.
    """
    unusable = list(_unusable(source, records))
    for row, reason, detail in reversed(unusable):
        rejects.append(Reject(at[row], reason, detail, shown(raw[row])))
        del at[row], raw[row], records[row]
    try:
        rows = _rows(source, at, raw, records)
    except UnicodeEncodeError:
        keep_encodable(at, raw, records, rejects)
        rows = _rows(source, at, raw, records)
    return replace(rows, rejects=rejects, read=count)


def keep_encodable(at: list[int], raw: list[str], records: list[dict[str, Any]], rejects: list[Reject]) -> None:
    """Move the objects that hold half a character to the rejects."""
    for row in reversed(range(len(records))):
        if not _encodes(records[row]):
            rejects.append(Reject(at[row], "lone surrogate", "half of a character is escaped", shown(raw[row])))
            del at[row], raw[row], records[row]


def objects(block: bytes, first: int) -> tuple[list[int], list[str], list[dict[str, Any]], list[Reject], int]:
    """Return the objects of whole lines: their line numbers, their lines, themselves; the rejects; the lines read."""
    rejects: list[Reject] = []
    try:
        lines = block.decode().split("\n")
    except UnicodeDecodeError:
        lines = list(_decoded(block.split(b"\n"), first, rejects))
    count = len(lines) - (not lines[-1])
    at, raw, records = [], [], []
    for number, line in enumerate(lines, first):
        if not line or line.isspace():
            continue
        try:
            record = json_text.loads(line)
        except ValueError as error:
            try:
                # Files that were joined byte by byte have their marks in the middle.
                bare = line.lstrip("\ufeff").strip()
                record = json_text.loads(bare) if bare else None
            except ValueError:
                rejects.append(Reject(number, "malformed JSON", _why(error), shown(line)))
                continue
            if not bare:
                continue
        if type(record) is not dict:
            rejects.append(Reject(number, "not an object", type(record).__name__, shown(line)))
            continue
        # A line with few brackets cannot be deep, and counting them is quick.
        if line.count("{") + line.count("[") > MAX_LEVELS and too_deep(record):
            rejects.append(Reject(number, "malformed JSON", "nested too deeply", shown(line)))
            continue
        at.append(number)
        raw.append(line)
        records.append(record)
    return at, raw, records, rejects, count


def too_deep(value: Any) -> bool:
    """Say whether JSON data is nested in more than `MAX_LEVELS` levels."""
    level = [value]
    for _ in range(MAX_LEVELS + 1):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True


def _decoded(lines: list[bytes], first: int, rejects: list[Reject]) -> Iterator[str]:
    """Decode line by line; a line that is not UTF-8 becomes an empty one and a reject."""
    for number, line in enumerate(lines, first):
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            rejects.append(Reject(number, "invalid UTF-8", f"byte {error.start}: {error.reason}", shown(line)))
            yield "\r"


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    return str(error)


def _unusable(source: Source, records: list[dict[str, Any]]) -> Iterator[tuple[int, str, str]]:
    """Yield position, reason and detail of objects whose text, id or language is of a wrong kind."""
    text = getter(source.columns.text)
    number = getter(source.columns.id) if source.columns.id is not None else None
    lang = getter(source.language.column) if isinstance(source.language, Column) else None
    for row, record in enumerate(records):
        value = text(record)
        if type(value) is not str and value is not None:
            yield row, "text is not a string", type(value).__name__
            continue
        value = number(record) if number is not None else None
        if value is not None and value != "" and as_id(value) is None:
            yield row, "id is not text or a number", type(value).__name__
            continue
        value = lang(record) if lang is not None else None
        if value is not None and type(value) is not str:
            yield row, "language is not text", type(value).__name__


def _rows(source: Source, at: list[int], raw: list[str], records: list[dict[str, Any]]) -> Rows:
    keys: dict[str, None] = {}
    for record in records:
        if not record.keys() <= keys.keys():
            keys.update(dict.fromkeys(record))
    if len(keys) > MAX_COLUMNS:
        raise DataError(
            f"source '{source.name}': its objects have more than {MAX_COLUMNS:,} different keys",
            "put what varies into one object, such as metadata",
        )
    for key in keys:
        key.encode()
    lang = source.language
    return Rows(
        at=np.array(at, np.int64),
        text=_strings(map(getter(source.columns.text), records)),
        ids=_strings(map(as_id, map(getter(source.columns.id), records)))
        if source.columns.id is not None
        else pa.nulls(len(at), pa.string()),
        lang=_strings(v if isinstance(v, str) else None for v in map(getter(lang.column), records))
        if isinstance(lang, Column)
        else None,
        extras={k: columns.infer([r.get(k) for r in records]) for k in keys if k not in source.consumed},
        start=raw.__getitem__,
    )


def _strings(values: Iterable[str | None]) -> pa.Array:
    return pa.array(list(values), pa.string())


def getter(path: str) -> Callable[[dict[str, Any]], Any]:
    """Return the function that looks a column up; dots reach into objects."""
    if "." not in path:
        return lambda record: record.get(path)

    def get(record: dict[str, Any]) -> Any:
        if path in record:
            return record[path]
        value: Any = record
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value

    return get


def _encodes(record: dict[str, Any]) -> bool:
    try:
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
