"""The step `dataset`: what is kept, as shards with a card, blends and the resolved recipe."""

from glotmix.core.context import RunContext
from glotmix.core.record import Counts, Output
from glotmix.core.section import resolved
from glotmix.core.step import StepSpec
from glotmix.corpus import write
from glotmix.export import data_card


def _make(context: RunContext, output: Output) -> Counts:
    section = context.recipe.export
    counts = write.make(
        output,
        context.corpus,
        context.step_dir("ledger"),
        formats=section.formats,
        shard_bytes=section.shard_mb * 10**6,
        dropped=section.dropped,
    )
    data_card.describe(context, output, resolved(context.recipe))
    return counts


STEPS = StepSpec(
    name="dataset",
    code=("glotmix.corpus.write", "glotmix.export.data_card"),
    make=_make,
    needs=lambda context: (*context.corpus_steps, "ledger", "mixture"),
    config=lambda context: (
        context.recipe.export.model_dump(mode="json", exclude={"tokens"})
        | {"name": context.recipe.name, "recipe": resolved(context.recipe)}
    ),
    meaning="what is kept: shards, card, blends, resolved recipe",
    place=90,
)
