"""What `glotmix raters` prints on a terminal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from glotmix.cli import terminal


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _figure(found: Mapping[str, Any] | None) -> str:
    if not found or found["value"] is None:
        return "–"
    return f"{found['value']:.2f} ({_number(found['low'])} to {_number(found['high'])})"


def _two_lines(found: Mapping[str, Any] | None) -> str:
    if not found or found["value"] is None:
        return "–"
    return f"{found['value']:.2f}\n{_number(found['low'])}–{_number(found['high'])}"


def show_joined(found: Mapping[str, Any], folder: Path) -> None:
    """Print the raters, their agreement, and where the scores are."""
    console = terminal.console()
    console.print(f"{found['rated']:,} documents rated, {found['pairs']:,} pairs, {found['verdicts']:,} verdicts")
    table = Table(box=None, pad_edge=False)
    table.add_column("rater")
    for name in ("votes", "slope (95 %)", "agrees with the others", ""):
        table.add_column(name, justify="right")
    for row in found["raters"]:
        slope = {"value": row["slope"], "low": row["low"], "high": row["high"]}
        agrees = "–" if row["agreement"] is None else f"{row['agreement']:.0%}"
        table.add_row(row["name"], f"{row['votes']:,}", _figure(slope), agrees, row["status"])
    console.print(table)
    if found["agreement"]:
        table = Table(box=None, pad_edge=False)
        table.add_column("agreement")
        table.add_column("documents", justify="right")
        table.add_column("α (95 %)", justify="right")
        for name in ("least τ", "largest τ"):
            table.add_column(name, justify="right")
        for lang, row in found["agreement"].items():
            known = {pair: told["value"] for pair, told in row["tau"].items() if told["value"] is not None}
            ends = sorted(known, key=lambda pair: known[pair])
            shown = [f"{known[pair]:.2f} {pair}" for pair in (*ends[:1], *ends[-1:])] or ["–", "–"]
            table.add_row(lang, f"{row['documents']:,}", _figure(row["alpha"]), *shown)
        console.print(table)
    for warning in found["warnings"]:
        terminal.warn(warning)
    console.print(f"scores: {folder / 'scores.parquet'}", soft_wrap=True)


def show_audit(found: Mapping[str, Any]) -> None:
    """Print what a carried rater was measured to do, and the other ways beside it."""
    console = terminal.console()
    console.print(
        f"held out: {found['held']['sources']:,} sources, {found['held']['documents']:,} documents; "
        f"trained on {found['trained']['documents']:,} documents and {found['trained']['pairs']:,} pairs"
    )
    for kind in ("accuracy.monolingual", "accuracy.crosslingual", "gap.sd"):
        table = Table(title=kind, title_justify="left", box=None, pad_edge=False)
        table.add_column("language", no_wrap=True)
        for name in found["methods"]:
            # The names are long and the figures many: both take two lines, and eighty columns hold them.
            table.add_column(name.replace("_", "\n"), justify="right", no_wrap=True)
        codes = dict.fromkeys(code for method in found["methods"].values() for code in method["languages"])
        rows = [("mean", {n: m["mean"] for n, m in found["methods"].items()})]
        rows += [(code, {n: m["languages"].get(code, {}) for n, m in found["methods"].items()}) for code in codes]
        for code, methods in rows:
            if any(kind in m for m in methods.values()):
                table.add_row(code, *(_two_lines(m.get(kind)) for m in methods.values()))
        console.print(table)
    for text in found["told"]:
        console.print(Text(text))
    for warning in found["warnings"]:
        terminal.warn(warning)
