"""Web pages as files: `.html`, `.htm`, `.xhtml`."""

from collections.abc import Iterator

from glotmix.corpus import encoding, extract, jsonl, kinds
from glotmix.corpus.readers.spec import ReaderSpec, Record, columns, reading
from glotmix.corpus.rows import Reject, shown
from glotmix.corpus.sources import InputFile, Source

MAX_BYTES = 64 * 2**20
COLUMNS = ("text", "title", "lang", "date", "license", "url", "robots")
OPTIONS = ("min_encoding", "extractor")


def document(source: Source, at: int, data: bytes, said: str | None = None) -> Record | Reject:
    """Return the document that a page is.

    Args:
        source: whose options say how.
        at: its number in its file.
        data: the page.
        said: the encoding that its server says.
    """
    html, told = extract.decoded(data, said)
    if (why := encoding.unsure(source, told)) is not None:
        return Reject(at, "encoding not sure", why, shown(data[:1000]))
    found = extract.page(html, extract.extractor(source.options.extractor))
    if not found["text"]:
        return Reject(at, extract.EMPTY, found.get("title", ""), shown(html[:1000]))
    return Record(at, found | told.columns, html)


def _read(source: Source, file: InputFile) -> Iterator[Record | Reject]:
    with jsonl.opened(file) as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        yield Reject(1, "over-long text", f"more than {MAX_BYTES:,} bytes in one page", shown(data[:1000]))
        return
    if (what := kinds.packed(data)) is not None:
        yield Reject(1, "damaged record", what, shown(data[:1000]))
        return
    said = None if source.options.encoding == "auto" else source.options.encoding
    found = document(source, 1, data, said)
    if isinstance(found, Record):
        found = found._replace(fields=found.fields | {"file": file.name})
    yield found


def sniff(start: bytes) -> bool:
    """Whether this begins a web page."""
    head = start.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    return head.startswith((b"<!doctype html", b"<html")) or b"<html" in head


READER = (
    ReaderSpec(
        name="html",
        endings=(".html", ".htm", ".xhtml"),
        read=reading(_read),
        peek=columns(*COLUMNS, "file"),
        sniff=sniff,
        place=900,
        loose=True,
        options=("encoding", *OPTIONS),
        version=2,
    ),
)
