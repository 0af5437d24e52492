"""The command line: thin commands over `glotmix.pipeline.run`; nothing heavy is imported before a command needs it."""

import atexit
import gc
import re
import signal
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from glotmix import __version__
from glotmix.cli import export_to, label, what_if
from glotmix.cli.options import (
    AsJson,
    Cores,
    DryRun,
    Estimated,
    Machines,
    Overrides,
    Quiet,
    RecipePath,
    Sample,
    Wait,
    foretold,
    job,
    print_json,
)
from glotmix.core import memory
from glotmix.core.errors import DataError, GlotmixError, MemoryShortError, RequestError

STOPPED = 130
"""The exit code where Ctrl-C stopped it, as a shell has it."""

TERMINATED = 143
"""The exit code where SIGTERM stopped it: a cluster's scheduler, or a shutdown."""

SHORT = (
    "memory is short: the run was ended before the system would kill it; finished parts stay\n"
    "  → engine.memory=BYTES or engine.workers=1, and run again"
)

app = typer.Typer(
    name="glotmix",
    help="From raw text in many languages to a balanced training set, a mixture, and the evidence that it is better.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _groups() -> Iterator[typer.Typer]:
    """Yield the commands of every file in this folder that has an ``app``: a room's commands are one file here."""
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        if re.search(r"^app = ", path.read_text("utf-8"), re.MULTILINE):
            yield import_module(f"{__name__}.{path.stem}").app


GROUPS = tuple(_groups())
for _group in GROUPS:
    app.add_typer(_group)
MIX = next(group for group in GROUPS if group.info.name == "mix")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"glotmix {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    pass


def _step_command(name: str, until: str | None, text: str, to: typer.Typer = app) -> Callable[..., None]:
    """Make the command that runs the recipe up to a step: all of them differ in nothing else."""

    def command(
        recipe: RecipePath,
        overrides: Overrides = None,
        dry_run: DryRun = False,
        estimate: Estimated = False,
        cores: Cores = None,
        machines: Machines = 1,
        sample: Sample = 4_000,
        wait: Wait = False,
        as_json: AsJson = False,
        quiet: Quiet = False,
    ) -> None:
        from glotmix.cli.show import show_estimate, show_plan, show_summary

        with job(recipe, overrides, quiet) as work:
            for stranger in () if quiet else work.strangers():
                typer.echo(f"glotmix: {stranger}", err=True)
            if dry_run:
                result: Any = work.plan(until)
            elif estimate:
                result = foretold(work, until, sample, cores, machines)
            else:
                result = work.run(until, wait)
        if as_json:
            print_json(result)
        elif dry_run:
            show_plan(result)
        elif estimate:
            show_estimate(result)
        else:
            show_summary(result)

    command.__doc__ = text
    return to.command(name)(command)


_step_command("run", None, "Do all of it, from raw files to the report.")
_step_command("read", "corpus", "Read the sources into the corpus.")
_step_command("signals", "signals", "Measure every document, decide nothing.")
what_if.add_to(app)
label.add_to(app)
_step_command("recipe", "mixture", "Decide how much of each language a recipe trains on.", to=MIX)
export_to.add_to(app)
_step_command("report", "report", "Write the report, one HTML file.")


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="where everything is written")] = Path("demo"),
    small: Annotated[bool, typer.Option("--small", help="a quarter of the documents")] = False,
    proxies: Annotated[
        bool | None,
        typer.Option(
            "--proxies/--no-proxies",
            help="train a small ensemble and fit the mixture to it (the extra train), or take UniMax; by default train "
            "where torch is installed, and not with --small",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run the recipe of the corpus that ships with glotmix."""
    from glotmix.cli.show import show_summary
    from glotmix.pipeline.run import demo_recipe

    recipe, overrides = demo_recipe(output.resolve(), small, proxies)
    with job(recipe, overrides, quiet) as work:
        result = work.run(None)
    if as_json:
        print_json(result)
    else:
        show_summary(result)


@app.command()
def why(
    where: Annotated[Path, typer.Argument(help="the recipe, or the folder that it filled", show_default=False)],
    identity: Annotated[str, typer.Argument(metavar="ID", help="the document's id", show_default=False)],
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Tell the story of one document."""
    from glotmix.cli.show import show_story
    from glotmix.explore.story import tell

    if not where.is_dir():
        from glotmix.pipeline.run import Job

        where = Job.at(where, overrides or ()).folder
    elif overrides:
        raise RequestError(f"{where} is a folder, and only a recipe takes overrides", "glotmix why RECIPE ID output=…")
    story = tell(where, identity)
    if as_json:
        print_json(story)
    else:
        show_story(story)


@app.command()
def explain(
    language: Annotated[str, typer.Argument(help="a language code, such as fra_Latn", show_default=False)],
    overrides: Overrides = None,
    recipe: Annotated[
        Path | None, typer.Option(help="a recipe whose settings apply, or the folder that it filled")
    ] = None,
    source: Annotated[str | None, typer.Option(help="a source of the recipe")] = None,
    as_json: AsJson = False,
) -> None:
    """Print a language's settings, each with its origin."""
    from glotmix.cli.show import show_settings
    from glotmix.core.language import parse
    from glotmix.core.settings import explain as resolve
    from glotmix.core.settings import known_source
    from glotmix.pipeline.kept import placed
    from glotmix.select.precision import judged

    if overrides and recipe is None:
        raise RequestError("overrides are of a recipe, and none is given", f"--recipe recipe.yaml {overrides[0]}")
    given = placed(recipe, overrides or ())[0] if recipe else None
    known_source(source, [one.name for one in given.corpus.sources] if given else [])
    own = given.settings if given else {}
    spoken = parse(language)
    rows = resolve(own, spoken, source)
    for row in rows:
        # What a rule finds of judged text stands beside it, where it was measured.
        found = judged(row["key"])
        row["judged"] = None if found is None else found.shown
    if as_json:
        print_json(rows)
    else:
        show_settings(spoken.code, rows)


@app.command()
def schema() -> None:
    """Print the JSON schema of the recipe, for editors."""
    from glotmix.pipeline import recipe as recipes

    print_json(recipes.schema())


def main() -> None:
    """Run the command line; an error that glotmix foresaw is one message and an exit code, not a traceback."""
    stopped_by = []
    # What a start makes stays: to look through it for garbage again and again took a twentieth of its time.
    gc.set_threshold(50_000, 20, 20)
    # And what is left at the end goes with the process: to look through a run's rows then took a third of a second.
    atexit.register(gc.freeze)

    def stop(number: int, _: Any) -> None:
        stopped_by.append(number)
        raise KeyboardInterrupt

    # A scheduler that takes its machine back says so with SIGTERM: as with Ctrl-C, what is finished stays.
    signal.signal(signal.SIGTERM, stop)
    try:
        with memory.watched():
            app()
    except GlotmixError as error:
        _end(f"{error}", error.exit_code)
    except (KeyboardInterrupt, SystemExit) as left:
        # Ctrl-C within a command: typer makes an exit of it, without a word.
        if isinstance(left, SystemExit) and left.code != STOPPED:
            raise
        if memory.short():
            _end(SHORT, MemoryShortError.exit_code)
        code = TERMINATED if signal.SIGTERM in stopped_by else STOPPED
        _end("stopped; the same command takes it up again where it was", code)
    except MemoryError:
        _end(SHORT, MemoryShortError.exit_code)
    except OSError as error:
        # A folder that cannot be written, a disk that is full: what the system says is all there is to say.
        _end(f"{error.filename or 'the system'}: {error.strerror or error}", DataError.exit_code)


def _end(message: str, code: int) -> NoReturn:
    from glotmix.core.plain import shown

    typer.echo(f"glotmix: {shown(message)}", err=True)
    sys.exit(code)
