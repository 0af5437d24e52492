"""The static embedder: translations found, texts per second, memory; beside it its teacher and the hybrid of both.

**Retrieval.** Per language the first 500 pairs with English whose sides stand there once, found by the nearest cosine
in both directions; a language's accuracy is the mean of both. Tatoeba was never trained on; of NTREX and TICO-19 only
the documents and blocks count that the model's header names as held out. `retrieval.{set}.mean` is over all languages
of the set, `.mean.teacher16` over those of the teacher (USE-multilingual; English, the sixteenth, is the other side),
`retrieval.tatoeba.mean.sentences` over those of NTREX and TICO-19: languages whose sentences were in training. The
others were trained on word lists, interface texts and the like. Suffixes: `.teacher`, `.hybrid`.

**The hybrid's weight** was picked on NTREX's development documents (`hybrid_weight`), never on a test.
"""

import shutil
import sys
import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import _parts, _teacher, harness
from benchmarks._retrieval import NAME, SETS, pairs_of, retrieval, texts_of
from benchmarks.harness import Row
from glotmix.embed.static import shipped

SIZES = (30_000, 100_000, 300_000)
"""Documents of the signal whose memory is measured."""
CHARS = 1_000

_SIGNAL = """
import sys
from pathlib import Path
from glotmix.core import record
from glotmix.embed.static import shipped
from glotmix.signals import embed
found = record.build(
    Path(sys.argv[2]), record.Identity("signals/embed", embed.VERSION),
    lambda out: embed.make(out, Path(sys.argv[1]), shipped()),
)
print(found.counts["documents"])
"""


def static(small: bool) -> Iterator[Row]:
    """Yield retrieval by the embedder that ships, and the peer that could not be had."""
    for name in SETS:
        pairs = pairs_of(name, "test", small)
        if pairs:
            yield from retrieval(name, pairs, shipped())
    why = "no hub could be reached where this was measured, and the model is in no package registry"
    yield Row(NAME, "retrieval.tatoeba.mean.potion_multilingual_128m", None, settings={"why": why})


def speed(small: bool) -> Iterator[Row]:
    """Yield texts per CPU-second on one core: short texts, then documents of the crawl."""
    model, count = shipped(), 2_000 if small else 200_000
    short = texts_of(pairs_of("tatoeba", "test", small))
    short = (short * (1 + count // len(short)))[:count]
    # In no order of length or language.
    short = [short[i] for i in np.random.default_rng(0).permutation(len(short))]
    crawl = pq.read_table(harness.data("crawl.parquet"), columns=["text"])["text"].to_pylist()
    crawl = [text[:CHARS] for text in crawl[:: max(1, 10 * len(crawl) // count)]]
    for metric, texts in (("texts_per_cpu_second", short), ("documents_per_cpu_second", crawl)):
        model.embed(texts[:100])
        rates = []
        for part in range(5):
            some = texts[part::5]
            began = time.process_time()
            model.embed(some)
            rates.append(len(some) / (time.process_time() - began))
        low, high = harness.interval(rates)
        about = {"mean_chars": round(sum(map(len, texts)) / len(texts), 1), "threads": 1, "runs": len(rates)}
        about |= {"interval": "bootstrap over runs"}
        yield Row(NAME, metric, float(np.median(rates)), low, high, len(texts), "1/s", about)
    yield from _teacher.cost(small)


def memory(small: bool) -> Iterator[Row]:
    """Yield the peak memory of the signal over corpora of several sizes."""
    rows = pq.read_table(harness.data("crawl.parquet"), columns=["text"])["text"].to_pylist()
    peaks: dict[int, float] = {}
    folder = harness.BENCH / "embedding"
    for size in (2_000,) if small else SIZES:
        corpus, out = folder / "corpus", folder / "signal"
        for old in (corpus, out):
            shutil.rmtree(old, ignore_errors=True)
        corpus.mkdir(parents=True)
        for at in range(0, size, 10_000):
            ids = [f"d{i:07d}" for i in range(at, min(at + 10_000, size))]
            texts = [rows[i % len(rows)][:CHARS] for i in range(at, at + len(ids))]
            pq.write_table(pa.table({"id": ids, "text": texts}), corpus / f"{at:07d}.parquet")
        source = {"PYTHONPATH": str(harness.ROOT / "src")}
        cost = harness.measure([sys.executable, "-c", _SIGNAL, corpus, out], env=source)
        if cost.exit:
            raise harness.BenchmarkError(f"the signal failed:\n{cost.output}")
        peaks[size] = cost.peak_mb
        about = {"chars": CHARS, "cpu_seconds": round(cost.cpu_seconds, 1), "wall_seconds": round(cost.wall_seconds, 1)}
        yield Row(NAME, f"signal.peak_mb.{size}", cost.peak_mb, None, None, size, "MB", about)
        yield Row(NAME, f"signal.documents_per_cpu_second.{size}", size / cost.cpu_seconds, n=size, unit="1/s")
    if len(peaks) > 1:
        exponent = harness.growth(list(peaks), list(peaks.values()))
        yield Row(NAME, "signal.peak_growth", exponent, n=len(peaks), settings={"of": "peak_mb = a·n^b, b"})


PARTS: dict[str, _parts.Part] = {
    "static": static,
    "teacher": _teacher.beside,
    "weight": _teacher.weight,
    "hybrid": _teacher.hybrid,
    "speed": speed,
    "memory": memory,
}

if __name__ == "__main__":
    _parts.main(NAME, PARTS)
