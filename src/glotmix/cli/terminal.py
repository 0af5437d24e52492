"""The look of what commands print: no colours for numbers, tables without lines."""

from rich.console import Console
from rich.table import Table


def console() -> Console:
    """Return the terminal, standard output."""
    return Console(highlight=False)


def table(*columns: str, title: str | None = None) -> Table:
    """Return a table of figures: names in the first column, numbers to the right in all others."""
    found = Table(title=title, title_justify="left", box=None, pad_edge=False)
    found.add_column(columns[0], no_wrap=True)
    for name in columns[1:]:
        found.add_column(name, justify="right", no_wrap=True)
    return found
