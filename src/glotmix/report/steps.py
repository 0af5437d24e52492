"""The step `report`: one HTML file about all that was made."""

from pathlib import Path

from glotmix.core import record
from glotmix.core.context import RunContext
from glotmix.core.record import Counts, Output, digest_file
from glotmix.core.section import resolved
from glotmix.core.step import StepSpec
from glotmix.report import combinations, page


def _names(context: RunContext) -> tuple[str, ...]:
    told = (step.name for step in context.steps if step.per_document or step.reported)
    return (*context.corpus_steps, *told)


def _make(context: RunContext, output: Output) -> Counts:
    records = {name: found for name in _names(context) if (found := record.read(context.step_dir(name))) is not None}

    def of(step: str, file: str = "") -> Path | None:
        return context.step_dir(step) / file if context.has(step) else None

    if context.has("combine/choice"):
        told = combinations.render(context.step_dir("combine"))
        (output.path / combinations.PAGE).write_text(told, "utf-8")
    return page.make(
        output,
        page.ReportInputs(
            name=context.recipe.name,
            recipe=resolved(context.recipe),
            ledger=context.step_dir("ledger"),
            corpus=context.corpus,
            records={name: vars(found) for name, found in records.items()},
            thresholds=context.step_dir("thresholds") / "thresholds.parquet",
            signals={name.removeprefix("signals/"): context.step_dir(name) for name in context.signals},
            mixture=context.step_dir("mixture") / "mixture.json",
            audit=of("audit", "audit.json"),
            quarantine=context.step_dir("corpus") / "quarantine",
            source_overlap=context.step_dir("source_overlap"),
            boilerplate=of("signals/boilerplate"),
            verdict=of("verdict", "verdict.json"),
            coverage=of("coverage", "coverage.json"),
            scoring=of("qsm", "audit.json"),
            combinations=of("combine/choice", "verdict.json"),
            contamination=of("signals/contamination"),
            pairs=of("align/pairs"),
            alignment=_alignment(context),
        ),
    )


def _alignment(context: RunContext) -> Path | None:
    section = context.recipe.align
    return None if section is None or section.measured is None else context.path(section.measured)


def _inputs(context: RunContext) -> dict[str, str]:
    path = _alignment(context)
    return {} if path is None else {"alignment": digest_file(path)}


STEPS = StepSpec(
    name="report",
    code=("glotmix.report.page",),
    make=_make,
    needs=lambda context: (*_names(context), "dataset"),
    inputs=_inputs,
    config=lambda context: {"name": context.recipe.name, "recipe": resolved(context.recipe)},
    meaning="one HTML file that opens offline",
    place=100,
)
