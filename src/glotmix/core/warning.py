"""What warnings are called: each is declared once, in the room that says it, under the top-level name ``WARNINGS``.

A warning is a sentence, and stands in records as it was said. Its name follows from words that it always holds; so a
record of an older version has names too.

>>> name("fra_Latn: no document is kept of 12")
'nothing-kept'
>>> named("fra_Latn: no document is kept of 12")
'fra_Latn: no document is kept of 12 [nothing-kept]'
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class WarningSpec:
    """A kind of warning.

    Args:
        name: small letters and dashes; what the page of warnings has it under.
        says: words that every such sentence holds, and no other.
        meaning: what it says of the data.
        do: what to do about it.
    """

    name: str
    says: str
    meaning: str
    do: str


def declared() -> tuple[WarningSpec, ...]:
    """Return every kind of warning, in the order of the rooms' names."""
    from glotmix.core import registry

    return tuple(registry.declared("WARNINGS"))


def name(text: str) -> str | None:
    """Return what a warning is called; None for one of a plugin that declares none."""
    return next((kind.name for kind in declared() if kind.says in text), None)


def named(text: str) -> str:
    """Return a warning with its name behind it."""
    found = name(text)
    return text if found is None else f"{text} [{found}]"


def line(text: str) -> str:
    """Return a warning as it stands below a table.

    >>> line("fra_Latn: no document is kept of 12")
    'warning: fra_Latn: no document is kept of 12 [nothing-kept]'
    """
    return f"warning: {named(text)}"
