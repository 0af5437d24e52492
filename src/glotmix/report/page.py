"""The page: one HTML file that opens offline and says what came in, what was kept, what was dropped, and why.

The file holds its style, its scripts and its data, and a policy under which a browser loads nothing and runs nothing
but those very scripts, whatever a document of the web says. Its bytes depend on the inputs alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from glotmix.core import json_text, language, warning
from glotmix.core.record import JSON, Counts, Output
from glotmix.report import (
    conversations,
    evidence,
    examples,
    figures,
    mixing,
    parallel,
    plots,
    provenance,
    rater,
    ridges,
    scores,
    shell,
    verdict,
)
from glotmix.select import enough, precision

VERSION = 8

REPORT = "report.html"

_DRAWN_RULES = 24
"""Rules that are drawn; all stand in the table."""

_CONTENTS = {
    "verdict": "Verdict",
    "kept": "What was kept",
    "rules": "What each rule cost",
    "examples": "Documents to read",
    "mixture": "Mixture",
    "quality": "Can the score be believed?",
}
"""What a reader goes through; the details below it are folded."""

_DETAILS = {
    "funnel": "The funnel",
    "scores": "Scores by language",
    "language": "Language",
    "duplicates": "Duplicates",
    "repeats": "Repeated lines",
    "contamination": "Evaluation items",
    "conversations": "Conversations",
    "combinations": "Combinations",
    "parallel": "Parallel text",
    "quarantine": "Quarantine",
    "settings": "Settings",
    "provenance": "Provenance",
}

_UNIFORM = frozenset({"quantile"})
"""Columns that spread evenly by construction: a rank within a language is no finding."""

_UNMEASURED = ("unmeasured", "unknown")
"""Kinds of findings that say what was not measured."""


@dataclass(frozen=True)
class ReportInputs:
    """Everything that the page is made of. What is None is said to be absent, in the section that misses it.

    Args:
        name: the data set's name.
        recipe: the resolved recipe, as plain data.
        ledger: folder of the ledger.
        corpus: folder of the corpus: for the texts of examples.
        records: by step, in the order of the work, the fields of its `record.Record` (seconds are not shown: they
            would make two equal runs differ).
        thresholds: ``thresholds.parquet``.
        signals: by name, the folders of the signals; ``identify`` and ``duplicates`` have sections of their own, and
            every numeric column of the signals is shown as a score.
        mixture: ``mixture.json``.
        audit: ``audit.json`` of the rater.
        quarantine: folder of the quarantine.
        source_overlap: folder of the tables of what sources hold of each other.
        boilerplate: folder of the repeated lines.
        contamination: folder of the evaluation items that were found.
        verdict: ``verdict.json``.
        coverage: ``coverage.json`` of a selection of conversations.
        scoring: ``audit.json`` of the model that rates conversations.
        combinations: ``verdict.json`` of sets chosen for what they do together.
        pairs: folder of the pairs of parallel text.
        alignment: table of `glotmix align report`.
    """

    name: str
    recipe: Mapping[str, JSON]
    ledger: Path
    corpus: Path
    records: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)
    thresholds: Path | None = None
    signals: Mapping[str, Path] = field(default_factory=dict)
    mixture: Path | None = None
    audit: Path | None = None
    quarantine: Path | None = None
    source_overlap: Path | None = None
    boilerplate: Path | None = None
    contamination: Path | None = None
    verdict: Path | None = None
    coverage: Path | None = None
    scoring: Path | None = None
    combinations: Path | None = None
    pairs: Path | None = None
    alignment: Path | None = None


def make(output: Output, inputs: ReportInputs) -> Counts:
    """Write ``report.html``.

    Returns:
        ``documents`` that it reports on, ``languages``, ``plots``, ``examples`` shown.
    """
    context = _context(inputs)
    (output.path / REPORT).write_text(_render(context), "utf-8")
    return {
        "documents": context["total"].read,
        "languages": len(context["order"]),
        "plots": len(context["plots"]),
        "examples": context["shown"],
    }


def _context(inputs: ReportInputs) -> dict[str, Any]:
    """Return the values of the template, by the names that it uses."""
    ways = figures.ways(inputs.ledger)
    total = figures.funnels(ways, lambda way: "all")[0]
    by_language = figures.funnels(ways, lambda way: way.lang)
    order = [f.key for f in by_language]
    audit = evidence.audit(inputs.audit)
    labelled = [] if audit is None else [j["lang"] for j in audit["languages"]]
    known = [*labelled, *(o["lang"] for o in (audit or {}).get("offsets", ()))]
    names = shell.names([*order, *dict.fromkeys(lang for lang in known if lang not in order)])
    context: dict[str, Any] = {
        "name": inputs.name,
        "contents": _CONTENTS.items(),
        "few": figures.FEW,
        "order": order,
        "names": names,
        "read": {f.key: f.read for f in by_language},
        "total": total,
        "sources": figures.funnels(ways, lambda way: way.source),
        "stages": figures.in_order(total.dropped),
        "kept": figures.kept(ways),
        "said": None if inputs.verdict is None else json_text.loads(inputs.verdict.read_text("utf-8")),
        "enough": enough.ENOUGH,
        "called": {verdict.FIT: "fit", verdict.LOOK: "look", verdict.FEW: "too few to judge"},
        "recipe": yaml.safe_dump(dict(inputs.recipe), allow_unicode=True, sort_keys=False, width=100),
        "plots": {"funnel": plots.funnel(by_language, names)},
        "per_rule": examples.PER_RULE,
        "audit": audit,
        "selftest": provenance.notes(inputs.records, "signals/duplicates").get("self-test", []),
        "search": provenance.search(inputs.records),
        "kept_by": rater.kept_by(provenance.notes(inputs.records, "ledger"), _chosen(inputs.recipe)),
        "unlabelled": [lang for lang in order if lang not in labelled],
        **provenance.provenance(inputs.records),
    }
    context["states"] = {} if context["said"] is None else {one["lang"]: one for one in context["said"]["languages"]}
    context["funnels"] = [("By language", "language", by_language), ("By source", "source", context["sources"])]
    context |= _rules(ways, context["plots"])
    context |= _scores(inputs, order, names, context["plots"])
    context |= _signals(inputs, names, context["plots"])
    context |= _documents(inputs, order, context["duplicates"])
    context["mixture"] = mixing.read(inputs.mixture)
    if context["mixture"] is not None:
        # The same object: the template asks it for every name.
        names |= mixing.cell_names(context["mixture"], names)
        context["plots"] |= mixing.drawn(context["mixture"], names)
    if audit is not None and audit["mean"] is not None:
        context["plots"]["audit"] = plots.intervals(**evidence.audit_points(audit, names))
    context["agreement"] = evidence.agreement(inputs.source_overlap)
    context["boilerplate"] = evidence.boilerplate(inputs.boilerplate)
    context["contamination"] = evidence.contamination(inputs.contamination)
    context["quarantine"] = evidence.quarantine(inputs.quarantine)
    context["conversations"] = conversations.conversations(inputs.records, inputs.coverage, inputs.scoring)
    told = inputs.combinations
    context["combinations"] = None if told is None else json_text.loads(told.read_text("utf-8"))
    context["parallel"] = parallel.parallel(inputs.records, inputs.pairs, inputs.alignment)
    if context["parallel"] is not None and context["parallel"]["layers"] is not None:
        context["plots"]["alignment"] = context["parallel"]["layers"]["plot"]
    absent = {name for name in ("conversations", "combinations", "parallel") if context[name] is None}
    context["details"] = [each for each in _DETAILS.items() if each[0] not in absent]
    context["findings"], context["unmeasured"] = _split(context)
    # What the verdict warns of stands above, among what to look at.
    context["warnings"] = [(step, text) for step, text in context["warnings"] if step != "verdict"]
    context["figures"] = _figures(context)
    return context


def _split(context: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what to look at, and what was not measured: the second is never a pass, and is said where all see it."""
    found = [] if context["said"] is None else context["said"]["findings"]
    missing = [
        f"{one['text'].removeprefix('not measured: ')} ({one['do']})" for one in found if one["kind"] in _UNMEASURED
    ]
    if context["audit"] is not None and context["unlabelled"]:
        some = ", ".join(context["names"][lang] for lang in context["unlabelled"][:6])
        more = f" and {len(context['unlabelled']) - 6} more" if len(context["unlabelled"]) > 6 else ""
        missing.insert(
            0,
            f"how well the score works in {len(context['unlabelled'])} of {len(context['order'])} languages, "
            f"which have no labels: {some}{more} (glotmix label)",
        )
    if context["mixture"] is not None and not context["mixture"]["intervals"]:
        missing.append(
            f"how good the mixture is: {context['mixture']['method']} is a rule, no model was trained (mix.proxies)"
        )
    look = [one | {"called": warning.name(one["text"])} for one in found if one["kind"] not in _UNMEASURED]
    return look, missing


def _chosen(recipe: Mapping[str, JSON]) -> str:
    select = recipe.get("select")
    return str(select.get("score", "quantile")) if isinstance(select, dict) else "quantile"


def _rules(ways: list[figures.Way], drawn: dict[str, plots.Spec]) -> dict[str, Any]:
    rules = figures.rules(ways)
    pairs = figures.overlaps(ways)
    # Retention drops what it was told to drop: beside it, nothing else could be seen.
    judging = [r for r in rules if figures.stage(r.name) not in ("quality", "budget")]
    deciding = [r for r in judging if r.decides]
    most = sorted(deciding, key=lambda r: -r.alone)[:_DRAWN_RULES]
    if most:
        drawn["rules"] = plots.rules([r for r in judging if r in most])
    return {
        "rules": rules,
        "deciding": sorted(deciding, key=lambda r: (-r.size, r.name)),
        "costing": sorted((r for r in rules if r.decides), key=lambda r: (-r.size, r.name)),
        "brought": {r.name: _brought(r.name) for r in rules},
        "folded": [r for r in judging if not r.decides],
        "retained": [r for r in rules if r not in judging],
        "undrawn": len(deciding) - len(most),
        "pairs": pairs,
        "paired": [r for r in deciding if any(r.name in pair for pair in pairs)],
    }


def _brought(rule: str) -> str:
    """Return what a rule finds, in words: counts on judged text, where it judges the text and was measured."""
    stage = figures.stage(rule)
    if stage == "duplicates":
        return "copies: see Duplicates, and the self-test there"
    if stage in ("quality", "budget"):
        return "what the score calls unnatural: see below whether it can be believed"
    found = precision.judged(rule)
    return "not measured" if found is None else found.shown


def _scores(
    inputs: ReportInputs, order: list[str], names: Mapping[str, str], drawn: dict[str, plots.Spec]
) -> dict[str, Any]:
    lines = scores.lines_of(inputs.thresholds)
    found = [
        histogram
        for signal in sorted(inputs.signals, key=lambda s: (s != "quality", s != "heuristics", s))
        if signal not in ("duplicates", "prompts")
        for histogram in scores.histograms(inputs.ledger, signal, inputs.signals[signal], lines)
        if histogram.column not in _UNIFORM
    ]
    # Scores that decide something come first.
    found.sort(key=lambda h: (h.signal != "quality", not h.lines))
    shown = []
    for histogram in found:
        key = f"{histogram.signal}-{histogram.column}"
        measured = histogram.measured()
        drawn[key] = ridges.histogram(histogram, order, names)
        shown.append(
            {
                "key": key,
                "signal": histogram.signal,
                "column": histogram.column,
                "log": histogram.scale.log,
                "n": sum(measured.values()),
                "languages": len(measured),
                "small": len(measured) - len(ridges.drawn(histogram, order)),
                "absent": [names[lang] for lang in order if lang not in measured],
                "lines": histogram.lines,
            }
        )
    return {"scores": shown}


def _signals(inputs: ReportInputs, names: Mapping[str, str], drawn: dict[str, plots.Spec]) -> dict[str, Any]:
    context: dict[str, Any] = {"identified": None, "duplicates": None}
    if "identify" in inputs.signals:
        context["identified"] = figures.identified(inputs.ledger, inputs.signals["identify"])
        drawn["identified"] = plots.identified(context["identified"], names)
    if "duplicates" in inputs.signals:
        folder = inputs.signals["duplicates"]
        sizes = figures.cluster_sizes(folder)
        if sizes:
            drawn["clusters"] = plots.clusters(sizes)
        context["duplicates"] = {
            "sizes": sizes,
            "clusters": sum(n for _, n in sizes),
            "members": sum(size * n for size, n in sizes),
            "largest": max((size for size, _ in sizes), default=0),
            "rows": figures.clustered(inputs.ledger, folder),
        }
    return context


def _documents(inputs: ReportInputs, order: list[str], duplicates: dict[str, Any] | None) -> dict[str, Any]:
    """Draw all documents to be read, and fetch their texts at once."""
    dropped = examples.dropped(inputs.ledger)
    borderline = examples.borderline(inputs.ledger, order)
    clusters = [] if duplicates is None else examples.largest_clusters(inputs.ledger, inputs.signals["duplicates"])
    lists = [*dropped.values(), borderline, *(members for _, members in clusters)]
    known = examples.texts(inputs.corpus, (row["id"] for rows in lists for row in rows))
    if duplicates is not None:
        duplicates["largest_clusters"] = [
            examples.Cluster(**about, members=tuple(examples.example(row, known) for row in members))
            for about, members in clusters
        ]
    return {
        "examples": {rule: [examples.example(row, known) for row in rows] for rule, rows in dropped.items()},
        "borderline": [examples.example(row, known) for row in borderline],
        "shown": sum(map(len, lists)),
    }


def _figures(context: dict[str, Any]) -> list[dict[str, str]]:
    """Return the key figures at the head of the page."""
    total: figures.Funnel = context["total"]
    scripts = {language.parse(code).script for code in context["order"]}
    duplicates = sum(r.credited for r in context["rules"] if figures.stage(r.name) == "duplicates")
    shown = [
        ("documents read", shell.num(total.read), f"{shell.size(total.read_bytes)} of text"),
        ("kept", shell.num(total.kept), f"{shell.pct(total.kept / total.read)}, {shell.size(total.kept_bytes)}"),
        ("languages", shell.num(len(context["order"])), f"in {len(scripts)} scripts"),
        ("duplicates", shell.num(duplicates), f"{shell.pct(duplicates / total.read)}, dropped"),
    ]
    if context["quarantine"] is not None:
        rows = context["quarantine"]["total"]
        shown.append(("in quarantine", shell.num(rows), "rows that could not be read"))
    if context["mixture"] is not None:
        mixture = context["mixture"]
        most = max((row["epochs"] for row in mixture["rows"] if row["epochs"] is not None), default=0.0)
        shown.append(
            (
                f"training {mixture['unit']}",
                _short_number(mixture["tokens"]),
                f"{mixture['method']}, ≤ {most:.2g} epochs",
            )
        )
    return [{"what": what, "value": value, "note": note} for what, value, note in shown]


def _render(context: dict[str, Any]) -> str:
    return shell.render("template.html", context | {"stands_out": figures.stands_out})


def _short_number(value: int) -> str:
    for power, letter in ((12, "T"), (9, "B"), (6, "M"), (3, "k")):
        if value >= 10**power:
            return f"{value / 10**power:.3g} {letter}"
    return str(value)
