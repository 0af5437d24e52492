"""The quality signal: ranks within languages, whatever the shards."""

import json
import shutil
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import rankdata

from glotmix.core import record, table
from glotmix.core.errors import DataError
from glotmix.signals import annotate, quality_scores
from glotmix.signals.quality_scores import Signals

LANGS = ["fra_Latn", "rus_Cyrl", "tha_Thai"]


def world(folder: Path, shards: int, n: int = 240, order: int | None = None) -> tuple[Path, Path]:
    """A corpus in so many shards a language, and its heuristics: `x` with many ties."""
    rng = np.random.default_rng(0)
    rows = [
        {"id": f"d{i:04d}", "lang": LANGS[i % 3 if i % 7 else 0], "text": "я" * 50, "source": "web", "x": int(x)}
        for i, x in enumerate(rng.integers(0, 12, n))
    ]
    if order is not None:
        rows = [rows[i] for i in np.random.default_rng(order).permutation(n)]
    corpus, signal = folder / "corpus", folder / "heuristics"
    for lang in LANGS:
        mine = [r for r in rows if r["lang"] == lang]
        for number, part in enumerate(np.array_split(np.arange(len(mine)), shards)):
            kept = [{k: v for k, v in mine[i].items() if k != "x"} for i in part]
            table.write(pa.Table.from_pylist(kept), corpus / lang / f"web-{number:05d}.parquet")
    x = {r["id"]: r["x"] for r in rows}
    for name, files in annotate.parts(corpus).items():
        ids = table.read(files, ["id"])["id"].to_pylist()
        values = pa.array([None if x[i] == 11 else x[i] for i in ids], pa.int32())
        table.write(pa.table({"id": ids, "x": values}), signal / f"{name}.parquet")
    return corpus, signal


def by_x(rows: pa.Table) -> np.ndarray:
    assert set(rows.column_names) == {"lang", "x"}
    return rows["x"].fill_null(-1).to_numpy().astype(np.float32) / 12


def build(folder: Path, corpus: Path, signal: Path, function=by_x, scale=None) -> pa.Table:
    identity = record.Identity("signals/quality", quality_scores.VERSION)
    found = record.build(
        folder, identity, lambda out: quality_scores.make(out, Signals(signal), corpus, function, scale)
    )
    rows = table.read(table.shards(folder))
    assert found.counts == {"documents": rows.num_rows}
    return rows


def _joined(corpus: Path, signal: Path) -> list[dict]:
    x = {r["id"]: r["x"] for r in table.read(table.shards(signal)).to_pylist()}
    return [r | {"x": x[r["id"]]} for r in table.read(table.shards(corpus), ["id", "lang"]).to_pylist()]


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.parquet")}


def test_quantiles_are_mid_ranks_within_the_language(tmp_path, monkeypatch):
    monkeypatch.setattr(annotate, "GROUP_BYTES", 1)
    corpus, signal = world(tmp_path, 4)
    rows = build(tmp_path / "quality", corpus, signal)
    assert len(table.shards(tmp_path / "quality")) == 12
    assert not (tmp_path / "quality" / "scores").exists()
    numbers = [(name, pa.float32()) for name in ("score", "quantile", "calibrated")]
    assert rows.schema.equals(pa.schema([("id", pa.string()), *numbers]))
    assert rows["calibrated"].null_count == rows.num_rows
    documents = table.read(table.shards(corpus), ["id", "lang"])
    assert rows["id"].to_pylist() == documents["id"].to_pylist()
    langs, score = np.array(documents["lang"].to_pylist()), rows["score"].to_numpy()
    for lang in LANGS:
        mine = langs == lang
        wanted = (rankdata(score[mine]) - 0.5) / mine.sum()
        np.testing.assert_allclose(rows["quantile"].to_numpy()[mine], wanted, atol=1e-6)
        assert rows["quantile"].to_numpy()[mine].mean() == pytest.approx(0.5, abs=1e-6)


def test_shards_and_their_order_change_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(annotate, "GROUP_BYTES", 1)
    found, samples = [], []
    for shards, order in ((1, None), (8, None), (3, 5)):
        corpus, signal = world(tmp_path / f"{shards}", shards, order=order)
        rows = build(tmp_path / f"{shards}" / "quality", corpus, signal)
        found.append({r["id"]: r for r in rows.to_pylist()})
        documents = _joined(corpus, signal)
        samples.append(quality_scores.sample(Signals(signal), corpus, 20).to_pydict())
    assert found[0] == found[1] == found[2]
    assert samples[0] == samples[1] == samples[2]
    assert [samples[0]["lang"].count(g) for g in LANGS] == [20, 20, 20]
    for lang in LANGS:
        mine = [d for d in documents if d["lang"] == lang]
        drawn = sorted(mine, key=lambda d: int.from_bytes(blake2b(d["id"].encode(), digest_size=8).digest(), "little"))
        at = samples[0]["lang"].index(lang)
        assert samples[0]["x"][at : at + 20] == [d["x"] for d in drawn[:20]]
    assert None in quality_scores.sample(Signals(signal), corpus)["x"].to_pylist()
    assert quality_scores.sample(Signals(signal), corpus).num_rows == 240


@pytest.mark.usefixtures("one_part_at_a_time")
@pytest.mark.parametrize("stop", ["score", "rank", "clean"])
def test_a_killed_run_ends_as_the_same_bytes(tmp_path, monkeypatch, stop):
    monkeypatch.setattr(annotate, "GROUP_BYTES", 1)
    corpus, signal = world(tmp_path, 2)
    build(tmp_path / "whole", corpus, signal)
    calls = []

    def fails_at_the_fourth(rows: pa.Table) -> np.ndarray:
        calls.append(rows.num_rows)
        if len(calls) == 4:
            # On the engine's threads: an interrupt there would be nobody's.
            raise MemoryError("killed")
        return by_x(rows)

    remove = shutil.rmtree

    def dies(folder: Path, **options: bool) -> None:
        if folder.name == "scores":
            next(folder.rglob("*.parquet")).unlink()
            raise KeyboardInterrupt
        remove(folder, **options)

    of = quality_scores._Ranks.of

    def dies_at_the_second(self: object, name: str) -> np.ndarray:
        calls.append(0)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return of(self, name)

    with monkeypatch.context() as patched, pytest.raises((KeyboardInterrupt, Exception), match=r"killed|^$"):
        if stop == "clean":
            patched.setattr(quality_scores.shutil, "rmtree", dies)
        if stop == "rank":
            patched.setattr(quality_scores._Ranks, "of", dies_at_the_second)
        build(tmp_path / "cut", corpus, signal, fails_at_the_fourth if stop == "score" else by_x)
    assert not (tmp_path / "cut").exists()
    scored = len(calls)
    build(tmp_path / "cut", corpus, signal, fails_at_the_fourth if stop == "score" else by_x)
    if stop == "score":
        assert len(calls) - scored == 3
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")
    assert json.loads((tmp_path / "cut" / "record.json").read_text())["counts"] == {"documents": 240}


def test_a_signal_of_another_corpus_and_broken_scores_are_refused(tmp_path):
    corpus, signal = world(tmp_path, 1)
    with pytest.raises(DataError, match="no numbers"):
        build(tmp_path / "a", corpus, signal, lambda rows: np.full(rows.num_rows, np.nan))
    with pytest.raises(DataError, match="scores of 240 documents"):
        build(tmp_path / "a", corpus, signal, lambda rows: by_x(rows)[1:])
    part = signal / "part-00000.parquet"
    rows = table.read([part])
    table.write(rows.take(list(range(rows.num_rows))[::-1]), part)
    with pytest.raises(DataError, match="in another order"):
        build(tmp_path / "b", corpus, signal)
    with pytest.raises(DataError, match="in another order"):
        quality_scores.sample(Signals(signal), corpus)
    part.unlink()
    with pytest.raises(DataError, match="has no part-00000"):
        quality_scores.sample(Signals(signal), corpus)
