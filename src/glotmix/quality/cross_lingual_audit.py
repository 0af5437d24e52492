"""The audit of raters that were carried across languages: pair accuracy, parallel gap, language offset, length.

Everything is measured on documents whose sources were held out, for several raters at once on the same bootstrap
samples (of sources: passages, damage and translations of one document are no independent evidence), so that they can
be compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glotmix.core.errors import DataError
from glotmix.quality.auc import percentiles
from glotmix.quality.bradley_terry import Floats, Ints
from glotmix.quality.pairs import KINDS, PARALLEL, Pairs

DRAWS = 500
MEAN = "mean"


@dataclass(frozen=True)
class Held:
    """Documents to measure on.

    Args:
        groups: (n,) what translations of one another share.
        langs: (n,) languages.
        sources: (n,) original documents: the units of the bootstrap.
        chars: (n,) lengths.
    """

    groups: NDArray[np.object_]
    langs: NDArray[np.object_]
    sources: NDArray[np.object_]
    chars: Ints


@dataclass(frozen=True)
class Measured:
    """One quantity, for k raters.

    Args:
        values: (k,).
        draws: (k, draws) the same on bootstrap samples.
        n: pairs or documents that it was measured on.
    """

    values: Floats
    draws: Floats
    n: int

    def figure(self, rater: int) -> dict[str, Any]:
        """Return value and 95 % interval of one rater."""
        low, high = percentiles(self.draws[rater])
        return {"value": float(self.values[rater]), "low": low, "high": high, "n": self.n}

    def difference(self, one: int, other: int) -> dict[str, Any]:
        """Return how much larger it is for one rater than for another, on the same samples."""
        low, high = percentiles(self.draws[one] - self.draws[other])
        return {"value": float(self.values[one] - self.values[other]), "low": low, "high": high, "n": self.n}


def measure(
    scores: Floats, held: Held, pairs: Pairs, reference: str, draws: int = DRAWS, seed: int = 0
) -> dict[tuple[str, str], Measured]:
    """Measure k raters.

    Args:
        scores: (k, n).
        held: the documents.
        pairs: labelled pairs of them; those with p = ½ say nothing of accuracy.
        reference: the language that gaps are against.
        draws: bootstrap samples of sources.
        seed: of the draws.

    Returns:
        by quantity and language (or ``mean``, over the languages), scores being in units of their own standard
        deviation within languages:

        - ``accuracy.monolingual``, ``accuracy.crosslingual``, ``accuracy`` (all its pairs): the share of pairs that
          are ordered as labelled, ½ for equal scores. A cross-lingual pair counts for both its languages;
        - ``gap.mean``, ``gap.sd``, ``gap.slope``: of s(A in the language) − s(A in the reference) over groups, and
          the slope of the regression of the former score on the latter. ``gap.sd``'s mean is the root of the mean
          square gap over all languages, offsets included;
        - ``offset``: mean score over the groups that all languages have, less the mean over languages;
        - ``length``: Spearman's correlation of score and length within the language.
    """
    if scores.ndim != 2 or scores.shape[1] != len(held.langs):
        raise DataError(f"scores of {scores.shape} do not fit {len(held.langs)} documents")
    names = sorted(set(held.langs.tolist()))
    sources, source = np.unique(held.sources.astype(str), return_inverse=True)
    times = np.random.default_rng(seed).multinomial(len(sources), np.full(len(sources), 1 / len(sources)), size=draws)
    # The sample itself is draw number 0.
    weight = np.concatenate([np.ones((1, len(sources))), times]).astype(np.float32)
    within = np.sqrt(np.mean([scores[:, held.langs == n].var(axis=1) for n in names], axis=0))
    s = scores / np.where(within > 0, within, 1.0)[:, None]
    found = _accuracies(s, held, pairs, names, source, weight)
    found |= _gaps(s, held, names, reference, source, weight)
    found |= _lengths(s, held, names, source, weight)
    quantities = dict.fromkeys(quantity for quantity, _ in found)
    for quantity in quantities:
        mine = [found[quantity, n] for n in names if (quantity, n) in found]
        root = quantity == "gap.sd"
        joined = [np.stack([m.values if part == 0 else m.draws for m in mine]) for part in (0, 1)]
        if root:
            joined = [j**2 for j in joined]
            means = [
                np.stack([m.values if part == 0 else m.draws for m in _of(found, "gap.mean", names)]) for part in (0, 1)
            ]
            joined = [j + m**2 for j, m in zip(joined, means, strict=True)]
        value, drawn = (np.sqrt(j.mean(axis=0)) if root else j.mean(axis=0) for j in joined)
        found[quantity, MEAN] = Measured(value, drawn, sum(m.n for m in mine))
    return found


def _of(found: Mapping[tuple[str, str], Measured], quantity: str, names: Sequence[str]) -> list[Measured]:
    return [found[quantity, n] for n in names if (quantity, n) in found]


def _accuracies(
    scores: Floats, held: Held, pairs: Pairs, names: Sequence[str], source: Ints, weight: NDArray[np.float32]
) -> dict[tuple[str, str], Measured]:
    told = (pairs.kind != PARALLEL) & (pairs.p != 0.5)
    left, right, kind = pairs.left[told], pairs.right[told], pairs.kind[told]
    difference = scores[:, left] - scores[:, right]
    right_way = np.where(difference == 0, 0.5, (difference > 0) == (pairs.p[told] > 0.5)).astype(np.float32)
    found = {}
    for name in names:
        mine = (held.langs[left] == name) | (held.langs[right] == name)
        for label, of in (
            (f"accuracy.{KINDS[0]}", kind == 0),
            (f"accuracy.{KINDS[1]}", kind == 1),
            ("accuracy", kind >= 0),
        ):
            rows = np.flatnonzero(mine & of)
            if len(rows):
                both = weight[:, source[left[rows]]] * weight[:, source[right[rows]]]
                total = both.sum(axis=1)
                # A bootstrap sample without a single pair says nothing: the sample itself stands in.
                share = (right_way[:, rows] @ both.T) / np.where(total > 0, total, 1)
                share = np.where(total > 0, share, share[:, :1])
                found[label, name] = Measured(share[:, 0].astype(float), share[:, 1:].astype(float), len(rows))
    return found


def _gaps(
    scores: Floats, held: Held, names: Sequence[str], reference: str, source: Ints, weight: NDArray[np.float32]
) -> dict[tuple[str, str], Measured]:
    row = {key: at for at, key in enumerate(zip(held.groups.tolist(), held.langs.tolist(), strict=True))}
    if len(row) < len(held.langs):
        raise DataError("a group has two documents in one language", "a group is one document's translations")
    found = {}
    groups = sorted(set(held.groups.tolist()))
    whole = [g for g in groups if all((g, n) in row for n in names)]
    for name in names:
        mine = [g for g in groups if (g, name) in row and (g, reference) in row]
        if name != reference and len(mine) > 2:
            here, there = (np.array([row[g, lang] for g in mine]) for lang in (name, reference))
            w = weight[:, source[here]]
            x, y = scores[:, there], scores[:, here]
            mean_x, mean_y, mean_xx, mean_xy, mean_dd = (_mean(v, w) for v in (x, y, x * x, x * y, (y - x) ** 2))
            gap = mean_y - mean_x
            spread = mean_xx - mean_x**2
            slope = np.divide(mean_xy - mean_x * mean_y, spread, out=np.zeros_like(gap), where=spread > 1e-12)
            sd = np.sqrt(np.maximum(mean_dd - gap**2, 0))
            for label, value in (("gap.mean", gap), ("gap.sd", sd), ("gap.slope", slope)):
                found[label, name] = Measured(value[:, 0], value[:, 1:], len(mine))
    if len(whole) > 2:
        rows = {name: np.array([row[g, name] for g in whole]) for name in names}
        means = {name: _mean(scores[:, at], weight[:, source[at]]) for name, at in rows.items()}
        middle = np.mean(list(means.values()), axis=0)
        for name in names:
            offset = means[name] - middle
            found["offset", name] = Measured(offset[:, 0], offset[:, 1:], len(whole))
    return found


def _lengths(
    scores: Floats, held: Held, names: Sequence[str], source: Ints, weight: NDArray[np.float32]
) -> dict[tuple[str, str], Measured]:
    from scipy.stats import rankdata

    found = {}
    for name in names:
        rows = np.flatnonzero(held.langs == name)
        if len(rows) < 3 or len(set(held.chars[rows].tolist())) < 2:
            continue
        w = weight[:, source[rows]]
        x = rankdata(held.chars[rows])[None]
        y = np.stack([rankdata(one) for one in scores[:, rows]])
        mean_x, mean_y, xx, yy, xy = (_mean(v, w) for v in (x, y, x * x, y * y, x * y))
        scale = np.sqrt(np.maximum((xx - mean_x**2) * (yy - mean_y**2), 1e-12))
        value = (xy - mean_x * mean_y) / scale
        found["length", name] = Measured(value[:, 0], value[:, 1:], len(rows))
    return found


def _mean(values: Floats, weight: NDArray[np.float32]) -> Floats:
    """Return (k, draws) weighted means of (k, m) values with (draws, m) weights."""
    total = weight.sum(axis=1, dtype=float)
    mean = (values @ weight.T.astype(float)) / np.where(total > 0, total, 1)
    found: Floats = np.where(total > 0, mean, mean[:, :1])
    return found


def told(found: Mapping[tuple[str, str], Measured], rater: int, about: Held) -> dict[str, Any]:
    """Return one rater's figures as plain data: ``documents, sources, mean`` and, by code, ``languages``."""
    languages: dict[str, Any] = {}
    for (quantity, name), measured in found.items():
        languages.setdefault(name, {})[quantity] = measured.figure(rater)
    mean = languages.pop(MEAN)
    size = {"documents": len(about.langs), "sources": len(set(about.sources.tolist()))}
    return size | {"mean": mean, "languages": dict(sorted(languages.items()))}
