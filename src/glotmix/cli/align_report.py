"""`glotmix align report` and `donors`: how aligned a model is, and which languages help which."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glotmix.cli.options import AsJson, Quiet, print_json

if TYPE_CHECKING:
    from glotmix.align.alignment import Alignment
    from glotmix.align.donors import Donors

Checkpoint = Annotated[
    str,
    typer.Argument(
        help="a checkpoint's folder or name on the hub; or an embedder: static, use, hub:NAME@REVISION, a folder",
        show_default=False,
    ),
]
Text = Annotated[
    Path, typer.Argument(help="a table of lang, text and a key that translations share", show_default=False)
]
Key = Annotated[str, typer.Option(help="the column that translations share")]
Only = Annotated[list[str] | None, typer.Option("--only", metavar="CODE", help="look at these languages alone")]
Sentences = Annotated[int, typer.Option(min=10, help="sentences that are read of a language, at most; 50 are stable")]
Page = Annotated[Path | None, typer.Option(help="write a page, one HTML file that opens offline")]
Table = Annotated[Path | None, typer.Option(help="write every figure, a Parquet file")]
Draws = Annotated[int, typer.Option(min=100, help="draws of the bootstrap over sentences")]
Seed = Annotated[int, typer.Option(help="of the draws")]
NAMES = ("d_prime", "p1", "mexa", "gap")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(report)
    app.command()(donors)


def report(
    checkpoint: Checkpoint,
    text: Text,
    key: Key = "id",
    only: Only = None,
    pivot: Annotated[
        str | None, typer.Option(help="compare each language with this one alone", show_default=False)
    ] = None,
    sentences: Sentences = 500,
    page: Page = None,
    table: Table = None,
    draws: Draws = 500,
    seed: Seed = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say how aligned a model's languages are, layer by layer, beside the lexical floor of its tokenizer."""
    from glotmix.core.language import parse

    texts, model = _read(text, key, only), _model(checkpoint)
    code = None if pivot is None else parse(pivot).code
    found = _measured(model, texts, code, sentences, draws, seed, quiet)
    _write(found, None, page, table)
    if as_json:
        print_json(found.as_dict() | {"page": page and str(page)})
    else:
        _show(found, page, table)


def donors(
    checkpoint: Checkpoint,
    text: Text,
    runs: Annotated[
        Path | None,
        typer.Option(help="a folder of runs with ratios.csv and metrics.csv: what was measured of transfer"),
    ] = None,
    key: Key = "id",
    only: Only = None,
    sentences: Sentences = 300,
    page: Page = None,
    table: Table = None,
    draws: Draws = 100,
    seed: Seed = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say which languages may help which: a model's similarity, pieces in common, script, family, measured transfer."""
    from glotmix.align.alignment import every_two
    from glotmix.align.donors import donors as asked
    from glotmix.mix.run_tables import read

    texts, model = _read(text, key, only), _model(checkpoint)
    given = None if runs is None else read("olmix", runs / "ratios.csv", runs / "metrics.csv")
    if given is not None and only is None:
        texts = {lang: texts[lang] for lang in given.canonical().domains if lang in texts} or texts
    found = _measured(model, texts, None, sentences, draws, seed, quiet, every_two(texts))
    told = asked(model, found, texts, given, seed)
    _write(found, told, page, None)
    if table is not None:
        _parquet(told.table(), table)
    if as_json:
        print_json(told.as_dict() | {"sentence": told.sentence})
    else:
        _show_donors(told, page, table)


def _read(text: Path, key: str, only: list[str] | None) -> dict[str, dict[str, str]]:
    from glotmix.evaluate.texts import read

    return read(text, key, only)


def _model(checkpoint: str) -> Any:
    from glotmix.align.states import load

    return load(checkpoint)


def _measured(
    model: Any,
    texts: Mapping[str, Mapping[str, str]],
    pivot: str | None,
    sentences: int,
    draws: int,
    seed: int,
    quiet: bool,
    pairs: list[tuple[str, str]] | None = None,
) -> "Alignment":
    from glotmix.align.alignment import report as measured
    from glotmix.cli.progress import lines

    tell = (lambda what, done, total: None) if quiet else lines()
    return measured(model, texts, pivot, sentences, draws, seed, tell, pairs)


def _write(found: "Alignment", told: "Donors | None", page: Path | None, table: Path | None) -> None:
    if page is not None:
        from glotmix.report import alignment

        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(alignment.render(found.as_dict(), None if told is None else told.as_dict()), "utf-8")
    if table is not None:
        _parquet(found.table(), table)


def _parquet(rows: Any, path: Path) -> None:
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, path)


def _show(found: "Alignment", page: Path | None, table: Path | None) -> None:

    from glotmix.cli import terminal

    console = terminal.console()
    shown = terminal.table("languages", "n", "layer", "d′", "floor", "P@1", "floor", "MEXA", "gap",
                           title=f"{found.model}: best layer above the lexical floor")  # fmt: skip
    for pair in found.pairs:
        best = pair.best
        floor = {name: f"{pair.floor[name].value:.2f}" for name in NAMES}
        said = {name: "–" if best is None else f"{best.figures[name].value:.2f}" for name in NAMES}
        if best is not None:
            said["d_prime"] += f" [{best.figures['d_prime'].low:.1f} {best.figures['d_prime'].high:.1f}]"
        shown.add_row(
            f"{pair.a} {pair.b}", f"{pair.n:,}", best.layer if best else "not shown", said["d_prime"],
            floor["d_prime"], said["p1"], floor["p1"], said["mexa"], said["gap"],
        )  # fmt: skip
    console.print(shown)
    for warning in found.warnings:
        terminal.warn(warning)
    _say_files(page, table)


def _show_donors(told: "Donors", page: Path | None, table: Path | None) -> None:
    from glotmix.align.donors import ranked
    from glotmix.cli import terminal

    console = terminal.console()
    by = "measured transfer" if told.transfer is not None else "similarity"
    shown = terminal.table("language", f"may be helped by (by {by})")
    for lang in told.languages:
        shown.add_row(lang, ", ".join(ranked(told, lang)))
    console.print(shown)
    for one in told.worth:
        said = "–" if one.value is None else f"{one.value:.2f} [{one.low:.2f} {one.high:.2f}]"
        console.print(f"{one.name:12} Spearman {said}")
    if told.decision is not None:
        d = told.decision
        used = "used" if d.used else "not used"
        console.print(
            f"as a prior where runs are few: {used} ({d.gain:+.1%} of the error, {d.low:+.1%} to {d.high:+.1%})"
        )
    console.print(told.sentence)
    _say_files(page, table)


def _say_files(page: Path | None, table: Path | None) -> None:
    for name, path in (("page", page), ("table", table)):
        if path is not None:
            typer.echo(f"{name}: {path}")
