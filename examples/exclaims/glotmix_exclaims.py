"""How much a document exclaims: a signal, a rule with a setting per language, and a figure in the report.

Written in a recipe as ``signals: {exclaims: {}}``; ``settings: {default: {exclaims: {most: 20}}}`` draws the line.
"""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glotmix.core.context import RunContext
from glotmix.core.record import Counts, Output
from glotmix.core.rules import LanguageSetting, LedgerView, Rule, RuleHits, Through, number
from glotmix.core.section import RecipeKey, Section
from glotmix.core.step import Column, StepSpec
from glotmix.signals.annotate import annotate

VERSION = 1
NAME = "signals/exclaims"
FIELDS = pa.struct([pa.field("exclaims", pa.float32())])
SIGNS = "[!！﹗՜߹᥄❗‼]"
"""Of Latin, Chinese and Japanese, Armenian, N'Ko, Limbu; most scripts have borrowed the first."""


class ExclaimsSection(Section):
    """Exclamation marks."""

    per: int = 1_000
    """Characters of a document that they are counted in."""


def measure(texts: pa.Array, per: int) -> pa.StructArray:
    """Return how many exclamation marks each text has in so many characters; 0 for a text of none."""
    marks = pc.cast(pc.count_substring_regex(texts, SIGNS), pa.float32())
    chars = pc.max_element_wise(pc.utf8_length(texts), 1)
    return pa.StructArray.from_arrays(
        [pc.cast(pc.divide(pc.multiply(marks, per), chars), pa.float32())], fields=list(FIELDS)
    )


def make(context: RunContext, output: Output) -> Counts:
    """Write ``id, exclaims`` of every document."""
    per = context.recipe.signals.exclaims.per
    return annotate(output, context.corpus, ["text"], lambda texts: measure(texts, per), FIELDS)


def too_many(view: LedgerView) -> Iterable[RuleHits]:
    """Return the documents beyond the line of their language, and of their source."""
    found = view.signal(NAME)["exclaims"].to_numpy()
    places = zip(view.documents["lang"].to_pylist(), view.documents["source"].to_pylist(), strict=True)
    given = [view.setting(lang, source, "exclaims.most") for lang, source in places]
    most = np.array([np.inf if one is None else one for one in given])
    rows = np.flatnonzero(found > most)
    evidence = [f"{found[row]:.1f} exclamation marks > {most[row]:g}" for row in rows]
    return [RuleHits("exclaims", rows.astype(np.int64), evidence)]


MOST = LanguageSetting(
    "exclaims.most",
    30,
    "a number from 0, or null for no line",
    lambda value: value is None or number(value, 0),
    Through(("exclaims.exclaims",)),
)

RECIPE = RecipeKey("signals.exclaims", ExclaimsSection | None, None, "exclamation marks; null: they are not counted")

STEPS = StepSpec(
    name=NAME,
    code=(__name__,),
    make=make,
    wanted=lambda context: context.recipe.signals.exclaims is not None,
    config=lambda context: context.recipe.signals.exclaims.model_dump(),
    per_document=True,
    columns=(Column("exclaims", "float32", "exclamation marks in a thousand characters", "marks"),),
    rules=(Rule("exclaims", too_many, 55, (MOST,), "it has more exclamation marks than its language's line"),),
    meaning="how much a document exclaims",
)
