"""The signal `words`: how many words of the user's lists (adult, spam, one's own) each document holds.

An Aho-Corasick automaton (`ahocorasick_rs`, the extra ``words``) finds them, longest first, without regard to case and
to composed or decomposed letters. Where a script puts spaces between words, a word counts as a whole one only; in
Chinese, Japanese, Thai, Lao, Khmer, Burmese and Tibetan letters it counts wherever it stands.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache, partial
from glob import escape
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from pydantic import BeforeValidator, Field

from glotmix.core import utf8
from glotmix.core.context import RunContext
from glotmix.core.errors import MissingExtraError, RequestError
from glotmix.core.record import Counts, Output, digest_file
from glotmix.core.rules import LanguageSetting, LedgerView, Rule, RuleHits, Through
from glotmix.core.section import RecipeKey, Section, as_tuple
from glotmix.core.step import Column, Extra, StepSpec
from glotmix.signals.annotate import Measure, Measured

VERSION = 2

FIELDS = pa.struct(
    [pa.field("words", pa.int64()), pa.field("per_1000_chars", pa.float64()), pa.field("by_list", pa.string())]
)
_JOINED = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


class WordsSection(Section):
    """Lists of words that documents are looked through for."""

    lists: dict[str, Annotated[tuple[str, ...], BeforeValidator(as_tuple)]] = Field(
        default_factory=dict,
        description="name → files of a word or phrase a line; {lang} in a path stands for the document's language",
    )


def folded(text: str) -> str:
    """Return a text as it is compared: composed, in small letters."""
    return unicodedata.normalize("NFC", text).casefold()


class Words:
    """Words of several lists, ready to be counted.

    Args:
        lists: words by list.
    """

    def __init__(self, lists: Mapping[str, Sequence[str]]) -> None:
        try:
            from ahocorasick_rs import AhoCorasick, MatchKind
        except ImportError as error:
            raise MissingExtraError("signals.words", "words") from error
        self.of: dict[str, set[str]] = {}
        for name, words in lists.items():
            for word in words:
                if key := folded(word.strip()):
                    self.of.setdefault(key, set()).add(name)
        self.words = list(self.of)
        # All matches, and the whole words among them: the longest may be part of another word where a shorter is whole.
        self.automaton = AhoCorasick(self.words, matchkind=MatchKind.Standard) if self.words else None

    def counts(self, text: str) -> dict[str, int]:
        """Return how many words of each list a text holds; of words that overlap, the longest counts."""
        if self.automaton is None:
            return {}
        text = folded(text)
        hits = [
            (start, -end, number)
            for number, start, end in self.automaton.find_matches_as_indexes(text, overlapping=True)
            if _whole(text, start, end)
        ]
        found: dict[str, int] = {}
        after = 0
        for start, end, number in sorted(hits):
            if start >= after:
                after = -end
                for name in self.of[self.words[number]]:
                    found[name] = found.get(name, 0) + 1
        return found


def _whole(text: str, start: int, end: int) -> bool:
    return not (
        (start > 0 and _joins(text[start - 1], text[start])) or (end < len(text) and _joins(text[end - 1], text[end]))
    )


@cache
def _letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def _joins(left: str, right: str) -> bool:
    """Whether no word ends between two characters."""
    if unicodedata.combining(right) or unicodedata.category(right) in ("Mn", "Mc"):
        return True
    return _letter(left) and _letter(right) and not (_JOINED.match(left) or _JOINED.match(right))


def measure(lists: Mapping[str, Mapping[str, Sequence[str]]], texts: pa.Array, langs: pa.Array) -> pa.StructArray:
    """Return `FIELDS` of texts.

    Args:
        lists: by language, words by list.
        texts: n strings.
        langs: n codes.
    """
    ready: dict[str, Words] = {}
    rows: list[dict[str, Any]] = []
    for text, lang in zip(texts.to_pylist(), langs.to_pylist(), strict=True):
        if lang not in ready:
            ready[lang] = Words(lists.get(lang, {}))
        found = ready[lang].counts(text)
        words = sum(found.values())
        told = ",".join(f"{name}:{n}" for name, n in sorted(found.items())) or None
        rows.append({"words": words, "per_1000_chars": 1000 * words / max(len(text), 1), "by_list": told})
    return pa.array(rows, FIELDS)


def _lists(context: RunContext) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    langs = sorted(p.name for p in context.corpus.glob("*_*") if p.is_dir())
    for name, paths in context.recipe.signals.words.lists.items():
        for lang in langs:
            for given in paths:
                path = context.path(given.replace("{lang}", lang))
                if not path.is_file():
                    if "{lang}" in given:
                        continue  # a language without a list
                    raise RequestError(f"signals.words.lists.{name}: there is no file {path}")
                lines = (line.strip() for line in utf8.text(path).splitlines())
                found.setdefault(lang, {}).setdefault(name, []).extend(w for w in lines if w and not w.startswith("#"))
    return found


def _measure(context: RunContext) -> Measure:
    lists = _lists(context)

    def after(output: Output) -> Counts:
        output.notes["lists"] = {lang: {n: len(w) for n, w in held.items()} for lang, held in lists.items()}
        return {}

    return Measure(["text", "lang"], partial(measure, lists), FIELDS, after)


def _inputs(context: RunContext) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, paths in context.recipe.signals.words.lists.items():
        for number, given in enumerate(paths):
            path = context.path(given)
            # A folder may be called by the language, too. What stands above it is no pattern.
            above = next((n for n, part in enumerate(path.parts) if "{lang}" in part), len(path.parts))
            below = ["*_*".join(map(escape, part.split("{lang}"))) for part in path.parts[above:]]
            root = Path(*path.parts[:above])
            for held in sorted(root.glob("/".join(below))) if below else [path]:
                if held.is_file():
                    which = held.relative_to(root) if below else held.name
                    found[f"{name} {number} {which}"] = digest_file(held)
    return found


def _hits(view: LedgerView) -> list[RuleHits]:
    found = view.signal("signals/words")
    rates = found["per_1000_chars"].to_numpy()
    told = found["by_list"].to_pylist()
    langs, sources = view.documents["lang"].to_pylist(), view.documents["source"].to_pylist()
    limits = {p: view.setting(*p, "words.max_per_1000_chars") for p in set(zip(langs, sources, strict=True))}
    rows = [
        row
        for row, place in enumerate(zip(langs, sources, strict=True))
        if (limit := limits[place]) is not None and rates[row] > limit
    ]
    evidence = [f"{rates[row]:.2g} listed words per 1,000 characters ({told[row]})" for row in rows]
    return [RuleHits("words", np.array(rows, np.int64), evidence)]


RECIPE = RecipeKey("signals.words", WordsSection, WordsSection(), place=25)

STEPS = StepSpec(
    name="signals/words",
    code=(__name__,),
    make=Measured(_measure),
    wanted=lambda context: bool(context.recipe.signals.words.lists),
    config=lambda context: {"lists": sorted(context.recipe.signals.words.lists)},
    inputs=_inputs,
    per_document=True,
    extras=(Extra("words", "signals.words", ("ahocorasick_rs",)),),
    columns=(
        Column("words", "int64", "words of the lists that the document holds", "words"),
        Column("per_1000_chars", "double", "the same per 1,000 characters", "words per 1,000 characters"),
        Column("by_list", "string", "how many of each list"),
    ),
    rules=(
        Rule(
            "words",
            _hits,
            place=45,
            settings=(
                LanguageSetting(
                    "words.max_per_1000_chars",
                    ...,
                    "a number from 0, or null",
                    lambda v: v is None or (isinstance(v, int | float) and not isinstance(v, bool) and v >= 0),
                    Through(("words.per_1000_chars",)),
                ),
            ),
            meaning="it holds more words of the lists than its language allows",
        ),
    ),
    meaning="words of the user's lists in each document",
    place=42,
)
