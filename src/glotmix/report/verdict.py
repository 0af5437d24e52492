"""What a careful colleague would say of a run: which languages are fit, what to look at first, what was lost where.

Every sentence is a finding with its numbers and what to type. Findings stand in the order of harm: the text that they
are about, times how bad their kind is. What was not measured is said too, and is never a pass.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core import table
from glotmix.core.context import RunContext
from glotmix.core.record import JSON, Counts, Output, read
from glotmix.core.step import StepSpec
from glotmix.corpus.sources import IDENTIFY
from glotmix.report import findings, scarce, sources
from glotmix.report.findings import Finding, Warned
from glotmix.report.sources import Cell
from glotmix.select import enough
from glotmix.signals import confusions

VERSION = 7
FILE = "verdict.json"

WRONG, REPEATED, BROKEN, JUNK = enough.WATCHED, 0.5, enough.WATCHED, 0.4
"""Shares of a language's documents from which it needs a look: read as another language; dropped as duplicates; broken
characters; called unnatural by the rater."""
AT_ONCE = 500_000
"""Documents that are looked at together; a language of more is looked at whole."""
FIT, LOOK, FEW = "fit", "look", "few"
"""What a language may be: fit to train on as far as was measured, one to look at, of too few documents to judge."""

_OF_SOURCES = frozenset({"loses", "quarter", "source", "length", "domain", "form"})
_FAIR: Mapping[str, str] = {
    "share": "select.within=source",
    "budget": "select.retain=lose",
    "tokens": "select.retain=lose",
}
"""How documents are kept that compete with one another → what to type so that sources do not."""
_REFUTES = frozenset({"language", "broken", "junk", "lost", "quarter", "loses"})
"""Kinds that make a language one to look at."""


@dataclass(frozen=True)
class Block:
    """What a verdict reads of some languages: all of their documents.

    Args:
        ledger: their rows.
        identified: ``label, score, agrees`` of the same.
        broken: (n,) share of broken characters.
        domains: (n,) of the documents' addresses, null for none; None where they were not looked at.
    """

    ledger: pa.Table
    identified: pa.Table
    broken: NDArray[np.float64]
    domains: pa.ChunkedArray | None = None


def verdict(
    blocks: Iterable[Block],
    total: int,
    notes: Mapping[str, Mapping[str, JSON]],
    lines: Mapping[str, float],
    unmeasured: Sequence[str],
    fair: str | None = None,
    lose: bool = True,
    guessed: Collection[str] = (),
) -> dict[str, Any]:
    """Return the verdict as plain data.

    Args:
        blocks: all documents: the languages of each block stand behind those of the one before.
        total: their bytes.
        notes: step → the notes of its record: of ``corpus`` and ``signals/identify``.
        lines: language → the score below which the rater calls a document unnatural; empty where nothing is rated.
        unmeasured: what was not measured, in words with what to type.
        fair: see `sources.warned`.
        lose: likewise.
        guessed: the sources whose languages the identifier told.

    Returns:
        ``first`` (the sentence to read), ``languages`` (lang, state, why, documents), ``findings``, ``sources``,
        ``domains``.
    """
    total = max(total, 1)
    cells: list[Cell] = []
    by_domain: list[Cell] = []
    predicted: list[Warned] = []
    found = _of_reading(notes.get("corpus", {}))
    known: Any = notes.get("signals/identify", {}).get("languages", {})
    unknown: list[tuple[str, str, float]] = []
    for block in blocks:
        own = sources.cells(block.ledger)
        cells += own
        predicted += sources.predicted(own, block.ledger, fair, lose)
        if block.domains is not None:
            here = sources.domains(block.ledger.append_column("domain", block.domains))
            by_domain = sources.most_read([*by_domain, *here])
        for lang in sorted({cell.lang for cell in own}):
            mine = _of(block, lang)
            share = (pc.sum(mine.ledger["bytes"]).as_py() or 0) / total
            found += _of_language(lang, mine, lines.get(lang), [cell for cell in own if cell.lang == lang], share)
            if lang in known and not known[lang]["known"]:
                unknown.append((lang, ", ".join(known[lang]["others"]) or "nothing", share))
    found += scarce.unknown(unknown)
    found += scarce.scarce(cells, guessed, total)
    warned = [*sources.unfair(cells, fair, lose), *predicted, *sources.crowds(by_domain, cells)]
    wrong: list[tuple[tuple[str, ...], str]] = [(f.langs, f.text) for f in found if f.kind in _REFUTES]
    wrong += [((one.lang,), one.text) for one in warned if one.kind in _REFUTES]
    for group in findings.together(warned):
        about, share = tuple(one.lang for one in group), sum(one.bytes for one in group) / total
        found.append(Finding(group[0].kind, about, findings.told(group), findings.fix(group), share))
    found += [Finding("unmeasured", (), f"not measured: {text}", do, 0.01) for text, do in _split(unmeasured)]
    langs = sorted({cell.lang for cell in cells})
    # Copies refute a language of which they leave next to nothing.
    thin = {lang for lang in langs if _thin([cell for cell in cells if cell.lang == lang])}
    wrong += [(f.langs, f.text) for f in found if f.kind == "repeated" and thin.issuperset(f.langs)]
    found = sorted(findings.likewise(found), key=lambda one: (-one.harm, one.kind, one.langs))
    bad = {lang: [text for of, text in wrong if lang in of] for lang in langs}
    read = {lang: sum(cell.read for cell in cells if cell.lang == lang) for lang in langs}
    states = [_state(lang, bad[lang], read[lang]) for lang in langs]
    return {
        "first": _first(found, states),
        "languages": states,
        "findings": [asdict(one) | {"langs": list(one.langs), "harm": round(one.harm, 4)} for one in found],
        "sources": [cell.as_json() for cell in cells],
        "domains": [{("domain" if k == "source" else k): v for k, v in cell.as_json().items()} for cell in by_domain],
    }


def _thin(own: Sequence[Cell]) -> bool:
    kept = sum(cell.kept for cell in own)
    return kept < min(enough.ENOUGH, sources.QUARTER * sum(cell.read for cell in own))


def _split(unmeasured: Sequence[str]) -> list[tuple[str, str]]:
    return [(text, do) for text, _, do in (one.partition(" | ") for one in unmeasured)]


def _state(lang: str, bad: Sequence[str], documents: int) -> dict[str, Any]:
    few = enough.too_few(documents)
    state = LOOK if bad else FIT if few is None else FEW
    why = list(bad[:3]) if bad or few is None else [few]
    return {"lang": lang, "state": state, "why": why, "documents": documents}


def _first(found: Sequence[Finding], states: Sequence[Mapping[str, Any]]) -> str:
    fit, few = (sum(one["state"] == state for one in states) for state in (FIT, FEW))
    told = f"{fit} of {len(states)} languages {'is' if fit == 1 else 'are'} fit to train on as far as was measured"
    if len(states) == 1:
        told = f"{states[0]['lang']} is {'' if fit else 'not '}fit to train on as far as was measured"
    if few == len(states):
        told = f"No language has enough documents to judge: a verdict needs {enough.ENOUGH} of it"
    elif few:
        told += f"; {few} {'has' if few == 1 else 'have'} too few documents to judge"
    worst = next((one for one in found if one.kind in _REFUTES or one.kind in ("misspelt", "repeated", "source")), None)
    if worst is None:
        return f"{told}."
    gravest = next(one for one in found if one.kind not in ("few", "unknown", "unmeasured"))
    if worst.kind == "source" or worst is not gravest:
        # It refutes no language, or one of little text: how many are fit comes first.
        return f"{told}. Look first: {worst.text} ({worst.do})."
    # A source keeps its name as it is written.
    text = worst.text if worst.kind in _OF_SOURCES else worst.text[:1].upper() + worst.text[1:]
    return f"{text} ({worst.do}). {told}."


def _of_reading(notes: Mapping[str, JSON]) -> list[Finding]:
    """Return what was lost before it was a document: codes of languages that are none."""
    held: Any = notes.get("sources", {})
    documents = max(sum(one["documents"] for one in held.values()), 1) if held else 1
    found = []
    for name, one in held.items():
        lost = one["quarantined"].get("unknown language code", 0)
        if lost >= 10:
            text = f"{lost:,} rows of {name} have a language code that is none, and are in no language"
            found.append(Finding("misspelt", (), text, f"see corpus/quarantine/{name}.jsonl", lost / documents))
    return found


def _of(block: Block, lang: str) -> Block:
    """Return what a block has of one of its languages."""
    mine = pc.equal(block.ledger["lang"], lang)
    if pc.all(mine).as_py():
        return block
    at = mine.to_numpy()
    return Block(block.ledger.filter(mine), block.identified.filter(mine), block.broken[at])


def _of_language(lang: str, block: Block, line: float | None, cells: Sequence[Cell], share: float) -> list[Finding]:
    """Return what is wrong with a language's documents.

    Args:
        lang: the language.
        block: its documents alone.
        line: the score below which the rater calls a document unnatural.
        cells: the language in each of its sources.
        share: the language's share of all bytes.
    """
    ledger, n = block.ledger, block.ledger.num_rows
    found: list[Finding] = []

    def tell(kind: str, bad: NDArray[np.bool_], most: float, what: str, do: str) -> None:
        if enough.above(int(bad.sum()), n, most):
            text = what.format(share=f"{bad.mean():.0%}", n=f"{n:,}") + _where(cells, ledger, bad)
            found.append(Finding(kind, (lang,), text, do, share * float(bad.mean())))

    labels = block.identified["label"].combine_chunks().dictionary_encode()
    sure = np.nan_to_num(block.identified["score"].to_numpy().astype(float)) >= 0.8
    against = pc.invert(block.identified["agrees"]).fill_null(False).to_numpy() & sure
    # Languages that nobody can tell apart are no wrong ones.
    apart = pa.array([confusions.apart(lang, label) for label in labels.dictionary.to_pylist()], pa.bool_())
    wrong = against & apart.take(labels.indices).fill_null(False).to_numpy(zero_copy_only=False)
    most = _most(block.identified["label"], wrong)[0] if wrong.any() else ""
    told = f"{{share}} of {{n}} documents declared {lang} read as another language, most as {most}"
    tell("language", wrong, WRONG, told, "glotmix why RECIPE ID, or correct the source's language")
    told = f"{{share}} of {{n}} documents of {lang} hold broken characters"
    tell("broken", block.broken > 0.002, BROKEN, told, "mend the source's encoding (options.encoding)")
    if line is not None:
        junk = ledger["quality"].to_numpy().astype(float) < line
        told = f"the rater calls {{share}} of {{n}} documents of {lang} unnatural"
        tell("junk", junk, JUNK, told, sources.READ)
    again = pc.starts_with(ledger["rule"], "duplicates.").fill_null(False).to_numpy()
    told = f"{{share}} of {{n}} documents of {lang} repeat another"
    tell("repeated", again, REPEATED, told, "glotmix duplicates RECIPE shows what they are copies of")
    if not pc.any(ledger["kept"]).as_py():
        rules = pc.value_counts(ledger["rule"]).to_pylist()
        worst = max(rules, key=lambda one: one["counts"])
        rule, count = worst["values"] or "", worst["counts"]
        text = f"no document of {lang} is kept; {count:,} of {n:,} are lost to {rule}"
        found.append(Finding("lost", (lang,), text, sources.off(rule, f"language.{lang}"), share))
    return found


def _where(cells: Sequence[Cell], ledger: pa.Table, bad: NDArray[np.bool_]) -> str:
    """Return the source that most of it comes from, where the language has several."""
    if len(cells) < 2:
        return ""
    name, share = _most(ledger["source"], bad)
    return f", {share:.0%} of them from {name}"


def _most(names: pa.ChunkedArray, mine: NDArray[np.bool_]) -> tuple[str, float]:
    """Return the most frequent of some names, the first by the alphabet of several, and its share."""
    counts = {str(one["values"]): one["counts"] for one in pc.value_counts(names.filter(pa.array(mine))).to_pylist()}
    name = max(sorted(counts), key=lambda one: counts[one])
    return name, counts[name] / sum(counts.values())


def _make(context: RunContext, output: Output) -> Counts:
    notes = {n: one.notes for n in ("corpus", "signals/identify") if (one := read(context.step_dir(n))) is not None}
    sizes = table.sums(table.shards(context.step_dir("ledger")), "lang", ["bytes"])
    select = context.recipe.select
    fair = None if select.within != "language" else _FAIR.get(select.retain)
    found = verdict(
        _blocks(context, {lang: documents for lang, (documents, _) in sizes.items()}),
        sum(size for _, size in sizes.values()), notes, _lines(context, sizes), _unmeasured(context), fair,
        select.retain == "lose" and not context.instructs, _guessed(context),
    )  # fmt: skip
    (output.path / FILE).write_text(json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False), "utf-8")
    told = [one for one in found["findings"] if one["kind"] in _OF_SOURCES]
    strays = [one for one in found["findings"] if one["kind"] == "stray"]
    output.notes["warnings"] = [f"{one['text']} ({one['do']})" for one in [*told[:5], *strays]]
    return {"documents": sum(documents for documents, _ in sizes.values()), "findings": len(found["findings"])}


def _blocks(context: RunContext, documents: Mapping[str, int]) -> Iterator[Block]:
    """Yield the corpus in blocks of whole languages: of so many documents at most, or one language.

    Args:
        context: the recipe at work.
        documents: of each language.
    """
    shards = table.shards(context.step_dir("ledger"))
    holds = {shard: set(pc.unique(table.read([shard], ["lang"])["lang"]).to_pylist()) for shard in shards}
    groups: list[list[str]] = []
    room = 0
    for lang in sorted(documents):
        if documents[lang] > room:
            groups.append([])
            room = AT_ONCE
        groups[-1].append(lang)
        room -= documents[lang]
    for langs in groups:
        mine = [shard for shard in shards if not holds[shard].isdisjoint(langs)]

        def of(step: str, columns: list[str], mine: Sequence[Path] = mine) -> pa.Table:
            return table.read([context.step_dir(step) / shard.name for shard in mine], columns)

        ledger = of("ledger", ["lang", "source", "bytes", "chars", "kept", "rule", "quality"])
        wanted = pc.is_in(ledger["lang"], pa.array(langs))
        identified = of("signals/identify", ["label", "score", "agrees"]).filter(wanted)
        broken = of("signals/heuristics", ["broken_share"]).filter(wanted)["broken_share"].to_numpy()
        domains = of("signals/urls", ["domain"]).filter(wanted)["domain"] if context.has("signals/urls") else None
        yield Block(ledger.filter(wanted), identified, np.nan_to_num(broken).astype(float), domains)


def _guessed(context: RunContext) -> list[str]:
    return [one.name for one in context.recipe.corpus.sources if one.language == IDENTIFY]


def _lines(context: RunContext, langs: Iterable[str]) -> dict[str, float]:
    from glotmix.quality.rater import Rater
    from glotmix.quality.steps import APPLIED

    folder: Path = context.step_dir("signals/quality") / APPLIED
    if context.instructs or not context.has("signals/quality") or not folder.is_dir():
        return {}
    chance = Rater.read(folder).probability
    return {} if chance is None else {lang: chance.line(lang, context.recipe.select.lose) for lang in langs}


def _unmeasured(context: RunContext) -> list[str]:
    recipe = context.recipe
    found = []
    if context.instructs:
        if not recipe.instruct.scored:
            found.append("how good the answers are: no model rates them | instruct.pairs or instruct.model")
    elif recipe.quality is None:
        found.append("how good the text is: the recipe has no rater | quality: {}")
    if not recipe.signals.contamination.sets:
        found.append("whether the text holds evaluation items: no set was given | signals.contamination.sets")
    return found


STEPS = StepSpec(
    name="verdict",
    code=("glotmix.report.verdict",),
    make=_make,
    needs=lambda context: (*context.corpus_steps, *context.signals, "ledger"),
    config=lambda context: {
        "select": context.recipe.select.model_dump(mode="json", include={"lose", "retain", "within"}),
        "guessed": _guessed(context),
    },
    reported=True,
    meaning="what a careful colleague would say first, with the evidence",
    place=95,
)
