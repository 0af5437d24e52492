"""Books and papers: EPUB (the extra ``raw``), and the text layer of PDF (pypdf, the extra ``pdf``).

A document is a file; with ``split: blocks`` a chapter (a file of the book's spine), or a page. Of a PDF comes what its
text layer says, in the order in which it stands there: columns, headers and hyphens as they are, and nothing of a scan.
A layer whose letters have no meaning in Unicode (private ones, U+FFFD: common in older files of Indic scripts, Burmese,
Khmer) is refused.
"""

import io
import logging
import lzma
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from glotmix.core.errors import MissingExtraError
from glotmix.corpus import extract, jsonl
from glotmix.corpus.frames import READINGS
from glotmix.corpus.main_text import SOFT_HYPHEN
from glotmix.corpus.readers.spec import ReaderSpec, Record, columns, reading
from glotmix.corpus.rows import Reject
from glotmix.corpus.sources import InputFile, Source

MAX_BYTES = 512 * 2**20
_UNREADABLE = 0.02
"""The share of letters without a meaning from which a PDF's text layer is refused."""

_STUMBLES = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, ElementTree.ParseError, LookupError, StopIteration,
    OSError, EOFError, RuntimeError, ValueError, ArithmeticError,
)  # fmt: skip
"""What `zipfile`, the decompressors and the parsers raise of a damaged file."""

_SAID = {"title": "title", "language": "lang", "creator": "author", "date": "date", "rights": "license"}


def _epub(source: Source, file: InputFile) -> Iterator[Record | Reject]:
    try:
        from resiliparse.extract.html2text import extract_plain_text
    except ImportError as error:
        raise MissingExtraError("reading EPUB", "raw") from error
    with jsonl.opened(file) as stream:
        data = stream.read(MAX_BYTES)
    try:
        book = zipfile.ZipFile(io.BytesIO(data))
        root = ElementTree.fromstring(book.read("META-INF/container.xml"))
        package = next(e.attrib["full-path"] for e in root.iter() if e.tag.endswith("}rootfile"))
        opf = ElementTree.fromstring(book.read(package))
        files = {e.attrib["id"]: e.attrib["href"] for e in opf.iter() if e.tag.endswith("}item")}
        spine = [files[e.attrib["idref"]] for e in opf.iter() if e.tag.endswith("}itemref")]
        chapters = []
        for href in spine:
            name = posixpath.normpath(posixpath.join(posixpath.dirname(package), unquote(href)))
            html, _ = extract.decoded(book.read(name))
            text = str(
                extract_plain_text(
                    html, preserve_formatting=True, alt_texts=False, list_bullets=False, skip_elements=[READINGS]
                )
            )
            chapters.append("\n".join(extract.lines(text.replace(SOFT_HYPHEN, ""))))
    except _STUMBLES as error:
        yield Reject(1, "damaged record", f"no EPUB that can be read: {error}", "")
        return
    about: dict[str, Any] = {}
    for element in opf.iter():
        name = element.tag.rsplit("}", 1)[-1]
        if "purl.org/dc" in element.tag and name in _SAID and element.text and element.text.strip():
            about.setdefault(_SAID[name], element.text.strip())
    yield from _parts(source, file, [c for c in chapters if c], about)


def _pdf(source: Source, file: InputFile) -> Iterator[Record | Reject]:
    try:
        from pypdf import PdfReader
        from pypdf.errors import DependencyError, PyPdfError
    except ImportError as error:
        raise MissingExtraError("reading PDF", "pdf") from error
    # What is wrong with a file stands in quarantine, and not on the terminal without the file's name.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    with jsonl.opened(file) as stream:
        data = stream.read(MAX_BYTES)
    try:
        reader = PdfReader(io.BytesIO(data))
        pages = ["\n".join(extract.lines(page.extract_text() or "")) for page in reader.pages]
        title = reader.metadata.title if reader.metadata is not None else None
    except (*_STUMBLES, PyPdfError, DependencyError, TypeError, AttributeError, AssertionError) as error:
        # The library raises whatever a damaged file makes it stumble over.
        yield Reject(1, "damaged record", f"no PDF that can be read: {error}", "")
        return
    text = "".join(pages)
    strange = sum(c == "\ufffd" or "\ue000" <= c <= "\uf8ff" for c in text)
    if strange > _UNREADABLE * max(len(text), 1):
        yield Reject(1, "letters without meaning", f"{strange:,} of {len(text):,} characters", text[:200])
        return
    yield from _parts(source, file, [p for p in pages if p], {"title": title} if title else {})


def _parts(source: Source, file: InputFile, parts: list[str], about: dict[str, Any]) -> Iterator[Record | Reject]:
    about = about | {"file": file.name}
    if not parts:
        yield Reject(1, extract.EMPTY, "", "")
    elif source.options.split == "blocks":
        for at, part in enumerate(parts, 1):
            yield Record(at, {"text": part} | about, part)
    else:
        yield Record(1, {"text": "\n\n".join(parts)} | about, parts[0])


READER = (
    ReaderSpec(
        name="epub",
        endings=(".epub",),
        read=reading(_epub),
        peek=columns("text", "title", "lang", "author", "date", "license", "file"),
        sniff=lambda start: start[:4] == b"PK\x03\x04" and b"application/epub+zip" in start[:200],
        loose=True,
        options=("split",),
        version=2,
    ),
    ReaderSpec(
        name="pdf",
        endings=(".pdf",),
        read=reading(_pdf),
        peek=columns("text", "title", "file"),
        sniff=lambda start: start.startswith(b"%PDF-"),
        loose=True,
        options=("split",),
    ),
)
