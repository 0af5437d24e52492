"""What the commands of `glotmix mix` have in common: their arguments, the tables they read, and how they wait."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from glotmix.core.errors import RequestError

if TYPE_CHECKING:
    from glotmix.mix.runs import Runs

T = TypeVar("T")

Stock = Annotated[
    Path,
    typer.Argument(
        help="what there is of each language: a CSV with lang and tokens, or a mixture.json", show_default=False
    ),
]
Fit = Annotated[Path, typer.Argument(help="the folder that glotmix mix fit left", show_default=False)]
Output = Annotated[Path, typer.Option("--output", "-o", help="the folder to write")]
Seed = Annotated[int, typer.Option(help="of all that is drawn")]
Page = Annotated[Path | None, typer.Option(help="write a page with the plots, one HTML file that opens offline")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="say what would be made; make nothing")]


def read_runs(paths: list[Path], shape: str) -> "Runs":
    """Read tables of runs: folders with Olmix's two files, one a round, or the two files."""
    from glotmix.mix.run_tables import pair, read
    from glotmix.mix.runs import joined

    if all(path.is_dir() for path in paths):
        return joined([read(shape, *pair(path)).canonical() for path in paths])
    if len(paths) != 2:
        raise RequestError(
            f"{len(paths)} files were given: the mixtures and the losses are two, or a folder with both",
            "glotmix mix fit ratios.csv metrics.csv",
        )
    return read(shape, *paths).canonical()


def parts(given: str) -> list[float]:
    """Read the parts of the tokens that phases take: ``0.7,0.3``."""
    try:
        return [float(part) for part in given.split(",")]
    except ValueError:
        raise RequestError(f"{given!r} are no parts of the tokens", "--phases 0.7,0.3") from None


def mixture_file(path: Path) -> Path:
    """Return the mixture's file of a folder that `glotmix mix solve` wrote, or the file itself."""
    from glotmix.mix.files import MIXTURE

    return path / MIXTURE if path.is_dir() else path


def watched(each: Iterable[T], count: int, what: str) -> Iterable[T]:
    """Show on a terminal at how many of the targets it is."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    hidden = not console.is_terminal
    return track(each, f"{what} {count} targets", count, console=console, transient=True, disable=hidden)


def waiting(what: str) -> AbstractContextManager[Any]:
    """Show on a terminal that it works."""
    from rich.console import Console

    console = Console(stderr=True)
    return console.status(what) if console.is_terminal else nullcontext()
