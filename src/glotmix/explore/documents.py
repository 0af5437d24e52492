"""The documents of a finished run, as the explorer holds them: small columns in memory, everything else on disk.

A document is a *row*: its place in the ledger, which is its place in the corpus and in every signal. Held are the ids,
and what one filters by, as small whole numbers (about 60 bytes a document). Numbers of signals are read column by
column when they are first asked for; texts and whole rows are read from their row group.
"""

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core import record, table
from glotmix.core.context import RunContext
from glotmix.core.errors import DataError, RequestError, blame, did_you_mean
from glotmix.explore import story

HELD = 512 * 2**20
"""Bytes of columns of numbers that stay in memory: 128 columns of a million documents."""

READERS = 4
"""Tables that are read together for one document: their decoding lets go of Python's lock."""

AGAIN = "glotmix run RECIPE makes it again"


@dataclass(frozen=True, eq=False)
class Coded:
    """A column of names as whole numbers: −1 where a document has none.

    Args:
        codes: (n,).
        names: what they mean, sorted by how many documents have it.
    """

    codes: NDArray[np.int32]
    names: tuple[str, ...]

    def code(self, name: str, what: str) -> int:
        """Return the number of a name.

        Raises:
            RequestError: if no document has it.
        """
        try:
            return self.names.index(name)
        except ValueError:
            raise RequestError(f"no document has the {what} {name!r}{did_you_mean(name, self.names)}") from None


@dataclass(frozen=True, eq=False)
class Cells:
    """Language, source and rule of each document as one number.

    Args:
        codes: (n,).
        documents: how many documents have each number, by language, source and rule; rule 0 is none: it is kept.
        bytes: their bytes.
    """

    codes: NDArray[np.int32]
    documents: NDArray[np.int64]
    bytes: NDArray[np.int64]


class Pieces:
    """Parquet files that hold the rows 0 … n − 1 one after the other.

    Args:
        files: the files.

    Raises:
        DataError: for one that cannot be read.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = list(files)
        self.groups: list[tuple[Path, int, int, int]] = []
        """Of each row group: its file, its number there, its first row, how many it has."""
        self.starts = [0]
        # Footers are read once: of many small files they take longer than a column.
        self._footers: list[pq.FileMetaData] = []
        for path in self.files:
            with blame(path, AGAIN, "Parquet file"), pq.ParquetFile(path) as file:
                self._footers.append(file.metadata)
                start = self.starts[-1]
                for group in range(file.metadata.num_row_groups):
                    size = file.metadata.row_group(group).num_rows
                    self.groups.append((path, group, start, size))
                    start += size
                self.starts.append(start)

    @property
    def total(self) -> int:
        """The number of rows."""
        return self.starts[-1]

    def place(self, row: int) -> tuple[int, int]:
        """Return the file of a row, and where it stands in it."""
        number = bisect_right(self.starts, row) - 1
        return number, row - self.starts[number]

    @property
    def schema(self) -> pa.Schema:
        """The columns of the first file; of no file, none."""
        return self._footers[0].schema.to_arrow_schema() if self._footers else pa.schema([])

    def read(self, columns: Sequence[str]) -> Iterator[tuple[int, pa.Table]]:
        """Yield some columns of each file, with the number of its first row."""
        for path, footer, start in zip(self.files, self._footers, self.starts, strict=False):
            with (
                blame(path, AGAIN, "Parquet file"),
                pq.ParquetFile(path, metadata=footer, page_checksum_verification=True) as file,
            ):
                yield start, file.read(list(columns))

    def column(self, name: str) -> pa.ChunkedArray:
        """Return a column of all rows."""
        return pa.chunked_array([c for _, t in self.read([name]) for c in t[name].chunks], self.schema.field(name).type)

    def has(self, name: str) -> bool:
        """Whether every file has a column."""
        return bool(self.files) and all(name in f.schema.to_arrow_schema().names for f in self._footers)


class Documents:
    """The documents of a finished run.

    Args:
        context: the recipe and its folder.

    Raises:
        GlotmixError: if the run has no finished ledger, with what to type.
        DataError: if a table is damaged, naming it, or holds other documents than the ledger.
    """

    def __init__(self, context: RunContext) -> None:
        self.context = context
        self.folder = context.folder
        self.record = record.require(self.folder / "ledger", "run RECIPE (the explorer shows finished tables)")
        self._lock = threading.Lock()
        self._columns: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._pieces: dict[str, Pieces] = {}
        self._readers = ThreadPoolExecutor(READERS, "glotmix-reads")
        self.steps = [s for s in context.steps if s.per_document and record.read(context.step_dir(s.name)) is not None]
        # The raw corpus may be gone where its cleaned one stands.
        names = [*context.corpus_steps[-1:], "ledger", *(s.name for s in self.steps)]
        for name in names:
            _whole(context.step_dir(name), name)
        self.parts = Pieces(story.parts(self.folder / "ledger"))
        self.shards = Pieces(table.shards(context.corpus))
        if self.shards.total != self.parts.total:
            raise DataError(
                f"{context.corpus} holds {self.shards.total:,} documents and the ledger {self.parts.total:,}",
                "glotmix run RECIPE decides about the corpus as it is now",
            )
        with blame(self.folder / "ledger", AGAIN, "ledger"):
            self._read()

    def _read(self) -> None:
        held = table.read(self.parts.files, ["id", "lang", "source", "rule", "kept", "bytes", "quality", "margin"])
        self.ids: pa.Array = held["id"].combine_chunks()
        self.lang = coded(held["lang"])
        self.source = coded(held["source"])
        self.rule = coded(held["rule"])
        self.kept: NDArray[np.bool_] = held["kept"].to_numpy().astype(bool)
        self.bytes: NDArray[np.int64] = held["bytes"].to_numpy()
        self.quality: NDArray[np.float32] = held["quality"].to_numpy().astype(np.float32)
        self.margin: NDArray[np.float32] = held["margin"].to_numpy().astype(np.float32)
        failed = table.read(self.parts.files, ["failed"])["failed"].combine_chunks()
        rules = pc.list_flatten(failed)
        self.failed = coded(pa.chunked_array([rules], pa.string()))
        counts = pc.list_value_length(failed).to_numpy(zero_copy_only=False).astype(np.int32)
        self.fails: NDArray[np.int32] = counts
        self._failing: NDArray[np.int32] = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        self.cluster = self._coded("signals/duplicates", "cluster", "cluster_size")
        self.domain = self._coded("signals/urls", "domain")
        self.group = coded(self.shards.column("group").cast(pa.string())) if self._grouped() else _nothing(len(self))

    @cached_property
    def cells(self) -> Cells:
        """The cell of each document in the table of languages, sources and rules."""
        shape = len(self.lang.names), len(self.source.names), len(self.rule.names) + 1
        codes = (self.lang.codes * shape[1] + self.source.codes) * shape[2] + self.rule.codes + 1
        size = int(np.prod(shape))
        counts, sizes = np.bincount(codes, minlength=size), np.bincount(codes, self.bytes, size).astype(np.int64)
        return Cells(codes.astype(np.int32), counts.reshape(shape), sizes.reshape(shape))

    def __len__(self) -> int:
        return self.parts.total

    def _grouped(self) -> bool:
        return all(pq.read_schema(p).field("group").type in (pa.string(), pa.int64()) for p in self.shards.files) if (
            self.shards.has("group")
        ) else False  # fmt: skip

    def _coded(self, step: str, column: str, size: str | None = None) -> Coded:
        """Return a signal's names; those of clusters of one are none."""
        if not any(s.name == step for s in self.steps):
            return _nothing(len(self))
        files = story.parts(self.context.step_dir(step))
        held = table.read(files, [column] if size is None else [column, size])
        values = held[column]
        if size is not None:
            values = pc.if_else(pc.greater(held[size], 1), values, pa.scalar(None, pa.string()))
        return coded(values)

    def row(self, identity: str) -> int:
        """Return the row of a document.

        Raises:
            RequestError: if none has this id.
        """
        found = int(pc.index(self.ids, pa.scalar(identity, pa.string())).as_py())
        if found < 0:
            raise RequestError(f"no document has the id {identity!r}")
        return found

    def failing(self, rule: str) -> NDArray[np.bool_]:
        """Return (n,) booleans: the documents that fail a rule, whether it or another dropped them."""
        mask = np.zeros(len(self), bool)
        if rule in self.failed.names:
            mask[self._failing[self.failed.codes == self.failed.names.index(rule)]] = True
        return mask

    def failures(self, rows: NDArray[np.int64]) -> dict[str, int]:
        """Return how many of some documents fail each rule."""
        wanted = np.zeros(len(self), bool)
        wanted[rows] = True
        counts = np.bincount(self.failed.codes[wanted[self._failing]], minlength=len(self.failed.names))
        return {name: int(n) for name, n in zip(self.failed.names, counts, strict=True) if n}

    def pieces(self, step: str) -> Pieces:
        """Return the parts of a signal, opened once.

        Raises:
            DataError: if they hold another number of documents than the ledger.
        """
        if step not in self._pieces:
            folder = self.context.step_dir(step)
            held = Pieces(story.parts(folder))
            if held.total != len(self):
                raise DataError(f"{folder} holds {held.total:,} documents and the ledger {len(self):,}", AGAIN)
            self._pieces[step] = held
        return self._pieces[step]

    @cached_property
    def numeric(self) -> dict[str, str]:
        """Columns of numbers that the signals hold: ``signal.column`` → its meaning."""
        found = {}
        for step in self.steps:
            told = {c.name: c.meaning for c in step.columns}
            for field in self.pieces(step.name).schema:
                plain = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
                # Hashes are numbers that say nothing.
                if plain and field.name not in ("content", "shingles") and not field.name.startswith("band_"):
                    found[f"{step.name.removeprefix('signals/')}.{field.name}"] = told.get(field.name, "")
        return found

    def numbers(self, name: str) -> NDArray[np.float32]:
        """Return (n,) numbers of a column of `numeric`, NaN where there is none.

        Raises:
            RequestError: if there is no such column.
        """
        if name not in self.numeric:
            raise RequestError(f"there is no column {name!r}{did_you_mean(name, self.numeric)}")
        with self._lock:
            if name in self._columns:
                self._columns.move_to_end(name)
                return self._columns[name]
        return self._load(name.rpartition(".")[0], [name])[name]

    def exact(self, name: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the numbers of some documents as precisely as they are stored, NaN where there is none.

        Raises:
            RequestError: if there is no such column.
        """
        if name not in self.numeric:
            raise RequestError(f"there is no column {name!r}{did_you_mean(name, self.numeric)}")
        step, _, column = name.rpartition(".")
        made = np.empty(len(self), np.float64)
        for start, held in self.pieces(f"signals/{step}").read([column]):
            made[start : start + held.num_rows] = held[column].to_numpy()
        return made[rows]

    def warm(self) -> None:
        """Read every column of numbers, file by file, where all of them may stay in memory."""
        _ = self.cells
        if 4 * len(self) * len(self.numeric) <= HELD:
            for step in self.steps:
                name = step.name.removeprefix("signals/")
                self._load(name, [n for n in self.numeric if n.rpartition(".")[0] == name])
        pa.default_memory_pool().release_unused()

    def _load(self, step: str, names: list[str]) -> dict[str, NDArray[np.float32]]:
        made = {name: np.empty(len(self), np.float32) for name in names}
        columns = [name.rpartition(".")[2] for name in names]
        for start, rows in self.pieces(f"signals/{step}").read(columns) if names else ():
            for name, column in zip(names, columns, strict=True):
                made[name][start : start + rows.num_rows] = rows[column].to_numpy()
        with self._lock:
            self._columns |= made
            while self._columns and 4 * len(self) * len(self._columns) > HELD:
                self._columns.popitem(last=False)
        return made

    def told(self, row: int) -> dict[str, Any]:
        """Return what `story.at` tells of a document, with its ``text``; the tables are read together."""
        text = self._readers.submit(lambda: next(iter(self.texts([row])))[1])
        part, at = self.parts.place(row)
        return story.at(self.folder, self.parts.files[part].name, at, self._readers.map) | {"text": text.result()}

    def texts(self, rows: Sequence[int], go_on: Callable[[], bool] = lambda: True) -> Iterator[tuple[int, str]]:
        """Yield the texts of some documents, in the order of the corpus; ends early, after one, where told to."""
        by_shard: dict[int, list[int]] = {}
        for row in sorted(rows):
            by_shard.setdefault(self.shards.place(row)[0], []).append(row)
        for number, mine in by_shard.items():
            path, start = self.shards.files[number], int(self.shards.starts[number])
            with blame(path, AGAIN, "Parquet file"):
                for row, found in zip(mine, story.rows(path, [r - start for r in mine], ["text"]), strict=True):
                    yield row, str(found["text"])
                    if not go_on():
                        return


def coded(values: pa.ChunkedArray) -> Coded:
    """Return a column of names as whole numbers; the most frequent name is 0."""
    held = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if isinstance(held, pa.ChunkedArray):  # of no chunk at all
        held = pa.array([], pa.string())
    codes = held.dictionary_encode()
    names = codes.dictionary.to_pylist()
    plain = codes.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    counts = np.bincount(plain[plain >= 0], minlength=len(names))
    order = sorted(range(len(names)), key=lambda i: (-counts[i], names[i]))
    rank = np.empty(len(names) + 1, np.int32)
    rank[order] = np.arange(len(names), dtype=np.int32)
    rank[-1] = -1  # where the code is −1
    return Coded(rank[plain], tuple(names[i] for i in order))


def _nothing(size: int) -> Coded:
    return Coded(np.full(size, -1, np.int32), ())


def _whole(folder: Path, name: str) -> None:
    """Refuse an output that is not as its record says."""
    found = record.require(folder, "run RECIPE (the explorer shows finished tables)")
    wrong = record.damage(folder, found)
    if wrong:
        file, what = next(iter(wrong.items()))
        more = f", and {len(wrong) - 1} files more" if len(wrong) > 1 else ""
        raise DataError(f"{name} is damaged: {file} {what}{more}", AGAIN)
