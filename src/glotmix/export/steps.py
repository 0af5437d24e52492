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
from glotmix.mix import cell_tables
from glotmix.signals import private, repeated_passages

Change = Callable[[pa.Table], pa.Table]


def _cuts(context: RunContext) -> bool:
    section = context.recipe.signals.repeated_passages
    return section is not None and bool(section.cut)


def _masks(context: RunContext) -> bool:
    section = context.recipe.signals.private
    return section is not None and section.mask is not None


def _changes(context: RunContext) -> list[Change]:
    """Return what is done to documents as they go out: passages cut, then personal data masked."""
    made: list[Change] = []
    if _cuts(context):
        signal = context.step_dir("signals/repeated_passages")
        spans = repeated_passages.kept_spans(signal, context.step_dir("ledger"))
        made.append(partial(repeated_passages.cut, spans))
    if _masks(context):
        section = context.recipe.signals.private
        made.append(partial(private.mask, section.kinds, section.mask))
    return made


def _changed(changes: list[Change], documents: pa.Table) -> pa.Table:
    for change in changes:
        documents = change(documents)
    return documents


def _make(context: RunContext, output: Output) -> Counts:
    section = context.recipe.export
    changes, column = _changes(context), context.recipe.mix.cells
    counts = write.make(
        output,
        context.corpus,
        context.step_dir("ledger"),
        formats=section.formats,
        shard_bytes=section.shard_mb * 10**6,
        dropped=section.dropped,
        change=partial(_changed, changes) if changes else None,
        parts=None if column is None else lambda shard, rows: cell_tables.parts(shard, rows, column),
    )
    data_card.describe(context, output, resolved(context.recipe))
    return counts


STEPS = StepSpec(
    name="dataset",
    code=lambda context: (
        "glotmix.corpus.write",
        "glotmix.export.data_card",
        *(("glotmix.mix.cell_tables",) if context.recipe.mix.cells is not None else ()),
        *(("glotmix.signals.private",) if _masks(context) else ()),
        *(("glotmix.signals.repeated_passages",) if _cuts(context) else ()),
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
