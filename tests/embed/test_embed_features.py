import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glotmix.embed import features, vocabulary
from glotmix.native import ngrams
from slow_features import features as slow
from slow_features import key

TEXTS = [
    "The cat's 2 mice, naïve — CAFÉ!",
    "Кошка съела мышь.",
    "Η γάτα έφαγε το ποντίκι.",
    "أكلت القِطّةُ الفأر في ٢٠٢٤",
    "החתול אכל את העכבר",
    "बिल्ली ने चूहे को खा लिया। १२३",
    "বিড়াল ইঁদুর খেয়েছে",
    "แมวกินหนู ๕ ตัว",
    "ကြောင်က ကြွက်ကို စားတယ်။",
    "猫吃了老鼠。3只",
    "猫がネズミを食べたAI",
    "고양이가 쥐를 먹었다",
    "ድመቷ አይጧን በላች።",
    "",
    "…!?",
]


def keys(text: str) -> list[int]:
    return features.hashes([text])[1].tolist()


@pytest.mark.parametrize("text", TEXTS)
def test_features_are_those_of_the_description(text: str) -> None:
    assert sorted(keys(text)) == sorted(key(f) for f in slow(text))


def test_real_sentences_of_fifteen_languages(data: pa.Table) -> None:
    for row in data.take(list(range(0, data.num_rows, 37))).to_pylist():
        assert sorted(keys(row["text"])) == sorted(key(f) for f in slow(row["text"])), row


@pytest.fixture(scope="module")
def data() -> pa.Table:
    return pq.read_table("tests/data/sentences.parquet")


@given(st.text(alphabet=st.sampled_from("aBé 7٣กมั猫ネー한ሰ።-\u0301\u064e\u200dﬁ"), max_size=40))
def test_any_mixture_of_scripts(text: str) -> None:
    assert sorted(keys(text)) == sorted(key(f) for f in slow(text))


def test_forms_of_writing_that_mean_the_same() -> None:
    for one, other in (
        ("café", unicodedata.normalize("NFD", "café")),
        ("ＡＢＣ １２", "abc 12"),
        ("١٢٣", "123"),
        ("كتابي", "کتابی"),
        ("كِتَابٌ", "كتاب"),
        ("ＳTRASSE", "strasse"),
        ("ΟΔΟΣ", "οδος"),
        ("οδός", "οδόσ"),
    ):
        assert keys(one) == keys(other), (one, other)


def test_texts_do_not_touch_each_other() -> None:
    starts, found = features.hashes(TEXTS)
    for i, text in enumerate(TEXTS):
        assert found[starts[i] : starts[i + 1]].tolist() == keys(text)
    sliced = pa.array(["never", *TEXTS, "seen"], pa.large_string()).slice(1, len(TEXTS))
    assert features.hashes(sliced)[1].tolist() == found.tolist()


def test_a_run_that_is_no_word_gives_ngrams_alone() -> None:
    assert len(keys("a" * 48)) == 1 + len(keys("a" * 48 + "b")) - 3
    assert keys("x" * 200_000)


def test_table_finds_what_it_holds_and_nothing_else() -> None:
    wanted = np.unique(np.random.default_rng(0).integers(1, 2**32, 10_000, dtype=np.uint32))
    slots = ngrams.table(wanted[::2].copy())
    found = ngrams.rows_of(wanted, *slots)
    assert found[::2].tolist() == list(range(len(wanted[::2])))
    assert (found[1::2] == -1).all()


def test_counting_in_pieces_is_counting_at_once() -> None:
    values = np.random.default_rng(1).integers(1, 50, 1_000, dtype=np.uint32)
    once, pieces = vocabulary.count([values]), vocabulary.count(np.split(values, 8))
    assert [a.tolist() for a in once] == [a.tolist() for a in pieces]
    assert once[1].sum() == 1_000


def test_vocabulary_is_balanced_over_languages() -> None:
    large = (np.arange(1, 101, dtype=np.uint32), np.full(100, 1_000))
    small = (np.arange(201, 211, dtype=np.uint32), np.full(10, 10))
    keys = vocabulary.choose({"a": large, "b": small}, 60, balance=0.0)
    assert set(small[0].tolist()) <= set(keys.tolist())
    taken = vocabulary.choose({"a": large, "b": small}, 60, balance=1.0)
    assert not set(small[0].tolist()) & set(taken.tolist())
    nothing = vocabulary.choose({"a": (large[0], np.ones(100, np.int64))}, 60)
    assert not len(nothing)


def test_shares_are_those_of_the_language_where_a_key_is_commonest() -> None:
    one = (np.array([3, 5, 9], np.uint32), np.array([600_000, 200_000, 100_000]))
    other = (np.array([5, 7], np.uint32), np.array([800_000, 100_000]))
    found = vocabulary.shares(
        np.array([3, 4, 5, 7, 9, 11], np.uint32), {"a": one, "b": other, "c": (one[0][:0], one[1][:0])}
    )
    assert found.tolist() == [0.6, 0, 0.8, 0.1, 0.1, 0]
