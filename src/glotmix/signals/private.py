"""The signal `private`: how much personal data each document holds, by kind. No value is written anywhere."""

from collections import Counter
from functools import partial
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
from pydantic import BeforeValidator, Field

from glotmix.core.rules import LanguageSetting, LedgerView, Rule, RuleHits, Through
from glotmix.core.section import RecipeKey, Section, as_tuple
from glotmix.core.step import Column, Extra, StepSpec
from glotmix.signals.annotate import Measure, Measured
from glotmix.signals.personal import KINDS, find, masked

VERSION = 3

FIELDS = pa.struct([pa.field(kind, pa.int64()) for kind in KINDS])
Kind = Literal["email", "phone", "ip", "iban", "card", "national_id"]


class PrivateSection(Section):
    """Personal data in documents: null for not looking."""

    kinds: Annotated[tuple[Kind, ...], BeforeValidator(as_tuple)] = Field(
        ("email", "phone", "ip", "iban", "card", "national_id"), min_length=1, description="which are looked for"
    )
    mask: Literal["tag", "placeholder"] | None = Field(
        None, description="what the data set has in their place: <EMAIL>, or <EMAIL-1>, the same for the same value"
    )


def measure(kinds: tuple[str, ...], texts: pa.Array, langs: pa.Array) -> pa.StructArray:
    """Return how many of each kind each of n texts holds; null for kinds that were not looked for."""
    rows = []
    for text, lang in zip(texts.to_pylist(), langs.to_pylist(), strict=True):
        spans = find(text, lang, kinds)
        rows.append({kind: sum(s.kind == kind for s in spans) if kind in kinds else None for kind in KINDS})
    return pa.array(rows, FIELDS)


def mask(kinds: tuple[str, ...], how: str, documents: pa.Table) -> pa.Table:
    """Return documents with something else where personal data stood, and a column ``masked``: how many of each kind.

    Args:
        kinds: which are looked for.
        how: ``tag`` or ``placeholder``, see `glotmix.signals.personal.masked`.
        documents: ``text, lang`` and others.
    """
    texts, told = [], []
    for text, lang in zip(documents["text"].to_pylist(), documents["lang"].to_pylist(), strict=True):
        spans = find(text, lang, kinds)
        texts.append(masked(text, spans, how) if spans else text)
        counts = Counter(s.kind for s in spans)
        told.append(",".join(f"{kind}:{counts[kind]}" for kind in KINDS if counts[kind]) or None)
    at = documents.column_names.index("text")
    name = "masked" if "masked" not in documents.column_names else "glotmix_masked"
    return documents.set_column(at, "text", pa.array(texts, pa.string())).append_column(
        name, pa.array(told, pa.string())
    )


def _hits(view: LedgerView) -> list[RuleHits]:
    found = view.signal("signals/private")
    total = np.sum([found[kind].fill_null(0).to_numpy() for kind in KINDS], axis=0)
    langs, sources = view.documents["lang"].to_pylist(), view.documents["source"].to_pylist()
    limits = {p: view.setting(*p, "private.most") for p in set(zip(langs, sources, strict=True))}
    rows = [
        row
        for row, place in enumerate(zip(langs, sources, strict=True))
        if (limit := limits[place]) is not None and total[row] > limit
    ]
    return [
        RuleHits("private", np.array(rows, np.int64), [f"holds {total[row]} pieces of personal data" for row in rows])
    ]


RECIPE = RecipeKey(
    "signals.private",
    PrivateSection | None,
    None,
    "personal data, counted and on request masked; null for not looking",
    place=26,
)

STEPS = StepSpec(
    name="signals/private",
    code=(__name__,),
    make=Measured(
        lambda context: Measure(["text", "lang"], partial(measure, context.recipe.signals.private.kinds), FIELDS)
    ),
    wanted=lambda context: context.recipe.signals.private is not None,
    config=lambda context: {"kinds": list(context.recipe.signals.private.kinds)},
    per_document=True,
    extras=(Extra("private", "signals.private", ("phonenumbers", "stdnum")),),
    columns=tuple(Column(kind, "int64", f"how many of the kind {kind}", "pieces") for kind in KINDS),
    rules=(
        Rule(
            "private",
            _hits,
            place=46,
            settings=(
                LanguageSetting(
                    "private.most",
                    ...,
                    "a whole number from 0, or null",
                    lambda v: v is None or (isinstance(v, int) and not isinstance(v, bool) and v >= 0),
                    Through(tuple(f"private.{kind}" for kind in KINDS), whole=True),
                ),
            ),
            meaning="it holds more personal data than its language allows",
        ),
    ),
    meaning="personal data in each document, by kind, without the values",
    place=43,
)
