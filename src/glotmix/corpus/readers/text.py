"""Plain text: a document a file, a line, or a block between blank lines. Markdown: a document a file."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from glotmix.corpus import encoding, jsonl, kinds
from glotmix.corpus.readers.spec import ReaderSpec, Record, columns, reading
from glotmix.corpus.rows import Reject, shown
from glotmix.corpus.sources import InputFile, Source

MAX_BYTES = 64 * 2**20
"""A file that is one document and larger than this is refused unread."""

_FRONT = re.compile(r"\A---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_KNOWN = ("title", "lang", "date", "license", "url", "author")


def whole(source: Source, file: InputFile) -> "tuple[str, encoding.Guess] | Reject":
    """Return the text of a file that is one document, or why there is none."""
    with jsonl.opened(file) as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        return Reject(1, "over-long text", f"more than {MAX_BYTES:,} bytes in one file", shown(data[:1000]))
    if (what := kinds.packed(data)) is not None:
        return Reject(1, "damaged record", what, shown(data[:1000]))
    told = encoding.of_file(source, file)
    if (why := encoding.unsure(source, told)) is not None:
        return Reject(1, "encoding not sure", why, shown(data[:1000]))
    try:
        return encoding.decode(data, told), told
    except UnicodeDecodeError as error:
        reason = "invalid UTF-8" if told.utf8 else "not in its encoding"
        return Reject(1, reason, f"byte {error.start}: {error.reason} ({told.name})", shown(data[:1000]))


def _plain(source: Source, file: InputFile) -> Iterator[Record | Reject]:
    if source.options.split == "file":
        found = whole(source, file)
        if isinstance(found, Reject):
            yield found
        else:
            text, told = found
            yield Record(1, {"text": text, "file": file.name} | told.columns, text)
        return
    with jsonl.opened(file) as stream:
        start = stream.read(1000)
    if (what := kinds.packed(start)) is not None:
        yield Reject(1, "damaged record", what, shown(start))
        return
    told = encoding.of_file(source, file)
    if (why := encoding.unsure(source, told)) is not None:
        yield Reject(1, "encoding not sure", why, shown(start))
        return
    about = {"file": file.name} | told.columns
    for at, data in _cut(source.options.split == "blocks", encoding.Transcoded(jsonl.opened(file), told)):
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            reason = "invalid UTF-8" if told.utf8 else "not in its encoding"
            yield Reject(at, reason, f"byte {error.start}: {error.reason} ({told.name})", shown(data))
        else:
            yield Record(at, {"text": text} | about, text)


def _cut(blocks: bool, stream: encoding.Transcoded) -> Iterator[tuple[int, bytes]]:
    """Yield lines that are not blank, or runs of them, each with the number of its (first) line."""
    block: list[bytes] = []
    first = 0
    for at, line in enumerate(stream.lines(), 1):
        if not line or line.isspace():
            if block:
                yield first, b"\n".join(block)
            block = []
        elif blocks:
            first = first if block else at
            block.append(line)
        else:
            yield at, line
    if block:
        yield first, b"\n".join(block)


def _markdown(source: Source, file: InputFile) -> Iterator[Record | Reject]:
    found = whole(source, file)
    if isinstance(found, Reject):
        yield found
        return
    text, told = found
    front, body = _front(text)
    yield Record(1, {"text": body} | front | {"file": file.name} | told.columns, text)


def _front(text: str) -> tuple[dict[str, Any], str]:
    """Return what the YAML at the head of a page says of it, and the page."""
    if not (match := _FRONT.match(text)):
        return {}, text
    try:
        # Every value as the text that it is: `no` is a language, and 2024-02-31 what somebody wrote.
        told = yaml.load(match[1], yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError):
        return {}, text
    if not isinstance(told, dict):
        return {}, text
    found = {k: value for k in _KNOWN if (value := _said(told.get(k)))}
    return found, text[match.end() :].lstrip("\n")


def _said(value: Any) -> str | None:
    """Return what the head of a page says under one name, the texts of a list with commas; None where it is none."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = ", ".join(value)
    return value if isinstance(value, str) and value not in ("~", "null", "Null", "NULL") else None


READER = (
    ReaderSpec(
        name="txt",
        endings=(".txt", ".text"),
        read=reading(_plain),
        peek=columns("text", "file"),
        counts="line",
        loose=True,
        options=("encoding", "min_encoding", "split"),
        version=2,
    ),
    ReaderSpec(
        name="md",
        endings=(".md", ".markdown"),
        read=reading(_markdown),
        peek=columns("text", "file", *_KNOWN),
        counts="line",
        loose=True,
        options=("encoding", "min_encoding"),
        version=2,
    ),
)
