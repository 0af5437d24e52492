"""What `glotmix quality` prints on a terminal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.text import Text

from glotmix.cli import terminal

_COLOURS = {"usable": "green", "doubtful": "yellow", "unusable": "red"}
_ALONE = (
    ("one length", "matched", ".3f"),
    ("source alone", "source", ".3f"),
    ("offset", "offset", "+.1f"),
)
"""Columns of the audit that may be empty: heading, key, form."""


def told(figure: Mapping[str, float] | None, sign: str = "") -> str:
    """Write a figure with its interval; a dash is what is not there.

    >>> told({"value": 0.5, "low": 0.4, "high": 0.6}), told(None)
    ('0.500 [0.40 0.60]', '–')
    """
    if figure is None:
        return "–"
    value, low, high = (round(figure[k], 3) + 0.0 for k in ("value", "low", "high"))
    return f"{value:{sign}.3f} [{low:{sign}.2f} {high:{sign}.2f}]"


def show_audit(found: Mapping[str, Any], page: Path | None) -> None:
    """Print a verdict per language, and what labels would bring."""
    console = terminal.console()
    # What was measured nowhere has no column: a terminal of 80 characters shall show all of them.
    rows = found["languages"]
    wanted = [(name, key, form) for name, key, form in _ALONE if any(row[key] is not None for row in rows)]
    table = terminal.table("language", "verdict", "good", "bad", "AUC", *(name for name, _, _ in wanted))
    for row in rows:
        table.add_row(
            row["lang"], Text(row["verdict"], style=_COLOURS[row["verdict"]]), f"{row['good']:,}", f"{row['bad']:,}",
            told(row["auc"]), *(_number(row[key], form) for _, key, form in wanted),
        )  # fmt: skip
    console.print(table)
    for row in rows:
        if why := [*row["reasons"], *row["notes"]]:
            console.print(f"{row['lang']} {row['verdict']}: {'; '.join(why)}", markup=False)
    for sentence in found.get("added", ()):
        console.print(Text(sentence))
    if found["mean"] is not None:
        console.print(f"mean over {found['mean']['languages']} languages: {told(found['mean']['rater'])}")
    if found["matrix"] is not None and found["matrix"]["languages"]:
        names = found["matrix"]["languages"]
        matrix = terminal.table(
            "trained on", *(name[:3] for name in names), title="AUC: trained on the row, tested on the column"
        )
        for name, row in zip(names, found["matrix"]["auc"], strict=True):
            matrix.add_row(name, *(_number(v) for v in row))
        console.print(matrix)
    if found["curve"] is not None:
        for row in found["curve"]["means"]:
            console.print(
                f"{row['labels']:>4} labels of the language: pooled {told(row['pooled'])}, alone {told(row['target'])}"
            )
        for sentence in found["curve"]["advice"]:
            console.print(sentence)
    if page is not None:
        console.print(f"page: {page}")


def show_controls(found: Mapping[str, Any]) -> None:
    """Print the means and the differences."""
    console = terminal.console()
    table = terminal.table(
        "strategy", "negatives", "AUC", f"good among the best {found['retain']:.0%}", "good among all"
    )
    for row in found["rows"]:
        table.add_row(row["strategy"], row["negatives"], told(row["auc"]), told(row["kept_good"]), _number(row["base"]))
    console.print(table)
    differences = terminal.table("difference", "AUC", "good among the kept")
    for row in found["differences"]:
        differences.add_row(row["what"], told(row["auc"], "+"), told(row["kept_good"], "+"))
    console.print(differences)
    console.print(
        f"{found['documents']:,} labelled documents, {len(found['languages'])} languages, {len(found['seeds'])} seeds"
    )


def _number(value: float | None, form: str = ".3f") -> str:
    return "–" if value is None else f"{value:{form}}"
