"""The steps of quality: a rater is trained or taken as it is, rates every document, and is audited."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core.context import RunContext
from glotmix.core.errors import DataError, RequestError
from glotmix.core.record import JSON, Counts, Output, Watcher, digest_file
from glotmix.core.step import Column, StepSpec
from glotmix.embed.protocol import Embedder
from glotmix.quality import (
    added,
    anchors,
    audit,
    calibrate,
    checks,
    controls,
    negatives,
    pretrained_rater,
    rater_features,
    reference,
    train_rater,
)
from glotmix.quality.config import QualityConfig
from glotmix.quality.heads import Head
from glotmix.quality.load import feature_extractor, having, parallel, refit_normalizer
from glotmix.quality.rater import Rater
from glotmix.quality.raters_config import STRUCTURE
from glotmix.quality.train_rater import FeatureExtractor, TrainingSpec
from glotmix.quality.transfer import Labelled
from glotmix.signals import embed, heuristics, quality_scores
from glotmix.signals.embed import EmbedConfig
from glotmix.signals.quality_scores import Signals

APPLIED = "rater"
"""Below ``signals/quality``: the rater as it rated this corpus, with its quantiles and calibration."""


def embedders(context: RunContext) -> dict[str, Embedder]:
    """Return the embedders whose vectors the rater reads, by the names that the recipe calls them."""
    section = context.recipe.quality
    if section is None:
        return {}
    named = section.embedders if section.pretrained is None else pretrained_rater.finished(context).embedders
    return {name: embed.embedder(context, name) for name in named}


def labelled_files(context: RunContext) -> list[Path]:
    """Return the files of labelled documents.

    Raises:
        RequestError: for one that is not there.
    """
    section = context.recipe.quality
    if section is None:
        return []
    found = [anchors.shipped() if a == "builtin" else context.path(a) for a in section.anchors]
    for path in found:
        if not path.is_file():
            raise RequestError(f"quality.anchors: there is no file {path}", "quality.anchors=[builtin]")
    return found


def _eyes(context: RunContext, section: QualityConfig) -> FeatureExtractor:
    """Return what the recipe's rater sees: the same of an anchor as the signals see of a document."""
    found = feature_extractor(
        section.features, embedders(context), {n: one.max_chars for n, one in _configs(context, section).items()}
    )
    return replace(found, models={n: one.model for n, one in _configs(context, section).items() if one.model != n})


def _configs(context: RunContext, section: QualityConfig) -> dict[str, EmbedConfig]:
    """Return the signals of vectors that the rater reads, by the names that its features give them."""
    named = section.embedders if section.pretrained is None else tuple(embedders(context))
    found = {name: embed.configured(context.recipe, name) for name in named}
    return {name: one for name, one in found.items() if one is not None}


def _looked(context: RunContext, section: QualityConfig, trained: Rater, found: pa.Table) -> pa.Table:
    """Return what the rater sees of parallel documents."""
    if section.pretrained is None:
        return _eyes(context, section).see(found["text"], found["lang"])
    texts, langs = found["text"].combine_chunks(), found["lang"].combine_chunks()
    reads = rater_features.features_of(trained)
    return rater_features.see(texts, langs, reads, embedders(context), trained.wording, _max_chars(context, section))


def _max_chars(context: RunContext, section: QualityConfig) -> dict[str, int]:
    return {name: one.max_chars for name, one in _configs(context, section).items()}


def head(section: QualityConfig) -> Head:
    """Return how the recipe's rater learns."""
    return Head(kind=section.head, normalise=section.normalise, seeds=section.seeds)


def lesson(context: RunContext, section: QualityConfig) -> TrainingSpec:
    """Return what the recipe's rater learns from."""
    return TrainingSpec(
        labelled_files(context),
        context.paths(section.positives),
        context.corpus if section.positives else None,
        section.negatives,
        section.per_language,
        section.upsample,
        section.strategy,
        section.against,
    )


_TRAINING = {
    "anchors", "positives", "parallel", "human", "audits", "audit", "properties",
}  # fmt: skip


def _train(context: RunContext, output: Output) -> Counts:
    section = context.recipe.quality
    return train_rater.make(
        output, lesson(context, section), _eyes(context, section), head(section), context.recipe.seed
    )


def _training(context: RunContext) -> Mapping[str, Any]:
    section: QualityConfig = context.recipe.quality
    return (
        section.model_dump(mode="json", exclude=_TRAINING)
        | {
            "seed": context.recipe.seed,
            "heuristics": heuristics.VERSION,
            "reference": reference.digests(section.against),
        }
        | {"embedders": {name: one.fingerprint for name, one in embedders(context).items()}}
        | {"max_chars": dict(_eyes(context, section).max_chars)}
    )


def _labels(context: RunContext) -> Mapping[str, str]:
    positives = context.paths(context.recipe.quality.positives)
    return {f"anchors {n}": digest_file(path) for n, path in enumerate(labelled_files(context))} | {
        f"positives {n}": digest_file(path) for n, path in enumerate(positives)
    }


def _apply(context: RunContext, output: Output) -> Counts:
    section = context.recipe.quality
    corpus = context.corpus
    read = signals(context, section)
    trained = Rater.read(context.step_dir("rater"))
    trained.check({name: one.fingerprint for name, one in embedders(context).items()}, context.step_dir("rater"))
    scorer = refit_normalizer(trained, read, corpus)
    scale = None
    if section.parallel is not None:
        found = parallel(context.paths(section.parallel.path), section.parallel)
        seen = _looked(context, section, trained, found)
        scale = calibrate.fit(found, scorer.score(seen), section.parallel.pivot)
        output.notes["calibration"] = _told(scale)
    counts = quality_scores.make(output, read, corpus, scorer.score, scale)
    held = quality_scores.seen(output.path, corpus, scale)
    if scale is not None:
        scale = calibrate.Calibration(scale.pivot, scale.maps, scale.documents, held.typical)
        if held.fallen:
            output.notes["warnings"] = [
                f"no parallel text in {', '.join(held.fallen)}: their calibrated scores are their ranks, read as "
                "if their documents were as good as the others'"
            ]
    applied = output.path / APPLIED
    applied.mkdir(exist_ok=True)
    cuts = _max_chars(context, section)
    replace(scorer, quantiles=held.quantiles, calibration=scale, max_chars=cuts).write(applied)
    return counts


def _audit(context: RunContext, output: Output) -> Counts:
    found = audited(context, context.recipe.quality)
    (output.path / "audit.json").write_text(json.dumps(found, indent=1, allow_nan=False), "utf-8")
    verdicts = [j["verdict"] for j in found["languages"]]
    return {"documents": found["documents"], **{v: verdicts.count(v) for v in ("usable", "doubtful", "unusable")}}


def audited(context: RunContext, section: QualityConfig) -> dict[str, Any]:
    """Audit the recipe's rater: raters of its making on its anchors, and the finished one on everything else."""
    data, lengths, sources = train_rater.training(context.step_dir("rater"), section.per_language, section.upsample)
    scorer = Rater.read(context.step_dir("signals/quality") / APPLIED)
    see = _eyes(context, section).see
    offsets: list[dict[str, Any]] = []
    if section.parallel is not None:
        found = parallel(context.paths(section.parallel.path), section.parallel)
        spread = [np.std(_log_odds(q)) for q in scorer.quantiles.values() if len(q) > 1]
        unit = float(np.sqrt(np.mean(np.square(spread)))) or 1.0
        offsets = checks.offsets(found, _log_odds(scorer.score(see(found["text"], found["lang"]))), unit)
    human: list[dict[str, Any]] = []
    if section.human:
        people = anchors.read(context.paths(section.human)).combine_chunks()
        scores = scorer.score(see(people["text"].combine_chunks(), people["lang"].combine_chunks()))
        labels = np.asarray(people["label"].to_numpy(zero_copy_only=False), bool)
        langs = np.asarray(people["lang"].to_pylist(), object)
        human = checks.agreement(labels, scores.astype(np.float64), langs, audit.DRAWS, context.recipe.seed)
    seeds = range(context.recipe.seed, context.recipe.seed + section.audits)
    found = audit.audit(
        data, lengths, head(section), seeds, sources, offsets=offsets, human=human, full=section.audit == "full"
    )
    return found | {"added": _added(context, section)}


def _added(context: RunContext, section: QualityConfig) -> list[str]:
    """Return what the recipe's own labels changed, beside those that ship, in sentences."""
    own = [path for path in labelled_files(context) if path != anchors.shipped()]
    if not own or anchors.shipped() not in labelled_files(context) or section.strategy != "pooled":
        return []
    seed = context.recipe.seed
    base, mine = (anchors.draw(anchors.read(files), section.per_language, seed) for files in ([anchors.shipped()], own))
    given = (_eyes(context, section), head(section), seed, section.per_language, section.upsample, section.against)
    return added.told(added.measured(base, mine, *given))


def audit_folder(folder: Path, seeds: int, full: bool) -> dict[str, Any]:
    """Audit a rater by its folder alone: others of its making, on what it learned from.

    Raises:
        DataError: if the folder does not say what its rater learned from.
    """
    data, lengths, sources = train_rater.training(folder, 10_000, 3.0)
    return audit.audit(data, lengths, Rater.read(folder).head, range(seeds), sources, full=full)


def controlled(
    context: RunContext,
    section: QualityConfig,
    seeds: Sequence[int],
    retain: float,
    draws: int,
    labelled_only: bool,
    watcher: Watcher,
) -> dict[str, Any]:
    """Compare ways to train on the recipe's anchors and corpus, see `controls.controls`.

    Raises:
        DataError: if the corpus holds no document in a language of the anchors, unless `labelled_only`.
    """
    data, _, _ = train_rater.training(context.step_dir("rater"), section.per_language, section.upsample)
    crawl = None
    if not labelled_only:
        crawl = _crawl(signals(context, section), context.corpus, data)
    watcher.begin("controls", "new", "")
    began = time.monotonic()
    found = controls.controls(
        data, crawl, head(section), seeds, retain, draws=draws,
        told=lambda done, total: watcher.advance("controls", done, total, 1),
    )  # fmt: skip
    watcher.end("controls", time.monotonic() - began)
    return found


def _crawl(read: Signals, corpus: Path, data: Labelled) -> pa.Table:
    """Return unlabelled documents of the corpus in the languages of the labelled ones: enough for Q3 in each."""
    good = [int((data.labels & (data.langs == lang)).sum()) for lang in set(data.langs)]
    found = quality_scores.sample(read, corpus, max(good) * (1 + negatives.POOL))
    found = found.filter(pc.is_in(found["lang"], value_set=pa.array(sorted(set(data.langs)))))
    if missing := sorted(set(data.langs) - set(found["lang"].to_pylist())):
        raise DataError(
            f"the corpus holds no document in {', '.join(missing)}, which the anchors are in",
            "glotmix quality controls --labelled-only, or a corpus of the anchors' languages",
        )
    return having(found, data.columns).select(["lang", *data.columns])


def _log_odds(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    from scipy.special import logit

    return np.asarray(logit(np.clip(np.asarray(scores, np.float64), 1e-6, 1 - 1e-6)), np.float64)


def needs(context: RunContext, section: QualityConfig) -> tuple[str, ...]:
    """Return the steps of the signals that the recipe's rater reads."""
    reads = section.features if section.pretrained is None else pretrained_rater.features(context)
    own: tuple[str, ...] = ("signals/heuristics",) if STRUCTURE in reads else ()
    own += (pretrained_rater.SEEN,) if set(reads) & set(pretrained_rater.WRITTEN) else ()
    return own + tuple(one.signal for one in _configs(context, section).values())


def _parallel_identity(section: QualityConfig) -> Any:
    return None if section.parallel is None else section.parallel.model_dump(mode="json", exclude={"path"})


def _parallel_inputs(context: RunContext, section: QualityConfig) -> dict[str, str]:
    given = () if section.parallel is None else section.parallel.path
    return {f"parallel {n}": digest_file(path) for n, path in enumerate(context.paths(given))}


def _told(scale: calibrate.Calibration) -> JSON:
    return {"pivot": scale.pivot, "documents": dict(sorted(scale.documents.items()))}


def signals(context: RunContext, section: QualityConfig) -> Signals:
    """Return the signals that the recipe's rater reads."""
    wanted = needs(context, section)
    own, seen = (context.step_dir(n) if n in wanted else None for n in ("signals/heuristics", pretrained_rater.SEEN))
    return Signals(own, {name: context.step_dir(one.signal) for name, one in _configs(context, section).items()}, seen)


def _trains(context: RunContext) -> bool:
    return context.recipe.quality is not None and context.recipe.quality.pretrained is None


STEPS = (
    StepSpec(
        name="rater",
        code=("glotmix.quality.train_rater",),
        make=_train,
        wanted=_trains,
        needs=lambda context: context.corpus_steps if context.recipe.quality.positives else (),
        config=_training,
        inputs=_labels,
        reported=True,
        meaning="a rater trained on labelled documents",
        place=50,
    ),
    StepSpec(
        name="signals/quality",
        code=("glotmix.signals.quality_scores",),
        make=_apply,
        wanted=lambda context: context.recipe.quality is not None,
        needs=lambda context: (*context.corpus_steps, *needs(context, context.recipe.quality), "rater"),
        config=lambda context: {"parallel": _parallel_identity(context.recipe.quality)},
        inputs=lambda context: _parallel_inputs(context, context.recipe.quality),
        per_document=True,
        columns=(
            Column("score", "float32", "what the rater says of the document", "0 to 1"),
            Column("quantile", "float32", "its rank within the language", "0 to 1"),
            Column("calibrated", "float32", "the score that compares across languages; null without parallel text"),
        ),
        meaning="the rater's score of every document",
        place=52,
    ),
    StepSpec(
        name="audit",
        code=("glotmix.quality.audit", "glotmix.quality.added"),
        make=_audit,
        wanted=_trains,
        needs=lambda context: ("rater", "signals/quality"),
        config=lambda context: {
            "audits": context.recipe.quality.audits,
            "audit": context.recipe.quality.audit,
            "seed": context.recipe.seed,
        },
        inputs=lambda context: {
            f"human {n}": digest_file(path) for n, path in enumerate(context.paths(context.recipe.quality.human))
        },
        reported=True,
        meaning="how well the rater does in languages that it was not trained on",
        place=53,
    ),
)
