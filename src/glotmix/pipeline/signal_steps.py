"""The steps that measure: one for each signal that a recipe asks for."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from glotmix.core import record
from glotmix.core.record import Counts, Output, digest_file
from glotmix.core.step import Step
from glotmix.corpus import strip
from glotmix.pipeline.context import RunContext
from glotmix.signals import (
    boilerplate,
    contamination,
    cross_corpus_duplicates,
    duplicates,
    embed,
    evaluation_items,
    heuristics,
    identifiers,
    language_id,
    multiway_parallel,
    signatures,
    source_overlap,
    tokens,
)
from glotmix.signals.embed import EmbedConfig


def signals(work: RunContext) -> list[Step]:
    """Return the steps of the signals; the rater's score is in `glotmix.pipeline.quality_steps`."""
    return [*_boilerplate(work), *_always(work), *_on_request(work)]


def identifier(work: RunContext) -> Mapping[str, Any]:
    """Return what changes an identification."""
    return {
        "model": identifiers.fingerprint(work.identifier),
        "max_chars": work.recipe.signals.identify.max_chars,
        "version": language_id.VERSION,
    }


def _boilerplate(work: RunContext) -> list[Step]:
    section = work.recipe.signals.boilerplate
    if section is None:
        return []
    # The corpus as it was read: what is taken out is found in it.
    corpus, found = work.step_dir("corpus"), "signals/boilerplate"
    steps = [
        Step(
            found,
            boilerplate.VERSION,
            lambda output: boilerplate.make(output, corpus, section),
            needs=("corpus",),
            config=lambda: section.model_dump(mode="json", exclude={"remove"}),
        )
    ]
    if work.cleaned:
        steps.append(
            Step(
                "clean",
                strip.VERSION,
                lambda output: strip.make(output, corpus, work.step_dir(found), section.letters),
                needs=("corpus", found),
            )
        )
    return steps


def _always(work: RunContext) -> list[Step]:
    section, corpus, needs = work.recipe.signals, work.corpus, work.corpus_steps
    signed, clusters = work.step_dir("signals/signatures"), work.step_dir("signals/duplicates")
    return [
        Step(
            "signals/identify",
            language_id.VERSION,
            lambda output: language_id.make(output, corpus, work.identifier, section.identify.max_chars),
            needs=needs,
            config=lambda: identifier(work),
        ),
        Step("signals/heuristics", heuristics.VERSION, lambda output: heuristics.make(output, corpus), needs=needs),
        Step(
            "signals/signatures",
            signatures.VERSION,
            lambda output: signatures.make(output, corpus, section.duplicates.signature),
            needs=needs,
            config=lambda: section.duplicates.signature.model_dump(mode="json"),
        ),
        Step(
            "signals/duplicates",
            duplicates.VERSION,
            lambda output: duplicates.make(output, signed, corpus, section.duplicates, work.derived_from),
            needs=(*needs, "signals/signatures"),
            config=lambda: section.duplicates.model_dump(mode="json") | {"derived_from": work.derived_from},
        ),
        Step(
            "agreement",
            source_overlap.VERSION,
            lambda output: source_overlap.make(output, corpus, clusters, work.derived_from),
            needs=(*needs, "signals/duplicates"),
            config=lambda: {"derived_from": work.derived_from},
        ),
    ]


def _on_request(work: RunContext) -> list[Step]:
    section, corpus, needs = work.recipe.signals, work.corpus, work.corpus_steps
    steps = []
    if section.contamination.sets:
        sets = section.contamination.sets

        def contaminated(output: Output) -> Counts:
            items = [evaluation_items.read_items(s.name, work.paths(s.path), s.columns, s.id) for s in sets]
            return contamination.make(output, corpus, pa.concat_tables(items), section.contamination)

        steps.append(
            Step(
                "signals/contamination",
                contamination.VERSION,
                contaminated,
                needs=needs,
                config=lambda: section.contamination.model_dump(mode="json", exclude={"sets": {"__all__": {"path"}}}),
                inputs=lambda: {
                    f"{s.name} {n}": digest_file(p) for s in sets for n, p in enumerate(work.paths(s.path))
                },
            )
        )
    if section.earlier.signatures:
        before = {name: work.path(folder) for name, folder in section.earlier.signatures.items()}
        steps.append(
            Step(
                "signals/earlier",
                cross_corpus_duplicates.VERSION,
                lambda output: cross_corpus_duplicates.make(
                    output, work.step_dir("signals/signatures"), before, section.earlier, section.duplicates.signature
                ),
                needs=("signals/signatures",),
                config=lambda: {"threshold": section.earlier.threshold},
                inputs=lambda: {name: record.require(f, "signals RECIPE").fingerprint for name, f in before.items()},
            )
        )
    if section.width.groups:
        groups = work.paths(section.width.groups)
        steps.append(
            Step(
                "signals/width",
                multiway_parallel.VERSION,
                lambda output: multiway_parallel.make(output, corpus, groups),
                needs=needs,
                inputs=lambda: {f"groups {n}": digest_file(p) for n, p in enumerate(groups)},
            )
        )
    steps += [_embedding(work, one) for one in section.embed]
    if section.tokens.tokenizer is not None:
        tokenizer = work.path(section.tokens.tokenizer)
        steps.append(
            Step(
                "signals/tokens",
                tokens.VERSION,
                lambda output: tokens.make(output, corpus, tokenizer),
                needs=needs,
                inputs=lambda: {"tokenizer": digest_file(tokenizer)},
            )
        )
    return steps


def _embedding(work: RunContext, wanted: EmbedConfig) -> Step:
    # Loaded when the step runs or its fingerprint is asked for, and kept.
    return Step(
        wanted.signal,
        embed.VERSION,
        lambda output: embed.make(output, work.corpus, work.embedder(wanted.called), wanted.max_chars),
        needs=work.corpus_steps,
        config=lambda: {"max_chars": wanted.max_chars},
        inputs=lambda: {"embedder": work.embedder(wanted.called).fingerprint},
    )
