"""`glotmix explore`: a local page on the finished tables of a run."""

import threading
import webbrowser
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glotmix.cli.options import Overrides, RecipePath

if TYPE_CHECKING:
    from glotmix.core.local_page import LocalPage

app = typer.Typer(rich_markup_mode=None)

_AHEAD = "read-ahead"
"""The thread that reads what the first questions need."""
_PATIENCE = 5.0
"""Seconds that its end is waited for."""


@app.command()
def explore(
    recipe: RecipePath,
    overrides: Overrides = None,
    beside: Annotated[
        Path | None, typer.Option(help="another run of the same corpus: a recipe, or the folder that it filled")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="where the page is served; 0 for any free port")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="open it in the browser")] = True,
) -> None:
    """Look at a finished run on a local page: documents, thresholds that move, two runs, the mixture."""
    from glotmix.cli import terminal

    page = opened(recipe, overrides or [], beside, port)

    def ready(address: str) -> None:
        terminal.console().print(f"the explorer: {address}", soft_wrap=True, highlight=False)
        terminal.console().print("for this machine alone; Ctrl-C ends it")
        if browser:
            webbrowser.open(address)

    page.serve(ready)
    # Native code that a thread is in when Python ends may crash: what is being read is read to its end first.
    for thread in threading.enumerate():
        if thread.name == _AHEAD:
            thread.join(_PATIENCE)


def opened(recipe: Path, overrides: list[str], beside: Path | None = None, port: int = 0) -> "LocalPage":
    """Return the explorer's page of a recipe, ready to be served.

    Raises:
        MissingExtraError: without the extra `explore`.
        GlotmixError: where the run is not finished, or damaged, with what to type.
    """
    from glotmix.cli import terminal
    from glotmix.core.errors import GlotmixError
    from glotmix.core.local_page import LocalPage, require
    from glotmix.explore.calls import PAGE, Explorer
    from glotmix.explore.documents import Documents
    from glotmix.pipeline.run import Job
    from glotmix.pipeline.what_if import compare

    require("glotmix explore")
    work = Job.at(recipe, overrides)
    # Commands to copy name what they are about: with overrides that is the folder, which kept them.
    called = str(work.folder if overrides else recipe)
    try:
        documents = Documents(work.context)
    except GlotmixError as error:
        # What to type names the recipe as it was typed.
        raise type(error)(error.message, (error.fix or "").replace("RECIPE", called) or None) from error
    stale: tuple[str, ...] = ()
    try:
        stale = tuple(row["step"] for row in work.plan("ledger") if row["state"] != "reused")
    except GlotmixError as error:
        # The run can be looked at where its raw data is gone.
        terminal.console().print(f"whether this run is up to date cannot be said: {error.message}")
    if stale:
        terminal.console().print(
            f"the recipe or its data changed since this run: {', '.join(stale)} would be made again"
        )
    other = None
    if beside is not None:
        other = (beside if beside.is_dir() else Job.at(beside).folder).resolve()
    compared = None if other is None else partial(compare, work.folder, other)
    explorer = Explorer(documents, called, compared, stale, "" if other is None else str(beside))
    threading.Thread(target=explorer.warm, name=_AHEAD, daemon=True).start()
    return LocalPage(PAGE, explorer.calls, "glotmix explore", port)
