"""The recipe: the YAML that says all of it. Its sections have the names of the rooms.

Unknown keys are errors with a suggestion; values can be overridden on the command line as ``section.key=value``.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, Field, ValidationError, create_model, model_validator

from glotmix.core import registry
from glotmix.core.errors import RequestError, did_you_mean
from glotmix.core.section import Recipe, RecipeKey, Section
from glotmix.mix.config import MixConfig, under_laws

Checked = TypeVar("Checked", bound=BaseModel)


@cache
def model() -> type[Recipe]:
    """Return the recipe's type: what every recipe says, and the keys that rooms and plugins declare."""
    nested: dict[str, Any] = {}
    for key in registry.recipe_keys():
        at = nested
        *path, last = key.key.split(".")
        for name in path:
            at = at.setdefault(name, {})
        at.setdefault(last, {})[""] = key
    fields = {name: _field(name, below) for name, below in nested.items()}
    return create_model("Recipe", __base__=_Checked, **fields)


def _field(name: str, below: Mapping[str, Any]) -> Any:
    """Return type and default of a key: its own, with the keys that others declare below it."""
    key: RecipeKey | None = below.get("")
    inner = {part: _field(part, what) for part, what in below.items() if part}
    title = f"{name.capitalize()}Section"
    if key is None:
        made = create_model(title, __base__=Section, **inner)
        return made, made()
    if inner:
        if not (isinstance(key.type, type) and issubclass(key.type, Section)):
            raise TypeError(f"{key.key} is no section, and {', '.join(inner)} are declared below it")
        whole: type[Section] = create_model(title, __base__=key.type, **inner)
        return whole, Field(whole.model_validate(key.default.model_dump()), description=key.description or None)
    if isinstance(key.default, dict):
        return key.type, Field(default_factory=key.default.copy, description=key.description or None)
    return key.type, Field(key.default, description=key.description or None)


class _Checked(Recipe):
    """A recipe whose rooms have looked at the whole of it."""

    @model_validator(mode="before")
    @classmethod
    def _conversations(cls, data: Any) -> Any:
        """In a recipe of kind instructions, sources have a shape, and no rater of documents rates conversations."""
        if not isinstance(data, dict) or data.get("kind") != "instructions":
            return data
        data = dict(data)
        if data.setdefault("quality", None) is not None:
            raise ValueError("quality rates documents; conversations are rated by instruct.pairs or instruct.model")
        corpus = data.get("corpus")
        if isinstance(corpus, dict) and isinstance(corpus.get("sources"), list | tuple):
            shaped = [s if not isinstance(s, dict) else {"shape": "auto"} | s for s in corpus["sources"]]
            data["corpus"] = corpus | {"sources": shaped}
        return data

    @model_validator(mode="before")
    @classmethod
    def _seeded(cls, data: Any) -> Any:
        """Give the recipe's seed to the sections that have one and do not say it themselves."""
        if not isinstance(data, dict) or not data.get("seed"):
            return data
        data = dict(data)
        for name in (name for key in registry.recipe_keys() for name in key.seeds):
            *path, last = name.split(".")
            at = data
            for number, part in enumerate(path):
                below = at.get(part, {} if number == 0 and part == "mix" else None)
                if not isinstance(below, dict):
                    break
                at[part] = dict(below)
                at = at[part]
            else:
                at.setdefault(last, data["seed"])
        return data

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, data: Any) -> Any:
        """Let a key say what others are, where they do not say it themselves."""
        for key in registry.recipe_keys():
            if isinstance(data, dict) and key.fill is not None:
                data = key.fill(dict(data))
        return data

    @model_validator(mode="after")
    def _by_rooms(self) -> "_Checked":
        for key in registry.recipe_keys():
            if key.check is not None:
                key.check(self)
        return self


_DEPTH = 50
"""Sections within sections: no recipe needs half as many."""


def load(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply ``section.key=value`` overrides.

    Raises:
        RequestError: naming the key, what was found and what is allowed.
    """
    return parse(overridden(read(path), overrides), str(path))


def read(path: Path) -> dict[str, Any]:
    """Read the plain data of a recipe.

    Raises:
        RequestError: if the file is not there, or holds no mapping.
    """
    if not path.is_file():
        raise RequestError(f"there is no recipe at {path}", "glotmix run path/to/recipe.yaml")
    return from_text(path.read_bytes(), str(path))


def from_text(text: str | bytes, where: str) -> dict[str, Any]:
    """Return the plain data of a recipe that is written out.

    Raises:
        RequestError: if it holds no mapping, or what no recipe can hold.
    """
    data = _plain(_yaml(text, where), where)
    if not isinstance(data, dict):
        raise RequestError(f"{where} holds no recipe: a mapping with 'name' and 'corpus' is needed")
    return data


def overridden(data: Mapping[str, Any], overrides: Iterable[str | Mapping[str, Any]]) -> dict[str, Any]:
    """Return plain data with values replaced: ``"section.key=value"``, or values by dotted key.

    >>> overridden({"mix": {"seed": 1}}, ["mix.tokens=1e9", {"mix.seed": 2}])
    {'mix': {'seed': 2, 'tokens': 1000000000}}
    """
    found = deepcopy(dict(data))
    for override in overrides:
        if isinstance(override, str):
            _override(found, override)
        else:
            for key, value in override.items():
                _put(found, key, value)
    return found


def parse(data: Mapping[str, Any], where: str = "recipe") -> Recipe:
    """Check a recipe given as plain data."""
    try:
        return model().model_validate(_plain(data, where))
    except ValidationError as error:
        raise RequestError(f"{where}:\n" + "\n".join(_explain(e) for e in error.errors())) from error


def mix_section(settings: Sequence[str], fitted: bool = False) -> MixConfig:
    """Read the `mix` section alone from ``key=value`` settings, with or without ``mix.`` before the key.

    Args:
        settings: such as ``tokens=1e9``.
        fitted: whether the laws are fitted already: see `under_laws`.

    Raises:
        RequestError: naming the key, what was found and what is allowed.

    >>> mix_section(["mix.tokens=1e9", "floors.khm_Khmr=0.01"]).floors
    {'khm_Khmr': 0.01}
    """
    data: dict[str, Any] = {}
    for setting in settings:
        _override(data, setting.removeprefix("mix."))
    try:
        return MixConfig.model_validate(under_laws(data) if fitted else data)
    except ValidationError as error:
        told = [_explain({**e, "loc": ("mix", *e["loc"])}) for e in error.errors()]
        raise RequestError("settings of the mixture:\n" + "\n".join(told)) from error


def section(where: str, kind: type[Checked], settings: Sequence[str]) -> Checked:
    """Read one section alone from ``key=value`` settings, with or without its name, or the last part of it, before the
    key.

    Raises:
        RequestError: naming the key, what was found and what is allowed.

    >>> from glotmix.proxy.config import ProxiesConfig
    >>> section("mix.proxies", ProxiesConfig, ["tokens=1e6", "mix.proxies.batch=4"]).batch
    4
    """
    data: dict[str, Any] = {}
    room, _, name = where.rpartition(".")
    for setting in settings:
        _override(data, setting.removeprefix(f"{room}.").removeprefix(f"{name}."))
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        told = [_explain({**e, "loc": (*where.split("."), *e["loc"])}) for e in error.errors()]
        raise RequestError(f"settings of {where}:\n" + "\n".join(told)) from error


def schema() -> dict[str, Any]:
    """Return the JSON schema of the recipe, for editors."""
    return model().model_json_schema()


def _override(data: dict[str, Any], override: str) -> None:
    name, equals, value = override.partition("=")
    if not equals or not name:
        raise RequestError(f"'{override}' is not an override", "section.key=value, such as mix.tokens=1e9")
    _put(data, name, _value(value))


def _put(data: dict[str, Any], name: str, value: Any) -> None:
    # What is lost of good text is decided by quality: both names are typed, the recipe has one.
    name = "select.lose" if name == "quality.lose" else name
    *path, last = name.split(".")
    at: Any = data
    for key in path:
        if isinstance(at, list):
            at = at[_index(at, key, name)]
        else:
            if at.get(key) is None:
                at[key] = {}
            at = at[key]
        if not isinstance(at, dict | list):
            raise RequestError(f"{name}: '{key}' is a value, not a section")
    if isinstance(at, list):
        at[_index(at, last, name)] = value
    else:
        at[last] = value


def _index(items: list[Any], key: str, name: str) -> int:
    # Python refuses to read a number of thousands of digits.
    if not key.isdecimal() or len(key) > 9 or int(key) >= len(items):
        raise RequestError(
            f"{name[:200]}: '{key[:200]}' is not a position in a list of {len(items)}", f"0 to {len(items) - 1}"
        )
    return int(key)


def _value(text: str) -> Any:
    return _plain(_yaml(text, f"'{text[:200]}'"), f"'{text[:200]}'")


class _Loader(yaml.SafeLoader):
    """YAML as 1.2 has it, where PyYAML has it otherwise: 1e6 is a number, ``no`` is Norwegian and not false, and a key
    that stands twice is an error, where the first of the two would be lost.
    """

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.composer.ComposerError(None, None, f"the key '{key.value}' stands twice", key.start_mark)
                seen.add(key.value)
        return node


_Loader.add_implicit_resolver("!power", re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+$"), list("+-0123456789"))
for _first in "yYnNoO":
    _Loader.yaml_implicit_resolvers[_first] = [
        (tag, pattern) for tag, pattern in _Loader.yaml_implicit_resolvers[_first] if not tag.endswith(":bool")
    ]
_Loader.add_constructor("!power", lambda _, node: _power(str(node.value)))


def _power(text: str) -> float | int:
    number = float(text)
    return int(number) if number.is_integer() else number


def _yaml(text: str | bytes, where: str) -> Any:
    try:
        return yaml.load(text, _Loader)
    except RecursionError as error:
        raise RequestError(f"{where} is nested too deeply") from error
    # Dates that are none, numbers of thousands of digits, bytes that are no text: PyYAML lets Python's own errors out.
    except (yaml.YAMLError, ValueError, OverflowError, LookupError, TypeError, AttributeError) as error:
        raise RequestError(f"{where} is not YAML: {error}") from error


def _plain(value: Any, where: str, at: tuple[str, ...] = (), above: tuple[int, ...] = ()) -> Any:
    """Refuse what no recipe can hold: values within themselves, infinite numbers, characters that no text has."""
    key = ".".join(at) or "the whole"
    if id(value) in above:
        raise RequestError(f"{where}: {key} holds itself, by an alias (*) to its own anchor (&)")
    if len(at) > _DEPTH:
        raise RequestError(f"{where}: {key[:60]}… is nested more than {_DEPTH} deep")
    match value:
        case float() if not math.isfinite(value):
            raise RequestError(f"{where}: {key}: a number is needed, not {value}")
        case int() if abs(value) >= 2**63:
            raise RequestError(f"{where}: {key}: a number of {len(str(value))} digits is too large")
        case str() if "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
            raise RequestError(f"{where}: {key} holds a character that no text has")
        case dict():
            for name, one in value.items():
                if not isinstance(name, str):
                    raise RequestError(f"{where}: {key}: the key {name} is no text", f"put it in quotes: '{name}'")
                _plain(name, where, (*at, "a key"))
                _plain(one, where, (*at, str(name)), (*above, id(value)))
        case list() | tuple():
            for number, one in enumerate(value):
                _plain(one, where, (*at, str(number)), (*above, id(value)))
    return value


def _explain(error: Any) -> str:
    path = ".".join(str(p) for p in error["loc"])
    if error["type"] == "extra_forbidden":
        renamed = dict(pair for key in registry.recipe_keys() for pair in key.renamed)
        if path in renamed:
            return f"  {path} is called {renamed[path]} now"
        known = _known(error["loc"][:-1])
        hint = did_you_mean(str(error["loc"][-1]), known)
        return f"  {path}: no such key{hint}" + ("" if hint or not known else f"; known: {', '.join(known)}")
    given = error.get("input")
    shown = "" if isinstance(given, dict | list) or error["type"] == "missing" else f", given {given!r}"
    # What a check of ours says is a sentence already, and one of the whole recipe names its key itself.
    said = error["msg"].removeprefix("Value error, ")
    ours = said != error["msg"]
    return f"  {path}{': ' if path else ''}{said if ours else said[:1].lower() + said[1:]}{shown}"


def _known(path: Iterable[str | int]) -> list[str]:
    """Return the keys that may stand at a place of the recipe."""
    whole = schema()

    def ways(at: Any) -> list[dict[str, Any]]:
        if "$ref" in at:
            at = whole["$defs"][at["$ref"].rsplit("/", 1)[1]]
        return [at] + [way for option in at.get("anyOf", ()) for way in ways(option)]

    here = ways(whole)
    for key in path:
        below = (at.get("items", {}) if isinstance(key, int) else at.get("properties", {}).get(key, {}) for at in here)
        here = [way for at in below for way in ways(at)]
    return list(dict.fromkeys(name for at in here for name in at.get("properties", ())))
