"""Which documents teach the rater of which language, after the cross-lingual quality classifiers (arXiv 2604.20549).

``pooled`` trains one rater on all languages; ``target`` one on each language's own labels; ``family`` one on those of
each family; ``leave-one-out`` gives every labelled language a rater of all the others. A language that a strategy has
no rater for (without labels, or without both kinds of them) is rated by the pooled one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from glotmix.core import language
from glotmix.quality.features import Matrix
from glotmix.quality.heads import Classifier, Head
from glotmix.quality.names import Strategy
from glotmix.quality.transfer import MIN_EACH, Labelled

STRATEGIES = ("pooled", "target", "family", "leave-one-out")
POOLED = "pooled"


@dataclass(frozen=True)
class ClassifierBank:
    """The raters of a strategy.

    Args:
        strategy: how they were trained.
        raters: by name; ``pooled`` is always there.
        of: language → name, for the languages that are not rated by the pooled one.
    """

    strategy: Strategy
    raters: Mapping[str, Classifier]
    of: Mapping[str, str]

    def log_odds(self, matrix: Matrix, langs: NDArray[np.object_]) -> NDArray[np.float64]:
        """Return (n,) log odds of being good, each by the rater of the document's language."""
        names = np.array([self.of.get(lang, POOLED) for lang in langs], object)
        found = np.empty(len(matrix))
        for name in set(names):
            mine = names == name
            found[mine] = self.raters[name].log_odds(matrix[mine])
        return found

    def score(self, matrix: Matrix, langs: NDArray[np.object_]) -> NDArray[np.float32]:
        """Return (n,) probabilities of being good, for classes of equal size."""

        from scipy.special import expit

        return np.asarray(expit(self.log_odds(matrix, langs)), np.float32)


def train(
    data: Labelled,
    head: Head,
    seed: int,
    strategy: Strategy = "pooled",
    rows: NDArray[np.int64] | None = None,
    only: str | None = None,
) -> ClassifierBank:
    """Train the raters of a strategy.

    Args:
        data: the labelled documents.
        head: how each rater learns.
        seed: of what is drawn.
        strategy: who learns from whom.
        rows: (k,) the documents to learn from; None for all.
        only: train for this language alone, if one needs no other.

    Raises:
        DataError: if the documents are all good or all bad.
    """
    rows = np.arange(len(data.labels)) if rows is None else rows
    matrix = data.normalised(head.normalise)
    langs = data.langs[rows]
    raters: dict[str, Classifier] = {}
    of: dict[str, str] = {}
    for lang in sorted(set(langs)) if only is None else [only]:
        name, mine = _lesson(lang, strategy, langs, data.group[rows])
        if mine is None or not _both(data.labels[rows[mine]]):
            continue
        of[lang] = name
        if name not in raters:
            raters[name] = data.rater(matrix, rows[mine], head, seed)
    if only is None or only not in of:
        raters[POOLED] = data.rater(matrix, rows, head, seed)
    return ClassifierBank(strategy, raters, of)


def _lesson(
    lang: str, strategy: Strategy, langs: NDArray[np.object_], group: NDArray[np.int64]
) -> tuple[str, NDArray[np.bool_] | None]:
    """Return the name of a language's rater and the documents that it learns from; None for all of them."""
    if strategy == "target":
        return lang, langs == lang
    if strategy == "leave-one-out":
        own = langs == lang
        # A translation of one of its documents would teach it, too.
        return f"without {lang}", ~own & ~np.isin(group, group[own])
    family = _family(lang)
    if strategy == "family" and family is not None:
        return f"family {family}", np.array([_family(other) == family for other in langs], bool)
    return POOLED, None


@cache
def _family(lang: str) -> str | None:
    return language.parse(lang).family


def _both(labels: NDArray[np.bool_]) -> bool:
    return bool(min(labels.sum(), (~labels).sum()) >= MIN_EACH)
