"""Which documents are asked for: by language, source, rule, score, domain, cluster, group of translations."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glotmix.core.errors import RequestError
from glotmix.explore.documents import Coded, Documents

KEPT, DROPPED = "kept", "dropped"
"""What ``state`` may be, beside the names of rules."""

PAGE = 200
"""Documents that are listed at once, at most."""

_NAMED = {"lang": "language", "source": "source", "domain": "domain", "cluster": "cluster", "group": "group"}


def mask(documents: Documents, given: dict[str, Any]) -> NDArray[np.bool_]:
    """Return (n,) booleans: the documents that pass every filter that is given.

    Args:
        documents: the documents.
        given: any of ``lang``, ``source``, ``domain``, ``cluster``, ``group``: a name; ``state``: ``kept``,
            ``dropped``, or the rule that dropped it; ``fails``: a rule that it fails; ``column`` with ``low`` and
            ``high``: ends of a range of a signal's numbers, both included; a document without the number is out.

    Raises:
        RequestError: for a name or a column that there is not, or an end that is no number.
    """
    wanted = _both(documents, _cells(documents, given), _others(documents, given))
    return np.ones(len(documents), bool) if wanted is None else wanted


def _cells(documents: Documents, given: dict[str, Any]) -> NDArray[np.bool_]:
    """Return which cells of languages, sources and rules pass: most questions ask for nothing else."""
    passing = np.zeros(documents.cells.documents.shape, bool)
    langs, sources = (
        slice(None) if given.get(key) in (None, "") else getattr(documents, key).code(str(given[key]), _NAMED[key])
        for key in ("lang", "source")
    )
    state = given.get("state")
    rules: slice | int = slice(None)
    if state == KEPT:
        rules = 0
    elif state == DROPPED:
        rules = slice(1, None)
    elif state:
        rules = 1 + documents.rule.code(str(state), "rule")
    passing[langs, sources, rules] = True
    return passing


def _others(documents: Documents, given: dict[str, Any]) -> NDArray[np.bool_] | None:
    """Return (n,) booleans of what cells do not tell; None where nothing of that is asked for."""
    found: list[NDArray[np.bool_]] = []
    for key in ("domain", "cluster", "group"):
        if given.get(key) not in (None, ""):
            column = getattr(documents, key)
            found.append(column.codes == column.code(str(given[key]), _NAMED[key]))
    if given.get("fails"):
        found.append(documents.failing(str(given["fails"])))
    low, high = end(given.get("low"), "low"), end(given.get("high"), "high")
    if given.get("column") and (low is not None or high is not None):
        values = documents.numbers(str(given["column"]))
        # A missing number is neither above nor below.
        if low is not None:
            found.append(values >= np.float32(low))
        if high is not None:
            found.append(values <= np.float32(high))
    return np.logical_and.reduce(found) if found else None


def _both(documents: Documents, cells: NDArray[np.bool_], others: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """Return the documents that pass both, None for all of them."""
    if cells.all():
        return others
    inside = cells.ravel()[documents.cells.codes]
    return inside if others is None else inside & others


def end(given: Any, what: str) -> float | None:
    """Return a number that a field of the page holds; None for an empty one.

    Raises:
        RequestError: if it is no number.
    """
    if given in (None, ""):
        return None
    try:
        value = float(given)
    except (TypeError, ValueError):
        value = float("nan")
    if not np.isfinite(value):
        raise RequestError(f"{what} must be a number, not {given!r}")
    return value


def listed(documents: Documents, given: dict[str, Any]) -> dict[str, Any]:
    """Return the documents that pass: how many, how large, of which kinds, and a page of them.

    Args:
        documents: the documents.
        given: as `mask` takes; ``sort`` (``corpus``, ``low``, ``high``) by ``column``; ``from`` and ``count``.

    Returns:
        ``documents``, ``bytes``, ``of``, ``kept``; ``langs``, ``sources`` and ``rules`` (name → how many of them);
        ``rows``: the page, each as `brief`.
    """
    start, count = max(int(given.get("from") or 0), 0), min(int(given.get("count") or 50), PAGE)
    held, cells, others = documents.cells, _cells(documents, given), _others(documents, given)
    wanted = _both(documents, cells, others)
    rows = None if wanted is None else np.flatnonzero(wanted)
    shown = _ordered(documents, rows, given, start + count)[start : start + count]
    if others is None:
        # What is counted was counted when the run was opened.
        counts, size = held.documents * cells, int(held.bytes[cells].sum())
    else:
        assert rows is not None
        codes = held.codes[rows]
        counts = np.bincount(codes, minlength=held.documents.size).reshape(held.documents.shape)
        size = int(documents.bytes[rows].sum())
    return {
        "documents": int(counts.sum()),
        "bytes": size,
        "of": len(documents),
        "kept": int(counts[:, :, 0].sum()),
        "langs": _counts(documents.lang, counts.sum(axis=(1, 2))),
        "sources": _counts(documents.source, counts.sum(axis=(0, 2))),
        "rules": _counts(documents.rule, counts.sum(axis=(0, 1))[1:]),
        "rows": brief(documents, shown, given.get("column")),
    }


def _ordered(
    documents: Documents, rows: NDArray[np.int64] | None, given: dict[str, Any], count: int
) -> NDArray[np.int64]:
    """Return the first of some rows, None for all, in the order that is asked for; those without a number come last."""
    sort = given.get("sort") or "corpus"
    if sort not in ("corpus", "low", "high"):
        raise RequestError(f"sort must be corpus, low or high, not {sort!r}")
    if sort == "corpus" or not given.get("column"):
        return np.arange(min(count, len(documents))) if rows is None else rows[:count]
    values = documents.numbers(str(given["column"]))
    values = values if rows is None else values[rows]
    key = values if sort == "low" else -values
    first = _least(key, count)
    return first if rows is None else rows[first]


def _least(key: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Return the places of the `count` least values, in order, equal ones as they stand; NaN comes last."""
    if not 0 < count < len(key):
        return np.argsort(key, kind="stable")[:count]
    # Many zeros are what partitioning is slow at: they are the page already.
    least = np.flatnonzero(key == np.fmin.reduce(key))
    if len(least) >= count:
        return least[:count]
    limit = np.partition(key, count - 1)[count - 1]
    missing = bool(np.isnan(limit))
    before = np.flatnonzero(~np.isnan(key) if missing else key < limit)
    ties = np.flatnonzero(np.isnan(key) if missing else key == limit)[: count - len(before)]
    return np.concatenate([before[np.argsort(key[before], kind="stable")], ties])


def brief(documents: Documents, rows: NDArray[np.int64], column: Any = None) -> list[dict[str, Any]]:
    """Return what a list shows of documents: ``row, id, lang, source, kept, rule, bytes, quality, value``."""
    values = documents.numbers(str(column))[rows] if column else None
    found = []
    for at, row in enumerate(rows.tolist()):
        rule = int(documents.rule.codes[row])
        found.append(
            {
                "row": row,
                "id": documents.ids[row].as_py(),
                "lang": documents.lang.names[documents.lang.codes[row]],
                "source": documents.source.names[documents.source.codes[row]],
                "kept": bool(documents.kept[row]),
                "rule": documents.rule.names[rule] if rule >= 0 else None,
                "bytes": int(documents.bytes[row]),
                "quality": number(documents.quality[row]),
                "value": None if values is None else number(values[at]),
            }
        )
    return found


def number(value: Any) -> float | None:
    """Return a number as JSON can say it: None for one that is missing."""
    return float(value) if np.isfinite(value) else None


def _counts(column: Coded, counts: NDArray[np.int64]) -> dict[str, int]:
    order = np.argsort(-counts, kind="stable")[:200]
    return {column.names[i]: int(counts[i]) for i in order.tolist() if counts[i]}
