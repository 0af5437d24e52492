"""What `glotmix eval` prints on a terminal."""

from collections.abc import Mapping
from pathlib import Path

from rich.table import Table
from rich.text import Text

from glotmix.cli import terminal
from glotmix.evaluate.comparison import Comparison, Difference
from glotmix.evaluate.consistency import Summary, told
from glotmix.evaluate.language_fidelity import Fidelity
from glotmix.evaluate.scores import Scores
from glotmix.evaluate.tokenizers import Audit


def show_scores(found: Scores, page: Path | None) -> None:
    """Print the languages and the means of each task."""
    console = terminal.console()
    for task in found.tasks:
        table = terminal.table("language", "accuracy", "vs chance", "gap to pivot", "top answer", "by byte",
                       title=f"{task.task}: {task.items:,} items")  # fmt: skip
        for each in task.languages:
            mark = f"{each.majority_share:.0%}" + (" (!)" if each.degenerate else "")
            table.add_row(
                each.lang, told(each.accuracy), told(each.above_empirical, "+").split(" ")[0], told(each.gap, "+"),
                mark, told(each.bytes).split(" ")[0],
            )  # fmt: skip
        console.print(table)
        means = terminal.table("pairs", "MLC", "by chance", "kappa", "Rel-MLC")
        _mean(means, f"all {task.all.pairs}", task.all)
        if task.pivot is not None:
            _mean(means, f"with {found.pivot}: {task.pivot.pairs}", task.pivot)
        console.print(means)
        console.print(f"{task.flipped:,} items flip between languages\n")
    if len(found.tasks) > 1:
        means = terminal.table("mean over tasks", "MLC", "by chance", "kappa", "Rel-MLC")
        _mean(means, "all pairs", found.mean)
        console.print(means)
    for warning in found.warnings:
        terminal.warn(warning)
    if page is not None:
        console.print(f"page: {page}", soft_wrap=True)


def _mean(table: Table, name: str, of: Summary) -> None:
    table.add_row(name, told(of.mlc), told(of.chance).split(" ")[0], told(of.kappa), told(of.rel).split(" ")[0])


def show_comparison(found: Comparison) -> None:
    """Print the differences of two models, task by task, then the means over tasks."""
    console = terminal.console()
    console.print(Text(f"first: {found.first}\nsecond: {found.second}"))
    for task in found.tasks:
        rows = {f"accuracy {lang}": d for lang, d in task.accuracy.items()}
        rows |= {f"mean {name}": d for name, d in task.all.items()}
        console.print(_differences(f"{task.task}: {task.items:,} items", rows))
    if len(found.tasks) > 1:
        console.print(_differences("mean over tasks", found.mean))
    for warning in found.warnings:
        terminal.warn(warning)


def _differences(title: str, rows: Mapping[str, Difference]) -> Table:
    table = terminal.table("of", "first", "second", "second - first", "p", title=title)
    for name, each in rows.items():
        ends = ("–" if v is None else f"{v:.3f}" for v in (each.first, each.second))
        table.add_row(name, *ends, told(each.difference, "+"), "–" if each.p is None else f"{each.p:.3f}")
    return table


def show_fidelity(found: Fidelity) -> None:
    """Print how faithful each language's answers are, and what the others are in."""
    columns = ("answers", "none", "faithful", "right if so", "if not", "most are in")
    table = terminal.table("asked in", *columns)
    for each in found.languages:
        most = ", ".join(f"{code} {n}" for code, n in list(each.confusion.items())[:1])
        shares = (told(f).split(" ")[0] for f in (each.accuracy_faithful, each.accuracy_other))
        counts = (f"{each.answers:,}", f"{each.unidentified:,}")
        table.add_row(each.lang, *counts, told(each.faithful), *shares, most)
    terminal.console().print(table)
    terminal.console().print(f"all answers: {told(found.faithful)} faithful")
    for warning in found.warnings:
        terminal.warn(warning)


def show_audit(found: Audit) -> None:
    """Print what each language pays, the dearest first; ``cut`` are tokens that are less than a character."""
    columns = ("premium", "bytes/token", "tokens/word", "pieces", "cut", "unknown", "lost")
    title = f"{found.tokenizer}: {found.size:,} pieces, against {found.reference}"
    table = terminal.table("language", *columns, title=title)
    for each in found.dearest:
        fertility = "–" if each.fertility is None else f"{each.fertility:.2f}"
        rates = [
            "–" if value is None else f"{value:{form}}"
            for value, form in ((each.below, ".0%"), (each.unknown, ".1%"), (each.lost, ".0%"))
        ]
        size = "–" if each.bytes_per_token is None else f"{each.bytes_per_token:.2f}"
        table.add_row(each.lang, told(each.premium), size, fertility, f"{each.pieces:,}", *rates)
    terminal.console().print(table)
    for warning in found.warnings:
        terminal.warn(warning)
