"""What labels are worth to a language, pooled against its own alone; random against Q3 negatives."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import harness
from benchmarks._labelled import LINE, NAME, STATIC, Bench, seeds, world
from benchmarks._lolo import seen as looked_at
from benchmarks.harness import Row
from glotmix.core.errors import RequestError
from glotmix.core.language import parse
from glotmix.embed import choose
from glotmix.quality import checks, controls, normalizer
from glotmix.quality.train_rater import FeatureExtractor
from glotmix.quality.transfer import Labelled
from glotmix.signals import heuristics


def curve(small: bool) -> Iterator[Row]:
    """Yield what the other languages' labels add to a number of the language's own."""
    own = seeds(small)
    found = checks.curve(looked_at("both"), LINE, own, (0, 10) if small else checks.COUNTS, 100 if small else 500)
    for row in found["means"]:
        about = {
            "head": "logistic, structure and static",
            "seeds": own,
            "languages": found["languages"],
            "pooled": row["pooled"],
            "target": row["target"],
            "labels_used": {r["lang"]: r["used"] for r in found["rows"] if r["labels"] == row["labels"]},
            "interval": "bootstrap over documents and seeds",
        }
        metric = f"pooled_vs_target.{row['labels']}"
        if row["gain"] is None:
            # Without labels of its own a language has no rater of its own: against chance.
            value, low, high = (row["pooled"][k] - 0.5 for k in ("value", "low", "high"))
            about["against"] = "chance (0.5): without own labels there is no target rater"
        else:
            value, low, high = (row["gain"][k] for k in ("value", "low", "high"))
        yield Row(NAME, metric, value, low, high, row["languages"], "AUC, pooled less target", about)
        for side in ("pooled", "target"):
            if (one := row[side]) is not None:
                ends = (one["value"], one["low"], one["high"])
                yield Row(NAME, f"{metric}.{side}", *ends, row["languages"], "AUC", {"seeds": own})


def controlled(small: bool) -> Iterator[Row]:
    """Yield the controls: strategies and negatives on the same anchors, folds and retention."""
    own, strategies = [0, 1, 2], ("pooled",) if small else controls.STRATEGIES
    found = controls.controls(
        looked_at("both"), world().crawl, LINE, own, strategies=strategies, draws=50 if small else 500
    )
    about = {"head": "logistic, structure and static", "seeds": own, "retain": found["retain"]}
    about |= {"documents": found["documents"], "folds": controls.FOLDS}
    n = len(found["languages"])
    about |= {"interval": "bootstrap over documents and seeds"}
    for one in found["differences"]:
        ends = (one["auc"]["value"], one["auc"]["low"], one["auc"]["high"])
        if one["what"] == "pooled q3 − pooled random":
            yield Row(NAME, "q3_vs_random.same_crawl", *ends, n, "AUC, Q3 less random, pooled", about)
        first, second = (side.replace(" ", "_") for side in one["what"].split(" − "))
        more = about | {"kept_good": one["kept_good"]}
        yield Row(NAME, f"controls.difference.{first}.{second}", *ends, n, "AUC, first less second", more)
    for row in found["rows"]:
        metric = f"controls.{row['strategy']}.{row['negatives']}"
        ends = (row["auc"]["value"], row["auc"]["low"], row["auc"]["high"])
        yield Row(NAME, metric, *ends, n, "AUC", about | {"kept_good": row["kept_good"], "base": row["base"]})


def outside(small: bool) -> Iterator[Row]:
    """Yield Q3 against random negatives as published: good documents from outside, bad ones from the crawl."""
    seen, own_seeds = world(), seeds(small)
    good = news({parse(code).code for code in set(seen.judged["lang"].to_pylist())})
    eyes = FeatureExtractor(heuristics.measure, {STATIC: choose.load(STATIC)})
    looked = eyes.see(good["text"].combine_chunks(), good["lang"].combine_chunks())
    columns = (*seen.structure, STATIC)
    both = [_canonical(t).select(["lang", *columns]) for t in (looked, seen.crawl)]
    judged = _canonical(seen.judged)
    features = pa.concat_tables(both)
    labels = np.arange(features.num_rows) < looked.num_rows
    marks = np.concatenate([good["group"].to_numpy(), looked.num_rows + np.arange(both[1].num_rows)])
    # Held against the crawl alone: news is to stand out, not to be what is usual.
    data = Labelled(features, labels, marks, columns, normalizer.fit(both[1], columns))
    test = data.usual.apply(judged, LINE.normalise)
    langs = np.asarray(judged["lang"].to_pylist(), object)
    scores: dict[str, list[NDArray[np.float64]]] = {"q3": [], "random": []}
    own = np.flatnonzero(labels)
    for seed in own_seeds:
        for kind, trained in controls.crawled(data, looked.num_rows, own, LINE, seed, "pooled"):
            scores[kind].append(trained.log_odds(test, langs))
    bench = Bench(Labelled(judged, seen.labels, seen.group, columns), own_seeds)
    names = {kind: f"q3_vs_random.{kind}" for kind in scores}
    about = {"good": looked.num_rows, "of": "NTREX-128, excerpts of the crawl's length", "head": "logistic, pooled"}
    rows = bench.rows({names[k]: np.stack(s) for k, s in scores.items()}, {n: dict(about) for n in names.values()})
    for row in rows:
        yield replace(row, metric="q3_vs_random") if row.metric == "q3_vs_random.q3_minus_random" else row


def news(langs: set[str]) -> pa.Table:
    """Return excerpts of about the crawl's length from NTREX-128, in the languages that it shares with others."""
    sentences = pq.read_table(harness.data("ntrex.parquet"))
    codes = {}
    for code in pc.unique(sentences["lang"]).to_pylist():
        try:
            codes[code] = parse(code).code
        except RequestError:
            continue
    rows: dict[str, list[object]] = {"text": [], "lang": [], "group": []}
    groups: dict[tuple[str, int], int] = {}
    for code, lang in codes.items():
        if lang not in langs:
            continue
        mine = sentences.filter(pc.equal(sentences["lang"], code)).sort_by("i")
        text, doc, number = "", None, 0
        for sentence, of in zip(mine["text"].to_pylist(), mine["doc"].to_pylist(), strict=True):
            number = 0 if of != doc else number
            text, doc = ("" if of != doc else text) + sentence + " ", of
            if len(text) > 900:
                rows["text"].append(text)
                rows["lang"].append(lang)
                rows["group"].append(groups.setdefault((of, number), len(groups)))
                text, number = "", number + 1
    return pa.table({"text": rows["text"], "lang": rows["lang"], "group": pa.array(rows["group"], pa.int64())})


def _canonical(given: pa.Table) -> pa.Table:
    codes = {code: parse(code).code for code in pc.unique(given["lang"]).to_pylist()}
    at = given.column_names.index("lang")
    return given.set_column(at, "lang", pa.array([codes[c] for c in given["lang"].to_pylist()]))
