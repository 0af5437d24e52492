"""The kind of a file: its format and compression, by its ending, else by its first bytes."""

import bz2
import lzma
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa

from glotmix.core.errors import DataError
from glotmix.corpus import formats

CODECS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".xz": "xz"}
_PACKED = {*CODECS, ".lz4", ".br", ".zip", ".tar", ".tgz", ".7z", ".rar"}
_TABLES = {".xls", ".xlsx", ".ods", ".arrow", ".feather", ".orc", ".avro", ".sqlite", ".db"}
_PAPERS = {".doc", ".docx", ".odt", ".rtf", ".ppt", ".pptx"}
_SNIFFED = 4096
_DAMAGED = (OSError, EOFError, lzma.LZMAError)
"""What the streams raise of a file that is cut short, or is not what its ending says."""


def kind(path: Path, arrays: bool = False) -> tuple[str | None, str | None]:
    """Return a file's format (the name of its reader) and compression, None where there is none.

    Args:
        path: the file.
        arrays: whether only formats of instruction data are wanted, of which one JSON array (``json``) is one.
    """
    codec = CODECS.get(path.suffix.lower())
    last = Path(path.stem).suffix.lower() if codec else path.suffix.lower()
    if arrays and last == ".json":
        return "json", codec
    found = formats.of_ending(last)
    if found is None:
        found = formats.of_content(start(path, codec))
    if (found == "parquet" and codec is not None) or (arrays and found not in ("jsonl", "parquet")):
        found = None
    return found, codec


def loose(name: str) -> bool:
    """Say whether a file of this format is one document."""
    return name in formats.specs() and formats.spec(name).loose


def start(path: Path, codec: str | None) -> bytes:
    """Return the first bytes of a file, none where it is not what its ending says."""
    try:
        with decompressed(path, codec) as stream:
            return stream.read(_SNIFFED)
    except _DAMAGED:
        return b""


@contextmanager
def named(source: str, file: str) -> Iterator[None]:
    """Name the source and the file in the error of a stream that cannot be read to its end.

    Raises:
        DataError: in the place of what the stream raises.
    """
    try:
        yield
    except _DAMAGED as error:
        raise DataError(f"source '{source}': {file} cannot be read: {error}", "fetch it again") from error


def decompressed(path: Path, codec: str | None) -> IO[bytes]:
    """Open a file for reading, through its compression."""
    match codec:
        case None:
            return path.open("rb")
        case "bz2":
            return bz2.open(path)
        case "xz":
            return lzma.open(path)
    # Arrow's streams go on through gzip files of several members and zstd files of several frames.
    stream: IO[bytes] = pa.input_stream(str(path), compression=codec)
    return stream


def ending(path: Path) -> str:
    """Return what a file's name says of its kind: the last ending, with the one before it where that is compressed.

    >>> [ending(Path(p)) for p in ("a.v1.csv", "a.jsonl.bz2", "README")]
    ['.csv', '.jsonl.bz2', 'README']
    """
    packed = path.suffix.lower() in _PACKED
    return "".join(path.suffixes[-2:] if packed else path.suffixes[-1:]).lower() or path.name


def readable() -> str:
    """Say for people which files are read."""
    endings = ", ".join(e for spec in formats.specs().values() for e in spec.endings)
    return f"{endings} are read, also with {', '.join(CODECS)}"


def advice(left: Sequence[Path]) -> str:
    """Say what makes files readable, by what most of them are."""
    kinds = Counter(_outer(p) for p in left)
    match kinds.most_common(1):
        case [(last, _)] if last in _PACKED - CODECS.keys():
            return f"unpack them: {readable()}"
        case [(last, _)] if last in _TABLES:
            return f"write the tables as .parquet or .csv: {readable()}"
        case [(last, _)] if last in _PAPERS:
            return f"save them as .txt, .html or .pdf: {readable()}"
        case [(".json", _)]:
            return "set format: jsonl if each line is an object; of one array, write one element a line, as .jsonl"
    return f"set format, if they are of one: {readable()}"


def _outer(path: Path) -> str:
    """Return the ending that says what to do: that of an archive below its compression (``.tar.gz``), or the last."""
    found = Path(ending(path))
    inner = Path(found.stem).suffix or (found.stem if found.stem.startswith(".") else "")
    return inner if found.suffix in CODECS and inner else found.suffix or ending(path)


_POINTER = b"version https://git-lfs"
_MAGIC = {
    b"\x1f\x8b": ("is compressed with gzip", "call it NAME.gz"),
    b"\x28\xb5\x2f\xfd": ("is compressed with zstd", "call it NAME.zst"),
    b"BZh": ("is compressed with bzip2", "call it NAME.bz2"),
    b"\xfd7zXZ": ("is compressed with xz", "call it NAME.xz"),
    b"PK\x03\x04": ("is a zip archive (or a file of an office)", "unpack it"),
    b"7z\xbc\xaf": ("is a 7z archive", "unpack it"),
    b"PAR1": ("is Parquet", "call it NAME.parquet, or set format: parquet"),
    b"\xff\xfe": ("is UTF-16, as Windows writes it", "write it in UTF-8: iconv -f UTF-16 -t UTF-8"),
    b"\xfe\xff": ("is UTF-16, as Windows writes it", "write it in UTF-8: iconv -f UTF-16 -t UTF-8"),
    b"{\x00": ("is UTF-16", "write it in UTF-8: iconv -f UTF-16LE -t UTF-8"),
    b"\x00{": ("is UTF-16", "write it in UTF-8: iconv -f UTF-16BE -t UTF-8"),
    _POINTER: ("is a pointer of Git LFS, and not what it points to", "git lfs pull"),
}


_WIDE = ("is UTF-16", "is UTF-16, as Windows writes it")
_TEXTS = ("csv", "tsv", "tmx", "xliff", "moses", "mediawiki")
"""Formats of text in any encoding, and of many documents a file."""


def disguise(path: Path, codec: str | None, name: str = "jsonl") -> tuple[str, str] | None:
    """Say what a file is instead of what it is called, by its first bytes, and what to do.

    None where nothing speaks against it, and where a format's own reader looks into its files (archives, books). A file
    that is one document stands in quarantine by itself: see `packed`.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "a.jsonl"
    >>> file.write_bytes("{}".encode("utf-16-le")) and disguise(file, None)
    ('is UTF-16', 'write it in UTF-8: iconv -f UTF-16LE -t UTF-8')
    """
    with path.open("rb") as file:
        raw = file.read(64)
    if raw.startswith(_POINTER):
        return _MAGIC[_POINTER]
    if name not in (*_TEXTS, "jsonl", "cirrussearch", "parquet"):
        return None
    if codec is not None:
        if raw.lstrip()[:1] in (b"{", b"["):
            return "is not compressed, as its name says", f"call it {path.stem}"
        raw = start(path, codec)[:64]
    found = next((known for magic, known in _MAGIC.items() if raw.startswith(magic)), None)
    if found is not None and (
        (name == "parquet" and found[0] == "is Parquet") or (name in _TEXTS and found[0] in _WIDE)
    ):
        return None
    return found


def packed(data: bytes) -> str | None:
    """Say what a text or a page is instead, by its first bytes; None where nothing speaks against it."""
    known = next((known for magic, known in _MAGIC.items() if data.startswith(magic)), None)
    return None if known is None or known[0] in _WIDE else f"it {known[0]}: {known[1]}"


_UNFINISHED = re.compile(
    r"(~|#|\.(part|partial|crdownload|download|aria2|incomplete|tmp|temp|bak|orig|swp))$", re.IGNORECASE
)


def unfinished(path: Path) -> bool:
    """Say whether a file is called as downloads that are not complete are, and copies that an editor keeps."""
    return _UNFINISHED.search(path.name) is not None
