"""`glotmix combine`: which cells of text to take for what they do together; each command leaves files for the next."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glotmix.cli.options import AsJson, Quiet, print_json

if TYPE_CHECKING:
    from glotmix.cli.progress import Bars
    from glotmix.combine.config import CombinationsConfig

app = typer.Typer(
    name="combine",
    help="Sets chosen for what they do together: cells of text, subsets tried by small models, a law, the best set.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Folder = Annotated[Path, typer.Argument(help="the folder that glotmix combine design filled", show_default=False)]
Page = Annotated[Path | None, typer.Option(help="write a page, one HTML file that opens offline")]


@app.command()
def design(
    documents: Annotated[
        Path,
        typer.Argument(
            help="Parquet, a folder of it, or .jsonl: lang and text, or instruction and response, or messages; source "
            "and quality, where there are such",
            show_default=False,
        ),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Argument(help="key=value of select.combinations: subsets=64 by=quality", show_default=False),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="the folder to fill")] = Path("combine"),
    target: Annotated[
        list[str] | None,
        typer.Option(help="NAME=FILE: other text that the set is chosen for, such as exam questions"),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make cells of documents, clusters of meaning in each source, and draw random subsets of them."""
    from glotmix.cli import terminal
    from glotmix.combine import stages
    from glotmix.core import lock
    from glotmix.core.errors import RequestError

    config = _config(settings or ())
    targets = {}
    for given in target or ():
        name, equals, path = given.partition("=")
        if not equals:
            raise RequestError(f"--target {given} names no file", "--target exam=questions.jsonl")
        targets[name] = Path(path)
    with lock.held(output, beside=True):
        plan = stages.design(output, documents, config, targets or None, watcher=_watcher(quiet))
    told = [
        {"problem": one.name, "cells": len(one.cells), "own": len(one.own), "blocks": one.blocks, "block": one.block}
        | {"subsets": config.subsets, "tokens": config.tokens}
        for one in plan.problems
    ]
    if as_json:
        print_json({"output": str(output), "problems": told})
        return
    table = terminal.table("problem", "cells", "blocks of a subset", "tokens of a block", "subsets")
    for one in plan.problems:
        table.add_row(one.name, str(len(one.cells)), str(one.blocks), f"{one.block:,.0f}", str(config.subsets))
    terminal.console().print(table)
    terminal.console().print(f"next: glotmix combine train {output}", soft_wrap=True)


@app.command()
def train(folder: Folder, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Train a warm start, and every subset on from it; interrupted, the same command goes on."""
    from glotmix.cli import terminal
    from glotmix.cli.progress import lines
    from glotmix.combine import stages, training
    from glotmix.core import lock
    from glotmix.proxy.cost import spoken

    with lock.held(folder, beside=True):
        if not quiet and (told := stages.foretold(folder)) is not None:
            typer.echo(f"{told[0]:,} models: about {spoken(told[1])} here, by a probe", err=True)
        record = stages.train(folder, training.silent if quiet else lines(), _watcher(quiet))
    if as_json:
        print_json({"output": str(folder / stages.LOSSES)} | record.counts)
    else:
        counts = record.counts
        terminal.console().print(f"{counts['models']:,} models read {counts['tokens']:,} tokens", soft_wrap=True)
        terminal.console().print(f"next: glotmix combine fit {folder}", soft_wrap=True)


@app.command()
def fit(folder: Folder, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Fit two laws of what a set is worth, choose between them by held-out subsets, and say what each cell brings."""
    from glotmix.cli import terminal
    from glotmix.combine import stages
    from glotmix.core import lock

    with lock.held(folder, beside=True):
        told = stages.fit(folder, _watcher(quiet))
    if as_json:
        print_json(told)
        return
    table = terminal.table("problem", "law", "rank on held-out subsets", "error", "error of the mean", "speaks")
    for name, one in told["problems"].items():
        for score in one["scores"]:
            chosen = score["law"] == one["law"]
            rank = "–" if score["rank"] is None else f"{score['rank']:.2f}"
            said = ("yes" if one["speaks"] else "no") if chosen else ""
            table.add_row(name, score["law"], rank, f"{score['error']:.4f}", f"{score['error_of_mean']:.4f}", said)
    terminal.console().print(table)
    for name, one in told["problems"].items():
        alike = [f"{one['cells'][i]} and {one['cells'][j]}" for i, j in one["interchangeable"][:5]]
        if alike:
            terminal.console().print(f"{name}: interchangeable: {'; '.join(alike)}", soft_wrap=True)
    terminal.console().print(f"next: glotmix combine choose {folder}", soft_wrap=True)


@app.command()
def choose(folder: Folder, page: Page = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Choose sets by the laws and by simple ways, try each with several seeds, and say which way to take."""
    from glotmix.cli import terminal
    from glotmix.cli.progress import lines
    from glotmix.combine import stages, training
    from glotmix.core import lock

    with lock.held(folder, beside=True):
        found = stages.choose(folder, training.silent if quiet else lines(), _watcher(quiet))
    if page is not None:
        from glotmix.report import combinations

        page.write_text(combinations.render(folder), "utf-8")
    if as_json:
        print_json([one.as_dict() for one in found])
        return
    for one in found:
        table = terminal.table("way to choose", "bits per byte", "less than by chance", title=one.problem)
        for way in one.ways:
            gain = way.over_random
            told = "" if gain is None else f"{gain.value:+.4f} [{gain.low:+.4f} {gain.high:+.4f}]"
            table.add_row(way.way, f"{way.loss.value:.4f}", told)
        terminal.console().print(table)
        terminal.console().print(one.sentence, style="bold", soft_wrap=True)
    terminal.console().print(f"documents of every set: {folder / stages.CHOICE / 'chosen'}", soft_wrap=True)
    if page is not None:
        terminal.console().print(f"page: {page}", soft_wrap=True)


@app.command()
def carry(
    folder: Folder,
    learned: Annotated[
        Path, typer.Argument(help="a folder of other text, or languages, with trained subsets", show_default=False)
    ],
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Choose sets of text on which nothing is trained, by a selector that other text has taught."""
    from glotmix.cli import terminal
    from glotmix.combine import stages
    from glotmix.core import lock

    with lock.held(folder, beside=True):
        told = stages.carry(folder, learned, _watcher(quiet))
    if as_json:
        print_json(told)
        return
    table = terminal.table("learned from", "rank where it is left out")
    for name in told["learned_from"]:
        rank = told["left_out_rank"].get(name)
        table.add_row(name, "–" if rank is None else f"{rank:.2f}")
    terminal.console().print(table)
    terminal.console().print(f"documents: {folder / stages.CARRIED / 'chosen.parquet'}", soft_wrap=True)


def _config(settings: Sequence[str]) -> "CombinationsConfig":
    from glotmix.combine.config import CombinationsConfig
    from glotmix.pipeline.recipe import section

    return section("select.combinations", CombinationsConfig, settings)


def _watcher(quiet: bool) -> "Bars | None":
    from glotmix.cli.progress import Bars

    return None if quiet else Bars(live=False)
