"""The embedding signal: one vector per document, whatever the shards and the order."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from glotmix.core import record, table
from glotmix.core.errors import DataError
from glotmix.embed.static import shipped
from glotmix.signals import embed


def corpus(folder: Path, shards: int, order: Sequence[int] | None = None) -> Path:
    rows = pq.read_table("tests/data/sentences.parquet").slice(0, 600)
    rows = rows.append_column("id", pa.array([f"d{i:04d}" for i in range(600)])).select(["id", "text", "lang"])
    rows = rows.take(order) if order is not None else rows
    size = -(-600 // shards)
    for n in range(shards):
        table.write(rows.slice(n * size, size), folder / "corpus" / f"{n:02d}.parquet")
    return folder / "corpus"


def build(folder: Path, texts: Path, max_chars: int = 2_000) -> Path:
    identity = record.Identity("signals/embed", embed.VERSION)
    found = record.build(folder / "embed", identity, lambda out: embed.make(out, texts, shipped(), max_chars))
    assert found.counts == {"documents": 600}
    return folder / "embed"


def test_vectors_are_the_embedders_and_stand_in_the_order_of_the_corpus(tmp_path: Path) -> None:
    texts = corpus(tmp_path, 3)
    signal = build(tmp_path, texts)
    rows = table.read(table.shards(texts))
    ids, vectors = embed.read(signal)
    assert ids.to_pylist() == rows["id"].to_pylist()
    assert vectors.dtype == np.float16
    assert np.array_equal(vectors, shipped().embed(rows["text"]).astype(np.float16))
    schema = pq.read_schema(table.shards(signal)[0])
    assert schema.field("embedding").type == pa.list_(pa.field("element", pa.float16()), shipped().width)
    wanted = ["d0500", "d0003", "d0500"]
    again, some = embed.read(signal, wanted)
    assert again.to_pylist() == wanted and np.array_equal(some, vectors[[500, 3, 500]])


def test_shards_and_order_change_nothing(tmp_path: Path) -> None:
    one = embed.read(build(tmp_path / "a", corpus(tmp_path / "a", 1)))
    order = np.random.default_rng(0).permutation(600)
    eight = embed.read(build(tmp_path / "b", corpus(tmp_path / "b", 8, order)))
    assert np.array_equal(one[1][order], eight[1])


def test_truncated_says_that_not_all_was_seen(tmp_path: Path) -> None:
    signal = build(tmp_path, corpus(tmp_path, 1), max_chars=100)
    texts = table.read(table.shards(tmp_path / "corpus"))["text"].to_pylist()
    cut = table.read(table.shards(signal))["truncated"].to_pylist()
    assert cut == [len(t) > 100 for t in texts]
    assert np.array_equal(embed.read(signal)[1], shipped().embed([t[:100] for t in texts]).astype(np.float16))


def test_an_embedder_may_say_that_it_saw_less() -> None:
    class Short:
        fingerprint, width = "short", 2

        def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
            return np.ones((len(texts), 2), np.float32)

        def truncated(self, texts: Sequence[str]) -> list[bool]:
            return [len(t) > 3 for t in texts]

    found = embed.embed(pa.array(["ab", "abcd", "abcdefgh"]), Short(), max_chars=6)
    assert found.field("truncated").to_pylist() == [False, True, True]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no embeddings"):
        embed.read(tmp_path / "nothing")
    signal = build(tmp_path, corpus(tmp_path, 2))
    with pytest.raises(DataError, match="no embedding of \\['other'\\]"):
        embed.read(signal, ["d0001", "other"])
