"""Scores that compare across languages: the same document should have the same score in every language.

From the scores of parallel documents, one monotone map per language: equipercentile equating of the psychometricians
(Kolen & Brennan 2014, ch. 2). Of the documents that a language shares with the pivot, the score at each quantile in the
language becomes the score at that quantile in the pivot: "what its translation would have scored". Isotonic regression
would fit single pairs more closely, and flatten wherever scores are noisy, so that good and bad draw together; a
quantile map keeps the spread. Beyond the scores of parallel documents the map goes on with slope 1 in log odds:
parallel text is mostly clean, and nothing is known of how a language's junk compares.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.core.errors import DataError

KNOTS = 33
"""Quantiles at which a map is held, at most."""

LEAST = 30
"""With fewer parallel documents there is no map: its middle would be off by a fifth of a standard deviation or more."""

_SURE = 1e-6


@dataclass(frozen=True)
class Calibration:
    """Maps from a language's scores to the pivot's, and what languages without one get.

    Args:
        pivot: the language that the others are brought to.
        maps: language → (from, to): (k,) increasing log odds each; the pivot's is the identity.
        documents: language → parallel documents that its map was made from.
        typical: (k,) calibrated scores at equal steps of rank, mean over the languages that have a map: what a
            language's quantile becomes where there is no map. Empty before a corpus was rated.
    """

    pivot: str
    maps: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
    documents: Mapping[str, int]
    typical: NDArray[np.float64]

    def apply(self, lang: str, scores: NDArray[np.floating]) -> NDArray[np.float64] | None:
        """Return (n,) calibrated scores, 0 to 1, of a language's scores; None for a language without a map."""

        from scipy.special import expit, logit

        if lang not in self.maps:
            return None
        from_, to = self.maps[lang]
        given = logit(np.clip(np.asarray(scores, np.float64), _SURE, 1 - _SURE))
        inside = np.interp(given, from_, to)
        below, above = np.minimum(given - from_[0], 0), np.maximum(given - from_[-1], 0)
        return np.asarray(expit(inside + below + above), np.float64)

    def from_quantile(self, quantiles: NDArray[np.floating]) -> NDArray[np.float64] | None:
        """Return the typical calibrated score at each rank: for languages without parallel text. None before rating."""
        if not len(self.typical):
            return None
        at = (np.arange(len(self.typical)) + 0.5) / len(self.typical)
        return np.asarray(np.interp(quantiles, at, self.typical), np.float64)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "pivot": self.pivot,
            "maps": {lang: [a.tolist(), b.tolist()] for lang, (a, b) in sorted(self.maps.items())},
            "documents": dict(sorted(self.documents.items())),
            "typical": self.typical.tolist(),
        }

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Calibration":
        """Return what `as_json` gave."""
        maps = {lang: (np.array(a, np.float64), np.array(b, np.float64)) for lang, (a, b) in found["maps"].items()}
        return cls(found["pivot"], maps, found["documents"], np.array(found["typical"], np.float64))


def fit(parallel: pa.Table, scores: NDArray[np.floating], pivot: str | None = None) -> Calibration:
    """Learn the maps from scores of parallel documents.

    Args:
        parallel: ``group`` and ``lang`` of each document; translations of one another share a group.
        scores: (n,) from 0 to 1.
        pivot: the language that others are brought to; None for the one that shares documents with most languages
            (then with most documents, then by code).

    Raises:
        DataError: if no two languages share `LEAST` documents, or the pivot has none.
    """

    from scipy.special import logit

    by_lang: dict[str, dict[str, float]] = {}
    given = logit(np.clip(np.asarray(scores, np.float64), _SURE, 1 - _SURE))
    order = np.lexsort((given, parallel["group"].to_pylist(), parallel["lang"].to_pylist()))
    langs, groups = parallel["lang"].to_pylist(), parallel["group"].to_pylist()
    for row in order.tolist():
        by_lang.setdefault(langs[row], {}).setdefault(groups[row], float(given[row]))
    shared = {a: [len(held.keys() & by_lang[b].keys()) for b in by_lang if b != a] for a, held in by_lang.items()}
    if pivot is None and by_lang:
        pivot = min(by_lang, key=lambda a: (-sum(n >= LEAST for n in shared[a]), -sum(shared[a]), a))
    if pivot is None or pivot not in by_lang:
        raise DataError(f"the parallel documents hold none of {pivot or 'any language'}", "quality.parallel.pivot=null")
    maps, documents = {}, {}
    for lang, held in sorted(by_lang.items()):
        both = sorted(held.keys() & by_lang[pivot].keys())
        if len(both) < LEAST:
            continue
        at = np.linspace(0, 1, min(KNOTS, len(both)))
        own, to = (np.quantile([side[g] for g in both], at) for side in (held, by_lang[pivot]))
        maps[lang] = _increasing(own, to)
        documents[lang] = len(both)
    if len(maps) < 2:
        most = max((n for each in shared.values() for n in each), default=0)
        raise DataError(
            f"no language shares {LEAST} parallel documents with {pivot} (the most that two share is {most})",
            "add parallel documents, or leave quality.parallel out",
        )
    return Calibration(pivot, maps, documents, np.zeros(0))


def _increasing(own: NDArray[np.float64], to: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the map with one knot for each different score: the mean of what many documents share."""
    levels, place = np.unique(own, return_inverse=True)
    return levels, np.bincount(place, to) / np.bincount(place)
