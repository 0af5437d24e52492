"""Sets of parallel text before they are judged: what is declared, by its keys; what was mined, by its documents."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glotmix.align.config import ParallelSource
from glotmix.align.packing import Unit
from glotmix.core import json_text, record, table
from glotmix.core.errors import DataError
from glotmix.corpus.sources import Source
from glotmix.corpus.staged import OURS

VERSION = 2

Key: TypeAlias = tuple[int, Any]
"""What translations share: numbers stand before texts."""

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
    made = record.read(corpus)
    types: Any = {} if made is None else made.notes.get("columns", {})
    for name, members in sets.items():
        rows: list[tuple[Key | None, str, dict[str, Any], str]] = []
        for file in files:
            held = pq.read_table(file)
            for source in members:
                mine = held.filter(pc.equal(held["source"], source.name))
                if mine.num_rows:
                    keys = _keys(mine, source, types)
                    texts, langs = (mine[c].to_pylist() for c in ("text", "lang"))
                    about = [
                        {"id": None, "source": source.name, "license": licence, "score": None}
                        for licence in _licences(mine, source)
                    ]
                    rows += zip(keys, langs, about, texts, strict=True)
        found = _joined(name, rows)
        if not any(len(unit.versions) > 1 for unit in found.units):
            raise DataError(
                f"align.parallel: no two languages of '{name}' share a key ({', '.join(s.key for s in members)})",
                "key: the column that translations share; file for folders with a language each",
            )
        yield name, found


def _joined(name: str, rows: Sequence[tuple[Key | None, str, dict[str, Any], str]]) -> Made:
    """Join versions that share a key, in the order of the keys.

    A version is never lost: a second one in a language, and one without a key, are units of their own, and dropped.
    """
    made = Made([], [], [], [])

    def add(called: str, versions: dict[str, str], about: dict[str, dict[str, Any]], reason: str | None) -> None:
        made.units.append(Unit(f"{name}:{called}", versions, name))
        made.positions.append(len(made.positions))
        made.facts.append(about)
        made.dropped.append({} if reason is None else dict.fromkeys(versions, reason))

    keyed: dict[Key, list[tuple[str, dict[str, Any], str]]] = {}
    for shared, lang, facts, text in rows:
        if shared is not None:
            keyed.setdefault(shared, []).append((lang, facts, text))
    for shared in sorted(keyed):
        first: dict[str, tuple[dict[str, Any], str]] = {}
        again: list[tuple[str, dict[str, Any], str]] = []
        for lang, facts, text in keyed[shared]:
            if lang in first:
                again.append((lang, facts, text))
            else:
                first[lang] = facts, text
        langs = sorted(first)
        add(str(shared[1]), {lang: first[lang][1] for lang in langs}, {lang: first[lang][0] for lang in langs}, None)
        for number, (lang, facts, text) in enumerate(again, 2):
            add(f"{shared[1]} ({number})", {lang: text}, {lang: facts}, "same language")
    for number, (_, lang, facts, text) in enumerate((row for row in rows if row[0] is None), 1):
        add(f"({number})", {lang: text}, {lang: facts}, "no key")
    return made


def _keys(rows: pa.Table, source: ParallelSource, types: Mapping[str, Any]) -> list[Key | None]:
    """Return what each row's translations share."""
    # A column of the user's that is called as one of ours goes by another name in a corpus.
    name = f"{source.key}_original" if source.key in OURS else source.key
    if name not in rows.column_names:
        there = [c.removesuffix("_original") if c.removesuffix("_original") in OURS else c for c in rows.column_names]
        raise DataError(
            f"align.parallel: '{source.name}' has no column '{source.key}'; it has "
            f"{', '.join(c for c, at in zip(there, rows.column_names, strict=True) if at not in OURS)}",
            "key: the column that translations share",
        )
    found = rows[name].to_pylist()
    if types.get(name) == "JSON text":
        # Some of the tables have numbers there, others text.
        found = [None if value is None else json_text.loads(value) for value in found]
    return [key(value) for value in found]


def key(value: Any) -> Key | None:
    """Return a key as it compares in tables of any kind: numbers in their order, then texts; None where there is none.

    >>> key(7) == key("7") == key(7.0), key("007"), key(float("nan")), key(" ")
    (True, (1, '007'), None, None)
    """
    if value is None or value != value:  # noqa: PLR0124 - not a number is not itself
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return 0, value
    text = str(value).strip()
    # Numbers of CSV are text.
    if text.isascii() and text.isdigit() and len(text) < 19 and str(int(text)) == text:
        return 0, int(text)
    return (1, text) if text else None


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
