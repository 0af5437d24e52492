"""`glotmix check` and `glotmix clean`: what was made, looked through for damage, and removed again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from glotmix.cli.options import AsJson, RecipePath, print_json
from glotmix.core import identity
from glotmix.core.errors import DataError

app = typer.Typer(rich_markup_mode=None)

Set = Annotated[
    list[str] | None, typer.Option("--set", help="section.key=value, as it was made with; as often as needed")
]


@app.command()
def check(
    recipe: RecipePath,
    step: Annotated[
        str | None, typer.Argument(help="the last step to look at; all by default", show_default=False)
    ] = None,
    overrides: Set = None,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress")] = False,
) -> None:
    """Compare every file that a recipe made with what was written; what is damaged, the next run makes again."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from glotmix.cli import terminal
    from glotmix.pipeline import upkeep

    columns = (TextColumn("{task.description:<24}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=terminal.console(stderr=True), disable=quiet) as bars:
        task = bars.add_task("", total=None)

        def begin(name: str, sizes: Mapping[str, int]) -> None:
            bars.reset(task, description=name, total=sum(sizes.values()))

        work = _job(recipe, overrides)
        rows = upkeep.check(work, step, begin, lambda _, size: bars.advance(task, size))
    damaged = [f"{row['step']}/{name} {what}" for row in rows for name, what in row["damaged"].items()]
    if as_json:
        print_json(rows)
    else:
        held, size = sum(row["files"] for row in rows), sum(row["bytes"] for row in rows)
        typer.echo(f"{_steps(len(rows))}, {held:,} files, {size:,} bytes: {len(damaged) or 'none'} damaged")
    if damaged:
        more = "" if len(damaged) <= 20 else f"\n  and {len(damaged) - 20:,} more"
        folder, fix = work.folder, f"glotmix run {recipe} makes these steps again, and nothing else"
        if lost := [folder / row["step"] for row in rows if identity.RECORD in row["damaged"]]:
            fix = f"{identity.unread(lost)}; then {fix}"
        raise DataError("damaged:\n" + "\n".join(f"  {told}" for told in damaged[:20]) + more, fix)


@app.command()
def clean(
    recipe: RecipePath,
    step: Annotated[
        str | None, typer.Argument(help="a step, or a folder of steps; all by default", show_default=False)
    ] = None,
    overrides: Set = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would go; remove nothing")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what glotmix made, finished or not, and nothing else."""
    from glotmix.pipeline import upkeep

    gone: dict[str, Any] = upkeep.clean(_job(recipe, overrides), step, dry_run)
    if as_json:
        print_json(gone)
        return
    what = "would be removed" if dry_run else "removed"
    for name in gone["steps"]:
        typer.echo(f"  {name}")
    typer.echo(f"{what}: {_steps(len(gone['steps']))}, {gone['files']:,} files, {gone['bytes']:,} bytes")
    if gone["kept"]:
        typer.echo("kept, because glotmix did not make them as they are:")
        for name in gone["kept"]:
            typer.echo(f"  {name}")
    if gone["unread"]:
        typer.echo("kept, because their records were changed or are of another version of glotmix, and do not say")
        typer.echo("which files are glotmix's:")
        for name in gone["unread"]:
            typer.echo(f"  {name}")
        typer.echo(f"  → {identity.unread(map(Path, gone['unread']))}")


def _steps(n: int) -> str:
    return "1 step" if n == 1 else f"{n} steps"


def _job(recipe: Path, overrides: list[str] | None) -> Any:
    from glotmix.pipeline.run import Job

    return Job.at(recipe, overrides or ())
