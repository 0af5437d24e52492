"""The moved lines as settings to copy: YAML for the recipe, and the command that counts what they would change."""

import shlex
from collections.abc import Sequence
from typing import Any

import yaml

from glotmix.core import settings
from glotmix.core.errors import RequestError


def written(moved: Sequence[dict[str, Any]], sources: Sequence[str], recipe: str) -> dict[str, str]:
    """Return ``yaml`` and ``command`` of moved lines.

    Args:
        moved: each ``lang``, ``key`` and ``value``, as `Lines.moved` says in ``setting``.
        sources: the recipe's sources.
        recipe: its path, as it was typed.

    Raises:
        RequestError: if a setting is none, or takes no such value.
    """
    section: dict[str, Any] = {}
    overrides = []
    for one in moved:
        lang, key, value = str(one["lang"]), str(one["key"]), one.get("value")
        at = section.setdefault("language", {}).setdefault(lang, {})
        *path, last = key.split(".")
        for name in path:
            at = at.setdefault(name, {})
        at[last] = value
        overrides.append(f"settings.language.{lang}.{key}={_typed(value)}")
    if not overrides:
        raise RequestError("no line has been moved")
    settings.check(section, sources)
    text = yaml.safe_dump({"settings": section}, allow_unicode=True, sort_keys=False, default_flow_style=False)
    command = shlex.join(["glotmix", "select", recipe, *overrides, "--what-if"])
    return {"yaml": text, "command": command}


def _typed(value: Any) -> str:
    return str(yaml.safe_dump(value, default_flow_style=True).split("\n")[0])
