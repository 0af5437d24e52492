"""The steps that make documents: the corpus as it is read, and the corpus without its repeated lines."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from glotmix.core.context import RunContext
from glotmix.core.record import Counts, Output
from glotmix.core.step import Column, StepSpec
from glotmix.corpus import read, strip
from glotmix.corpus.sources import IDENTIFY
from glotmix.signals import language_id

BOILERPLATE = "signals/boilerplate"


def _guessed(context: RunContext) -> bool:
    return any(source.language == IDENTIFY for source in context.recipe.corpus.sources)


def _make(context: RunContext, output: Output) -> Counts:
    section, label = context.recipe.corpus, None
    if _guessed(context):
        max_chars = context.recipe.signals.identify.max_chars
        label = partial(language_id.label, model=language_id.identifier(context), max_chars=max_chars)
    return read.make(
        output, section.sources, context.base, label,
        section.max_chars, section.max_quarantined, section.max_unknown_language,
    )  # fmt: skip


def _config(context: RunContext) -> Mapping[str, Any]:
    section = context.recipe.corpus
    known = {"sources": [source.identity for source in section.sources], "max_chars": section.max_chars}
    return known | ({"identify": language_id.identity(context)} if _guessed(context) else {})


def _strip(context: RunContext, output: Output) -> Counts:
    letters = context.recipe.signals.boilerplate.letters
    return strip.make(output, context.step_dir("corpus"), context.step_dir(BOILERPLATE), letters)


STEPS = (
    StepSpec(
        name="corpus",
        code=("glotmix.corpus.read",),
        make=_make,
        needs=lambda context: (),
        config=_config,
        inputs=lambda context: read.fingerprints(context.recipe.corpus.sources, context.base),
        columns=(
            Column("id", "string", "names the document in every table"),
            Column("text", "string", "the document"),
            Column("lang", "string", "its language: ISO 639-3 and ISO 15924"),
            Column("source", "string", "the source that it was read from"),
        ),
        meaning="the documents of all sources, as they were read; what is no document stands in its quarantine",
        place=10,
    ),
    StepSpec(
        name="clean",
        code=("glotmix.corpus.strip",),
        make=_strip,
        wanted=lambda context: context.cleaned,
        needs=lambda context: ("corpus", BOILERPLATE),
        meaning="the documents without the lines that their source repeats",
        place=21,
    ),
)
