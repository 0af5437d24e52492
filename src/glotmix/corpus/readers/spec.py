"""What a format says of itself. The next format is one file with one `ReaderSpec` in it, called ``READER``."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from glotmix.corpus import jsonl
from glotmix.corpus.rows import Reject, Rows, shown
from glotmix.corpus.sources import InputFile, Source

_BATCH_CHARS = 4 * 2**20
_BATCH_RECORDS = 4_096

Read: TypeAlias = "Callable[[Source, InputFile, int, int | None], Iterator[Rows]]"
"""From a source, one of its files, and where to start and stop in it, to consecutive rows."""


class Record(NamedTuple):
    """One document as a format's reader finds it.

    Args:
        at: its number in the file, as the spec's `counts` says.
        fields: its columns: ``text``, and whatever else the file says of it. Missing ones are left out.
        start: its first characters as they stand in the file, for quarantine.
    """

    at: int
    fields: dict[str, Any]
    start: str


def _whole(source: Source, file: InputFile, unit: int) -> Iterator[tuple[int, int | None, int]]:
    yield 0, None, file.size


@dataclass(frozen=True)
class ReaderSpec:
    """A format of raw files.

    Args:
        name: what a recipe calls it (``format:``).
        endings: of the files, in lower case, without that of a compression.
        read: from a stretch of one file to rows. It may keep nothing between calls: stretches are read in any order,
            and several at once.
        peek: the names of the columns of a file, to tell early that one is missing; None where the file does not say.
        pieces: cuts a file into stretches ``(start, stop, bytes)`` of at most so many bytes, where that can be; by
            default it is one.
        counts: what the numbers of rows count: ``line`` (from 1), ``row`` (from 0), ``document``, ``record``, ``page``
            (from 1).
        sniff: tells the format by the first bytes (uncompressed) of a file whose ending says nothing.
        loose: a file is a document, not a container of many. In a folder that holds containers too, such files are
            passed over: they are its READMEs.
        options: the names of the `Options` that it heeds.
        version: raised when it would read the same file differently.
        place: whose `sniff` is asked first: the smaller, so that MediaWiki's XML is not taken for a web page.
    """

    name: str
    endings: tuple[str, ...]
    read: Read
    peek: Callable[[Source, InputFile], list[str] | None]
    pieces: Callable[[Source, InputFile, int], Iterable[tuple[int, int | None, int]]] = _whole
    counts: str = "document"
    sniff: Callable[[bytes], bool] = lambda _: False
    loose: bool = False
    options: tuple[str, ...] = ()
    version: int = 1
    place: int = 500


def columns(*names: str) -> Callable[[Source, InputFile], list[str]]:
    """Return the `peek` of a format whose documents have the same columns in every file."""
    return lambda source, file: list(names)


def reading(records: Callable[[Source, InputFile], Iterable[Record | Reject]]) -> Read:
    """Return the `read` of a format whose files are read whole, from a function that yields one document at a time."""

    def read(source: Source, file: InputFile, start: int, stop: int | None) -> Iterator[Rows]:
        held: list[Record | Reject] = []
        chars = 0
        for found in records(source, file):
            held.append(found)
            if isinstance(found, Record):
                chars += len(found.fields.get("text") or "")
            if chars > _BATCH_CHARS or len(held) == _BATCH_RECORDS:
                yield as_rows(source, held)
                held, chars = [], 0
        if held:
            yield as_rows(source, held)

    return read


def as_rows(source: Source, found: list[Record | Reject]) -> Rows:
    """Take documents and rejects of one file together."""
    records = [r for r in found if isinstance(r, Record)]
    rejects = [r for r in found if isinstance(r, Reject)]
    return jsonl.as_rows(
        source, [r.at for r in records], [shown(r.start) for r in records], [r.fields for r in records], rejects,
        len(found),
    )  # fmt: skip
