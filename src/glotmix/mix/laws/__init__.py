"""Laws: from mixture to loss. One file each, which declares it as ``LAW``; another package's stand beside them."""

from collections.abc import Mapping
from functools import cache

from glotmix.core import registry
from glotmix.core.errors import RequestError, did_you_mean
from glotmix.mix.laws.base import Context, Fitted, Law, LawSpec, PowerLaw, Sample, Scaled, knows_budgets

__all__ = [
    "Context",
    "Fitted",
    "Law",
    "LawSpec",
    "PowerLaw",
    "Sample",
    "Scaled",
    "competing",
    "knows_budgets",
    "law",
    "spec",
    "specs",
]


RENAMED = {"kin_transfer": "similarity_transfer"}
"""Laws by the names that they had, and what they are called now."""


@cache
def specs() -> Mapping[str, LawSpec]:
    """Return every law by name, in their order.

    Raises:
        GlotmixError: if two have one name.
    """
    return registry.by_name("LAW", "laws", "law.name")


def spec(name: str) -> LawSpec:
    """Return what a law's file declares of it.

    Raises:
        RequestError: for an unknown name.
    """
    if name in RENAMED:
        raise RequestError(f"the law {name} is called {RENAMED[name]} now", f"mix.laws=[{RENAMED[name]}]")
    if name not in specs():
        raise RequestError(f"there is no law {name!r}{did_you_mean(name, specs())}", f"one of: {', '.join(specs())}")
    return specs()[name]


def law(name: str) -> Law:
    """Return a law by name.

    Raises:
        RequestError: for an unknown name.
    """
    return spec(name).law


def competing() -> tuple[str, ...]:
    """Return the laws that compete where nobody names any."""
    return tuple(name for name, one in specs().items() if one.competes)
