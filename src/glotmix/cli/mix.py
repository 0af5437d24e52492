"""`glotmix mix`: from a stock of text to proxies, laws and a mixture; each command leaves files that the next reads."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from glotmix.cli.mix_options import (
    DryRun,
    Fit,
    Output,
    Page,
    Seed,
    Stock,
    mixture_file,
    parts,
    read_runs,
    waiting,
    watched,
)
from glotmix.cli.options import AsJson, print_json
from glotmix.cli.train import train
from glotmix.core.errors import RequestError
from glotmix.native.threads import one_thread

if TYPE_CHECKING:
    from glotmix.mix.runs import Runs


class _RecipeByDefault(TyperGroup):
    """`glotmix mix recipe.yaml` is `glotmix mix recipe recipe.yaml`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See click: put the command's name first where a recipe stands alone."""
        named = any(arg in self.commands for arg in args)
        if not named and any(arg.endswith((".yaml", ".yml")) for arg in args):
            args = ["recipe", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="mix",
    cls=_RecipeByDefault,
    help="How much of each language: design proxies, fit laws to their losses, solve for the best mixture, compare.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command("train")(train)


@app.command()
def design(
    stock: Stock,
    tokens: Annotated[float | None, typer.Option(help="training tokens of a proxy", show_default=False)] = None,
    minutes: Annotated[
        float | None, typer.Option(help="instead of tokens: as many as can be trained here in so many minutes")
    ] = None,
    output: Output = Path("design"),
    target: Annotated[
        float | None,
        typer.Option(help="training tokens of the model to be; proxies then repeat as it would"),
    ] = None,
    parameters: Annotated[
        list[float] | None,
        typer.Option(help="size of the proxies; of several, half of the mixtures at each but the first"),
    ] = None,
    phases: Annotated[
        str | None,
        typer.Option(
            help="parts of the tokens, such as 0.7,0.3: schedules instead, each phase with a mixture of its own"
        ),
    ] = None,
    one_size: Annotated[
        bool, typer.Option("--one-size", help="with a target: no second size, no runs that repeat less")
    ] = False,
    runs: Annotated[
        int | None,
        typer.Option(
            min=1, help="mixtures; by default 2 a language, 1 of a further round; 3 (m + 1) if it is the only"
        ),
    ] = None,
    near: Annotated[
        float | None,
        typer.Option(help="part of them near UniMax, in pairs: 0.4, and of an only round 2/3; 0 for RegMix's design"),
    ] = None,
    monolingual: Annotated[int, typer.Option(min=0, help="budgets of each language alone; Climb's laws need 3")] = 0,
    alone: Annotated[int | None, typer.Option(hidden=True)] = None,
    seeds: Annotated[int, typer.Option(min=1, help="seeds of the mixtures that are repeated")] = 1,
    repeated: Annotated[int, typer.Option(min=0, help="mixtures that are trained with every seed")] = 0,
    temperature: Annotated[float, typer.Option(help="of the natural mixture that the others lie around")] = 2.0,
    max_epochs: Annotated[float | None, typer.Option(help="no mixture repeats a language more often")] = None,
    seed: Seed = 0,
    after: Annotated[
        Path | None,
        typer.Option(
            help="a folder of glotmix mix solve: the next round, seeds of the mixture that it found and pairs near it"
        ),
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Design proxy runs: some near UniMax, more wide, at two sizes; repeats matched to the target's."""
    from dataclasses import replace

    from glotmix.mix import files
    from glotmix.mix.design import FIRST_NEAR, Design, design, first, further
    from glotmix.mix.phases import staged_design
    from glotmix.mix.run_tables import write_mixtures

    if alone is not None:
        raise RequestError("--alone is called --monolingual now", f"--monolingual {alone}")
    if (tokens is None) == (minutes is None):
        raise RequestError("give the tokens of a proxy or the minutes for all: one of the two", "--minutes 30")
    asked = Design(
        tokens=1.0 if tokens is None else tokens,
        parameters=tuple(parameters or ()),
        runs=runs,
        near=near if near is not None else FIRST_NEAR if runs is None else Design.near,
        one_size=one_size,
        monolingual=monolingual,
        seeds=seeds,
        repeated=repeated,
        temperature=temperature,
        target=target,
        max_epochs=max_epochs,
        seed=seed,
    )
    there = files.read_stock(stock)

    def made(asked: Design) -> "Runs":
        if phases is not None:
            return staged_design(there, asked, parts(phases))
        if after is None:
            return design(there, replace(asked, runs=runs or first(sum(size > 0 for size in there.tokens))))
        best = files.read_best(after)
        if best is None:
            raise RequestError(f"{after}: no runs spoke for this mixture", "leave out --after")
        if runs is None and files.settled(after):
            raise RequestError(
                f"{after}: further runs are not expected to change the mixture by a tenth of a seed's noise",
                "take it; or say how many runs all the same: --runs 8",
            )
        return further(there, asked, best)

    planned = made(asked)
    if minutes is not None:
        from glotmix.proxy.cost import tokens_in

        sizes = planned.parameters if planned.parameters is not None else [3e5] * len(planned)
        asked = replace(asked, tokens=tokens_in(minutes, [float(p) for p in sizes]))
        planned = made(asked)
    told = {
        "made_from": {stock.name: files.digest(mixture_file(stock))},
        "asked": {**vars(asked), "parameters": list(asked.parameters), "after": None if after is None else after.name},
        "runs": len(planned),
        "languages": list(planned.domains),
        "tokens_in_all": float(planned.tokens.sum()) if planned.tokens is not None else None,
    }
    if not dry_run:
        write_mixtures(output / "ratios.csv", planned)
        files.save(output / "design.json", told)
    if as_json:
        print_json(told | {"files": [] if dry_run else [str(output / n) for n in ("ratios.csv", "design.json")]})
    else:
        from glotmix.cli.show_mix import show_design

        show_design(planned, None if dry_run else output, first=after is None and phases is None and runs is None)


@app.command()
def fit(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="folders with ratios.csv and metrics.csv, one a round, or the two files", show_default=False
        ),
    ],
    output: Output = Path("fit"),
    shape: Annotated[str, typer.Option("--format", help="olmix or regmix")] = "olmix",
    law: Annotated[list[str] | None, typer.Option(help="a law that competes; by default all that can")] = None,
    folds: Annotated[int, typer.Option(min=2, help="of the cross-validation")] = 5,
    seed: Seed = 0,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Fit laws to runs; each target's law is chosen by its error on mixtures that it has not seen."""
    from glotmix.mix import files
    from glotmix.mix.law_fit import choose_each, missing
    from glotmix.mix.laws import competing
    from glotmix.mix.laws import law as known
    from glotmix.mix.repeat_worth import discounted

    table = discounted(read_runs(runs, shape))
    laws = tuple(law or competing())
    lacking = {name: why for name in laws if (why := missing(table, table.targets[0], known(name))) is not None}
    told: dict[str, Any] = {"laws": list(laws), "folds": folds, "seed": seed, "source": [path.name for path in runs]}
    if dry_run:
        told |= {"runs": len(table), "languages": list(table.domains), "targets": list(table.targets)}
        told |= {"competing": [name for name in laws if name not in lacking], "lacking": lacking}
        choices = []
    else:
        with one_thread():
            each = choose_each(table, laws, folds, seed)
            choices = list(watched(each, len(table.targets), "laws of"))
        told = files.write_fit(output, table, choices, told)
    if as_json:
        print_json(told)
    else:
        from glotmix.cli.show_mix import show_fit

        show_fit(table, choices, lacking, None if dry_run else output)


@app.command()
def solve(
    fitted: Fit,
    stock: Stock,
    settings: Annotated[
        list[str] | None,
        typer.Argument(help="key=value of the recipe's mix section: tokens=1e9 objective=worst", show_default=False),
    ] = None,
    output: Output = Path("mixture"),
    page: Page = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Solve for the best mixture under the limits, with intervals, beside every baseline."""
    from glotmix.mix import files
    from glotmix.mix.plan import plan, write
    from glotmix.pipeline import recipe

    config = recipe.mix_section(settings or (), fitted=True)
    runs, choices, _ = files.read_fit(fitted)
    there = files.read_stock(stock)
    if dry_run:
        # The limits are checked, and what the bootstrap would take is left out.
        config = config.model_copy(update={"bootstrap": 0})
    made = plan(there, config, fitted=(runs, choices))
    sources = {files.FIT: fitted / files.FIT, stock.name: mixture_file(stock)}
    told = {
        "made_from": {name: files.digest(path) for name, path in sources.items()},
        "settings": config.model_dump(mode="json", exclude_defaults=True),
    }
    if not dry_run:
        write(made, output)
        files.save(output / "solve.json", told)
        if page is not None:
            from glotmix.report import mixing

            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(mixing.render(output / files.MIXTURE), "utf-8")
    if as_json:
        mixture_ = {row.lang: row.share for row in made.mixture.rows}
        print_json(told | {"mixture": mixture_, "gains": list(made.gains), "warnings": list(made.warnings)}
               | {"evidence": made.evidence})  # fmt: skip
    else:
        from glotmix.cli.show_mix import show_mixture

        show_mixture(made, None if dry_run else output, page, files.stock_unit(stock))


@app.command()
def compare(
    fitted: Fit,
    mixtures: Annotated[
        list[Path],
        typer.Argument(help="mixture.json (alone: with its baselines) or CSVs with lang and share", show_default=False),
    ],
    weight: Annotated[
        list[str] | None, typer.Option(metavar="TARGET=WEIGHT", help="importance of a target in the mean; 1 by default")
    ] = None,
    draws: Annotated[int, typer.Option(min=20, help="of the bootstrap over runs")] = 100,
    seed: Seed = 0,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="write the comparison as JSON")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare mixtures: the loss that the runs predict for each, and whether they can tell them apart.

    Repeats count as in the first mixture, if that is a mixture.json; else nothing repeats.
    """
    from dataclasses import asdict

    import numpy as np

    from glotmix.mix import files
    from glotmix.mix.compare import compare
    from glotmix.mix.optimum import weights_of
    from glotmix.pipeline import recipe

    runs, choices, _ = files.read_fit(fitted)
    weights = weights_of(runs, recipe.mix_section([f"weights.{pair}" for pair in weight or ()]).weights)
    named = {}
    for path in mixtures:
        found = files.read_mixture(path)
        for name, shares in found.items():
            if len(mixtures) == 1:
                named[name] = shares
            elif name in ("chosen", path.stem):
                where = path if path.is_dir() else path.parent if path.name == files.MIXTURE else Path(path.stem)
                named[where.name if where.name not in named else str(path)] = shares
    if len(named) < 2:
        raise RequestError("one mixture has nothing to be compared with", "glotmix mix compare FIT ONE.csv OTHER.csv")
    shares_of = {name: files.shares_of(shares, runs.domains, name) for name, shares in named.items()}
    stock = files.read_unique(mixtures[0])
    unique = None if stock is None else np.array([stock.get(domain, 0.0) for domain in runs.domains])
    with one_thread(), waiting(f"fitting {draws} times for the intervals"):
        made = compare(runs, choices, shares_of, weights, unique, draws, seed)
    told = asdict(made) | {
        "made_from": {str(path): files.digest(mixture_file(path)) for path in (fitted / files.FIT, *mixtures)}
    }
    if output is not None:
        files.save(output, told)
    if as_json:
        print_json(told)
    else:
        from glotmix.cli.show_mix import show_comparison

        show_comparison(made, output)


@app.command()
def phases(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="a folder with ratios.csv and metrics.csv of schedules, then the stock", show_default=False
        ),
    ],
    output: Output = Path("phases"),
    as_json: AsJson = False,
) -> None:
    """Find the best schedule over phases, beside the best constant mixture, and say whether phases bring anything.

    The runs' columns are eng_Latn@1, eng_Latn@2, …; then the stock and settings of the recipe's mix section follow.
    """
    from dataclasses import asdict

    from glotmix.cli import terminal
    from glotmix.mix import files
    from glotmix.mix.phases import staged_by
    from glotmix.pipeline import recipe

    if len(runs) < 2:
        raise RequestError("give the folder of the runs and the stock", "glotmix mix phases RUNS STOCK tokens=1e9")
    folder, stock, *settings = runs
    config = recipe.mix_section([str(word) for word in settings])
    with one_thread(), waiting("fitting laws of schedules"):
        found = staged_by(files.read_stock(stock), config, read_runs([folder], "olmix"))
    told = asdict(found) | {"made_from": {stock.name: files.digest(mixture_file(stock))}}
    files.save(output / "phases.json", told)
    if as_json:
        print_json(told)
        return
    mixtures = [(f"phase {k}, {part:.0%} of the tokens", shares)
                for k, (part, shares) in enumerate(zip(found.parts, found.phases, strict=True), start=1)]  # fmt: skip
    for name, shares in (*mixtures, ("constant mixture", found.constant), ("unimax", found.prior)):
        ordered = sorted(shares.items(), key=lambda pair: -pair[1])
        typer.echo(f"{name}: " + ", ".join(f"{lang} {share:.1%}" for lang, share in ordered))
    for said in found.warnings:
        terminal.warn(said)
    typer.echo(found.said)
    typer.echo(str(output / "phases.json"))


@app.command()
def reuse(
    runs: Annotated[
        list[Path],
        typer.Argument(help="a folder with ratios.csv and metrics.csv, or the two files", show_default=False),
    ],
    changed: Annotated[list[str] | None, typer.Option(help="a language or cell whose text is another now")] = None,
    added: Annotated[list[str] | None, typer.Option(help="one that is new")] = None,
    output: Output = Path("valid"),
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Say which runs still hold when sources change, write their tables, and say how few runs to add."""
    import numpy as np

    from glotmix.mix.reuse import reuse
    from glotmix.mix.run_tables import write

    table = read_runs(runs, "olmix")
    found = reuse(table, changed or (), added or ())
    if found.valid and not dry_run:
        write(table.take(np.array([table.names.index(name) for name in found.valid])), output)
    if as_json:
        print_json({"valid": list(found.valid), "spent": list(found.spent), "wanted": found.wanted})
        return
    typer.echo(f"{len(found.valid)} of {len(table)} runs still hold; {len(found.spent)} drew on what changed")
    typer.echo(f"runs to add, some with every cell that changed or is new: {found.wanted}")
    if found.valid and not dry_run:
        typer.echo(f"{output / 'ratios.csv'}, metrics.csv")
