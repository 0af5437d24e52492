"""Web archives: WARC, the WET files made from them, and the older ARC, read by FastWARC (the extra ``raw``).

Documents are the pages and texts that a server answered with (status 200 to 299), and texts that were made from pages
(``conversion``). Requests, redirects, images and the archive's own notes are no documents and are passed over, and so
is a ``robots.txt``: what it says stands in `robots` of its site's pages. It may stand behind them, so a file is gone
through twice, the first time for these alone. A record that is damaged or cut short stands in quarantine, and reading
goes on with the next one.
"""

import io
import re
from collections.abc import Callable, Iterator
from typing import IO, Any

from glotmix.core.errors import MissingExtraError
from glotmix.corpus import encoding, extract, jsonl
from glotmix.corpus.readers import body
from glotmix.corpus.readers.page import COLUMNS, OPTIONS, document
from glotmix.corpus.readers.robots import Robots, is_one
from glotmix.corpus.readers.spec import ReaderSpec, Record, columns, reading
from glotmix.corpus.rows import Reject, shown
from glotmix.corpus.sources import InputFile, Source

_PAGES = ("text/html", "application/xhtml+xml")
_TEXTS = ("text/plain",)
_BEGINS = {"gzip": b"\x1f\x8b\x08", "zstd": b"\x28\xb5\x2f\xfd", None: b"WARC/1."}
"""How a record begins in the files that FastWARC opens by itself: in those of other compressions, as in plain ones."""
_BLOCK = 2**20
_MAX_RECORD = 64 * 2**20
_ARC_LINE = re.compile(rb"^(\S+) \S+ (\d{14}) (\S+) (?:.* )?(\d+)\r?$")


def _iterator(stream: IO[bytes], rules: bool = False) -> Any:
    """Iterate over the records that may be documents, or with `rules` over those of ``robots.txt`` alone."""
    try:
        from fastwarc.warc import ArchiveIterator, WarcRecordType
    except ImportError as error:
        raise MissingExtraError("reading web archives", "raw") from error
    wanted = WarcRecordType.response | WarcRecordType.resource | WarcRecordType.conversion
    only = (lambda record: is_one(_url(record) or "")) if rules else None
    return ArchiveIterator(stream, record_types=wanted, auto_decode="none", func_filter=only)


def _warc(source: Source, file: InputFile) -> Iterator[Record | Reject]:
    robots = Robots()
    for _ in _each(file, lambda _, record: _rules(record, robots), rules=True):
        pass
    yield from _each(file, lambda at, record: _document(source, at, record, robots))


def _each(
    file: InputFile, look: Callable[[int, Any], Record | Reject | None], rules: bool = False
) -> Iterator[Record | Reject]:
    """Yield what is made of the records of a file, by their numbers, and where it is damaged."""
    at = 0
    damaged = inside = False
    begin: int | None = 0
    with file.path.open("rb") if file.codec in _BEGINS else jsonl.opened(file) as stream:
        while begin is not None:
            last = begin
            stream.seek(begin)
            try:
                for record in _iterator(stream, rules):
                    last = begin + record.stream_pos
                    at += 1
                    inside = True
                    found = look(at, record)
                    inside = damaged = False
                    if found is not None:
                        yield found
                return
            except (OSError, EOFError) as error:
                if not damaged:
                    at += not inside
                    yield Reject(at, "damaged record", f"at byte {last:,} or behind it: {error}", "")
                damaged, inside = True, False
            begin = _next(stream, last + 1, _BEGINS.get(file.codec, b"WARC/1."))


def _next(stream: IO[bytes], start: int, mark: bytes) -> int | None:
    """Return where the next record may begin."""
    stream.seek(start)
    rest, where = b"", start
    while data := stream.read(_BLOCK):
        data = rest + data
        if (found := data.find(mark)) >= 0:
            return where + found
        rest = data[-len(mark) + 1 :]
        where += len(data) - len(rest)
    return None


def _url(record: Any) -> str | None:
    """Return the address of a record; some writers put it between ``<`` and ``>``."""
    said: str | None = record.headers.get("WARC-Target-URI")
    return said.strip().removeprefix("<").removesuffix(">") if said else None


def _answered(record: Any) -> bool:
    """Say whether a record is what a server answered with, or stands for itself."""
    if not record.is_http or record.http_headers is None:
        return True
    return 200 <= (record.http_headers.status_code or 0) < 300


def _rules(record: Any, sites: Robots, again: bool = False) -> None:
    if _answered(record):
        sites.take(_url(record) or "", _body(record)[0], again)


def _codings(record: Any) -> str:
    """Return how an answer was packed for the way, in the order in which it was."""
    heads = record.http_headers if record.is_http and record.http_headers is not None else {}
    return ", ".join(said for name in ("Content-Encoding", "Transfer-Encoding") if (said := heads.get(name)))


def _body(record: Any) -> tuple[bytes, int, str | None]:
    """Return what a record holds, how many bytes of the file that is, and which of its codings ends early."""
    data = record.reader.read(_MAX_RECORD + 1)
    found, cut = body.unpacked(data, _codings(record), _MAX_RECORD + 1)
    return found, len(data), cut


def _length(said: str | None) -> int:
    """Return the length that a server declares, 0 where it is no number."""
    return int(said) if said is not None and re.fullmatch(r"[0-9]{1,18}", said.strip()) else 0


def _document(source: Source, at: int, record: Any, sites: Robots) -> Record | Reject | None:
    url = _url(record)
    said: str | None = None
    robots = tdm = None
    if record.is_http and record.http_headers is not None and record.http_headers.status_code is None:
        return Reject(at, "damaged record", f"{url}: no answer of a server that can be read", "")
    if not _answered(record):
        return None
    if url and is_one(url):
        _rules(record, sites, again=True)
        return None
    if record.is_http and record.http_headers is not None:
        kind, said = (record.http_content_type or "text/html").lower(), record.http_charset
        robots = record.http_headers.get("X-Robots-Tag")
        tdm = extract.reserved(record.http_headers.get("TDM-Reservation"))
        declared = _length(record.http_headers.get("Content-Length"))
    else:
        kind = (record.headers.get("Content-Type") or "text/plain").split(";")[0].strip().lower()
        declared = 0
    if not kind.startswith(_PAGES + _TEXTS):
        return None
    data, came, cut = _body(record)
    if max(came, len(data)) > _MAX_RECORD:
        return Reject(at, "over-long text", f"{url}: more than {_MAX_RECORD:,} bytes", shown(data[:1000]))
    if came < record.content_length:
        raise EOFError(f"{url}: {came:,} of {record.content_length:,} bytes")  # the file ends within: others too
    if record.headers.get("WARC-Truncated") is None:
        if cut is not None:
            return Reject(at, "damaged record", f"{url}: its {cut} ends early or is damaged", shown(data[:1000]))
        if not _codings(record) and came < declared:
            return Reject(at, "damaged record", f"{url}: {came:,} of {declared:,} bytes", shown(data[:1000]))
    found = document(source, at, data, said) if kind.startswith(_PAGES) else _text(source, at, data, said)
    if isinstance(found, Reject):
        return Reject(at, found.reason, f"{url}: {found.detail}", found.start)
    fields = dict(found.fields)
    date = record.headers.get("WARC-Date")
    if url and fields.get("url") not in (None, url):
        fields["canonical"] = fields["url"]
    fields |= {"url": url, "crawled": date}
    said_of_it = (fields.get("robots"), robots and robots.lower(), tdm, *(sites.say(url) if url else ()))
    if tags := ", ".join(t for t in said_of_it if t):
        fields["robots"] = tags
    return Record(at, fields, found.start)


def _text(source: Source, at: int, data: bytes, said: str | None) -> Record | Reject:
    told = encoding.guess(data, said)
    if (why := encoding.unsure(source, told)) is not None:
        return Reject(at, "encoding not sure", why, shown(data[:1000]))
    try:
        text = encoding.decode(data, told)
    except UnicodeDecodeError as error:
        return Reject(at, "invalid UTF-8" if told.utf8 else "not in its encoding", str(error), shown(data[:1000]))
    return Record(at, {"text": text.strip()} | told.columns, text)


def _arc(source: Source, file: InputFile) -> Iterator[Record | Reject]:
    robots = Robots()
    for part in _parts(file):
        if not isinstance(part, Reject) and is_one(part[1]):
            for record in _iterator(io.BytesIO(part[2])):
                _rules(record, robots)
    for part in _parts(file):
        if isinstance(part, Reject):
            yield part
            continue
        at, _, data = part
        try:
            found = [_document(source, at, record, robots) for record in _iterator(io.BytesIO(data))]
        except (OSError, EOFError) as error:
            found = [Reject(at, "damaged record", str(error), "")]
        yield from (one for one in found if one is not None)


def _parts(file: InputFile) -> Iterator[tuple[int, str, bytes] | Reject]:
    """Yield the records of an ARC file: the number of each, its address, and itself as WARC has it."""
    at = 0
    with jsonl.opened(file) as stream:
        buffered = io.BufferedReader(_Raw(stream), _BLOCK)
        while line := buffered.readline(_BLOCK):
            if not line.strip():
                continue
            at += 1
            if (head := _ARC_LINE.match(line.rstrip(b"\n"))) is None:
                yield Reject(at, "damaged record", "no line of address, place, date, kind and length", shown(line))
                if not _skip_to_record(buffered):
                    return
                continue
            url, date, kind, size = head[1], head[2].decode(), head[3], _length(head[4].decode())
            payload, came = _payload(buffered, size)
            if url.startswith(b"filedesc:"):
                at -= 1
                continue
            if came < size:
                yield Reject(at, "damaged record", f"{came:,} of {size:,} bytes", shown(payload[:1000]))
                return
            stamp = f"{date[:4]}-{date[4:6]}-{date[6:8]}T{date[8:10]}:{date[10:12]}:{date[12:]}Z"
            http = payload.startswith(b"HTTP/")
            header = (
                b"WARC/1.0\r\nWARC-Type: " + (b"response" if http else b"resource") + b"\r\nWARC-Target-URI: " + url
                + b"\r\nWARC-Date: " + stamp.encode() + b"\r\nContent-Type: "
                + (b"application/http; msgtype=response" if http else kind)
                + b"\r\nContent-Length: " + str(len(payload)).encode() + b"\r\n\r\n"
            )  # fmt: skip
            yield at, url.decode("utf-8", "replace"), header + payload + b"\r\n\r\n"


def _payload(stream: IO[bytes], size: int) -> tuple[bytes, int]:
    """Return the first bytes of so many, more than a document may have, and how many came; the others are skipped."""
    held: list[bytes] = []
    came = 0
    while came < size and (data := stream.read(min(_BLOCK, size - came))):
        if came <= _MAX_RECORD + _BLOCK:
            held.append(data)
        came += len(data)
    return b"".join(held), came


class _Raw(io.RawIOBase):
    """A stream that has `read` alone, for Python's buffer to read lines from."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _skip_to_record(stream: IO[bytes]) -> bool:
    """Go on to behind the next blank line, where a record may begin."""
    while line := stream.readline(_BLOCK):
        if not line.strip():
            return True
    return False


_COLUMNS = (*COLUMNS, "canonical", "crawled")
READER = (
    ReaderSpec(
        name="warc",
        endings=(".warc", ".wet"),
        read=reading(_warc),
        peek=columns(*_COLUMNS),
        counts="record",
        sniff=lambda start: start.startswith(b"WARC/"),
        options=OPTIONS,
        version=4,
    ),
    ReaderSpec(
        name="arc",
        endings=(".arc",),
        read=reading(_arc),
        peek=columns(*_COLUMNS),
        counts="record",
        sniff=lambda start: start.startswith(b"filedesc://"),
        options=OPTIONS,
        version=4,
    ),
)
