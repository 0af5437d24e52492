"""``glotmix instruct``: instruction data beside the recipe: a model that rates it, other shapes, sweeps of sizes."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from glotmix.cli.options import AsJson, print_json

app = typer.Typer(
    name="instruct",
    help="Instruction data: train what rates it, write it in other shapes, sweep sizes and controls.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class Shape(StrEnum):
    """The shapes of instruction data."""

    ALPACA = "alpaca"
    SHAREGPT = "sharegpt"
    OPENAI = "openai"
    AYA = "aya"
    TRL = "trl"
    OASST = "oasst"


class Outcome(StrEnum):
    """What can be written: a shape, or the sources again with rows removed."""

    ALPACA = "alpaca"
    SHAREGPT = "sharegpt"
    OPENAI = "openai"
    AYA = "aya"
    TRL = "trl"
    OASST = "oasst"
    ORIGINAL = "original"


class Method(StrEnum):
    """Ways to choose."""

    M_DAQ = "m-daq"
    FACILITY_LOCATION = "facility-location"
    MMR = "mmr"
    QUALITY = "quality"
    DIVERSITY = "diversity"
    RANDOM = "random"
    RANDOM_LENGTH = "random-length"


class Form(StrEnum):
    """Forms of the quality scoring model."""

    TRIPLET = "triplet"
    REGRESSION = "regression"


class Looks(StrEnum):
    """What it looks at."""

    MEANING = "meaning"
    BOTH = "both"


RecipePath = Annotated[Path, typer.Argument(help="a recipe of kind instructions", show_default=False)]
Overrides = Annotated[list[str] | None, typer.Argument(help="section.key=value", show_default=False)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress")]
Output = Annotated[Path, typer.Option("--output", "-o", help="the folder that is written", show_default=False)]


@app.command()
def train(
    files: Annotated[list[Path], typer.Argument(help="pairs: Parquet or JSON lines", show_default=False)],
    output: Output,
    language: Annotated[str | None, typer.Option(help="of pairs without a column lang")] = None,
    embedder: Annotated[
        list[str] | None, typer.Option(help="static, use or the folder of an embedder; several stand side by side")
    ] = None,
    form: Annotated[Form, typer.Option(help="M-DaQ's triplets, or CaR's regression")] = Form.TRIPLET,
    looks: Annotated[Looks, typer.Option(help="at embeddings alone, or at the answer's structure, too")] = Looks.BOTH,
    seeds: Annotated[int, typer.Option(min=1, help="models that are trained and averaged")] = 3,
    audits: Annotated[int, typer.Option(min=1, help="splits that the audit judges")] = 3,
    seed: Annotated[int, typer.Option(help="the first of the seeds")] = 0,
    as_json: AsJson = False,
) -> None:
    """Train and audit a quality scoring model on pairs of unrevised and revised answers."""
    from glotmix.embed import choose
    from glotmix.embed.concatenated import side_by_side
    from glotmix.instruct import pairs
    from glotmix.instruct.measures import trained
    from glotmix.instruct.qsm import QsmConfig

    config = QsmConfig(form=form.value, looks=looks.value, seeds=seeds)
    known = pairs.read(files, language)
    model = side_by_side([choose.load(name) for name in embedder or ("static",)])
    counts, found = trained(output, known, model, config, seed, audits)
    if as_json:
        print_json({"counts": counts, "audit": found})
        return
    from glotmix.cli.show_instruct import show_audit

    show_audit(found)
    typer.echo(f"instruct.model: {output}")


@app.command()
def encoder(
    files: Annotated[list[Path], typer.Argument(help="pairs: Parquet or JSON lines", show_default=False)],
    model: Annotated[Path, typer.Option(help="folder of a sentence-transformers model", show_default=False)],
    output: Output,
    language: Annotated[str | None, typer.Option(help="of pairs without a column lang")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="passes over the pairs")] = 2,
    seed: Annotated[int, typer.Option(help="of the split, the order and dropout")] = 0,
    as_json: AsJson = False,
) -> None:
    """Train a whole encoder on M-DaQ's triplets (extras train and hub), and judge it on held-out instructions."""
    from glotmix.instruct import audit, pairs
    from glotmix.instruct import encoder as whole

    known = pairs.read(files, language)
    pairs.enough(known)
    rows, stop, test = pairs.split(known.groups, seed)
    told = whole.train(model, known, rows, stop, whole.EncoderConfig(epochs=epochs), seed, output)
    judged = audit.summary(audit.judge(known, test, whole.distances(output, known, test), seed))
    if as_json:
        print_json({"validation": told, "held_out": judged})
        return
    from glotmix.cli.show_instruct import show_judged

    show_judged(judged)


@app.command()
def checks(recipe: RecipePath, overrides: Overrides = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Check every conversation and print, per language, what fails."""
    with _job(recipe, overrides, quiet) as job:
        job.run("signals/answers")
        from glotmix.core.record import require

        noted: Any = require(job.folder / "signals" / "answers", f"run {recipe}").notes["languages"]
    if as_json:
        print_json(noted)
        return
    from glotmix.cli.show_instruct import show_checks

    show_checks(noted)


@app.command()
def export(
    recipe: RecipePath,
    output: Output,
    shape: Annotated[list[Outcome], typer.Option(help="as often as needed; original removes rows", show_default=False)],
    overrides: Overrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write what the ledger keeps in other shapes, or the sources again with rows removed."""
    with _job(recipe, overrides, quiet) as job:
        job.run("ledger")
        from glotmix.instruct.export import make_shapes

        counts = make_shapes(job.context, [s.value for s in shape], output)
    if as_json:
        print_json(counts)
    else:
        typer.echo("\n".join(f"{name}: {n:,}" for name, n in counts.items()))


@app.command()
def sweep(
    recipe: RecipePath,
    output: Output,
    size: Annotated[list[int] | None, typer.Option(min=1, help="per language; 500, 1000, 2000, … if none")] = None,
    method: Annotated[list[Method] | None, typer.Option(help="m-daq and its four controls if none is named")] = None,
    shape: Annotated[Shape, typer.Option(help="of the files")] = Shape.OPENAI,
    seed: Annotated[int, typer.Option(help="of the methods that draw")] = 0,
    overrides: Overrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write nested selections of growing sizes by M-DaQ and its controls, with a manifest: files to train on."""
    from glotmix.select.diversify import CONTROLS

    with _job(recipe, overrides, quiet) as job:
        job.run("ledger")
        from glotmix.instruct.export import sweep as written

        wanted = list(CONTROLS) if not method else [m.value for m in method]
        sizes = size or [500 * 2**k for k in range(8)]
        manifest = written(job.context, sizes, wanted, shape.value, seed, output)
    if as_json:
        print_json(manifest)
        return
    from glotmix.cli.show_instruct import show_sweep

    show_sweep(manifest)
    typer.echo(f"{len(manifest['selections'])} selections, {output / 'manifest.json'}")


def _job(recipe: Path, overrides: list[str] | None, quiet: bool) -> Any:
    from glotmix.cli.options import job
    from glotmix.core.errors import RequestError
    from glotmix.pipeline.recipe import load

    if load(recipe, overrides or ()).kind != "instructions":
        raise RequestError(f"{recipe} is no recipe of conversations", "kind: instructions")
    return job(recipe, overrides, quiet)
