"""Controls that the literature on pooled raters lacks: the same anchors, the same retention, several seeds.

The cross-lingual quality classifiers (arXiv 2604.20549) compare pooled at 15 % with monolingual at 10 %, and change
anchors and pooling together. Here every way to train meets the same labelled documents in the same folds, and is judged
by what it ranks first at one retention.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import product
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.core.errors import RequestError
from glotmix.quality import classifier_bank, negatives, normalizer
from glotmix.quality.anchors import folds
from glotmix.quality.auc import auc, percentiles
from glotmix.quality.checks import Figure
from glotmix.quality.heads import Head
from glotmix.quality.names import Strategy
from glotmix.quality.transfer import Labelled

FOLDS = 5
STRATEGIES: tuple[Strategy, ...] = ("pooled", "target", "leave-one-out")
LABELLED = "labelled"

Scores: TypeAlias = Mapping[tuple[str, str], NDArray[np.float64]]


def controls(
    data: Labelled,
    crawl: pa.Table | None,
    head: Head,
    seeds: Sequence[int],
    retain: float = 0.5,
    strategies: Sequence[Strategy] = STRATEGIES,
    draws: int = 1_000,
    told: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Compare strategies and negatives on the same anchors, folds and retention.

    Every labelled document is scored by raters that learned from the other four folds (groups whole). Their bad
    documents are the labelled ones of those folds, or, with a crawl, as many documents of the crawl as there are good
    ones: drawn at random, or by Q3 (`negatives`). What is reported was neither trained nor chosen on.

    Args:
        data: labelled documents.
        crawl: ``lang`` and the same features of unlabelled ones, of the same languages; None for labelled ones alone.
        head: how every rater learns.
        seeds: of folds, draws and training; three or more.
        retain: share of each language's documents that is kept, by score.
        strategies: see `panel`.
        draws: bootstrap samples of the documents of each language.
        told: of the trainings that are done, and of how many.

    Returns:
        ``rows``: per strategy and negatives the mean over languages of the AUC and of ``kept_good``, the share of good
        ones among the kept (figures over documents and seeds; ``base``: among all); ``languages`` likewise for each;
        ``differences`` on the same samples.

    Raises:
        RequestError: for fewer than three seeds.
    """
    if len(seeds) < 3:
        raise RequestError(f"{len(seeds)} seeds cannot say how far seeds differ", "three or more")
    whole = _joined(data, crawl)
    kinds = (LABELLED,) if crawl is None else (LABELLED, "random", "q3")
    ways = list(product(strategies, kinds))
    scores: dict[tuple[str, str], list[NDArray[np.float64]]] = {way: [] for way in ways}
    n, done = len(data.labels), 0
    for seed in seeds:
        fold = folds(data.group, FOLDS, seed)
        found = {way: np.full(n, np.nan) for way in ways}
        for held in range(FOLDS):
            test, rest = np.flatnonzero(fold == held), np.flatnonzero(fold != held)
            matrix = whole.normalised(head.normalise)[test]
            for strategy in strategies:
                for kind, trained in _trained(whole, n, rest, head, seed, strategy, crawl is not None):
                    found[strategy, kind][test] = _centred(trained.log_odds(matrix, data.langs[test]), data.langs[test])
                    done += 1
                    if told is not None:
                        told(done, len(seeds) * FOLDS * len(ways))
        for way in ways:
            scores[way].append(found[way])
    return _summary(data, {way: np.stack(each) for way, each in scores.items()}, seeds, retain, draws)


def _joined(data: Labelled, crawl: pa.Table | None) -> Labelled:
    """Return the labelled documents and, after them, those of the crawl, as bad ones; what is usual is of all."""
    if crawl is None:
        return data
    features = pa.concat_tables([data.features.select(["lang", *data.columns]), crawl.select(["lang", *data.columns])])
    labels = np.concatenate([data.labels, np.zeros(crawl.num_rows, bool)])
    group = np.concatenate([data.group, data.group.max(initial=0) + 1 + np.arange(crawl.num_rows)])
    learned = normalizer.fit(features, data.columns)
    return Labelled(features, labels, group, data.columns, learned, data.per_class, data.upsample)


def _trained(
    whole: Labelled, n: int, rest: NDArray[np.int64], head: Head, seed: int, strategy: Strategy, with_crawl: bool
) -> Iterator[tuple[str, classifier_bank.ClassifierBank]]:
    """Yield raters by their negatives: the labelled ones of `rest`, or as many of the crawl (the rows from `n`)."""
    yield LABELLED, classifier_bank.train(whole, head, seed, strategy, rest)
    if with_crawl:
        yield from crawled(whole, n, rest, head, seed, strategy)


def crawled(
    whole: Labelled, n: int, rest: NDArray[np.int64], head: Head, seed: int, strategy: Strategy
) -> Iterator[tuple[str, classifier_bank.ClassifierBank]]:
    """Yield raters of the good documents of `rest` and as many of the crawl: first ``random``, then ``q3``.

    Args:
        whole: documents; those from row `n` on are the crawl's, labelled bad.
        n: the first row of the crawl.
        rest: rows below `n` to learn from.
        head: how they learn.
        seed: of draws and training.
        strategy: see `panel`.
    """
    good = rest[whole.labels[rest]]
    wanted = {lang: int((whole.langs[good] == lang).sum()) for lang in sorted(set(whole.langs[good]))}
    pool = n + np.random.default_rng([seed, 7]).permutation(len(whole.labels) - n)
    pool = pool[np.isin(whole.langs[pool], list(wanted))]
    early = negatives.first(whole.langs[pool], wanted)
    first = classifier_bank.train(whole, head, seed, strategy, np.sort(np.concatenate([good, pool[early]])))
    yield "random", first
    late = pool[~early]
    matrix = whole.normalised(head.normalise)[late]
    inside = late[negatives.band(first.log_odds(matrix, whole.langs[late]), whole.langs[late])]
    chosen = inside[negatives.first(whole.langs[inside], wanted)]
    yield "q3", classifier_bank.train(whole, head, seed, strategy, np.sort(np.concatenate([good, chosen])))


def _centred(scores: NDArray[np.float64], langs: NDArray[np.object_]) -> NDArray[np.float64]:
    """Return scores less the mean of their language in this fold: raters of different folds differ in height."""
    found = scores.copy()
    for lang in set(langs):
        found[langs == lang] -= scores[langs == lang].mean()
    return found


def _summary(data: Labelled, scores: Scores, seeds: Sequence[int], retain: float, draws: int) -> dict[str, Any]:
    names = [lang for lang in sorted(set(data.langs)) if data.measured(lang)]
    points: dict[tuple[str, str], list[tuple[float, float]]] = {way: [] for way in scores}
    drawn: dict[tuple[str, str], list[NDArray[np.float64]]] = {way: [] for way in scores}
    rows, bases = [], []
    for number, lang in enumerate(names):
        mine = np.flatnonzero(data.langs == lang)
        labels = data.labels[mine]
        samples = _samples(labels, draws, np.random.default_rng([number, *seeds]))
        bases.append(float(labels.mean()))
        for way, found in scores.items():
            own = found[:, mine]
            exact = np.mean([_judged(labels, one, retain) for one in own], axis=0)
            # Draws are dealt over the seeds: an interval is over both.
            each = np.array([_judged(labels[s], own[at % len(seeds)][s], retain) for at, s in enumerate(samples)])
            points[way].append((float(exact[0]), float(exact[1])))
            drawn[way].append(each)
            rows.append({"lang": lang, **_row(way, exact, each, bases[-1]), "n": len(mine)})
    means = {way: np.mean(each, axis=0) for way, each in drawn.items()}
    exact_means = {way: np.mean(each, axis=0) for way, each in points.items()}
    base = float(np.mean(bases))
    return {
        "documents": len(data.labels),
        "languages": names,
        "seeds": list(seeds),
        "retain": retain,
        "draws": draws,
        "rows": [_row(way, exact_means[way], means[way], base) for way in scores],
        "per_language": rows,
        "differences": [
            {"what": f"{' '.join(a)} − {' '.join(b)}"} | _figures(exact_means[a] - exact_means[b], means[a] - means[b])
            for a, b in _pairs(list(scores))
        ],
    }


def _samples(labels: NDArray[np.bool_], draws: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Return bootstrap samples; good and bad documents are drawn apart."""
    sides = [np.flatnonzero(labels), np.flatnonzero(~labels)]
    return [np.concatenate([rng.choice(side, len(side)) for side in sides]) for _ in range(draws)]


def _judged(labels: NDArray[np.bool_], scores: NDArray[np.float64], retain: float) -> tuple[float, float]:
    """Return the AUC, and the share of good ones among the best `retain` of the documents; ties count in part."""
    few = max(1, round(retain * len(labels)))
    line = np.partition(scores, len(scores) - few)[len(scores) - few]
    above, at = scores > line, scores == line
    good = labels[above].sum() + labels[at].mean() * (few - above.sum())
    return auc(labels, scores) or 0.0, float(good / few)


def _row(way: tuple[str, str], exact: NDArray[np.float64], sample: NDArray[np.float64], base: float) -> dict[str, Any]:
    return {"strategy": way[0], "negatives": way[1], **_figures(exact, sample), "base": base}


def _figures(exact: NDArray[np.float64], sample: NDArray[np.float64]) -> dict[str, Any]:
    names = ("auc", "kept_good")
    return {name: asdict(Figure(float(exact[at]), *percentiles(sample[:, at]))) for at, name in enumerate(names)}


def _pairs(ways: Sequence[tuple[str, str]]) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """Return the comparisons: pooled with each other strategy on the same negatives, and Q3 with random ones."""
    found = [(("pooled", kind), (s, kind)) for s, kind in ways if s != "pooled" and ("pooled", kind) in ways]
    return found + [((s, "q3"), (s, "random")) for s, kind in ways if kind == "q3" and (s, "random") in ways]
