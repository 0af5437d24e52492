"""`glotmix embed`: make a static embedder, look at one, apply one; nothing heavy is imported before it is needed."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glotmix.cli.options import AsJson, print_json

if TYPE_CHECKING:
    from glotmix.embed.make import Watcher

app = typer.Typer(
    name="embed",
    help="Texts to vectors: train a static embedder from parallel text, look at one, apply one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Model = Annotated[str, typer.Option("--model", help="static, or a folder with a model; docs/embed.md has them all")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress")]


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="what to make, a YAML file", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="folder of the model", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="read the pairs, say what would be done")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a static embedder; a run that was interrupted goes on from its last checkpoint."""
    from glotmix.embed import choose, make
    from glotmix.embed import recipe as recipes

    wanted = recipes.load(recipe)
    if dry_run:
        pairs = recipes.read([recipe.parent / p for p in wanted.pairs])
        training, dev = recipes.split(pairs, wanted)
        languages = len(set(training["lang"].to_pylist()))
        said = {"pairs": training.num_rows, "dev": dev.num_rows, "languages": languages} | {
            "steps": wanted.settings.steps,
            "batch": wanted.settings.batch,
        }
        print_json(said) if as_json else typer.echo("\n".join(f"{k:10} {v:,}" for k, v in said.items()))
        return
    model = make.make(wanted, recipe.parent, output, choose.load, None if quiet else _watcher())
    found = {"output": str(output), "fingerprint": model.fingerprint, "width": model.width, "rows": len(model.keys)}
    _say(found | {"dev": model.about["dev"]}, as_json)


@app.command()
def info(
    model: Annotated[str, typer.Argument(help="static, or a folder with a model")] = "static", as_json: AsJson = False
) -> None:
    """Say what an embedder is: its width, its fingerprint, and what it was made from."""
    from glotmix.embed.choose import load
    from glotmix.embed.static import StaticEmbedder

    found = load(model, Path())
    said: dict[str, object] = {"model": model, "fingerprint": found.fingerprint, "width": found.width}
    if isinstance(found, StaticEmbedder):
        said |= {"rows": len(found.keys), **found.about}
    _say(said, as_json)


@app.command()
def texts(
    file: Annotated[Path, typer.Argument(help="texts, one a line", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="the vectors, .npy", show_default=False)],
    model: Model = "static",
) -> None:
    """Embed the lines of a file: one row of a NumPy array for each, empty ones included."""
    import numpy as np

    from glotmix.core.errors import RequestError
    from glotmix.embed.choose import load

    if not file.is_file():
        raise RequestError(f"there is no file {file}", "glotmix embed texts FILE -o vectors.npy")
    lines = _lines(file)
    vectors = load(model, Path()).embed(lines)
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("wb") as stream:
        np.save(stream, vectors)
    typer.echo(f"{len(lines):,} texts, {vectors.shape[1]} numbers each: {output}")


@app.command()
def near(
    file: Annotated[Path, typer.Argument(help="texts to search, one a line", show_default=False)],
    query: Annotated[str, typer.Argument(help="a text in any language", show_default=False)],
    model: Model = "static",
    top: Annotated[int, typer.Option(min=1, help="how many to show")] = 5,
    as_json: AsJson = False,
) -> None:
    """Find the lines of a file that say most nearly what a text says, in whatever languages."""
    import numpy as np

    from glotmix.core.errors import DataError, RequestError
    from glotmix.embed.choose import load
    from glotmix.embed.contrast import unit

    if not file.is_file():
        raise RequestError(f"there is no file {file}", "glotmix embed near FILE 'a text'")
    lines = _lines(file)
    if not lines:
        raise DataError(f"{file} is empty: there is nothing to search", "texts, one a line")
    embedder = load(model, Path())
    cosines = unit(embedder.embed(lines))[0] @ unit(embedder.embed([query]))[0][0]
    best = np.argsort(-cosines, kind="stable")[:top]
    found = [{"line": int(i) + 1, "cosine": round(float(cosines[i]), 4), "text": lines[i]} for i in best]
    if as_json:
        print_json(found)
    else:
        for row in found:
            typer.echo(f"{row['cosine']:.3f}  {row['line']:>6}  {row['text']}")


def _lines(file: Path) -> list[str]:
    """Return the lines of a file; none of an empty one. A mark of its encoding and ends of Windows are no text.

    Raises:
        DataError: naming the first line that is not UTF-8.
    """
    from glotmix.core import utf8

    found = utf8.text(file)
    return [line.removesuffix("\r") for line in found.removesuffix("\n").split("\n")] if found else []


def _say(found: dict[str, object], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    for key, value in found.items():
        shown = value
        if isinstance(value, list):
            shown = f"{len(value)}: {' '.join(map(str, value))}"
        elif isinstance(value, dict):
            shown = json.dumps(value, ensure_ascii=False)
        typer.echo(f"{key:12} {shown}")


def _watcher() -> "Watcher":
    """Return a watcher that writes lines of progress."""
    from glotmix.cli.progress import lines
    from glotmix.embed.make import Watcher

    class Lines(Watcher):
        def __init__(self) -> None:
            self.tell = lines()

        def advance(self, part: str, done: int, total: int, note: str = "") -> None:
            self.tell(part, done, total, note)

    return Lines()
