"""Anchors: reading, drawing, weights, groups, folds."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmix.core.errors import DataError, RequestError
from glotmix.quality import anchors
from quality_world import LANGS


def write_lines(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in rows), "utf-8")
    return path


def test_jsonl_and_parquet_say_the_same_and_languages_are_canonical(tmp_path):
    rows = [
        {"text": "Привет, мир", "lang": "ru", "label": 1, "group": "g", "source": "web"},
        {"text": "今日は", "lang": "ja", "label": False, "group": 7},
        {"text": "สวัสดี", "lang": "tha_Thai", "label": 0.0},
    ]
    lines = anchors.read([write_lines(tmp_path / "a.jsonl", *rows)])
    plain = [
        {**r, "group": None if r.get("group") is None else str(r["group"]), "label": float(r["label"])} for r in rows
    ]
    pq.write_table(pa.Table.from_pylist(plain), tmp_path / "a.parquet")
    assert lines.equals(anchors.read([tmp_path / "a.parquet"]))
    assert lines.schema.equals(anchors.SCHEMA)
    assert lines["lang"].to_pylist() == ["rus_Cyrl", "jpn_Jpan", "tha_Thai"]
    assert lines["label"].to_pylist() == [True, False, False]
    assert lines["group"].to_pylist() == ["g", "7", None]


GOOD = {"text": "abc", "lang": "fra_Latn", "label": 1}


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("{", "not JSON"),
        ("[1]", "list"),
        ({"text": "a", "lang": "fra_Latn"}, "no label"),
        ({**GOOD, "label": "good"}, "the label is 'good'"),
        ({**GOOD, "label": 0.5}, "the label is 0.5"),
        ({**GOOD, "label": None}, "the label is None"),
        ({**GOOD, "text": " \n"}, "missing or empty"),
        ({**GOOD, "lang": "french"}, "french"),
        ({**GOOD, "lang": None}, "the language is None"),
        ({**GOOD, "group": [1]}, r"the group is \[1\]"),
    ],
)
def test_an_anchor_that_cannot_be_used_is_named_by_file_and_line(tmp_path, bad, said):
    path = write_lines(tmp_path / "mine.jsonl", GOOD, bad)
    with pytest.raises(DataError, match=rf"mine\.jsonl, line 2: .*{said}"):
        anchors.read([path])


def test_a_text_that_is_called_good_and_bad_is_refused_within_a_file_and_across_files(tmp_path):
    one = write_lines(tmp_path / "one.jsonl", GOOD, GOOD, {**GOOD, "lang": "deu", "label": 0}, {**GOOD, "text": "abd"})
    assert anchors.read([one, one]).num_rows == 8
    within = write_lines(tmp_path / "within.jsonl", GOOD, {**GOOD, "text": "x"}, {**GOOD, "lang": "fr", "label": False})
    with pytest.raises(DataError, match=r"within\.jsonl, line 3: .* called bad, and good in .*within\.jsonl, line 1"):
        anchors.read([within])
    pq.write_table(pa.Table.from_pylist([{**GOOD, "label": 0}]), tmp_path / "other.parquet")
    with pytest.raises(DataError, match=r"other\.parquet, row 1: .* called bad, and good in .*one\.jsonl, line 1"):
        anchors.read([one, tmp_path / "other.parquet"])


def test_files_that_hold_no_anchors_are_refused(tmp_path):
    pq.write_table(pa.table({"text": ["a"], "lang": ["fra"], "labels": [1]}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"no column label: .*did you mean 'labels'"):
        anchors.read([tmp_path / "x.parquet"])
    with pytest.raises(DataError, match="holds no anchor"):
        anchors.read([write_lines(tmp_path / "empty.jsonl")])
    with pytest.raises(DataError, match="there is no anchor file"):
        anchors.read([tmp_path / "absent.jsonl"])
    with pytest.raises(RequestError, match=r"\.csv"):
        anchors.read([write_lines(tmp_path / "a.csv")])
    with pytest.raises(RequestError, match="no anchor file was named"):
        anchors.read([])


def test_the_shipped_anchors():
    path = anchors.shipped()
    assert path.stat().st_size < 1_000_000
    assert "belongs to the sites" in (path.parent / "README.md").read_text("utf-8")
    table = anchors.read([path])
    told = anchors.counts(table)
    assert len(told) == 11
    assert told["pes_Arab"] == (150, 50)
    assert sum(good + bad for good, bad in told.values()) == table.num_rows == 2513
    assert max(len(t) for t in table["text"].to_pylist()) <= 900


def some_anchors(n: int, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "text": [f"text {i}" for i in range(n)],
            "lang": [LANGS[i] for i in rng.integers(0, 3, n)],
            "label": rng.random(n) < 0.8,
            "group": pa.array([None] * n, pa.string()),
            "source": pa.array([None] * n, pa.string()),
        }
    )


def test_draw_is_capped_per_class_and_does_not_depend_on_the_order():
    table = some_anchors(300)
    drawn = anchors.draw(table, 12, seed=3)
    for lang, (good, bad) in anchors.counts(drawn).items():
        assert (good, bad) == tuple(min(12, n) for n in anchors.counts(table)[lang])
    shuffled = table.take(np.random.default_rng(1).permutation(300))
    again = anchors.draw(shuffled, 12, seed=3)["text"].to_pylist()
    assert sorted(again) == sorted(drawn["text"].to_pylist())
    assert sorted(again) != sorted(anchors.draw(table, 12, seed=4)["text"].to_pylist())
    assert anchors.draw(table, 1000, seed=0).equals(table)


def repeated(langs: list[str], labels: np.ndarray, per_class: int, upsample: float) -> np.ndarray:
    """The weights, the slow way: repeat each cell's documents up to N or `upsample` times, then balance classes."""
    cells = list(zip(langs, labels.tolist(), strict=True))
    size = {c: cells.count(c) for c in cells}
    most = min(per_class, max(size.values()))
    weight = np.array([min(most, upsample * size[c]) / size[c] for c in cells])
    for label in (True, False):
        if (labels == label).any():
            weight[labels == label] *= len(cells) / 2 / weight[labels == label].sum()
    return weight


@given(
    st.lists(st.tuples(st.sampled_from(LANGS), st.booleans()), min_size=1, max_size=60),
    st.integers(1, 40),
    st.floats(1, 5),
)
@settings(max_examples=60, deadline=None)
def test_weights_are_what_repetition_would_give(rows, per_class, upsample):
    langs, labels = [r[0] for r in rows], np.array([r[1] for r in rows])
    found = anchors.weights(pa.array(langs), labels, per_class, upsample)
    np.testing.assert_allclose(found, repeated(langs, labels, per_class, upsample))
    if labels.any() and not labels.all():
        assert found[labels].sum() == pytest.approx(found[~labels].sum())
        assert found.sum() == pytest.approx(len(rows))


def test_a_scarce_language_counts_at_most_three_times_as_much():
    langs = pa.array(["fra_Latn"] * 100 + ["tha_Thai"] * 5)
    weight = anchors.weights(langs, np.array(([True] * 50 + [False] * 50) + [True] * 5), 10_000)
    assert weight[-1] / weight[0] == pytest.approx(3)


def joined(texts: list[str], marks: list[str | None]) -> list[int]:
    """Groups, the slow way: spread the smallest number until nothing changes."""
    number = list(range(len(texts)))
    changed = True
    while changed:
        changed = False
        for i in range(len(texts)):
            for j in range(len(texts)):
                same = texts[i] == texts[j] or (marks[i] is not None and marks[i] == marks[j])
                if same and number[j] < number[i]:
                    number[i], changed = number[j], True
    return number


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([None, None, "x", "y", "z"])), max_size=14))
@settings(max_examples=60, deadline=None)
def test_groups_join_equal_texts_and_equal_marks(rows):
    texts, marks = [r[0] for r in rows], [r[1] for r in rows]
    found = anchors.groups(pa.table({"text": pa.array(texts, pa.string()), "group": pa.array(marks, pa.string())}))
    wanted = joined(texts, marks)
    pairs = [(i, j) for i in range(len(rows)) for j in range(len(rows))]
    assert [found[i] == found[j] for i, j in pairs] == [wanted[i] == wanted[j] for i, j in pairs]


@given(st.lists(st.integers(0, 30), min_size=60, max_size=120), st.integers(2, 5), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_group_stands_in_one_fold(group, count, seed):
    numbers = np.array([*group, *range(31)])
    fold = anchors.folds(numbers, count, seed)
    assert all(len(set(fold[numbers == g])) == 1 for g in set(numbers.tolist()))
    sizes = np.bincount(fold, minlength=count)
    assert sizes.max() - sizes.min() <= np.bincount(numbers).max()


def test_too_few_groups_for_the_folds():
    with pytest.raises(DataError, match=r"5 folds .* 2 groups"):
        anchors.folds(np.array([0, 0, 0, 1, 1]), 5, 0)
