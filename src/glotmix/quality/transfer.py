"""Leave one language out: scores of every document by raters that saw nothing of its language's labels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.core.errors import DataError
from glotmix.quality import anchors, normalizer
from glotmix.quality.auc import auc
from glotmix.quality.features import Matrix
from glotmix.quality.heads import Classifier, Head, train
from glotmix.quality.names import Normalise
from glotmix.quality.normalizer import LanguageNormalizer
from glotmix.quality.reference import EDITED, Referenced, sample

MIN_EACH = 5
"""A language counts in a mean with at least as many good and as many bad documents."""


EDITED_SHARE = 0.25
"""What edited documents count of all that is good."""
VERSION_WEIGHT = 0.5
"""What a document at another length counts beside one as it is."""


@dataclass(frozen=True)
class Versions:
    """Labelled documents at other lengths: cut, or several of one language and label joined.

    Args:
        features: a row for each version, with the columns of the documents.
        parents: for each version, the rows of the documents that it was made of.
    """

    features: pa.Table
    parents: tuple[tuple[int, ...], ...]
    _matrices: dict[Normalise, Matrix] = field(default_factory=dict, init=False, repr=False, compare=False)

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the positions of the versions that are made of these documents alone."""
        held = set(rows.tolist())
        return np.array([at for at, own in enumerate(self.parents) if held.issuperset(own)], np.int64)

    def normalised(self, normalizer_: LanguageNormalizer, how: Normalise) -> Matrix:
        """Return (versions, d) normalised features."""
        if how not in self._matrices:
            self._matrices[how] = normalizer_.apply(self.features, how)
        return self._matrices[how]


@dataclass(frozen=True)
class Labelled:
    """Labelled documents as a rater sees them.

    Args:
        features: n rows: ``lang``, numeric columns, and columns of vectors.
        labels: (n,) true = good.
        group: (n,) as `anchors.groups` makes it: no group stands on both sides of a split.
        columns: the features that are used.
        reference: what is usual in each language; None: learned from the documents themselves (never from labels).
        per_class: see `anchors.weights`; also `upsample`.
        versions: the same documents at other lengths: a rater learns from those whose documents it learns from.
        edited: whether edited documents that ship count as good beside these, for a rater of measured columns alone.
    """

    features: pa.Table
    labels: NDArray[np.bool_]
    group: NDArray[np.int64]
    columns: tuple[str, ...]
    reference: LanguageNormalizer | None = None
    per_class: int = 10_000
    upsample: float = 3.0
    versions: "Versions | None" = None
    edited: bool = False
    _matrices: dict[Normalise, Matrix] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def langs(self) -> NDArray[np.object_]:
        """(n,) the language of each document."""
        return np.asarray(self.features["lang"].to_pylist(), object)

    def normalised(self, how: Normalise) -> Matrix:
        """Return (n, d) normalised features."""
        if how not in self._matrices:
            self._matrices[how] = self.usual.apply(self.features, how)
        return self._matrices[how]

    @cached_property
    def usual(self) -> LanguageNormalizer:
        """What the features are held against."""
        return self.reference or normalizer.fit(self.features, self.columns)

    def rater(self, matrix: Matrix, rows: NDArray[np.int64], head: Head, seed: int) -> Classifier:
        """Train a rater on some of the documents."""
        langs, labels, own = self.langs[rows], self.labels[rows], matrix[rows]
        seen = tuple(sorted(set(langs)))
        if self.versions is not None:
            # Of a version, its documents' language and label: all of one version have the same.
            chosen = self.versions.of(rows)
            firsts = np.array([self.versions.parents[at][0] for at in chosen], np.int64)
            langs = np.concatenate([langs, self.langs[firsts]])
            labels = np.concatenate([labels, self.labels[firsts]])
            own = np.concatenate([own, self.versions.normalised(self.usual, head.normalise)[chosen]])
        weights = anchors.weights(pa.array(langs), labels, self.per_class, self.upsample)
        weights[len(rows) :] *= VERSION_WEIGHT
        if (
            self.edited
            and head.normalise != "none"
            and isinstance(self.usual.structure, Referenced)
            and not self.usual.centres
        ):
            more = self._edited(seen)
            # Exact, so that the order of the documents changes no bit of it.
            good = math.fsum(weights[labels].tolist())
            own = np.concatenate([own, more])
            labels = np.concatenate([labels, np.ones(len(more), bool)])
            # Good documents count as much in all as they did.
            weights[labels[: len(weights)]] *= 1 - EDITED_SHARE
            weights = np.concatenate([weights, np.full(len(more), EDITED_SHARE * good / max(len(more), 1))])
        return train(own, labels, weights, self.usual.names, seen, head, seed)

    def _edited(self, seen: tuple[str, ...]) -> Matrix:
        """Return the features of edited documents that ship; none of a labelled language that is held out."""
        langs, names, matrix = sample(EDITED)
        out = np.isin(langs, sorted(set(self.langs) - set(seen)))
        return matrix[~out][:, [names.index(name) for name in self.usual.names]]

    def measured(self, lang: str) -> bool:
        """Say whether a language has enough good and bad documents to measure an AUC."""
        mine = self.labels[self.langs == lang]
        return bool(min(mine.sum(), (~mine).sum()) >= MIN_EACH)


def leave_one_out(
    data: Labelled, head: Head, seeds: Sequence[int], among: Sequence[str] | None = None
) -> NDArray[np.float64]:
    """Return (seeds, n) log odds: each document's language was left out of the training of the rater that scored it.

    Documents that share a group with one of that language are left out too. A language comes out as NaN where what is
    left is all good or all bad.

    Args:
        data: the labelled documents.
        head: how to train.
        seeds: one rater each.
        among: the languages that exist (train and test); None for all. Documents of others come out as NaN.

    Raises:
        DataError: if there are fewer than two languages.
    """
    langs = data.langs
    names = sorted(set(langs)) if among is None else sorted(among)
    if len(names) < 2:
        raise DataError(
            f"to leave one language out there must be two: the anchors are all {names[0] if names else 'missing'}",
            "add anchors of another language",
        )
    matrix = data.normalised(head.normalise)
    scores = np.full((len(seeds), len(langs)), np.nan)
    for held in names:
        test = np.flatnonzero(langs == held)
        rest = np.isin(langs, [n for n in names if n != held]) & ~np.isin(data.group, data.group[test])
        rows = np.flatnonzero(rest)
        if data.labels[rows].all() or not data.labels[rows].any():
            continue
        for number, seed in enumerate(seeds):
            scores[number, test] = data.rater(matrix, rows, head, seed).log_odds(matrix[test])
    return scores


def mean_auc(data: Labelled, scores: NDArray[np.float64]) -> float | None:
    """Return the mean over languages of the AUC within each, for those that can be measured; None if none can."""
    langs = data.langs
    found = []
    for lang in sorted(set(langs)):
        mine = (langs == lang) & ~np.isnan(scores)
        if mine.any() and data.measured(lang):
            found.append(auc(data.labels[mine], scores[mine]))
    return float(np.mean([f for f in found if f is not None])) if found else None


def choose(data: Labelled, candidates: Sequence[Head], seed: int, among: Sequence[str] | None = None) -> Head:
    """Return the candidate with the best mean AUC over languages left out; the first of equals.

    They are compared with one booster each, whatever they will have: all lose the same by it.

    Whatever is chosen like this must be judged on a language that is not in `among`: see `nested`.
    """
    if len(candidates) == 1:
        return candidates[0]
    means = [mean_auc(data, leave_one_out(data, replace(head, seeds=1), [seed], among)[0]) for head in candidates]
    return candidates[int(np.argmax([-1.0 if m is None else m for m in means]))]


def nested(
    data: Labelled, candidates: Sequence[Head], seeds: Sequence[int]
) -> tuple[NDArray[np.float64], dict[str, Head]]:
    """Leave one language out, with the head chosen anew, each time, without that language.

    So the AUC of the held-out language is of a head that was neither trained nor chosen on it.

    Returns:
        (seeds, n) log odds, and the head that was chosen for each held-out language.
    """
    langs = data.langs
    names = sorted(set(langs))
    scores = np.full((len(seeds), len(langs)), np.nan)
    chosen = {}
    matrices = {head.normalise: data.normalised(head.normalise) for head in candidates}
    for held in names:
        test = np.flatnonzero(langs == held)
        others = [n for n in names if n != held]
        head = chosen[held] = choose(data, candidates, seeds[0], others)
        rows = np.flatnonzero((langs != held) & ~np.isin(data.group, data.group[test]))
        matrix = matrices[head.normalise]
        for number, seed in enumerate(seeds):
            scores[number, test] = data.rater(matrix, rows, head, seed).log_odds(matrix[test])
    return scores, chosen
