"""Instruction data as documents: conversations in columns, with the rows of the original that each came from.

A document of a source with a `shape` has, beside ``id, text, lang, source``: ``messages`` (`conversation.MESSAGES`),
``shape``, ``origin`` (the file, and the lines from 1 or rows from 0 in it), and the row's other fields. A file is read
as one unit, so that its line numbers are its own.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from glotmix.core import conversation
from glotmix.core.errors import DataError, RequestError
from glotmix.core.visible import is_blank
from glotmix.corpus import columns, jsonl, kinds, tabular
from glotmix.corpus.rows import Reject, Rows, as_id, shown
from glotmix.corpus.shapes import SPOKEN, Conversation, Grove, NoConversationError, Shape, detect, read
from glotmix.corpus.sources import Column, InputFile, Source
from glotmix.corpus.values import plain

ORIGIN = pa.struct([pa.field("file", pa.string()), pa.field("rows", pa.list_(pa.int64()))])
"""Where a document came from: a file of its source, and its lines (from 1) or rows (from 0)."""

OURS = ("messages", "shape", "origin")

_BATCH = 4_096


@dataclass(frozen=True)
class Batch:
    """Consecutive rows of one file as objects.

    Args:
        at: their lines or rows.
        records: the objects.
        starts: the first characters of each, as it was read.
        rejects: rows that are no objects.
        read: lines or rows that were gone through.
    """

    at: list[int]
    records: list[dict[str, Any]]
    starts: list[str]
    rejects: list[Reject]
    read: int


def resolved(source: Source, files: Sequence[InputFile]) -> Source:
    """Return a source whose shape is named: given, or told by the keys of its first rows.

    Raises:
        RequestError: if the rows do not tell.
        DataError: if two files have different shapes.
    """
    if source.shape != "auto":
        return source
    if source.hub:
        raise RequestError(f"source '{source.name}': the shape of a data set of the Hub must be named", "set shape")
    found: dict[Shape, str] = {}
    for file in files:
        with kinds.named(source.name, file.shown):
            keys = _peek(source, file)
        if keys is None:
            continue
        try:
            found.setdefault(detect(keys), file.shown)
        except RequestError as error:
            raise RequestError(f"source '{source.name}': {file.shown}: {error.message}", error.fix) from error
    if len(found) > 1:
        told = ", ".join(f"{name} looks like {shape}" for shape, name in found.items())
        raise DataError(f"source '{source.name}': {told}", "make it two sources")
    if not found:
        raise DataError(f"source '{source.name}': no row of any file is an object")
    return source.model_copy(update={"shape": next(iter(found))})


def _peek(source: Source, file: InputFile) -> list[str] | None:
    if file.kind == "parquet":
        return tabular.names(tabular.metadata(source, file).schema.to_arrow_schema())
    if file.kind == "jsonl":
        return jsonl.peek(source, file)
    first = next(_batches(source, file), None)
    return None if first is None or not first.records else list(jsonl.keys_of(first.records[0]))


def read_file(source: Source, file: InputFile) -> Iterator[Rows]:
    """Read one file of a source whose shape is named."""
    yield from _documents(source, file.name, _batches(source, file))


def read_tables(source: Source, name: str, tables: Iterator[pa.Table]) -> Iterator[Rows]:
    """Read tables of a source whose shape is named, as one file of that name."""

    def batches() -> Iterator[Batch]:
        first = 0
        for table in tables:
            yield _of_table(source, table, first, name)
            first += table.num_rows

    yield from _documents(source, name, batches())


def _batches(source: Source, file: InputFile) -> Iterator[Batch]:
    try:
        match file.kind:
            case "parquet":
                first = 0
                with pq.ParquetFile(file.path, pre_buffer=False, buffer_size=2**20) as parquet:
                    for part in parquet.iter_batches(_BATCH):
                        yield _of_table(source, pa.table(part), first, file.shown)
                        first += part.num_rows
            case "jsonl":
                yield from _of_lines(file)
            case "json":
                yield from _of_array(source, file)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"source '{source.name}': {file.shown} cannot be read: {error}", "fetch it again") from error


def _of_lines(file: InputFile) -> Iterator[Batch]:
    line = 1
    for block, too_long in jsonl.blocks(file, 0, None):
        if too_long:
            reject = Reject(line, "over-long line", f"more than {jsonl.LINE_BYTES:,} bytes", shown(block))
            yield Batch([], [], [], [reject], 1)
            line += 1
            continue
        at, raw, records, rejects, count = jsonl.objects(block, line)
        jsonl.keep_encodable(at, raw, records, rejects)
        yield Batch(at, records, [shown(r) for r in raw], rejects, count)
        line += count


def elements(text: str) -> Iterator[tuple[int, int, Any]]:
    """Yield each element of a JSON array with where it begins and ends in the text.

    Raises:
        ValueError: where the text is no JSON array.

    >>> [value for _, _, value in elements('[{"a": 1}, 2]')]
    [{'a': 1}, 2]
    """
    decode = json.JSONDecoder().raw_decode
    at = _skip(text, 1 if text.startswith("\ufeff") else 0)
    if text[at : at + 1] != "[":
        raise ValueError("it does not begin with [")
    at = _skip(text, at + 1)
    while text[at : at + 1] != "]":
        value, end = decode(text, at)
        yield at, end, value
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            raise ValueError(f"neither , nor ] after the element that ends at character {end:,}")


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\n", "\r", "\t"):
        at += 1
    return at


def array_text(source: Source, file: InputFile) -> str:
    """Return the text of a file that holds one JSON array.

    Raises:
        DataError: if it is not UTF-8: what an array holds cannot be told apart without its text.
    """
    with jsonl.opened(file) as stream:
        data = stream.read()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"source '{source.name}': {file.shown} is not UTF-8: byte {error.start}") from error


def _of_array(source: Source, file: InputFile) -> Iterator[Batch]:
    text = array_text(source, file)
    held = Batch([], [], [], [], 0)
    row = 0
    try:
        for begin, end, value in elements(text):
            start = shown(text[begin : min(end, begin + 800)])
            if jsonl.too_deep(value):
                held.rejects.append(Reject(row, "malformed JSON", "nested too deeply", start))
            elif isinstance(value, dict):
                held.at.append(row)
                held.records.append(value)
                held.starts.append(start)
            else:
                held.rejects.append(Reject(row, "not an object", type(value).__name__, start))
            row += 1
            if len(held.at) + len(held.rejects) >= _BATCH:
                yield _encodable(replace(held, read=len(held.at) + len(held.rejects)))
                held = Batch([], [], [], [], 0)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"source '{source.name}': {file.shown} is no JSON array: {error}", "write one object a line, as .jsonl"
        ) from error
    yield _encodable(replace(held, read=len(held.at) + len(held.rejects)))


def _encodable(batch: Batch) -> Batch:
    jsonl.keep_encodable(batch.at, batch.starts, batch.records, batch.rejects)
    return batch


def _of_table(source: Source, table: pa.Table, first: int, where: str) -> Batch:
    at, arrays, rejects = tabular.checked(source, table, first, where)
    held: dict[str, list[Any]] = {}
    wrong: dict[int, str] = {}
    for name, array in arrays.items():
        texts, broken = columns.text_for_bytes(array)
        # What a shape reads is text, whatever it is marked as; another column of bytes may hold a picture.
        if broken and name not in SPOKEN:
            texts = array
        elif broken:
            wrong |= dict.fromkeys(broken, name)
        held[name] = plain(texts)
    records = [{name: values[i] for name, values in held.items()} for i in range(len(at))]
    starts = [shown(json.dumps(r, ensure_ascii=False, default=str)) for r in records]
    lost = [Reject(int(at[i]), "invalid UTF-8", f"in column '{n}'", starts[i]) for i, n in sorted(wrong.items())]
    good = [i for i in range(len(at)) if i not in wrong]
    return Batch(
        [int(at[i]) for i in good],
        [records[i] for i in good],
        [starts[i] for i in good],
        [*rejects.values(), *lost],
        table.num_rows,
    )


@dataclass(frozen=True)
class _Found:
    """A conversation, the row that it stands under, and how that row begins."""

    at: int
    start: str
    conversation: Conversation


def _documents(source: Source, name: str, batches: Iterator[Batch]) -> Iterator[Rows]:
    shape = source.shape
    assert shape is not None and shape != "auto"
    grove = Grove()
    starts: dict[int, str] = {}
    for batch in batches:
        rejects = list(batch.rejects)
        found: list[_Found] = []
        for at, start, record in zip(batch.at, batch.starts, batch.records, strict=True):
            try:
                if shape == "oasst" and "message_id" in record and "prompt" not in record:
                    grove.add(record, at)
                    starts[at] = start
                    continue
                conversations, refused = read(shape, record)
            except NoConversationError as error:
                rejects.append(Reject(at, error.reason, error.detail, start))
                continue
            rejects += [Reject(at, e.reason, e.detail, start) for e in refused]
            found += _asking([_Found(at, start, replace(c, rows=(at,))) for c in conversations], rejects)
        yield _rows(source, shape, name, found, rejects, batch.read)
    if starts:
        whole, lost = grove.conversations()
        rejects = [Reject(at, error.reason, error.detail, starts[at]) for at, error in lost]
        ends = _asking([_Found(c.rows[-1], starts[c.rows[-1]], c) for c in whole], rejects)
        yield _rows(source, shape, name, ends, rejects, 0)


def _asking(found: list[_Found], rejects: list[Reject]) -> list[_Found]:
    """Return the conversations whose instruction holds text; the others go to the rejects."""
    kept = []
    for each in found:
        if not is_blank(conversation.instruction(each.conversation.turns)):
            kept.append(each)
        else:
            rejects.append(Reject(each.at, "empty instruction", "", each.start))
    return kept


def _rows(source: Source, shape: Shape, name: str, found: list[_Found], rejects: list[Reject], read: int) -> Rows:
    fields = [dict(each.conversation.fields) for each in found]
    identity = None if source.columns.id is None else jsonl.getter(source.columns.id)
    lang = jsonl.getter(source.language.column) if isinstance(source.language, Column) else None
    ids = [None if identity is None else as_id(identity(f)) for f in fields]
    langs = [None if lang is None else lang(f) for f in fields]
    extras: dict[str, pa.Array] = {
        "messages": pa.array([conversation.plain(e.conversation.turns) for e in found], conversation.MESSAGES),
        "shape": pa.array([shape] * len(found), pa.string()),
        "origin": pa.array([{"file": name, "rows": list(e.conversation.rows)} for e in found], ORIGIN),
    }
    for key in dict.fromkeys(k for f in fields for k in f if k not in source.consumed):
        extras[_free(key, extras)] = columns.infer([f.get(key) for f in fields])
    return Rows(
        at=np.array([e.at for e in found], np.int64),
        text=pa.array([conversation.text(e.conversation.turns) for e in found], pa.string()),
        ids=pa.array(ids, pa.string()),
        lang=None if lang is None else pa.array([c if isinstance(c, str) else None for c in langs], pa.string()),
        extras=extras,
        start=[e.start for e in found].__getitem__,
        rejects=rejects,
        read=read,
    )


def _free(key: str, taken: Mapping[str, object]) -> str:
    while key in taken:
        key += "_original"
    return key
