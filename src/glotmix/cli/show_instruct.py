"""Tables of ``glotmix instruct`` on a terminal."""

from collections.abc import Iterable, Mapping
from typing import Any

from glotmix.cli import terminal

_FIGURES = ("pairs", "right", "longer\nis better", "of matched\nlength", "longer is\nbetter there")
CHECKS = ("unfaithful", "untranslated", "refusal", "empty", "truncated")


def show_checks(noted: Mapping[str, Mapping[str, int]]) -> None:
    """Print, per language, how many conversations fail each check, of how many that can be judged."""
    table = terminal.table("language", "read", *CHECKS)
    for lang, counts in noted.items():
        cells = [f"{counts.get(c, 0):,} of {counts.get(f'{c} of', 0):,}" for c in CHECKS]
        table.add_row(lang, f"{counts['documents']:,}", *cells)
    terminal.console().print(table)


def show_audit(found: Mapping[str, Any]) -> None:
    """Print an audit of a quality scoring model, and its warnings."""
    _show_figures([("all", found["overall"]), *found["languages"].items()])
    if found["zero_shot"]:
        _show_figures(found["zero_shot"].items(), "zero-shot: each by a model that saw no pair of its language")
    for told in found["warnings"]:
        terminal.warn(told)


def show_judged(figures: Mapping[str, Any]) -> None:
    """Print what a model reaches on held-out pairs."""
    _show_figures([("all", figures)])


def _show_figures(rows: Iterable[tuple[str, Mapping[str, Any]]], title: str | None = None) -> None:
    table = terminal.table("language", *_FIGURES, title=title)
    for name, figures in rows:
        table.add_row(name, *_cells(figures))
    terminal.console().print(table)


def show_sweep(manifest: Mapping[str, Any]) -> None:
    """Print the selections of a sweep: by method and size, over its languages."""
    table = terminal.table("method", "size", "languages", "mean\nquality", "mean\nresponse", "clusters\ncovered")
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
    terminal.console().print(table)


def _cells(figures: Mapping[str, Any]) -> list[str]:
    return [
        f"{figures['accuracy']['n']:,}",
        _told(figures["accuracy"]),
        _told(figures["longer_is_better"]),
        _told(figures["length_matched"]),
        _told(figures["longer_is_better_length_matched"]),
    ]


def _told(figure: Mapping[str, float] | None) -> str:
    if figure is None:
        return "—"
    return f"{figure['value']:.0%} [{100 * figure['low']:.0f} {100 * figure['high']:.0f}]"
