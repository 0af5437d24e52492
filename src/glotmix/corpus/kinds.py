"""The kind of a file: its format and compression, by its ending, else by its first bytes."""

import bz2
import lzma
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pyarrow as pa

CODECS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".xz": "xz"}
_PACKED = {*CODECS, ".lz4", ".br", ".zip", ".tar", ".tgz", ".7z", ".rar"}
_TABLES = {".xls", ".xlsx", ".ods", ".arrow", ".feather", ".orc", ".avro", ".sqlite", ".db"}
_SNIFFED = 4096


def kind(path: Path, arrays: bool = False) -> tuple[str | None, str | None]:
    """Return a file's format (the name of its reader) and compression, None where there is none.

    Args:
        path: the file.
        arrays: whether only formats of instruction data are wanted, of which one JSON array (``json``) is one.
    """
    from glotmix.corpus import readers

    codec = CODECS.get(path.suffix.lower())
    last = Path(path.stem).suffix.lower() if codec else path.suffix.lower()
    if arrays and last == ".json":
        return "json", codec
    found = readers.of_ending(last)
    if found is None:
        found = readers.of_content(start(path, codec))
    if (found == "parquet" and codec is not None) or (arrays and found not in ("jsonl", "parquet")):
        found = None
    return found, codec


def loose(name: str) -> bool:
    """Say whether a file of this format is one document."""
    from glotmix.corpus import readers

    return name in readers.specs() and readers.spec(name).loose


def start(path: Path, codec: str | None) -> bytes:
    """Return the first bytes of a file, none where it is not what its ending says."""
    try:
        with decompressed(path, codec) as stream:
            return stream.read(_SNIFFED)
    except (OSError, EOFError, lzma.LZMAError):
        return b""


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
    from glotmix.corpus import readers

    endings = ", ".join(e for spec in readers.specs().values() for e in spec.endings)
    return f"{endings} are read, also with {', '.join(CODECS)}"


def advice(left: Sequence[Path]) -> str:
    """Say what makes files readable, by what most of them are."""
    kinds = Counter(Path(ending(p)).suffix or ending(p) for p in left)
    match kinds.most_common(1):
        case [(last, _)] if last in _PACKED - CODECS.keys():
            return f"unpack them: {readable()}"
        case [(last, _)] if last in _TABLES:
            return f"write the tables as .parquet or .csv: {readable()}"
    return f"set format, if they are of one: {readable()}"
