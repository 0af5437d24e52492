"""Where declarations are found: every module of every room, and every installed plugin.

A module declares by a top-level name: ``RECIPE`` (a `RecipeKey`), ``STEPS`` (a `StepSpec`, or a tuple of these and of
functions that return them), ``LAW`` (of a mixture), ``READER`` (an input format), ``PACKING`` (a form of token
files), ``PAIRING`` (of parallel text). It is found by that name
in its text, so that nothing is imported that declares nothing of the kind that is asked for. A plugin is a package with
an entry point in the group ``glotmix.signals``, ``glotmix.laws``, ``glotmix.readers`` or ``glotmix.packings`` that
names such a module.
"""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from importlib.metadata import EntryPoints, entry_points
from importlib.resources import files
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from glotmix.core.errors import GlotmixError, RequestError
from glotmix.core.section import RecipeKey
from glotmix.core.step import StepSpec

if TYPE_CHECKING:
    from glotmix.core.context import RunContext

GROUPS = {
    "RECIPE": ("glotmix.signals",),
    "STEPS": ("glotmix.signals",),
    "LAW": ("glotmix.laws",),
    "READER": ("glotmix.readers",),
    "PACKING": ("glotmix.packings",),
    "WARNINGS": (),
    "PAIRING": ("glotmix.packings",),
}
"""Declaration → the groups of entry points whose modules may hold it."""


@cache
def modules(kind: str) -> tuple[ModuleType, ...]:
    """Return the modules that declare something: glotmix's own by name, then those of plugins by name.

    Raises:
        GlotmixError: if a plugin cannot be imported.
    """
    return (*(import_module(name) for name in _own().get(kind, ())), *_plugins(kind))


@cache
def _own() -> dict[str, list[str]]:
    """Return the names of glotmix's own modules by what they declare: each file is looked through once for all."""
    root = str(files("glotmix"))
    mark = re.compile(rf"\n({'|'.join(GROUPS)})\b".encode())
    found: dict[str, list[str]] = {}
    for folder, _, names in os.walk(root):
        package = ".".join(("glotmix", *Path(folder).relative_to(root).parts))
        for name in names:
            if name.endswith(".py"):
                for kind in set(mark.findall(b"\n" + Path(folder, name).read_bytes())):
                    found.setdefault(kind.decode(), []).append(f"{package}.{name.removesuffix('.py')}")
    return {kind: sorted(modules) for kind, modules in found.items()}


def _plugins(kind: str) -> Iterator[ModuleType]:
    for group in GROUPS[kind]:
        for point in sorted(points(group), key=lambda p: p.name):
            try:
                module = point.load()
            except Exception as error:
                owner = point.dist.name if point.dist is not None else point.value
                raise GlotmixError(
                    f"the plugin {owner} ({group}: {point.name}) cannot be imported: {error}",
                    f"pip uninstall {owner}, or mend it",
                ) from error
            if hasattr(module, kind):
                yield module
            elif not any(hasattr(module, other) for other, groups in GROUPS.items() if group in groups):
                wanted = " or ".join(other for other, groups in GROUPS.items() if group in groups)
                raise GlotmixError(
                    f"the plugin {point.value} ({group}: {point.name}) declares no {wanted}",
                    "the entry point names a module that does: docs/extend.md",
                )


def points(group: str) -> EntryPoints:
    """Return the entry points of a group."""
    found: EntryPoints = _installed(tuple(sys.path)).select(group=group)
    return found


@lru_cache(maxsize=1)
def _installed(path: tuple[str, ...]) -> Any:
    """Return all entry points of what is installed there: each package's are read once for all groups.

    Which class holds them depends on the version of Python.
    """
    return entry_points()


def declared(kind: str) -> tuple[Any, ...]:
    """Return everything declared under a name, tuples taken apart, in the order of `modules`."""
    found: list[Any] = []
    for module in modules(kind):
        value = getattr(module, kind)
        found += value if isinstance(value, tuple) else (value,)
    return tuple(found)


def by_name(kind: str, called: str, name: str = "name") -> dict[str, Any]:
    """Return everything declared under a name by the name that each has itself, glotmix's own and that of plugins.

    Args:
        kind: see `declared`.
        called: what messages call several of them: ``laws``.
        name: the attribute that names one, dotted where it lies deeper.

    Returns:
        sorted by ``place``, where they have one.

    Raises:
        GlotmixError: if two have one name.
    """
    found: dict[str, Any] = {}
    for one in sorted(declared(kind), key=lambda one: getattr(one, "place", 0)):
        own = attrgetter(name)(one)
        if own in found:
            raise GlotmixError(f"two {called} are called {own}", "uninstall one of the packages that bring them")
        found[own] = one
    return found


@cache
def recipe_keys() -> tuple[RecipeKey, ...]:
    """Return the keys of the recipe, in the order in which they stand there.

    Raises:
        GlotmixError: if two declare the same.
    """
    found = sorted(declared("RECIPE"), key=lambda key: (key.place, key.key))
    names = [key.key for key in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise GlotmixError(f"two rooms or plugins declare the key {twice} of the recipe")
    return tuple(found)


def specs(context: "RunContext") -> tuple[StepSpec, ...]:
    """Return the steps that a recipe asks for, in no order."""
    found: list[StepSpec] = []
    for one in declared("STEPS"):
        found += [one] if isinstance(one, StepSpec) else one(context)
    return tuple(spec for spec in found if spec.wanted(context))


def steps(context: "RunContext") -> tuple[StepSpec, ...]:
    """Return the steps that a recipe asks for in the order of the work: each after those that it needs.

    Raises:
        GlotmixError: if two steps have one name, a step needs one that the recipe does not have, or steps need each
            other in a circle.
    """
    found = {spec.name: spec for spec in specs(context)}
    if len(found) < len(specs(context)):
        names = [spec.name for spec in specs(context)]
        raise GlotmixError(f"two steps are called {next(n for n in names if names.count(n) > 1)}")
    # The context is asked for its steps while they are put in order: `needs` may name "every signal".
    context.__dict__["steps"] = tuple(found.values())
    graph: TopologicalSorter[str] = TopologicalSorter()
    for name, spec in found.items():
        needs = tuple(spec.needs(context))
        if missing := [need for need in needs if need not in found]:
            raise RequestError(f"the step {name} needs {missing[0]}, which the recipe does not ask for")
        graph.add(name, *needs)
    try:
        graph.prepare()
    except CycleError as error:
        raise GlotmixError(f"steps need each other in a circle: {' → '.join(error.args[1])}") from error
    order: list[StepSpec] = []
    ready: list[str] = []
    while graph.is_active():
        ready += graph.get_ready()
        ready.sort(key=lambda name: (found[name].place, name))
        first = ready.pop(0)
        order.append(found[first])
        graph.done(first)
    return tuple(order)


def versions(spec: StepSpec, context: "RunContext") -> dict[str, int]:
    """Return the version of every module that a step's result depends on, its own first.

    Raises:
        GlotmixError: for a module without one.
    """
    code: Sequence[str] = spec.code(context) if callable(spec.code) else spec.code
    found: dict[str, int] = {}
    for name in code:
        module = import_module(name)
        if not hasattr(module, "VERSION"):
            raise GlotmixError(
                f"{name} has no VERSION, and the step {spec.name} depends on it",
                "VERSION = 1 at its top, raised whenever it would make something else of the same input",
            )
        found[name.removeprefix("glotmix.")] = int(module.VERSION)
    return found
