"""The formats that raw files may have: what `glotmix.corpus.readers` and other packages declare as ``READER``."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from glotmix.core import registry
from glotmix.core.errors import RequestError, did_you_mean

if TYPE_CHECKING:
    from glotmix.corpus.readers.spec import ReaderSpec


@cache
def specs() -> dict[str, ReaderSpec]:
    """Return all formats by name, in the order in which they are asked whether a file is theirs.

    Raises:
        GlotmixError: if two have the same name.
        RequestError: if two have the same ending.
    """
    found: dict[str, ReaderSpec] = registry.by_name("READER", "readers")
    endings: dict[str, str] = {}
    for spec in found.values():
        for ending in spec.endings:
            if endings.setdefault(ending, spec.name) != spec.name:
                raise RequestError(f"the readers '{endings[ending]}' and '{spec.name}' both read {ending}")
    return found


def spec(name: str) -> ReaderSpec:
    """Return a format.

    Raises:
        RequestError: if there is none of that name.
    """
    if name not in specs():
        raise RequestError(
            f"there is no format '{name}'{did_you_mean(name, specs())}", f"one of auto, {', '.join(specs())}"
        )
    return specs()[name]


def of_ending(ending: str) -> str | None:
    """Return the name of the format whose files end in this way, such as ``.jsonl``."""
    return next((s.name for s in specs().values() if ending in s.endings), None)


def of_content(start: bytes) -> str | None:
    """Return the name of the format that the first bytes of a file tell, None where they tell none."""
    return next((s.name for s in specs().values() if s.sniff(start)), None)
