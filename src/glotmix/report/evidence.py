"""What other rooms measured, read from the files that they leave: mixture, audit, quarantine, agreement and repeats."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glotmix.core import json_text, table
from glotmix.mix import cells
from glotmix.report.excerpt import visible

SHARES = 40
"""Languages whose shares are drawn, the largest; all stand in the table."""

SAMPLES = 3
"""Quarantined rows that are shown for each reason."""

LINES = 20
"""Repeated lines, and passages of evaluation items, that are shown."""

EXCERPT = 200
"""Characters of a repeated line that are shown."""


def mixture(path: Path | None) -> dict[str, Any] | None:
    """Read ``mixture.json``; the languages by falling share, and of cells each language with its own beside it."""
    if path is None:
        return None
    told = json_text.loads(path.read_text("utf-8"))
    rows = sorted(told["languages"], key=lambda r: (-r["share"], r["lang"]))
    within = cells.within({row["lang"]: row["share"] for row in rows})
    return {
        "method": told["method"],
        "tokens": told["tokens"],
        "rows": rows,
        "by_language": [
            row | {"cells": within[row["lang"]]}
            for row in sorted(told.get("by_language", ()), key=lambda r: (-r["share"], r["lang"]))
        ],
        "baselines": list(told["baselines"]),
        "others": {name: {r["lang"]: r for r in shares} for name, shares in told["baselines"].items()},
        "breaks": told["breaks"],
        "warnings": told["warnings"],
        "predictions": told["predictions"],
        "gains": told["gains"],
        "evidence": told.get("evidence"),
        "phases": told.get("phases"),
        "intervals": any(r["low"] is not None for r in rows),
    }


def mixture_points(told: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of `plots.intervals` for a mixture beside its baselines."""
    largest = sorted(told["rows"], key=lambda r: (-r["share"], r["lang"]))[:SHARES]
    drawn = {r["lang"] for r in largest}
    order = [names.get(r["lang"], r["lang"]) for r in told["rows"] if r["lang"] in drawn]
    # Uniform shares are a line by construction, and a rule beside itself says nothing: the table has all baselines.
    beside = [b for b in told["baselines"] if b == "natural" or (told["intervals"] and b == "unimax")]
    series = ["this mixture", *beside]
    shown = {"this mixture": told["rows"]} | {b: told["others"][b].values() for b in beside}
    points = [
        {
            "name": names.get(r["lang"], r["lang"]),
            "series": name,
            "value": r["share"],
            "low": r["low"],
            "high": r["high"],
            "note": "no epochs: no text" if r["epochs"] is None else f"{r['epochs']:.2f} epochs",
        }
        for name, rows in shown.items()
        for r in rows
        if r["lang"] in drawn
    ]
    return {
        "rows": points,
        "order": order,
        "series": series,
        "title": f"share of training {told.get('unit', 'tokens')}",
        "form": ".1%",
    }


def audit(path: Path | None) -> dict[str, Any] | None:
    """Read ``audit.json``; the languages by falling AUC, those that could not be measured last."""
    if path is None:
        return None
    return ordered(json_text.loads(path.read_text("utf-8")))


def ordered(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return an audit with its languages by falling AUC, those that could not be measured last."""
    languages = sorted(told["languages"], key=lambda j: (j["auc"] is None, -_value(j), j["lang"]))
    return {**told, "languages": languages}


def _value(judged: Mapping[str, Any]) -> float:
    return 0.0 if judged["auc"] is None else float(judged["auc"]["value"])


def audit_points(told: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of `plots.intervals` for the languages that could be measured."""
    measured = [j for j in told["languages"] if j["auc"] is not None]
    series = {"rater": "auc", "not normalised": "raw", "length alone": "length"}
    points = []
    for judged in measured:
        for name, key in series.items():
            found = judged[key] if isinstance(judged[key], dict) else {"value": judged[key], "low": None, "high": None}
            note = f"{judged['good']:,} good, {judged['bad']:,} bad"
            points.append({"name": names[judged["lang"]], "series": name, "note": note, **found})
    return {
        "rows": points,
        "order": [names[j["lang"]] for j in measured],
        "series": list(series),
        "title": "AUC",
        "form": ".2f",
        "reference": 0.5,
    }


def quarantine(folder: Path | None) -> dict[str, Any] | None:
    """Count the rows of ``<source>.jsonl`` by source and reason, and pick the first few of each reason."""
    if folder is None:
        return None
    counts: Counter[tuple[str, str]] = Counter()
    samples: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.rglob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                entry = json_text.loads(line)
                counts[path.stem, entry["reason"]] += 1
                chosen = samples.setdefault(entry["reason"], [])
                if len(chosen) < SAMPLES:
                    chosen.append(entry)
    return {
        "total": counts.total(),
        "each": SAMPLES,
        "rows": [
            {"source": source, "reason": reason, "rows": rows}
            for (source, reason), rows in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        ],
        "samples": [
            {
                "file": visible(e["file"]),
                "line": e.get("line", e.get("row")),
                "reason": e["reason"] + (f": {e['detail']}" if e.get("detail") else ""),
                "text": visible(e.get("start") or ""),
            }
            for reason in sorted(samples)
            for e in samples[reason]
        ],
    }


def agreement(folder: Path | None) -> dict[str, Any] | None:
    """Read ``overlap.parquet`` and ``levels.parquet``, over all languages.

    Returns:
        ``shared``: (source, other) → ``documents, bytes, of_documents, of_bytes``; ``levels``: for each number of
        independent sources ``documents, clusters, bytes`` that a rule of at least so many would leave; None where no
        folder is given.
    """
    if folder is None:
        return None
    shared: dict[tuple[str, str], Counter[str]] = {}
    whole: dict[str, Counter[str]] = {}
    for row in table.read([folder / "overlap.parquet"]).to_pylist():
        numbers = {k: row[k] for k in ("documents", "bytes")}
        shared.setdefault((row["source"], row["other"]), Counter()).update(numbers)
        if row["source"] == row["other"]:
            # In every language, also where a pair shares nothing and has no row.
            whole.setdefault(row["source"], Counter()).update({k: row[k] for k in ("of_documents", "of_bytes")})
    for (source, _), found in shared.items():
        found.update(whole[source])
    rows = table.read([folder / "levels.parquet"]).to_pylist()
    levels = [
        {"sources": k, **{name: sum(r[name] for r in rows if r["sources"] >= k) for name in ("documents", "clusters")}}
        | {"bytes": sum(r["cluster_bytes"] for r in rows if r["sources"] >= k)}
        for k in sorted({r["sources"] for r in rows})
    ]
    return {"shared": shared, "levels": levels}


def boilerplate(folder: Path | None) -> dict[str, Any] | None:
    """Read ``lines.parquet``: the lines that a source's documents repeat, most bytes first."""
    if folder is None:
        return None
    rows = table.read([folder / "lines.parquet"]).to_pylist()
    rows.sort(key=lambda r: (-r["bytes"], r["source"], r["line"]))
    for row in rows:
        row["line"] = visible(row["line"][:EXCERPT])
    return {"lines": len(rows), "bytes": sum(r["bytes"] for r in rows), "rows": rows[:LINES]}


def contamination(folder: Path | None) -> dict[str, Any] | None:
    """Read ``items.parquet`` and the matches: evaluation items by set, and passages of documents that hold one."""
    if folder is None:
        return None
    sets: dict[str, Counter[str]] = {}
    for row in table.read([folder / "items.parquet"]).to_pylist():
        held = bool(row["documents"])
        sets.setdefault(row["set"], Counter()).update(items=1, searched=int(row["searched"]), held=int(held))
    found = table.read(sorted((folder / "matches").glob("*.parquet"))).to_pylist()
    found.sort(key=lambda r: (-r["share"], r["set"], r["item"], r["id"]))
    return {
        "sets": [{"name": name, **counts} for name, counts in sorted(sets.items())],
        "matches": [row | {"excerpt": visible(row["excerpt"])} for row in found[:LINES]],
        "total": len(found),
    }
