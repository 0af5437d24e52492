"""The story of one document, told from the folder that a recipe filled: signals, rules, what became of it."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glotmix.core import record, table
from glotmix.core.errors import RequestError, did_you_mean


def tell(folder: Path, identity: str) -> dict[str, Any]:
    """Return a document's row of the ledger, with ``signals`` (by name, its values), ``twins`` and ``text``.

    ``twins`` are the ids of the other documents of its duplicate cluster, at most 20.

    Args:
        folder: the output of a recipe.
        identity: the document's id.

    Raises:
        GlotmixError: if there is no finished ledger.
        RequestError: if no document has that id, with the ids that look like it.
    """
    record.require(folder / "ledger", "run RECIPE")
    row = _find(_parts(folder / "ledger"), identity)
    if row is None:
        ids = table.read(_parts(folder / "ledger"), ["id"])["id"].to_pylist()
        raise RequestError(f"no document has the id {identity!r}{did_you_mean(identity, ids)}")
    signals: dict[str, dict[str, Any]] = {}
    for signal in sorted(p for p in (folder / "signals").iterdir() if not p.name.startswith(".")):
        # Signatures are hashes: they say nothing to a reader.
        found = None if signal.name == "signatures" else _find(_parts(signal), identity)
        if found is not None:
            signals[signal.name] = {k: v for k, v in found.items() if k != "id"}
    clean = folder / "clean" / "documents"
    document = (
        _find(table.shards((clean if clean.is_dir() else folder / "corpus") / row["lang"]), identity, ["text"]) or {}
    )
    twins = _twins(folder / "signals" / "duplicates", signals.get("duplicates", {}).get("cluster"))
    return row | {
        "signals": signals,
        "twins": [t for t in twins if t != identity][:20],
        "text": document.get("text", ""),
    }


def _parts(folder: Path) -> list[Path]:
    """Return the parts that hold a row per document; a signal may have other tables beside them."""
    return sorted(folder.glob("part-*.parquet"))


def _find(files: list[Path], identity: str, columns: list[str] | None = None) -> dict[str, Any] | None:
    for path in files:
        # Only the ids are read until the document is found.
        ids = pq.read_table(path, columns=["id"], partitioning=None)["id"]
        at = pc.index(ids, pa.scalar(identity, ids.type)).as_py()
        if at >= 0:
            row: dict[str, Any] = pq.read_table(path, columns=columns, partitioning=None).slice(at, 1).to_pylist()[0]
            return row
    return None


def _twins(folder: Path, cluster: str | None) -> list[str]:
    if cluster is None:
        return []
    found = table.read(_parts(folder), ["id", "cluster"])
    twins: list[str] = found.filter(pc.equal(found["cluster"], cluster))["id"].to_pylist()
    return twins
