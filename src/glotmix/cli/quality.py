"""`glotmix quality`: the audit of a rater, the controls, and a rater to take along."""

import json
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from glotmix.cli.options import AsJson, print_json
from glotmix.core import json_text
from glotmix.core.errors import RequestError

app = typer.Typer(
    name="quality",
    help="Whether a rater can be believed, what its making brings, and the rater for other pipelines.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Where = Annotated[Path, typer.Argument(help="a recipe, or the folder of a rater", show_default=False)]
Overrides = Annotated[list[str] | None, typer.Argument(help="section.key=value", show_default=False)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress")]


@app.command()
def audit(
    where: Where,
    overrides: Overrides = None,
    brief: Annotated[bool, typer.Option("--brief", help="without the matrix and the learning curves")] = False,
    seeds: Annotated[int, typer.Option(min=1, help="raters that are trained for each held-out language")] = 3,
    page: Annotated[Path | None, typer.Option(help="write a page, one HTML file that opens offline")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Say per language whether the rater is usable, doubtful or unusable, and why."""
    from glotmix.quality import steps as quality_steps

    if where.is_dir():
        found = quality_steps.audit_folder(where, seeds, full=not brief)
    else:
        own = [f"quality.audit={'brief' if brief else 'full'}", f"quality.audits={seeds}", *(overrides or ())]
        with _job(where, own, quiet) as job:
            if not job.context.has("audit"):
                named = job.recipe.quality.pretrained if job.recipe.quality else None
                raise RequestError(
                    "the recipe trains no rater" + (f": it names a finished one, {named}" if named else ""),
                    "glotmix raters audit FOLDER prints what was measured when it was made",
                )
            job.run("audit")
            found = json_text.loads((job.folder / "audit" / "audit.json").read_text("utf-8"))
    if page is not None:
        from glotmix.report.rater import render

        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(render(found), "utf-8")
    if as_json:
        print_json(found)
    else:
        from glotmix.cli.show_quality import show_audit

        show_audit(found, page)


@app.command()
def controls(
    recipe: Annotated[Path, typer.Argument(help="the recipe, a YAML file", show_default=False)],
    overrides: Overrides = None,
    seeds: Annotated[int, typer.Option(min=3, help="of folds, draws and training")] = 3,
    retain: Annotated[float, typer.Option(min=0.01, max=0.99, help="share of each language that is kept")] = 0.5,
    draws: Annotated[int, typer.Option(min=100, help="bootstrap samples of each language's documents")] = 500,
    labelled_only: Annotated[
        bool, typer.Option("--labelled-only", help="without negatives from the corpus: nothing of it is measured")
    ] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="a JSON file of everything")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Compare pooled, target and leave-one-out raters, and random, Q3 and labelled negatives, on the same anchors."""
    from glotmix.cli.show_quality import show_controls
    from glotmix.quality import steps as quality_steps

    with _job(recipe, overrides, quiet) as job:
        section = job.recipe.quality
        if section is None:
            raise RequestError("the recipe has no rater", "quality.anchors=[builtin]")
        for step in ("rater",) if labelled_only else ("rater", *quality_steps.needs(job.context, section)):
            job.run(step)
        own = range(job.recipe.seed, job.recipe.seed + seeds)
        found = quality_steps.controlled(job.context, section, own, retain, draws, labelled_only, job.watcher)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False), "utf-8")
    if as_json:
        print_json(found)
    else:
        show_controls(found)


@app.command()
def export(
    where: Where,
    output: Annotated[Path, typer.Argument(help="the folder that is made", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Copy a rater, as it rated its corpus, to where another pipeline reads it: a notebook, or datatrove."""
    from glotmix.quality import steps as quality_steps
    from glotmix.quality.rater import RATER, TENSORS, Rater

    folder = where
    if not where.is_dir():
        with _job(where, None, True) as job:
            job.run("signals/quality")
            folder = job.folder / "signals" / "quality" / quality_steps.APPLIED
    scorer = Rater.read(folder)
    output.mkdir(parents=True, exist_ok=True)
    for name in (RATER, TENSORS):
        shutil.copyfile(folder / name, output / name)
    told = {
        "rater": str(output),
        "languages": sorted(scorer.quantiles),
        "embedders": dict(scorer.embedders),
        "reads": scorer.reads,
        "calibrated": scorer.calibration is not None,
        "notebook": f"glotmix.quality.load.load({str(output)!r})(texts, langs)",
        "datatrove": f"glotmix.quality.datatrove_filter.rater_filter({str(output)!r}, keep=0.9)",
    }
    if as_json:
        print_json(told)
    else:
        typer.echo(f"{output}: {len(scorer.quantiles)} languages" + (", calibrated" if told["calibrated"] else ""))
        typer.echo(f"in Python:    {told['notebook']}")
        typer.echo(f"in datatrove: {told['datatrove']}")


def _job(recipe: Path, overrides: list[str] | None, quiet: bool) -> Any:
    # The same bars as every other command; imported late, since that module imports this one.
    from glotmix.cli.options import job

    return job(recipe, overrides, quiet)
