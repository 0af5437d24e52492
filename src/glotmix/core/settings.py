"""Per-language settings: default → script → family → language → source, each with the place that it came from.

Layers are plain mappings, as in the recipe's ``settings:`` section::

    default:  {quality: {keep: 0.5}}
    script:   {Arab: {identify: {min_score: 0.7}}}
    family:   {Turkic: {quality: {keep: 0.8}}}
    language: {fra_Latn: {heuristics: {mean_line_chars: {low: {quantile: 0.02}}}}}
    source:   {books: {identify: {on_mismatch: keep}}}

The rule of precedence: a more specific layer wins; within one layer the recipe wins over what ships with glotmix
(``data/settings.yaml``). So a recipe's `default` does not undo a built-in setting of a language; its `language` does.
Sections merge key by key; a value is a number, a text, true or false, null (off), or ``{quantile: q}``.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from glotmix.core import language as languages
from glotmix.core import registry
from glotmix.core.errors import GlotmixError, RequestError, did_you_mean
from glotmix.core.language import Language
from glotmix.core.rules import LanguageSetting
from glotmix.core.section import RecipeKey
from glotmix.core.step import StepSpec

LAYERS = ("default", "script", "family", "language", "source")
"""From general to specific."""

Value: TypeAlias = "bool | int | float | str | dict[str, float] | None"
FILE = Path(str(files("glotmix") / "data" / "settings.yaml"))
"""What ships with glotmix."""

BUILT_IN = "built-in"
DEFAULT = f"{BUILT_IN}, default"
"""The origin of what nobody set."""
FROM_RECIPE = "recipe"
_OWN = "glotmix"


@dataclass(frozen=True)
class Setting:
    """One resolved value.

    Args:
        value: a number, a text, true or false, None (off), or ``{"quantile": q}``.
        origin: who said so, and in which layer: ``built-in, default``, ``recipe, family Romance``.
        instead_of: the setting of a more general layer that this one replaced, if any.
    """

    value: Value
    origin: str
    instead_of: "Setting | None" = None


def resolve(layers: Mapping[str, Any], language: Language, source: str | None = None) -> dict[str, Setting]:
    """Return every setting of a language by its dotted key, in the order of the built-in defaults.

    Args:
        layers: the recipe's ``settings:`` section; may be empty.
        language: whose settings are wanted.
        source: the source whose layer applies; None for none.

    Raises:
        RequestError: for a layer, script, family, language, key or value that does not exist, naming the nearest.
    """
    own, shipped = _checked(layers, FROM_RECIPE), _built_in()
    places = {
        "default": None,
        "script": language.script,
        "family": language.family,
        "language": language.code,
        "source": source,
    }
    resolved = beyond()
    last = tuple(resolved)
    for layer, name in places.items():
        for who, given in ((BUILT_IN, shipped), (FROM_RECIPE, own)):
            origin = f"{who}, {layer}" if name is None else f"{who}, {layer} {name}"
            for key, value in given.get((layer, name), {}).items():
                for one in _beneath(key):
                    resolved[one] = Setting(value, origin, resolved.get(one))
    return dict(sorted(resolved.items(), key=lambda item: item[0] in last))


def explain(layers: Mapping[str, Any], language: Language, source: str | None = None) -> list[dict[str, Any]]:
    """Return the resolved settings as plain rows ``{key, value, origin, instead_of}``, for a table or JSON.

    `instead_of` lists ``{value, origin}`` of what was replaced, the nearest first.
    """
    rows = []
    for key, setting in resolve(layers, language, source).items():
        replaced, at = [], setting.instead_of
        while at is not None:
            replaced.append({"value": at.value, "origin": at.origin})
            at = at.instead_of
        rows.append({"key": key, "value": setting.value, "origin": setting.origin, "instead_of": replaced})
    return rows


def known_source(source: str | None, sources: Collection[str]) -> None:
    """Refuse a source that a recipe does not have.

    Raises:
        RequestError: naming those that it has.
    """
    if source is not None and source not in sources:
        told = f"one of {', '.join(sources)}" if sources else "name a recipe: --recipe recipe.yaml"
        raise RequestError(f"there is no source {source!r}{did_you_mean(source, sources)}", told)


def check(layers: Mapping[str, Any], sources: Collection[str] | None = None) -> None:
    """Check a recipe's whole ``settings:`` section, whether a language of the corpus uses it or not.

    Args:
        layers: the section.
        sources: the names of the recipe's sources; None if any name will do.

    Raises:
        RequestError: as `resolve`, and for a source that does not exist.
    """
    for layer, name in _checked(layers, FROM_RECIPE):
        if layer == "source" and sources is not None and name not in sources:
            raise RequestError(
                f"settings.source.{name}: there is no source {name!r}" + did_you_mean(str(name), sources),
                f"one of {', '.join(sources)}",
            )


def known() -> tuple[str, ...]:
    """Return the dotted keys of all settings: those of the built-in file, then those that rules alone declare."""
    return (*_built_in()["default", None], *beyond())


@dataclass(frozen=True)
class Declared:
    """A setting as a rule declares it, and the package that the rule is of."""

    setting: LanguageSetting
    package: str


@cache
def declared() -> Mapping[str, Declared]:
    """Return what the rules of glotmix and of installed plugins ask for, by key, sorted.

    A plugin's settings are those of rules whose step does not depend on the recipe.

    Raises:
        GlotmixError: if two packages declare the same key.
    """
    found: dict[str, Declared] = {}
    for module in registry.modules("STEPS"):
        package = module.__name__.partition(".")[0]
        steps = module.STEPS if isinstance(module.STEPS, tuple) else (module.STEPS,)
        rules = (rule for step in steps if isinstance(step, StepSpec) for rule in step.rules)
        for setting in (setting for rule in rules for setting in rule.settings):
            before = found.setdefault(setting.key, Declared(setting, package))
            if before.package != package:
                raise GlotmixError(f"{before.package} and {package} both declare the setting {setting.key}")
    return dict(sorted(found.items()))


def beyond() -> dict[str, Setting]:
    """Return the settings that rules declare and the built-in file does not hold, by key, with their defaults.

    With the rules they change what a ledger says.
    """
    shipped = _built_in()["default", None]
    return {
        key: Setting(one.setting.default, f"{BUILT_IN if one.package == _OWN else one.package}, default")
        for key, one in declared().items()
        if one.setting.default is not ... and key not in shipped
    }


@cache
def _built_in() -> dict[tuple[str, str | None], dict[str, Value]]:
    # Our own file, in C where PyYAML has that: ten times as fast.
    layers = yaml.load(FILE.read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    keys = frozenset(key for key, _ in _leaves(layers["default"], "settings.default"))
    return _checked(layers, BUILT_IN, keys)


def _checked(
    layers: Mapping[str, Any], who: str, keys: Collection[str] | None = None
) -> dict[tuple[str, str | None], dict[str, Value]]:
    """Return ``(layer, canonical name) → dotted key → value`` of checked layers."""
    allowed = known() if keys is None else keys
    found: dict[tuple[str, str | None], dict[str, Value]] = {}
    for layer, content in layers.items():
        if layer not in LAYERS:
            raise RequestError(
                f"settings.{layer}: there is no such layer{did_you_mean(str(layer), LAYERS)}",
                f"one of {', '.join(LAYERS)}",
            )
        at = f"settings.{layer}"
        named: Mapping[Any, Any] = {None: content} if layer == "default" else _section(content, at)
        for name, settings in named.items():
            where = at if name is None else f"{at}.{name}"
            # YAML reads the code of Norwegian as false.
            place = (layer, None if name is None else _name(layer, "no" if name is False else str(name), where))
            if place in found:
                raise RequestError(f"{where}: {place[1]} is set up twice", "merge the two")
            found[place] = {key: _value(key, value, where, allowed) for key, value in _leaves(settings, where)}
    return found


def _name(layer: str, name: str, where: str) -> str:
    """Return the canonical form of a layer's entry."""
    if layer == "source":
        return name
    if layer == "language":
        try:
            return languages.parse(name).code
        except RequestError as error:
            raise RequestError(f"{where}: {error.message}", error.fix) from error
    exist = languages.scripts() if layer == "script" else languages.families()
    if name not in exist:
        raise RequestError(f"{where}: there is no {layer} {name!r}{did_you_mean(name, exist)}")
    return name


def _section(content: Any, where: str) -> Mapping[str, Any]:
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise RequestError(f"{where} must be a mapping, not {content!r}")
    return content


def _leaves(content: Any, where: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted keys of nested sections and their values."""
    for name, value in _section(content, f"{where}.{prefix}".removesuffix(".")).items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and set(value) != {"quantile"}:
            yield from _leaves(value, where, f"{key}.")
        else:
            yield key, value


def _value(key: str, value: Any, where: str, allowed: Collection[str]) -> Value:
    """Return the value if such a setting exists and takes it."""
    within = [k for k in allowed if k == key or k.startswith(f"{key}.")]
    if not within:
        raise RequestError(f"{where}.{key}: there is no such setting{did_you_mean(key, allowed)}")
    if key not in allowed:
        # A whole section can be switched off, and nothing else be said of it.
        if value is not None or not all(_rule(k)[1](None) for k in within):
            raise RequestError(f"{where}.{key} is a section", f"set one of {', '.join(within[:4])}")
        return None
    wanted, fits = _rule(key)
    if not fits(value):
        raise RequestError(f"{where}.{key}: {wanted} is needed, not {value!r}")
    return dict(value) if isinstance(value, Mapping) else value


def _beneath(key: str) -> list[str]:
    """Return the settings that a key names: itself, or all of a section that is switched off."""
    if key in known():
        return [key]
    return [k for k in known() if k.startswith(f"{key}.")]


@cache
def _rule(key: str) -> tuple[str, Callable[[Any], bool]]:
    """Return what a setting takes, in words and as a check: as it is declared, or as those beside it are."""
    found = [
        one.setting for name, one in declared().items() if key == name or (name[-1] == "." and key.startswith(name))
    ]
    closest = max(found, key=lambda one: len(one.key))
    return closest.takes, closest.fits


RECIPE = RecipeKey(
    "settings",
    dict[str, Any],
    {},
    "per default, script, family, language, source: see docs/settings.md",
    place=95,
)
