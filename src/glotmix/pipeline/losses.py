"""What each source would lose by each kind of duplicate, before anything is lost: from signals, without a decision."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core import table
from glotmix.core.context import RunContext

KINDS = ("lines", "exact", "near", "passages", "meaning")
"""Repeated lines of a source; the same text; a near-duplicate; long stretches; the same matter in other words."""


def losses(context: RunContext) -> list[dict[str, Any]]:
    """Return a row for each source: its documents and bytes, and what each kind alone would take.

    A duplicate is what stands before in the corpus; `select.prefer` may keep another member of a cluster, which moves
    a loss from one source to the other. Kinds overlap: what is the same text is a near-duplicate as well, and is
    counted as the same text alone. A kind whose signal the recipe has not asked for is None, and so is one whose signal
    no decision needs and nothing has made of these documents so far (repeated lines, before `glotmix run`).

    Args:
        context: of a recipe whose ledger is made.
    """
    documents = table.read(table.shards(context.step_dir("ledger")), ["id", "source", "bytes"])
    size = documents["bytes"].to_numpy()
    found: dict[str, tuple[NDArray[np.bool_], NDArray[np.int64]]] = {}
    if (rows := _signal(context, "signals/duplicates", ["id", "cluster", "content"], documents)) is not None:
        exact = _again(rows["content"].to_numpy())
        found["exact"] = exact, size * exact
        near = _again(_codes(rows["cluster"])) & ~exact
        found["near"] = near, size * near
    for kind, step, column in (
        ("lines", "signals/boilerplate", "repeated_bytes"),
        ("passages", "signals/repeated_passages", "passage_bytes"),
    ):
        # Lines are looked for in the corpus as it was read, whose documents these are.
        if (rows := _signal(context, step, ["id", column], documents)) is not None:
            lost = rows[column].to_numpy()
            found[kind] = lost > 0, lost
    if (rows := _signal(context, "signals/semantic_duplicates", ["id", "semantic_cluster"], documents)) is not None:
        same = _again(_codes(rows["semantic_cluster"]))
        found["meaning"] = same, size * same
    sources = documents["source"].combine_chunks().dictionary_encode()
    of, names = sources.indices.to_numpy(), sources.dictionary.to_pylist()
    made = []
    for code, name in sorted(enumerate(names), key=lambda pair: pair[1]):
        mine = of == code
        row: dict[str, Any] = {"source": name, "documents": int(mine.sum()), "bytes": int(size[mine].sum())}
        for kind in KINDS:
            if kind in found:
                hit, lost = found[kind]
                row[kind] = {"documents": int(hit[mine].sum()), "bytes": int(lost[mine].sum())}
            else:
                row[kind] = None
        made.append(row)
    return made


def _signal(context: RunContext, step: str, columns: list[str], documents: pa.Table) -> pa.Table | None:
    """Return a signal's rows in the order of the documents, None where there is none of all of them."""
    if not context.has(step) or not (parts := _parts(context.step_dir(step))):
        return None
    rows = table.read(parts, columns)
    if rows["id"].equals(documents["id"]):
        return rows
    where = pc.index_in(documents["id"], value_set=rows["id"].combine_chunks())
    return None if where.null_count else rows.take(where)


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))


def _codes(values: pa.ChunkedArray) -> NDArray[np.int64]:
    codes: NDArray[np.int64] = values.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    return codes


def _again(keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say of each key whether it stands before."""
    again = np.ones(len(keys), np.bool_)
    again[np.unique(keys, return_index=True)[1]] = False
    return again
