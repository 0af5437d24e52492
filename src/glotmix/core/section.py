"""What a recipe is made of: sections, each declared by the room that reads it.

A room declares a key with `RecipeKey`, under the top-level name ``RECIPE``; `glotmix.core.registry` finds it there, and
`glotmix.pipeline.recipe` puts the keys of all rooms together.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from glotmix.core import language
from glotmix.core.errors import RequestError, did_you_mean


def _canonical(code: str) -> str:
    try:
        return language.parse(code).code
    except RequestError as error:
        raise ValueError(error.message + (f" ({error.fix})" if error.fix else "")) from error


Code: TypeAlias = Annotated[str, AfterValidator(_canonical)]
"""A language as a recipe may spell it, ``fr``, ``fra``, ``fra_Latn``; the canonical code from then on."""


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
        fill: called with the recipe's plain data before it is checked; returns it with what this key says of others,
            where they say nothing themselves.
        check: called with the whole recipe once it is read; raises ValueError with what to type.
        renamed: old dotted names → the new ones: an old one is refused with the new.
    """

    key: str
    type: Any
    default: Any = ...
    description: str = ""
    place: int = 500
    seeds: tuple[str, ...] = ()
    fill: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    check: Callable[[Recipe], None] | None = None
    renamed: tuple[tuple[str, str], ...] = ()


Checked = TypeVar("Checked", bound=BaseModel)


def checked(where: str, model: type[Checked], settings: Mapping[str, Any]) -> Checked:
    """Return a section of a recipe from its keys.

    Args:
        where: its dotted name, for messages.
        model: of the section.
        settings: value by key.

    Raises:
        RequestError: naming the key, what was found and what is allowed.
    """
    if unknown := [key for key in settings if key not in model.model_fields]:
        raise RequestError(f"{where}.{unknown[0]}: no such key{did_you_mean(unknown[0], model.model_fields)}")
    try:
        return model.model_validate(dict(settings))
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(part) for part in (where, *first["loc"]))
        raise RequestError(f"{at}: {first['msg']}, given {first['input']!r}") from error


def as_tuple(value: Any) -> Any:
    """Take one text where a list of texts is asked for."""
    return (value,) if isinstance(value, str) else value


def resolved(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe with every default filled in, less what says only where it runs."""
    return recipe.model_dump(mode="json", exclude={"engine", "output"})
