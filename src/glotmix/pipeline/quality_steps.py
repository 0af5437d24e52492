"""Quality at work: the steps that train a rater, apply and audit it; and a finished one as a function of texts.

>>> import pathlib, tempfile
>>> from glotmix.quality.heads import Head
>>> from glotmix.quality import anchors, train_rater
>>> from glotmix.core.record import Output, Silent
>>> folder = pathlib.Path(tempfile.mkdtemp())
>>> output = Output(folder, "rater", Silent())
>>> given = train_rater.TrainingSpec(files=[anchors.shipped()])
>>> counts = train_rater.make(output, given, eyes(("structure",), {}), Head(kind="logistic"), seed=0)
>>> rated = load(folder)
>>> prose = "She put the kettle on and waited by the window for the rain to stop. "
>>> good, bad = rated([prose * 8, "Home | Shop | Login » FAQ (12) " * 8], ["eng_Latn", "en"])
>>> bool(good > bad)
True
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.special import logit

from glotmix.core import language
from glotmix.core.errors import DataError, RequestError
from glotmix.core.record import JSON, Counts, Output, Watcher, digest_file
from glotmix.core.step import Step
from glotmix.embed import choose
from glotmix.embed.protocol import Embedder
from glotmix.pipeline import pretrained_rater
from glotmix.pipeline.context import RunContext
from glotmix.quality import (
    anchors,
    audit,
    calibrate,
    checks,
    controls,
    negatives,
    normalizer,
    rater_features,
    train_rater,
)
from glotmix.quality.config import ParallelConfig, QualityConfig
from glotmix.quality.heads import Head
from glotmix.quality.rater import Rater
from glotmix.quality.raters_config import STRUCTURE
from glotmix.quality.train_rater import FeatureExtractor, TrainingSpec
from glotmix.quality.transfer import Labelled
from glotmix.signals import heuristics, quality_scores
from glotmix.signals.embed import EmbedConfig
from glotmix.signals.quality_scores import Signals

APPLIED = "rater"
"""Below ``signals/quality``: the rater as it rated this corpus, with its quantiles and calibration."""


def eyes(
    features: Sequence[str], embedders: Mapping[str, Embedder], max_chars: Mapping[str, int] | None = None
) -> FeatureExtractor:
    """Return what a rater of these features sees of a text; an embedder sees its first `max_chars` characters."""
    return FeatureExtractor(heuristics.measure if STRUCTURE in features else None, embedders, max_chars or {})


def _eyes(work: RunContext, section: QualityConfig) -> FeatureExtractor:
    """Return what the recipe's rater sees: the same of an anchor as the signals see of a document."""
    found = eyes(section.features, work.embedders, {n: one.max_chars for n, one in _configs(work, section).items()})
    return replace(found, models={n: one.model for n, one in _configs(work, section).items() if one.model != n})


def _configs(work: RunContext, section: QualityConfig) -> dict[str, EmbedConfig]:
    """Return the signals of vectors that the rater reads, by the names that its features give them."""
    named = section.embedders if section.rater is None else tuple(work.embedders)
    found = {name: work.recipe.signals.embedder(name) for name in named}
    return {name: one for name, one in found.items() if one is not None}


def _looked(work: RunContext, section: QualityConfig, trained: Rater, found: pa.Table) -> pa.Table:
    """Return what the rater sees of parallel documents."""
    if section.rater is None:
        return _eyes(work, section).see(found["text"], found["lang"])
    texts, langs = found["text"].combine_chunks(), found["lang"].combine_chunks()
    reads = rater_features.features_of(trained)
    return rater_features.see(texts, langs, reads, work.embedders, trained.wording, _max_chars(work, section))


def _max_chars(work: RunContext, section: QualityConfig) -> dict[str, int]:
    return {name: one.max_chars for name, one in _configs(work, section).items()}


def head(section: QualityConfig) -> Head:
    """Return how the recipe's rater learns."""
    return Head(kind=section.head, normalise=section.normalise, seeds=section.seeds)


def lesson(work: RunContext, section: QualityConfig) -> TrainingSpec:
    """Return what the recipe's rater learns from."""
    return TrainingSpec(
        work.anchors,
        work.paths(section.positives),
        work.corpus if section.positives else None,
        section.negatives,
        section.per_language,
        section.upsample,
        section.strategy,
    )


def steps(work: RunContext) -> list[Step]:
    """Return the rater, its score and its audit; nothing where the recipe has no rater."""
    section = work.recipe.quality
    if section is None:
        return []
    if section.rater is not None:
        return [*pretrained_rater.steps(work), _apply(work, section)]
    return [_train(work, section), _apply(work, section), _audit(work, section)]


_TRAINING = {
    "anchors", "positives", "parallel", "human", "audits", "audit",
}  # fmt: skip


def _train(work: RunContext, section: QualityConfig) -> Step:
    def train(output: Output) -> Counts:
        return train_rater.make(output, lesson(work, section), _eyes(work, section), head(section), work.recipe.seed)

    return Step(
        "rater",
        train_rater.VERSION,
        train,
        needs=work.corpus_steps if section.positives else (),
        config=lambda: (
            section.model_dump(mode="json", exclude=_TRAINING)
            | {"seed": work.recipe.seed, "heuristics": heuristics.VERSION}
            | {"embedders": {name: one.fingerprint for name, one in work.embedders.items()}}
            | {"max_chars": dict(_eyes(work, section).max_chars)}
        ),
        inputs=lambda: (
            {f"anchors {n}": digest_file(path) for n, path in enumerate(work.anchors)}
            | {f"positives {n}": digest_file(path) for n, path in enumerate(work.paths(section.positives))}
        ),
    )


def _apply(work: RunContext, section: QualityConfig) -> Step:
    def apply(output: Output) -> Counts:
        corpus = work.corpus
        read = signals(work, section)
        trained = Rater.read(work.step_dir("rater"))
        trained.check({name: one.fingerprint for name, one in work.embedders.items()}, work.step_dir("rater"))
        scorer = over(trained, read, corpus)
        scale = None
        if section.parallel is not None:
            found = parallel(work.paths(section.parallel.path), section.parallel)
            seen = _looked(work, section, trained, found)
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
        cuts = _max_chars(work, section)
        replace(scorer, quantiles=held.quantiles, calibration=scale, max_chars=cuts).write(applied)
        return counts

    return Step(
        "signals/quality",
        quality_scores.VERSION,
        apply,
        needs=(*work.corpus_steps, *needs(work, section), "rater"),
        config=lambda: {"parallel": _parallel_identity(section)},
        inputs=lambda: _parallel_inputs(work, section),
    )


def _audit(work: RunContext, section: QualityConfig) -> Step:
    def make(output: Output) -> Counts:
        found = audited(work, section)
        (output.path / "audit.json").write_text(json.dumps(found, indent=1, allow_nan=False), "utf-8")
        verdicts = [j["verdict"] for j in found["languages"]]
        return {"documents": found["documents"], **{v: verdicts.count(v) for v in ("usable", "doubtful", "unusable")}}

    return Step(
        "audit",
        audit.VERSION,
        make,
        needs=("rater", "signals/quality"),
        config=lambda: {"audits": section.audits, "audit": section.audit, "seed": work.recipe.seed},
        inputs=lambda: {f"human {n}": digest_file(path) for n, path in enumerate(work.paths(section.human))},
    )


def audited(work: RunContext, section: QualityConfig) -> dict[str, Any]:
    """Audit the recipe's rater: raters of its making on its anchors, and the finished one on everything else."""
    data, lengths, sources = train_rater.training(work.step_dir("rater"), section.per_language, section.upsample)
    scorer = Rater.read(work.step_dir("signals/quality") / APPLIED)
    see = _eyes(work, section).see
    offsets: list[dict[str, Any]] = []
    if section.parallel is not None:
        found = parallel(work.paths(section.parallel.path), section.parallel)
        spread = [np.std(_log_odds(q)) for q in scorer.quantiles.values() if len(q) > 1]
        unit = float(np.sqrt(np.mean(np.square(spread)))) or 1.0
        offsets = checks.offsets(found, _log_odds(scorer.score(see(found["text"], found["lang"]))), unit)
    human: list[dict[str, Any]] = []
    if section.human:
        people = anchors.read(work.paths(section.human)).combine_chunks()
        scores = scorer.score(see(people["text"].combine_chunks(), people["lang"].combine_chunks()))
        labels = np.asarray(people["label"].to_numpy(zero_copy_only=False), bool)
        langs = np.asarray(people["lang"].to_pylist(), object)
        human = checks.agreement(labels, scores.astype(np.float64), langs, audit.DRAWS, work.recipe.seed)
    seeds = range(work.recipe.seed, work.recipe.seed + section.audits)
    return audit.audit(
        data, lengths, head(section), seeds, sources, offsets=offsets, human=human, full=section.audit == "full"
    )


def audit_folder(folder: Path, seeds: int, full: bool) -> dict[str, Any]:
    """Audit a rater by its folder alone: others of its making, on what it learned from.

    Raises:
        DataError: if the folder does not say what its rater learned from.
    """
    data, lengths, sources = train_rater.training(folder, 10_000, 3.0)
    return audit.audit(data, lengths, Rater.read(folder).head, range(seeds), sources, full=full)


def controlled(
    work: RunContext,
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
    data, _, _ = train_rater.training(work.step_dir("rater"), section.per_language, section.upsample)
    crawl = None
    if not labelled_only:
        crawl = _crawl(signals(work, section), work.corpus, data)
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
    return _having(found, data.columns).select(["lang", *data.columns])


def _log_odds(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(logit(np.clip(np.asarray(scores, np.float64), 1e-6, 1 - 1e-6)), np.float64)


def needs(work: RunContext, section: QualityConfig) -> tuple[str, ...]:
    """Return the steps of the signals that the recipe's rater reads."""
    reads = section.features if section.rater is None else pretrained_rater.features(work)
    own: tuple[str, ...] = ("signals/heuristics",) if STRUCTURE in reads else ()
    own += (pretrained_rater.SEEN,) if set(reads) & set(pretrained_rater.WRITTEN) else ()
    return own + tuple(one.signal for one in _configs(work, section).values())


def _parallel_identity(section: QualityConfig) -> Any:
    return None if section.parallel is None else section.parallel.model_dump(mode="json", exclude={"path"})


def _parallel_inputs(work: RunContext, section: QualityConfig) -> dict[str, str]:
    given = () if section.parallel is None else section.parallel.path
    return {f"parallel {n}": digest_file(path) for n, path in enumerate(work.paths(given))}


def _told(scale: calibrate.Calibration) -> JSON:
    return {"pivot": scale.pivot, "documents": dict(sorted(scale.documents.items()))}


def signals(work: RunContext, section: QualityConfig) -> Signals:
    """Return the signals that the recipe's rater reads."""
    wanted = needs(work, section)
    own, seen = (work.step_dir(n) if n in wanted else None for n in ("signals/heuristics", pretrained_rater.SEEN))
    return Signals(own, {name: work.step_dir(one.signal) for name, one in _configs(work, section).items()}, seen)


def over(trained: Rater, read: Signals, corpus: Path) -> Rater:
    """Return a rater that holds features against what is usual in a corpus, not in its anchors.

    Raises:
        DataError: if the signals lack a feature of the rater.
    """
    found = []
    if trained.usual.structure is not None:
        columns = trained.usual.structure.columns
        measured = quality_scores.sample(Signals(read.heuristics, seen=read.seen), corpus)
        found.append(normalizer.fit(_having(measured, columns), columns))
    if trained.usual.centres:
        names = tuple(trained.usual.centres)
        vectors = quality_scores.sample(Signals(None, read.vectors), corpus, quality_scores.SAMPLE_VECTORS)
        found.append(normalizer.fit(_having(vectors, names), names))
    structure = next((u.structure for u in found if u.structure is not None), None)
    centres = {name: one for u in found for name, one in u.centres.items()}
    return replace(trained, usual=normalizer.LanguageNormalizer(structure, centres))


def _having(documents: pa.Table, columns: Sequence[str]) -> pa.Table:
    if missing := [c for c in columns if c not in documents.column_names]:
        raise DataError(
            f"the rater was trained on {', '.join(missing)}, which the corpus's signals do not have",
            "train the rater again with the signals that you have now",
        )
    return documents


def parallel(paths: Sequence[Path], section: ParallelConfig) -> pa.Table:
    """Read parallel documents: ``group``, ``lang`` (canonical) and ``text``; empty texts are left out.

    Raises:
        DataError: naming the column that is missing.
    """
    wanted = {"group": section.group, "lang": section.lang, "text": section.text}
    rows: list[dict[str, str]] = []
    for path in paths:
        documents = anchors.rows(path)
        for where, row in documents:
            if missing := [name for name in wanted.values() if row.get(name) is None]:
                raise DataError(f"{where}: there is no {', '.join(missing)}", "quality.parallel.group, .lang and .text")
            found = {name: str(row[column]) for name, column in wanted.items()}
            if found["text"].strip():
                rows.append(found)
    codes = {code: language.parse(code).code for code in {r["lang"] for r in rows}}
    names = ("group", "lang", "text")
    columns = [[codes[r[n]] if n == "lang" else r[n] for r in rows] for n in names]
    return pa.table({n: pa.array(c, pa.string()) for n, c in zip(names, columns, strict=True)}).combine_chunks()


def load(
    folder: Path, embedders: Mapping[str, Embedder] | None = None, as_: str = "score"
) -> Callable[[Sequence[str], Sequence[str] | str], NDArray[np.float64]]:
    """Return a saved rater as a function of texts and their languages, for a notebook or another pipeline.

    Args:
        folder: the rater's own (``rater``), or the one that rated a corpus (``signals/quality/rater``), which holds
            features against that corpus.
        embedders: those whose vectors it reads, by name; those that glotmix knows by name need not be given.
        as_: ``score``, ``quantile`` (of the corpus that it rated) or ``calibrated``.

    Returns:
        a function from n texts and their languages (one code for all, or one each) to (n,) numbers, 0 to 1.

    Raises:
        DataError: if there is no rater.
        RequestError: if an embedder is missing, one too many, or another than in training, or `as_` is not known.
    """
    scorer = Rater.read(folder)
    given = dict(embedders or {})
    for name in scorer.embedders:
        if name not in given:
            try:
                given[name] = choose.load(scorer.models.get(name, name))
            except RequestError as error:
                fix = f"load(folder, {{'{name}': embedder}})"
                raise RequestError(f"the rater in {folder} reads vectors of {name}", fix) from error
    scorer.check({name: one.fingerprint for name, one in given.items()}, folder)
    if as_ not in ("score", "quantile", "calibrated"):
        raise RequestError(f"{as_!r} is no score", "score, quantile or calibrated")
    features = rater_features.features_of(scorer)
    ours = {name: given[name] for name in scorer.embedders}

    def rated(texts: Sequence[str], langs: Sequence[str] | str) -> NDArray[np.float64]:
        each = [langs] * len(texts) if isinstance(langs, str) else list(langs)
        codes = {code: language.parse(code).code for code in set(each)}
        own = np.array([codes[code] for code in each], object)
        columns = pa.array(list(texts), pa.string()), pa.array(own.tolist(), pa.string())
        scores = scorer.score(rater_features.see(*columns, features, ours, scorer.wording, scorer.max_chars))
        return scorer.converted(scores, own, as_)

    return rated
