"""Names of a package that are imported when they are first used, so that `import glotmix` loads nothing heavy."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(package: str, names: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package.

    Args:
        package: its ``__name__``.
        names: public name → the module below the package that has it (the module itself, where both are the same).
    """

    def get(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(f"{package}.{names[name]}")
        found = module if names[name] == name else getattr(module, name)
        setattr(sys.modules[package], name, found)
        return found

    return get, lambda: sorted(names)
