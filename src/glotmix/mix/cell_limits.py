"""Limits of languages, where a mixture is of cells: a cap is each cell's, a floor or a ceiling that of all together."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from glotmix.core.errors import RequestError
from glotmix.mix import cells
from glotmix.mix.config import GroupConfig
from glotmix.mix.limits import Limits


def of_cells(limits: Limits, names: Sequence[str]) -> Limits:
    """Return limits of cells from limits that name languages, cells, or both; as they are where names are no cells.

    A token of a language may be seen as often in each of its cells, unless the cell has a number of its own. A floor or
    a ceiling of a language bounds the sum of its cells, so it is a group; a group of languages is one of their cells.

    Raises:
        RequestError: for a floor or ceiling of a language that a group bounds, too: one sum may lie in one group.

    >>> asked = Limits(max_epochs_of={"tha_Thai": 8}, floors={"tha_Thai": 0.2, "tha_Thai/web": 0.1})
    >>> found = of_cells(asked, ["tha_Thai/books", "tha_Thai/web"])
    >>> found.max_epochs_of, found.floors
    ({'tha_Thai/books': 8, 'tha_Thai/web': 8}, {'tha_Thai/web': 0.1})
    >>> found.groups["tha_Thai"].languages, found.groups["tha_Thai"].floor
    (('tha_Thai/books', 'tha_Thai/web'), 0.2)
    """
    langs = cells.languages(names)
    if langs is None:
        return limits
    inside: dict[str, tuple[str, ...]] = {
        lang: tuple(name for name, of in zip(names, langs, strict=True) if of == lang) for lang in langs
    }
    # A cell's own number comes last, and stands.
    epochs = {name: often for lang, often in limits.max_epochs_of.items() for name in inside.get(lang, ())}
    epochs |= {name: often for name, often in limits.max_epochs_of.items() if name not in inside}
    groups = {
        name: group.model_copy(
            update={"languages": tuple(cell for each in group.languages for cell in inside.get(each, (each,)))}
        )
        for name, group in limits.groups.items()
    }
    for lang in sorted({*limits.floors, *limits.ceilings} & inside.keys()):
        if other := [name for name, group in limits.groups.items() if lang in group.languages]:
            raise RequestError(
                f"{lang} has a floor or a ceiling and is in the group {other[0]}; with cells, either bounds a sum, and "
                "a cell is in one sum at most",
                f"give bounds to its cells, such as mix.floors.{inside[lang][0]}, or take it out of the group",
            )
        groups[lang] = GroupConfig(
            languages=inside[lang], floor=limits.floors.get(lang, 0.0), ceiling=limits.ceilings.get(lang, 1.0)
        )
    return replace(
        limits,
        max_epochs_of=epochs,
        floors=_without(limits.floors, inside),
        ceilings=_without(limits.ceilings, inside),
        groups=groups,
    )


def _without(given: Mapping[str, float], langs: Mapping[str, object]) -> dict[str, float]:
    return {name: value for name, value in given.items() if name not in langs}
