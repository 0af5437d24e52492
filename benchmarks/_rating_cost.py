"""What rating costs: documents per CPU-second, and memory on corpora of two sizes.

python -m benchmarks._rating_cost FOLDER rates the corpus in a folder: the process whose memory is measured.
"""

import json
import resource
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import harness
from benchmarks._labelled import NAME, STATIC
from benchmarks.harness import Row
from glotmix.core import record, table
from glotmix.core.language import parse
from glotmix.core.record import Silent
from glotmix.embed import choose
from glotmix.quality import anchors, load, train_rater
from glotmix.quality.heads import Head
from glotmix.quality.rater import Rater
from glotmix.quality.train_rater import TrainingSpec
from glotmix.signals import embed, heuristics, language_id, quality_scores

BYTES = 1_000
SIZES = (100_000, 1_000_000)


def corpus(folder: Path, documents_: int) -> Path:
    """Write a corpus of crawl excerpts of at most 1 kB in nine languages and scripts; they come round, numbered."""
    codes = ("eng_Latn", "rus_Cyrl", "ell_Grek", "arb_Arab", "heb_Hebr", "hin_Deva", "tha_Thai", "zho_Hans", "jpn_Jpan")
    crawl = pq.read_table(harness.data("crawl.parquet"), columns=["text", "lang"])
    known = {code: parse(code).code for code in pc.unique(crawl["lang"]).to_pylist()}
    langs = np.array([known[code] for code in crawl["lang"].to_pylist()], object)
    shutil.rmtree(folder, ignore_errors=True)
    for place, code in enumerate(codes):
        each = documents_ // len(codes) + (place < documents_ % len(codes))
        found = crawl["text"].take(pa.array(np.flatnonzero(langs == code))).to_pylist()
        texts = [text.encode()[:BYTES].decode(errors="ignore") for text in found]
        for number, start in enumerate(range(0, each, 20_000)):
            at = range(start, min(start + 20_000, each))
            rows = {
                "id": [f"{code}-{i}" for i in at],
                "text": [f"{texts[i % len(texts)]} {i}" for i in at],
                "lang": [code] * len(at),
                "source": ["crawl"] * len(at),
            }
            table.write(pa.table(rows), folder / code / f"crawl-{number:05d}.parquet")
    return folder


FEATURES = {"static": (STATIC,), "both": ("structure", STATIC)}


def rated(folder: Path, features: str) -> Mapping[str, float]:
    """Identify, embed and rate the corpus in a folder; return CPU-seconds by step.

    The rater was trained beforehand, on the shipped anchors; each step is the recipe's own, with its record.
    """
    embedder = choose.load(STATIC)
    section = FEATURES[features]
    made = folder / f"rater-{features}"
    eyes = load.feature_extractor(section, {STATIC: embedder})
    lesson = TrainingSpec(files=[anchors.shipped()])
    shutil.rmtree(folder / "out", ignore_errors=True)
    shutil.rmtree(made, ignore_errors=True)
    head = Head()
    record.build(made, record.Identity("rater", 1), lambda out: train_rater.make(out, lesson, eyes, head, 0), Silent())
    where, out = folder / "corpus", folder / "out"
    spent: dict[str, float] = {}

    def step(name: str, make: object) -> None:
        before = _cpu()
        record.build(out / name, record.Identity(name, 1), make, Silent())
        spent[name] = _cpu() - before

    step("identify", lambda o: language_id.make(o, where))
    step("embed", lambda o: embed.make(o, where, embedder))
    if "structure" in section:
        step("heuristics", lambda o: heuristics.make(o, where))
    read = quality_scores.Signals(out / "heuristics" if "structure" in section else None, {STATIC: out / "embed"})

    def rated_(o: record.Output) -> record.Counts:
        return quality_scores.make(o, read, where, load.refit_normalizer(Rater.read(made), read, where).score)

    step("rate", rated_)
    return spent


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def cost(small: bool) -> Iterator[Row]:
    """Yield documents per CPU-second of identify, embed and rate."""
    n = 2_700 if small else 27_000
    folder = harness.BENCH / "quality"
    corpus(folder / "corpus", n)
    size = sum(pc.sum(pc.binary_length(pq.read_table(f, columns=["text"])["text"])).as_py()
               for f in table.shards(folder / "corpus"))  # fmt: skip
    for features, section in FEATURES.items():
        runs = []
        for _ in range(1 if small else 3):
            began = time.monotonic()
            spent = rated(folder, features)
            runs.append((n / sum(spent.values()), spent, time.monotonic() - began))
        rates = [r[0] for r in runs]
        about = {
            "features": list(section),
            "bytes_per_document": size / n,
            "runs": rates,
            "docs_per_cpu_second": {name: n / seconds for name, seconds in runs[-1][1].items()},
            "published": "NeMo-Curator, fastText LID and quality, per CPU: 470 to 547",
        }
        metric = "rating.docs_per_cpu_second" + ("" if features == "static" else f".{features}")
        yield Row(NAME, metric, float(np.median(rates)), min(rates), max(rates), n, "documents / CPU-second", about)


def memory(small: bool) -> Iterator[Row]:
    """Yield peak memory of identify, embed and rate on 100,000 and 1,000,000 documents."""
    folder = harness.BENCH / "quality-memory"
    peaks = []
    for n in (900, 9_000) if small else SIZES:
        corpus(folder / "corpus", n)
        found = harness.measure([sys.executable, "-m", "benchmarks._rating_cost", str(folder)])
        if found.exit:
            raise harness.BenchmarkError(f"rating {n:,} documents failed:\n{found.output}")
        peaks.append(found.peak_mb)
        about = {"wall_seconds": found.wall_seconds, "cpu_seconds": found.cpu_seconds, "steps": "identify, embed, rate"}
        about |= {"bytes_per_document": BYTES, "process": "the whole tree; the rater's training is in it"}
        yield Row(NAME, f"rating.peak_mb.{n}", found.peak_mb, None, None, n, "MB", about)
    ratio = peaks[1] / peaks[0]
    yield Row(NAME, "rating.peak_mb.growth", ratio, None, None, 2, "times, for ten times the documents")
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    print(json.dumps(rated(Path(sys.argv[1]), "static")))
