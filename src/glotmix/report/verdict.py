"""What a careful colleague would say of a run: which languages are fit, what to look at first, what was lost where.

Every sentence is a finding with its numbers and what to type. Findings stand in the order of harm: the text that they
are about, times how bad their kind is. What was not measured is said too, and is never a pass.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core import language, table
from glotmix.core.context import RunContext
from glotmix.core.record import JSON, Counts, Output, read
from glotmix.core.step import StepSpec
from glotmix.report import sources
from glotmix.report.sources import Cell
from glotmix.select import enough

VERSION = 4
FILE = "verdict.json"

WRONG, REPEATED, BROKEN, JUNK = enough.WATCHED, 0.5, enough.WATCHED, 0.4
"""Shares of a language's documents from which it needs a look: read as another language; dropped as duplicates; broken
characters; called unnatural by the rater."""
FIT, LOOK, FEW = "fit", "look", "few"
"""What a language may be: fit to train on as far as was measured, one to look at, of too few documents to judge."""

_HARM: Mapping[str, float] = {
    "misspelt": 4.0, "language": 3.0, "broken": 3.0, "junk": 2.0, "quarter": 2.0, "loses": 2.0, "repeated": 1.0,
    "lost": 4.0, "source": 0.7, "length": 0.5, "domain": 0.5, "form": 0.3, "few": 0.3,
    "unknown": 0.3, "unmeasured": 0.1,
}  # fmt: skip
_OF_SOURCES = frozenset({"loses", "quarter", "source", "length", "domain", "form"})
_FAIR = {"share": "select.within=source", "budget": "select.retain=lose", "tokens": "select.retain=lose"}
"""How documents are kept that compete with one another → what to type so that sources do not."""
_REFUTES = frozenset({"language", "broken", "junk", "lost", "quarter", "loses"})
"""Kinds that make a language one to look at."""


@dataclass(frozen=True)
class Finding:
    """One thing to say.

    Args:
        kind: see `_HARM`.
        langs: the languages that it is about; empty for the whole corpus.
        text: the sentence, with its numbers.
        do: the command or setting that shows or mends it.
        share: of the corpus's bytes that it is about, 0 to 1.
    """

    kind: str
    langs: tuple[str, ...]
    text: str
    do: str
    share: float

    @property
    def harm(self) -> float:
        """Its place in the order."""
        return _HARM[self.kind] * self.share


def verdict(
    ledger: pa.Table,
    identified: pa.Table,
    broken: NDArray[np.float64],
    notes: Mapping[str, Mapping[str, JSON]],
    lines: Mapping[str, float],
    unmeasured: Sequence[str],
    domains: pa.ChunkedArray | None = None,
    fair: str | None = None,
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

    Returns:
        ``first`` (the sentence to read), ``languages`` (lang, state, why, documents), ``findings``, ``sources``,
        ``domains``.
    """
    total = max(int(pc.sum(ledger["bytes"]).as_py() or 0), 1)
    cells = sources.cells(ledger)
    found = _of_reading(notes.get("corpus", {}))
    found += _of_languages(ledger, identified, broken, notes.get("signals/identify", {}), lines, cells, total)
    found += _scarce(cells, total)
    by_domain, crowds = ([], []) if domains is None else sources.domains(ledger.append_column("domain", domains))
    found += [
        Finding(one.kind, (one.lang,), one.text, one.fix, one.bytes / total)
        for one in [*sources.warned(cells, ledger, fair), *crowds]
    ]
    found += [Finding("unmeasured", (), f"not measured: {text}", do, 0.01) for text, do in _split(unmeasured)]
    found.sort(key=lambda one: (-one.harm, one.kind, one.langs))
    langs = sorted({cell.lang for cell in cells})
    bad = {lang: [f.text for f in found if lang in f.langs and f.kind in _REFUTES] for lang in langs}
    read = {lang: sum(cell.read for cell in cells if cell.lang == lang) for lang in langs}
    states = [_state(lang, bad[lang], read[lang]) for lang in langs]
    return {
        "first": _first(found, states),
        "languages": states,
        "findings": [asdict(one) | {"langs": list(one.langs), "harm": round(one.harm, 4)} for one in found],
        "sources": [cell.as_json() for cell in cells],
        "domains": [{("domain" if k == "source" else k): v for k, v in cell.as_json().items()} for cell in by_domain],
    }


def _split(unmeasured: Sequence[str]) -> list[tuple[str, str]]:
    return [(text, do) for text, _, do in (one.partition(" | ") for one in unmeasured)]


def _state(lang: str, bad: Sequence[str], documents: int) -> dict[str, Any]:
    few = enough.too_few(documents)
    state = LOOK if bad else FIT if few is None else FEW
    why = list(bad[:3]) if bad or few is None else [few]
    return {"lang": lang, "state": state, "why": why, "documents": documents}


def _first(found: Sequence[Finding], states: Sequence[Mapping[str, Any]]) -> str:
    fit, few = (sum(one["state"] == state for one in states) for state in (FIT, FEW))
    told = f"{fit} of {len(states)} languages are fit to train on as far as was measured"
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
    found: list[Finding] = []
    for lang in sorted(set(langs)):
        mine = langs == lang
        n, share = int(mine.sum()), float(size[mine].sum()) / total
        look = f"glotmix report, the documents of {lang}"
        other = np.array([label is not None and not _same(label, lang) for label in np.asarray(labels, object)[mine]])
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
                    "glotmix why ID, or declare it in the source",
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
                found.append(Finding("junk", (lang,), text, look, share * float(junk.mean())))
        again = np.array([rule.startswith("duplicates.") for rule in rules[mine]])
        if enough.above(int(again.sum()), n, REPEATED):
            where = _where(cells, lang, ledger, mine, again)
            text = f"{again.mean():.0%} of {n:,} documents of {lang} repeat another{where}"
            found.append(
                Finding(
                    "repeated", (lang,), text, "glotmix duplicates, or drop the source", share * float(again.mean())
                )
            )
        if not kept[mine].any():
            found.append(Finding("lost", (lang,), f"no document of {lang} is kept", look, share))
        if lang in known and not known[lang]["known"]:
            others = ", ".join(known[lang]["others"]) or "nothing"
            text = f"not measured: the identifier does not know {lang}; its documents read as {others}"
            found.append(Finding("unknown", (lang,), text, "signals.identify.model=PATH of a fastText model", share))
    return found


def _scarce(cells: Sequence[Cell], total: int) -> list[Finding]:
    """Return which languages have too few documents to judge, and of which others few are kept."""
    rows = {lang: [cell for cell in cells if cell.lang == lang] for lang in sorted({cell.lang for cell in cells})}
    read = {lang: sum(cell.read for cell in own) for lang, own in rows.items()}
    kept = {lang: sum(cell.kept for cell in own) for lang, own in rows.items()}
    few = {lang: n for lang, n in read.items() if n < enough.ENOUGH and kept[lang]}
    thin = {lang: n for lang, n in kept.items() if 0 < n < enough.ENOUGH <= read[lang]}
    found = []
    for what, counts in (
        (f"too few documents to judge (fewer than {enough.ENOUGH})", few),
        (f"fewer than {enough.ENOUGH} documents are kept, little to train on", thin),
    ):
        if counts:
            told = ", ".join(f"{lang} {n}" for lang, n in list(counts.items())[:6])
            more = f" and {len(counts) - 6} more" if len(counts) > 6 else ""
            share = sum(cell.bytes for lang in counts for cell in rows[lang]) / total
            do = "add sources, or fewer epochs (mix.max_epochs)"
            found.append(Finding("few", tuple(counts), f"{what}: {told}{more}", do, share))
    return found


def _same(label: str, lang: str) -> bool:
    return label[:3] == lang[:3] or language.parse(label).iso == language.parse(lang).iso


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
    fair = _FAIR.get(context.recipe.select.retain)
    found = verdict(ledger, identified, broken, notes, _lines(context, ledger), _unmeasured(context), domains, fair)
    (output.path / FILE).write_text(json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False), "utf-8")
    told = [
        one for one in found["findings"] if one["kind"] in ("loses", "quarter", "source", "length", "domain", "form")
    ]
    output.notes["warnings"] = [f"{one['text']} ({one['do']})" for one in told[:5]]
    return {"documents": ledger.num_rows, "findings": len(found["findings"])}


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
    if recipe.quality is None:
        found.append("how good the text is: the recipe has no rater | quality: {}")
    if not recipe.signals.contamination.sets:
        found.append("whether the text holds evaluation items: no set was given | signals.contamination.sets")
    return found


STEPS = StepSpec(
    name="verdict",
    code=("glotmix.report.verdict",),
    make=_make,
    needs=lambda context: (*context.corpus_steps, *context.signals, "ledger"),
    config=lambda context: {"lose": context.recipe.select.lose, "retain": context.recipe.select.retain},
    reported=True,
    meaning="what a careful colleague would say first, with the evidence",
    place=95,
)
