"""The step `align/pairs`: parallel text, declared and mined, every version with its reason to be dropped or none.

``part-00000.parquet`` … hold all versions (`SCHEMA`); ``groups.parquet`` (``group, lang, id``) is what
``signals.multiway_parallel.groups`` reads, ``parallel.parquet`` (``id, lang, text, group, source``) what
``quality.parallel`` and the raters read.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glotmix.align import filters, mine, staged, told
from glotmix.align.config import AlignSection
from glotmix.align.overlap import Evaluation
from glotmix.align.packing import Unit
from glotmix.align.sets import Made, declared, mined
from glotmix.core import table
from glotmix.core.context import RunContext
from glotmix.core.errors import DataError
from glotmix.core.record import Counts, Output
from glotmix.core.step import Column, StepSpec
from glotmix.corpus import read
from glotmix.signals import contamination, embed, evaluation_items, language_id
from glotmix.signals.identifiers import load

VERSION = 3

KEPT = "kept"
"""What the counts of two languages call pairs that have no reason to be dropped."""

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


def write(output: Output, sets: Iterator[tuple[str, Made]], identifier: Any, evaluation: Evaluation | None) -> Counts:
    """Judge units and write the table and what others read of it.

    Returns:
        ``units``, ``versions``, ``kept`` (units with two versions and more left), ``kept_versions``. The notes say them
        by set, by pair of languages and by reason, and the licences of both sides.
    """
    counts: Counter[str] = Counter(units=0, versions=0, kept=0, kept_versions=0)
    reasons: Counter[str] = Counter()
    by_set: Any = {}
    by_lang: dict[str, Counter[str]] = {}
    by_pair: dict[str, Counter[str]] = {}
    licences: Counter[tuple[str, str]] = Counter()
    groups: list[pa.Table] = []
    with pq.ParquetWriter(output.path / "parallel.parquet", _PARALLEL, compression="zstd") as parallel:
        for number, (name, made) in enumerate(sets):
            found = judged(made, identifier, evaluation)
            _count(made, found, by_pair, licences)
            rows = _rows(made, found)
            table.write(rows, output.path / f"part-{number:05d}.parquet")
            kept = rows.filter(rows["reason"].is_null())
            groups.append(kept.select(_GROUPS.names).cast(_GROUPS))
            ids = pc.binary_join_element_wise(kept["group"], kept["lang"], "@")
            parallel.write_table(
                pa.table([ids, kept["lang"], kept["text"], kept["group"], kept["source"]], schema=_PARALLEL)
            )
            why = Counter(rows["reason"].drop_null().to_pylist())
            by_set[name] = {
                "units": len(made.units),
                "kept": len(pc.unique(kept["group"])),
                "reasons": dict(sorted(why.items(), key=lambda i: (-i[1], i[0]))),
            }
            counts.update(units=len(made.units), versions=rows.num_rows)
            counts.update(kept=by_set[name]["kept"], kept_versions=kept.num_rows)
            reasons.update(why)
            for lang, text in zip(kept["lang"].to_pylist(), kept["text"].to_pylist(), strict=True):
                by_lang.setdefault(lang, Counter()).update(versions=1, bytes=len(text.encode()))
    if not counts["units"]:
        table.write(SCHEMA.empty_table(), output.path / "part-00000.parquet")
    table.write(pa.concat_tables([_GROUPS.empty_table(), *groups]), output.path / "groups.parquet")
    output.notes["sets"] = by_set
    mined: Any = output.notes.get("mined")
    warnings: Any = told.warnings(by_set, mined)
    output.notes["warnings"] = warnings
    output.notes["languages"] = {lang: dict(by_lang[lang]) for lang in sorted(by_lang)}
    output.notes["pairs"] = {name: dict(sorted(by_pair[name].items())) for name in sorted(by_pair)}
    output.notes["licenses"] = [[*both, n] for both, n in sorted(licences.items(), key=lambda i: (-i[1], i[0]))]
    output.notes["reasons"] = dict(sorted(reasons.items()))
    if evaluation is not None:
        output.notes["evaluation"] = dict(sorted(evaluation.found.items()))
        table.write(evaluation.table(), output.path / "evaluation" / "matches.parquet")
    return dict(counts)


_GROUPS = pa.schema([(name, pa.string()) for name in ("group", "lang", "id")])
_PARALLEL = pa.schema([(name, pa.string()) for name in ("id", "lang", "text", "group", "source")])


def _count(
    made: Made, dropped: Sequence[Mapping[str, str]], pairs: dict[str, Counter[str]], licences: Counter[tuple[str, str]]
) -> None:
    """Count what became of each two versions of a unit: ``kept``, or the reason of the one that is dropped."""
    for unit, facts, drop in zip(made.units, made.facts, dropped, strict=True):
        for both in combinations(sorted(unit.versions), 2):
            reasons = [drop[lang] for lang in both if lang in drop]
            became = next((r for r in reasons if r != "alone"), reasons[0]) if reasons else KEPT
            pairs.setdefault("-".join(both), Counter())[became] += 1
            if not reasons:
                one, other = (facts[lang]["license"] or "not declared" for lang in both)
                licences[one, other] += 1


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
    return context.recipe.align is not None and context.recipe.align.finds


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
            *(f"glotmix.align.{name}" for name in ("sets", "overlap", "filters")),
            *(f"glotmix.align.{name}" for name in ("mine", "documents", "sentences", "precision")),
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
