"""Tables of ``glotmix instruct`` on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from glotmix.cli import terminal

CHECKS = ("unfaithful", "untranslated", "refusal", "empty", "truncated")


def show_checks(noted: Mapping[str, Mapping[str, int]]) -> None:
    """Print, per language, how many conversations fail each check, of how many that can be judged."""
    table = Table("language", "conversations", *CHECKS)
    for lang, counts in noted.items():
        cells = [f"{counts.get(c, 0):,} of {counts.get(f'{c} of', 0):,}" for c in CHECKS]
        table.add_row(lang, f"{counts['documents']:,}", *cells)
    Console().print(table)


def show_audit(found: Mapping[str, Any]) -> None:
    """Print an audit of a quality scoring model, and its warnings."""
    table = Table("language", "pairs", "right", "longer is better", "matched length", "longer is better there")
    rows = [("all", found["overall"]), *found["languages"].items()]
    rows += [(f"{lang}, zero-shot", figures) for lang, figures in found["zero_shot"].items()]
    for name, figures in rows:
        table.add_row(name, *_cells(figures))
    console = Console()
    console.print(table)
    for told in found["warnings"]:
        terminal.warn(told)


def show_judged(figures: Mapping[str, Any]) -> None:
    """Print what a model reaches on held-out pairs."""
    table = Table("pairs", "right", "longer is better", "matched length", "longer is better there")
    table.add_row(*_cells(figures))
    Console().print(table)


def show_sweep(manifest: Mapping[str, Any]) -> None:
    """Print the selections of a sweep: by method and size, over its languages."""
    table = Table("method", "size", "languages", "mean quality", "mean response", "clusters covered")
    for method in manifest["methods"]:
        for size in manifest["sizes"]:
            mine = [s for s in manifest["selections"] if (s["method"], s["size"]) == (method, size)]
            if not mine:
                continue
            quality = [s["mean_quality"] for s in mine if s["mean_quality"] is not None]
            covered = sum(s["clusters"]["covered"] for s in mine) / sum(s["clusters"]["of"] for s in mine)
            table.add_row(
                method,
                f"{size:,}",
                str(len(mine)),
                f"{sum(quality) / len(quality):.3f}" if quality else "—",
                f"{sum(s['mean_response_chars'] for s in mine) / len(mine):,.0f}",
                f"{covered:.0%}",
            )
    Console().print(table)


def _cells(figures: Mapping[str, Any]) -> list[str]:
    return [
        f"{figures['accuracy']['n']:,}",
        _told(figures["accuracy"]),
        _told(figures["longer_is_better"]),
        _told(figures["length_matched"]),
        _told(figures["longer_is_better_length_matched"]),
    ]


def _told(figure: Mapping[str, float] | None) -> str:
    return "—" if figure is None else f"{figure['value']:.1%} ({figure['low']:.1%} to {figure['high']:.1%})"
