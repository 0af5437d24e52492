"""What each step of a recipe is: its identity, what it needs, how it is made. The rooms meet here, and only here."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from glotmix import mix
from glotmix.core import record, settings
from glotmix.core.record import Counts, Output, digest_file
from glotmix.core.step import Step
from glotmix.corpus import read, write
from glotmix.corpus.sources import IDENTIFY
from glotmix.pipeline import (
    data_card,
    instruction_export,
    instruction_steps,
    ledger_builder,
    proxy_steps,
    quality_steps,
    signal_steps,
)
from glotmix.pipeline.context import RunContext
from glotmix.pipeline.recipe import Recipe
from glotmix.report import page
from glotmix.select import ledger, thresholds
from glotmix.signals import language_id


def steps_of(work: RunContext) -> list[Step]:
    """Return the steps of a recipe in the order of the work."""
    deciding = ledger_builder.Deciding(work)
    conversations = instruction_steps.Instructing(work) if work.instructs else None
    chosen = {"instruct": work.recipe.instruct.select.model_dump(), "seed": work.recipe.seed} if conversations else {}
    rules: dict[str, Any] = {
        "settings": work.recipe.settings,
        "built-in": digest_file(settings.FILE),
        "select": work.recipe.select.model_dump(mode="json"),
    }
    budget = work.recipe.mix.model_dump(mode="json", exclude={"runs": {"mixtures", "losses"}, "proxies": True})
    if work.recipe.select.sample == "gumbel":
        rules["seed"] = work.recipe.seed
    by_budget = work.recipe.select.retain == "budget"
    return [
        _corpus(work),
        *signal_steps.signals(work),
        *quality_steps.steps(work),
        *(conversations.steps() if conversations else ()),
        Step(
            "thresholds",
            thresholds.VERSION,
            deciding.make_thresholds,
            needs=(*work.corpus_steps, "signals/heuristics"),
            config=lambda: rules,
        ),
        Step(
            "ledger",
            ledger.VERSION,
            deciding.make_ledger,
            needs=(
                *work.corpus_steps,
                *work.signals,
                *(("instructions/vectors",) if conversations else ()),
                "thresholds",
            ),
            config=lambda: (
                rules
                | chosen
                | {"licenses": {s.name: s.model_dump(mode="json")["license"] for s in work.recipe.corpus.sources}}
                | ({"mix": budget} if by_budget else {})
            ),
            inputs=lambda: _runs(work) if by_budget else {},
        ),
        *proxy_steps.steps(work),
        Step(
            "mixture",
            mix.VERSION,
            deciding.make_mixture,
            needs=("ledger", "proxies") if work.recipe.mix.proxies else ("ledger",),
            config=lambda: budget,
            inputs=lambda: _runs(work),
        ),
        _dataset(work),
        *(instruction_export.steps(work) if conversations else ()),
        _report(work),
    ]


def _runs(work: RunContext) -> Mapping[str, str]:
    runs = work.recipe.mix.runs
    return {} if runs is None else {n: digest_file(work.path(getattr(runs, n))) for n in ("mixtures", "losses")}


def _corpus(work: RunContext) -> Step:
    section = work.recipe.corpus
    guessed = any(s.language == IDENTIFY for s in section.sources)

    def make(output: Output) -> Counts:
        label = None
        if guessed:
            label = partial(language_id.label, model=work.identifier, max_chars=work.recipe.signals.identify.max_chars)
        return read.make(output, section.sources, work.base, label, section.max_chars, section.max_quarantined)

    def config() -> Mapping[str, Any]:
        sources = [s.identity for s in section.sources]
        identifier = {"identify": signal_steps.identifier(work)} if guessed else {}
        return {"sources": sources, "max_chars": section.max_chars} | identifier

    return Step(
        "corpus", read.VERSION, make, config=config, inputs=lambda: read.fingerprints(section.sources, work.base)
    )


def _dataset(work: RunContext) -> Step:
    section = work.recipe.export

    def make(output: Output) -> Counts:
        counts = write.make(
            output,
            work.corpus,
            work.step_dir("ledger"),
            formats=section.formats,
            shard_bytes=section.shard_mb * 10**6,
            dropped=section.dropped,
        )
        data_card.describe(work, output, resolved(work.recipe))
        return counts

    return Step(
        "dataset",
        write.VERSION,
        make,
        needs=(*work.corpus_steps, "ledger", "mixture"),
        config=lambda: section.model_dump(mode="json") | {"name": work.recipe.name, "recipe": resolved(work.recipe)},
    )


def _report(work: RunContext) -> Step:
    lines = ("signals/boilerplate",) if work.recipe.signals.boilerplate else ()
    rater = (("rater", "audit") if work.audited else ("rater",)) if work.recipe.quality else ()
    model = ("qsm",) if work.instructs and work.recipe.instruct.pairs else ()
    spread = ("coverage",) if work.instructs else ()
    decided = ("thresholds", "ledger", "mixture", *spread)
    names = (*work.corpus_steps, *lines, *work.signals, "agreement", *rater, *model, *decided)

    def make(output: Output) -> Counts:
        records = {name: found for name in names if (found := record.read(work.step_dir(name))) is not None}
        return page.make(
            output,
            page.ReportInputs(
                name=work.recipe.name,
                recipe=resolved(work.recipe),
                ledger=work.step_dir("ledger"),
                corpus=work.corpus,
                records={name: vars(found) for name, found in records.items()},
                thresholds=work.step_dir("thresholds") / "thresholds.parquet",
                signals={name.removeprefix("signals/"): work.step_dir(name) for name in work.signals},
                mixture=work.step_dir("mixture") / "mixture.json",
                audit=work.step_dir("audit") / "audit.json" if work.audited else None,
                quarantine=work.step_dir("corpus") / "quarantine",
                agreement=work.step_dir("agreement"),
                boilerplate=work.step_dir("signals/boilerplate") if lines else None,
                coverage=work.step_dir("coverage") / "coverage.json" if spread else None,
                scoring=work.step_dir("qsm") / "audit.json" if model else None,
                contamination=work.step_dir("signals/contamination")
                if work.recipe.signals.contamination.sets
                else None,
            ),
        )

    return Step(
        "report",
        page.VERSION,
        make,
        needs=(*names, "dataset"),
        config=lambda: {"name": work.recipe.name, "recipe": resolved(work.recipe)},
    )


def resolved(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe with every default filled in, less what says only where it runs."""
    return recipe.model_dump(mode="json", exclude={"engine", "output"})
