"""The judged web text as raters see it, and rows of AUCs with intervals over documents and seeds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import harness
from benchmarks.harness import Row
from glotmix.embed import choose
from glotmix.quality import anchors, normalizer
from glotmix.quality.auc import auc, percentiles, resampled
from glotmix.quality.heads import Head
from glotmix.quality.train_rater import FeatureExtractor
from glotmix.quality.transfer import Labelled
from glotmix.signals import heuristics

NAME = "quality"
STATIC = "static"
DRAWS = 2_000
LINE = Head(kind="logistic")
"""The head of the comparisons, fixed beforehand."""


def seeds(small: bool) -> list[int]:
    """Return the seeds of a run."""
    return [0] if small else [0, 1, 2, 3, 4]


def documents() -> tuple[pa.Table, pa.Table]:
    """Return the judged documents (as anchors) and the unjudged ones of the same languages."""
    judged = pq.read_table(harness.data("crawl_labels.parquet"))
    crawl = pq.read_table(harness.data("crawl.parquet"), columns=["text", "lang"])
    crawl = crawl.filter(pc.is_in(crawl["lang"], value_set=judged["lang"].unique()))
    return judged.select(["text", "lang"]).append_column("label", pc.invert(judged["unnatural"])), crawl


@dataclass(frozen=True)
class World:
    """The judged documents and the crawl, as a rater of everything sees them."""

    judged: pa.Table
    crawl: pa.Table
    labels: NDArray[np.bool_]
    group: NDArray[np.int64]

    @property
    def structure(self) -> tuple[str, ...]:
        return tuple(name for name in normalizer.names(self.judged) if name != STATIC)

    def seen(self, columns: Sequence[str]) -> Labelled:
        """Return the judged documents as a rater of these features sees them, against the crawl."""
        return Labelled(self.judged, self.labels, self.group, tuple(columns), normalizer.fit(self.crawl, columns))


@cache
def world() -> World:
    """Look at all documents; once."""
    judged, crawl = documents()
    eyes = FeatureExtractor(heuristics.measure, {STATIC: choose.load(STATIC)})
    looked = [eyes.see(t["text"].combine_chunks(), t["lang"].combine_chunks()) for t in (judged, crawl)]
    labels = np.asarray(judged["label"].to_numpy(zero_copy_only=False), bool)
    return World(looked[0], looked[1], labels, anchors.groups(judged))


@dataclass
class Bench:
    """Makes rows of scores."""

    data: Labelled
    seeds: Sequence[int]

    def rows(self, scores: dict[str, NDArray[np.float64]], settings: dict[str, dict[str, object]]) -> Iterator[Row]:
        """Yield mean and languages of each named (seeds, n) scores, and differences to the first; same samples."""
        drawn: dict[str, dict[str, NDArray[np.float64]]] = {name: {} for name in scores}
        points: dict[str, dict[str, float]] = {name: {} for name in scores}
        rows: dict[str, list[Row]] = {name: [] for name in scores}
        languages = [lang for lang in sorted(set(self.data.langs)) if self.data.measured(lang)]
        for number, lang in enumerate(languages):
            mine = self.data.langs == lang
            labels = self.data.labels[mine]
            stacked = np.concatenate([s[:, mine] for s in scores.values()])
            found = resampled(labels, stacked, DRAWS, np.random.default_rng([number, *self.seeds]))
            for at, name in enumerate(scores):
                own = slice(at * len(self.seeds), (at + 1) * len(self.seeds))
                each = [auc(labels, s) or 0.0 for s in stacked[own]]
                points[name][lang] = float(np.mean(each))
                drawn[name][lang] = found[own][np.arange(DRAWS) % len(self.seeds), np.arange(DRAWS)]
                about = {"good": int(labels.sum()), "bad": int((~labels).sum()), "seed_sd": float(np.std(each))}
                low, high = percentiles(drawn[name][lang])
                rows[name].append(Row(NAME, f"{name}.{lang}", points[name][lang], low, high, len(labels), "AUC", about))
        means = {name: np.mean(list(d.values()), axis=0) for name, d in drawn.items()}
        for name in scores:
            values = list(points[name].values())
            about = {"seeds": list(self.seeds), "languages": len(values), "documents": len(self.data.labels)}
            about |= {"interval": "bootstrap over documents and seeds", **settings.get(name, {})}
            about["between_languages_sd"] = float(np.std(values, ddof=1))
            yield Row(NAME, name, float(np.mean(values)), *percentiles(means[name]), len(values), "AUC", about)
            yield from rows[name]
        first = next(iter(scores))
        for name in list(scores)[1:]:
            gain = means[first] - means[name]
            point = np.mean([points[first][g] - points[name][g] for g in points[first]])
            metric = f"{first}_minus_{name.rpartition('.')[2]}"
            yield Row(NAME, metric, float(point), *percentiles(gain), len(points[first]), "AUC")
