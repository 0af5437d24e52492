"""The first half of reading: any stretch of a source on its own, into documents that wait beside the corpus.

What only the whole can decide (common types, repeated texts, unique ids, how many documents of a language there are)
is left to the second half, which reads the waiting files column by column.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glotmix.core.record import Counts
from glotmix.corpus import columns, formats, huggingface, ids, instructions, kinds, tabular
from glotmix.corpus.huggingface import Dataset
from glotmix.corpus.rows import Label, Reject, Rows, as_line, screen
from glotmix.corpus.sources import InputFile, Source

UNIT_BYTES = 32 * 2**20
"""Bytes of input in one unit: what a killed run loses at most, but for a compressed file, which is one unit."""

SHARD_DOCUMENTS = 20_000
SHARD_BYTES = 64 * 2**20
"""The most documents and bytes of text in one file of the corpus (a longer document stands alone)."""

STAGED = ".progress/staged"
"""Where staged documents wait, in the output's folder for its own bookkeeping, which is deleted with the last step."""

FIXED = ("id", "text", "lang", "at", "made", "key", "file")


@dataclass(frozen=True)
class Piece:
    """A stretch of one file: bytes of JSON lines, row groups of Parquet, or a part of a data set on the Hub."""

    file: int
    start: int
    stop: int | None


@dataclass(frozen=True)
class Input:
    """A source and what it consists of."""

    source: Source
    files: tuple[InputFile, ...]
    dataset: Dataset | None = None

    def name(self, file: int) -> str:
        """Name a file for people."""
        return f"{self.source.path[0]} part {file}" if self.dataset else self.files[file].shown

    def counts(self, file: int) -> str:
        """Say what a document's number in a file counts, as `ReaderSpec.counts` does."""
        kind = self.files[file].kind if self.files else "parquet"
        return "row" if kind == "json" else formats.spec(kind).counts


@dataclass(frozen=True)
class Unit:
    """Pieces of one source that are read together."""

    given: Input
    pieces: tuple[Piece, ...]


def units(given: Input) -> dict[str, Unit]:
    """Cut a source into units, by the sizes of its files and nothing else."""
    if given.dataset is not None:
        count = huggingface.shards(given.source, given.dataset)
        return {f"{given.source.name}-{n:05d}": Unit(given, (Piece(n, n, count),)) for n in range(count)}
    run: list[Piece] = []
    held = 0
    cut: list[tuple[Piece, ...]] = []
    for piece, size in _pieces(given):
        if run and held + size > UNIT_BYTES:
            cut.append(tuple(run))
            run, held = [], 0
        run.append(piece)
        held += size
    cut.append(tuple(run))
    return {f"{given.source.name}-{n:05d}": Unit(given, pieces) for n, pieces in enumerate(cut)}


def _pieces(given: Input) -> Iterator[tuple[Piece, int]]:
    for number, file in enumerate(given.files):
        if given.source.shape is not None:
            # Whole, so that a conversation can say which of its lines it comes from.
            yield Piece(number, 0, None), file.size
        else:
            for start, stop, size in formats.spec(file.kind).pieces(given.source, file, UNIT_BYTES):
                yield Piece(number, start, stop), size


def stage(unit: Unit, folder: Path, label: Label | None, max_chars: int) -> Counts:
    """Read one unit into ``00000.arrow`` …, ``rejects.jsonl`` and ``about.json``.

    Args:
        unit: what to read.
        folder: an empty folder.
        label: identifies languages, if the source asks for it.
        max_chars: longer documents are rejected.

    Returns:
        ``{"documents": n, "bytes": n, "quarantined": n}``.
    """
    given = unit.given
    folder.mkdir(parents=True, exist_ok=True)
    waiting = _Waiting(folder)
    lines: dict[str, int] = {}
    reasons: Counter[str] = Counter()
    with (folder / "rejects.jsonl").open("w", encoding="utf-8") as quarantine:
        for piece in unit.pieces:
            lines.setdefault(str(piece.file), 0)
            for rows in _read(given, piece):
                table, rejects = screen(rows, given.source, label, max_chars)
                lines[str(piece.file)] += rows.read
                for reject in rejects:
                    reasons[reject.reason] += 1
                    quarantine.write(as_line(_entry(piece.file, reject)) + "\n")
                if table.num_rows:
                    waiting.add(_identified(given.source, table, piece.file))
    waiting.flush()
    about = {"lines": lines, "reasons": reasons, "batches": waiting.batches}
    (folder / "about.json").write_text(json.dumps(about), "utf-8")
    return {"documents": waiting.documents, "bytes": waiting.bytes, "quarantined": reasons.total()}


def _entry(file: int, reject: Reject) -> dict[str, object]:
    return {"file": file, "at": reject.at, "reason": reject.reason, "detail": reject.detail, "start": reject.start}


def _read(given: Input, piece: Piece) -> Iterator[Rows]:
    source = given.source
    if given.dataset is not None:
        assert piece.stop is not None
        name = given.name(piece.file)
        tables = huggingface.tables(source, given.dataset, piece.start, piece.stop)
        if source.shape is not None:
            yield from instructions.read_tables(source, name, tables)
            return
        first = 0
        for table in tables:
            yield tabular.rows(source, table, first, name)
            first += table.num_rows
        return
    file = given.files[piece.file]
    with kinds.named(source.name, file.shown):
        if source.shape is not None:
            yield from instructions.read_file(source, file)
        else:
            yield from formats.spec(file.kind).read(source, file, piece.start, piece.stop)


def _identified(source: Source, table: pa.Table, file: int) -> pa.Table:
    """Add ``made, key, file``, and ids where there are none."""
    given = _whole(table["id"])
    made = given.is_null()
    found = given if not given.null_count else pc.coalesce(given, ids.of_texts(source.name, _whole(table["text"])))
    extra = {
        "made": made,
        "key": pa.array(ids.keys(found)),
        "file": pa.repeat(pa.scalar(file, pa.int32()), table.num_rows),
    }
    fixed = {"id": found} | {n: table[n] for n in ("text", "lang", "at")} | extra
    return pa.table(fixed | {n: table[n] for n in table.column_names if n.startswith("+")})


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


class _Waiting:
    """Documents on their way to staged files: one record batch per language in each."""

    def __init__(self, folder: Path) -> None:
        self.batches: list[list[tuple[str, int, int]]] = []
        self.documents = 0
        self.bytes = 0
        self._folder = folder
        self._held: list[pa.Table] = []
        self._rows = 0
        self._bytes = 0

    def add(self, table: pa.Table) -> None:
        for start in range(0, table.num_rows, SHARD_DOCUMENTS):
            part = table.slice(start, SHARD_DOCUMENTS)
            size = pc.sum(pc.binary_length(part["text"])).as_py()
            if self._held and (self._rows + part.num_rows > SHARD_DOCUMENTS or self._bytes + size > SHARD_BYTES):
                self.flush()
            self._held.append(part)
            self._rows += part.num_rows
            self._bytes += size

    def flush(self) -> None:
        if not self._held:
            return
        names = list(dict.fromkeys(n for t in self._held for n in t.column_names))
        table = pa.table({n: self._column(n) for n in names})
        self._held = []
        codes = _whole(table["lang"]).dictionary_encode()
        spelled = codes.dictionary.to_pylist()
        number = codes.indices.to_numpy()
        about = []
        path = self._folder / f"{len(self.batches):05d}.arrow"
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema, options=options) as writer:
            for lang in sorted(spelled):
                rows = np.flatnonzero(number == spelled.index(lang))
                part = (table if len(spelled) == 1 else table.take(pa.array(rows))).combine_chunks()
                writer.write_table(part)
                about.append((lang, part.num_rows, pc.sum(pc.binary_length(part["text"])).as_py()))
        self.batches.append(about)
        self.documents += self._rows
        self.bytes += self._bytes
        self._rows = self._bytes = 0

    def _column(self, name: str) -> pa.ChunkedArray:
        if name in FIXED:
            return pa.chunked_array([c for t in self._held for c in t[name].chunks])
        arrays = [_whole(t[name]) if name in t.column_names else pa.nulls(t.num_rows) for t in self._held]
        return columns.merge(arrays)
