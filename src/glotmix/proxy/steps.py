"""The step `proxies`: small models trained on what the ledger keeps, whose losses the mixture is fitted to."""

from collections.abc import Iterator
from typing import Any

import pyarrow.compute as pc

from glotmix.core import table
from glotmix.core.context import RunContext
from glotmix.core.errors import RequestError, did_you_mean
from glotmix.core.record import Counts, Output, digest_file
from glotmix.core.step import Extra, StepSpec
from glotmix.mix import cell_tables, cells
from glotmix.mix.accounting import Available
from glotmix.mix.baselines import unimax
from glotmix.mix.config import CAP, MixConfig
from glotmix.mix.design import Design, design
from glotmix.mix.limits import Limits, box
from glotmix.mix.run_tables import write_mixtures
from glotmix.mix.steps import kept
from glotmix.proxy import design as designs
from glotmix.proxy import earlier
from glotmix.proxy.config import ProxiesConfig
from glotmix.proxy.need import need
from glotmix.proxy.texts import place

ELSEWHERE = {"together", "device"}
"""What does not change a loss."""


def _config(context: RunContext) -> ProxiesConfig:
    """Return the section, its unit as the recipe counts.

    Raises:
        RequestError: if what is kept depends on the mixture, and the mixture on proxies trained on what is kept.
        MissingExtraError: if proxies cannot be trained here; before anything is read.
    """
    recipe = context.recipe
    if recipe.select.retain == "budget":
        raise RequestError(
            "select.retain=budget keeps what the mixture needs, and mix.proxies are trained on what is kept",
            "train them once, then give their tables: mix.runs.mixtures=out/proxies/ratios.csv "
            "mix.runs.losses=out/proxies/metrics.csv",
        )
    if recipe.mix.proxies.earlier is not None and (recipe.mix.cells is None or recipe.mix.proxies.design is not None):
        raise RequestError(
            "mix.proxies.earlier takes runs over cells and designs those that they leave short",
            "mix.cells=source, and no mix.proxies.design",
        )
    need("mix.proxies")
    config: ProxiesConfig = recipe.mix.proxies
    return config.model_copy(update={"unit": "tokens" if recipe.signals.tokens.tokenizer else "bytes"})


def _wanted(context: RunContext) -> bool:
    return context.recipe.mix.proxies is not None and _config(context) is not None


def _settings(context: RunContext) -> dict[str, Any]:
    """Return what changes a loss: the section, and what of the section `mix` a design of ours depends on."""
    config = _config(context)
    told: dict[str, Any] = config.model_dump(mode="json", exclude=ELSEWHERE | {"design", "tokenizer", "earlier"})
    if context.recipe.mix.cells is not None:
        told["mix.cells"] = context.recipe.mix.cells
    if config.design is not None:
        return told
    mix = context.recipe.mix
    return told | {"mix.tokens": mix.tokens if config.target == "auto" else None, "mix.phases": mix.phases}


def _inputs(context: RunContext) -> dict[str, str]:
    config = _config(context)
    given = {"design": config.design, "tokenizer": config.tokenizer}
    found: dict[str, str] = {
        name: digest_file(context.paths([path])[0]) for name, path in given.items() if path is not None
    }
    if config.earlier is not None:
        names = ("ratios.csv", "metrics.csv", earlier.STOCK)
        files = context.paths([f"{config.earlier}/{name}" for name in names])
        found |= {f"earlier/{name}": digest_file(file) for name, file in zip(names, files, strict=True)}
    return found


def make(output: Output, context: RunContext, config: ProxiesConfig) -> Counts:
    """Design the runs, where no design is given, and train them: see `proxy.train`."""
    # Schedules come with the solver: nothing that every command should wait for.
    from glotmix.mix.phases import staged_design
    from glotmix.proxy import train

    there, cut = kept(context), context.recipe.mix.cells
    before = None
    if cut is not None:
        sketches = cell_tables.sketches(context.corpus, context.step_dir("ledger"), cut)
        earlier.write_stock(output.path / earlier.STOCK, there, sketches)
        if config.earlier is not None:
            asked_of = {name: sketches[name] for name in _chosen(there, config).languages}
            before = earlier.read(context.path(config.earlier), config, cut, asked_of)
            output.notes["warnings"] = [before.said]
    if config.design is not None:
        path = context.path(config.design)
    else:
        path = output.path / "design.csv"
        asked = Design(
            tokens=config.tokens, parameters=(config.parameters,), runs=config.runs, one_size=config.one_size,
            target=target_of(context.recipe.mix, config, there), seed=config.seed,
        )  # fmt: skip
        chosen, phases = _chosen(there, config), context.recipe.mix.phases
        if before is not None:
            planned = earlier.further(chosen, asked, before)
        else:
            planned = design(chosen, asked) if phases is None else staged_design(chosen, asked, phases)
        write_mixtures(path, planned)
    tokenizer = None if config.tokenizer is None else context.path(config.tokenizer)
    held = dict(zip(there.languages, there.bytes, strict=True))
    return train.make(
        output, designs.read(path, config), lambda: documents(context, held, config.text_bytes), config, tokenizer,
        context.recipe.engine.runner, before,
    )  # fmt: skip


def target_of(mix: MixConfig, config: ProxiesConfig, there: Available) -> float | None:
    """Return the training tokens of the model to be that fall to the languages of the proxies; None for no target.

    Of a target less than four times the proxies' there is not the text for runs that repeat less than it.
    """
    tokens = mix.tokens if config.target == "auto" else config.target
    if tokens is None or (config.target == "auto" and tokens < 4 * config.tokens):
        return None
    if config.languages is None:
        return float(tokens)
    # The other languages keep their share of UniMax.
    prior = unimax(there, box(there, int(tokens), Limits(CAP)))
    return float(
        tokens
        * sum(share for lang, share in zip(there.languages, prior, strict=True) if cells.of(lang) in config.languages)
    )


def _chosen(there: Available, config: ProxiesConfig) -> Available:
    """Return what there is of the languages that the runs shall draw on, or of their cells.

    Raises:
        RequestError: for one of which nothing is kept.
    """
    if config.languages is None:
        return there
    langs = [cells.of(name) for name in there.languages]
    for lang in config.languages:
        if lang not in langs:
            raise RequestError(
                f"mix.proxies.languages names {lang!r}, of which no text is kept{did_you_mean(lang, langs)}",
                f"languages with text: {', '.join(dict.fromkeys(langs))}",
            )
    rows = zip(there.languages, there.documents, there.bytes, there.tokens, strict=True)
    return Available.of({name: (n, b, t) for name, n, b, t in sorted(rows) if cells.of(name) in config.languages})


def documents(context: RunContext, held: dict[str, int], most: int) -> Iterator[tuple[str, str]]:
    """Yield language, or cell, and text of what the ledger keeps; of one with more than `most` bytes a part.

    Which part is told by a hash of the documents' ids, so that neither order nor shards matter.
    """
    if (column := context.recipe.mix.cells) is not None:
        for shard, rows in cell_tables.documents(context.corpus, context.step_dir("ledger"), column):
            both = table.read([shard], ["id", "text"]).append_column("cell", rows["cell"])
            for row in both.filter(rows["kept"]).to_pylist():
                if place(row["id"]) * held[row["cell"]] < most:
                    yield row["cell"], row["text"]
        return
    for shard, part in zip(table.shards(context.corpus), _decisions(context), strict=True):
        rows = table.read([shard], ["id", "lang", "text"])
        for row in rows.filter(part).to_pylist():
            if place(row["id"]) * held[row["lang"]] < most:
                yield row["lang"], row["text"]


def _decisions(context: RunContext) -> Iterator[Any]:
    """Yield, per shard of the corpus, which of its documents the ledger keeps."""
    ledger = table.read(table.shards(context.step_dir("ledger")), ["id", "kept"])
    kept = pc.filter(ledger["id"], ledger["kept"])
    for shard in table.shards(context.corpus):
        ids = table.read([shard], ["id"])["id"]
        yield pc.is_in(ids, value_set=kept.combine_chunks())


STEPS = StepSpec(
    name="proxies",
    extras=(Extra("train", "mix.proxies", ("torch", "tokenizers")),),
    code=lambda context: (
        "glotmix.proxy",
        *(() if context.recipe.mix.cells is None else ("glotmix.mix.cell_tables",)),
    ),
    make=lambda context, output: make(output, context, _config(context)),
    wanted=_wanted,
    needs=lambda context: (*context.corpus_steps, "ledger"),
    config=_settings,
    inputs=_inputs,
    meaning="small models trained on what is kept, whose losses the mixture is fitted to",
    place=80,
)
