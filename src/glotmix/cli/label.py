"""`glotmix label`: a speaker judges the documents that would teach a rater most."""

from pathlib import Path
from typing import Annotated, Any

import typer

SHOWN = 1_200
"""Characters of a document that the terminal shows."""
KEYS = {"a": "adult", "m": "machine_translated", "w": "wrong_language"}


def label(
    recipe: Annotated[
        Path, typer.Argument(help="the recipe, run up to its ledger; or the folder that it filled", show_default=False)
    ],
    language: Annotated[str, typer.Argument(help="a language code, such as hau_Latn", show_default=False)],
    file: Annotated[
        Path | None, typer.Option(help="the file of labels; by default labels/LANGUAGE.jsonl beside the recipe")
    ] = None,
    count: Annotated[int, typer.Option(help="documents to judge")] = 50,
    terminal: Annotated[bool, typer.Option("--terminal", help="here, and not on a page")] = False,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="where the page is served; 0 for any free port")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="open the page in the browser")] = True,
) -> None:
    """Judge documents of a language, one key each: the labels become anchors of the rater."""
    from glotmix.cli import terminal as screen
    from glotmix.core.language import parse
    from glotmix.pipeline.run import Job

    lang = parse(language).code
    work = Job.at(recipe)
    path = file or work.context.base / "labels" / f"{lang}.jsonl"
    if terminal:
        _typed(work.context, lang, path, count, recipe)
        return
    import webbrowser

    from glotmix.core.local_page import LocalPage
    from glotmix.explore.labelling import PAGE, Session

    session = Session(work.context, lang, path, count, str(recipe))

    def ready(address: str) -> None:
        screen.console().print(f"the page: {address}", soft_wrap=True, highlight=False)
        screen.console().print("for this machine alone; every label is written at once; Ctrl-C ends it")
        if browser:
            webbrowser.open(address)

    LocalPage(PAGE, session.calls, "glotmix label (or --terminal)", port).serve(ready)


def _typed(context: Any, lang: str, path: Path, count: int, recipe: Path) -> None:
    from rich.text import Text

    from glotmix.cli import terminal
    from glotmix.select import to_label

    left, done = to_label.left(context, lang, path, count)
    console = terminal.console()
    console.print(
        f"{len(left)} document{'s' * (len(left) != 1)} of {lang}; n: natural, u: unnatural; with them or alone a: "
        "adult, m: machine-translated, w: wrong language; s: skip, q: stop and keep what is done"
    )
    noted = 0
    for number, document in enumerate(left, start=1):
        text = document["text"]
        console.print(Text(f"\n{number} of {len(left)}, from {document['source']}", style="bold"))
        console.print(Text(text[:SHOWN] + ("…" if len(text) > SHOWN else "")))
        answer = None
        while answer is None:
            answer = answered(_asked())
        if answer == "q":
            break
        if answer != "s":
            natural = True if "n" in answer else False if "u" in answer else None
            to_label.note(path, document, natural, {name: key in answer for key, name in KEYS.items()})
            noted += 1
    console.print(f"{noted} labels added to {path} ({done + noted} in all)", soft_wrap=True)
    console.print(f"to learn from them: quality: {{anchors: [builtin, {path}]}} in the recipe", soft_wrap=True)
    console.print(f"to ask whether they helped: glotmix quality audit {recipe}", soft_wrap=True)


def _asked() -> str:
    """Return what is typed; the end of the input is the end of the work."""
    try:
        return input("natural or unnatural? (n/u/a/m/w/s/q): ")
    except EOFError:
        return "q"


def answered(typed: str) -> str | None:
    """Return the keys of an answer; None if it is none.

    >>> [answered(t) for t in ("n", " UA ", "w", "nu", "sq", "x", "")]
    ['n', 'ua', 'w', None, None, None, None]
    """
    keys = typed.strip().lower()
    if keys in ("s", "q"):
        return keys
    allowed = keys and set(keys) <= {"n", "u", *KEYS} and len(set(keys)) == len(keys)
    return keys if allowed and not {"n", "u"} <= set(keys) else None


def add_to(app: typer.Typer) -> None:
    """Put the command into the program."""
    app.command("label")(label)
