"""`glotmix align report` and `donors`: how aligned a model is, and which languages help which."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
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

    code = None if pivot is None else parse(pivot).code
    asked = _Asked(checkpoint, text, key, only, sentences, draws, seed, quiet)
    _answer(asked.measured(asked.texts(), code), None, page, table, as_json)


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
    from glotmix.align.donors import donors as found_of
    from glotmix.mix.run_tables import read

    asked = _Asked(checkpoint, text, key, only, sentences, draws, seed, quiet)
    texts = asked.texts()
    given = None if runs is None else read("olmix", runs / "ratios.csv", runs / "metrics.csv")
    if given is not None and only is None:
        texts = {lang: texts[lang] for lang in given.canonical().domains if lang in texts} or texts
    found = asked.measured(texts, None, every_two(texts))
    _answer(found, found_of(asked.model, found, texts, given, seed), page, table, as_json)


@dataclass
class _Asked:
    """What both commands are given."""

    checkpoint: str
    text: Path
    key: str
    only: list[str] | None
    sentences: int
    draws: int
    seed: int
    quiet: bool

    def texts(self) -> dict[str, dict[str, str]]:
        from glotmix.evaluate.texts import read

        return read(self.text, self.key, self.only)

    @cached_property
    def model(self) -> Any:
        from glotmix.align.states import load

        return load(self.checkpoint)

    def measured(
        self, texts: Mapping[str, Mapping[str, str]], pivot: str | None, pairs: list[tuple[str, str]] | None = None
    ) -> "Alignment":
        from glotmix.align.alignment import report as found_of
        from glotmix.cli.progress import lines

        tell = (lambda what, done, total: None) if self.quiet else lines()
        return found_of(self.model, texts, pivot, self.sentences, self.draws, self.seed, tell, pairs)


def _answer(found: "Alignment", told: "Donors | None", page: Path | None, table: Path | None, as_json: bool) -> None:
    """Write page and table, and say what was asked for: of donors, if there are any."""
    if page is not None:
        from glotmix.report import alignment

        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(alignment.render(found.as_dict(), None if told is None else told.as_dict()), "utf-8")
    if table is not None:
        import pyarrow.parquet as pq

        table.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table((found if told is None else told).table(), table)
    if as_json:
        said = (found if told is None else told).as_dict() | {"page": None if page is None else str(page)}
        print_json(said)
        return
    if told is None:
        _show(found)
    else:
        _show_donors(told)
    for name, path in (("page", page), ("table", table)):
        if path is not None:
            typer.echo(f"{name}: {path}")


def _show(found: "Alignment") -> None:

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


def _show_donors(told: "Donors") -> None:
    from glotmix.align.donors import ranked
    from glotmix.cli import terminal

    console = terminal.console()
    console.print(told.sentence)
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
