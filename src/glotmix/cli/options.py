"""What commands have in common: their arguments, and how they open a recipe."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from glotmix.pipeline.run import Job

RecipePath = Annotated[
    Path, typer.Argument(help="the recipe, a YAML file; or the folder that it filled", show_default=False)
]
Overrides = Annotated[
    list[str] | None, typer.Argument(help="section.key=value, as often as needed", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="print the result as JSON, and nothing else on stdout")]
Wait = Annotated[bool, typer.Option("--wait", help="wait while another run writes to the same output")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="print the plan and what would be reused; make nothing")]
Estimated = Annotated[
    bool, typer.Option("--estimate", help="run samples, say what all of it will take, and make nothing else")
]
Cores = Annotated[int | None, typer.Option(min=1, help="for --estimate: cores of a machine; all of this one's")]
Machines = Annotated[int, typer.Option(min=1, help="for --estimate: how many such machines")]
Sample = Annotated[int, typer.Option(min=8, help="for --estimate: documents of the largest sample")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress")]


@contextmanager
def job(recipe: Path, overrides: list[str] | None, quiet: bool) -> Iterator["Job"]:
    """Open a recipe's job with its progress on the terminal."""
    from glotmix.cli.progress import Bars
    from glotmix.core.record import Silent
    from glotmix.pipeline.run import Job

    if quiet or not sys.stderr.isatty():
        yield Job.at(recipe, overrides or (), Silent() if quiet else Bars(live=False))
    else:
        with Bars(live=True) as bars:
            yield Job.at(recipe, overrides or (), bars)


def foretold(work: "Job", until: str | None, sample: int, cores: int | None, machines: int) -> dict[str, Any]:
    """Return what a job will take, from running samples, and keep it to be compared with the run."""
    from glotmix.pipeline import costs
    from glotmix.pipeline.estimate import estimate

    result = estimate(work, until, sample, cores, machines).as_json()
    costs.keep(work.folder, result)
    return result


def print_json(told: Any) -> None:
    """Print a result as JSON on stdout, for other programs."""
    typer.echo(json.dumps(told, ensure_ascii=False, indent=1))
