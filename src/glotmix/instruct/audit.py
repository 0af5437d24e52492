"""What a quality scoring model is worth, on instructions that it has not seen; and what else it may have learned.

Pairs are split by instruction: 80 % to train on, 10 % to choose the best pass, 10 % to be judged by, with several
seeds. Accuracy is the share of pairs whose revised side has the higher score. Revised answers are longer, and unrevised
ones may be machine-translated: so beside it stand the accuracy of "the longer is better", the accuracy on pairs of
nearly the same length, on pairs whose revised answer is shorter, the correlation of score and length, and the accuracy
by which sides are machine-translated, where the pairs say so.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glotmix.instruct.pairs import Pairs, split
from glotmix.instruct.qsm import QsmConfig, Sides, train, wins

MATCHED = 1.2
"""Pairs of which neither answer is longer by more than this factor are of matched length."""

DRAWS = 1_000
Split = Callable[[int], tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]


@dataclass(frozen=True)
class Figure:
    """A mean over held-out pairs with a 95 % interval (bootstrap over instructions, all seeds together)."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Judged:
    """Held-out pairs of all seeds; one row a pair and seed.

    Args:
        seeds: (m,) which split.
        groups: (m,) which instruction.
        langs: (m,) codes.
        translated: (m,) which sides are machine-translated.
        right: (m,) 1, ½ or 0.
        longer: (m,) the same, of "the longer answer is better".
        matched: (m,) whether the answers are of matched length.
        shorter: (m,) whether the revised answer is shorter.
        scores: (m, 2).
        lengths: (m, 2).
    """

    seeds: NDArray[np.int64]
    groups: NDArray[np.int64]
    langs: NDArray[np.str_]
    translated: NDArray[np.str_]
    right: NDArray[np.float64]
    longer: NDArray[np.float64]
    matched: NDArray[np.bool_]
    shorter: NDArray[np.bool_]
    scores: NDArray[np.float64]
    lengths: NDArray[np.int64]

    def take(self, rows: NDArray[Any]) -> "Judged":
        """Return some of the rows."""
        return Judged(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})

    @classmethod
    def join(cls, parts: Sequence["Judged"]) -> "Judged":
        """Put several together."""
        return cls(**{n: np.concatenate([getattr(p, n) for p in parts]) for n in cls.__dataclass_fields__})


def judge(pairs: Pairs, rows: NDArray[np.int64], scores: NDArray[np.float64], seed: int) -> Judged:
    """Return pairs that were held out, as they were judged.

    Args:
        pairs: all pairs.
        rows: the held-out ones.
        scores: (len(rows), 2) of a model.
        seed: of the split.
    """
    lengths = pairs.lengths[rows]
    ratio = (lengths[:, 1] + 1) / (lengths[:, 0] + 1)
    return Judged(
        np.full(len(rows), seed),
        pairs.groups[rows],
        pairs.langs[rows],
        pairs.translated[rows],
        wins(scores),
        wins(lengths.astype(np.float64)),
        (ratio < MATCHED) & (ratio > 1 / MATCHED),
        lengths[:, 1] < lengths[:, 0],
        scores,
        lengths,
    )


def held_out(pairs: Pairs, seen: Sides, config: QsmConfig, seeds: Sequence[int], divide: Split | None = None) -> Judged:
    """Train one model a seed, on a split of that seed, and judge the pairs that were held out.

    Args:
        pairs: n pairs.
        seen: their 2n sides.
        config: how; its own number of seeds is not used.
        seeds: of splits and models.
        divide: from a seed to pairs to train on, to stop on and to test on; by instruction if None.
    """
    single = replace_seeds(config)
    parts = []
    for seed in seeds:
        rows, stop, test = split(pairs.groups, seed) if divide is None else divide(seed)
        model = train(seen, rows, stop, single, "", seed)
        parts.append(judge(pairs, test, scores_of(model.score(seen.take(both(test)))), seed))
    return Judged.join(parts)


def replace_seeds(config: QsmConfig) -> QsmConfig:
    """Return the configuration of a single model."""
    return config.model_copy(update={"seeds": 1})


def both(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the positions of both sides of pairs.

    >>> both(np.array([0, 3])).tolist()
    [0, 1, 6, 7]
    """
    return np.stack([2 * rows, 2 * rows + 1], axis=1).ravel()


def scores_of(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 2) of 2n scores."""
    return scores.reshape(-1, 2)


def figure(values: NDArray[np.float64], groups: NDArray[np.int64], draws: int = DRAWS, seed: int = 0) -> Figure | None:
    """Return the mean of values with its interval; None of none. Values of one group are drawn together."""
    if not len(values):
        return None
    _, codes = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(codes, values), np.bincount(codes).astype(float)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(sums), (draws, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Figure(float(values.mean()), float(low), float(high), len(sums))


def summary(judged: Judged) -> dict[str, Any]:
    """Return the figures of held-out pairs as plain data; see the module for what they are."""

    def told(rows: NDArray[np.bool_], what: str = "right") -> dict[str, Any] | None:
        found = figure(getattr(judged, what)[rows], judged.groups[rows])
        return None if found is None else asdict(found)

    every = np.ones(len(judged.right), bool)
    by_seed = {str(s): float(judged.right[judged.seeds == s].mean()) for s in np.unique(judged.seeds)}
    matched_by_seed = {
        str(s): float(judged.right[(judged.seeds == s) & judged.matched].mean())
        for s in np.unique(judged.seeds)
        if ((judged.seeds == s) & judged.matched).any()
    }
    gaps = judged.scores[:, 1] - judged.scores[:, 0]
    longer = np.log(judged.lengths[:, 1] + 1) - np.log(judged.lengths[:, 0] + 1)
    return {
        "pairs": len(judged.right),
        "accuracy": told(every),
        "by_seed": by_seed,
        "length_matched": told(judged.matched),
        "length_matched_by_seed": matched_by_seed,
        "longer_is_better": told(every, "longer"),
        "longer_is_better_length_matched": told(judged.matched, "longer"),
        "revised_is_shorter": told(judged.shorter),
        "correlation_with_length": _correlation(judged.scores.ravel(), judged.lengths.ravel()),
        "correlation_of_differences": _correlation(gaps, longer),
        "by_translation": {
            kind: told(judged.translated == kind) for kind in np.unique(judged.translated).tolist() if kind
        },
    }


def _correlation(one: NDArray[Any], other: NDArray[Any]) -> float | None:
    from scipy import stats

    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(stats.spearmanr(one, other).statistic)


def audit(pairs: Pairs, seen: Sides, config: QsmConfig, seeds: Sequence[int]) -> dict[str, Any]:
    """Return the audit: over all languages, for each, and for each language that was left out of the training.

    Returns:
        ``overall``, ``languages`` (each with its share of the held-out pairs of all), ``zero_shot`` (by language that
        no pair of was trained on; only with two and more), ``form``, and ``warnings`` in words.
    """
    judged = held_out(pairs, seen, config, seeds)
    known = np.unique(pairs.langs).tolist()
    languages = {lang: summary(judged.take(judged.langs == lang)) for lang in known if (judged.langs == lang).any()}
    found: dict[str, Any] = {
        "form": config.model_dump(),
        "seeds": list(seeds),
        "overall": summary(judged),
        "languages": languages,
        "zero_shot": {},
    }
    if len(known) > 1:
        for lang in known:
            found["zero_shot"][lang] = summary(held_out(pairs, seen, config, seeds, _without(pairs, lang)))
    found["warnings"] = warnings(found)
    return found


def _without(pairs: Pairs, lang: str) -> Split:
    rest, test = np.flatnonzero(pairs.langs != lang), np.flatnonzero(pairs.langs == lang)

    def divide(seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        train_rows, stop, spare = split(pairs.groups[rest], seed)
        return rest[np.concatenate([train_rows, spare])], rest[stop], test

    return divide


def warnings(found: dict[str, Any]) -> list[str]:
    """Say what in an audit speaks against the model."""
    told = []
    for lang, figures in [("all", found["overall"]), *found["languages"].items()]:
        matched, base = figures["length_matched"], figures["longer_is_better_length_matched"]
        if matched is not None and matched["low"] <= base["value"]:
            told.append(
                f"{lang}: on {matched['n']} pairs of matched length it is right in {matched['value']:.1%} "
                f"(at least {matched['low']:.1%}), and the longer answer in {base['value']:.1%}: it may score length"
            )
        kinds = figures["by_translation"]
        if "raw" in kinds and (fair := kinds.get("none") or kinds.get("both")) and kinds["raw"]["low"] > fair["high"]:
            told.append(
                f"{lang}: right in {kinds['raw']['value']:.1%} where only the unrevised answer is machine-translated, "
                f"{fair['value']:.1%} where that does not tell them apart: it may score translation"
            )
    if not any(f["by_translation"] for f in found["languages"].values()):
        told.append("the pairs do not say what is machine-translated (column translated): that cannot be told apart")
    return told


def rescored(judged: Judged, scores: NDArray[np.float64]) -> Judged:
    """Return the same pairs judged by other scores."""
    return replace(judged, right=wins(scores), scores=scores)
