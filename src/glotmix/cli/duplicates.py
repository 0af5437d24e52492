"""`glotmix curve`: what the bands of the signatures find, before anything is signed."""

from pathlib import Path
from typing import Annotated

import typer

from glotmix.cli.options import print_json

app = typer.Typer(rich_markup_mode=None)


@app.command()
def curve(
    recipe: Annotated[
        Path | None, typer.Argument(help="a recipe; without one, the defaults", show_default=False)
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Argument(help="section.key=value, as often as needed", show_default=False)
    ] = None,
    bands: Annotated[int | None, typer.Option(min=1, help="instead of the recipe's", show_default=False)] = None,
    rows: Annotated[int | None, typer.Option(min=1, help="instead of the recipe's", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON, and nothing else")] = False,
) -> None:
    """Print the chance that two documents are compared, by their similarity, for the chosen bands and rows."""
    from glotmix.cli.show import show_curve
    from glotmix.pipeline import recipe as recipes
    from glotmix.signals.clusters import DuplicatesConfig
    from glotmix.signals.refine import standard_error
    from glotmix.signals.signatures import curve as chances
    from glotmix.signals.signatures import middle

    chosen = DuplicatesConfig() if recipe is None else recipes.load(recipe, overrides or ()).signals.duplicates
    given = {name: value for name, value in (("bands", bands), ("rows", rows)) if value is not None}
    config = DuplicatesConfig.model_validate(chosen.model_dump() | given)
    result = {
        **{name: getattr(config, name) for name in ("bands", "rows", "shingle", "verify", "threshold")},
        "chance": chances(config),
        "even": round(middle(config), 4),
        "standard_error": round(standard_error(config, config.threshold), 4),
    }
    if as_json:
        print_json(result)
    else:
        show_curve(result)
