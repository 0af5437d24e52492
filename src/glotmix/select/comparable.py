"""What each kind of score would keep: the same number of documents, by one line over all languages, or one in each."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core.record import JSON
from glotmix.select.ranking import ALL, Across, Line, drawn

WAYS: Mapping[str, str] = {"score": "quality", "quantile": "quantile", "calibrated": "calibrated"}
"""Kind of score → column of the ledger."""


Kept: TypeAlias = dict[tuple[str, str], Counter[str]]
"""(``lang`` or ``source``, its name) → documents: ``of`` them, and those that each kind of score would keep."""


def would_keep(documents: pa.Table, alive: NDArray[np.bool_], total: int) -> "dict[str, JSON]":
    """Return how many documents of each language and source the `total` best would be, by each kind of score.

    Args:
        documents: ``id, lang, source, quantile`` and the columns of `WAYS`.
        alive: (n,) booleans; only these compete.
        total: documents that are kept.

    Returns:
        ``lang`` and ``source`` → rows of ``name``, ``of`` and a count for each kind of score that there is; sorted by
        name. Ties are broken by id.
    """
    ways = contests(total, unknown(documents, alive))
    return shown(counted(documents, alive, ways), ways)


def unknown(documents: pa.Table, alive: NDArray[np.bool_]) -> set[str]:
    """Return the kinds of score that some living document has not."""
    mine = documents.select(list(WAYS.values())).filter(pa.array(alive))
    return {way for way, column in WAYS.items() if mine[column].null_count}


def contests(total: int, missing: Collection[str]) -> dict[str, Across]:
    """Return who would compete, by kind of score."""
    return {way: Across(column, total) for way, column in WAYS.items() if way not in missing}


def counted(
    documents: pa.Table,
    alive: NDArray[np.bool_],
    ways: Mapping[str, Across],
    lines: Mapping[str, Line] | None = None,
) -> Kept:
    """Count what each kind of score would keep, by lines found among more documents than these, if they are given."""
    found: Kept = {}
    kept = {"of": alive}
    for way, contest in ways.items():
        _, behind = drawn(contest, documents, alive, None if lines is None else {ALL: lines[way]})
        kept[way] = alive.copy()
        kept[way][behind[ALL]] = False
    for side in ("lang", "source"):
        for way, mine in kept.items():
            for row in pc.value_counts(documents[side].filter(pa.array(mine))).to_pylist():
                found.setdefault((side, row["values"]), Counter())[way] += row["counts"]
    return found


def shown(found: Kept, ways: Collection[str]) -> "dict[str, JSON]":
    """Return the counts as the record has them."""
    return {
        side: [
            {"name": name, "of": counts["of"], **{way: counts[way] for way in ways}}
            for (where, name), counts in sorted(found.items())
            if where == side
        ]
        for side in ("lang", "source")
    }
