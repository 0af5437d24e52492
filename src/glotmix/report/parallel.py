"""What the page says of parallel text: pairs of languages, drops, directions, licences, overlap, pairs to read."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glotmix.core.record import JSON
from glotmix.report import plots, shell
from glotmix.report.excerpt import cut, visible
from glotmix.report.provenance import notes

ROWS = 200
"""Pairs of languages in the table; the rest are counted."""
EACH, PAIRS = 2, 12
"""Pairs to read: of each two languages, of the largest so many."""
REASONED = 3
"""Pairs to read of each reason."""
CHARACTERS = 280
_DRAWN = 400
"""Units that are drawn from a file of the table, among which languages and reasons choose theirs."""
_COLUMNS = ("group", "lang", "text", "score", "reason")


def parallel(
    records: Mapping[str, Mapping[str, JSON]], folder: Path | None, measured: Path | None
) -> dict[str, Any] | None:
    """Return the values of the section; None where there is no parallel text and no alignment.

    Args:
        records: of all steps.
        folder: of the step `align/pairs`.
        measured: the table of `glotmix align report`.
    """
    noted: dict[str, Any] = dict(notes(records, "align/pairs"))
    counted: dict[str, dict[str, int]] = noted.get("pairs") or {}
    layers = None if measured is None else _layers(measured)
    if not counted and layers is None:
        return None
    names = shell.names(sorted({code for pair in counted for code in pair.split("-")}))
    reasons = Counter[str]()
    for row in counted.values():
        reasons.update({reason: n for reason, n in row.items() if reason != "kept"})
    order = sorted(counted, key=lambda pair: (-counted[pair].get("kept", 0), pair))
    return {
        "rows": [_row(pair, counted[pair], names) for pair in order[:ROWS]],
        "more": max(0, len(order) - ROWS),
        "kept": sum(row.get("kept", 0) for row in counted.values()),
        "reasons": sorted(reasons.items(), key=lambda i: (-i[1], i[0])),
        "mined": noted.get("mined"),
        "licenses": noted.get("licenses") or [],
        "overlap": _overlap(noted.get("evaluation"), names),
        "directions": _directions(notes(records, "align/packed"), names),
        "examples": [] if folder is None else _examples(folder, order[:PAIRS], names),
        "layers": layers,
    }


def _row(pair: str, counts: Mapping[str, int], names: Mapping[str, str]) -> dict[str, Any]:
    dropped = sorted(((r, n) for r, n in counts.items() if r != "kept"), key=lambda i: (-i[1], i[0]))
    return {"name": _named(pair, names), "kept": counts.get("kept", 0), "found": sum(counts.values()), "why": dropped}


def _named(pair: str, names: Mapping[str, str], between: str = "-", shown: str = " – ") -> str:
    return shown.join(names.get(code, code) for code in pair.split(between))


def _overlap(found: Mapping[str, int] | None, names: Mapping[str, str]) -> dict[str, Any] | None:
    """Return how many units hold an item of an evaluation set, by language; None where none was searched for."""
    if found is None:
        return None
    langs = sorted({key.partition(" ")[2] for key in found if " " in key})
    rows = [
        (names.get(code, code), found.get(f"side {code}", 0), found.get(f"translation {code}", 0)) for code in langs
    ]
    return {"units": found.get("units", 0), "some": found.get("some_sides", 0), "rows": rows}


def _directions(noted: Mapping[str, JSON], names: Mapping[str, str]) -> list[tuple[str, Any]]:
    found: Any = noted.get("directions") or {}
    return [(_named(way, names, ">", " → "), told) for way, told in found.items()]


def _examples(folder: Path, pairs: Sequence[str], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return pairs to read, drawn blindly by a hash: of each two languages, then of each reason."""
    units: list[tuple[str, dict[str, dict[str, Any]]]] = []
    for file in sorted(folder.glob("part-*.parquet")):
        units += _drawn(pq.read_table(file, columns=list(_COLUMNS)))
    units.sort(key=lambda unit: _hash(unit[0]))
    held: Counter[str] = Counter()
    kept: dict[str, list[dict[str, Any]]] = {pair: [] for pair in pairs}
    dropped: dict[str, list[dict[str, Any]]] = {}
    for _, versions in units:
        for a, b in combinations(sorted(versions), 2):
            why = [r for r in (versions[a]["reason"], versions[b]["reason"]) if r is not None]
            reason = next((r for r in why if r != "alone"), None)
            pair = f"{a}-{b}"
            if not why and len(kept.get(pair, [None] * EACH)) < EACH:
                kept[pair].append(_example(pair, versions, None, names))
            elif reason is not None and held[reason] < REASONED:
                held[reason] += 1
                dropped.setdefault(reason, []).append(_example(pair, versions, reason, names))
    return [*(one for some in kept.values() for one in some), *(one for r in sorted(dropped) for one in dropped[r])]


def _drawn(rows: pa.Table) -> list[tuple[str, dict[str, dict[str, Any]]]]:
    """Return units of a file, by language: some of all, and some of each reason."""
    chosen: set[str] = set(_least(rows["group"], _DRAWN))
    for reason in pc.unique(rows["reason"].drop_null()).to_pylist():
        chosen |= set(_least(rows.filter(pc.equal(rows["reason"], reason))["group"], REASONED))
    units: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows.filter(pc.is_in(rows["group"], pa.array(sorted(chosen), pa.string()))).to_pylist():
        units.setdefault(row["group"], {})[row["lang"]] = row
    return list(units.items())


def _least(groups: pa.ChunkedArray, most: int) -> list[str]:
    return sorted(pc.unique(groups).to_pylist(), key=_hash)[:most]


def _hash(group: str) -> bytes:
    return hashlib.blake2b(group.encode(), digest_size=8).digest()


def _example(
    pair: str, versions: Mapping[str, Mapping[str, Any]], reason: str | None, names: Mapping[str, str]
) -> dict[str, Any]:
    sides = []
    for code in pair.split("-"):
        text, more = cut(versions[code]["text"], CHARACTERS)
        sides.append({"lang": code, "text": visible(text).strip(), "more": more, "reason": versions[code]["reason"]})
    score = versions[pair.partition("-")[0]]["score"]
    return {"name": _named(pair, names), "reason": reason, "score": score, "sides": sides}


def _layers(path: Path) -> dict[str, Any]:
    """Return the heat map of d′ by layer and pair of languages of an alignment's table, and its numbers."""
    rows = [row for row in pq.read_table(path).to_pylist() if row["figure"] == "d_prime"]
    names = shell.names(sorted({row[side] for row in rows for side in ("a", "b")}))
    told = [
        {"name": f"{names[row['a']]} – {names[row['b']]}", "span": f"{row['low']:.2f} to {row['high']:.2f}"}
        | {key: row[key] for key in ("layer", "value", "shown", "floor")}
        for row in rows
    ]
    order = list(dict.fromkeys(row["name"] for row in told))
    across = list(dict.fromkeys(row["layer"] for row in told))
    return {"rows": told, "model": rows[0]["model"] if rows else "", "plot": plots.layers(told, order, across, "d′")}
