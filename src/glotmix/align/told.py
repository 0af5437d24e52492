"""What a run tells of its parallel text: what was found, what is kept, and how sure it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glotmix.align.precision import LEAST
from glotmix.core import record


def told(folder: Path) -> dict[str, Any] | None:
    """Return what is known of the pairs of an output; None where none were made.

    Args:
        folder: the output.

    Returns:
        ``sets`` (``name, units, kept, reasons``: of declared text a row a set, of mined text one of every two
        languages), ``mined`` (what the record says; None where nothing was) and ``quarantined``: rows of declared text
        that were not read.
    """
    made, read = record.read(folder / "align" / "pairs"), record.read(folder / "align" / "parallel")
    if made is None:
        return None
    sets: Any = made.notes.get("sets", {})
    sources: Any = {} if read is None else read.notes.get("sources", {})
    return {
        "sets": [{"name": name} | facts for name, facts in sets.items()],
        "mined": made.notes.get("mined"),
        "quarantined": sum(sum(one["quarantined"].values()) for one in sources.values()),
    }


def warnings(sets: Mapping[str, Mapping[str, Any]], mined: Mapping[str, Any] | None) -> list[str]:
    """Return what a reader must know of sets of which nothing is kept, and of mining that found nothing.

    Args:
        sets: by name ``units, kept, reasons``.
        mined: what mining notes; None where nothing was mined.
    """
    found = []
    for name, one in sets.items():
        if one["units"] and not one["kept"]:
            why = ", ".join(f"{reason} {n:,}" for reason, n in one["reasons"].items())
            found.append(f"{name}: no pair is kept of {one['units']:,} (versions dropped: {why})")
    if mined is not None and not mined["pairs"]:
        why = (
            f"{mined['null']:,} pairs that are surely wrong are too few to draw a line by ({LEAST} and more are needed)"
            if mined["too_few_for_a_line"]
            else f"none of {mined['candidates']:,} candidates stands out from pairs that are surely wrong"
        )
        found.append(f"no parallel text was mined: {why}")
    return found


def said(mined: Mapping[str, Any]) -> str:
    """Return one sentence on what mining found, and how sure that is.

    Args:
        mined: what mining notes.
    """
    pairs, candidates = (
        f"{n:,} {what}{'' if n == 1 else 's'}"
        for n, what in ((mined["pairs"], "pair"), (mined["candidates"], "candidate"))
    )
    return (
        f"mined: {pairs} of documents out of {candidates}. Right are to be "
        f"{100 * mined['precision']:g} % of them (align.mine.precision); how many are was not measured: read some"
    )
