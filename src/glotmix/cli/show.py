"""What the commands print on a terminal: tables of a plan, a run, a document's story, a language's settings."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from glotmix.cli import reasons, terminal
from glotmix.core import warning
from glotmix.core.settings import DEFAULT


def show_plan(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print what a run would do: each step, its state, and why."""
    table = Table(box=None, pad_edge=False)
    for name in ("step", "what happens", "documents", "why"):
        table.add_column(name, overflow="fold")
    words = {"reused": "reused", "new": "made", "resumed": "taken up again"}
    for row in rows:
        count = "" if row["documents"] is None else f"{row['documents']:,}"
        why = "\n".join(
            row["changes"] if row["state"] == "damaged" else reasons.told(row["changes"], {r["step"] for r in rows})
        )
        table.add_row(row["step"], words.get(row["state"], "made again"), count, why)
    terminal.console().print(table)


def show_summary(result: Mapping[str, Any]) -> None:
    """Print the verdict and the languages of a run, and where its files are."""
    said = _show_verdict(result["verdict"]) if result.get("verdict") else frozenset()
    if result["languages"]:
        table = Table(box=None, pad_edge=False)
        table.add_column("language")
        # Only shares that proxies led to have a range within which they are as good.
        measured = any(row["low"] is not None for row in result["languages"])
        for name in ("read", "kept", "kept %", "MB kept", "share", *(["as good"] if measured else []), "epochs"):
            table.add_column(name, justify="right")
        if cut := any(row.get("cells") for row in result["languages"]):
            table.add_column("cells")
        for row in result["languages"]:
            share = "" if row["share"] is None else f"{row['share']:.2%}"
            epochs = "" if row["epochs"] is None else f"{row['epochs']:.2f}"
            kept = f"{row['kept'] / row['read']:.0%}" if row["read"] else ""
            interval = "" if row["low"] is None else f"{100 * row['low']:.2f}–{100 * row['high']:.2f}"
            cells = [f"{row['read']:,}", f"{row['kept']:,}", kept, f"{row['bytes'] / 1e6:.2f}", share]
            parts = ", ".join(f"{name} {part:.0%}" for name, part in (row.get("cells") or {}).items())
            table.add_row(row["lang"], *cells, *([interval] if measured else []), epochs, *([parts] if cut else []))
        terminal.console().print(table)
    if result["mixture"]:
        terminal.console().print(Text(result["mixture"], style="bold"))
    for sentence in result["combinations"]:
        terminal.console().print(Text(sentence, style="bold"))
    if result["parallel"] and result["parallel"]["sets"]:
        _show_parallel(result["parallel"], result["folder"])
    for text in result["warnings"]:
        if text not in said and warning.name(text) not in said:
            terminal.warn(text)
    if lost := sum(result["quarantined"].values()):
        where = _near(str(Path(result["folder"]) / "corpus" / "quarantine"))
        rows = "row was" if lost == 1 else "rows were"
        terminal.console().print(f"{lost:,} {rows} not read: {where} says which and why", soft_wrap=True)
    for what, where in result["files"].items():
        terminal.console().print(f"{what}: {_near(where)}", soft_wrap=True)
    if result["stale"]:
        told = f"of an earlier state of the recipe: {', '.join(result['stale'])}; glotmix run makes them anew"
        terminal.console().print(told, soft_wrap=True)
    if result["languages"]:
        command = shlex.join(["glotmix", "explore", _near(result["folder"])])
        terminal.console().print(f"look closer: {command}", soft_wrap=True)
    if result["estimate"]:
        expected, took = (sum(row[name] for row in result["estimate"]) for name in ("expected", "took"))
        told = f"estimated: {expected:,.1f} CPU-seconds, it took {took:,.1f} ({expected / took:.0%})"
        terminal.console().print(told)


SETS = 12
"""Sets of parallel text in the table, the largest first; the rest are counted."""


def _show_parallel(found: Mapping[str, Any], folder: str) -> None:
    """Print what was found of parallel text and what is kept, set by set, and how sure mined pairs are."""
    from glotmix.align.told import said

    console = terminal.console()
    grid = Table(box=None, pad_edge=False)
    grid.add_column("parallel text")
    for name in ("found", "kept"):
        grid.add_column(name, justify="right")
    grid.add_column("versions dropped for")
    sets = sorted(found["sets"], key=lambda one: (-one["units"], one["name"]))
    for one in sets[:SETS]:
        why = ", ".join(f"{reason} {n:,}" for reason, n in list(one["reasons"].items())[:3])
        grid.add_row(one["name"], f"{one['units']:,}", f"{one['kept']:,}", why)
    console.print(grid)
    if len(sets) > SETS:
        kept = sum(one["kept"] for one in sets[SETS:])
        console.print(f"and {len(sets) - SETS:,} more, of which {kept:,} are kept")
    if found["mined"] and found["mined"]["pairs"]:
        console.print(said(found["mined"]), soft_wrap=True)
    if lost := found["quarantined"]:
        rows = "row was" if lost == 1 else "rows were"
        where = _near(str(Path(folder) / "align" / "parallel" / "quarantine"))
        console.print(f"{lost:,} {rows} of parallel text not read: {where} says which and why", soft_wrap=True)


def _near(path: str) -> str:
    """Return a path as it is shortest to type from here."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def show_estimate(result: Mapping[str, Any]) -> None:
    """Print what a recipe will take: each step, and all of it."""
    table = terminal.table("step", "CPU", "from", "to", "disk")
    for row in [*result["steps"], result["total"] | {"step": "all"}]:
        table.add_row(row["step"], *(_time(row[n]) for n in ("cpu", "low", "high")), _bytes(row["disk"]))
    terminal.console().print(table)
    told = f"{result['documents']:,} documents, from a sample of {result['sampled']:,}"
    where = f"{result['machines']} × {result['cores']} cores"
    terminal.console().print(
        f"{told}: {_time(result['seconds'])} on {where}, {_bytes(result['memory'])} of memory each"
    )


def _time(seconds: float) -> str:
    """Write a time in the largest unit that leaves more than one of it."""
    for size, unit in ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.1f} s"


def _bytes(size: float) -> str:
    for unit, factor in (("TB", 1e12), ("GB", 1e9)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size / 1e6:,.1f} MB"


def _show_verdict(verdict: Mapping[str, Any]) -> frozenset[str]:
    """Print what a careful colleague would say first, then what to look at, then the table language × source.

    Returns:
        the warnings that were told as findings; where a finding says in other words what a step warns of, its name.
    """
    console = terminal.console()
    console.print(Text(verdict["first"], style="bold"))
    for one in verdict["findings"][:8]:
        called = warning.name(one["text"])
        console.print(Text(f"  - {one['text']}: {one['do']}" + ("" if called is None else f" [{called}]")))
    if (more := len(verdict["findings"]) - 8) > 0:
        console.print(Text(f"  and {more} more: verdict/verdict.json, or the report"))
    rows = [one for one in verdict["sources"] if one["read"]]
    if len({row["source"] for row in rows}) > 1:
        console.print(Text("language × source, the twelve of which least is kept (all: verdict/verdict.json)"))
        console.print(_cells("source", sorted(rows, key=lambda row: row["kept"] / row["read"])[:12]))
    if verdict.get("domains"):
        console.print(Text("language × domain, the eight with most documents (more: verdict/verdict.json)"))
        console.print(_cells("domain", verdict["domains"][:8]))
    shown = verdict["findings"][:8]
    names = {str(warning.name(one["text"])) for one in shown if one["kind"] == "unknown"}
    return frozenset(f"{one['text']} ({one['do']})" for one in shown) | names


def _cells(of: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the table of languages by source or by domain."""
    table = Table(box=None, pad_edge=False)
    cells = []
    for row in rows:
        score = "" if row["score"] is None else f"{row['score']:.2f}"
        sizes = f"{row['bytes'] / 1e6:.2f}", f"{row['bytes_kept'] / 1e6:.2f}"
        most = next((f"{rule.removeprefix('heuristics.')} ({n:,})" for rule, n in row["rules"].items()), "")
        cells.append((row["lang"], row[of], f"{row['read']:,}", f"{row['kept']:,}", *sizes, score, most))
    for at, name in enumerate(("language", of, "read", "kept", "MB", "MB kept", "score")):
        # What is too wide is cut at the rule: languages and sources are what is looked for.
        width = max(len(name), *(min(len(one[at]), 24) for one in cells))
        table.add_column(name, justify="left" if at < 2 else "right", no_wrap=True, min_width=width)
    table.add_column("dropped most by", no_wrap=True, overflow="ellipsis")
    for one in cells:
        table.add_row(*one)
    return table


def show_changes(result: Mapping[str, Any]) -> None:
    """Print what differs between two decisions over one corpus."""
    console = terminal.console()
    for what in ("kept", "bytes"):
        before, after = result[what]["one"], result[what]["other"]
        name = "documents kept" if what == "kept" else "bytes kept"
        console.print(Text(f"{name}: {before:,} → {after:,} ({after - before:+,})", style="bold"))
    if not result["moved"]:
        console.print(Text("no document moves"))
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("language")
    table.add_column("source")
    for name in ("come back", "bytes", "go", "bytes"):
        table.add_column(name, justify="right")
    for row in result["moved"]:
        cells = [f"{row[name]:,}" for name in ("back", "back_bytes", "gone", "gone_bytes")]
        table.add_row(row["lang"], row["source"], *cells)
    console.print(table)
    for side, said in (("back", "would come back"), ("gone", "would go")):
        for one in result["examples"][side]:
            console.print(Text(f"{said}: {one['id']} ({one['lang']}, {one['source']}): {one['evidence']}"))


def show_losses(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print what each source would lose by each kind of duplicate alone, in documents and share of bytes."""
    meant = {"lines": "lines", "exact": "same text", "near": "near", "passages": "passages", "meaning": "meaning"}
    grid = Table(
        title="what each kind of duplicate alone would take: documents, share of bytes",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    grid.add_column("source")
    for name in ("documents", *meant.values()):
        grid.add_column(name, justify="right")
    for row in rows:
        cells = [
            "not looked for"
            if row[kind] is None
            else f"{row[kind]['documents']:,}  {row[kind]['bytes'] / max(row['bytes'], 1):.1%}"
            for kind in meant
        ]
        grid.add_row(row["source"], f"{row['documents']:,}", *cells)
    terminal.console().print(grid)


def show_story(story: Mapping[str, Any]) -> None:
    """Print the story of one document."""
    console = terminal.console()
    head = "kept" if story["kept"] else f"dropped by {story['rule']}"
    console.print(Text(f"{story['id']}  {story['lang']}  from {story['source']}: {head}", style="bold"))
    if story["evidence"]:
        console.print(Text(f"  because: {story['evidence']}"))
    if story["duplicate_of"]:
        console.print(Text(f"  in favour of: {story['duplicate_of']}"))
    if story["twins"]:
        console.print(Text(f"  of its duplicate cluster: {', '.join(story['twins'])}"))
    others = [rule for rule in story["failed"] if rule != story["rule"]]
    if others:
        console.print(Text(f"  it also fails: {', '.join(others)}"))
    for signal, values in story["signals"].items():
        table = Table(title=signal, title_justify="left", box=None, pad_edge=False, show_header=False)
        table.add_column()
        table.add_column()
        for key, value in values.items():
            if key == "content":  # a hash
                continue
            table.add_row(f"  {key}", f"{value:.4g}" if isinstance(value, float) else str(value))
        console.print(table)
    console.print(Text(story["text"][:600] + ("…" if len(story["text"]) > 600 else "")))


_JUDGED = 140
"""Columns of a screen on which what a setting finds of judged text stands in its line."""


def show_settings(language: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print every resolved setting of a language with its origin, a line each, also where a line has 80 characters."""
    console = terminal.console()
    judged = console.width >= _JUDGED
    table = Table(title=f"settings of {language}", title_justify="left", box=None, pad_edge=False)
    for name in ("setting", "value", "from", "of judged text it finds")[: 4 if judged else 3]:
        table.add_column(name, overflow="fold", no_wrap=name == "setting")
    for row in rows:
        value, origin = row["value"], str(row["origin"])
        shown = f"quantile {value['quantile']:g}" if isinstance(value, Mapping) else str(value)
        found = row.get("judged") if judged and value is not None else None
        table.add_row(str(row["key"]), shown, "default" if origin == DEFAULT else origin, *[found or ""] * judged)
    console.print(table)
    if not judged:
        console.print(f"a screen of {_JUDGED} columns, or --json, has what each finds of judged text too")


def show_curve(result: Mapping[str, Any]) -> None:
    """Print the chance of becoming candidates by similarity, as a table with bars."""
    bands, rows, shingle = (result[name] for name in ("bands", "rows", "shingle"))
    console = terminal.console()
    console.print(f"{bands} bands × {rows} rows = {bands * rows} minima, shingles of {shingle} letters")
    table = Table(box=None, pad_edge=False)
    table.add_column("Jaccard similarity", justify="right")
    table.add_column("chance to be found", justify="right")
    table.add_column("")
    for similarity, chance in result["chance"].items():
        table.add_row(similarity, f"{chance:.2%}", "█" * round(40 * chance))
    console.print(table)
    checked = {
        "off": "is not checked",
        "estimated": f"counts if its estimated similarity is {result['threshold']:g} and more "
        f"(standard error {result['standard_error']:.3f})",
        "exact": f"counts if its exact similarity is {result['threshold']:g} and more",
    }
    console.print(f"one half at {result['even']:.3f}; what is found {checked[result['verify']]}")
