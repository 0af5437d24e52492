"""The encoding of raw text: told with a score, so that what is not sure stands in quarantine and not in the corpus.

UTF-8 is checked, never guessed: text that is UTF-8 in letters beyond ASCII is practically never anything else. What
is not is given to `chardet <https://chardet.readthedocs.io>`_ (the extra ``raw``), whose confidence is the score.
"""

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO

import numpy as np

from glotmix.core.errors import DataError, MissingExtraError
from glotmix.corpus import jsonl
from glotmix.corpus.codec_names import known
from glotmix.corpus.sources import InputFile, Source

SAMPLE = 200_000
"""Bytes of lines with something beyond ASCII that are looked at."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SERVERS_DEFAULT = ("cp1252", "iso8859-1", "ascii")
_TAGS = re.compile(rb"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_CHUNK = 4 * 2**20
_SURE = 0.2
_PARTS = 10


@dataclass(frozen=True)
class Guess:
    """An encoding and how sure it is, from 0 to 1."""

    name: str
    score: float

    @property
    def utf8(self) -> bool:
        """Whether it is UTF-8, with or without a mark."""
        return self.name in ("utf-8", "utf-8-sig")

    @property
    def columns(self) -> dict[str, object]:
        """What a document says of it: nothing where it is UTF-8."""
        return {} if self.utf8 else {"encoding": self.name, "encoding_score": self.score}


def guess(data: bytes, declared: str | None = None, markup: bool = False) -> Guess:
    """Tell the encoding of a text.

    Args:
        data: some of it.
        declared: what its page or server says. It is believed where it can be true, but not where it is what servers
            say by default (``windows-1252``, ``iso-8859-1``) and another encoding is likelier.
        markup: whether it is HTML, whose tags say nothing of the encoding.

    Raises:
        MissingExtraError: if it is not UTF-8 and the extra ``raw`` is not installed.

    >>> guess("Ξεσκεπάζω την ψυχοφθόρα βδελυγμία".encode("cp1253")).name
    'cp1253'
    """
    if (mark := marked(data)) is not None:
        return Guess(mark, 1.0)
    if not _escapes(data) and (data.isascii() or _decodes(data, "utf-8")):
        return Guess("utf-8", 1.0)
    if (wide := _wide(data)) is not None:
        return Guess(wide, 1.0)
    if not _escapes(data) and _utf8(data):
        return Guess("utf-8", 1.0)
    return _legacy(_TAGS.sub(b" ", data) if markup else data, declared)


def marked(data: bytes) -> str | None:
    """Return the encoding that a byte order mark tells."""
    return next((name for mark, name in _MARKS if data.startswith(mark)), None)


def _wide(data: bytes) -> str | None:
    """Return UTF-16 without a mark, told by its spaces, digits and ends of lines: every second byte of these is 0."""
    units = np.frombuffer(data[: len(data) // 2 * 2][:20_000], "<u2")
    little, big = ((units < 0x80) & (units > 0)).sum(), ((units & 0xFF == 0) & (units < 0x8000) & (units > 0)).sum()
    if max(little, big) < 0.02 * len(units) or 0 in (data[0:2], units.min(initial=1)):
        return None
    name = "utf-16-le" if little > big else "utf-16-be"
    return name if _decodes(data, name) and min(little, big) * 4 <= max(little, big) else None


def _wide_alone(data: bytes) -> bool:
    """Whether this is UTF-16 and no UTF-8: not to be cut at the ends of lines, of which a half would be left."""
    return b"\0" in data and not _decodes(data, "utf-8") and _wide(data) is not None


def _escapes(data: bytes) -> bool:
    """Whether pure ASCII may be something else: UTF-16, UTF-32, ISO-2022.

    A fifth of what UTF-16 has of letters below U+1FFF are control characters, and more; a text that holds a few is one.
    """
    if not data.isascii():
        return False
    start = data[:20_000]
    return b"\x1b$" in data or (b"\0" in start and sum(byte < 32 for byte in start) >= 0.2 * len(start))


def _utf8(data: bytes) -> bool:
    """Whether most lines with something beyond ASCII are UTF-8 (the last one may be cut)."""
    good = bad = 0
    for line in data.split(b"\n"):
        if not line.isascii():
            try:
                line.decode()
                good += 1
            except UnicodeDecodeError:
                bad += 1
    return good > bad


def _legacy(data: bytes, declared: str | None) -> Guess:
    try:
        import chardet
    except ImportError as error:
        raise MissingExtraError("text in another encoding than UTF-8", "raw") from error

    def detect(part: bytes) -> Guess:
        found = chardet.detect(part, compat_names=False)
        name = known(found["encoding"] or "") or "unknown"
        return Guess(name, float(found["confidence"]) if name != "unknown" else 0.0)

    told = detect(data)
    rows = data.split(b"\n")
    if told.score < _SURE and len(rows) >= 2 * _PARTS:
        # One damaged byte rules the true encoding out: ask for parts, and take what most of them are in.
        size = -(-len(rows) // _PARTS)
        votes: dict[str, float] = {}
        for first in range(0, len(rows), size):
            part = detect(b"\n".join(rows[first : first + size]))
            votes[part.name] = votes.get(part.name, 0.0) + part.score / _PARTS
        best = max(votes, key=lambda name: votes[name])
        told = Guess(best, votes[best])
    said = known(declared or "")
    if said is None or not _decodes(data, said):
        return told
    if said in _SERVERS_DEFAULT and told.name != said and told.score > _SURE:
        return told
    return Guess(said, 1.0)


def _decodes(data: bytes, name: str) -> bool:
    try:
        codecs.getincrementaldecoder(name)().decode(data)
    except (UnicodeDecodeError, LookupError):
        return False
    return True


def of_file(source: Source, file: InputFile) -> Guess:
    """Tell the encoding of a file of text, or take the one that the source names, with a score of 1."""
    if source.options.encoding != "auto":
        return Guess(known(source.options.encoding) or source.options.encoding, 1.0)
    sample = bytearray()
    first = True
    with jsonl.opened(file) as stream:
        while data := stream.read(_CHUNK):
            if first and (mark := marked(data)) is not None:
                return Guess(mark, 1.0)
            if first and (_escapes(data) or _wide_alone(data[:SAMPLE])):
                return guess(data[:SAMPLE])
            first = False
            if data.isascii():
                continue
            for line in data.split(b"\n"):
                if not line.isascii():
                    sample += line[:SAMPLE] + b"\n"
                if len(sample) > SAMPLE:
                    return guess(bytes(sample))
    return guess(bytes(sample))


def sure(source: Source, file: InputFile) -> Guess:
    """Tell the encoding of a file of many documents.

    Raises:
        DataError: if it is not good enough for the source.
    """
    told = of_file(source, file)
    if (why := unsure(source, told)) is not None:
        raise DataError(
            f"source '{source.name}': the encoding of {file.shown} is not sure: {why}",
            "name it: options: {encoding: …}",
        )
    return told


def decode(data: bytes, told: Guess) -> str:
    """Decode a whole text, its mark taken off, its lines ended by ``\\n``.

    Raises:
        UnicodeDecodeError: if it is not in that encoding.
    """
    text = data.decode(told.name).removeprefix("\ufeff").replace("\r\n", "\n")
    return text if "\n" in text else text.replace("\r", "\n")


def line_end(start: bytes) -> bytes:
    """Return what ends the lines of a file that begins so: ``\\r`` alone, as on old Macs, where there is no ``\\n``."""
    return b"\r" if b"\r" in start[:-1] and b"\n" not in start else b"\n"


def _kept(error: UnicodeError) -> tuple[str, int]:
    """Keep bytes that are not in an encoding, as bytes that UTF-8 never has alone.

    It is Python's "surrogateescape", which knows bytes from 0x80 on: UTF-16 that is cut short may end with any.
    """
    assert isinstance(error, UnicodeDecodeError)
    return "".join(chr(0xDC00 | byte | 0x80) for byte in error.object[error.start : error.end]), error.end


codecs.register_error("glotmix.kept", _kept)


_MARKED = re.compile("([\ufdd0-\ufddf])([\ufde0-\ufdef])")


def _mark(error: UnicodeError) -> tuple[bytes, int]:
    """Write bytes that `_kept` kept as pairs of characters that no text has (Unicode's noncharacters)."""
    assert isinstance(error, UnicodeEncodeError)
    kept = [ord(c) & 0xFF for c in error.object[error.start : error.end]]
    return "".join(chr(0xFDD0 + (byte >> 4)) + chr(0xFDE0 + (byte & 15)) for byte in kept).encode(), error.end


codecs.register_error("glotmix.mark", _mark)


def unmarked(text: str) -> bytes:
    """Return the bytes of a text in which some are marked.

    >>> unmarked("a\ufdd8\ufde1")
    b'a\x81'
    """

    def byte(found: "re.Match[str]") -> str:
        return chr(0xDC00 + ((ord(found[1]) - 0xFDD0) << 4) + ord(found[2]) - 0xFDE0)

    return _MARKED.sub(byte, text).encode("utf-8", "surrogateescape")


class Transcoded:
    """A stream of UTF-8 from a file in any encoding. Bytes that are not in that encoding stay what no UTF-8 is.

    So the row that holds them is refused, and no other.

    Args:
        stream: of the file.
        told: its encoding.
        mark: whether they are marked (see `unmarked`) for a reader that bears nothing but UTF-8.
    """

    def __init__(self, stream: IO[bytes], told: Guess, mark: bool = False) -> None:
        self._stream = stream
        self._errors = "glotmix.mark" if mark else "surrogateescape"
        self.broken = False
        """Whether there were any so far."""
        self._decoder = codecs.getincrementaldecoder("utf-8-sig" if told.utf8 else told.name)("glotmix.kept")
        self._rest = b""
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """Return about that many bytes, fewer at the end."""
        while size < 0 or len(self._rest) < size:
            data = self._stream.read(_CHUNK if size < 0 else size)
            text = self._decoder.decode(data, final=not data)
            try:
                self._rest += text.encode()
            except UnicodeEncodeError:
                self.broken = True
                self._rest += text.encode("utf-8", self._errors)
            if not data:
                break
        found, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return found

    def readable(self) -> bool:
        """Say that it can be read, as Arrow asks."""
        return True

    def writable(self) -> bool:
        """Say that it cannot be written, as Arrow asks."""
        return False

    def seekable(self) -> bool:
        """Say that it only goes forward, as Arrow asks."""
        return False

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
        self.closed = True

    def lines(self) -> Iterable[bytes]:
        """Yield the lines, each without its end."""
        rest: list[bytes] = []
        end = None
        while data := self.read(_CHUNK):
            end = end or line_end(data)
            first, *others = data.split(end)
            rest.append(first)
            for line in others:
                yield b"".join(rest).removesuffix(b"\r")
                rest = [line]
        if last := b"".join(rest):
            yield last.removesuffix(b"\r")


def unsure(source: Source, told: Guess) -> str | None:
    """Return why an encoding is not good enough for the source, None where it is."""
    if told.score >= source.options.min_encoding:
        return None
    return f"{told.name} with a score of {told.score:.2f}, below {source.options.min_encoding:g}"
