"""Choose from embeddings: the process whose time and memory `instructions` measures.

    python -m benchmarks._select FOLDER N

FOLDER holds ``pool.npz``, ``pool.parquet`` and ``model/``. Prints one line of JSON.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from glotmix.instruct import qsm, structure
from glotmix.instruct.measures import meanings
from glotmix.instruct.qsm import Scorer, Sides
from glotmix.select import diversify
from glotmix.select.coverage import coverage
from glotmix.signals.heuristics import measure


def main(folder: Path, wanted: int) -> None:
    held = np.load(folder / "pool.npz")
    texts = pq.read_table(folder / "pool.parquet")
    n = texts.num_rows
    langs = pa.array(["eng_Latn"] * n)
    seconds: dict[str, float] = {}

    def took(name: str, since: float) -> float:
        seconds[name] = time.monotonic() - since
        return time.monotonic()

    at = time.monotonic()
    asked, said = (texts[c].combine_chunks() for c in ("instruction", "response"))
    values = structure.columns(asked, said, langs, measure)
    known = np.array(langs.to_pylist())
    form = structure.standard(values, known, structure.usual(values, known))
    at = took("structure", at)
    sides = Sides(qsm.unit(held["instructions"]), qsm.unit(held["responses"]), form)
    scores = Scorer.read(folder / "model").score(sides)
    at = took("scores", at)
    vectors = diversify.reduced(meanings(held["instructions"], held["responses"]))
    at = took("PCA", at)
    labels = diversify.cluster(vectors)
    at = took("k-means", at)
    lengths = np.array([len(t) for t in said.to_pylist()], np.float64)
    pool = diversify.Pool(vectors, scores, labels, lengths)
    diversify.m_daq(pool, wanted)
    took("M-DaQ", at)
    methods = {}
    for method in diversify.METHODS:
        began = time.monotonic()
        seeds = range(10 if method in ("random", "random-length", "diversity") else 1)
        chosen = [diversify.METHODS[method](pool, wanted, seed) for seed in seeds]
        spent = (time.monotonic() - began) / len(chosen)
        inside = np.zeros((len(chosen), n), bool)
        for i, rows in enumerate(chosen):
            inside[i, rows] = True
        found = [coverage(labels.tolist(), mask) for mask in inside]
        ranks = (np.argsort(np.argsort(scores)) + 0.5) / n
        methods[method] = {
            "coverage": float(np.mean([f.covered / f.groups for f in found if f is not None])),
            "effective_clusters": float(np.mean([f.after for f in found if f is not None])),
            "mean_quantile": float(np.mean([ranks[m].mean() for m in inside])),
            "mean_chars": float(np.mean([lengths[m].mean() for m in inside])),
            "method_seconds": spent,
        }
    print(json.dumps({"seconds": seconds, "clusters": len(np.unique(labels)), "methods": methods}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
