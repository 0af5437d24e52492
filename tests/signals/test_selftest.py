import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from glotmix.core import record, table
from glotmix.core.record import Identity
from glotmix.signals import duplicates, selftest, signatures
from glotmix.signals.duplicates import DuplicatesConfig

SENTENCES = pq.read_table(Path(__file__).parents[1] / "data" / "sentences.parquet").to_pylist()
LANGS = [
    "eng_Latn",
    "rus_Cyrl",
    "arb_Arab",
    "hin_Deva",
    "ben_Beng",
    "tha_Thai",
    "khm_Khmr",
    "zho_Hans",
    "kor_Hang",
    "tir_Ethi",
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("selftest") / "corpus"
    for lang in LANGS:
        held = [r["text"] for r in SENTENCES if r["lang"] == lang]
        texts = [" ".join(held[i : i + 10]) for i in range(0, 240, 10)]
        rows = {"id": [f"{lang}/{i}" for i in range(24)], "text": texts, "lang": [lang] * 24, "source": ["a"] * 24}
        table.write(pa.table(rows), folder / lang / "a-00000.parquet")
    return folder


def examined(folder: Path, config: DuplicatesConfig) -> list[selftest.Finding]:
    sample = selftest.chosen(folder, config.selftest)
    return selftest.run(sample, selftest.texts(folder, sample), config)


def test_every_script_is_found(corpus: Path, tmp_path: Path):
    found = examined(corpus, DuplicatesConfig(selftest=20))
    assert [f.script for f in found] == sorted(lang[-4:] for lang in LANGS)
    for f in found:
        assert f.documents == 20 and list(f.by_edit) == ["0", "0.01", "0.02", "0.05", "0.1"]
        # Copies in which only case and punctuation changed are near, and found, one and all.
        assert f.by_edit["0"] == [4, 4, 4]
        assert f.near >= 12 and f.found >= 0.9 * f.near and f.right == f.linked
        assert f.by_edit["0.1"][1] == 0


def test_a_search_that_misses_says_so(corpus: Path, tmp_path: Path):
    config = DuplicatesConfig(bands=1, rows=30, selftest=20, recall_floor=0.9)
    found = examined(corpus, config)
    told = selftest.warnings(found, config)
    assert len(told) >= 5
    assert all("known pairs at a similarity of 0.8" in t and "more bands" in t for t in told)
    assert not selftest.warnings(found, config.model_copy(update={"recall_floor": 0.0}))


def test_a_search_that_takes_everything_is_not_precise(corpus: Path, tmp_path: Path):
    config = DuplicatesConfig(bands=40, rows=2, verify="off", selftest=20)
    assert sum(f.linked - f.right for f in examined(corpus, config)) > 20


def test_it_stands_in_the_record(corpus: Path, tmp_path: Path):
    config = DuplicatesConfig(bands=1, rows=30, selftest=10)
    record.build(tmp_path / "s", Identity("s", 1), lambda out: signatures.make(out, corpus, config.signature))
    kept = record.build(
        tmp_path / "d", Identity("d", 1), lambda out: duplicates.make(out, tmp_path / "s", corpus, config)
    )
    told = json.loads(json.dumps(kept.notes))
    assert {row["script"] for row in told["self-test"]} == {lang[-4:] for lang in LANGS}
    for row in told["self-test"]:
        assert row["recall"] == pytest.approx(row["found"] / row["near"])
        low, high = row["recall_interval"]
        assert low <= row["recall"] <= high
    assert told["warnings"] and not list((tmp_path / "d").glob(".*"))


def test_the_sample_does_not_depend_on_shards(corpus: Path, tmp_path: Path):
    whole = table.read(table.shards(corpus)).take(np.random.default_rng(0).permutation(240))
    table.write(whole, tmp_path / "one" / "x.parquet")
    config = DuplicatesConfig(selftest=7)
    assert examined(corpus, config) == examined(tmp_path / "one", config)


def test_a_corpus_of_short_texts_has_no_self_test(tmp_path: Path):
    rows = {"id": ["a"], "text": ["short"], "lang": ["eng_Latn"], "source": ["s"]}
    table.write(pa.table(rows), tmp_path / "corpus" / "x.parquet")
    assert examined(tmp_path / "corpus", DuplicatesConfig()) == []


@pytest.mark.parametrize("rate", selftest.EDITS)
def test_the_stated_share_is_replaced(rate: float):
    text = "".join(chr(0x4E00 + i) for i in range(3000))
    copy = selftest.edited(text, "x" * 500, rate, np.random.default_rng(1))
    assert copy.count("x") == round(rate * 3000)
    assert len(copy.replace(" -- ", "")) == 3000


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_intervals_are_wilsons(pair: tuple[int, int]):
    hits, of = pair
    expected = binomtest(hits, of).proportion_ci(method="wilson")
    assert selftest.wilson(hits, of) == pytest.approx([expected.low, expected.high], abs=1e-9)
    assert selftest.wilson(0, 0) is None and selftest.share(0, 0) is None
