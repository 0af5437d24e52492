"""A finished rater as a function of texts, for a notebook or another pipeline.

>>> import pathlib, tempfile
>>> from glotmix.quality.heads import Head
>>> from glotmix.quality import anchors, train_rater
>>> from glotmix.core.record import Output, Silent
>>> folder = pathlib.Path(tempfile.mkdtemp())
>>> output = Output(folder, "rater", Silent())
>>> given = train_rater.TrainingSpec(files=[anchors.shipped()])
>>> counts = train_rater.make(output, given, feature_extractor(("structure",), {}), Head(kind="logistic"), seed=0)
>>> rated = load(folder)
>>> prose = "She put the kettle on and waited by the window for the rain to stop. "
>>> good, bad = rated([prose * 8, "Home | Shop | Login » FAQ (12) " * 8], ["eng_Latn", "en"])
>>> bool(good > bad)
True
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.core import language
from glotmix.core.errors import DataError, RequestError
from glotmix.embed import choose
from glotmix.embed.protocol import Embedder
from glotmix.quality import anchors, normalizer, rater_features
from glotmix.quality.config import ParallelConfig
from glotmix.quality.features import Statistics
from glotmix.quality.normalizer import LanguageMeans
from glotmix.quality.rater import Rater
from glotmix.quality.raters_config import STRUCTURE
from glotmix.quality.reference import Referenced
from glotmix.quality.train_rater import FeatureExtractor
from glotmix.signals import heuristics, quality_scores
from glotmix.signals.quality_scores import Signals


def feature_extractor(
    features: Sequence[str], embedders: Mapping[str, Embedder], max_chars: Mapping[str, int] | None = None
) -> FeatureExtractor:
    """Return what a rater of these features sees of a text; an embedder sees its first `max_chars` characters."""
    return FeatureExtractor(heuristics.measure if STRUCTURE in features else None, embedders, max_chars or {})


def refit_normalizer(trained: Rater, read: Signals, corpus: Path) -> Rater:
    """Return a rater that holds features against what is usual in a corpus, not in its anchors.

    Columns that it holds against the reference that ships stay with it.

    Raises:
        DataError: if the signals lack a feature of the rater.
    """
    structure: Statistics | Referenced | None = trained.usual.structure
    centres: Mapping[str, LanguageMeans] = {}
    if isinstance(structure, Statistics):
        columns = structure.columns
        measured = quality_scores.sample(Signals(read.heuristics, seen=read.seen), corpus)
        structure = normalizer.fit(having(measured, columns), columns).structure
    if trained.usual.centres:
        names = tuple(trained.usual.centres)
        vectors = quality_scores.sample(Signals(None, read.vectors), corpus, quality_scores.SAMPLE_VECTORS)
        centres = normalizer.fit(having(vectors, names), names).centres
    return replace(trained, usual=normalizer.LanguageNormalizer(structure, centres))


def having(documents: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Return the documents, if they have the columns that a rater reads.

    Raises:
        DataError: naming those that they lack.
    """
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
    return function(*opened(folder, embedders), as_)


def opened(folder: Path, embedders: Mapping[str, Embedder] | None = None) -> tuple[Rater, dict[str, Embedder]]:
    """Return a saved rater and the embedders that it reads: see `load`."""
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
    return scorer, given


def function(
    scorer: Rater, embedders: Mapping[str, Embedder], as_: str
) -> Callable[[Sequence[str], Sequence[str] | str], NDArray[np.float64]]:
    """Return a rater as a function: see `load`."""
    if as_ not in ("score", "quantile", "calibrated"):
        raise RequestError(f"{as_!r} is no score", "score, quantile or calibrated")
    features = rater_features.features_of(scorer)
    ours = {name: embedders[name] for name in scorer.embedders}

    def rated(texts: Sequence[str], langs: Sequence[str] | str) -> NDArray[np.float64]:
        each = [langs] * len(texts) if isinstance(langs, str) else list(langs)
        codes = {code: language.parse(code).code for code in set(each)}
        own = np.array([codes[code] for code in each], object)
        columns = pa.array(list(texts), pa.string()), pa.array(own.tolist(), pa.string())
        scores = scorer.score(rater_features.see(*columns, features, ours, scorer.wording, scorer.max_chars))
        return scorer.converted(scores, own, as_)

    return rated
