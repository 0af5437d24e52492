"""The step `mixture`: how much of each language, for what the ledger keeps. The only file of this room with tables."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from glotmix.core import record, remote, table
from glotmix.core.context import RunContext
from glotmix.core.errors import RequestError
from glotmix.core.record import Counts, Output, digest_file
from glotmix.core.step import StepSpec
from glotmix.mix import cell_tables, extra
from glotmix.mix import plan as mixing
from glotmix.mix.accounting import Available
from glotmix.mix.config import MixConfig, RunsConfig
from glotmix.mix.laws import spec

_PACKED = "align/packed"
"""The step whose text gets a share of its own."""


def available(documents: pa.Table, alive: Any) -> Available:
    """Count documents, bytes and tokens per language among the documents that are alive."""
    held = documents.select(["lang", "bytes", "tokens"]).filter(pa.array(alive)).group_by("lang")
    sums = held.aggregate([([], "count_all"), ("bytes", "sum"), ("tokens", "sum")]).sort_by("lang")
    return Available.of({r["lang"]: (r["count_all"], r["bytes_sum"], r["tokens_sum"]) for r in sums.to_pylist()})


def budget(context: RunContext) -> dict[str, Any]:
    """Return what of the section `mix` changes a mixture.

    Raises:
        RequestError: for a law that there is not.
    """
    from glotmix.mix.laws import law

    for name in context.recipe.mix.laws:
        law(name)
    mix = context.recipe.mix
    without: dict[str, Any] = {"runs": {"mixtures", "losses"}, "proxies": True}
    # A mixture of languages is what it was before there were cells.
    found: dict[str, Any] = mix.model_dump(
        mode="json", exclude=without | ({"cells": True} if mix.cells is None else {})
    )
    return found


def runs(context: RunContext) -> Mapping[str, str]:
    """Return the fingerprints of the tables of runs that the recipe names."""
    given = context.recipe.mix.runs
    if given is None:
        return {}
    return {name: digest_file(context.path(getattr(given, name))) for name in ("mixtures", "losses")}


def config_of(context: RunContext) -> MixConfig:
    """Return the section `mix`, with the tables of its proxies as its runs where it trains some."""
    config = context.recipe.mix
    if config.proxies is not None:
        trained = context.step_dir("proxies").resolve()
        tables = RunsConfig(
            mixtures=str(trained / "ratios.csv"),
            losses=str(trained / "metrics.csv"),
            others="prior" if config.proxies.languages is not None else "refuse",
        )
        config = config.model_copy(update={"runs": tables, "proxies": None})
    elif config.runs is not None:
        # Tables in a store are read where they were fetched to.
        given = {name: getattr(config.runs, name) for name in ("mixtures", "losses")}
        far = {name: str(context.path(at).absolute()) for name, at in given.items() if remote.is_remote(at)}
        config = config.model_copy(update={"runs": config.runs.model_copy(update=far)})
    found: MixConfig = config
    return found


def kept(context: RunContext) -> Available:
    """Return what the ledger keeps of each language, or of each cell where the recipe asks for cells."""
    ledger = context.step_dir("ledger")
    if (column := context.recipe.mix.cells) is not None:
        return Available.of(cell_tables.count(context.corpus, ledger, column))
    found = table.sums(table.shards(ledger), "lang", ["bytes", "tokens"], where="kept")
    return Available.of({lang: (n, b, t) for lang, (n, b, t) in found.items()})


def _make(context: RunContext, output: Output) -> Counts:
    """Write ``mixture.json`` and ``mixture.csv`` for what the ledger keeps."""
    config, there = config_of(context), kept(context)
    beside = _beside(context, there)
    if beside is not None and config.tokens is not None:
        config = config.model_copy(update={"tokens": config.tokens - beside.tokens_used})
    try:
        made = mixing.plan(there, config, context.base)
    except RequestError as error:
        if context.recipe.signals.tokens.tokenizer is not None or "tokens" not in error.message:
            raise
        raise RequestError(
            f"{error.message}\n  a byte is counted as a token: signals.tokens.tokenizer is not set", error.fix
        ) from error
    mixing.write(made, output.path)
    output.notes["warnings"] = list(made.warnings)
    if beside is not None:
        extra.write(beside, output.path)
        if beside.share < 0.99 * beside.asked:
            output.notes["warnings"] = [
                *made.warnings,
                f"parallel text gets {beside.share:.2%} of the training, not {beside.asked:.2%}: a token may be seen "
                f"{context.recipe.align.pack.max_epochs:g} times (align.pack.max_epochs)",
            ]
    whole = mixing.by_language(made.mixture)
    if whole is None:
        return {"languages": len(made.mixture.rows), "tokens": made.tokens}
    return {"languages": len(whole), "cells": len(made.mixture.rows), "tokens": made.tokens}


def _packs(context: RunContext) -> bool:
    return context.recipe.align is not None and context.recipe.align.pack is not None


def _beside(context: RunContext, there: Available) -> extra.Extra | None:
    """Return the share of packed parallel text, None where there is none."""
    if not _packs(context):
        return None
    counts = record.require(context.step_dir(_PACKED), "align pack RECIPE").counts
    size = counts["bytes" if context.recipe.signals.tokens.tokenizer is None else "tokens"]
    pack = context.recipe.align.pack
    budget = context.recipe.mix.tokens
    return extra.extra("align", pack.share, size, there.total, budget, pack.max_epochs, pack.place)


def _config(context: RunContext) -> dict[str, Any]:
    told = budget(context)
    if _packs(context):
        told["align"] = context.recipe.align.pack.model_dump(mode="json", include={"share", "max_epochs", "place"})
    return told


def code(context: RunContext) -> tuple[str, ...]:
    """Return the modules whose version a mixture depends on: this room's, and those of laws from other packages."""
    laws = {type(spec(name).law).__module__ for name in context.recipe.mix.laws}
    beside: tuple[str, ...] = ("glotmix.mix.extra",) if _packs(context) else ()
    beside += () if context.recipe.mix.cells is None else ("glotmix.mix.cell_tables",)
    return ("glotmix.mix", *beside, *sorted(name for name in laws if not name.startswith("glotmix.")))


STEPS = StepSpec(
    name="mixture",
    code=code,
    make=_make,
    needs=lambda context: (
        "ledger",
        *(context.corpus_steps if context.recipe.mix.cells is not None else ()),
        *(("proxies",) if context.recipe.mix.proxies else ()),
        *((_PACKED,) if _packs(context) else ()),
    ),
    config=_config,
    inputs=runs,
    reported=True,
    meaning="how much of each language to train on, with intervals where it was measured",
    place=81,
)
