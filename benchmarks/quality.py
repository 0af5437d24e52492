"""Leave-one-language-out AUC of quality raters on web text that fluent readers judged (`unnatural` or not).

Every document is scored by raters that saw no label of its language; the mean is over the languages with at least five
good and five bad documents. The head is chosen anew for every held-out language, by leaving out each of the others in
turn (`glotmix.quality.transfer.nested`): nothing that is reported as `lolo_auc.structure` or `lolo_auc.structure_raw`
was trained or chosen on the language that it is measured in. Rows named `lolo_auc.candidate` are of fixed heads. What
is usual in a language is learned from 600 unlabelled excerpts of the same crawl. (One caveat: which candidates there
are was decided by people who knew these labels; the normalisation `shared` was added after the others were seen.)
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.special import expit

from benchmarks import harness
from benchmarks.harness import Row
from glotmix.quality import features
from glotmix.quality.auc import auc, percentiles, resampled
from glotmix.quality.heads import HEADS, Head
from glotmix.quality.rater import labelled
from glotmix.quality.transfer import Labelled, leave_one_out, nested
from glotmix.signals import heuristics

NAME = "quality"
NORMALISED = ("z", "robust", "normal", "shared")
CUT = 300
DRAWS = 2_000


def documents() -> tuple[pa.Table, pa.Table]:
    """Return the judged documents (as anchors) and the unjudged ones of the same languages."""
    judged = pq.read_table(harness.data("crawl_labels.parquet"))
    crawl = pq.read_table(harness.data("crawl.parquet"), columns=["text", "lang"])
    crawl = crawl.filter(pc.is_in(crawl["lang"], value_set=judged["lang"].unique()))
    return judged.select(["text", "lang"]).append_column("label", pc.invert(judged["unnatural"])), crawl


def seen(judged: pa.Table, crawl: pa.Table) -> Labelled:
    """Return the judged documents as a rater sees them, against the unjudged ones."""
    marked = crawl.append_column("label", pa.array(np.ones(crawl.num_rows, bool)))
    usual = labelled(marked, heuristics.measure)
    return labelled(judged, heuristics.measure, reference=features.fit(usual.features, usual.columns))


@dataclass
class Bench:
    """Makes rows of scores."""

    data: Labelled
    seeds: Sequence[int]

    def rows(self, scores: dict[str, NDArray[np.float64]], settings: dict[str, dict[str, object]]) -> Iterator[Row]:
        """Yield mean and languages of each named (seeds, n) scores; all on the same bootstrap samples."""
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
        if f"{(first := next(iter(scores)))}_raw" in scores:
            gain = means[first] - means[f"{first}_raw"]
            point = np.mean([points[first][g] - points[f"{first}_raw"][g] for g in points[first]])
            yield Row(NAME, f"{first}_gain", float(point), *percentiles(gain), len(points[first]), "AUC")


def run(small: bool) -> Iterator[Row]:
    """Measure."""
    judged, crawl = documents()
    data = seen(judged, crawl)
    seeds = [0] if small else [0, 1, 2, 3, 4]
    kinds = ("logistic",) if small else HEADS
    bench = Bench(data, seeds)
    candidates = [Head(kind=k, normalise=n) for k in kinds for n in NORMALISED]
    raw = [Head(kind=k, normalise="none") for k in kinds]
    structure, chosen = nested(data, candidates, seeds)
    structure_raw, chosen_raw = nested(data, raw, seeds)
    about = {"candidates": len(candidates), "chosen": told(chosen), "columns": len(data.columns)}
    yield from bench.rows(
        {"lolo_auc.structure": structure, "lolo_auc.structure_raw": structure_raw},
        {
            "lolo_auc.structure": about,
            "lolo_auc.structure_raw": {"candidates": len(raw), "chosen": told(chosen_raw)},
        },
    )
    for head in (*candidates, *raw):
        name = f"lolo_auc.candidate.{head.kind}.{head.normalise}"
        found = leave_one_out(data, head, seeds[:1])
        yield next(iter(Bench(data, seeds[:1]).rows({name: found}, {name: {"chosen": "fixed: not nested"}})))
    yield from length(data, judged, seeds)
    yield from shifted(data, judged, crawl, Head(kind="logistic") if small else Head(), seeds)


def told(chosen: dict[str, Head]) -> dict[str, int]:
    """Count how often each head was chosen."""
    return dict(Counter(f"{head.kind} {head.normalise}" for head in chosen.values()).most_common())


def length(data: Labelled, judged: pa.Table, seeds: Sequence[int]) -> Iterator[Row]:
    """Yield the baseline that sees the length alone."""
    chars = np.log1p(pc.utf8_length(judged["text"]).to_numpy())
    alone = Labelled(pa.table({"lang": data.features["lang"], "length": chars}), data.labels, data.group, ("length",))
    found = leave_one_out(alone, Head(kind="logistic", normalise="z"), seeds)
    yield from Bench(data, seeds).rows({"lolo_auc.length": found}, {})


def shifted(data: Labelled, judged: pa.Table, crawl: pa.Table, head: Head, seeds: Sequence[int]) -> Iterator[Row]:
    """Yield what happens when documents are cut to `CUT` characters after training: nothing else changes.

    A rater meets documents that are not like its anchors. Normalised ones are held against the cut crawl.
    """
    cut = seen(shortened(judged), shortened(crawl))
    scores, moved = {}, {}
    for name, how in (("shifted_auc.structure", head), ("shifted_auc.structure_raw", replace(head, normalise="none"))):
        matrix, short = data.normalised(how.normalise), cut.normalised(how.normalise)
        found, shifts = np.full((len(seeds), len(data.labels)), np.nan), []
        for held in sorted(set(data.langs)):
            test = np.flatnonzero(data.langs == held)
            rows = np.flatnonzero((data.langs != held) & ~np.isin(data.group, data.group[test]))
            moves = []
            for number, seed in enumerate(seeds):
                rater = data.rater(matrix, rows, how, seed)
                found[number, test] = rater.log_odds(short[test])
                moves.append(np.mean(expit(found[number, test]) - expit(rater.log_odds(matrix[test]))))
            shifts.append(float(np.mean(moves)))
        scores[name], moved[name] = found, shifts
    settings: dict[str, dict[str, object]] = {
        n: {"cut_to_characters": CUT, "head": f"{head.kind} {head.normalise}"} for n in scores
    }
    yield from Bench(data, seeds).rows(scores, settings)
    for name, shifts in moved.items():
        metric = name.replace("shifted_auc", "shifted_score")
        about = {"meaning": "mean change of the score of the same documents, mean over languages"}
        yield Row(NAME, metric, float(np.mean(shifts)), *harness.interval(shifts), len(shifts), "score", about)


def shortened(table: pa.Table) -> pa.Table:
    """Return the documents cut to their first `CUT` characters."""
    at = table.column_names.index("text")
    return table.set_column(at, "text", pc.utf8_slice_codeunits(table["text"], 0, CUT))


if __name__ == "__main__":
    harness.main(NAME, run)
