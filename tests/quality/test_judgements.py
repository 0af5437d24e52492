"""Rater columns and verdicts: read, turned the same way, compared."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from glotmix.core.errors import DataError, RequestError
from glotmix.quality import joined, judgements
from glotmix.quality.raters_config import RaterColumn

DOCUMENTS = pa.table(
    {
        "id": ["007", "b", "c", "d", "e"],
        "lang": ["fra_Latn", "tha_Thai", "amh_Ethi", "zho_Hans", "fra_Latn"],
        "text": ["x"] * 5,
    }
)


def written(folder, rows, name="r", suffix=".parquet"):
    path = folder / f"{name}{suffix}"
    if suffix == ".jsonl":
        path.write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    elif suffix == ".csv":
        pcsv.write_csv(pa.Table.from_pylist(rows), path)
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return path.name


ROWS = [{"id": "c", "score": 3.5}, {"id": "007", "score": 1.0}, {"id": "b", "score": None}, {"id": "new", "score": 9.0}]


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_columns_are_read_by_id_from_every_kind_of_file(tmp_path, suffix):
    name = written(tmp_path, ROWS, suffix=suffix)
    found = judgements.rated(DOCUMENTS, [RaterColumn(name="edu", path=name, column="score")], tmp_path)
    assert found.ids == ("007", "b", "c", "d", "e")
    np.testing.assert_array_equal(found.values[:, 0], [1.0, np.nan, 3.5, np.nan, np.nan])
    assert found.unknown == {"edu": 1}
    shuffled = judgements.rated(
        DOCUMENTS.take([3, 1, 4, 0, 2]), [RaterColumn(name="e", path=name, column="score")], tmp_path
    )
    np.testing.assert_array_equal(shuffled.values, found.values)


def test_directions_scopes_and_folders(tmp_path):
    (tmp_path / "parts").mkdir()
    for number, rows in enumerate((ROWS[:2], [{"id": "e", "score": 2.0}])):
        written(tmp_path / "parts", rows, f"part-{number}")
    raters = [
        RaterColumn(name="low", path="parts", column="score", better="low"),
        RaterColumn(name="french", path="parts", column="score", languages=("fr",)),
    ]
    found = judgements.rated(DOCUMENTS, raters, tmp_path)
    np.testing.assert_array_equal(found.values[:, 0], [-1.0, np.nan, -3.5, np.nan, -2.0])
    np.testing.assert_array_equal(found.values[:, 1], [1.0, np.nan, np.nan, np.nan, 2.0])
    flags = written(tmp_path, [{"id": "b", "good": True}, {"id": "c", "good": False}], "flags")
    label = judgements.rated(DOCUMENTS, [RaterColumn(name="label", path=flags, column="good")], tmp_path)
    np.testing.assert_array_equal(label.values[:, 0], [np.nan, 1, 0, np.nan, np.nan])


@pytest.mark.parametrize(
    ("rows", "options", "blame"),
    [
        ([{"id": "b", "score": "high"}], {}, "it holds string"),
        ([{"id": "b", "score": float("inf")}], {}, "1 values are infinite"),
        ([{"id": "b", "score": 1.0}, {"id": "b", "score": 2.0}], {}, "the id b has more than one value"),
        ([{"id": "z", "score": 1.0}], {}, "none of its 1 ids is a document's"),
        ([{"id": None, "score": 1.0}, {"id": "b", "score": 1.0}], {}, "1 rows have a value and no id"),
        ([{"id": "b", "score": 1.0}], {"column": "scores"}, "did you mean 'score'"),
        ([{"id": "b", "score": 1.0}], {"languages": ("fra",)}, "no number for any document in its languages"),
    ],
)
def test_columns_that_cannot_be_used_are_blamed(tmp_path, rows, options, blame):
    given = {"name": "r", "path": written(tmp_path, rows), "column": "score"} | options
    with pytest.raises(DataError, match=blame):
        judgements.rated(DOCUMENTS, [RaterColumn(**given)], tmp_path)


def test_words_of_a_property_are_ranked_by_their_order(tmp_path):
    order = ("unacceptable", "poor", "adequate", "good", "excellent")
    words = [*order, None][: len(DOCUMENTS)]
    rows = [{"id": i, "said": word} for i, word in zip(DOCUMENTS["id"].to_pylist(), words, strict=True)]
    name = written(tmp_path, rows)
    given = {"name": "propella", "path": name, "column": "said"}
    found = judgements.rated(DOCUMENTS, [RaterColumn(**given, order=order)], tmp_path)
    ranked = dict(zip(found.ids, found.values[:, 0].tolist(), strict=True))
    assert ranked == {row["id"]: order.index(row["said"]) for row in rows}
    with pytest.raises(DataError, match=r"'good' is not in its order(?s:.*)name every word once"):
        judgements.rated(DOCUMENTS, [RaterColumn(**given, order=("unacceptable", "poor", "adequate"))], tmp_path)
    with pytest.raises(DataError, match=r"a number per document(?s:.*)order: \["):
        judgements.rated(DOCUMENTS, [RaterColumn(**given)], tmp_path)
    with pytest.raises(RequestError, match="names a word twice"):
        judgements.rated(DOCUMENTS, [RaterColumn(**given, order=("good", "good"))], tmp_path)
    numbers = written(tmp_path, [{"id": i, "score": 1.0} for i in DOCUMENTS["id"].to_pylist()])
    with pytest.raises(DataError, match="order is of words"):
        judgements.rated(DOCUMENTS, [RaterColumn(name="n", path=numbers, column="score", order=order)], tmp_path)


@pytest.mark.parametrize("name", ["empty.parquet", "empty.csv", "mixed.jsonl"])
def test_files_that_cannot_be_read_are_blamed(tmp_path, name):
    (tmp_path / name).write_text('{"id": "b", "score": "n/a"}\n{"id": "c", "score": 1}\n' * (name == "mixed.jsonl"))
    with pytest.raises(DataError, match=f"{name} cannot be read"):
        judgements.rated(DOCUMENTS, [RaterColumn(name="r", path=name, column="score")], tmp_path)


def test_a_row_of_json_need_not_have_what_another_has(tmp_path):
    rows = [{"id": "b", "note": "n/a"}, {"score": 1.5, "id": "c", "note": 3}]
    given = RaterColumn(name="r", path=written(tmp_path, rows, suffix=".jsonl"), column="score")
    found = judgements.rated(DOCUMENTS, [given], tmp_path)
    np.testing.assert_array_equal(found.values[:, 0], [np.nan, np.nan, 1.5, np.nan, np.nan])


def test_documents_of_a_csv_keep_the_zeros_of_their_ids_and_their_lines(tmp_path):
    rows = [{"id": f"00{i}", "lang": "fra", "text": f"one\n{i}", "group": f"0{i}", "score": i} for i in range(3)]
    given = joined.documents(tmp_path / written(tmp_path, rows, suffix=".csv"))
    assert given["id"].to_pylist() == ["000", "001", "002"] and given["text"].to_pylist()[2] == "one\n2"
    assert given["group"].to_pylist() == given["source"].to_pylist() == ["00", "01", "02"]
    rater = RaterColumn(name="r", path=written(tmp_path, rows, suffix=".csv"), column="score")
    np.testing.assert_array_equal(judgements.rated(given, [rater], tmp_path).values[:, 0], [0, 1, 2])


def test_a_missing_file_two_names_and_a_strange_language(tmp_path):
    rater = RaterColumn(name="r", path="nowhere.csv", column="score")
    with pytest.raises(DataError, match="there is no table at"):
        judgements.rated(DOCUMENTS, [rater], tmp_path)
    with pytest.raises(RequestError, match="two raters are called r"):
        judgements.rated(DOCUMENTS, [rater, rater], tmp_path)
    odd = RaterColumn(name="r", path=written(tmp_path, ROWS), column="score", languages=("klingonish",))
    with pytest.raises(RequestError, match="klingonish"):
        judgements.rated(DOCUMENTS, [odd], tmp_path)


def test_pairs_join_all_documents_of_a_language_and_no_others():
    langs = np.array((["fra_Latn"] * 40 + ["tha_Thai"] * 9 + ["amh_Ethi"] + ["ell_Grek"] * 2) * 1, object)
    left, right = judgements.draw_pairs(langs, 6, seed=1)
    assert (langs[left] == langs[right]).all()
    assert (left != right).all()
    keys = {frozenset(pair) for pair in zip(left.tolist(), right.tolist(), strict=True)}
    assert len(keys) == len(left)
    graph = coo_array((np.ones(len(left)), (left, right)), shape=(52, 52))
    assert connected_components(graph, directed=False)[0] == 4
    times = np.bincount(np.r_[left, right], minlength=52)
    assert times[49] == 0
    assert 5 <= times[:40].mean() <= 6
    again = judgements.draw_pairs(langs, 6, seed=1)
    assert (again[0] == left).all()
    assert (judgements.draw_pairs(langs, 6, seed=2)[0] != left[: len(judgements.draw_pairs(langs, 6, seed=2)[0])]).any()


def verdict(a, b, answer, judge="m"):
    return {"a": a, "b": b, "answer": answer, "judge": judge, "prompt": "which?"}


def test_verdicts_in_both_orders_become_soft_votes(tmp_path):
    rows = [
        verdict("b", "c", "a"), verdict("c", "b", "b"),  # both orders agree on b
        verdict("c", "d", "a"), verdict("d", "c", "a"),  # always the one shown first
        verdict("e", "b", "tie"), verdict("gone", "b", "a"),
        verdict("b", "c", "b", judge="k"),
    ]  # fmt: skip
    path = tmp_path / written(tmp_path, rows, suffix=".jsonl")
    found = judgements.verdicts([path], ["007", "b", "c", "d", "e"])
    assert found.names == ("k", "m")
    assert list(zip(found.left.tolist(), found.right.tolist(), strict=True)) == [(1, 2), (1, 4), (2, 3)]
    np.testing.assert_array_equal(found.preferred, [[0, 1], [np.nan, 0.5], [np.nan, 0.5]])
    assert found.first == {"k": 0.0, "m": pytest.approx((1 + 0 + 1 + 1 + 0.5) / 5)}
    assert found.unknown == 1


def test_columns_vote_on_judged_pairs_too(tmp_path):
    path = tmp_path / written(tmp_path, [verdict("d", "b", "a"), verdict("b", "c", "a")], suffix=".jsonl")
    judged = judgements.verdicts([path], list("abcd"))
    values = np.array([[4.0], [3], [2], [1]])
    left, right = np.array([0, 2, 3]), np.array([1, 1, 2])
    votes, names = judgements.together(values, ("col",), left, right, judged)
    assert names == ("col", "m")
    pairs = list(zip(votes.left.tolist(), votes.right.tolist(), strict=True))
    assert pairs == [(0, 1), (3, 2), (1, 2), (1, 3)]
    np.testing.assert_array_equal(votes.preferred, [[1, np.nan], [0, np.nan], [1, 1], [1, 0]])
    with pytest.raises(RequestError, match="name of a rater column and of a judge"):
        judgements.together(values, ("m",), left, right, judged)


@pytest.mark.parametrize(
    ("line", "blame"),
    [
        ("{not json", "line 1: this is not JSON"),
        ("[1]", "an object is needed"),
        ('{"a": "b", "b": "c", "answer": "a"}', "judge is missing"),
        ('{"a": "b", "b": "c", "answer": "left", "judge": "m"}', "is no verdict"),
        ('{"a": "b", "b": "b", "answer": "a", "judge": "m"}', "is no verdict"),
        ('{"a": "b", "b": "c", "answer": ["a"], "judge": "m"}', "line 1: answer is"),
    ],
)
def test_verdicts_that_cannot_be_read_are_blamed(tmp_path, line, blame):
    path = tmp_path / "v.jsonl"
    path.write_text(line + "\n", "utf-8")
    with pytest.raises(DataError, match=blame):
        judgements.verdicts([path], ["b", "c"])
