"""The steps that decide: lines through the heuristics, and the ledger."""

from collections.abc import Mapping
from typing import Any

from glotmix.core import settings
from glotmix.core.context import RunContext
from glotmix.core.record import Counts, Output, digest_file
from glotmix.core.step import Column, StepSpec
from glotmix.mix.steps import budget, runs
from glotmix.mix.steps import code as mix_code
from glotmix.quality import reference
from glotmix.select import ledger, ledger_parts
from glotmix.select.config import SelectSection
from glotmix.select.ledger_builder import LedgerBuilder
from glotmix.select.rules import RULES
from glotmix.signals import confusions


def _rules(context: RunContext) -> dict[str, Any]:
    recipe = context.recipe
    found: dict[str, Any] = {
        "settings": recipe.settings,
        "built-in": digest_file(settings.FILE),
        # What other rooms declare below it changes nothing here.
        "select": recipe.select.model_dump(mode="json", include=set(SelectSection.model_fields)),
        "reference": reference.digests("reference"),
        "confusions": digest_file(confusions.FILE),
    }
    if beyond := settings.beyond():
        found["declared settings"] = {key: one.value for key, one in beyond.items()}
    return found | ({"seed": recipe.seed} if recipe.select.sample == "gumbel" else {})


def _by_budget(context: RunContext) -> bool:
    return bool(context.recipe.select.retain == "budget")


def _decided(context: RunContext) -> Mapping[str, Any]:
    recipe = context.recipe
    chosen = {"instruct": recipe.instruct.select.model_dump(), "seed": recipe.seed} if context.instructs else {}
    sources = {s.name: s.model_dump(mode="json")["license"] for s in recipe.corpus.sources}
    return _rules(context) | chosen | {"licenses": sources} | ({"mix": budget(context)} if _by_budget(context) else {})


def _code(context: RunContext) -> tuple[str, ...]:
    called = (
        "glotmix.select.ledger",
        "glotmix.select.ledger_builder",
        "glotmix.select.ledger_parts",
        "glotmix.select.rules",
        "glotmix.select.unusual",
        "glotmix.signals.confusions",
    )
    return (
        *called,
        *(("glotmix.instruct.steps",) if context.instructs else ()),
        *(mix_code(context) if _by_budget(context) else ()),
    )


def _thresholds(context: RunContext, output: Output) -> Counts:
    if ledger_parts.needed(context):
        return ledger_parts.make_thresholds(context, output)
    return LedgerBuilder(context).make_thresholds(output)


def _ledger(context: RunContext, output: Output) -> Counts:
    if ledger_parts.needed(context):
        return ledger_parts.make_ledger(context, output)
    builder, documents = LedgerBuilder(context), ledger_parts.documents(context)
    if documents > ledger_parts.IN_MEMORY:
        builder.warn(
            f"{documents:,} documents are decided in memory, in about {documents / 1e6:,.0f} GB: "
            f"{ledger_parts.at_once(context)}"
        )
    return builder.make_ledger(output)


STEPS = (
    StepSpec(
        name="thresholds",
        code=("glotmix.select.thresholds", "glotmix.select.ledger_builder", "glotmix.select.ledger_parts"),
        make=_thresholds,
        needs=lambda context: (*context.corpus_steps, "signals/heuristics"),
        config=_rules,
        reported=True,
        meaning="the lines that the rules of the heuristics draw, per language",
        place=70,
    ),
    StepSpec(
        name="ledger",
        code=_code,
        make=_ledger,
        needs=lambda context: (
            *context.corpus_steps,
            *context.signals,
            *(("instructions/vectors",) if context.instructs else ()),
            "thresholds",
        ),
        config=_decided,
        inputs=lambda context: runs(context) if _by_budget(context) else {},
        columns=tuple(Column(field.name, str(field.type), "see the page on the ledger") for field in ledger.SCHEMA),
        rules=RULES,
        reported=True,
        meaning="kept or dropped, by which rule, on which evidence",
        place=71,
    ),
)
