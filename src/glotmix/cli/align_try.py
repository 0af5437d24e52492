"""`glotmix align try`: does parallel text pay in training here?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glotmix.cli.options import AsJson, Quiet, print_json

if TYPE_CHECKING:
    from glotmix.align.verdict import Verdict


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="try")(attempt)


def attempt(
    pairs: Annotated[
        Path, typer.Argument(help="a table of lang, text and a key that translations share", show_default=False)
    ],
    languages: Annotated[str, typer.Option(help="two, such as eng_Latn,spa_Latn", show_default=False)],
    text: Annotated[
        Path,
        typer.Option(help="single text of both: a table of lang and text, or a data set's folder", show_default=False),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="folder of the trial", show_default=False)],
    arms: Annotated[
        str, typer.Option(help="ways of packing, beside the controls unpaired and shuffled")
    ] = "format,mapping",
    key: Annotated[str, typer.Option(help="the column that translations share")] = "id",
    minutes: Annotated[float | None, typer.Option(min=0.01, help="time to train, instead of --tokens")] = None,
    tokens: Annotated[int, typer.Option(min=1, help="tokens of every model that bear loss")] = 2_000_000,
    parameters: Annotated[float, typer.Option(help="of a model")] = 2.5e5,
    tokenizer: Annotated[Path | None, typer.Option(help="a tokenizer.json instead of one that is trained")] = None,
    seeds: Annotated[int, typer.Option(min=3, help="models of every arm")] = 3,
    share: Annotated[float, typer.Option(help="of parallel text, after the start")] = 0.5,
    start: Annotated[float, typer.Option(help="share of the tokens before any parallel text, trained once")] = 0.25,
    grouped: Annotated[int, typer.Option("--pairs", min=1, help="pairs per sample")] = 1,
    context: Annotated[int, typer.Option(min=16, help="tokens per window")] = 128,
    batch: Annotated[int, typer.Option(min=1, help="windows per step")] = 4,
    held_out: Annotated[float, typer.Option(help="share of the pairs that are asked for, never trained on")] = 0.15,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be trained; train nothing")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train small models with and without parallel text, from one start, and say whether it pays at this size."""
    from glotmix.align import conduct
    from glotmix.align.packing import pairing
    from glotmix.align.trial import Trial, World, silent
    from glotmix.cli.progress import lines
    from glotmix.core.errors import RequestError
    from glotmix.core.language import parse
    from glotmix.evaluate.texts import read, single
    from glotmix.proxy.need import need

    need("a trial of parallel text")
    codes = [parse(code.strip()).code for code in languages.split(",")]
    if len(set(codes)) != 2:
        raise RequestError(f"--languages {languages}: a trial has two languages", "--languages eng_Latn,spa_Latn")
    wanted = tuple(arm.strip() for arm in arms.split(",") if arm.strip())
    for arm in wanted:
        pairing(arm)
    a, b = sorted(codes)
    trial = Trial((a, b), wanted, tuple(range(seeds)), tokens, parameters, None, context, batch, share, start, grouped)
    train, test = conduct.divided(conduct.units(read(pairs, key, codes), (a, b)), held_out)
    world = World(single(text, (a, b)), train, test, tokenizer=tokenizer)
    if minutes is not None:
        # What was begun goes on as it was begun, however fast the machine is today.
        trial = conduct.again(output, trial) or conduct.within(trial, minutes)
    plan = trial.plan() | {"pairs_to_train_on": len(train), "pairs_held_out": len(test)}
    if dry_run:
        print_json(plan) if as_json else typer.echo(_listed(plan))
        return
    found = conduct.conduct(output, trial, world, silent if quiet else lines())
    if as_json:
        print_json(found.as_dict() | {"sentence": found.sentence, "output": str(output)})
    else:
        _show(found, output)


def _listed(plan: dict[str, object]) -> str:
    def said(value: object) -> str:
        return (
            f"{value:,}"
            if isinstance(value, int)
            else ", ".join(map(str, value))
            if isinstance(value, list)
            else str(value)
        )

    return "\n".join(f"{name.replace('_', ' '):18} {said(value)}" for name, value in plan.items())


def _show(found: "Verdict", output: Path) -> None:
    from rich.text import Text

    from glotmix.cli import terminal

    console = terminal.console()
    ways = list(found.arms[0].gain)
    table = terminal.table("arm", *(f"gain {way}" for way in ways), "beyond controls", "harm", "verdict",
                           title=f"bits per byte, {found.pairs:,} held-out pairs, {found.seeds} seeds")  # fmt: skip
    for arm in found.arms:
        cells = [arm.gain[way] for way in ways] + [arm.beyond, arm.harm]
        told = ["–" if f is None else f"{f.value:+.4f} [{f.low:+.4f} {f.high:+.4f}]" for f in cells]
        table.add_row(arm.arm, *told, arm.verdict or "control")
    console.print(table)
    console.print(Text(found.sentence, style="bold"))
    console.print(f"output: {output}", soft_wrap=True)
