from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glotmix.core import record, table
from glotmix.core.errors import GlotmixError, RequestError
from glotmix.core.record import Identity
from glotmix.native import folding, link, shingles
from glotmix.native.arrays import buffers
from glotmix.signals import cross_corpus_duplicates, signatures
from glotmix.signals.cross_corpus_duplicates import CrossCorpusConfig
from glotmix.signals.signatures import SignatureConfig

SENTENCES = pq.read_table(Path(__file__).parents[1] / "data" / "sentences.parquet").to_pylist()
LANGS = list(dict.fromkeys(r["lang"] for r in SENTENCES))
CONFIG = SignatureConfig()


def sign(folder: Path, rows: dict[str, str], config: SignatureConfig = CONFIG, shards: int = 1) -> Path:
    ids, texts = list(rows), list(rows.values())
    size = -(-len(ids) // shards)
    for n in range(shards):
        cut = slice(n * size, (n + 1) * size)
        table.write(pa.table({"id": ids[cut], "text": texts[cut]}), folder / "corpus" / f"{n:05d}.parquet")
    record.build(
        folder / "signatures",
        Identity("signals/signatures", signatures.VERSION, config.model_dump(mode="json")),
        lambda out: signatures.make(out, folder / "corpus", config),
    )
    return folder / "signatures"


def run(folder: Path, new: Path, old: dict[str, Path], config: SignatureConfig = CONFIG) -> pa.Table:
    record.build(
        folder / "earlier",
        Identity("earlier", 1),
        lambda out: cross_corpus_duplicates.make(out, new, old, CrossCorpusConfig(), config),
    )
    return table.read(table.shards(folder / "earlier"))


@pytest.fixture(scope="module")
def texts() -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """New documents; two earlier corpora with copies, near copies and others."""
    new, first, second = {}, {}, {}
    for lang in LANGS:
        held = [r["text"] for r in SENTENCES if r["lang"] == lang]
        for k in range(8):
            block = held[k * 24 : k * 24 + 14]
            new[f"new/{lang}/{k}"] = " ".join(block)
            if k % 4 == 0:
                first[f"a/{lang}/{k}"] = " ".join(block).upper() + "!"
            if k % 4 == 1:
                second[f"b/{lang}/{k}"] = " ".join([*block[:13], held[200 + k]])
                first[f"a/{lang}/{k}"] = " ".join([*block[:7], *held[200:207]])
        second[f"b/{lang}/x"] = " ".join(held[192:200])
    return new, first, second


def test_earlier_documents_are_found_without_their_texts(texts, tmp_path: Path):
    new, first, second = texts
    old = {"first": sign(tmp_path / "a", first), "second": sign(tmp_path / "b", second)}
    for name in "ab":
        for file in table.shards(tmp_path / name / "corpus"):
            file.unlink()
    found = run(tmp_path, sign(tmp_path / "new", new, shards=3), old)
    assert found.schema == cross_corpus_duplicates.SCHEMA and found["id"].to_pylist() == list(new)
    every = first | second
    starts, data = buffers(pa.array([*new.values(), *every.values()]))
    sets = shingles.shingle_sets(starts, data, *folding.table(), CONFIG.shingle)
    names = [*new, *every]
    for row in found.to_pylist():
        kind = int(row["id"][-1]) % 4
        lang = row["id"].split("/")[1]
        if kind == 0:
            assert row["same"] and row["similarity"] == 1.0
            assert (row["corpus"], row["earlier"]) == ("first", f"a/{lang}/{row['id'][-1]}")
        if row["earlier"] is None:
            assert row["corpus"] is None and row["similarity"] is None and row["same"] is None
            continue
        out = np.empty(1)
        pair = [np.array([names.index(n)], np.int64) for n in (row["id"], row["earlier"])]
        link.jaccard(*sets, *pair, out)
        assert row["similarity"] == pytest.approx(out[0], abs=0.16)
        assert row["corpus"] == ("first" if row["earlier"] in first else "second")
        assert kind in (0, 1)
    near = [r for r in found.to_pylist() if int(r["id"][-1]) % 4 == 1]
    assert sum(r["corpus"] == "second" for r in near) >= 0.6 * len(near)
    counts = record.read(tmp_path / "earlier").counts
    assert counts["same"] == 2 * len(LANGS) and counts["documents"] == len(new)
    assert counts["earlier"] == sum(r["earlier"] is not None for r in found.to_pylist())


def test_of_two_that_are_near_the_nearer_is_named(tmp_path: Path):
    new, far, close = {}, {}, {}
    for lang in LANGS:
        held = [r["text"] for r in SENTENCES if r["lang"] == lang]
        for k in range(6):
            block = held[k * 30 : k * 30 + 20]
            new[f"{lang}/{k}"] = " ".join(block)
            far[f"far/{lang}/{k}"] = " ".join(block[:18])
            close[f"close/{lang}/{k}"] = " ".join(block[:19])
    signed = sign(tmp_path / "new", new)
    old = {"far": sign(tmp_path / "f", far), "close": sign(tmp_path / "c", close)}
    alone = {n: run(tmp_path / n, signed, {n: folder})["similarity"].to_pylist() for n, folder in old.items()}
    both = run(tmp_path / "both", signed, old)
    names = both["corpus"].to_pylist()
    for similarity, one, other in zip(both["similarity"].to_pylist(), *alone.values(), strict=True):
        assert similarity == max((s for s in (one, other) if s is not None), default=None)
    assert all(found.count(None) < 0.1 * len(found) for found in alone.values())
    assert names.count("close") > 3 * names.count("far")


def test_order_and_shards_make_no_difference(texts, tmp_path: Path):
    new, first, second = texts
    one = run(tmp_path / "1", sign(tmp_path / "1n", new), {"x": sign(tmp_path / "1o", first | second)})
    mixed = dict(sorted((first | second).items(), key=lambda item: item[1]))
    backwards = dict(reversed(new.items()))
    other = run(
        tmp_path / "2", sign(tmp_path / "2n", backwards, shards=5), {"x": sign(tmp_path / "2o", mixed, shards=4)}
    )
    assert sorted(one.to_pylist(), key=str) == sorted(other.to_pylist(), key=str)


def test_nothing_earlier_is_near(texts, tmp_path: Path):
    new, _, _ = texts
    found = run(tmp_path, sign(tmp_path / "n", new), {"x": sign(tmp_path / "o", {"z": "something else entirely"})})
    assert found["earlier"].null_count == len(new)


def test_signatures_made_otherwise_are_refused(texts, tmp_path: Path):
    new, first, _ = texts
    other = SignatureConfig(bands=8, shingle=24)
    old = {"old": sign(tmp_path / "o", first, other)}
    with pytest.raises(RequestError, match="signed otherwise: bands: 8 → 16; shingle: 24 → 20") as error:
        run(tmp_path, sign(tmp_path / "n", new), old)
    assert "signals.duplicates.bands=8" in str(error.value)
    with pytest.raises(GlotmixError, match="not there or not finished"):
        run(tmp_path, tmp_path / "n" / "signatures", {"old": tmp_path / "nowhere"})


def test_signatures_of_a_version_that_folded_otherwise_are_refused(tmp_path: Path):
    (tmp_path / "old").mkdir()
    identity = Identity("signals/signatures", 1, CONFIG.model_dump(mode="json"))
    record.build(tmp_path / "old", identity, lambda output: {"documents": 1})
    with pytest.raises(RequestError, match=r"'old' .* by another version of glotmix \(1, now \d+\)"):
        cross_corpus_duplicates._alike("old", tmp_path / "old", CONFIG)
