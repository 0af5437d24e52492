"""What other decisions would change: two ledgers of one corpus side by side, of which one need not be kept."""

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glotmix.core import record, table
from glotmix.core.context import RunContext
from glotmix.core.errors import RequestError
from glotmix.core.record import Silent
from glotmix.pipeline.run import Job

EXAMPLES = 5
"""Documents shown of those that would come back, and of those that would go."""

_DECIDED = ("thresholds", "ledger")
_COLUMNS = ("id", "lang", "source", "bytes", "kept", "rule", "evidence")


def what_if(now: Job, then: Job) -> dict[str, Any]:
    """Return what another setting of one recipe would change; nothing is written to the recipe's output.

    Args:
        now: the recipe as it ran.
        then: the same with overrides.

    Raises:
        RequestError: if the recipe's ledger is not made or is of an older state, or the override changes what is
            measured, and not only what is decided.
    """
    require_made(now)
    identities = then.identities("ledger")
    for step, identity in identities:
        state, changes = record.state_of(now.folder / step.name, identity)
        if step.name not in _DECIDED and state != "reused":
            why = f" ({'; '.join(changes)})" if changes else ""
            raise RequestError(
                f"{step.name} would be measured again{why}: what if answers for decisions alone",
                "glotmix run RECIPE KEY=VALUE output=OTHER, then glotmix compare",
            )
    with tempfile.TemporaryDirectory(prefix="glotmix-what-if-") as made:
        folder = Path(made)
        for step, _ in identities:
            if step.name not in _DECIDED:
                (folder / step.name).parent.mkdir(parents=True, exist_ok=True)
                (folder / step.name).symlink_to((now.folder / step.name).resolve(), target_is_directory=True)
        context = RunContext(then.recipe, then.context.base, folder)
        for step, identity in identities:
            if step.name in _DECIDED:
                record.build(folder / step.name, identity, partial(step.make, context), Silent(), step.may_be_empty)
        return compare(now.folder, folder)


def require_made(job: Job) -> None:
    """Check that a recipe's ledger is made, and of its present state.

    Raises:
        RequestError: if it is not, with the steps that would be made.
    """
    stale = [row["step"] for row in job.plan("ledger") if row["state"] != "reused"]
    if stale:
        raise RequestError(
            f"{job.folder} is not of this recipe's state: {', '.join(stale)} would be made", "glotmix select RECIPE"
        )


def compare(one: Path, other: Path) -> dict[str, Any]:
    """Return what differs between the ledgers of two outputs.

    Returns:
        ``documents``, ``kept`` and ``bytes`` of both, ``moved`` (back and gone, by language and source), ``examples``.

    Raises:
        RequestError: if they hold no document in common.
    """
    ledgers = [_read(folder) for folder in (one, other)]
    first, second = ledgers
    position = pc.index_in(first["id"], value_set=second["id"].combine_chunks())
    both = position.is_valid().to_numpy(zero_copy_only=False)
    if not both.any():
        raise RequestError(f"{one} and {other} hold no document in common", "two outputs of one corpus")
    mine = first.filter(pa.array(both))
    theirs = second.take(position.drop_null())
    before, after = (held["kept"].to_numpy(zero_copy_only=False) for held in (mine, theirs))
    return {
        "documents": {"one": first.num_rows, "other": second.num_rows, "both": int(both.sum())},
        "kept": {"one": _sum(first), "other": _sum(second)},
        "bytes": {"one": _sum(first, "bytes"), "other": _sum(second, "bytes")},
        "moved": _moved(mine, before, after),
        "examples": {
            "back": _shown(mine, ~before & after, mine["rule"], mine["evidence"]),
            "gone": _shown(mine, before & ~after, theirs["rule"], theirs["evidence"]),
        },
    }


def _read(folder: Path) -> pa.Table:
    record.require(folder / "ledger", "select RECIPE")
    return table.read(table.shards(folder / "ledger"), list(_COLUMNS))


def _sum(ledger: pa.Table, column: str | None = None) -> int:
    kept = ledger.filter(ledger["kept"])
    return kept.num_rows if column is None else int(pc.sum(kept[column]).as_py() or 0)


def _moved(mine: pa.Table, before: Any, after: Any) -> list[dict[str, Any]]:
    """Return, by language and source, the documents and bytes that come back and that go."""
    size = mine["bytes"].to_numpy()
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for side, mask in (("back", ~before & after), ("gone", before & ~after)):
        found = mine.filter(pa.array(mask)).append_column("size", pa.array(size[mask]))
        for row in found.group_by(["lang", "source"]).aggregate([("size", "sum"), ("size", "count")]).to_pylist():
            own = rows.setdefault(
                (row["lang"], row["source"]), {"back": 0, "back_bytes": 0, "gone": 0, "gone_bytes": 0}
            )
            own[side], own[f"{side}_bytes"] = row["size_count"], row["size_sum"]
    return [{"lang": lang, "source": source, **own} for (lang, source), own in sorted(rows.items())]


def _shown(mine: pa.Table, mask: Any, rule: pa.ChunkedArray, evidence: pa.ChunkedArray) -> list[Mapping[str, Any]]:
    rows = np.flatnonzero(mask)
    chosen = rows[:: max(len(rows) // EXAMPLES, 1)][:EXAMPLES].tolist()
    return [
        {"id": mine["id"][r].as_py(), "lang": mine["lang"][r].as_py(), "source": mine["source"][r].as_py(),
         "rule": rule[r].as_py(), "evidence": evidence[r].as_py()}
        for r in chosen
    ]  # fmt: skip
