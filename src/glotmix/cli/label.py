"""`glotmix label`: a speaker judges the documents that would teach a rater most."""

from pathlib import Path
from typing import Annotated

import typer

SHOWN = 1_200
"""Characters of a document that are shown."""


def label(
    recipe: Annotated[Path, typer.Argument(help="the recipe, run up to its ledger", show_default=False)],
    language: Annotated[str, typer.Argument(help="a language code, such as hau_Latn", show_default=False)],
    file: Annotated[
        Path | None, typer.Option(help="the file of labels; by default labels/LANGUAGE.jsonl beside the recipe")
    ] = None,
    count: Annotated[int, typer.Option(help="documents to judge")] = 50,
) -> None:
    """Judge documents of a language, one key each: the labels become anchors of the rater."""
    from rich.text import Text

    from glotmix.cli import terminal
    from glotmix.core.language import parse
    from glotmix.pipeline import recipe as recipes
    from glotmix.pipeline.run import Job
    from glotmix.select import to_label

    lang = parse(language).code
    work = Job(recipes.load(recipe, ()), recipe.parent)
    path = file or recipe.parent / "labels" / f"{lang}.jsonl"
    done = to_label.judged(path)
    left = [one for one in to_label.choose(work.context, lang, count + len(done)) if one["id"] not in done][:count]
    console = terminal.console()
    console.print(f"{len(left)} documents of {lang}; n: natural, u: unnatural, s: skip, q: stop and keep what is done")
    noted = 0
    for number, document in enumerate(left, start=1):
        text = document["text"]
        console.print(Text(f"\n{number} of {len(left)}, from {document['source']}", style="bold"))
        console.print(Text(text[:SHOWN] + ("…" if len(text) > SHOWN else "")))
        answer = ""
        while answer not in ("n", "u", "s", "q"):
            answer = typer.prompt("natural or unnatural? (n/u/s/q)").strip().lower()[:1]
        if answer == "q":
            break
        if answer != "s":
            to_label.note(path, document, answer == "n")
            noted += 1
    console.print(f"{noted} labels added to {path} ({len(done) + noted} in all)", soft_wrap=True)
    console.print(
        f"to learn from them: quality: {{anchors: [builtin, {path}]}}, then glotmix quality audit", soft_wrap=True
    )


def add_to(app: typer.Typer) -> None:
    """Put the command into the program."""
    app.command("label")(label)
