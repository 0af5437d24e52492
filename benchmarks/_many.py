"""Signals made up for as many documents as one likes, to decide on: what a corpus of that size would have left."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml

from benchmarks._corpus import LANGUAGES
from glotmix.core import table
from glotmix.core.context import RunContext
from glotmix.pipeline import recipe
from glotmix.signals import annotate
from glotmix.signals.heuristics import COLUMNS

SHARD = 20_000
PART_BYTES = 2 * 2**20
"""Ids and languages alone, without texts: parts of about as many documents as those of real text have."""


def context(folder: Path, content: Mapping[str, object] | None = None) -> RunContext:
    """Return the recipe at work over made-up signals.

    Args:
        folder: of the output.
        content: what the recipe says beside its sources.
    """
    told = {
        "name": "many",
        "corpus": {"sources": [_source("web"), _source("books")]},
        "quality": None,
        "select": {"retain": "all"},
        **(content or {}),
    }
    path = folder.parent / "many.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(told), "utf-8")
    return RunContext(recipe.load(path), path.parent, folder)


def _source(name: str) -> dict[str, object]:
    return {"name": name, "path": f"{name}.jsonl", "language": {"column": "lang"}}


def make(folder: Path, documents: int, rated: bool = False, shard: int = SHARD, seed: int = 0) -> None:
    """Write a corpus without texts, and its signals: heuristics, languages, duplicates, perhaps quality.

    One document in six is in a cluster, across languages, sources and parts; every column has its tails.
    """
    shutil.rmtree(folder, ignore_errors=True)
    rng = np.random.default_rng(seed)
    for lang in LANGUAGES:
        mine = documents // len(LANGUAGES)
        for source, share in (("books", 0.25), ("web", 0.75)):
            for number, start in enumerate(range(0, int(mine * share), shard)):
                ids = [f"{source}-{lang}-{start + i:09d}" for i in range(min(shard, int(mine * share) - start))]
                columns = {"id": ids, "text": [""] * len(ids), "lang": [lang] * len(ids), "source": [source] * len(ids)}
                table.write(pa.table(columns), folder / "corpus" / lang / f"{source}-{number:05d}.parquet")
    for part, files in annotate.parts(folder / "corpus").items():
        corpus = table.read(files, ["id", "lang"])
        n = corpus.num_rows
        heuristics = {name: _column(rng, n, column.dtype) for name, column in COLUMNS.items()}
        cluster = rng.integers(0, documents // 6 + 1, n)
        crowded = rng.random(n) < 1 / 6
        label = np.where(rng.random(n) < 0.02, "vie_Latn", corpus["lang"].to_pylist())
        signals = {
            "heuristics": heuristics,
            "identify": {
                "label": label,
                "score": rng.random(n, np.float32),
                "agrees": pa.array(label == np.array(corpus["lang"].to_pylist())),
            },
            "duplicates": {
                "cluster": [
                    f"c{c}" if k else i for c, k, i in zip(cluster, crowded, corpus["id"].to_pylist(), strict=True)
                ],
                "cluster_size": pa.array(np.where(crowded, 2, 1), pa.int32()),
                "content": np.where(crowded, cluster * 2 + rng.integers(0, 2, n), rng.integers(0, 2**62, n)),
                "sources": pa.array(np.where(crowded, rng.integers(1, 3, n), 1), pa.int32()),
            },
        }
        if rated:
            score = np.round(rng.random(n, np.float32), 3)
            signals["quality"] = {"score": score, "quantile": score, "calibrated": score}
        for name, signal in signals.items():
            table.write(pa.table({"id": corpus["id"], **signal}), folder / "signals" / name / f"{part}.parquet")


def _column(rng: np.random.Generator, n: int, kind: pa.DataType) -> pa.Array:
    values = rng.lognormal(3, 1, n) if pa.types.is_integer(kind) else rng.beta(2, 8, n)
    # Sizes are known of every document; a share of nothing is null.
    missing = np.zeros(n, bool) if pa.types.is_integer(kind) else rng.random(n) < 0.01
    return pa.array(values.astype(kind.to_pandas_dtype()), kind, mask=missing)
