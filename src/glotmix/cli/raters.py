"""`glotmix raters`: thin commands over the rooms; nothing heavy is imported before a command needs it."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glotmix.cli.options import AsJson, print_json
from glotmix.core import files, json_text
from glotmix.core.errors import DataError, RequestError

if TYPE_CHECKING:
    from glotmix.core.section import Recipe
    from glotmix.quality.raters_config import RatersConfig

app = typer.Typer(
    name="raters",
    help="Many raters, one score, every language: ask, join, carry across, audit.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

RecipePath = Annotated[Path, typer.Argument(help="the recipe, a YAML file", show_default=False)]
Overrides = Annotated[
    list[str] | None, typer.Argument(help="section.key=value, as often as needed", show_default=False)
]
Output = Annotated[Path, typer.Option("--output", "-o", help="the file that is written")]


@app.command("next")
def next_pairs(
    recipe: RecipePath,
    output: Output,
    overrides: Overrides = None,
    pairs: Annotated[int, typer.Option(min=1, help="pairs to judge; each is asked in both orders")] = 500,
    only: Annotated[str | None, typer.Option(help="documents of this language; the reference by default")] = None,
    as_json: AsJson = False,
) -> None:
    """Choose the pairs whose judgement would tell most, and write them as tasks for a judge."""
    import numpy as np

    from glotmix.core import language
    from glotmix.quality import active, ask, joined, raters_config

    section, base, seed = _section(recipe, overrides)
    texts = joined.documents(files.placed(base, section.documents))
    lang = language.parse(only or section.reference).code
    rows = np.flatnonzero(np.asarray(texts["lang"].to_pylist(), object) == lang)
    if len(rows) < 2:
        raise DataError(f"{section.documents} has {len(rows)} documents of {lang}: no pair can be judged")
    given, precision = np.zeros(len(rows)), np.full(len(rows), section.ridge)
    judged: set[tuple[int, int]] = set()
    if section.columns or section.verdicts:
        made = joined.join(section, base, seed, draws=100)
        given, precision = made.fit.scores[rows], made.fit.precision[rows]
        columns = len(section.columns)
        by_judges = ~np.isnan(made.comparisons.preferred[:, columns:]).all(axis=1)
        at = {int(row): number for number, row in enumerate(rows)}
        ends = zip(made.comparisons.left[by_judges], made.comparisons.right[by_judges], strict=True)
        judged = {(min(at[a], at[b]), max(at[a], at[b])) for a, b in ends if a in at and b in at}
        if columns and not section.verdicts:
            # Columns vote on as many pairs as one likes; what a judge has not said is not known.
            precision = np.full(len(rows), raters_config.RIDGE)
    left, right = active.next_pairs(given, precision, pairs, seed, judged)
    ids = texts["id"].take(rows).to_pylist()
    shown = dict(zip(ids, texts["text"].take(rows).to_pylist(), strict=True))
    chosen = [(ids[a], ids[b]) for a, b in zip(left.tolist(), right.tolist(), strict=True)]
    written = ask.write(ask.tasks(chosen, shown, section.ask), output)
    _tell(
        {"pairs": len(chosen), "tasks": written, "judged_before": len(judged), "language": lang, "file": str(output)},
        as_json,
        f"{written} tasks for {len(chosen)} pairs of {lang} in {output}; {len(judged)} pairs were judged before",
    )


@app.command()
def ask(
    recipe: RecipePath,
    tasks: Annotated[Path, typer.Argument(help="the tasks that `glotmix raters next` wrote", show_default=False)],
    output: Output,
    overrides: Overrides = None,
    budget: Annotated[int | None, typer.Option(min=1, help="ask at most so many tasks in this run")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="count what would be asked; ask nothing")] = False,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress")] = False,
) -> None:
    """Put tasks to an OpenAI-compatible endpoint and append the verdicts; goes on where it was stopped."""
    from dataclasses import asdict

    from glotmix.quality import ask as asking

    section, _, _ = _section(recipe, overrides)
    key = None if dry_run else asking.key_of(section.ask, os.environ)

    def advance(done: int, total: int) -> None:
        if not quiet and (done == total or done % 100 == 0):
            print(f"{done:,} of {total:,} asked", file=sys.stderr)

    found = asking.ask(tasks, output, section.ask, key, budget, dry_run, advance)
    what = f"{found.tasks:,} tasks: {found.before:,} answered before, "
    if dry_run:
        what += f"{found.left:,} to ask" + (f", {min(budget, found.left):,} of them now" if budget else "")
    else:
        what += f"{found.answered:,} now, {found.nonsense:,} in the quarantine, "
        what += f"{found.failed:,} failed, {found.left:,} left"
        what += f"; {found.recovered:,} of the quarantine are understood now" if found.recovered else ""
    _tell(asdict(found) | {"file": str(output)}, as_json, what)


@app.command()
def translate(
    recipe: RecipePath,
    output: Annotated[Path, typer.Option("--output", "-o", help="the table that is written: documents, translations")],
    into: Annotated[list[str], typer.Option(help="a language; as often as needed", show_default=False)],
    overrides: Overrides = None,
    command: Annotated[
        str | None,
        typer.Option(help="a program that reads lines and writes lines: 'program {source} {target}'; see the page"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="count what would be translated")] = False,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress")] = False,
) -> None:
    """Translate the documents, by a program or by the endpoint of raters.ask; goes on where it was stopped."""
    from glotmix.core import table
    from glotmix.quality import ask as asking
    from glotmix.quality import joined, pairs, translators

    section, base, _ = _section(recipe, overrides)
    given = joined.documents(files.placed(base, section.documents))
    counted: list[int] = []

    def count(texts: Sequence[str], source: str, target: str) -> Sequence[str]:
        counted.append(len(texts))
        return texts

    pairs.translated(given, count, into)
    total, memory = sum(counted), output.with_name(f"{output.stem}.translations.jsonl")
    if dry_run:
        _tell({"documents": given.num_rows, "to_translate": total}, as_json, f"{total:,} texts to translate")
        return
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if not quiet:
            print(f"{done:,} of at most {total:,} translated", file=sys.stderr)

    if command is not None:
        translator = translators.by_command(command)
    else:
        translator = translators.by_endpoint(section.ask, asking.key_of(section.ask, os.environ))
    made = pairs.translated(given, translators.remembered(translator, memory, advance), into)
    output.parent.mkdir(parents=True, exist_ok=True)
    table.write(made, output)
    told = {"documents": made.num_rows, "translations": total, "made_now": done, "file": str(output)}
    _tell(told, as_json, f"{made.num_rows:,} documents in {output}, {total:,} of them translations, {done:,} made now")


@app.command()
def join(
    recipe: RecipePath,
    output: Annotated[Path, typer.Option("--output", "-o", help="the folder that is written")],
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Join all raters into one score, and say which of them can be believed."""
    from glotmix.quality import joined

    section, base, seed = _section(recipe, overrides)
    made = joined.join(section, base, seed)
    joined.write(made, output)
    if as_json:
        print_json(made.as_dict() | {"folder": str(output)})
    else:
        from glotmix.cli.show_raters import show_joined

        show_joined(made.as_dict(), output)


@app.command()
def train(
    recipe: RecipePath,
    output: Annotated[Path, typer.Option("--output", "-o", help="the folder that is written")],
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Join all raters, carry them across languages, compare the ways, audit the result, and save it."""
    from glotmix.embed.choose import load
    from glotmix.quality import train_cross_lingual

    found, section = _raters(recipe, overrides)
    base, seed = recipe.parent, found.seed
    models = {one.called: one.model for one in found.signals.embed}
    embedders = {name: load(models.get(name, name), base) for name in section.embedders}
    made = train_cross_lingual.make(section, base, seed, output, embedders, models)
    if as_json:
        print_json(made | {"folder": str(output)})
    else:
        from glotmix.cli.show_raters import show_audit

        show_audit(made)
        typer.echo(f"rater: {output}")


@app.command()
def audit(
    folder: Annotated[Path, typer.Argument(help="the folder that `glotmix raters train` wrote", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Print the audit of a carried rater: pairwise beside pointwise, language by language, with intervals."""
    from glotmix.quality.cross_lingual import AUDIT

    path = folder / AUDIT
    if not path.is_file():
        raise DataError(f"there is no audit in {folder}", "glotmix raters train RECIPE -o FOLDER writes one")
    try:
        found = json_text.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}", f"glotmix raters train RECIPE -o {folder} writes it") from None
    if as_json:
        print_json(found)
    else:
        from glotmix.cli.show_raters import show_audit

        show_audit(found)


def _section(recipe: Path, overrides: list[str] | None) -> tuple["RatersConfig", Path, int]:
    found, section = _raters(recipe, overrides)
    return section, recipe.parent, found.seed


def _raters(recipe: Path, overrides: list[str] | None) -> tuple["Recipe", "RatersConfig"]:
    from glotmix.pipeline import recipe as recipes

    found = recipes.load(recipe, overrides or ())
    if found.raters is None:
        raise RequestError(f"{recipe} has no section raters", "docs/raters.md shows one")
    return found, found.raters


def _tell(result: dict[str, Any], as_json: bool, text: str) -> None:
    print_json(result) if as_json else typer.echo(text)
