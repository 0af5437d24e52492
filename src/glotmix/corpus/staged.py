"""The second half of reading: from waiting documents to the shards of the corpus."""

import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.core import json_text, table
from glotmix.core.errors import DataError
from glotmix.core.record import Counts
from glotmix.corpus import columns, ids, stage
from glotmix.corpus.rows import as_line
from glotmix.corpus.stage import FIXED, Input, Unit
from glotmix.corpus.values import plain

OURS = ("id", "text", "lang", "source")


@dataclass(frozen=True)
class Batch:
    """One language in one staged file.

    Args:
        file: position of the staged file.
        number: position of the batch in it.
        first: position of its first document among all staged documents.
        rows: how many there are.
        bytes: of text.
    """

    file: int
    number: int
    first: int
    rows: int
    bytes: int


@dataclass(frozen=True)
class Shard:
    """What becomes one file of the corpus."""

    lang: str
    source: str
    batches: tuple[Batch, ...]


class Staged:
    """All staged documents of all sources, in order; reads columns when they are asked for.

    Args:
        folder: holds a folder for each unit.
        units: all units, in order.
    """

    def __init__(self, folder: Path, units: Mapping[str, Unit]) -> None:
        self.paths: list[Path] = []
        self.given: list[Input] = []
        self.batches: list[list[tuple[str, Batch]]] = []
        self.reasons: dict[str, Counter[str]] = {u.given.source.name: Counter() for u in units.values()}
        self._folder = folder
        self._units = units
        self._lines: dict[str, dict[int, int]] = {}
        self._unit_of: list[str] = []
        lines: Counter[tuple[str, int]] = Counter()
        first = 0
        for name, unit in units.items():
            about = json_text.loads((folder / name / "about.json").read_text("utf-8"))
            source = unit.given.source.name
            self.reasons[source].update(about["reasons"])
            # A unit counts lines from where it begins; the file does from the top.
            self._lines[name] = {
                int(f): 0 if unit.given.counts(int(f)) == "row" else lines[source, int(f)] for f in about["lines"]
            }
            for file, count in about["lines"].items():
                lines[source, int(file)] += count
            for number, batches in enumerate(about["batches"]):
                held = []
                for position, (lang, rows, size) in enumerate(batches):
                    held.append((lang, Batch(len(self.paths), position, first, rows, size)))
                    first += rows
                self.paths.append(folder / name / f"{number:05d}.arrow")
                self.given.append(unit.given)
                self.batches.append(held)
                self._unit_of.append(name)
        self.documents = first
        self._starts = [b[0][1].first for b in self.batches]

    def rejects(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield every quarantined row with its source: ``file, line`` (or ``row``), ``reason, detail, start``."""
        for name, unit in self._units.items():
            with (self._folder / name / "rejects.jsonl").open(encoding="utf-8") as lines:
                for line in lines:
                    entry = json_text.loads(line)
                    file, at = entry.pop("file"), entry.pop("at")
                    place = {
                        "file": unit.given.name(file),
                        unit.given.counts(file): at + self._lines[name][file],
                    }
                    yield unit.given.source.name, place | entry

    def schema(self, file: int) -> pa.Schema:
        """Return the columns of a staged file."""
        with pa.OSFile(str(self.paths[file])) as opened:
            return pa.ipc.open_file(opened).schema

    def load(self, file: int, names: Sequence[str]) -> pa.Table:
        """Read some columns of a staged file, those that it has."""
        schema = self.schema(file)
        fields = [i for i, n in enumerate(schema.names) if n in names]
        with pa.OSFile(str(self.paths[file])) as opened:
            return pa.ipc.open_file(opened, options=pa.ipc.IpcReadOptions(included_fields=fields)).read_all()

    def column(self, name: str) -> NDArray[Any]:
        """Return one fixed column of all staged documents."""
        parts = [self.load(i, [name])[name].to_numpy() for i in range(len(self.paths))]
        return np.concatenate(parts) if parts else np.zeros(0, np.uint64)

    def pick(self, rows: NDArray[np.int64], names: Sequence[str]) -> Iterator[tuple[int, pa.Table]]:
        """Yield staged file by staged file the given documents (increasing positions), of those that have any."""
        starts = np.array([*self._starts, self.documents])
        cuts = np.searchsorted(rows, starts)
        for file in range(len(self.paths)):
            inside = rows[cuts[file] : cuts[file + 1]] - starts[file]
            if len(inside):
                yield file, self.load(file, names).take(pa.array(inside))

    def place(self, file: int, number: int, at: int) -> str:
        """Name where a document was read, for people: ``data/a.jsonl:17``."""
        given = self.given[file]
        return _place(given.name(number), given.counts(number), at + self._lines[self._unit_of[file]][number])

    def source_of(self, row: int) -> str:
        """Return the source of a document by its position."""
        return self.given[bisect_right(self._starts, row) - 1].source.name

    @cached_property
    def names(self) -> dict[str, dict[str, str]]:
        """By source: from each staged column beside the fixed ones to its name in the corpus.

        A column that is named like one of ours, and is not what became ours, gets ``_original`` behind its name.
        """
        found: dict[str, dict[str, None]] = {}
        for file, given in enumerate(self.given):
            found.setdefault(given.source.name, {}).update(
                dict.fromkeys(n for n in self.schema(file).names if n not in FIXED)
            )
        renamed: dict[str, dict[str, str]] = {}
        for source, staged in found.items():
            taken = {n[1:] for n in staged} | set(OURS)
            renamed[source] = {}
            for name in staged:
                # Loaders of the Hub end a name at its zero byte.
                new = name[1:].replace("\0", "\ufffd")
                while new in OURS or (new != name[1:] and new in taken):
                    new += "_original"
                taken.add(new)
                renamed[source][name] = new
        return renamed

    @cached_property
    def types(self) -> dict[str, pa.DataType]:
        """The type of each column of the corpus beside ours: one that fits all values of all sources."""
        where: dict[str, dict[tuple[int, str], pa.DataType]] = {}
        for file, given in enumerate(self.given):
            schema = self.schema(file)
            for staged, name in self.names[given.source.name].items():
                if staged in schema.names:
                    where.setdefault(name, {})[file, staged] = schema.field(staged).type

        def load(place: tuple[int, str]) -> pa.Array:
            file, staged = place
            return _whole(self.load(file, [staged])[staged])

        return {name: columns.at_rest(columns.settled(kinds, load)) for name, kinds in where.items()}

    def carried(self, file: int, rows: pa.Table) -> dict[str, pa.Array]:
        """Return the columns beside ours, named and typed as in the corpus, of rows of one staged file."""
        back = {new: old for old, new in self.names[self.given[file].source.name].items()}
        return {
            name: columns.conform(_whole(rows[back[name]]), kind)
            if back.get(name) in rows.column_names
            else pa.nulls(rows.num_rows, kind)
            for name, kind in self.types.items()
        }

    def content(self, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return a hash of what documents carry beside text and id, the same wherever and however they were stored."""
        hashes: list[int] = []
        for file, found in self.pick(rows, ["lang", *(n for g in self.names.values() for n in g)]):
            carried = {n: plain(a) for n, a in self.carried(file, found).items()}
            for row, lang in enumerate(found["lang"].to_pylist()):
                told = columns.canonical_text([lang, {n: v[row] for n, v in carried.items()}])
                hashes.append(int.from_bytes(hashlib.blake2b(told.encode(), digest_size=8).digest()))
        return np.array(hashes, np.uint64)

    def settle_ids(self) -> tuple[NDArray[np.int64], list[str]]:
        """Make the ids unique, where glotmix made them, and check that they are.

        Returns:
            the rows whose id changes, increasing, and their new ids.

        Raises:
            DataError: naming two documents that were given the same id.
        """
        keys, made = self.column("key"), self.column("made").astype(bool)
        rows, numbers = ids.repeats(keys, made, self.content)
        new: list[str] = []
        for _, found in self.pick(rows, ["id"]):
            new += [f"{i}-{n}" for i, n in zip(found["id"].to_pylist(), numbers[len(new) :].tolist(), strict=False)]
        keys[rows] = ids.keys(pa.array(new, pa.string()))
        seen: dict[str, str] = {}
        changed = dict(zip(rows.tolist(), new, strict=True))
        meeting = ids.meeting(keys)
        position = 0
        for file, found in self.pick(meeting, ["id", "file", "at"]):
            for row in found.to_pylist():
                name = changed.get(int(meeting[position]), row["id"])
                place = self.place(file, row["file"], row["at"])
                position += 1
                if name in seen:
                    raise DataError(
                        f"two documents have the id '{name}': {seen[name]} and {place}",
                        "make the ids unique over all sources, or set columns.id: null for ids made from the text",
                    )
                seen[name] = place
        return rows, new

    def shards(self) -> dict[str, Shard]:
        """Cut the staged documents into shards: by language, by source, in the order in which they were read."""
        runs: dict[tuple[str, str], list[list[Batch]]] = {}
        for file, batches in enumerate(self.batches):
            for lang, batch in batches:
                cut = runs.setdefault((lang, self.given[file].source.name), [[]])
                held = cut[-1]
                rows, size = sum(b.rows for b in held) + batch.rows, sum(b.bytes for b in held) + batch.bytes
                if held and (rows > stage.SHARD_DOCUMENTS or size > stage.SHARD_BYTES):
                    cut.append([])
                cut[-1].append(batch)
        return {
            f"{lang}--{source}-{n:05d}": Shard(lang, source, tuple(batches))
            for (lang, source), cut in sorted(runs.items())
            for n, batches in enumerate(cut)
        }

    def write(self, shard: Shard, path: Path, rows: NDArray[np.int64], new: Sequence[str]) -> Counts:
        """Write one shard, with the ids that changed."""
        parts = []
        for batch in shard.batches:
            with pa.OSFile(str(self.paths[batch.file])) as opened:
                found = pa.Table.from_batches([pa.ipc.open_file(opened).get_batch(batch.number)])
            names = found["id"].to_pylist() if len(rows) else []
            first, last = np.searchsorted(rows, [batch.first, batch.first + batch.rows])
            for row, name in zip(rows[first:last].tolist(), new[first:last], strict=True):
                names[row - batch.first] = name
            ours = {
                "id": pa.array(names, pa.string()) if first < last else found["id"],
                "text": found["text"],
                "lang": found["lang"],
                "source": pa.repeat(pa.scalar(shard.source), found.num_rows),
            }
            carried = self.carried(batch.file, found)
            parts.append(pa.table(ours | {n: columns.stored(a) for n, a in carried.items()}))
        table.write(pa.concat_tables(parts), path)
        return {"shards": 1}


def quarantine(staged: Staged, folder: Path) -> dict[str, dict[str, str]]:
    """Write ``quarantine/<source>.jsonl`` and return, by source and reason, one example of each."""
    examples: dict[str, dict[str, str]] = {}
    opened = {}
    try:
        for source, entry in staged.rejects():
            if source not in opened:
                folder.mkdir(exist_ok=True)
                opened[source] = (folder / f"{source}.jsonl").open("w", encoding="utf-8")
            opened[source].write(as_line(entry) + "\n")
            counts = next(key for key in entry if key not in ("file", "reason", "detail", "start"))
            place = _place(entry["file"], counts, entry[counts])
            detail = f" ({entry['detail']})" if entry["detail"] else ""
            examples.setdefault(source, {}).setdefault(entry["reason"], place + detail)
    finally:
        for file in opened.values():
            file.close()
    return examples


def _place(file: str, counts: str, at: int) -> str:
    return f"{file}:{at}" if counts == "line" else f"{file}, {counts} {at}"


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
