"""`glotmix mix train`: from a design and text to the losses of its proxies."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from glotmix.cli.options import print_json

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress")]


def train(
    design: Annotated[
        Path, typer.Argument(help="what glotmix mix design left: a folder, or its ratios.csv", show_default=False)
    ],
    text: Annotated[
        Path,
        typer.Argument(help="a folder of Parquet files with lang and text: a corpus, a data set", show_default=False),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Argument(help="key=value of the recipe's mix.proxies: batch=4 device=cuda", show_default=False),
    ] = None,
    cells: Annotated[
        str | None,
        typer.Option(help="of a design over cells (eng_Latn/web): the column that cuts languages in them, as source"),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="the folder to write")] = Path("runs"),
    runner: Annotated[str, typer.Option(help="local, or ray for one task per ensemble")] = "local",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be trained; train nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON, and nothing else")] = False,
    quiet: Quiet = False,
) -> None:
    """Train the proxies of a design, many as one program; interrupted, the same command goes on."""
    from glotmix.cli.progress import Bars
    from glotmix.core import lock, record, table
    from glotmix.core.errors import RequestError
    from glotmix.pipeline.recipe import section
    from glotmix.proxy import VERSION
    from glotmix.proxy import design as designs
    from glotmix.proxy.config import ProxiesConfig
    from glotmix.proxy.cost import predict, spoken
    from glotmix.proxy.need import installed, need
    from glotmix.proxy.size import vocabulary
    from glotmix.proxy.train import make, units

    config = section("mix.proxies", ProxiesConfig, settings or ())
    path = design / "ratios.csv" if design.is_dir() else design
    asked = designs.read(path, config)
    files = table.shards(text) if text.is_dir() else [text] if text.is_file() else []
    if not files:
        raise RequestError(f"there is no text at {text}", "a folder of Parquet files with the columns lang and text")
    ensembles = units(asked, config.vocabulary or vocabulary(min(run.parameters for run in asked.runs)), config)
    measured = len(asked.languages) * config.held_bytes // 3
    if dry_run:
        told = [
            {"parameters": u.shape.parameters, "runs": len(u.runs), "tokens": len(u.runs) * u.tokens(config),
             "operations": len(u.runs) * u.tokens(config) * u.shape.flops}
            for u in ensembles
        ]  # fmt: skip
        if as_json:
            print_json(told)
        else:
            for row in told:
                typer.echo(
                    f"{row['runs']:>4} proxies of {row['parameters']:,} parameters, {row['tokens']:,} tokens, "
                    f"{row['operations']:.2g} operations"
                )
            cost = predict(ensembles, config, measured, probe=installed())
            here = "" if cost.seconds is None else f"here about {spoken(cost.seconds)} (probed), "
            typer.echo(f"{here}on a GPU about {spoken(cost.gpu_seconds)} (by operations alone)")
        return
    need("glotmix mix train")
    if not quiet and not as_json:
        cost = predict(ensembles, config, measured)
        typer.echo(f"{len(asked.runs)} proxies: about {spoken(cost.seconds or 0.0)} here, by a probe", err=True)

    given = {f"text/{i}": record.digest_file(file) for i, file in enumerate(files)}
    given |= {"design": record.digest_file(path)}
    tokenizer = None if config.tokenizer is None else Path(config.tokenizer)
    if tokenizer is not None:
        given["tokenizer"] = record.digest_file(tokenizer)
    identity = record.Identity(
        "proxies",
        VERSION,
        config.model_dump(mode="json", exclude={"together", "device", "tokenizer", "earlier"})
        | ({"cells": cells} if cells else {}),
        given,
    )
    # Two that train into one folder would each take the other's checkpoints for its own.
    with lock.held(output, beside=True):
        found = record.build(
            output,
            identity,
            lambda made: make(made, asked, lambda: _documents(files, cells), config, tokenizer, runner),
            None if quiet else Bars(live=False),
        )
    if as_json:
        print_json(found.counts)
    else:
        counts = found.counts
        typer.echo(f"{counts['runs']} proxies, {counts['tokens']:,} tokens: {output / 'ratios.csv'}, metrics.csv")


def _documents(files: list[Path], cells: str | None) -> Iterator[tuple[str, str]]:
    """Yield language, or cell by the column that cuts languages in them, and text."""
    from glotmix.core import table
    from glotmix.mix import cell_tables

    for file in files:
        rows = table.read([file], ["lang", "text"])
        names = rows["lang"].to_pylist()
        if cells is not None:
            parts = cell_tables.parts(file, rows, cells).to_pylist()
            names = [f"{lang}/{part}" for lang, part in zip(names, parts, strict=True)]
        yield from zip(names, rows["text"].to_pylist(), strict=True)
