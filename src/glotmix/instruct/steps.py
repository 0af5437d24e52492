"""The steps of instruction data."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from glotmix.core.context import RunContext
from glotmix.core.record import Counts, Output, digest_file
from glotmix.core.rules import LanguageSetting, LedgerView, Rule, RuleHits, drop_or_keep, share
from glotmix.core.step import StepSpec
from glotmix.instruct import export, selection
from glotmix.instruct.measures import Conversations, digest_model
from glotmix.select import ledger
from glotmix.select.ledger_builder import RETENTION, LedgerBuilder
from glotmix.signals import answers, duplicates, heuristics, language_id, signatures

VERSION = 1

PROMPTS, SIGNATURES, VECTORS = "instructions/prompts", "instructions/signatures", "instructions/vectors"


def _instructs(context: RunContext) -> bool:
    return context.instructs


def _by(method: str) -> Callable[[RunContext, Output], Counts]:
    def make(context: RunContext, output: Output) -> Counts:
        found: Counts = getattr(Conversations(context), method)(output)
        return found

    return make


def _training(context: RunContext) -> Mapping[str, Any]:
    section = context.recipe.instruct
    known: dict[str, Any] = section.model_dump(include={"qsm", "audits", "pairs_language"})
    fingerprint = Conversations(context).embedder.fingerprint
    return known | {"seed": context.recipe.seed, "embedder": fingerprint, "heuristics": heuristics.VERSION}


def _checks(view: LedgerView) -> list[RuleHits]:
    corpus = view.documents.select(["id", "lang", "source"])
    return selection.failures(corpus, view.signal("signals/answers"), view.setting)


def _repeated(view: LedgerView) -> list[RuleHits]:
    """Keep the best of the conversations whose instructions are nearly the same."""
    assert isinstance(view, LedgerBuilder)
    clusters = view.signal("signals/prompts")
    names = ("cluster", "cluster_size", "content", "sources")
    seen = view.documents.drop_columns(list(names))
    for name in names:
        seen = seen.append_column(name, clusters[name])
    langs = view.documents["lang"].to_pylist()
    drop = {lang: view.setting(lang, None, "instructions.repeated") == "drop" for lang in dict.fromkeys(langs)}
    competing = view.alive() & np.array([drop[lang] for lang in langs], bool)
    found, partners = ledger.duplicates(seen.combine_chunks(), competing, view.representatives)
    hits = []
    for failure in found:
        # Their answers differ: neither stands for the other's text, so there is no `duplicate_of`.
        kind = failure.rule.removeprefix("duplicates.")
        what = "that" if kind == "exact" else "nearly that"
        told = [f"its instruction is {what} of {partners[row]}" for row in failure.rows.tolist()]
        hits.append(RuleHits(f"instructions.repeated.{kind}", failure.rows, told))
    return hits


def _choose(view: LedgerView) -> list[RuleHits]:
    assert isinstance(view, LedgerBuilder)
    failure, notes = selection.chosen(view.context, view.documents, view.alive())
    view.notes["selection"] = notes
    return [failure]


STEPS = (
    StepSpec(
        name="signals/answers",
        code=("glotmix.signals.answers",),
        make=lambda context, output: answers.make(output, context.corpus, language_id.identifier(context)),
        wanted=_instructs,
        config=language_id.identity,
        per_document=True,
        rules=(
            Rule(
                "instructions",
                _checks,
                40,
                (
                    LanguageSetting("instructions.min_score", ..., "a number from 0 to 1", share),
                    LanguageSetting("instructions.remnant", ..., "a share from 0 to 1", share),
                    LanguageSetting("instructions.", ..., "'drop' or 'keep'", drop_or_keep),
                ),
                "its answer fails a check: language, refusal, emptiness",
            ),
        ),
        meaning="checks of each answer: its language, whether it declines, breaks off or holds nothing",
        place=60,
    ),
    StepSpec(
        name=PROMPTS,
        code=(__name__,),
        make=_by("make_prompts"),
        wanted=_instructs,
        meaning="the instructions as documents of their own",
        place=61,
    ),
    StepSpec(
        name=SIGNATURES,
        code=("glotmix.signals.signatures",),
        make=lambda context, output: signatures.make(
            output, context.step_dir(PROMPTS), context.recipe.signals.duplicates.signature
        ),
        wanted=_instructs,
        needs=lambda context: (PROMPTS,),
        config=lambda context: context.recipe.signals.duplicates.signature.model_dump(mode="json"),
        meaning="MinHash signatures of the instructions",
        place=62,
    ),
    StepSpec(
        name="signals/prompts",
        code=("glotmix.signals.duplicates",),
        make=lambda context, output: duplicates.make(
            output,
            context.step_dir(SIGNATURES),
            context.step_dir(PROMPTS),
            context.recipe.signals.duplicates,
            context.derived_from,
        ),
        wanted=_instructs,
        needs=lambda context: (PROMPTS, SIGNATURES),
        config=lambda context: (
            context.recipe.signals.duplicates.model_dump(mode="json") | {"derived_from": context.derived_from}
        ),
        per_document=True,
        rules=(Rule("instructions.repeated", _repeated, 65, meaning="a better conversation has its instruction"),),
        meaning="near-duplicate clusters of the instructions",
        place=63,
    ),
    StepSpec(
        name=VECTORS,
        code=(__name__,),
        make=_by("make_vectors"),
        wanted=_instructs,
        config=lambda context: {"embedder": Conversations(context).embedder.fingerprint},
        meaning="vectors of each instruction and its answer",
        place=64,
    ),
    StepSpec(
        name="signals/meaning",
        code=(__name__,),
        make=_by("make_meaning"),
        wanted=_instructs,
        needs=lambda context: (*context.corpus_steps, VECTORS),
        config=lambda context: (
            context.recipe.instruct.select.model_dump(include={"clusters", "clustering", "variance", "topics"})
            | {"seed": context.recipe.seed}
        ),
        per_document=True,
        rules=(Rule("selection", _choose, RETENTION, meaning="the selection has chosen others"),),
        meaning="clusters of meaning, and topics",
        place=65,
    ),
    StepSpec(
        name="qsm",
        code=("glotmix.instruct.qsm",),
        make=_by("make_model"),
        wanted=lambda context: context.instructs and bool(context.recipe.instruct.pairs),
        needs=lambda context: (),
        config=_training,
        inputs=lambda context: {
            f"pairs {n}": digest_file(path) for n, path in enumerate(context.paths(context.recipe.instruct.pairs))
        },
        reported=True,
        meaning="a model that rates answers, trained on pairs",
        place=66,
    ),
    StepSpec(
        name="signals/quality",
        code=(__name__,),
        make=_by("make_quality"),
        wanted=lambda context: context.instructs and context.recipe.instruct.scored,
        needs=lambda context: (
            *context.corpus_steps,
            "signals/heuristics",
            VECTORS,
            *(("qsm",) if context.recipe.instruct.pairs else ()),
        ),
        inputs=lambda context: (
            {} if context.recipe.instruct.pairs else {"model": digest_model(Conversations(context).model)}
        ),
        per_document=True,
        meaning="the model's score of every answer",
        place=67,
    ),
    StepSpec(
        name="coverage",
        code=("glotmix.instruct.export",),
        make=export.make_coverage,
        wanted=_instructs,
        needs=lambda context: (*context.corpus_steps, "signals/meaning", "ledger"),
        reported=True,
        meaning="what of clusters, topics and sources the selection covers",
        place=91,
    ),
    StepSpec(
        name="shapes",
        code=("glotmix.instruct.export",),
        make=lambda context, output: export.make_shapes(context, context.recipe.instruct.shapes, output.path),
        wanted=lambda context: context.instructs and bool(context.recipe.instruct.shapes),
        needs=lambda context: (*context.corpus_steps, "ledger"),
        config=lambda context: {"shapes": list(context.recipe.instruct.shapes)},
        meaning="what is kept, in the shapes that trainers take",
        place=92,
    ),
)
