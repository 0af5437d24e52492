"""Parallel text: TMX, XLIFF 1.2 and 2, and Moses's pairs of files with a sentence a line.

Every side of a unit is a document in its language; ``group`` is the same for all sides of one unit, and says so to
whatever wants translations. So ``language: {column: lang}`` is asked for.
"""

import re
from collections.abc import Iterator
from glob import escape
from typing import Any
from xml.etree import ElementTree

from glotmix.core import language
from glotmix.core.errors import DataError, RequestError
from glotmix.corpus import encoding, jsonl, kinds
from glotmix.corpus.readers import markup
from glotmix.corpus.readers.spec import ReaderSpec, Record, reading
from glotmix.corpus.rows import Reject, shown
from glotmix.corpus.sources import Column, InputFile, Source

COLUMNS = ("text", "lang", "group")
_NATIVE = {"bpt", "ept", "ph", "it", "ut", "bx", "ex", "x"}
"""Elements whose text is code of the original format, not language."""


def _peek(source: Source, file: InputFile) -> list[str]:
    if not isinstance(source.language, Column):
        raise RequestError(
            f"source '{source.name}': {file.shown} holds text in several languages, each told by the file",
            "language: {column: lang}",
        )
    return list(COLUMNS)


def _text(element: Any) -> str:
    """Return the text of a segment without the codes of its format."""
    parts = [element.text or ""]
    for child in element:
        if _name(child) not in _NATIVE:
            parts.append(_text(child))
        parts.append(child.tail or "")
    return "".join(parts)


def _name(element: Any) -> str:
    return str(element.tag).rsplit("}", 1)[-1]


def _tmx(source: Source, file: InputFile) -> Iterator[Record | Reject]:
    told = encoding.sure(source, file)
    at = 0
    with jsonl.opened(file) as stream:
        for _, data in markup.elements(encoding.Transcoded(stream, told), "tu", "tmx"):
            if not data.startswith(b"<tu") or data.startswith(b"<tmx"):
                continue
            at += 1
            try:
                unit = markup.parse(data)
            except ElementTree.ParseError as error:
                yield Reject(at, "damaged record", str(error), shown(data[:1000]))
                continue
            group = f"{file.name}:{at}"
            for side in unit.iter("tuv"):
                segment = side.find("seg")
                lang = side.get(markup.LANG) or side.get("lang")
                text = None if segment is None else _text(segment)
                if text is not None and not text.strip():
                    continue  # not translated: this side says nothing
                yield Record(at, {"text": text, "lang": lang, "group": group}, text or data.decode("utf-8", "replace"))


def _xliff(source: Source, file: InputFile) -> Iterator[Record | Reject]:
    told = encoding.sure(source, file)
    langs: tuple[str | None, str | None] = (None, None)
    at = 0
    with jsonl.opened(file) as stream:
        for whole, data in markup.elements(encoding.Transcoded(stream, told), "trans-unit|unit", "xliff|file"):
            if not whole:
                said = markup.attributes(data)
                here = (
                    said.get("source-language") or said.get("srcLang"),
                    said.get("target-language") or said.get("trgLang"),
                )
                langs = (here[0] or langs[0], here[1] or langs[1])
                continue
            at += 1
            try:
                unit = markup.parse(re.sub(rb"(</?)[\w.-]+:([\w.-]+)", rb"\1\2", data))
            except ElementTree.ParseError as error:
                yield Reject(at, "damaged record", str(error), shown(data[:1000]))
                continue
            for part in [e for e in unit.iter() if _name(e) == "segment"] or [unit]:
                for element in part:
                    if (side := _name(element)) in ("source", "target"):
                        text = _text(element)
                        if not text.strip():
                            continue
                        lang = element.get(markup.LANG) or langs[side == "target"]
                        fields = {"text": text, "lang": lang, "group": f"{file.name}:{at}"}
                        yield Record(at, fields, text or shown(data[:1000]))


def _lines(source: Source, file: InputFile) -> Iterator[Record | Reject]:
    lang, stem = _side(source, file)
    told = encoding.of_file(source, file)
    if (why := encoding.unsure(source, told)) is not None:
        yield Reject(1, "encoding not sure", why, "")
        return
    with jsonl.opened(file) as stream:
        for at, line in enumerate(encoding.Transcoded(stream, told).lines(), 1):
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                yield Reject(at, "invalid UTF-8", f"byte {error.start}: {error.reason}", shown(line))
                continue
            if not text.strip():
                continue
            yield Record(at, {"text": text, "lang": lang, "group": f"{stem}:{at}"} | told.columns, text)


def _side(source: Source, file: InputFile) -> tuple[str, str]:
    """Return a file's language by its ending, and its name without it."""
    name = file.name.removesuffix(file.path.suffix) if file.codec else file.name
    stem, _, ending = name.rpartition(".")
    try:
        return language.parse(ending).code, stem
    except RequestError as error:
        raise DataError(
            f"source '{source.name}': the ending of {file.shown} is no language: {error.message}",
            "name Moses's files corpus.fr-en.fr and corpus.fr-en.en",
        ) from error


def _peek_lines(source: Source, file: InputFile) -> list[str]:
    """Check that the files of a set have the same number of lines: otherwise they are not each other's translations."""
    found = _peek(source, file)
    _, stem = _side(source, file)
    here = _count(file.path, file.codec)
    ending = file.path.suffix if file.codec else ""
    for other in sorted(file.path.parent.glob(f"{escape(stem.rsplit('/', 1)[-1])}.*{ending}")):
        last = other.name.removesuffix(ending).rpartition(".")[2]
        try:
            language.parse(last)
        except RequestError:
            continue
        if (there := _count(other, file.codec)) != here:
            raise DataError(
                f"source '{source.name}': {file.shown} has {here:,} lines and {other.name} has {there:,}: they are no "
                "translations line by line",
                "fetch both again",
            )
    return found


def _count(path: Any, codec: str | None) -> int:
    lines, end, last = 0, b"", b""
    with kinds.decompressed(path, codec) as stream:
        while data := stream.read(4 * 2**20):
            end = end or encoding.line_end(data)
            lines += data.count(end)
            last = data[-1:]
    return lines + (last != end)


_OPTIONS = ("encoding", "min_encoding")
READER = (
    ReaderSpec(
        name="tmx",
        endings=(".tmx",),
        read=reading(_tmx),
        peek=_peek,
        counts="unit",
        sniff=lambda start: b"<tmx" in start,
        options=_OPTIONS,
    ),
    ReaderSpec(
        name="xliff",
        endings=(".xlf", ".xliff"),
        read=reading(_xliff),
        peek=_peek,
        counts="unit",
        sniff=lambda start: b"<xliff" in start,
        options=_OPTIONS,
    ),
    ReaderSpec(
        name="moses", endings=(), read=reading(_lines), peek=_peek_lines, counts="line", options=_OPTIONS, version=2
    ),
)
