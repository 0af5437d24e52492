"""The story of one document, told from the folder that a recipe filled: signals, rules, what became of it."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glotmix.core import record, table
from glotmix.core.errors import DataError, RequestError, did_you_mean
from glotmix.core.identity import RECORD

Each = Callable[[Callable[[Path], dict[str, Any]], Iterable[Path]], Iterable[dict[str, Any]]]
"""Calls a function with each of some paths, as `map` does."""

TWINS = 20
"""Other documents of its cluster that a story names, at most."""

_BATCH = 1_024


def tell(folder: Path, identity: str) -> dict[str, Any]:
    """Return a document's row of the ledger, with ``signals`` (by name, its values), ``twins`` and ``text``.

    ``twins`` are the ids of the other documents of its duplicate cluster, at most `TWINS`.

    Args:
        folder: the output of a recipe.
        identity: the document's id.

    Raises:
        GlotmixError: if there is no finished ledger.
        RequestError: if no document has that id, with the ids that look like it.
    """
    record.require(folder / "ledger", "run RECIPE")
    files = parts(folder / "ledger")
    place = _find(files, identity)
    if place is None:
        ids = table.read(files, ["id"])["id"].to_pylist()
        raise RequestError(f"no document has the id {identity!r}{did_you_mean(identity, ids)}")
    told = at(folder, place[0].name, place[1])
    clean = folder / "clean" / "documents"
    shards = table.shards((clean if clean.is_dir() else folder / "corpus") / told["lang"])
    found = _find(shards, identity)
    twins = _twins(folder / "signals" / "duplicates", told["signals"].get("duplicates", {}).get("cluster"))
    return told | {
        "twins": [t for t in twins if t != identity][:TWINS],
        "text": row(found[0], found[1], ["text"])["text"] if found else "",
    }


def at(folder: Path, part: str, position: int, each: Each = map) -> dict[str, Any]:
    """Return the row of the ledger at a place, with ``signals``: parts of signals are cut as those of the ledger.

    Args:
        folder: the output of a recipe.
        part: the name of the part.
        position: the row in it.
        each: reads the tables: `map`, or that of an executor, which reads them together.

    Raises:
        DataError: if a signal holds another document there.
    """
    found = signals(folder, part)
    told, *rows = each(partial(row, position=position, vectors=False), [folder / "ledger" / part, *found.values()])
    for (name, path), of in zip(found.items(), rows, strict=True):
        if of.pop("id", told["id"]) != told["id"]:
            raise DataError(
                f"signals/{name} does not hold the ledger's documents in its order", f"delete {path.parent}"
            )
    return told | {"signals": dict(zip(found, rows, strict=True))}


def signals(folder: Path, part: str) -> dict[str, Path]:
    """Return the tables of signals that hold a row for each document of a part, by the signal's name."""
    found = {}
    for path in sorted((folder / "signals").rglob(part)):
        name = path.parent.relative_to(folder / "signals").as_posix()
        # Signatures are hashes and vectors are vectors: they say nothing to a reader.
        if name == "signatures" or any(piece.startswith(".") for piece in path.relative_to(folder).parts):
            continue
        # A table within a signal's folder (matches, spans) has rows of its own, and not one for each document.
        if (path.parent / RECORD).is_file():
            found[name] = path
    return found


def row(path: Path, position: int, columns: Sequence[str] | None = None, vectors: bool = True) -> dict[str, Any]:
    """Return one row of a Parquet file; what lies before it in its row group is passed over, the rest not read."""
    found = next(iter(rows(path, [position], columns, vectors)), None)
    if found is None:
        raise DataError(f"{path} has no row {position}", "glotmix check RECIPE tells what is damaged")
    return found


def rows(
    path: Path, positions: Sequence[int], columns: Sequence[str] | None = None, vectors: bool = True
) -> Iterable[dict[str, Any]]:
    """Yield some rows of a Parquet file, in its order; `vectors`: columns that are vectors, too."""
    with mapped(path) as file:
        if not vectors:
            columns = [f.name for f in file.schema_arrow if not _is_vector(f.type)]
        wanted = sorted(positions)
        start = 0
        for group in range(file.metadata.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            mine = [p - start for p in wanted if start <= p < start + size]
            if mine:
                yield from _of_group(file, group, mine, columns)
            start += size


def mapped(path: Path) -> pq.ParquetFile:
    """Open a Parquet file to read little of it."""
    return pq.ParquetFile(path, memory_map=True)


def parts(folder: Path) -> list[Path]:
    """Return the parts that hold a row per document; a signal may have other tables beside them."""
    return sorted(folder.glob("part-*.parquet"))


def _of_group(
    file: pq.ParquetFile, group: int, positions: list[int], columns: Sequence[str] | None
) -> Iterable[dict[str, Any]]:
    before = 0
    # Texts are large and columns many: few rows of the one at a time, many of the other.
    size = _BATCH if columns is not None and len(columns) == 1 else 8 * _BATCH
    for batch in file.iter_batches(size, [group], columns, use_threads=False):
        while positions and positions[0] < before + batch.num_rows:
            yield batch.slice(positions.pop(0) - before, 1).to_pylist()[0]
        before += batch.num_rows
        if not positions:
            return


def _is_vector(kind: pa.DataType) -> bool:
    return bool((pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind)) and pa.types.is_floating(kind.value_type))


def _find(files: list[Path], identity: str) -> tuple[Path, int] | None:
    for path in files:
        # Only the ids are read until the document is found.
        ids = pq.read_table(path, columns=["id"], partitioning=None)["id"]
        position = pc.index(ids, pa.scalar(identity, ids.type)).as_py()
        if position >= 0:
            return path, position
    return None


def _twins(folder: Path, cluster: str | None) -> list[str]:
    if cluster is None:
        return []
    found = table.read(parts(folder), ["id", "cluster"])
    twins: list[str] = found.filter(pc.equal(found["cluster"], cluster))["id"].to_pylist()
    return twins
