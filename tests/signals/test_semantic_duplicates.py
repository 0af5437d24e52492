"""Clusters by meaning: what a comparison of all pairs finds, whatever the parts."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glotmix.core import record, table
from glotmix.core.record import Identity
from glotmix.signals import semantic_duplicates


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float16)


@pytest.mark.parametrize("group", [2_000, 40])
def test_clusters_are_those_of_all_pairs(monkeypatch, group):
    monkeypatch.setattr(semantic_duplicates, "_GROUP", group)
    monkeypatch.setattr(semantic_duplicates, "_ROWS", 7)
    rng = np.random.default_rng(1)
    middles = rng.normal(size=(60, 32))
    vectors = np.concatenate([middles, middles[:20] + 0.02 * rng.normal(size=(20, 32)), np.zeros((2, 32))])
    vectors = unit(np.where(vectors.any(axis=1, keepdims=True), vectors, 1e-9))
    vectors[-2:] = 0
    label, nearest = semantic_duplicates.clustered(vectors, 0.95)
    together = {frozenset(np.flatnonzero(label == one).tolist()) for one in set(label.tolist())}
    assert together == {
        *(frozenset({i, 60 + i}) for i in range(20)),
        *(frozenset({i}) for i in [*range(20, 60), 80, 81]),
    }
    assert (nearest[:20] > 0.95).all() and (nearest[20:60] < 0.95).all() and not nearest[-2:].any()


def test_languages_stand_apart_and_every_document_has_its_row(tmp_path):
    ids = [f"d{i}" for i in range(6)]
    langs = ["fra_Latn", "tha_Thai", "fra_Latn", "tha_Thai", "fra_Latn", "amh_Ethi"]
    vectors = unit(np.array([[1, 0], [1, 0.01], [0, 1], [1, 0], [0.01, 1], [1, 0]], float))
    for lang in sorted(set(langs)):
        rows = [i for i, own in enumerate(langs) if own == lang]
        held = pa.table({"id": [ids[i] for i in rows], "text": ["x"] * len(rows), "lang": [lang] * len(rows)})
        table.write(held, tmp_path / f"corpus/{lang}/a.parquet")
    stored = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 2)
    table.write(pa.table({"id": ids, "embedding": stored}), tmp_path / "embed/part-00000.parquet")
    made = record.build(
        tmp_path / "out",
        Identity("s", 1),
        lambda o: semantic_duplicates.make(o, tmp_path / "corpus", tmp_path / "embed", 0.9),
    )
    found = {r["id"]: r for f in (tmp_path / "out").glob("part-*") for r in pq.read_table(f).to_pylist()}
    assert {i: (r["semantic_cluster"], r["semantic_cluster_size"]) for i, r in found.items()} == {
        "d0": ("d0", 1),
        "d1": ("d1", 2),
        "d2": ("d2", 2),
        "d3": ("d1", 2),
        "d4": ("d2", 2),
        "d5": ("d5", 1),
    }
    assert (made.counts["documents"], made.counts["clusters"], made.counts["duplicates"]) == (6, 2, 2)
