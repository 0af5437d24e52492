"""The heuristics: how fast they are in each script, which tell unnatural text, and what the default lines drop.

Speed is CPU time of `glotmix.signals.heuristics.measure` on documents of 2,000 bytes, 512 at a time; datatrove's Gopher
and FineWeb filters do theirs on the same documents beside it, in their own environment.

The labels are people's: documents of `crawl_labels.parquet` in the right language that a fluent reader called unnatural
(boilerplate, SEO, machine text) or not. Lines for them are drawn by the other documents of `crawl.parquet` (most of the
labelled ones are in it too, and left out); but the default quantiles and the choice of columns were looked at on these
labels, so what the rules drop here is no held-out result.
"""

import json
import time
import zlib
from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import stats

from benchmarks import harness
from benchmarks.harness import Row
from benchmarks.pipeline import DATATROVE
from glotmix.core.language import parse
from glotmix.core.settings import resolve
from glotmix.select import thresholds
from glotmix.signals.heuristics import COLUMNS, measure

NAME = "heuristics"
LANGUAGES = {
    "eng_Latn": "eng_Latn", "fra_Latn": "fra_Latn", "vie_Latn": "vie_Latn", "rus_Cyrl": "rus_Cyrl",
    "ell_Grek": "ell_Grek", "arb_Arab": "arb_Arab", "heb_Hebr": "heb_Hebr", "hin_Deva": "hin_Deva",
    "ben_Beng": "ben_Beng", "tam_Taml": "tam_Taml", "tha_Thai": "tha_Thai", "mya_Mymr": "mya_Mymr",
    "khm_Khmr": "khm_Khmr", "zho_Hans": "cmn_Hani", "jpn_Jpan": "jpn_Jpan", "kor_Hang": "kor_Hang",
    "amh_Ethi": "amh_Ethi", "bod_Tibt": "bod_Tibt",
}  # fmt: skip
"""What speed is measured in, and datatrove's code for it."""
SIZE = 2_000
PEER_DOCUMENTS = 100
FEW = 5
"""Positive labels that a language must have to count in a mean of AUCs."""


def run(small: bool) -> Iterable[Row]:
    """Yield speed, the separation of each column, and what the default rules drop."""
    crawl = measured("crawl.parquet")
    yield from speed(crawl, 512 if small else 2_048)
    labels = measured("crawl_labels.parquet").filter(pc.field("lang_correct"))
    yield from separation(labels)
    yield from compression(labels)
    yield from dropped(crawl, labels)
    yield from borrowed(crawl)
    yield from units_per_word()


def measured(file: str) -> pa.Table:
    """Return a file with canonical codes and the columns of the heuristics."""
    table = pq.read_table(harness.data(file)).combine_chunks()
    codes = table["lang"].combine_chunks().dictionary_encode()
    langs = pa.array([parse(code).code for code in codes.dictionary.to_pylist()]).take(codes.indices)
    table = table.set_column(table.column_names.index("lang"), "lang", langs)
    found = measure(table["text"].combine_chunks(), langs)
    for name in COLUMNS:
        table = table.append_column(name, found.field(name))
    return table


def documents(table: pa.Table, lang: str, wanted: int) -> list[str]:
    """Return up to `wanted` documents of 2,000 bytes: excerpts of the language, joined and cut."""
    made: list[str] = []
    joined = ""
    for text in table.filter(pc.equal(table["lang"], lang))["text"].to_pylist():
        joined = f"{joined}\n{text}" if joined else text
        if len(joined.encode()) >= SIZE:
            made.append(joined.encode()[:SIZE].decode("utf-8", "ignore"))
            joined = ""
    return (made * (wanted // len(made) + 1))[:wanted]


def speed(crawl: pa.Table, wanted: int) -> Iterable[Row]:
    """Yield documents and bytes per CPU-second in each language, and datatrove's."""
    texts = {lang: documents(crawl, lang, wanted) for lang in LANGUAGES}
    python = harness.peer("datatrove", DATATROVE)
    given = harness.BENCH / "heuristics-peer.json"
    given.parent.mkdir(parents=True, exist_ok=True)
    given.write_text(json.dumps({LANGUAGES[lang]: found[:PEER_DOCUMENTS] for lang, found in texts.items()}), "utf-8")
    cost = harness.measure(
        [python, harness.ROOT / "benchmarks/_datatrove_filters.py", given],
        env={
            "HF_ASSETS_CACHE": str(harness.BENCH / "datatrove/assets"),
            "HF_HUB_OFFLINE": "1",
            "PYTHONWARNINGS": "ignore",
        },
    )
    if cost.exit:
        raise harness.BenchmarkError(f"datatrove's filters failed:\n{cost.output}")
    theirs = json.loads(cost.output.splitlines()[-1])
    told = {"bytes_per_document": SIZE, "batch": 512, "columns": len(COLUMNS)}
    ratios = []
    for lang, found in texts.items():
        array, langs = pa.array(found), pa.array([lang] * len(found))
        measure(array[:1], langs[:1])
        best = min(once(array, langs) for _ in range(5))
        rate = len(found) / best
        size = pc.sum(pc.binary_length(array)).as_py() / len(found)
        yield Row(NAME, f"speed.docs_per_cpu_second.{lang}", rate, n=len(found), unit="documents/s", settings=told)
        yield Row(NAME, f"speed.bytes_per_cpu_second.{lang}", rate * size, n=len(found), unit="bytes/s", settings=told)
        peer = theirs[LANGUAGES[lang]]
        peer_rate = None if peer is None else min(PEER_DOCUMENTS, len(found)) / peer
        yield Row(
            NAME, f"speed.docs_per_cpu_second_datatrove.{lang}", peer_rate, n=PEER_DOCUMENTS, unit="documents/s",
            settings={"peer": DATATROVE, "filters": "Gopher repetition, FineWeb quality, Gopher quality"},
        )  # fmt: skip
        if peer_rate:
            ratios.append(rate / peer_rate)
    yield Row(
        NAME, "speed.ratio_to_datatrove", float(np.median(ratios)), min(ratios), max(ratios), len(ratios), "times",
        {"value": "median over languages", "low and high": "smallest and largest, no interval"},
    )  # fmt: skip


def once(texts: pa.Array, langs: pa.Array) -> float:
    """Return the CPU-seconds of measuring all texts, 512 at a time."""
    began = time.process_time()
    for at in range(0, len(texts), 512):
        measure(texts[at : at + 512], langs[at : at + 512])
    return time.process_time() - began


def auc(values: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve: the Mann-Whitney statistic, ties count half."""
    ranks = stats.rankdata(values)
    n = int(positive.sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(values) - n)))


def separation(labels: pa.Table) -> Iterable[Row]:
    """Yield the AUC of each column against `unnatural`, mean over languages; above ½ where high is unnatural."""
    langs, unnatural = np.array(labels["lang"].to_pylist()), np.array(labels["unnatural"].to_pylist())
    rows = []
    for name in COLUMNS:
        values = labels[name].to_numpy().astype(float)
        per_language = {}
        for lang in sorted(set(langs.tolist())):
            here = (langs == lang) & ~np.isnan(values)
            if FEW <= unnatural[here].sum() < here.sum():
                per_language[lang] = auc(values[here], unnatural[here])
        if per_language:
            found = list(per_language.values())
            low, high = harness.interval(found)
            told = {"languages": {lang: round(v, 3) for lang, v in per_language.items()}}
            rows.append(Row(NAME, f"auc.{name}", float(np.mean(found)), low, high, len(found), "AUC", told))
    yield from sorted(rows, key=lambda row: -abs((row.value or 0.5) - 0.5))


def dropped(crawl: pa.Table, labels: pa.Table) -> Iterable[Row]:
    """Yield the shares that the default lines, drawn by the crawl, drop of the crawl and of the labelled documents."""
    resolved = {lang: resolve({}, parse(lang)) for lang in pc.unique(crawl["lang"]).to_pylist()}
    lines = thresholds.derive(crawl, resolved)
    told: dict[str, object] = {
        "lines_drawn_by": "crawl.parquet",
        "rules": len({(r["column"], r["side"]) for r in lines.to_pylist()}),
    }
    langs = np.array(crawl["lang"].to_pylist())
    out = fallen(crawl, lines)
    shares = [float(out[langs == lang].mean()) for lang in sorted(set(langs.tolist()))]
    low, high = harness.interval(shares)
    yield Row(NAME, "dropped.crawl", float(np.mean(shares)), low, high, len(shares), "share, mean of languages", told)
    yield Row(NAME, "dropped.crawl.most", max(shares), n=len(shares), unit="share, worst language", settings=told)
    yield from english_lines(crawl, lines)
    unseen = crawl.filter(pc.invert(pc.is_in(crawl["id"], labels["id"].combine_chunks())))
    lines = thresholds.derive(unseen, resolved)
    told["lines_drawn_by"] = "crawl.parquet without the labelled documents"
    out, langs = fallen(labels, lines), np.array(labels["lang"].to_pylist())
    for line in lines.to_pylist():
        if line["column"] == "top_3gram_share" and line["lang"] in langs:
            yield Row(NAME, f"line.top_3gram_share.{line['lang']}", line["value"], n=line["n"], unit="share")
    unnatural = np.array(labels["unnatural"].to_pylist())
    for kind, these in (("unnatural", unnatural), ("natural", ~unnatural)):
        yield share(f"dropped.{kind}", out[these], told)
        for lang in sorted(set(langs.tolist())):
            if (these & (langs == lang)).any():
                yield share(f"dropped.{kind}.{lang}", out[these & (langs == lang)], told)
    for failures in thresholds.failures(labels, lines):
        failed = np.zeros(labels.num_rows, bool)
        failed[failures.rows] = True
        rule = failures.rule.removeprefix("heuristics.")
        for kind, these in (("unnatural", unnatural), ("natural", ~unnatural)):
            yield share(f"rule.{rule}.{kind}", failed[these], told)


def fallen(table: pa.Table, lines: pa.Table) -> NDArray[np.bool_]:
    """Return (n,) whether each document fails any rule."""
    out = np.zeros(table.num_rows, bool)
    for failures in thresholds.failures(table, lines):
        out[failures.rows] = True
    return out


def english_lines(crawl: pa.Table, lines: pa.Table) -> Iterable[Row]:
    """Yield what English's lines would drop of every language: why lines are drawn per language."""
    langs = np.array(crawl["lang"].to_pylist())
    english = lines.filter(pc.equal(lines["lang"], "eng_Latn"))
    everywhere = english.set_column(0, "lang", pa.array(["all"] * english.num_rows))
    out = fallen(crawl.set_column(crawl.column_names.index("lang"), "lang", pa.array(["all"] * len(langs))), everywhere)
    shares = {lang: float(out[langs == lang].mean()) for lang in sorted(set(langs.tolist()))}
    low, high = harness.interval(list(shares.values()))
    worst = sorted(shares, key=lambda lang: -shares[lang])[:8]
    yield Row(
        NAME, "dropped.crawl_by_english_lines", float(np.mean(list(shares.values()))), low, high, len(shares),
        "share, mean of languages", {"most": {lang: round(shares[lang], 3) for lang in worst}},
    )  # fmt: skip


def compression(labels: pa.Table) -> Iterable[Row]:
    """Yield how fast compressors are on the labelled documents and how well their ratio tells the unnatural ones."""
    langs, unnatural = np.array(labels["lang"].to_pylist()), np.array(labels["unnatural"].to_pylist())
    raw = [text.encode() for text in labels["text"].to_pylist()]
    lz4, zstd = pa.Codec("lz4_raw"), pa.Codec("zstd", compression_level=1)
    ways: dict[str, Callable[[bytes], int]] = {
        "lz4": lambda b: lz4.compress(b).size,
        "zstd_1": lambda b: zstd.compress(b).size,
        "zlib_1": lambda b: len(zlib.compress(b, 1)),
        "zlib_6": lambda b: len(zlib.compress(b, 6)),
    }
    for name, way in ways.items():
        began = time.process_time()
        ratio = np.array([way(b) / len(b) for b in raw])
        spent = time.process_time() - began
        rate = sum(map(len, raw)) / spent
        yield Row(NAME, f"compression.bytes_per_cpu_second.{name}", rate, n=len(raw), unit="bytes/s")
        enough = [x for x in sorted(set(langs.tolist())) if unnatural[langs == x].sum() >= FEW]
        found = [auc(ratio[langs == x], unnatural[langs == x]) for x in enough]
        low, high = harness.interval(found)
        yield Row(NAME, f"compression.auc.{name}", float(np.mean(found)), low, high, len(found), "AUC")


def borrowed(crawl: pa.Table) -> Iterable[Row]:
    """Yield the share of a language that lines drop which others of its script lend it, by the way of lending.

    Every language with five others in its script is taken to be small in turn, for each rule at quantile 0.99 or 0.01
    in the defaults. `normalised` carries the lenders' median line over in units of the median absolute deviation, with
    median and deviation of 30 of the borrower's documents.
    """
    rng = np.random.default_rng(0)
    langs = np.array(crawl["lang"].to_pylist())
    rows = {lang: np.flatnonzero(langs == lang) for lang in sorted(set(langs.tolist()))}
    found: dict[str, list[float]] = {"loosest": [], "median": [], "normalised": [], "own": []}
    for key, setting in resolve({}, parse("eng_Latn")).items():
        if not key.startswith("heuristics.") or setting.value not in ({"quantile": 0.99}, {"quantile": 0.01}):
            continue
        _, column, side = key.split(".")
        sign = 1 if side == "high" else -1
        values = {lang: crawl[column].to_numpy()[these] for lang, these in rows.items()}
        values = {lang: sign * v[~np.isnan(v)] for lang, v in values.items() if (~np.isnan(v)).sum() >= 100}
        line = {lang: thresholds.quantile_line(np.sort(v), "high", 0.99) for lang, v in values.items()}
        spread = {lang: (np.median(v), np.median(np.abs(v - np.median(v)))) for lang, v in values.items()}
        for lang, v in values.items():
            lenders = [x for x in values if x != lang and parse(x).script == parse(lang).script]
            if len(lenders) < thresholds.DONORS:
                continue
            few = rng.choice(v, min(30, len(v)), replace=False)
            lent = [line[x] for x in lenders]
            steps = [(line[x] - spread[x][0]) / spread[x][1] for x in lenders if spread[x][1] > 0]
            unit = np.median(np.abs(few - np.median(few)))
            drawn = {
                "loosest": max(lent),
                "median": float(np.median(lent)),
                "normalised": float(np.median(few) + np.median(steps) * unit) if steps else np.inf,
                "own": line[lang],
            }
            for way, at in drawn.items():
                found[way].append(float((v > at).mean()))
    for way, shares in found.items():
        low, high = harness.interval(shares)
        told = {"most": max(shares), "quantile_95": float(np.quantile(shares, 0.95))}
        unit = "share, mean of languages and rules"
        yield Row(NAME, f"borrowed.dropped.{way}", float(np.mean(shares)), low, high, len(shares), unit, told)


def units_per_word() -> Iterable[Row]:
    """Yield how many units the translations of NTREX have for one of English: where `GRAIN` comes from."""
    table = pq.read_table(harness.data("ntrex.parquet"))
    found = {}
    for lang in (
        "eng",
        "zho-CN",
        "zho-TW",
        "yue",
        "jpn",
        "tha",
        "lao",
        "khm",
        "mya",
        "bod",
        "dzo",
        "vie",
        "fin",
        "kor",
    ):
        texts = table.filter(pc.equal(table["lang"], lang))["text"].combine_chunks()
        code = parse(lang).code
        found[code] = pc.sum(measure(texts, pa.array([code] * len(texts))).field("units")).as_py(), len(texts)
    for code, (units, n) in found.items():
        yield Row(NAME, f"units_per_english_word.{code}", units / found["eng_Latn"][0], n=n, unit="units")


def share(metric: str, values: NDArray[np.bool_], told: dict[str, object]) -> Row:
    """Return a share with its Wilson interval."""
    found = stats.binomtest(int(values.sum()), len(values)).proportion_ci(0.95, "wilson")
    return Row(NAME, metric, float(values.mean()), float(found.low), float(found.high), len(values), "share", told)


if __name__ == "__main__":
    harness.main(NAME, run)
