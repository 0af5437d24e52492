"""The look of what commands print: no colours for numbers, tables without lines."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from glotmix.core import warning
from glotmix.core.plain import shown


class _Plain(Console):
    """A terminal that shows what it is given: control characters and marks of direction are spelled out."""

    def render(self, *given: Any, **named: Any) -> Iterator[Segment]:
        """Render anything, a table's cells too."""
        yield from map(_spelled, super().render(*given, **named))


def _spelled(segment: Segment) -> Segment:
    return segment if segment.control else Segment(shown(segment.text), segment.style)


def console(stderr: bool = False) -> Console:
    """Return the terminal: standard output, or standard error."""
    # A document's text may hold [brackets]: no markup of rich's either.
    return _Plain(highlight=False, stderr=stderr, markup=False)


def warn(text: str) -> None:
    """Print a warning with its name: wrapped at words on a screen, one line in a file."""
    screen = console()
    screen.print(Text(warning.line(text), style="bold yellow"), soft_wrap=not screen.is_terminal)


def table(*columns: str, title: str | None = None) -> Table:
    """Return a table of figures: names in the first column, numbers to the right in all others.

    Where the screen is too narrow cells go on in a second line: a name that is cut off names nothing.
    """
    found = Table(title=title, title_justify="left", box=None, pad_edge=False)
    found.add_column(columns[0], no_wrap=True)
    for name in columns[1:]:
        found.add_column(name, justify="right", overflow="fold")
    return found
