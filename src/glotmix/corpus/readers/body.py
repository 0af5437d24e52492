"""What a server answered with, as it was before it was packed for the way (RFC 9112, chunks; RFC 9110, codings).

Crawlers keep an answer as it came, or unpacked under the header that says that it is packed: both are read. A body
whose packing ends early says so.
"""

import re
import zlib

import pyarrow as pa

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")
_GZIP = b"\x1f\x8b"
_NO_TEXT = re.compile(rb"[\x00-\x08]")


def unpacked(data: bytes, codings: str, limit: int) -> tuple[bytes, str | None]:
    """Return a body without its codings, and which of them ends early; None where none does.

    Args:
        data: as it stands in the archive.
        codings: in the order in which they were applied, with commas: ``gzip, chunked``. Unknown ones change nothing.
        limit: bytes that are returned at most; what is longer is not looked at to its end.

    >>> unpacked(b"2;a=b\\r\\nhe\\r\\n3\\r\\nllo\\r\\n0\\r\\n\\r\\n", "chunked", 99)
    (b'hello', None)
    >>> unpacked(b"<p>hello", "gzip, chunked", 99)
    (b'<p>hello', None)
    """
    cut = None
    for name in reversed([one.strip().lower().removeprefix("x-") for one in codings.split(",")]):
        if name == "chunked":
            data, whole = _chunks(data)
        elif name in ("gzip", "deflate"):
            data, whole = _inflated(data, name == "gzip", limit)
        elif name in ("br", "zstd"):
            data, whole = _streamed(data, {"br": "brotli"}.get(name, name), limit)
        else:
            continue
        cut = cut if whole else name
    return data, cut


def _chunks(data: bytes) -> tuple[bytes, bool]:
    """Join the chunks of a body; what does not begin as one was joined by the crawler."""
    parts: list[bytes] = []
    at = 0
    while (size := _SIZE.match(data, at)) is not None:
        length = int(size[1], 16)
        if not length:
            return b"".join(parts), True
        parts.append(data[size.end() : size.end() + length])
        at = size.end() + length
        at += 2 if data.startswith(b"\r\n", at) else data.startswith(b"\n", at)
    return (b"".join(parts), False) if parts else (data, True)


def _inflated(data: bytes, gzip: bool, limit: int) -> tuple[bytes, bool]:
    """Undo gzip of any number of members, or deflate with zlib's frame or, as some servers send it, without."""
    if gzip and not data.startswith(_GZIP):
        return data, True
    for bits in (31,) if gzip else (15, -15):
        found, rest = b"", data
        try:
            while len(found) < limit:
                part = zlib.decompressobj(bits)
                found += part.decompress(rest, limit - len(found))
                rest = part.unused_data
                if not part.eof:
                    return found, len(found) >= limit
                if not (gzip and rest.startswith(_GZIP)):
                    break
        except zlib.error:
            if found or gzip:
                return found, False
            continue
        return found, True
    return data, True


def _streamed(data: bytes, codec: str, limit: int) -> tuple[bytes, bool]:
    """Undo brotli, of which no beginning is told, or Zstandard."""
    parts = []
    held = 0
    try:
        with pa.CompressedInputStream(pa.BufferReader(data), codec) as stream:
            while held < limit and (part := stream.read(min(2**20, limit - held))):
                parts.append(part)
                held += len(part)
    except OSError:
        return (b"".join(parts), False) if parts or _NO_TEXT.search(data[:1000]) else (data, True)
    return b"".join(parts), True
