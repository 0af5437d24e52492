"""What a recipe is made of: sections, each declared by the room that reads it.

A room declares a key with `RecipeKey`, under the top-level name ``RECIPE``; `glotmix.core.registry` finds it there, and
`glotmix.pipeline.recipe` puts the keys of all rooms together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A part of the recipe: frozen, and closed to keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Recipe(Section):
    """What every recipe says, whatever rooms there are; the sections that rooms declare are attributes beside."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="names the data set")
    output: str = Field("out", description="folder of everything that is made, beside the recipe")
    kind: Literal["documents", "instructions"] = Field(
        "documents", description="instructions: conversations, rated by `instruct` and not by `quality`"
    )
    seed: int = 0

    if TYPE_CHECKING:

        def __getattr__(self, key: str) -> Any: ...


@dataclass(frozen=True)
class RecipeKey:
    """A key of the recipe.

    Args:
        key: where it stands, dotted: ``signals.tokens``, ``quality``.
        type: what it takes: a `Section`, or any type that pydantic checks.
        default: its value where the recipe says nothing; ``...`` for a key that must be given.
        description: for the schema and the reference.
        place: its order among its neighbours: smaller is earlier.
        seeds: dotted names of seeds that are the recipe's own ``seed`` where nothing else is said.
        check: called with the whole recipe once it is read; raises ValueError with what to type.
        renamed: old dotted names → the new ones: an old one is refused with the new.
    """

    key: str
    type: Any
    default: Any = ...
    description: str = ""
    place: int = 500
    seeds: tuple[str, ...] = ()
    check: Callable[[Recipe], None] | None = None
    renamed: tuple[tuple[str, str], ...] = ()


def as_tuple(value: Any) -> Any:
    """Take one text where a list of texts is asked for."""
    return (value,) if isinstance(value, str) else value


def resolved(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe with every default filled in, less what says only where it runs."""
    return recipe.model_dump(mode="json", exclude={"engine", "output"})
