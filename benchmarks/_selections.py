"""Selections of `instructions`: what it costs to choose from embeddings, and what is covered beside the controls."""

import json
import os
import sys
import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import harness
from benchmarks._answered import CACHE, NAME, SETS, car, coach, embedded, mt_bench, seen
from benchmarks.harness import Row
from glotmix.instruct import qsm, structure
from glotmix.instruct.measures import meanings
from glotmix.instruct.qsm import QsmConfig, Sides
from glotmix.select import diversify
from glotmix.select.coverage import coverage
from glotmix.signals.heuristics import measure


def alpaca(small: bool) -> tuple[list[str], list[str]]:
    """Return Alpaca's instructions and answers."""
    rows = pq.read_table(harness.data("instructions/alpaca_en.parquet")).to_pylist()[: 3_000 if small else None]
    asked = [r["instruction"] + (f"\n\n{r['input']}" if r["input"] else "") for r in rows]
    return asked, [r["output"] for r in rows]


def selection(small: bool) -> Iterator[Row]:
    """Yield what it costs to choose 1K of 52K after embedding, and what is covered beside the controls."""
    asked, said = alpaca(small)
    began = time.monotonic()
    vectors = embedded("static", asked), embedded("static", said)
    seconds = time.monotonic() - began
    n, wanted = len(asked), 100 if small else 1_000
    yield Row(NAME, "select.embedding_seconds", seconds, n=n, unit="s", settings={"embedder": "static"})
    CACHE.mkdir(parents=True, exist_ok=True)
    np.savez(CACHE / "pool.npz", instructions=vectors[0], responses=vectors[1])
    pq.write_table(pa.table({"instruction": asked, "response": said}), CACHE / "pool.parquet")
    given = coach(small)
    model = qsm.train(seen(given, "static"), *car(given)[:2], QsmConfig(), "static", 0)
    model.write(CACHE / "model")
    command = [sys.executable, "-m", "benchmarks._select", str(CACHE), str(wanted)]
    cost = harness.measure(command, env={"PYTHONPATH": os.pathsep.join(sys.path)})
    if cost.exit:
        raise harness.BenchmarkError(f"the selection failed:\n{cost.output}")
    told = json.loads(cost.output.strip().splitlines()[-1])
    about = {"of": n, "chosen": wanted, "clusters": told["clusters"], "wall of the process": cost.wall_seconds}
    about |= {"steps": told["seconds"], "what": "structure, scores, PCA, k-means and M-DaQ, from embeddings to ids"}
    yield Row(NAME, "select.seconds", sum(told["seconds"].values()), n=n, unit="s", settings=about)
    yield Row(NAME, "select.peak_mb", cost.peak_mb, n=n, unit="MB", settings=about)
    for method, figures in told["methods"].items():
        for name, value in figures.items():
            yield Row(NAME, f"select.{name}.{method}.alpaca", value, n=wanted, settings={"of": n})
    yield from by_language(small, model)


def by_language(small: bool, model: qsm.Scorer) -> Iterator[Row]:
    """Yield what 100 of about 1,200 real answers cover, in each of six languages, with ten seeds of what is drawn."""
    held = mt_bench()
    for lang_set, lang in list(SETS.items())[: 1 if small else None]:
        said = [turns for (of, *_), turns in held.items() if of == lang_set]
        pool = pool_of([asked for asked, _ in said], [answer for _, answer in said], lang, model)
        for method in ("m-daq", "random", "quality", "diversity", "facility-location", "mmr"):
            shares = []
            for seed in range(10 if method in ("random", "diversity") else 1):
                inside = np.zeros(len(pool), bool)
                inside[diversify.METHODS[method](pool, 70, seed)] = True
                found = coverage(pool.labels.tolist(), inside)
                assert found is not None
                shares.append(found.covered / found.groups)
            about = {"of": len(pool), "seeds": len(shares), "clusters": len(np.unique(pool.labels))}
            yield Row(NAME, f"select.coverage.{method}.{lang}", float(np.mean(shares)), n=70, settings=about)


def pool_of(asked: list[str], said: list[str], lang: str, model: qsm.Scorer) -> diversify.Pool:
    """Return candidates of one language, scored and clustered."""
    instructions, responses = embedded("static", asked), embedded("static", said)
    langs = np.array([lang] * len(said))
    values = structure.columns(pa.array(asked), pa.array(said), pa.array(langs.tolist()), measure)
    form = structure.standard(values, langs, structure.usual(values, langs))
    scores = model.score(Sides(qsm.unit(instructions), qsm.unit(responses), form))
    vectors = diversify.reduced(meanings(instructions, responses))
    lengths = np.array([len(t) for t in said], np.float64)
    return diversify.Pool(vectors, scores, diversify.cluster(vectors), lengths)
