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
    wanted = np.ones(len(documents), bool)
    for key, what in _NAMED.items():
        if given.get(key) not in (None, ""):
            column = getattr(documents, key)
            wanted &= column.codes == column.code(str(given[key]), what)
    state = given.get("state")
    if state == KEPT:
        wanted &= documents.kept
    elif state == DROPPED:
        wanted &= ~documents.kept
    elif state:
        wanted &= documents.rule.codes == documents.rule.code(str(state), "rule")
    if given.get("fails"):
        wanted &= documents.failing(str(given["fails"]))
    low, high = end(given.get("low"), "low"), end(given.get("high"), "high")
    if given.get("column") and (low is not None or high is not None):
        values = documents.numbers(str(given["column"]))
        # A missing number is neither above nor below.
        if low is not None:
            wanted &= values >= np.float32(low)
        if high is not None:
            wanted &= values <= np.float32(high)
    return wanted


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
    passing = np.flatnonzero(mask(documents, given))
    start, count = max(int(given.get("from") or 0), 0), min(int(given.get("count") or 50), PAGE)
    shown = _ordered(documents, passing, given, start + count)[start : start + count]
    cells = documents.cells
    # One pass for all three: a document's cell is its language, source and rule.
    counts = np.bincount(cells.codes[passing], minlength=cells.size).reshape(cells.shape)
    return {
        "documents": len(passing),
        "bytes": int(documents.bytes[passing].sum()),
        "of": len(documents),
        "kept": int(counts[:, :, 0].sum()),
        "langs": _counts(documents.lang, counts.sum(axis=(1, 2))),
        "sources": _counts(documents.source, counts.sum(axis=(0, 2))),
        "rules": _counts(documents.rule, counts.sum(axis=(0, 1))[1:]),
        "rows": brief(documents, shown, given.get("column")),
    }


def _ordered(documents: Documents, rows: NDArray[np.int64], given: dict[str, Any], count: int) -> NDArray[np.int64]:
    """Return the first of some rows in the order that is asked for; those without a number come last."""
    sort = given.get("sort") or "corpus"
    if sort not in ("corpus", "low", "high"):
        raise RequestError(f"sort must be corpus, low or high, not {sort!r}")
    if sort == "corpus" or not given.get("column"):
        return rows
    values = documents.numbers(str(given["column"]))[rows]
    key = values if sort == "low" else -values
    key = np.where(np.isnan(key), np.float32(np.inf), key)
    if count < len(rows):
        # Only those that can be on the page are sorted; ties stand in the order of the corpus.
        limit = np.partition(key, count - 1)[count - 1] if count else -np.inf
        near = np.flatnonzero(key <= limit)
        return rows[near[np.argsort(key[near], kind="stable")]]
    return rows[np.argsort(key, kind="stable")]


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
