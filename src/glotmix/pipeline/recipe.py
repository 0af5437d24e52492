"""The recipe: the YAML that says all of it. Its sections have the names of the rooms.

Unknown keys are errors with a suggestion; values can be overridden on the command line as ``section.key=value``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from glotmix.core.errors import RequestError, did_you_mean
from glotmix.instruct.config import InstructConfig
from glotmix.mix.config import MixConfig
from glotmix.pipeline.sections import (
    CorpusSection,
    EngineSection,
    ExportSection,
    MixSection,
    Section,
    SelectSection,
    SignalsSection,
)
from glotmix.proxy.config import ProxiesConfig
from glotmix.quality.config import QualityConfig
from glotmix.quality.raters_config import RatersConfig
from glotmix.signals import heuristics
from glotmix.signals.embed import EmbedConfig

RESERVED = frozenset({"structure", "form", "wording", "flow", "id", "lang", "label", "group", "source", "length"})
"""Columns of a rater's table that are no vectors."""


class Recipe(Section):
    """From raw text to a data set, a mixture, a card and a report."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="names the data set")
    output: str = Field("out", description="folder of everything that is made, beside the recipe")
    kind: Literal["documents", "instructions"] = Field(
        "documents", description="instructions: conversations, rated by `instruct` and not by `quality`"
    )
    seed: int = 0
    corpus: CorpusSection
    signals: SignalsSection = SignalsSection()
    quality: QualityConfig | None = Field(QualityConfig(), description="null for no rater")
    instruct: InstructConfig = InstructConfig()
    raters: RatersConfig | None = Field(None, description="many raters, joined and carried across languages")
    select: SelectSection = SelectSection()
    mix: MixSection = MixSection()
    export: ExportSection = ExportSection()
    engine: EngineSection = EngineSection()
    settings: dict[str, Any] = Field(
        default_factory=dict, description="per default, script, family, language, source: see docs/settings.md"
    )

    @model_validator(mode="after")
    def _seen(self) -> "Recipe":
        seen: list[EmbedConfig] = []
        for name in self.quality.embedders if self.quality else ():
            one = self.signals.embedder(name)
            called = [each.called for each in self.signals.embed]
            if one is None:
                hint = did_you_mean(name, called)
                fix = f"signals.embed=[{', '.join([*called, name])}]" if called else f"signals.embed={name}"
                raise ValueError(f"quality.features names the embedder {name}, which is no signal{hint}: {fix}")
            if one in seen:
                raise ValueError(f"quality.features names the embedder {one.called} twice")
            if one.called in heuristics.COLUMNS or one.called in RESERVED:
                raise ValueError(
                    f"signals.embed: {one.called} names a column of another kind; give the embedder a name"
                )
            seen.append(one)
        return self

    @model_validator(mode="after")
    def _one_line(self) -> "Recipe":
        if self.select.score == "quantile":
            return self
        if self.select.retain != "share" or self.quality is None:
            raise ValueError(f"select.score={self.select.score} draws one line for all languages: select.retain=share")
        if self.select.score == "calibrated" and self.quality.parallel is None:
            raise ValueError("select.score=calibrated needs parallel documents: quality.parallel")
        return self

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

    @model_validator(mode="after")
    def _one_scorer(self) -> "Recipe":
        if self.instruct.pairs and self.instruct.model is not None:
            raise ValueError("instruct.pairs trains a model, and instruct.model names one: give one of them")
        if self.kind == "instructions" and any(s.shape is None for s in self.corpus.sources):
            raise ValueError("every source of a recipe of kind instructions has a shape")
        chosen = self.instruct.select
        blind = self.kind == "instructions" and not self.instruct.scored and (chosen.size or chosen.sizes)
        if blind and chosen.method not in ("random", "diversity"):
            raise ValueError(
                f"instruct.select.method={chosen.method} goes by quality, and nothing rates the answers: give "
                "instruct.pairs or instruct.model, or method=diversity"
            )
        return self


def load(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply ``section.key=value`` overrides.

    Raises:
        RequestError: naming the key, what was found and what is allowed.
    """
    if not path.is_file():
        raise RequestError(f"there is no recipe at {path}", "glotmix run path/to/recipe.yaml")
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RequestError(f"{path} is not YAML: {error}") from error
    if not isinstance(data, dict):
        raise RequestError(f"{path} holds no recipe: a mapping with 'name' and 'corpus' is needed")
    for override in overrides:
        _override(data, override)
    return parse(data, str(path))


def parse(data: Mapping[str, Any], where: str = "recipe") -> Recipe:
    """Check a recipe given as plain data."""
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise RequestError(f"{where}:\n" + "\n".join(_explain(e) for e in error.errors())) from error


def mix_section(settings: Sequence[str]) -> MixConfig:
    """Read the `mix` section alone from ``key=value`` settings, with or without ``mix.`` before the key.

    Raises:
        RequestError: naming the key, what was found and what is allowed.

    >>> mix_section(["mix.tokens=1e9", "floors.khm_Khmr=0.01"]).floors
    {'khm_Khmr': 0.01}
    """
    data: dict[str, Any] = {}
    for setting in settings:
        _override(data, setting.removeprefix("mix."))
    try:
        return MixConfig.model_validate(data)
    except ValidationError as error:
        told = [_explain({**e, "loc": ("mix", *e["loc"])}) for e in error.errors()]
        raise RequestError("settings of the mixture:\n" + "\n".join(told)) from error


def proxies_section(settings: Sequence[str]) -> ProxiesConfig:
    """Read the section `mix.proxies` alone from ``key=value`` settings, with or without its name before the key.

    Raises:
        RequestError: naming the key, what was found and what is allowed.

    >>> proxies_section(["tokens=1e6", "mix.proxies.batch=4"]).batch
    4
    """
    data: dict[str, Any] = {}
    for setting in settings:
        _override(data, setting.removeprefix("mix.").removeprefix("proxies."))
    try:
        return ProxiesConfig.model_validate(data)
    except ValidationError as error:
        told = [_explain({**e, "loc": ("mix", "proxies", *e["loc"])}) for e in error.errors()]
        raise RequestError("settings of the proxies:\n" + "\n".join(told)) from error


def schema() -> dict[str, Any]:
    """Return the JSON schema of the recipe, for editors."""
    return Recipe.model_json_schema()


def _override(data: dict[str, Any], override: str) -> None:
    name, equals, value = override.partition("=")
    if not equals or not name:
        raise RequestError(f"'{override}' is not an override", "section.key=value, such as mix.tokens=1e9")
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
    parsed = _value(value)
    if isinstance(at, list):
        at[_index(at, last, name)] = parsed
    else:
        at[last] = parsed


def _index(items: list[Any], key: str, name: str) -> int:
    if not key.isdigit() or int(key) >= len(items):
        raise RequestError(f"{name}: '{key}' is not a position in a list of {len(items)}", f"0 to {len(items) - 1}")
    return int(key)


def _value(text: str) -> Any:
    # YAML 1.1 reads 1e9 as text; people type it for token budgets.
    if re.fullmatch(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+", text):
        number = float(text)
        return int(number) if number.is_integer() else number
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RequestError(f"'{text}' is not a YAML value: {error}") from error


def _explain(error: Any) -> str:
    path = ".".join(str(p) for p in error["loc"])
    if error["type"] == "extra_forbidden":
        known = _known(error["loc"][:-1])
        hint = did_you_mean(str(error["loc"][-1]), known)
        return f"  {path}: no such key{hint}" + ("" if hint or not known else f"; known: {', '.join(known)}")
    given = error.get("input")
    shown = "" if isinstance(given, dict | list) or error["type"] == "missing" else f", given {given!r}"
    return f"  {path}: {error['msg'][:1].lower()}{error['msg'][1:]}{shown}"


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
