"""The step `align/dataset`: parallel text as a data set of its own, with a card.

``pairs/`` holds what is kept, a table for each two languages (``<a>-<b>.parquet``), TMX and Moses's files beside if
they are asked for; ``packed/`` and ``tokens/`` what training reads; ``README.md`` licences of both sides, counts of
directions, what was dropped and why, and the overlap with evaluation sets.
"""

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from glotmix.align.config import AlignSection
from glotmix.align.packing import line
from glotmix.core import language, record
from glotmix.core.context import RunContext
from glotmix.core.record import Counts, Output
from glotmix.core.step import StepSpec
from glotmix.corpus.card import hub_license, size_category

VERSION = 1

SCHEMA = pa.schema(
    [
        pa.field(name, pa.string())
        for name in (
            "group", "document", "lang_one", "text_one", "id_one", "source_one", "license_one",
            "lang_other", "text_other", "id_other", "source_other", "license_other",
        )
    ]
    + [pa.field("score", pa.float32())]
)  # fmt: skip
"""The columns of a table of pairs."""

_ODD = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF], " ")
"""Characters that XML has no way to write."""

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<tmx version="1.4">\n<header creationtool="glotmix" segtype="sentence" '
    'o-tmf="glotmix" adminlang="en" srclang={src} datatype="plaintext" creationtoolversion="1"/>\n<body>\n'
)


def units(folder: Path) -> Iterator[list[dict[str, Any]]]:
    """Yield the kept versions of every unit of a table of pairs, by language."""
    for file in sorted(folder.glob("part-*.parquet")):
        rows = pq.read_table(file)
        held: list[dict[str, Any]] = []
        for row in rows.filter(rows["reason"].is_null()).to_pylist():
            if held and held[0]["group"] != row["group"]:
                yield held
                held = []
            held.append(row)
        if held:
            yield held


def make(output: Output, folder: Path, tmx: bool, moses: bool) -> tuple[Counts, dict[str, Any]]:
    """Write the pairs of each two languages.

    Args:
        output: under construction.
        folder: of the step `align/pairs`.
        tmx: write ``<a>-<b>.tmx``, too.
        moses: write ``<a>-<b>.<a>`` and ``<a>-<b>.<b>``, too.

    Returns:
        counts (``pairs``, ``bytes``), and what the card says: by two languages ``pairs, bytes_one, bytes_other``, and
        ``licenses``, of both sides together.
    """
    by_pair: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for versions in units(folder):
        for one, other in combinations(versions, 2):
            row = {f"{k}_one": one[k] for k in ("lang", "text", "id", "source", "license")}
            row |= {f"{k}_other": other[k] for k in ("lang", "text", "id", "source", "license")}
            row |= {"group": one["group"], "document": one["document"], "score": one["score"]}
            by_pair.setdefault((one["lang"], other["lang"]), []).append(row)
    to = output.path / "pairs"
    to.mkdir(parents=True, exist_ok=True)
    told: dict[str, dict[str, int]] = {}
    licences: Counter[tuple[str, str]] = Counter()
    for (a, b), rows in sorted(by_pair.items()):
        name = f"{a}-{b}"
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), to / f"{name}.parquet", compression="zstd")
        if tmx:
            _tmx(to / f"{name}.tmx", a, b, rows)
        if moses:
            for lang, side in ((a, "one"), (b, "other")):
                text = "".join(f"{line(row[f'text_{side}'])}\n" for row in rows)
                (to / f"{name}.{lang}").write_text(text, "utf-8", newline="\n")
        told[name] = {
            "pairs": len(rows),
            "bytes_one": sum(len(row["text_one"].encode()) for row in rows),
            "bytes_other": sum(len(row["text_other"].encode()) for row in rows),
        }
        for row in rows:
            licences[row["license_one"] or "not declared", row["license_other"] or "not declared"] += 1
    counts = {"pairs": sum(t["pairs"] for t in told.values())}
    counts["bytes"] = sum(t["bytes_one"] + t["bytes_other"] for t in told.values())
    return counts, {"languages": told, "licenses": licences}


def _tmx(path: Path, a: str, b: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write TMX 1.4: a unit a pair, its id in ``tuid``."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(_HEAD.format(src=quoteattr(_tag(a))))
        for row in rows:
            file.write(f"<tu tuid={quoteattr(row['group'].translate(_ODD))}>")
            for lang, side in ((a, "one"), (b, "other")):
                text = escape(row[f"text_{side}"].translate(_ODD))
                file.write(f"<tuv xml:lang={quoteattr(_tag(lang))}><seg>{text}</seg></tuv>")
            file.write("</tu>\n")
        file.write("</body>\n</tmx>\n")


def _tag(lang: str) -> str:
    """Return the BCP 47 tag of a language: ``fra-Latn``."""
    return lang.replace("_", "-")


def card(name: str, told: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Return the text of ``README.md``.

    Args:
        name: of the data set.
        told: see `make`.
        facts: ``reasons`` and ``evaluation`` of the pairs (the latter None where no set was searched for), ``mined``,
            ``directions`` of what is packed, ``kind``, ``share``, ``place`` and ``tokens``; None where there is none.
    """
    codes = sorted({lang for pair in told["languages"] for lang in pair.split("-")})
    pairs = sum(t["pairs"] for t in told["languages"].values())
    licences = {name for both in told["licenses"] for name in both}
    front = {
        "pretty_name": f"{name}, parallel",
        "language": sorted({code.partition("_")[0] for code in codes}),
        "license": hub_license(next(iter(licences)))
        if len(licences) == 1 and licences != {"not declared"}
        else "other",
        "task_categories": ["translation", "text-generation"],
        "size_categories": [size_category(pairs)],
        "configs": [{"config_name": pair, "data_files": f"pairs/{pair}.parquet"} for pair in told["languages"]],
    }
    parts = [
        "---\n" + yaml.safe_dump(front, sort_keys=False, allow_unicode=True) + "---",
        f"# {name}: parallel text",
        f"{pairs:,} pairs in {len(told['languages']):,} pairs of languages.",
        "## Languages",
        _table(
            ("languages", "pairs", "bytes, both sides"),
            [
                (_name(p), f"{t['pairs']:,}", f"{t['bytes_one']:,} + {t['bytes_other']:,}")
                for p, t in told["languages"].items()
            ],
        ),
        "## Licences",
        "A pair is two texts, each under its own licence: keep to both.",
        _table(
            ("the one side", "the other side", "pairs"),
            [(a, b, f"{n:,}") for (a, b), n in sorted(told["licenses"].items(), key=lambda i: (-i[1], i[0]))],
        ),
    ]
    if facts.get("reasons"):
        rows = [(reason, f"{n:,}") for reason, n in sorted(facts["reasons"].items(), key=lambda i: (-i[1], i[0]))]
        parts += ["## What was dropped", _table(("reason", "versions"), rows)]
    parts += ["## Evaluation sets", _overlap(facts.get("evaluation"))]
    if facts.get("directions") is not None:
        packed = [(d, f"{t['samples']:,}", f"{t['bytes']:,}") for d, t in sorted(facts["directions"].items())]
        parts += [
            "## Packed for training",
            f"Way of packing: `{facts['kind']}`; {facts['share']:.1%} of the training tokens, place: {facts['place']}.",
            _table(("direction", "samples", "bytes"), packed),
        ]
    if (found := facts.get("mined")) is not None:
        least = (
            "none could be drawn" if found["line"] is None else f"{found['pairs']:,} pairs of documents are above it"
        )
        parts += [
            "## How it was mined",
            f"Of {sum(found['documents'].values()):,} documents {found['candidates']:,} pairs were candidates, beside "
            f"{found['null']:,} of a null from the same documents. The line for a precision of "
            f"{facts['precision']:.0%} follows from the two: {least}. No label was used; the precision is "
            "hoped for, not measured.",
        ]
    return "\n\n".join(parts) + "\n"


def _overlap(found: Mapping[str, int] | None) -> str:
    if found is None:
        return "No evaluation set was searched for (`signals.contamination.sets`): nothing is known of any overlap."
    if not found:
        return "No side of any pair holds an item of the sets that were searched for."
    rows = [
        (lang, f"{found.get(f'side {lang}', 0):,}", f"{found.get(f'translation {lang}', 0):,}")
        for lang in sorted({key.partition(" ")[2] for key in found if " " in key})
    ]
    return (
        f"{found['units']:,} units held an item on a side and were dropped as a whole: in "
        f"{found.get('some_sides', 0):,} the other side is a translation of a test item, which a search for the "
        "item alone would not find.\n\n" + _table(("language", "holds an item", "translation of one that does"), rows)
    )


def _name(pair: str) -> str:
    return " – ".join(f"{language.parse(code).name} (`{code}`)" for code in pair.split("-"))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def _make(context: RunContext, output: Output) -> Counts:
    section: AlignSection = context.recipe.align
    counts, told = make(output, context.step_dir("align/pairs"), section.tmx, section.moses)
    made = record.require(context.step_dir("align/pairs"), "run RECIPE")
    facts: dict[str, Any] = {name: made.notes.get(name) for name in ("reasons", "evaluation", "mined")}
    if section.mine is not None:
        facts["precision"] = section.mine.precision
    if section.pack is not None:
        packed = record.require(context.step_dir("align/packed"), "run RECIPE")
        facts |= {"directions": packed.notes["directions"], "kind": section.pack.kind}
        facts |= {"share": section.pack.share, "place": section.pack.place}
        _copied(context.step_dir("align/packed") / "text", output.path / "packed")
        counts["samples"] = packed.counts["samples"]
    if section.write is not None:
        _copied(context.step_dir("align/tokens"), output.path / "tokens")
    (output.path / "README.md").write_text(card(context.recipe.name, told, facts), "utf-8")
    return counts


def _copied(of: Path, to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    for path in sorted(of.rglob("*")):
        if (
            path.is_file()
            and path.name != record.RECORD
            and not any(p.startswith(".") for p in path.relative_to(of).parts)
        ):
            (to / path.relative_to(of)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to / path.relative_to(of))


def _needs(context: RunContext) -> tuple[str, ...]:
    return ("align/pairs", *(step for step in ("align/packed", "align/tokens") if context.has(step)))


STEPS = StepSpec(
    name="align/dataset",
    code=(__name__,),
    make=_make,
    wanted=lambda context: context.recipe.align is not None and context.recipe.align.finds,
    needs=_needs,
    config=lambda context: {
        "name": context.recipe.name,
        "align": context.recipe.align.model_dump(mode="json", include={"tmx", "moses"}),
        "pack": None
        if context.recipe.align.pack is None
        else context.recipe.align.pack.model_dump(mode="json", include={"share", "place"}),
        "precision": None if context.recipe.align.mine is None else context.recipe.align.mine.precision,
    },
    may_be_empty=True,
    meaning="parallel text as it goes out: tables, TMX, what is packed, a card",
    place=92,
)
