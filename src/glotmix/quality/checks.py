"""What the audit asks beside the AUC: what a score merely echoes, how far it reaches, what more labels would bring."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.quality.anchors import folds
from glotmix.quality.auc import auc, percentiles, resampled
from glotmix.quality.heads import Head
from glotmix.quality.transfer import MIN_EACH, Labelled

SAME_LENGTH = 1.1
"""Two documents are of one length if they fall into one bin of this ratio."""

COUNTS = (0, 10, 100, None)
"""Labels of the target language in a learning curve; None for all."""

_CURVE_EACH = 10


@dataclass(frozen=True)
class Figure:
    """A number with its 95 % bootstrap interval (over documents and seeds)."""

    value: float
    low: float
    high: float


def within(labels: NDArray[np.bool_], scores: NDArray[np.float64], bins: NDArray[Any]) -> float | None:
    """Return the AUC among the pairs (good, bad) that share a bin; None where there is no such pair.

    A bin of None is no bin: its documents pair with none.
    """
    won, pairs = 0.0, 0
    numbers: dict[Any, int] = {None: -1}
    code = np.array([numbers.setdefault(one, len(numbers)) for one in bins.tolist()], np.int64)
    for one in set(code.tolist()) - {-1}:
        mine = code == one
        of = int(labels[mine].sum()) * int((~labels[mine]).sum())
        won += of * (auc(labels[mine], scores[mine]) or 0.0)
        pairs += of
    return won / pairs if pairs else None


def length_matched(
    labels: NDArray[np.bool_], scores: NDArray[np.float64], lengths: NDArray[np.int64]
) -> tuple[float | None, float | None]:
    """Return the AUC among pairs of one length, and Spearman's ρ of score and length among documents of one label.

    The first says what is left of a rater when length cannot help it. The second does not count that good documents
    may well be longer: it is the mean over the labels, weighted by their documents.
    """

    from scipy.stats import spearmanr

    bins = np.floor(np.log(np.maximum(lengths, 1)) / np.log(SAME_LENGTH)).astype(np.int64)
    follows, count = 0.0, 0
    for side in (labels, ~labels):
        if side.sum() >= MIN_EACH and len(set(lengths[side].tolist())) > 1 and len(set(scores[side].tolist())) > 1:
            follows += float(spearmanr(scores[side], lengths[side]).statistic) * int(side.sum())
            count += int(side.sum())
    return within(labels, scores, bins), follows / count if count else None


def matrix(data: Labelled, head: Head, seeds: Sequence[int]) -> dict[str, Any]:
    """Return the zero-shot matrix: AUC by language that a rater was trained on (row) and tested on (column).

    A rater never sees a group that it is tested on; on its own language it is tested by five-fold cross-validation.

    Returns:
        ``{"languages": […], "auc": rows of mean AUC over the seeds}``; null for what could not be measured.
    """
    names = [lang for lang in sorted(set(data.langs)) if data.measured(lang)]
    features = data.normalised(head.normalise)
    rows: list[list[float | None]] = []
    for trained in names:
        own = np.flatnonzero(data.langs == trained)
        found: list[list[float]] = [[] for _ in names]
        for seed in seeds:
            whole = data.rater(features, own, head, seed)
            for column, tested in enumerate(names):
                if tested == trained:
                    score, test = _crossed(data, own, head, seed), own
                else:
                    test = np.flatnonzero((data.langs == tested) & ~np.isin(data.group, data.group[own]))
                    score = whole.log_odds(features[test])
                measured = auc(data.labels[test], score)
                if measured is not None:
                    found[column].append(measured)
        rows.append([float(np.mean(each)) if each else None for each in found])
    return {"languages": names, "auc": rows, "seeds": list(seeds)}


def _crossed(data: Labelled, rows: NDArray[np.int64], head: Head, seed: int) -> NDArray[np.float64]:
    """Return (k,) log odds of documents by raters of the other four folds; less the mean of their fold, so that they
    compare."""
    features = data.normalised(head.normalise)
    fold = folds(data.group[rows], 5, seed)
    score = np.zeros(len(rows))
    for held in range(5):
        rest, test = rows[fold != held], rows[fold == held]
        labels = data.labels[rest]
        if len(test) == 0 or labels.all() or not labels.any():
            continue
        found = data.rater(features, rest, head, seed).log_odds(features[test])
        score[fold == held] = found - found.mean()
    return score


def curve(
    data: Labelled,
    head: Head,
    seeds: Sequence[int],
    counts: Sequence[int | None] = COUNTS,
    draws: int = 500,
) -> dict[str, Any]:
    """Return what labels of a language are worth to it: pooled with all others', and alone.

    For each language with at least ten good and ten bad documents and each seed, 40 % of its groups are the test; from
    the others, k labels are drawn, half of them bad where there are as many (whoever makes labels looks for both). No
    document that shares a group with a test document teaches.

    Args:
        data: the labelled documents.
        head: how raters learn.
        seeds: of the splits, the draws, and the training.
        counts: labels of the target language.
        draws: bootstrap samples of the test documents.

    Returns:
        ``rows``: per language and k ``{lang, labels, used, pooled, target, gain}``, figures over documents and seeds
        (null where there are not both labels); ``means`` likewise over the languages; ``advice``, sentences.
    """
    names = [lang for lang in sorted(set(data.langs)) if _enough(data, lang)]
    samples: dict[tuple[str, str], list[NDArray[np.float64]]] = {}
    points: dict[tuple[str, str], list[float]] = {}
    rows: list[dict[str, Any]] = []
    for number, lang in enumerate(names):
        drawn: dict[tuple[str, str], list[NDArray[np.float64]]] = {}
        exact: dict[tuple[str, str], list[float]] = {}
        used: dict[str, int] = {}
        for seed in seeds:
            test, rest, others = _split(data, lang, seed)
            if auc(data.labels[test], np.zeros(len(test))) is None:
                continue
            scores: dict[tuple[str, str], NDArray[np.float64]] = {}
            for count in counts:
                mark = "all" if count is None else str(count)
                own = _some(data, rest, count, seed)
                used[mark] = len(own)
                for how, rows_ in (("pooled", np.concatenate([others, own])), ("target", own)):
                    if min(data.labels[rows_].sum(), (~data.labels[rows_]).sum()) >= 1:
                        scores[mark, how] = _scored(data, rows_, test, head, seed)
            if not scores:
                continue
            rng = np.random.default_rng([number, seed])
            found = resampled(data.labels[test], np.stack(list(scores.values())), draws, rng)
            for key, sample in zip(scores, found, strict=True):
                drawn.setdefault(key, []).append(sample)
                exact.setdefault(key, []).append(auc(data.labels[test], scores[key]) or 0.0)
        # Draws are dealt over the seeds, so that an interval is over both: tests of two seeds share documents.
        deal = {key: [np.stack(each)[np.arange(draws) % len(each), np.arange(draws)]] for key, each in drawn.items()}
        rows += [
            {"lang": lang, "labels": mark, "used": count, **_pair(deal, exact, mark)} for mark, count in used.items()
        ]
        for key, each in deal.items():
            samples.setdefault(key, []).append(each[0])
            points.setdefault(key, []).append(float(np.mean(exact[key])))
    means = [
        {"labels": mark, "languages": len(points.get((mark, "pooled"), [])), **_pair(samples, points, mark)}
        for mark in dict.fromkeys(r["labels"] for r in rows)
    ]
    return {"languages": names, "seeds": list(seeds), "rows": rows, "means": means, "advice": _advice(rows)}


def _pair(
    drawn: dict[tuple[str, str], list[NDArray[np.float64]]], exact: dict[tuple[str, str], list[float]], mark: str
) -> dict[str, Any]:
    """Return the figures of pooled, target and their difference, on the same samples."""
    found: dict[str, Any] = {"pooled": None, "target": None, "gain": None}
    for how in ("pooled", "target"):
        if drawn.get((mark, how)):
            point = float(np.mean(exact[mark, how]))
            found[how] = asdict(Figure(point, *percentiles(np.mean(drawn[mark, how], axis=0))))
    if None not in (found["pooled"], found["target"]) and len(drawn[mark, "target"]) == len(drawn[mark, "pooled"]):
        difference = np.mean(drawn[mark, "pooled"], axis=0) - np.mean(drawn[mark, "target"], axis=0)
        point = found["pooled"]["value"] - found["target"]["value"]
        found["gain"] = asdict(Figure(point, *percentiles(difference)))
    return found


def _enough(data: Labelled, lang: str) -> bool:
    mine = data.labels[data.langs == lang]
    return bool(min(mine.sum(), (~mine).sum()) >= _CURVE_EACH)


def _split(data: Labelled, lang: str, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the test documents of a language, its others, and the documents of all other languages."""
    own = np.flatnonzero(data.langs == lang)
    test = np.zeros(len(data.labels), bool)
    # Good and bad are dealt apart, so that a test has its share of both; a group goes with its first label.
    group = data.group[own]
    first = {g: bool(label) for g, label in zip(group[::-1].tolist(), data.labels[own][::-1].tolist(), strict=True)}
    for side in (True, False):
        mine = np.array([first[g] == side for g in group.tolist()], bool)
        if len(set(group[mine].tolist())) >= 5:
            test[own[mine]] = folds(group[mine], 5, seed) < 2
    away = ~np.isin(data.group, data.group[test])
    rest = np.flatnonzero((data.langs == lang) & ~test & away)
    return np.flatnonzero(test), rest, np.flatnonzero((data.langs != lang) & away)


def _some(data: Labelled, rest: NDArray[np.int64], count: int | None, seed: int) -> NDArray[np.int64]:
    """Draw `count` documents, half of each label as far as there are so many."""
    if count is None:
        return rest
    order = rest[np.random.default_rng([seed, count]).permutation(len(rest))]
    good, bad = order[data.labels[order]], order[~data.labels[order]]
    few = min(len(bad), count - count // 2)
    return np.sort(np.concatenate([bad[:few], good[: count - few]]))


def _scored(
    data: Labelled, rows: NDArray[np.int64], test: NDArray[np.int64], head: Head, seed: int
) -> NDArray[np.float64]:
    features = data.normalised(head.normalise)
    return data.rater(features, rows, head, seed).log_odds(features[test])


def _advice(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Say how many labels are worth making, and where they brought most."""
    found = []
    by_lang: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        by_lang.setdefault(row["lang"], {})[row["labels"]] = row
    gains = []
    for lang, own in by_lang.items():
        if "0" in own and own["0"]["pooled"]:
            start = own["0"]["pooled"]["value"]
            reached = {m: r["pooled"]["value"] - start for m, r in own.items() if m != "0" and r["pooled"]}
            if reached:
                best = max(reached.values())
                # The fewest labels that bring nearly all of what any number brought.
                mark = next(m for m, g in reached.items() if g >= best - 0.005)
                gains.append((best, lang, mark, own[mark]["used"]))
    for gain, lang, _, used in sorted(gains, reverse=True):
        if gain >= 0.01:
            found.append(f"{lang}: {used} labels of its own bring {gain:+.3f} over none")
        else:
            found.append(f"{lang}: labels of its own bring nothing that these tests show ({gain:+.3f})")
    return found


def offsets(parallel: pa.Table, log_odds: NDArray[np.float64], within_sd: float) -> list[dict[str, Any]]:
    """Return how far each language's scores stand from the others' on the same documents, in standard deviations.

    Args:
        parallel: ``group`` and ``lang``.
        log_odds: (n,) of the documents.
        within_sd: the unit: standard deviation of log odds among documents of one language (of the labelled ones).

    Returns:
        per language ``{lang, documents, offset, gap_sd}``: the mean of score − mean score of the document's other
        translations, and the standard deviation of that difference; only documents with another translation count.
    """
    groups, langs = np.asarray(parallel["group"].to_pylist(), object), np.asarray(parallel["lang"].to_pylist(), object)
    names, code = np.unique(groups, return_inverse=True)
    total = np.bincount(code, log_odds, len(names))
    count = np.bincount(code, minlength=len(names))
    paired = count[code] > 1
    others = (total[code] - log_odds) / np.maximum(count[code] - 1, 1)
    rows = []
    for lang in sorted(set(langs)):
        mine = (langs == lang) & paired
        gap = (log_odds - others)[mine] / within_sd
        if len(gap) > 1:
            rows.append(
                {
                    "lang": lang,
                    "documents": len(gap),
                    "offset": float(gap.mean()),
                    "gap_sd": float(gap.std(ddof=1)),
                }
            )
    return rows


def agreement(
    labels: NDArray[np.bool_], scores: NDArray[np.float64], langs: NDArray[np.object_], draws: int, seed: int
) -> list[dict[str, Any]]:
    """Return how a finished rater agrees with people's labels that it never saw, per language.

    Returns:
        ``{lang, good, bad, auc}``; the AUC is a figure over documents, null with fewer than `MIN_EACH` of either.
    """
    rows = []
    for number, lang in enumerate(sorted(set(langs))):
        mine = langs == lang
        own, found = labels[mine], None
        if min(own.sum(), (~own).sum()) >= MIN_EACH:
            rng = np.random.default_rng([number, seed])
            sample = resampled(own, scores[mine][None], draws, rng)[0]
            found = asdict(Figure(auc(own, scores[mine]) or 0.0, *percentiles(sample)))
        rows.append({"lang": lang, "good": int(own.sum()), "bad": int((~own).sum()), "auc": found})
    return rows
