"""Sets of parallel text before they are judged: what is declared, by its keys; what was mined, by its documents."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glotmix.align.config import ParallelSource
from glotmix.align.packing import Unit
from glotmix.core import table
from glotmix.core.errors import DataError
from glotmix.corpus.sources import Source

VERSION = 1

MINED = "mined"
"""The set of pairs that were found in the corpus."""


@dataclass(frozen=True)
class Made:
    """Units that are judged together, and what is known of each version."""

    units: list[Unit]
    positions: list[int]
    facts: list[dict[str, dict[str, Any]]]
    dropped: list[dict[str, str]]


def declared(corpus: Path, sources: Sequence[ParallelSource]) -> Iterator[tuple[str, Made]]:
    """Yield the units of each declared set, in the order of their keys.

    Raises:
        DataError: if the key's column is missing, or no two versions share one.
    """
    sets: dict[str, list[ParallelSource]] = {}
    for source in sources:
        sets.setdefault(source.whole, []).append(source)
    files = table.shards(corpus)
    for name, members in sets.items():
        of = {s.name: s for s in members}
        rows: list[tuple[Any, ...]] = []
        for file in files:
            held = pq.read_table(file)
            for source in members:
                mine = held.filter(pc.equal(held["source"], source.name))
                if mine.num_rows:
                    keys = _keys(mine, source)
                    columns = (mine[c].to_pylist() for c in ("lang", "id", "text"))
                    licences = _licences(mine, source)
                    rows += zip(keys, *columns, [source.name] * mine.num_rows, licences, strict=True)
        rows = sorted(row for row in rows if row[0] is not None)
        units: list[Unit] = []
        facts: list[dict[str, dict[str, Any]]] = []
        dropped: list[dict[str, str]] = []
        at = 0
        while at < len(rows):
            end = at
            while end < len(rows) and rows[end][0] == rows[at][0]:
                end += 1
            versions: dict[str, str] = {}
            about: dict[str, dict[str, Any]] = {}
            for _, lang, _, text, origin, licence in rows[at:end]:
                if lang not in versions:
                    versions[lang] = text
                    about[lang] = {"id": None, "source": origin, "license": licence, "score": None}
            units.append(Unit(f"{name}:{_shown(rows[at][0])}", versions, name))
            facts.append(about)
            dropped.append({})
            at = end
        if not any(len(unit.versions) > 1 for unit in units):
            raise DataError(
                f"align.parallel: no two languages of '{name}' share a key ({', '.join(s.key for s in of.values())})",
                "key: the column that translations share; file for folders with a language each",
            )
        yield name, Made(units, list(range(len(units))), facts, dropped)


def _shown(key: tuple[int, Any]) -> str:
    return str(key[1])


def _keys(rows: pa.Table, source: ParallelSource) -> list[tuple[int, Any] | None]:
    """Return what each row's translations share: numbers in their order before texts."""
    if source.key not in rows.column_names:
        raise DataError(
            f"align.parallel: '{source.name}' has no column '{source.key}'; it has {', '.join(rows.column_names)}",
            "key: the column that translations share",
        )
    found = rows[source.key].to_pylist()
    return [None if k is None else (0, k) if isinstance(k, int) else (1, str(k)) for k in found]


def _licences(rows: pa.Table, source: Source) -> list[str | None]:
    if source.license is None or isinstance(source.license, str):
        return [source.license] * rows.num_rows
    column = source.license.column
    return [None if v is None else str(v) for v in rows[column].to_pylist()]


def mined(tables: Iterator[pa.Table], licences: Mapping[str, tuple[str, str | None]]) -> Iterator[tuple[str, Made]]:
    """Yield the units of each two languages, in the order of their documents and of the text in these."""
    waiting: list[pa.Table] = []

    def settled() -> tuple[str, Made]:
        rows = pa.concat_tables(waiting)
        langs = rows["lang_one"][0].as_py(), rows["lang_other"][0].as_py()
        made = Made([], [], [], [])
        for row in rows.to_pylist():
            versions = dict(zip(langs, (row["text_one"], row["text_other"]), strict=True))
            made.units.append(Unit(f"{row['document']}#{row['position']}", versions, row["document"]))
            made.positions.append(row["position"])
            about = {}
            for lang, identity in zip(langs, (row["id_one"], row["id_other"]), strict=True):
                source, licence = licences.get(identity, (MINED, None))
                about[lang] = {"id": identity, "source": source, "license": licence, "score": row["score"]}
            made.facts.append(about)
            made.dropped.append({} if row["kept"] else dict.fromkeys(langs, "score"))
        return f"{langs[0]}-{langs[1]}", made

    for rows in tables:
        if waiting and [rows[c][0] for c in ("lang_one", "lang_other")] != [
            waiting[0][c][0] for c in ("lang_one", "lang_other")
        ]:
            yield settled()
            waiting = []
        waiting.append(rows)
    if waiting:
        yield settled()
