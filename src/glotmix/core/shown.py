"""Results that print themselves as tables: in a terminal, in a notebook, and as text."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Group


@dataclass(frozen=True)
class Sheet:
    """What is printed of a result.

    Args:
        title: one line.
        columns: names.
        rows: a cell for each column; None is left empty.
        notes: sentences below.
        most: rows that are printed; it is said how many more there are.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    notes: Sequence[str] = ()
    most: int = 200

    @property
    def cells(self) -> list[list[str]]:
        """The first rows as texts."""
        return [[_text(value) for value in row] for row in self.rows[: self.most]]

    @property
    def below(self) -> list[str]:
        """The notes, after how many rows are not shown."""
        more = len(self.rows) - self.most
        return [*([f"… and {more:,} more"] if more > 0 else []), *self.notes]

    def right(self, column: int) -> bool:
        """Whether a column holds numbers alone."""
        return all(isinstance(row[column], int | float | None) for row in self.rows)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value).replace("\n", " ")


class Shown(ABC):
    """A result that prints itself."""

    @abstractmethod
    def sheet(self) -> Sheet:
        """Return what is printed of it."""

    def __rich__(self) -> "Group":
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        told = self.sheet()
        table = Table(box=None, pad_edge=False)
        for at, name in enumerate(told.columns):
            table.add_column(Text(name), justify="right" if told.right(at) else "left", overflow="fold")
        for row in told.cells:
            table.add_row(*map(Text, row))
        # Beside a table, long lines would be broken to its width.
        parts: list[Any] = [Text(told.title, style="bold"), *([table] if told.rows else []), *map(Text, told.below)]
        return Group(*parts)

    def __str__(self) -> str:
        from io import StringIO

        from rich.console import Console

        page = StringIO()
        Console(file=page, width=120, color_system=None, highlight=False).print(self)
        return "\n".join(line.rstrip() for line in page.getvalue().splitlines())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        told = self.sheet()
        head = "".join(f"<th>{escape(name)}</th>" for name in told.columns)
        sides = ["right" if told.right(at) else "left" for at in range(len(told.columns))]
        lines = [
            "".join(f'<td style="text-align:{s}">{escape(cell)}</td>' for s, cell in zip(sides, row, strict=True))
            for row in told.cells
        ]
        body = "".join(f"<tr>{line}</tr>" for line in lines)
        below = "".join(f"<p>{escape(note)}</p>" for note in told.below)
        title = f"<caption>{escape(told.title)}</caption>"
        return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"
