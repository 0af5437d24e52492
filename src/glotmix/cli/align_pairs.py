"""`glotmix align pairs` and `pack`: parallel text of a recipe, found and packed."""

from typing import Any

import typer

from glotmix.cli.options import AsJson, DryRun, Overrides, Quiet, RecipePath, Wait, job, print_json


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("pairs")(pairs)
    app.command("pack")(pack)


def _run(
    until: str, recipe: RecipePath, overrides: Overrides, dry_run: bool, wait: bool, as_json: bool, quiet: bool
) -> None:
    from glotmix.cli.show import show_plan, show_summary
    from glotmix.core.errors import RequestError

    with job(recipe, overrides, quiet) as work:
        asked = "align/packed" if until == "align/dataset" else until
        if not work.context.has(asked):
            what = "align.mine={}, or align.parallel=[…]" if asked == "align/pairs" else "align.pack={}"
            raise RequestError(f"the recipe {recipe} does not ask for {asked}", what)
        result: Any = work.plan(until) if dry_run else work.run(until, wait)
    if as_json:
        print_json(result)
    elif dry_run:
        show_plan(result)
    else:
        show_summary(result)


def pairs(
    recipe: RecipePath, overrides: Overrides = None, dry_run: DryRun = False, wait: Wait = False,
    as_json: AsJson = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Find parallel text: declared, and mined from what the run keeps, with the reason of every drop."""
    _run("align/pairs", recipe, overrides, dry_run, wait, as_json, quiet)


def pack(
    recipe: RecipePath, overrides: Overrides = None, dry_run: DryRun = False, wait: Wait = False,
    as_json: AsJson = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Pack parallel text for training, and write the data set of it with its card."""
    _run("align/dataset", recipe, overrides, dry_run, wait, as_json, quiet)
