"""The step `dataset`: what is kept, as shards with a card, blends and the resolved recipe."""

from collections.abc import Callable
from functools import partial

import pyarrow as pa

from glotmix.core.context import RunContext
from glotmix.core.record import Counts, Output
from glotmix.core.section import resolved
from glotmix.core.step import StepSpec
from glotmix.corpus import write
from glotmix.export import data_card
from glotmix.signals import private


def _masking(context: RunContext) -> Callable[[pa.Table], pa.Table] | None:
    """Return what puts something else in the place of personal data, None where the recipe does not ask for it."""
    section = context.recipe.signals.private
    return None if section is None or section.mask is None else partial(private.mask, section.kinds, section.mask)


def _make(context: RunContext, output: Output) -> Counts:
    section = context.recipe.export
    counts = write.make(
        output,
        context.corpus,
        context.step_dir("ledger"),
        formats=section.formats,
        shard_bytes=section.shard_mb * 10**6,
        dropped=section.dropped,
        change=_masking(context),
    )
    data_card.describe(context, output, resolved(context.recipe))
    return counts


STEPS = StepSpec(
    name="dataset",
    code=lambda context: (
        "glotmix.corpus.write",
        "glotmix.export.data_card",
        *(("glotmix.signals.private",) if _masking(context) else ()),
    ),
    make=_make,
    needs=lambda context: (*context.corpus_steps, "ledger", "mixture"),
    config=lambda context: (
        context.recipe.export.model_dump(mode="json", exclude={"tokens"})
        | {"name": context.recipe.name, "recipe": resolved(context.recipe)}
    ),
    meaning="what is kept: shards, card, blends, resolved recipe",
    place=90,
)
