"""The recipe that filled a folder is kept there, so that a command can be given the folder in the recipe's place."""

import json
from collections.abc import Sequence
from pathlib import Path

from glotmix.core import files, json_text
from glotmix.core.errors import DataError, RequestError
from glotmix.core.lock import FOLDER
from glotmix.core.remote import is_remote
from glotmix.core.section import Recipe
from glotmix.pipeline import recipe as recipes

FILE = f"{FOLDER}/recipe.json"


def keep(recipe: Recipe, base: Path, folder: Path) -> None:
    """Keep what the recipe says, overrides included, and the folder that its paths start from."""
    base, folder = base.resolve(), folder.resolve()
    # Moved together, both are still found.
    above = base == folder or base in folder.parents
    start = str(Path(*[".."] * len(folder.relative_to(base).parts))) if above else str(base)
    told = {"base": start, "recipe": recipe.model_dump(mode="json", exclude_unset=True, exclude={"output"})}
    text = json.dumps(told, ensure_ascii=False, indent=1)
    path = folder / FILE
    # A second run changes nothing.
    if not path.is_file() or path.read_bytes() != text.encode():
        files.write_text(path, text)


def placed(where: Path, overrides: Sequence[str] = ()) -> tuple[Recipe, Path]:
    """Return a recipe, and the folder that its paths start from.

    Args:
        where: a YAML file, or the folder that a run of it filled.
        overrides: ``section.key=value``; an ``output`` that they name lies beside where the recipe lies, and so beside
            the folder that stands for it.

    Raises:
        RequestError: if no run filled that folder, or the recipe is wrong.
        DataError: if what was kept is damaged.
    """
    if not where.is_dir():
        return recipes.load(where, overrides), where.parent
    path = where / FILE
    if not path.is_file():
        inner = next((p for p in sorted(where.iterdir()) if (p / FILE).is_file()), None)
        raise RequestError(
            f"{where} is a folder that no run has filled" + ("" if inner is None else f"; {inner} is one"),
            "name the recipe, or the folder that it says as output",
        )
    try:
        told = json_text.loads(path.read_text("utf-8"))
        data, base = dict(told["recipe"]), where / told["base"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read: {error}", "name the recipe instead of the folder") from error
    data["output"] = str(where.resolve())
    recipe = recipes.parse(recipes.overridden(data, overrides), str(where))
    if not is_remote(recipe.output):
        # The recipe itself may lie far away, as that of the demo does within the package.
        recipe = recipe.model_copy(update={"output": str(files.placed(where.resolve().parent, recipe.output))})
    return recipe, base
