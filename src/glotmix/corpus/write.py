"""Writing: from the corpus and its ledger to the data set, in files of the size and name that trainers expect.

``fra_Latn/train-00000-of-00012.parquet``: the kept documents with all their columns, in the order of the corpus. On
request also as ``.jsonl.zst``, and with the dropped ones beside, under ``dropped/``, each with the rule that did it.
"""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core import flight, table
from glotmix.core.errors import DataError, RequestError
from glotmix.core.record import Counts, Output
from glotmix.corpus.values import plain

VERSION = 3

SHARD_BYTES = 200 * 2**20
"""Bytes of text in one file, before compression."""

FORMATS = ("parquet", "jsonl.zst", "jsonl.gz", "jsonl")

_ROW_GROUP = 16_384
_ROW_GROUP_BYTES = 64 * 2**20
_VERDICT = ("rule", "evidence", "duplicate_of", "failed")


@dataclass(frozen=True)
class Portion:
    """One file of the corpus and where its documents begin in the ledger."""

    path: Path
    first: int
    rows: int


@dataclass(frozen=True)
class Target:
    """One file of the data set (in every format): its name without the ending, and what it is made from."""

    name: str
    kept: bool
    portions: tuple[Portion, ...]
    part: str | None = None
    """Of its language, whose documents alone it holds; None for all."""


Parts = Callable[[Path, pa.Table], pa.Array]
"""From a file of the corpus, and the ledger's rows of it, to the part of its language that each document is in."""


def make(
    output: Output,
    corpus: Path,
    ledger: Path,
    formats: Sequence[str] = ("parquet",),
    shard_bytes: int = SHARD_BYTES,
    dropped: bool = False,
    change: Callable[[pa.Table], pa.Table] | None = None,
    parts: Parts | None = None,
) -> Counts:
    """Write the data set.

    Beside the columns of the corpus stand ``quality``, ``quantile``, ``cluster_size``, ``sources`` and ``weight`` of
    the ledger, where they say something (a rater ran; there are duplicates; a weight is not 1). If the user's documents
    have a column of that name, theirs keeps it and ours is ``glotmix_quality`` and so on.

    Args:
        output: the data set under construction.
        corpus: the corpus.
        ledger: folder of the ledger's parts, whose rows stand in the order of the corpus.
        formats: ``parquet``, ``jsonl.zst`` or both.
        shard_bytes: bytes of text per file; files of the corpus are not cut, so a file may hold up to one more.
        dropped: whether to write the dropped documents too.
        change: from documents to the same documents as they go out, such as with their personal data masked.
        parts: where the parts of a language have shares of their own: a file then holds one part, and is named after
            it, ``fra_Latn/train-web-00000-of-00003.parquet``.

    Returns:
        ``documents, bytes, files, languages`` of the data set, and ``dropped`` documents written beside. The notes say
        it by language.

    Raises:
        DataError: if no document is kept, or the ledger is not this corpus's.
        RequestError: for an unknown format.
    """
    unknown = [f for f in formats if f not in FORMATS]
    if unknown or not formats:
        raise RequestError(f"export.formats: {unknown[0] if unknown else 'none'} is no format", " or ".join(FORMATS))
    book = _Ledger(ledger)
    portions = _portions(corpus, book)
    kept, size = book.column("kept").astype(bool), book.column("bytes")
    if not kept.any():
        raise DataError(
            f"no document is left to export: all {len(kept):,} were dropped{book.blame()}",
            "loosen the rule that drops most (settings, select), and run glotmix select",
        )
    schema = pq.read_schema(portions[0].path)
    extra = named(book.telling(), {*schema.names, *(_VERDICT if dropped else ())})
    verdict = named(_VERDICT, {*schema.names, *extra.values()})

    cells: dict[str, Counts] = {}
    if parts is None:
        targets = list(_targets("train", True, portions, kept, size, shard_bytes))
    else:
        within = [parts(p.path, book.rows(p.first, p.rows)).to_pylist() for p in portions]
        names = np.array([name for some in within for name in some])
        langs = np.repeat([p.path.parent.name for p in portions], [p.rows for p in portions])
        targets = []
        for name in np.unique(names[kept]).tolist():
            mine = kept & (names == name)
            targets += _targets(f"train-{name}", True, portions, mine, size, shard_bytes, name)
            for lang in np.unique(langs[mine]).tolist():
                there = mine & (langs == lang)
                cells[f"{lang}/{name}"] = {"documents": int(there.sum()), "bytes": int(size[there].sum())}
    if dropped:
        targets += _targets("dropped", False, portions, ~kept, size, shard_bytes)

    def write(target: Target, folder: Path) -> Counts:
        names = extra if target.kept else extra | verdict
        with ExitStack() as stack:
            sinks = [stack.enter_context(_SINKS[f](folder / f"{target.name}.{f}")) for f in formats]
            counts = {"documents": 0, "bytes": 0}
            for read in _documents(target, book, names, schema, parts):
                found = read if change is None else change(read)
                for sink in sinks:
                    sink.write(found)
                counts["documents"] += found.num_rows
                counts["bytes"] += pc.sum(pc.binary_length(found["text"])).as_py() or 0
        if not target.kept:
            return {"dropped": counts["documents"]}
        return counts | {"files": len(formats)}

    counts = output.each({t.name.replace("/", "--"): t for t in targets}, write)
    languages: dict[str, Counts] = {}
    for portion in portions:
        of = languages.setdefault(portion.path.parent.name, {"documents": 0, "bytes": 0})
        inside = slice(portion.first, portion.first + portion.rows)
        of["documents"] += int(kept[inside].sum())
        of["bytes"] += int(size[inside][kept[inside]].sum())
    output.notes["languages"] = {lang: {**of} for lang, of in languages.items()}
    if cells:
        output.notes["cells"] = {name: {**cells[name]} for name in sorted(cells)}
    output.notes["columns"] = [*schema.names, *extra.values()]
    return counts | {"languages": sum(of["documents"] > 0 for of in languages.values())}


def named(ours: Iterable[str], taken: set[str]) -> dict[str, str]:
    """Return the names of our columns beside those of the user, who may have exported with glotmix before.

    >>> named(["sources", "weight"], {"sources", "glotmix_sources"})
    {'sources': 'glotmix_glotmix_sources', 'weight': 'weight'}
    """
    found: dict[str, str] = {}
    for name in ours:
        free = name
        while free in taken or free in found.values():
            free = f"glotmix_{free}"
        found[name] = free
    return found


class _Ledger:
    """The ledger's parts as one long table, read where it is needed."""

    def __init__(self, folder: Path) -> None:
        self._files = table.shards(folder)
        if not self._files:
            raise DataError(f"there is no ledger in {folder}", "glotmix select")
        self._starts = [0, *accumulate(pq.read_metadata(f).num_rows for f in self._files)]

    def __len__(self) -> int:
        return int(self._starts[-1])

    def column(self, name: str) -> NDArray[np.int64]:
        """Return a whole column without nulls."""
        values: NDArray[np.int64] = table.read(self._files, [name])[name].to_numpy()
        return values

    def telling(self) -> list[str]:
        """Return which of the columns for trainers differ from document to document."""
        found = table.read(self._files, ["quality", "quantile", "cluster_size", "sources", "weight"])
        names = [n for n in ("quality", "quantile") if found[n].null_count < len(found)]
        names += [n for n in ("cluster_size", "sources") if (pc.max(found[n]).as_py() or 1) > 1]
        return names + (["weight"] if pc.any(pc.not_equal(found["weight"], 1.0)).as_py() else [])

    def blame(self) -> str:
        """Say which rules dropped most."""
        found = table.read(self._files, ["rule"])["rule"].drop_null().value_counts().to_pylist()
        most = sorted(found, key=lambda r: (-r["counts"], r["values"]))[:3]
        return "".join(f"\n  {r['counts']:,} by {r['values']}" for r in most)

    def rows(self, first: int, count: int) -> pa.Table:
        """Return some consecutive rows."""
        pieces = []
        for number, (start, stop) in enumerate(zip(self._starts, self._starts[1:], strict=False)):
            low, high = max(first, start), min(first + count, stop)
            if low < high:
                pieces.append(_part(self._files[number]).slice(low - start, high - low))
        return pa.concat_tables(pieces)


@lru_cache(maxsize=flight.THREADS)
def _part(file: Path) -> pa.Table:
    return pq.read_table(file, partitioning=None)


def _portions(corpus: Path, book: _Ledger) -> list[Portion]:
    files = table.shards(corpus)
    counts = [pq.read_metadata(f).num_rows for f in files]
    if sum(counts) != len(book):
        raise DataError(
            f"the ledger speaks of {len(book):,} documents, and the corpus holds {sum(counts):,}", "glotmix select"
        )
    return [Portion(f, first, n) for f, first, n in zip(files, accumulate([0, *counts]), counts, strict=False)]


def _targets(
    name: str,
    kept: bool,
    portions: Sequence[Portion],
    chosen: NDArray[np.bool_],
    size: NDArray[np.int64],
    shard_bytes: int,
    part: str | None = None,
) -> Iterator[Target]:
    """Cut each language into files of about `shard_bytes` of chosen text."""
    runs: dict[str, list[list[Portion]]] = {}
    held: dict[str, int] = {}
    for portion in portions:
        inside = slice(portion.first, portion.first + portion.rows)
        if not chosen[inside].any():
            continue
        more = int(size[inside][chosen[inside]].sum())
        lang = portion.path.parent.name
        run = runs.setdefault(lang, [[]])
        if run[-1] and held[lang] + more > shard_bytes:
            run.append([])
            held[lang] = 0
        held[lang] = held.get(lang, 0) + more
        run[-1].append(portion)
    for lang, run in runs.items():
        folder = lang if kept else f"dropped/{lang}"
        for n, cut in enumerate(run):
            yield Target(f"{folder}/{name}-{n:05d}-of-{len(run):05d}", kept, tuple(cut), part)


def _documents(
    target: Target, book: _Ledger, names: dict[str, str], schema: pa.Schema, parts: Parts | None
) -> Iterator[pa.Table]:
    """Yield the documents of one file of the data set, portion by portion."""
    for portion in target.portions:
        found = pq.read_table(portion.path, partitioning=None)
        told = book.rows(portion.first, portion.rows)
        if not found["id"].combine_chunks().equals(told["id"].combine_chunks()):
            raise DataError(f"the ledger's rows are not those of {portion.path}", "glotmix select")
        if not found.schema.equals(schema):
            raise DataError(f"{portion.path} has other columns than the rest of the corpus", "glotmix read")
        for ours, name in names.items():
            found = found.append_column(name, told[ours])
        chosen = told["kept"] if target.kept else pc.invert(told["kept"])
        if parts is not None and target.part is not None:
            chosen = pc.and_(chosen, pc.equal(parts(portion.path, told), target.part))
        yield found.filter(chosen)


class _Sink(Protocol):
    def __init__(self, path: Path) -> None: ...
    def __enter__(self) -> "_Sink": ...
    def __exit__(self, *error: object) -> None: ...
    def write(self, found: pa.Table) -> None: ...


class _Parquet:
    """A Parquet file, written row group by row group, with the settings of `table.write`."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path.absolute()
        self._writer: pq.ParquetWriter | None = None
        self._held: list[pa.Table] = []
        self._rows = self._bytes = 0

    def __enter__(self) -> "_Parquet":
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self._flush()
        if self._writer is not None:
            self._writer.close()

    def write(self, found: pa.Table) -> None:
        """Add documents; small portions share a row group."""
        for start in range(0, found.num_rows, _ROW_GROUP):
            part = found.slice(start, _ROW_GROUP)
            size = part.nbytes
            if self._held and (self._rows + part.num_rows > _ROW_GROUP or self._bytes + size > _ROW_GROUP_BYTES):
                self._flush()
            self._held.append(part)
            self._rows += part.num_rows
            self._bytes += size

    def _flush(self) -> None:
        if not self._held:
            return
        group = pa.concat_tables(self._held).replace_schema_metadata(None)
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._path, group.schema, compression="zstd", compression_level=3, write_page_checksum=True
            )
        self._writer.write_table(group, row_group_size=_ROW_GROUP)
        self._held, self._rows, self._bytes = [], 0, 0


class _Lines:
    """Lines of JSON in one zstd frame, every value as `values.plain` has it; null stands for what is no number."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stack = ExitStack()
        self._stream = self._open(path)

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()
        self._stack.close()

    def _open(self, path: Path) -> Any:
        match path.suffix:
            case ".zst":
                return pa.CompressedOutputStream(str(path), "zstd")
            case ".gz":
                # Neither name nor time in its head: the same documents are the same bytes.
                return gzip.GzipFile("", "wb", 6, self._stack.enter_context(path.open("wb")), mtime=0)
        return path.open("wb")

    def write(self, found: pa.Table) -> None:
        """Add documents."""
        for batch in found.to_batches(max_chunksize=1_000):
            rows = plain(batch.to_struct_array(), finite=True)
            lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
            self._stream.write("".join(f"{line}\n" for line in lines).encode())


_SINKS: dict[str, type[_Sink]] = {"parquet": _Parquet, "jsonl.zst": _Lines, "jsonl.gz": _Lines, "jsonl": _Lines}
