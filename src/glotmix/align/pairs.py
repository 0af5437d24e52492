"""The step `align/pairs`: parallel text, declared and mined, every version with its reason to be dropped or none.

``part-00000.parquet`` … hold all versions (`SCHEMA`); ``groups.parquet`` (``group, lang, id``) is what
``signals.multiway_parallel.groups`` reads, ``parallel.parquet`` (``id, lang, text, group, source``) what
``quality.parallel`` and the raters read.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glotmix.align import filters, mine, staged
from glotmix.align.config import AlignSection, ParallelSource
from glotmix.align.packing import Unit
from glotmix.core import table
from glotmix.core.context import RunContext
from glotmix.core.errors import DataError
from glotmix.core.record import Counts, Output
from glotmix.core.step import Column, StepSpec
from glotmix.corpus import read
from glotmix.corpus.sources import Source
from glotmix.signals import contamination, embed, evaluation_items, language_id
from glotmix.signals.identifiers import load

VERSION = 1

MINED = "mined"
"""The set of pairs that were found in the corpus."""

SCHEMA = pa.schema(
    [
        pa.field("group", pa.string()),
        pa.field("document", pa.string()),
        pa.field("position", pa.int32()),
        pa.field("lang", pa.string()),
        pa.field("text", pa.string()),
        pa.field("id", pa.string()),
        pa.field("source", pa.string()),
        pa.field("license", pa.string()),
        pa.field("score", pa.float32()),
        pa.field("reason", pa.string()),
    ]
)
"""A row for every version of every unit, those of a unit one behind the other."""

_MEANINGS = {
    "group": "names the unit: what the versions of one text share",
    "document": "the pair of documents, or the set, that it stands in; null where none is known",
    "position": "its place there",
    "lang": "its language",
    "text": "the version",
    "id": "the document of the corpus that it stands in; null for declared text",
    "source": "its source",
    "license": "of its document, or of its source",
    "score": "how near the two sides are; null for declared text",
    "reason": "why it is dropped; null where it is kept",
}


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


def judged(made: Made, identifier: Any, held: Any) -> list[dict[str, str]]:
    """Return the drops of units: below the line, by the filters, by evaluation sets (any side drops all of it)."""
    alive = [
        n
        for n, (unit, drop) in enumerate(zip(made.units, made.dropped, strict=True))
        if not drop and len(unit.versions) > 1
    ]
    found = [drop or dict.fromkeys(unit.versions, "alone") for unit, drop in zip(made.units, made.dropped, strict=True)]
    for n, drop in zip(alive, filters.judge([made.units[n] for n in alive], identifier), strict=True):
        found[n] = drop
    if held is not None:
        for n in held(made.units):
            if len(found[n]) < len(made.units[n].versions):
                found[n] = {lang: found[n].get(lang, "evaluation") for lang in made.units[n].versions}
    return found


class Evaluation:
    """Looks for items of evaluation sets in both sides of units, and counts on which it finds them."""

    def __init__(self, items: pa.Table, config: contamination.ContaminationConfig) -> None:
        _, _, indices = contamination.index(items["text"].combine_chunks(), config)
        self._search = contamination.searcher(indices, config.share)
        self._names = list(zip(items["set"].to_pylist(), items["item"].to_pylist(), strict=True))
        self.found: Counter[str] = Counter()
        self.matches: list[dict[str, Any]] = []

    def __call__(self, units: Sequence[Unit]) -> list[int]:
        """Return the numbers of the units that hold an item in any version."""
        places = [(n, lang) for n, unit in enumerate(units) for lang in unit.versions]
        if not places:
            return []
        hits = self._search(pa.array([units[n].versions[lang] for n, lang in places], pa.string())).to_pylist()
        sides: dict[int, set[str]] = {}
        for (n, lang), found in zip(places, hits, strict=True):
            for one in found:
                sides.setdefault(n, set()).add(lang)
                of, item = self._names[one["number"]]
                self.matches.append(
                    {"group": units[n].id, "lang": lang, "set": of, "item": item, "share": one["share"]}
                )
        for n, langs in sides.items():
            self.found["units"] += 1
            self.found["all_sides" if langs == set(units[n].versions) else "some_sides"] += 1
            for lang in langs:
                self.found[f"side {lang}"] += 1
            for lang in set(units[n].versions) - langs:
                # A translation of a test item that no search for the item itself would find.
                self.found[f"translation {lang}"] += 1
        return sorted(sides)


_MATCHES = pa.schema(
    [
        ("group", pa.string()),
        ("lang", pa.string()),
        ("set", pa.string()),
        ("item", pa.string()),
        ("share", pa.float32()),
    ]
)


def write(output: Output, sets: Iterator[tuple[str, Made]], identifier: Any, evaluation: Evaluation | None) -> Counts:
    """Judge units and write the table and what others read of it.

    Returns:
        ``units``, ``versions``, ``kept`` (units with two versions and more left), ``kept_versions``. The notes say them
        by set, by pair of languages and by reason.
    """
    counts: Counter[str] = Counter(units=0, versions=0, kept=0, kept_versions=0)
    reasons: Counter[str] = Counter()
    by_set: dict[str, Counter[str]] = {}
    by_lang: dict[str, Counter[str]] = {}
    groups: list[pa.Table] = []
    with pq.ParquetWriter(output.path / "parallel.parquet", _PARALLEL, compression="zstd") as parallel:
        for number, (name, made) in enumerate(sets):
            found = judged(made, identifier, evaluation)
            rows = _rows(made, found)
            table.write(rows, output.path / f"part-{number:05d}.parquet")
            kept = rows.filter(rows["reason"].is_null())
            groups.append(kept.select(_GROUPS.names).cast(_GROUPS))
            ids = pc.binary_join_element_wise(kept["group"], kept["lang"], "@")
            parallel.write_table(
                pa.table([ids, kept["lang"], kept["text"], kept["group"], kept["source"]], schema=_PARALLEL)
            )
            told = by_set.setdefault(name, Counter())
            told.update(units=len(made.units), kept=len(pc.unique(kept["group"])))
            counts.update(units=len(made.units), versions=rows.num_rows)
            counts.update(kept=len(pc.unique(kept["group"])), kept_versions=kept.num_rows)
            reasons.update(rows["reason"].drop_null().to_pylist())
            for lang, text in zip(kept["lang"].to_pylist(), kept["text"].to_pylist(), strict=True):
                by_lang.setdefault(lang, Counter()).update(versions=1, bytes=len(text.encode()))
    if not counts["units"]:
        table.write(SCHEMA.empty_table(), output.path / "part-00000.parquet")
    table.write(pa.concat_tables([_GROUPS.empty_table(), *groups]), output.path / "groups.parquet")
    output.notes["sets"] = {name: dict(told) for name, told in by_set.items()}
    output.notes["languages"] = {lang: dict(by_lang[lang]) for lang in sorted(by_lang)}
    output.notes["reasons"] = dict(sorted(reasons.items()))
    if evaluation is not None:
        output.notes["evaluation"] = dict(sorted(evaluation.found.items()))
        table.write(pa.Table.from_pylist(evaluation.matches, _MATCHES), output.path / "evaluation" / "matches.parquet")
    return dict(counts)


_GROUPS = pa.schema([(name, pa.string()) for name in ("group", "lang", "id")])
_PARALLEL = pa.schema([(name, pa.string()) for name in ("id", "lang", "text", "group", "source")])


def _rows(made: Made, dropped: Sequence[Mapping[str, str]]) -> pa.Table:
    columns: dict[str, list[Any]] = {f.name: [] for f in SCHEMA}
    for unit, position, facts, drop in zip(made.units, made.positions, made.facts, dropped, strict=True):
        for lang in sorted(unit.versions):
            row = facts[lang] | {"group": unit.id, "document": unit.document, "position": position, "lang": lang}
            row |= {"text": unit.versions[lang], "reason": drop.get(lang)}
            for name, held in columns.items():
                held.append(row[name])
    return pa.table([pa.array(columns[f.name], f.type) for f in SCHEMA], schema=SCHEMA)


def units(folder: Path) -> list[Unit]:
    """Return the kept units of a table of pairs, in its order.

    Raises:
        DataError: if nothing is kept.
    """
    found: list[Unit] = []
    for file in sorted(folder.glob("part-*.parquet")):
        rows = pq.read_table(file, columns=["group", "document", "lang", "text", "reason"])
        rows = rows.filter(rows["reason"].is_null())
        names, documents, langs, texts = (rows[c].to_pylist() for c in ("group", "document", "lang", "text"))
        at = 0
        while at < len(names):
            end = at
            while end < len(names) and names[end] == names[at]:
                end += 1
            found.append(Unit(names[at], dict(zip(langs[at:end], texts[at:end], strict=True)), documents[at] or ""))
            at = end
    if not found:
        raise DataError(f"no parallel text is kept in {folder}", "its column 'reason' says why")
    return found


def _parallel(context: RunContext, output: Output) -> Counts:
    section = context.recipe.corpus
    return read.make(
        output, context.recipe.align.parallel, context.base, None,
        section.max_chars, section.max_quarantined, section.max_unknown_language,
    )  # fmt: skip


def _facts(context: RunContext) -> dict[str, tuple[str, str | None]]:
    """Return source and licence of every document that is kept."""
    rows = table.read(sorted(context.step_dir("ledger").glob("part-*.parquet")), ["id", "source", "license", "kept"])
    rows = rows.filter(rows["kept"])
    return dict(
        zip(
            rows["id"].to_pylist(),
            zip(rows["source"].to_pylist(), rows["license"].to_pylist(), strict=True),
            strict=True,
        )
    )


def _sets(context: RunContext, output: Output) -> Iterator[tuple[str, Made]]:
    section: AlignSection = context.recipe.align
    if section.parallel:
        yield from declared(context.step_dir("align/parallel"), section.parallel)
    if section.mine is not None:
        how = staged.Mining(section.mine.precision, section.mine.languages, section.mine.sentences)
        model = embed.embedder(context, section.mine.embedder)
        tables = mine.make(output, context.corpus, context.step_dir("ledger"), model, how)
        yield from mined(tables, _facts(context))


def _make(context: RunContext, output: Output) -> Counts:
    section: AlignSection = context.recipe.align
    identifier = load(language_id.identifier(context)) if section.identify else None
    evaluation = None
    sets = context.recipe.signals.contamination.sets
    if sets:
        items = [evaluation_items.read_items(s.name, context.paths(s.path), s.columns, s.id) for s in sets]
        evaluation = Evaluation(pa.concat_tables(items), context.recipe.signals.contamination)
    return write(output, _sets(context, output), identifier, evaluation)


def _config(context: RunContext) -> dict[str, Any]:
    section: AlignSection = context.recipe.align
    told: dict[str, Any] = {"mine": None if section.mine is None else section.mine.model_dump(mode="json")}
    told["parallel"] = [
        [s.name, s.key, s.whole, s.license if isinstance(s.license, str | None) else s.license.column]
        for s in section.parallel
    ]
    told["identify"] = language_id.identity(context) if section.identify else None
    sets = context.recipe.signals.contamination
    if sets.sets:
        told["evaluation"] = sets.model_dump(mode="json", exclude={"sets": {"__all__": {"path"}}})
    return told


def _inputs(context: RunContext) -> dict[str, Any]:
    section: AlignSection = context.recipe.align
    found: dict[str, Any] = {}
    if section.mine is not None:
        found["embedder"] = embed.embedder(context, section.mine.embedder).fingerprint
    return found | (contamination._inputs(context) if context.recipe.signals.contamination.sets else {})


def _needs(context: RunContext) -> tuple[str, ...]:
    section: AlignSection = context.recipe.align
    declared = ("align/parallel",) if section.parallel else ()
    return (*declared, *((*context.corpus_steps, "ledger") if section.mine is not None else ()))


def _wanted(context: RunContext) -> bool:
    return context.recipe.align is not None


STEPS = (
    StepSpec(
        name="align/parallel",
        code=("glotmix.corpus.read",),
        make=_parallel,
        wanted=lambda context: _wanted(context) and bool(context.recipe.align.parallel),
        needs=lambda context: (),
        config=lambda context: {
            "sources": [s.identity for s in context.recipe.align.parallel],
            "max_chars": context.recipe.corpus.max_chars,
        },
        inputs=lambda context: read.fingerprints(context.recipe.align.parallel, context.base),
        meaning="declared parallel text, as it was read",
        place=82,
    ),
    StepSpec(
        name="align/pairs",
        code=(
            __name__,
            *(f"glotmix.align.{name}" for name in ("filters", "mine", "documents", "sentences", "precision")),
        ),
        make=_make,
        wanted=_wanted,
        needs=_needs,
        config=_config,
        inputs=_inputs,
        may_be_empty=True,
        reported=True,
        columns=tuple(Column(f.name, str(f.type), _MEANINGS[f.name]) for f in SCHEMA),
        meaning="parallel text, declared and mined, every version with its reason to be dropped or none",
        place=83,
    ),
)  # fmt: skip
