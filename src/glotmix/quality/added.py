"""What labels of one's own changed: the same documents scored by a rater without them, and by one with them.

With them means with four fifths of them: each fifth is scored by a rater that learned from the other four, groups
whole, so that no document teaches what it is asked. The two are compared on the same bootstrap samples.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.quality import anchors, train_rater
from glotmix.quality.auc import auc, percentiles, resampled
from glotmix.quality.heads import Head
from glotmix.quality.names import Against
from glotmix.quality.train_rater import FeatureExtractor
from glotmix.quality.transfer import MIN_EACH, Labelled

VERSION = 1
FOLDS, DRAWS = 5, 500


def measured(
    base: pa.Table,
    own: pa.Table,
    eyes: FeatureExtractor,
    head: Head,
    seed: int,
    per_class: int = 10_000,
    upsample: float = 3.0,
    against: Against = "reference",
) -> list[dict[str, Any]]:
    """Return what the labels `own` changed, by language: ``lang, good, bad, before, after, gain, low, high, why``.

    The figures are AUCs on these very labels; null, with `why`, in a language that has too few of them.

    Args:
        base: the labels without them (`anchors.SCHEMA`).
        own: the added labels.
        eyes: what the rater sees; also `head`, `seed`, `per_class`, `upsample`, `against`: how it is made.
    """
    together = anchors.ordered(pa.concat_tables([base, own]))
    added = pc.is_in(together["text"], value_set=own["text"].combine_chunks()).to_numpy()
    data = train_rater.labelled(together, eyes, per_class, upsample, against=against)
    mine = np.flatnonzero(added)
    rest = np.flatnonzero(~added & ~np.isin(data.group, data.group[mine]))
    odds = _odds(data, mine, rest, head, seed)
    found: list[dict[str, Any]] = []
    langs = data.langs[mine]
    for number, lang in enumerate(sorted(set(langs))):
        here = np.flatnonzero(langs == lang)
        labels = data.labels[mine[here]]
        row = {"lang": lang, "good": int(labels.sum()), "bad": int((~labels).sum())}
        row |= dict.fromkeys(("before", "after", "gain", "low", "high", "why"))
        if odds is None or min(row["good"], row["bad"]) < MIN_EACH or np.isnan(odds[:, here]).any():
            row["why"] = f"needs {MIN_EACH} good and {MIN_EACH} bad labels, and others to learn from"
        else:
            before, after = (auc(labels, one) for one in odds[:, here])
            drawn = resampled(labels, odds[:, here], DRAWS, np.random.default_rng([number, seed]))
            low, high = percentiles(drawn[1] - drawn[0])
            row |= {"before": before, "after": after, "gain": (after or 0) - (before or 0), "low": low, "high": high}
        found.append(row)
    return found


def _odds(
    data: Labelled, mine: NDArray[np.int64], rest: NDArray[np.int64], head: Head, seed: int
) -> NDArray[np.float64] | None:
    """Return (2, k) log odds of the added documents: by the others' labels alone, and with those of other folds."""
    groups = len(np.unique(data.group[mine]))
    if not len(rest) or data.labels[rest].all() or not data.labels[rest].any() or groups < 2:
        return None
    matrix = data.normalised(head.normalise)
    found = np.full((2, len(mine)), np.nan)
    found[0] = data.rater(matrix, rest, head, seed).log_odds(matrix[mine])
    fold = anchors.folds(data.group[mine], min(FOLDS, groups), seed)
    for one in range(fold.max() + 1):
        rows = np.concatenate([rest, mine[fold != one]])
        found[1, fold == one] = data.rater(matrix, rows, head, seed).log_odds(matrix[mine[fold == one]])
    return found


def told(found: Sequence[dict[str, Any]]) -> list[str]:
    """Return a sentence for each language.

    >>> row = {"lang": "hau_Latn", "good": 30, "bad": 20, "before": 0.71, "after": 0.8, "gain": 0.09}
    >>> told([row | {"low": 0.02, "high": 0.15, "why": None}])
    ['hau_Latn: 50 added labels raised the AUC on them from 0.710 to 0.800 (+0.02 to +0.15)']
    """
    said = []
    for row in found:
        n = row["good"] + row["bad"]
        if row["why"] is not None:
            said.append(f"{row['lang']}: what {n} added labels changed was not measured: it {row['why']}")
            continue
        what = "raised" if row["low"] > 0 else "lowered" if row["high"] < 0 else "moved, by no more than chance,"
        span = f"{row['low']:+.2f} to {row['high']:+.2f}"
        figures = f"from {row['before']:.3f} to {row['after']:.3f} ({span})"
        said.append(f"{row['lang']}: {n} added labels {what} the AUC on them {figures}")
    return said
