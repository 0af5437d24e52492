"""`glotmix export`: the data set, as token files too, and to the Hub."""

from pathlib import Path
from typing import Annotated, Any

import typer

from glotmix.cli.options import Cores, Estimated, Machines, Sample, foretold, job, print_json


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    recipe: Annotated[Path, typer.Argument(help="the recipe, a YAML file", show_default=False)],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="section.key=value, as often as needed", show_default=False)
    ] = None,
    tokens: Annotated[
        str | None,
        typer.Option(help="write token files, too: a tokenizer.json (as seen from the recipe), or owner/name"),
    ] = None,
    push: Annotated[
        str | None, typer.Option(metavar="OWNER/NAME", help="send the data set to the Hugging Face Hub (HF_TOKEN)")
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="a data set that --push makes is public")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print the plan and what would be reused; make nothing, send nothing")
    ] = False,
    estimate: Estimated = False,
    cores: Cores = None,
    machines: Machines = 1,
    sample: Sample = 4_000,
    as_json: Annotated[
        bool, typer.Option("--json", help="print the result as JSON, and nothing else on stdout")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress")] = False,
) -> None:
    """Write the data set, its blends and its card; on request its tokens, and to the Hub."""
    from glotmix.cli.show import show_estimate, show_plan, show_summary

    given = [*(overrides or ()), *([f"export.tokens.tokenizer={tokens}"] if tokens is not None else ())]
    with job(recipe, given, quiet) as work:
        until = "tokens" if work.context.recipe.export.tokens is not None else "dataset"
        # Parallel text is a data set beside the other.
        steps = [until, *(["align/dataset"] if work.context.has("align/dataset") else [])]
        result: Any
        if dry_run:
            result = list({row["step"]: row for step in steps for row in work.plan(step)}.values())
        elif estimate:
            result = foretold(work, until, sample, cores, machines)
        else:
            for step in steps:
                result = work.run(step)
        sent = None
        if push is not None and not dry_run and not estimate:
            from glotmix.export.hub import push as send

            sent = send(work.context.step_dir("dataset"), push, private=not public)
    if as_json:
        print_json(result if sent is None else {**result, "push": sent})
    elif dry_run:
        show_plan(result)
    elif estimate:
        show_estimate(result)
    else:
        show_summary(result)
        if sent is not None:
            typer.echo(
                f"{push}: {sent['sent']:,} files sent ({sent['bytes'] / 1e6:,.1f} MB), {sent['there']:,} were there"
            )
            if sent["earlier"]:
                typer.echo(
                    f"{sent['earlier']:,} files of an earlier data set are there; they are no longer loaded, and not "
                    f"deleted: https://huggingface.co/datasets/{push}/tree/main"
                )
