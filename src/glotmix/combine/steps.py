"""The steps `combine/design`, `combine/losses`, `combine/laws` and `combine/choice`: sets of cells of what is kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from glotmix.combine.config import CombinationsConfig
from glotmix.core import table
from glotmix.core.context import RunContext
from glotmix.core.errors import RequestError, did_you_mean
from glotmix.core.record import Counts, Output, digest_file
from glotmix.core.step import StepSpec


def _config(context: RunContext) -> CombinationsConfig:
    found: CombinationsConfig = context.recipe.select.combinations
    return found


def _wanted(context: RunContext) -> bool:
    return context.recipe.select.combinations is not None


def _given(context: RunContext) -> dict[str, Path]:
    config = _config(context)
    named = {f"target {name}": path for name, path in config.targets.items()}
    named |= {} if config.tokenizer is None else {"tokenizer": config.tokenizer}
    return {name: context.paths([path])[0] for name, path in named.items()}


def documents(context: RunContext) -> pa.Table:
    """Return what the ledger keeps, as `glotmix.combine.documents.read` takes it.

    Raises:
        RequestError: if there is no column to make cells of.
    """
    config = _config(context)
    ledger = table.read(table.shards(context.step_dir("ledger")), ["id", "kept", "quality"])
    ledger = ledger.filter(ledger["kept"])
    columns = ["id", "lang", "source", "messages" if context.instructs else "text"]
    if config.by not in ("source", "quality"):
        columns.append(config.by)
    found = []
    for shard in table.shards(context.corpus):
        rows = table.read([shard])
        if config.by not in (*rows.column_names, "quality"):
            raise RequestError(
                f"select.combinations.by: there is no column {config.by!r}{did_you_mean(config.by, rows.column_names)}",
                f"source, quality, or one of {', '.join(rows.column_names)}",
            )
        rows = rows.select(columns)
        found.append(rows.filter(pc.is_in(rows["id"], value_set=ledger["id"].combine_chunks())))
    kept = pa.concat_tables(found, promote_options="permissive")
    at = pc.index_in(kept["id"], value_set=ledger["id"].combine_chunks())
    return kept.append_column("quality", ledger["quality"].take(at).cast(pa.float64()))


def _design(context: RunContext, output: Output) -> Counts:
    from glotmix.combine import documents as read
    from glotmix.combine import plan
    from glotmix.embed import choose
    from glotmix.proxy.need import need

    need("select.combinations")
    config, given = _config(context), _given(context)
    targets = {name: plan.read_target(given[f"target {name}"], config) for name in config.targets}
    embedder = choose.load(config.embedder, context.base)
    every = read.read(documents(context), config)
    return plan.make(output, every, config, embedder, targets, given.get("tokenizer"))


def _losses(context: RunContext, output: Output) -> Counts:
    from glotmix.combine import training

    return training.make(output, context.step_dir("combine/design"), _config(context))


def _laws(context: RunContext, output: Output) -> Counts:
    from glotmix.combine import fitted

    return fitted.make(output, context.step_dir("combine/design"), context.step_dir("combine/losses"))


def _choice(context: RunContext, output: Output) -> Counts:
    from glotmix.combine import stages

    return stages.make_choice(output, context.step_dir("combine"))


def _step(name: str, make: Callable[[RunContext, Output], Counts], after: str, meaning: str, **more: Any) -> StepSpec:
    return StepSpec(
        name=f"combine/{name}",
        code=("glotmix.combine", "glotmix.proxy"),
        make=make,
        wanted=_wanted,
        config=lambda context: _config(context).model_dump(mode="json"),
        meaning=meaning,
        place=82,
        **{"needs": lambda context: tuple(f"combine/{one}" for one in after.split())} | more,
    )


STEPS = (
    _step(
        "design", _design, "", "cells of what is kept, and random subsets of them",
        needs=lambda context: (*context.corpus_steps, "ledger"),
        inputs=lambda context: {name: digest_file(path) for name, path in _given(context).items()},
    ),
    _step("losses", _losses, "design", "a warm start, and every subset read on from it"),
    _step("laws", _laws, "design losses", "what a set is worth, and what each cell brings beside the others"),
    _step(
        "choice", _choice, "design losses laws", "sets chosen by the laws and by simple ways, tried and judged",
        reported=True,
    ),
)  # fmt: skip
