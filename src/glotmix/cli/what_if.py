"""`select`, with what other decisions would change, and `compare`: two runs of one corpus side by side."""

from pathlib import Path
from typing import Annotated, Any

import typer

from glotmix.cli.options import (
    Cores,
    Estimated,
    Machines,
    Overrides,
    RecipePath,
    Sample,
    Wait,
    foretold,
    job,
    print_json,
)
from glotmix.core.errors import RequestError

WhatIf = Annotated[
    bool,
    typer.Option(
        "--what-if",
        help="print what the overrides would change, and what each source would lose by each kind of duplicate; "
        "write nothing to the output",
    ),
]


def select(
    recipe: RecipePath,
    overrides: Overrides = None,
    what_if: WhatIf = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the plan and what would be reused")] = False,
    estimate: Estimated = False,
    cores: Cores = None,
    machines: Machines = 1,
    sample: Sample = 4_000,
    wait: Wait = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="print the result as JSON, and nothing else on stdout")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress")] = False,
) -> None:
    """Decide what is kept; measures nothing again."""
    from glotmix.cli.show import show_changes, show_estimate, show_losses, show_plan, show_summary

    result: Any
    if what_if:
        from glotmix.pipeline.losses import losses
        from glotmix.pipeline.run import Job
        from glotmix.pipeline.what_if import require_made
        from glotmix.pipeline.what_if import what_if as asked

        now, then = (Job.at(recipe, given) for given in ((), overrides or ()))
        if overrides:
            result = asked(now, then)
        else:
            require_made(now)
            result = {}
        result["duplicates"] = losses(now.context)
    else:
        with job(recipe, overrides, quiet) as work:
            if dry_run:
                result = work.plan("ledger")
            elif estimate:
                result = foretold(work, "ledger", sample, cores, machines)
            else:
                result = work.run("ledger", wait)
    if as_json:
        print_json(result)
    elif what_if:
        if overrides:
            show_changes(result)
        show_losses(result["duplicates"])
    elif dry_run:
        show_plan(result)
    elif estimate:
        show_estimate(result)
    else:
        show_summary(result)


def compare(
    one: Annotated[Path, typer.Argument(help="a recipe, or the folder that it filled", show_default=False)],
    other: Annotated[Path, typer.Argument(help="another", show_default=False)],
    as_json: Annotated[
        bool, typer.Option("--json", help="print the result as JSON, and nothing else on stdout")
    ] = False,
) -> None:
    """Compare what two runs of one corpus keep: documents and bytes, by language and source, with examples."""
    from glotmix.cli.show import show_changes
    from glotmix.pipeline.what_if import compare as compared

    result = compared(_folder(one), _folder(other))
    if as_json:
        print_json(result)
    else:
        show_changes(result)


def _folder(given: Path) -> Path:
    """Return the output of a recipe, if its ledger is of the recipe's present state; or a folder as it is."""
    if given.is_dir():
        return given
    from glotmix.pipeline.run import Job

    job = Job.at(given)
    stale = [row["step"] for row in job.plan("ledger") if row["state"] != "reused"]
    if stale:
        raise RequestError(
            f"{job.folder} is of an older state: {', '.join(stale)} would be made", f"glotmix select {given}"
        )
    return job.folder


def add_to(app: typer.Typer) -> None:
    """Put the two commands into the program."""
    app.command("select")(select)
    app.command("compare")(compare)
