"""`glotmix eval`: thin commands over the room `evaluate`; nothing heavy is imported before a command needs it."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glotmix.cli.options import AsJson, print_json
from glotmix.core.errors import RequestError

if TYPE_CHECKING:
    from glotmix.evaluate.answers import Answers

app = typer.Typer(
    name="eval",
    help="What a model answers in each language: consistency, fidelity, fair scores, the price of its tokenizer.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class By(StrEnum):
    """How a choice is made from log-likelihoods."""

    raw = "raw"
    chars = "chars"
    bytes = "bytes"


class Mode(StrEnum):
    """MuBench's ways to put an item to a model."""

    en_template = "en_template"
    local_template = "local_template"
    cloze = "cloze"
    mixed = "mixed"


Logs = Annotated[
    list[Path], typer.Argument(help="a folder of lm-eval or lighteval, or tables of answers", show_default=False)
]
Id = Annotated[
    list[str] | None,
    typer.Option(
        "--id",
        metavar="FIELD",
        help="the field that names an item in every language; FIELD,FIELD (or the option again) where several do",
    ),
]
Filter = Annotated[str | None, typer.Option(help="of several filters of a generated answer, the one that counts")]
Metric = Annotated[str | None, typer.Option(help="of several metrics of the log, the one that says what is right")]
Named = Annotated[
    list[str] | None,
    typer.Option("--language", metavar="TASK=CODE", help="the language of a task whose name does not tell it"),
]
Columns = Annotated[
    list[str] | None, typer.Option("--column", metavar="ROLE=NAME", help="a column of a plain table by another name")
]
Only = Annotated[list[str] | None, typer.Option("--only", metavar="CODE", help="look at these languages alone")]
Pivot = Annotated[str | None, typer.Option(help="the language that each other one is compared with")]
Choice = Annotated[By, typer.Option(help="choose by log-likelihood as it is, by character, or by byte")]
Draws = Annotated[int, typer.Option(min=100, help="draws of the bootstrap over items")]
Seed = Annotated[int, typer.Option(help="of the draws")]
Page = Annotated[Path | None, typer.Option(help="write a report page, one HTML file that opens offline")]


@app.command()
def scores(
    logs: Logs,
    pivot: Pivot = None,
    by: Choice = By.raw,
    only: Only = None,
    listed: Annotated[int, typer.Option(min=0, help="items that flip between languages to list, for each task")] = 20,
    page: Page = None,
    identity: Id = None,
    named: Named = None,
    filtered: Filter = None,
    metric: Metric = None,
    column: Columns = None,
    draws: Draws = 1000,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Score one model: accuracy, consistency between languages, and which items flip."""
    from glotmix.evaluate.scores import score

    answers = _read(logs, identity, named, filtered, metric, column)
    found = score(answers, pivot, by.value, _codes(only), listed, draws, seed)
    if page is not None:
        from glotmix.report import evaluation

        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(evaluation.render(scores=found.as_dict()), "utf-8")
    if as_json:
        print_json(found.as_dict() | {"page": None if page is None else str(page)})
    else:
        from glotmix.cli.show_eval import show_scores

        show_scores(found, page)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="one model's log", show_default=False)],
    second: Annotated[Path, typer.Argument(help="the other's, on the same items", show_default=False)],
    pivot: Pivot = None,
    by: Choice = By.raw,
    only: Only = None,
    identity: Id = None,
    named: Named = None,
    filtered: Filter = None,
    metric: Metric = None,
    column: Columns = None,
    draws: Draws = 1000,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Compare two models on the same items, by a paired bootstrap."""
    from glotmix.evaluate.comparison import compare as difference

    one, two = (_read([path], identity, named, filtered, metric, column) for path in (first, second))
    found = difference(one, two, by.value, _codes(only), _code(pivot), draws, seed)
    if as_json:
        print_json(found.as_dict())
    else:
        from glotmix.cli.show_eval import show_comparison

        show_comparison(found)


@app.command()
def tasks(
    items: Annotated[Path, typer.Argument(help="aligned items: a folder of languages, or one table with lang")],
    output: Annotated[Path, typer.Option("--output", "-o", help="the folder that lm_eval --include_path is given")],
    name: Annotated[str, typer.Option(help="the first part of the tasks' names, such as XCOPADataset")],
    mode: Annotated[list[Mode] | None, typer.Option(help="MuBench's modes; all of them if none is named")] = None,
    words: Annotated[Path | None, typer.Option(help="a TSV of lang, question, option, answer over ours")] = None,
    others: Annotated[int, typer.Option(min=1, help="mixed: the most languages that are not English")] = 2,
    seed: Annotated[int, typer.Option(help="mixed: of the draw of languages")] = 0,
    as_json: AsJson = False,
) -> None:
    """Write lm-eval tasks for aligned items, in MuBench's names and modes."""
    from glotmix.evaluate import items as aligned
    from glotmix.evaluate import tasks as written

    found = aligned.read(items)
    chosen: list[Any] = [m.value for m in mode] if mode else list(written.MODES)
    made = written.make(found, name, output, chosen, written.words(words), others, seed)
    each = len(next(iter(found.languages.values())))
    if as_json:
        print_json({"tasks": made, "languages": sorted(found.languages), "items": each, "left_out": found.left_out})
        return
    typer.echo(
        f"{len(made)} tasks of {each} items in {len(found.languages)} languages; {found.left_out} items left out"
    )
    group = made[0].rsplit("_", 1)[0]
    typer.echo(f"lm_eval --model hf --model_args pretrained=… --tasks {group} --include_path {output} --log_samples …")


@app.command()
def fidelity(
    logs: Logs,
    only: Only = None,
    model: Annotated[str, typer.Option(help="the identifier: py3langid, or a fastText model's path")] = "py3langid",
    page: Page = None,
    identity: Id = None,
    named: Named = None,
    filtered: Filter = None,
    metric: Metric = None,
    column: Columns = None,
    as_json: AsJson = False,
) -> None:
    """Say whether answers are in the language of their questions."""
    from glotmix.evaluate.language_fidelity import fidelity as measured
    from glotmix.signals.language_id import label

    answers = _read(logs, identity, named, filtered, metric, column)
    found = measured(answers, lambda texts: label(texts, model), _codes(only))
    if page is not None:
        from glotmix.report import evaluation

        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(evaluation.render(fidelity=found.as_dict()), "utf-8")
    if as_json:
        print_json(found.as_dict())
    else:
        from glotmix.cli.show_eval import show_fidelity

        show_fidelity(found)


@app.command()
def tokenizers(
    tokenizer: Annotated[list[Path], typer.Argument(help="tokenizer.json files, or folders that hold one")],
    texts: Annotated[Path, typer.Option(help="a table of lang, text and a key that parallel texts share")],
    reference: Annotated[str, typer.Option(help="the language that others are compared with")],
    key: Annotated[str, typer.Option(help="the column that parallel texts share")] = "id",
    only: Only = None,
    page: Page = None,
    draws: Draws = 1000,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Audit tokenizers: what each language pays, against a reference on parallel text."""
    from glotmix.evaluate import pieces
    from glotmix.evaluate.texts import read
    from glotmix.evaluate.tokenizers import audit

    loaded = [pieces.load(path) for path in tokenizer]
    parallel = read(texts, key, only)
    found = [audit(each, parallel, _code(reference) or reference, draws, seed) for each in loaded]
    if page is not None:
        from glotmix.report import evaluation

        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(evaluation.render(tokenizers=[each.as_dict() for each in found]), "utf-8")
    if as_json:
        print_json([each.as_dict() for each in found])
    else:
        from glotmix.cli.show_eval import show_audit

        for each in found:
            show_audit(each)


def _read(
    paths: Sequence[Path],
    identity: list[str] | None,
    named: list[str] | None,
    filtered: str | None,
    metric: str | None,
    column: list[str] | None,
) -> "Answers":
    from glotmix.evaluate.reading import Ask, read

    ask = Ask(identity, _pairs("--language", named), filtered, metric)
    return read(paths, ask, _pairs("--column", column))


def _pairs(option: str, given: list[str] | None) -> dict[str, str]:
    for text in given or ():
        if "=" not in text:
            raise RequestError(f"{option} {text}: there is no =", f"{option} NAME=VALUE")
    return dict(text.split("=", 1) for text in given or ())


def _codes(given: list[str] | None) -> list[str] | None:
    return [_code(text) or text for text in given] if given else None


def _code(text: str | None) -> str | None:
    from glotmix.core.language import parse

    return None if text is None else parse(text).code
