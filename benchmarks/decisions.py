"""Decisions: whether scores keep their meaning, what the default costs good text, and what it finds.

Nothing here was chosen on what is reported: edited text is the reported half of `_clean`; labelled text is scored by
raters that saw no label of its language; the line's form was chosen on the labelled languages by leaving one out, which
docs/log.md says.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks import _clean, harness
from benchmarks.harness import Row
from glotmix.core.language import parse
from glotmix.core.record import Output, Silent
from glotmix.quality import anchors, classifier_bank, lengths, probability, train_rater
from glotmix.quality.heads import Head
from glotmix.quality.load import feature_extractor
from glotmix.quality.rater import Rater
from glotmix.quality.train_rater import FeatureExtractor, TrainingSpec

NAME = "decisions"
LOSE = 0.05
HEAD = Head()
DRAWS = 1_000


def main() -> None:
    harness.main(NAME, run)


def run(small: bool) -> Iterator[Row]:
    """Yield all rows."""
    yield from stability(small)
    yield from clean(small)
    yield from unnatural()
    yield from by_length(small)
    from benchmarks import _planted

    yield from _planted.identification(small)
    yield from _planted.rows(small)


@cache
def rater() -> Rater:
    """The default rater, trained as a recipe trains it."""
    with TemporaryDirectory() as folder:
        lesson = TrainingSpec([anchors.shipped()], against="reference")
        train_rater.make(Output(Path(folder), "rater", Silent()), lesson, seen(), HEAD, 0)
        return Rater.read(Path(folder))


@cache
def seen() -> FeatureExtractor:
    return feature_extractor(("structure",), {})


def scores(texts: Sequence[str], langs: Sequence[str]) -> NDArray[np.float64]:
    """Return the default rater's P(natural) of texts."""
    return rater().score(seen().see(pa.array(texts, pa.string()), pa.array(langs, pa.string()))).astype(np.float64)


@cache
def edited(small: bool) -> list[_clean.Text]:
    """The reported half of edited text, 300 to 24,000 characters."""
    found = [one for one in _clean.texts("reported") if 240 <= len(one.text) <= 24_000]
    return found[:: 10 if small else 1]


def clean(small: bool) -> Iterator[Row]:
    """Yield the share of each set of good text that the default line drops."""
    texts = edited(small)
    found = scores([one.text for one in texts], [one.lang for one in texts])
    chance = rater().probability
    assert chance is not None
    lines = {lang: chance.line(lang, LOSE) for lang in {one.lang for one in texts}}
    below = np.array([score < lines[one.lang] for score, one in zip(found, texts, strict=True)])
    names = np.array([one.set for one in texts], object)
    works = np.array([one.work if "joined" not in one.work else f"{one.work} {one.lang}" for one in texts], object)
    for name in ("news", "health", "guides", "stories"):
        mine = names == name
        low, high = _over_works(below[mine], works[mine])
        about = {"languages": len({t.lang for t in texts if t.set == name}), "works": len(set(works[mine]))}
        about |= {"interval": "bootstrap over works"}
        yield Row(NAME, f"clean.dropped.{name}", float(below[mine].mean()), low, high, int(mine.sum()), "share", about)


def _over_works(values: NDArray[np.bool_], works: NDArray[np.object_]) -> tuple[float, float]:
    names, code = np.unique(works, return_inverse=True)
    hits, size = np.bincount(code, values, len(names)), np.bincount(code, minlength=len(names))
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(names), (DRAWS, len(names)))
    low, high = np.quantile(hits[drawn].sum(axis=1) / size[drawn].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


def stability(small: bool) -> Iterator[Row]:
    """Yield how scores of web text move when a source of another kind stands beside it, through a recipe's steps."""
    from benchmarks import _company

    yield from _company.rows(small)


@dataclass(frozen=True)
class Judged:
    """Labelled text, scored by raters that saw no label of its language."""

    labels: NDArray[np.bool_]
    langs: NDArray[np.object_]
    own: NDArray[np.float64]
    natural: NDArray[np.float64]
    line: NDArray[np.float64]


@cache
def judged() -> Judged:
    """Score the labelled text, sigmoid and line by the other languages alone."""
    rows = [r for r in pq.read_table(harness.data("crawl_labels.parquet")).to_pylist() if r["lang_correct"]]
    made = pa.table(
        {
            "text": [r["text"] for r in rows],
            "lang": [parse(r["lang"]).code for r in rows],
            "label": [not r["unnatural"] for r in rows],
            "group": pa.nulls(len(rows), pa.string()),
            "source": pa.nulls(len(rows), pa.string()),
        }
    )
    data = train_rater.labelled(made, seen(), against="reference")
    langs, labels = data.langs, data.labels
    natural, line, own = (np.full(len(labels), np.nan) for _ in range(3))
    for lang in sorted(set(langs)):
        rest = np.flatnonzero(langs != lang)
        others = train_rater.labelled(made.take(pa.array(rest)), seen(), against="reference")
        held = probability.hold_out(others, HEAD, 0)
        panel = classifier_bank.train(others, HEAD, 0)
        chance = probability.fit(others, held, panel)
        assert chance is not None
        mine = langs == lang
        odds = panel.log_odds(data.normalised(HEAD.normalise)[mine], langs[mine])
        natural[mine] = chance.apply(odds, langs[mine])
        own[mine] = odds
        line[mine] = chance.line(lang, LOSE)
    return Judged(labels, langs, own, natural, line)


def unnatural() -> Iterator[Row]:
    """Yield what is found of unnatural text, each language left out in turn."""
    found = judged()
    names = sorted(set(found.langs))
    about = {
        "languages": len(names),
        "interval": "bootstrap over documents",
        "labels": "11 languages, left out in turn",
    }

    def at(rows: NDArray[np.int64], score: NDArray[np.float64]) -> float:
        hits = total = 0
        for lang in names:
            mine = rows[found.langs[rows] == lang]
            good = found.labels[mine]
            if good.all() or not good.any():
                continue
            line = np.quantile(score[mine][good], LOSE)
            hits += int((score[mine][~good] < line).sum())
            total += int((~good).sum())
        return hits / total

    every = np.arange(len(found.labels))
    rng = np.random.default_rng(0)
    bad = int((~found.labels).sum())
    drawn = [at(np.sort(rng.integers(0, len(every), len(every))), found.natural) for _ in range(DRAWS // 5)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    note = about | {"line": "of each language's own natural documents"}
    yield Row(NAME, "unnatural.found_at_5", at(every, found.natural), float(low), float(high), bad, "share", note)
    below = found.natural < found.line
    note = about | {"line": "the default's, from the other languages alone"}
    for name, mine in (("default.natural_lost", found.labels), ("default.unnatural_found", ~found.labels)):
        low, high = harness.interval(below[mine].astype(float).tolist())
        yield Row(NAME, name, float(below[mine].mean()), low, high, int(mine.sum()), "share", note)
    worst = {lang: float(below[(found.langs == lang) & found.labels].mean()) for lang in names}
    lang = max(worst, key=lambda one: worst[one])
    yield Row(NAME, "default.natural_lost.worst", worst[lang], None, None, None, "share", {"language": lang} | worst)
    error = calibration_error(found.natural, found.labels)
    spread = [_resampled(found, rng) for _ in range(200)]
    low, high = np.quantile(spread, [0.025, 0.975])
    note = about | {"bins": 10, "bins of": "equal number"}
    yield Row(NAME, "calibration.error", error, float(low), float(high), len(every), "probability", note)


def _resampled(found: Judged, rng: np.random.Generator) -> float:
    rows = rng.integers(0, len(found.labels), len(found.labels))
    return calibration_error(found.natural[rows], found.labels[rows])


def calibration_error(chance: NDArray[np.float64], labels: NDArray[np.bool_], bins: int = 10) -> float:
    """Return the expected calibration error: |mean probability - share of positives| in bins of equal number."""
    order = np.argsort(chance, kind="stable")
    parts = np.array_split(order, bins)
    return float(sum(len(p) * abs(chance[p].mean() - labels[p].mean()) for p in parts) / len(labels))


def by_length(small: bool) -> Iterator[Row]:
    """Yield the rank correlation of score and length within natural text: labelled at several lengths, and edited."""
    rows = [r for r in pq.read_table(harness.data("crawl_labels.parquet")).to_pylist() if r["lang_correct"]]
    good = [(r["text"], parse(r["lang"]).code) for r in rows if not r["unnatural"]][:: 4 if small else 1]
    texts, langs = [t for t, _ in good], [lang for _, lang in good]
    made = [(t, lang) for t, lang in good]
    made += [(text, langs[own[0]]) for text, own in lengths.versions(texts, langs, [True] * len(good))]
    texts, langs = [t for t, _ in made], [lang for _, lang in made]
    sets = {"web": (texts, langs)}
    found = edited(small)
    sets["edited"] = ([one.text for one in found], [one.lang for one in found])
    for name, (texts, langs) in sets.items():
        score, size = scores(texts, langs), np.array([len(text) for text in texts])
        value = float(spearmanr(score, size)[0])
        rng = np.random.default_rng(0)
        drawn = [spearmanr(score[i], size[i])[0] for i in (rng.integers(0, len(size), len(size)) for _ in range(200))]
        low, high = np.quantile(drawn, [0.025, 0.975])
        about = {"characters": [int(q) for q in np.quantile(size, [0.01, 0.5, 0.99])]}
        about |= {"labels": "seen in training" if name == "web" else "none"}
        metric = "length.spearman" if name == "edited" else "length.spearman.web"
        yield Row(NAME, metric, value, float(low), float(high), len(size), "rank correlation", about)


if __name__ == "__main__":
    main()
