"""What each step of a recipe is: its identity, what it needs, how it is made. The rooms meet here, and only here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from glotmix import decide, mix, publish, record, settings
from glotmix.corpus import read, write
from glotmix.corpus.sources import IDENTIFY
from glotmix.quality import rater
from glotmix.quality.heads import Head, Rater
from glotmix.recipe import Recipe
from glotmix.record import Counts, Output, digest_file
from glotmix.report import page
from glotmix.select import ledger, thresholds
from glotmix.signals import duplicates, heuristics, identifiers, identify, rate, signatures, tokens
from glotmix.work import Work


@dataclass(frozen=True)
class Step:
    """One output of a recipe.

    Args:
        name: its folder below the recipe's output.
        version: of the code that makes it.
        make: fills it.
        needs: names of the steps that it reads.
        config: what else changes its result, from the recipe.
        inputs: fingerprints of what it reads from outside.
        may_be_empty: whether counts of zero are a result.
    """

    name: str
    version: int
    make: Callable[[Output], Counts]
    needs: tuple[str, ...] = ()
    config: Callable[[], Mapping[str, Any]] = field(default=dict)
    inputs: Callable[[], Mapping[str, str]] = field(default=dict)
    may_be_empty: bool = False


def steps_of(work: Work) -> list[Step]:
    """Return the steps of a recipe in the order of the work."""
    deciding = decide.Deciding(work)
    rules = {
        "settings": work.recipe.settings,
        "built-in": digest_file(settings.FILE),
        "select": work.recipe.select.model_dump(mode="json"),
    }
    budget = work.recipe.mix.model_dump(mode="json", exclude={"runs": {"mixtures", "losses"}})
    by_budget = work.recipe.select.retain == "budget"
    return [
        _corpus(work),
        *_signals(work),
        *(_quality(work) if work.recipe.quality is not None else ()),
        Step(
            "thresholds",
            thresholds.VERSION,
            deciding.make_thresholds,
            needs=("corpus", "signals/heuristics"),
            config=lambda: rules,
        ),
        Step(
            "ledger",
            ledger.VERSION,
            deciding.make_ledger,
            needs=("corpus", *work.signals, "thresholds"),
            config=lambda: rules | ({"mix": budget} if by_budget else {}),
            inputs=lambda: _runs(work) if by_budget else {},
        ),
        Step(
            "mixture",
            mix.VERSION,
            deciding.make_mixture,
            needs=("ledger",),
            config=lambda: budget,
            inputs=lambda: _runs(work),
        ),
        _dataset(work),
        _report(work),
    ]


def _runs(work: Work) -> Mapping[str, str]:
    runs = work.recipe.mix.runs
    return {} if runs is None else {n: digest_file(work.path(getattr(runs, n))) for n in ("mixtures", "losses")}


def _corpus(work: Work) -> Step:
    section = work.recipe.corpus
    guessed = any(s.language == IDENTIFY for s in section.sources)

    def make(output: Output) -> Counts:
        label = None
        if guessed:
            label = partial(identify.label, model=work.identifier, max_chars=work.recipe.signals.identify.max_chars)
        return read.make(output, section.sources, work.base, label, section.max_chars, section.max_quarantined)

    def config() -> Mapping[str, Any]:
        # Where the files lie, how they rank and what they were made from changes no document.
        sources = [s.model_dump(mode="json", exclude={"path", "rank", "derived_from"}) for s in section.sources]
        identifier = {"identify": _identifier(work)} if guessed else {}
        return {"sources": sources, "max_chars": section.max_chars} | identifier

    return Step(
        "corpus", read.VERSION, make, config=config, inputs=lambda: read.fingerprints(section.sources, work.base)
    )


def _identifier(work: Work) -> Mapping[str, Any]:
    return {
        "model": identifiers.fingerprint(work.identifier),
        "max_chars": work.recipe.signals.identify.max_chars,
        "version": identify.VERSION,
    }


def _signals(work: Work) -> list[Step]:
    corpus = work.at("corpus")
    section = work.recipe.signals
    sources = work.recipe.corpus.sources
    derived = {s.name: list(s.derived_from) for s in sources if s.derived_from}
    steps = [
        Step(
            "signals/identify",
            identify.VERSION,
            lambda output: identify.make(output, corpus, work.identifier, section.identify.max_chars),
            needs=("corpus",),
            config=lambda: _identifier(work),
        ),
        Step(
            "signals/heuristics",
            heuristics.VERSION,
            lambda output: heuristics.make(output, corpus),
            needs=("corpus",),
        ),
        Step(
            "signals/signatures",
            signatures.VERSION,
            lambda output: signatures.make(output, corpus, section.duplicates.signature),
            needs=("corpus",),
            config=lambda: section.duplicates.signature.model_dump(mode="json"),
        ),
        Step(
            "signals/duplicates",
            duplicates.VERSION,
            lambda output: duplicates.make(output, work.at("signals/signatures"), corpus, section.duplicates, derived),
            needs=("corpus", "signals/signatures"),
            config=lambda: section.duplicates.model_dump(mode="json") | {"derived_from": derived},
        ),
    ]
    if section.tokens.tokenizer is not None:
        tokenizer = work.path(section.tokens.tokenizer)
        steps.append(
            Step(
                "signals/tokens",
                tokens.VERSION,
                lambda output: tokens.make(output, corpus, tokenizer),
                needs=("corpus",),
                inputs=lambda: {"tokenizer": digest_file(tokenizer)},
            )
        )
    return steps


def _quality(work: Work) -> list[Step]:
    section = work.recipe.quality
    assert section is not None
    head = Head(kind=section.head, normalise=section.normalise, seeds=section.seeds)

    def train(output: Output) -> Counts:
        return rater.make(output, work.anchors, heuristics.measure, head, work.recipe.seed)

    def apply(output: Output) -> Counts:
        measured, corpus = work.at("signals/heuristics"), work.at("corpus")
        score = rater.over(Rater.read(work.at("rater")), rate.sample(measured, corpus))
        return rate.make(output, measured, corpus, score)

    return [
        Step(
            "rater",
            rater.VERSION,
            train,
            config=lambda: (
                section.model_dump(mode="json", exclude={"anchors"})
                | {"seed": work.recipe.seed, "heuristics": heuristics.VERSION}
            ),
            inputs=lambda: {f"anchors {n}": digest_file(path) for n, path in enumerate(work.anchors)},
        ),
        Step(
            "signals/quality",
            rate.VERSION,
            apply,
            needs=("corpus", "signals/heuristics", "rater"),
        ),
    ]


def _dataset(work: Work) -> Step:
    section = work.recipe.export

    def make(output: Output) -> Counts:
        counts = write.make(
            output,
            work.at("corpus"),
            work.at("ledger"),
            formats=section.formats,
            shard_bytes=section.shard_mb * 10**6,
            dropped=section.dropped,
        )
        publish.describe(work, output, resolved(work.recipe))
        return counts

    return Step(
        "dataset",
        write.VERSION,
        make,
        needs=("corpus", "ledger", "mixture"),
        config=lambda: section.model_dump(mode="json") | {"name": work.recipe.name, "recipe": resolved(work.recipe)},
    )


def _report(work: Work) -> Step:
    names = ("corpus", *work.signals, *(("rater",) if work.recipe.quality else ()), "thresholds", "ledger", "mixture")

    def make(output: Output) -> Counts:
        records = {name: found for name in names if (found := record.read(work.at(name))) is not None}
        return page.make(
            output,
            page.ReportInputs(
                name=work.recipe.name,
                recipe=resolved(work.recipe),
                ledger=work.at("ledger"),
                corpus=work.at("corpus"),
                records={name: vars(found) for name, found in records.items()},
                thresholds=work.at("thresholds") / "thresholds.parquet",
                signals={name.removeprefix("signals/"): work.at(name) for name in work.signals},
                mixture=work.at("mixture") / "mixture.json",
                audit=work.at("rater") / "audit.json" if work.recipe.quality else None,
                quarantine=work.at("corpus") / "quarantine",
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
