"""What a careful colleague would say of a run: which languages are fit, what to look at first, what was lost where.

Every sentence is a finding with its numbers and what to type. Findings stand in the order of harm: the text that they
are about, times how bad their kind is. What was not measured is said too, and is never a pass.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
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
from glotmix.report.findings import Finding
from glotmix.report.sources import Cell
from glotmix.select import enough
from glotmix.signals import confusions

VERSION = 7
FILE = "verdict.json"

WRONG, REPEATED, BROKEN, JUNK = enough.WATCHED, 0.5, enough.WATCHED, 0.4
"""Shares of a language's documents from which it needs a look: read as another language; dropped as duplicates; broken
characters; called unnatural by the rater."""
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


def verdict(
    ledger: pa.Table,
    identified: pa.Table,
    broken: NDArray[np.float64],
    notes: Mapping[str, Mapping[str, JSON]],
    lines: Mapping[str, float],
    unmeasured: Sequence[str],
    domains: pa.ChunkedArray | None = None,
    fair: str | None = None,
    lose: bool = True,
    guessed: Collection[str] = (),
) -> dict[str, Any]:
    """Return the verdict as plain data.

    Args:
        ledger: rows of all documents.
        identified: ``label, score, agrees`` of the same.
        broken: (n,) share of broken characters.
        notes: step → the notes of its record: of ``corpus`` and ``signals/identify``.
        lines: language → the score below which the rater calls a document unnatural; empty where nothing is rated.
        unmeasured: what was not measured, in words with what to type.
        domains: (n,) of the documents' addresses, null for none; None where they were not looked at.
        fair: see `sources.warned`.
        lose: likewise.
        guessed: the sources whose languages the identifier told.

    Returns:
        ``first`` (the sentence to read), ``languages`` (lang, state, why, documents), ``findings``, ``sources``,
        ``domains``.
    """
    total = max(int(pc.sum(ledger["bytes"]).as_py() or 0), 1)
    cells = sources.cells(ledger)
    found = _of_reading(notes.get("corpus", {}))
    found += _of_languages(ledger, identified, broken, notes.get("signals/identify", {}), lines, cells, total)
    found += scarce.scarce(cells, guessed, total)
    by_domain, crowds = ([], []) if domains is None else sources.domains(ledger.append_column("domain", domains))
    warned = [*sources.warned(cells, ledger, fair, lose), *crowds]
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


def _of_languages(
    ledger: pa.Table, identified: pa.Table, broken: NDArray[np.float64], notes: Mapping[str, JSON],
    lines: Mapping[str, float], cells: Sequence[Cell], total: int,
) -> list[Finding]:  # fmt: skip
    """Return what is wrong with a language's documents."""
    langs = np.asarray(ledger["lang"].to_pylist(), object)
    size = ledger["bytes"].to_numpy().astype(float)
    rules = np.asarray([rule or "" for rule in ledger["rule"].to_pylist()], object)
    kept = ledger["kept"].to_numpy(zero_copy_only=False)
    score = ledger["quality"].to_numpy(zero_copy_only=False).astype(float)
    labels = identified["label"].to_pylist()
    sure = np.nan_to_num(identified["score"].to_numpy(zero_copy_only=False).astype(float)) >= 0.8
    agrees = identified["agrees"].to_pylist()
    against = np.array([a is False for a in agrees]) & sure
    known: Any = notes.get("languages", {})
    unknown: list[tuple[str, str, float]] = []
    found: list[Finding] = []
    for lang in sorted(set(langs)):
        mine = langs == lang
        n, share = int(mine.sum()), float(size[mine].sum()) / total
        # Languages that nobody can tell apart are no wrong ones.
        told = {label: confusions.apart(lang, label) for label in {*np.asarray(labels, object)[mine]} - {None}}
        other = np.array([told.get(label, False) for label in np.asarray(labels, object)[mine]], bool)
        wrong = against[mine] & other
        if enough.above(int(wrong.sum()), n, WRONG):
            names, counts = np.unique(np.asarray(labels, object)[mine][wrong].astype(str), return_counts=True)
            text = (
                f"{wrong.mean():.0%} of {n:,} documents declared {lang} read as another language, most as "
                f"{names[counts.argmax()]}{_where(cells, lang, ledger, mine, wrong)}"
            )
            found.append(
                Finding(
                    "language",
                    (lang,),
                    text,
                    "glotmix why RECIPE ID, or correct the source's language",
                    share * float(wrong.mean()),
                )
            )
        bad = broken[mine] > 0.002
        if enough.above(int(bad.sum()), n, BROKEN):
            where = _where(cells, lang, ledger, mine, bad)
            text = f"{bad.mean():.0%} of {n:,} documents of {lang} hold broken characters{where}"
            found.append(
                Finding(
                    "broken", (lang,), text, "mend the source's encoding (options.encoding)", share * float(bad.mean())
                )
            )
        if lang in lines:
            junk = score[mine] < lines[lang]
            if enough.above(int(junk.sum()), n, JUNK):
                text = (
                    f"the rater calls {junk.mean():.0%} of {n:,} documents of {lang} unnatural"
                    f"{_where(cells, lang, ledger, mine, junk)}"
                )
                found.append(Finding("junk", (lang,), text, sources.READ, share * float(junk.mean())))
        again = np.array([rule.startswith("duplicates.") for rule in rules[mine]])
        if enough.above(int(again.sum()), n, REPEATED):
            where = _where(cells, lang, ledger, mine, again)
            text = f"{again.mean():.0%} of {n:,} documents of {lang} repeat another{where}"
            found.append(
                Finding(
                    "repeated",
                    (lang,),
                    text,
                    "glotmix duplicates RECIPE shows what they are copies of",
                    share * float(again.mean()),
                )
            )
        if not kept[mine].any():
            (rule, count), *_ = Counter(rules[mine].tolist()).most_common()
            text = f"no document of {lang} is kept; {count:,} of {n:,} are lost to {rule}"
            found.append(Finding("lost", (lang,), text, sources.off(rule, f"language.{lang}"), share))
        if lang in known and not known[lang]["known"]:
            unknown.append((lang, ", ".join(known[lang]["others"]) or "nothing", share))
    found += scarce.unknown(unknown)
    return found


def _where(cells: Sequence[Cell], lang: str, ledger: pa.Table, mine: NDArray[np.bool_], bad: NDArray[np.bool_]) -> str:
    """Return the source that most of it comes from, where the language has several."""
    own = [cell for cell in cells if cell.lang == lang]
    if len(own) < 2:
        return ""
    names = np.asarray(ledger["source"].to_pylist(), object)[mine][bad].astype(str)
    found, counts = np.unique(names, return_counts=True)
    return f", {counts.max() / counts.sum():.0%} of them from {found[counts.argmax()]}"


def _make(context: RunContext, output: Output) -> Counts:
    columns = ["id", "lang", "source", "bytes", "chars", "kept", "rule", "quality"]
    ledger = table.read(table.shards(context.step_dir("ledger")), columns)
    identified = _signal(context, "signals/identify", ["label", "score", "agrees"])
    broken = np.nan_to_num(
        _signal(context, "signals/heuristics", ["broken_share"])["broken_share"].to_numpy(zero_copy_only=False)
    ).astype(float)
    notes = {n: one.notes for n in ("corpus", "signals/identify") if (one := read(context.step_dir(n))) is not None}
    domains = _signal(context, "signals/urls", ["domain"])["domain"] if context.has("signals/urls") else None
    select = context.recipe.select
    fair = None if select.within != "language" else _FAIR.get(select.retain)
    found = verdict(
        ledger, identified, broken, notes, _lines(context, ledger), _unmeasured(context), domains, fair,
        select.retain == "lose" and not context.instructs, _guessed(context),
    )  # fmt: skip
    (output.path / FILE).write_text(json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False), "utf-8")
    told = [one for one in found["findings"] if one["kind"] in _OF_SOURCES]
    strays = [one for one in found["findings"] if one["kind"] == "stray"]
    output.notes["warnings"] = [f"{one['text']} ({one['do']})" for one in [*told[:5], *strays]]
    return {"documents": ledger.num_rows, "findings": len(found["findings"])}


def _guessed(context: RunContext) -> list[str]:
    return [one.name for one in context.recipe.corpus.sources if one.language == IDENTIFY]


def _signal(context: RunContext, step: str, columns: list[str]) -> pa.Table:
    return table.read(sorted(context.step_dir(step).glob("part-*.parquet")), columns)


def _lines(context: RunContext, ledger: pa.Table) -> dict[str, float]:
    from glotmix.quality.rater import Rater
    from glotmix.quality.steps import APPLIED

    folder: Path = context.step_dir("signals/quality") / APPLIED
    if context.instructs or not context.has("signals/quality") or not folder.is_dir():
        return {}
    chance = Rater.read(folder).probability
    langs = pc.unique(ledger["lang"]).to_pylist()
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
