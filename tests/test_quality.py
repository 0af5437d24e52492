"""Anchors, features, heads, the leave-one-language-out split, and the audit."""

import doctest
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, rankdata, zscore
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from glotmix import record
from glotmix.errors import DataError, RequestError
from glotmix.quality import anchors, auc, audit, features, heads, rater, transfer
from glotmix.quality.audit import Figure, Judged
from glotmix.quality.heads import Head, Rater
from glotmix.quality.transfer import Labelled
from glotmix.signals import heuristics

LANGS = ["fra_Latn", "ell_Grek", "arb_Arab", "tha_Thai", "jpn_Jpan", "amh_Ethi"]
FAST = {"trees": 20, "seeds": 1}


@pytest.mark.parametrize("module", [anchors, auc])
def test_docstrings(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


# ---------------------------------------------------------------------------------------------------- anchors


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


# --------------------------------------------------------------------------------------------------- features


def measured(n: int = 90, seed: int = 0, langs: list[str] = LANGS) -> pa.Table:
    """Features of n documents a language: one bell-shaped, one full of zeros, one with gaps, one whole number."""
    rng = np.random.default_rng(seed)
    size = n * len(langs)
    zeros = np.where(rng.random(size) < 0.6, 0.0, rng.gamma(2, size=size))
    return pa.table(
        {
            "id": [f"d{i}" for i in range(size)],
            "lang": np.repeat(langs, n).tolist(),
            "bell": rng.normal(size=size),
            "zeros": zeros,
            "gaps": pa.array(rng.normal(size=size), mask=rng.random(size) < 0.3),
            "count": pa.array(rng.integers(0, 40, size), pa.int32()),
        }
    )


COLUMNS = ("bell", "zeros", "gaps", "count")


def moved(table: pa.Table, lang: str, scale: float, shift: float) -> pa.Table:
    mine = np.array(table["lang"].to_pylist()) == lang
    for name in COLUMNS:
        old = table[name].cast(pa.float64())
        values = np.where(mine, old.to_numpy() * scale + shift, old.to_numpy())
        gaps = old.is_null().to_numpy()
        table = table.set_column(table.column_names.index(name), name, pa.array(values, mask=gaps))
    return table


@pytest.mark.parametrize("how", ["z", "robust", "normal"])
@given(scale=st.floats(1e-3, 1e3), shift=st.floats(-100, 100), lang=st.sampled_from(LANGS))
@settings(max_examples=8, deadline=None)
def test_scaling_or_shifting_a_language_changes_no_score(how, scale, shift, lang):
    table = measured()
    before = features.fit(table, COLUMNS).apply(table, how)
    other = moved(table, lang, scale, shift)
    after = features.fit(other, COLUMNS).apply(other, how)
    # A value that equals a quantile can fall to either side of it by rounding: where many share it, by much.
    near = np.isclose(before, after, atol=1e-4, equal_nan=True)
    assert near.all() if how != "normal" else near.mean() > 0.99


def test_shifting_a_language_changes_no_shared_score_and_stretching_is_bounded():
    table = measured()
    usual = features.fit(table, COLUMNS)
    before = usual.apply(table, "shared")
    shifted = moved(table, "tha_Thai", 1.0, 55.0)
    np.testing.assert_allclose(before, features.fit(shifted, COLUMNS).apply(shifted, "shared"), atol=1e-9)
    mine = np.array(table["lang"].to_pylist()) == "tha_Thai"
    stretched = moved(table, "tha_Thai", 1000.0, 0.0)
    after = features.fit(stretched, COLUMNS).apply(stretched, "shared")
    # At most twice as wide as the language's own z-scores, at least half as wide.
    z = usual.apply(table, "z")[mine]
    width = np.nanstd(after[mine], axis=0) / np.nanstd(z, axis=0)
    assert (width > 0.49).all()
    assert (width < 2.01).all()
    small = moved(table, "tha_Thai", 1.4, 0.0)
    ratio = features.fit(small, COLUMNS).apply(small, "shared")[mine] / before[mine]
    assert np.nanmedian(ratio) == pytest.approx(1.4, rel=0.08)


def test_z_is_what_scipy_says_and_nulls_stay():
    table = measured()
    found = features.fit(table, COLUMNS).apply(table, "z")
    langs = np.array(table["lang"].to_pylist())
    for at, name in enumerate(COLUMNS):
        values = table[name].cast(pa.float64()).to_numpy()
        for lang in LANGS:
            wanted = zscore(values[langs == lang], nan_policy="omit")
            np.testing.assert_allclose(found[langs == lang, at], np.clip(wanted, -8, 8), atol=1e-9)
    assert np.isnan(found).sum() == table["gaps"].null_count > 0
    np.testing.assert_array_equal(features.fit(table, COLUMNS).apply(table, "none"), features.numeric(table, COLUMNS))


def test_normal_scores_follow_mid_ranks():
    table = measured(800, langs=["fra_Latn"])
    found = features.fit(table, COLUMNS).apply(table, "normal")
    for at, name in enumerate(["bell", "zeros"]):
        values = table[name].to_numpy()
        wanted = norm.ppf((rankdata(values) - 0.5) / len(values))
        middle = np.abs(wanted) < 2
        assert np.abs(found[middle, at] - wanted[middle]).max() < 0.06
    zeros = table["zeros"].to_numpy() == 0
    assert np.ptp(found[zeros, 1]) == 0
    assert found[zeros, 1][0] == pytest.approx(norm.ppf(zeros.mean() / 2), abs=0.05)


def test_robust_ignores_a_few_wild_values():
    table = measured(200, langs=["fra_Latn"])
    bell = table["bell"].to_numpy().copy()
    bell[:4] = 1e6
    wild = table.set_column(table.column_names.index("bell"), "bell", pa.array(bell))
    before = features.fit(table, COLUMNS).apply(table, "robust")[4:, 0]
    after = features.fit(wild, COLUMNS).apply(wild, "robust")[4:, 0]
    assert np.abs(before - after).max() < 0.25
    assert np.std(features.fit(wild, COLUMNS).apply(wild, "z")[4:, 0]) < 1e-3


def test_small_and_unknown_languages_are_held_against_their_script_then_against_all():
    table = pa.concat_tables([measured(80), measured(10, seed=5, langs=["deu_Latn"])])
    usual = features.fit(table, COLUMNS)
    at = {name: usual.levels.index(name) for name in usual.levels}
    assert set(usual.level_of("fra_Latn")) == {at["fra_Latn"]}
    assert set(usual.level_of("deu_Latn")) == {at["Latn"]}
    assert set(usual.level_of("spa_Latn")) == {at["Latn"]}
    assert set(usual.level_of("hin_Deva")) == {at[""]}
    latin = np.isin(np.array(table["lang"].to_pylist()), ["fra_Latn", "deu_Latn"])
    bell = table["bell"].to_numpy()[latin]
    one = pa.table({"lang": ["spa_Latn"], **{c: [1.0] for c in COLUMNS}})
    assert usual.apply(one, "z")[0, 0] == pytest.approx((1 - bell.mean()) / bell.std())


def test_a_column_with_few_values_falls_back_alone():
    table = measured(60)
    gaps = table["gaps"].to_pylist()
    langs = table["lang"].to_pylist()
    kept = [None if lang == "fra_Latn" and i % 10 else g for i, (g, lang) in enumerate(zip(gaps, langs, strict=True))]
    usual = features.fit(table.set_column(4, "gaps", pa.array(kept, pa.float64())), COLUMNS)
    levels = [usual.levels[i] for i in usual.level_of("fra_Latn")]
    assert levels == ["fra_Latn", "fra_Latn", "", "fra_Latn"]


def test_a_constant_or_empty_column_says_nothing():
    table = pa.table(
        {"lang": ["fra_Latn"] * 60, "same": [3.0] * 60, "none": pa.array([None] * 60, pa.float64()), "x": range(60)}
    )
    usual = features.fit(table, ("same", "none", "x"))
    for how in ("z", "robust", "normal", "shared"):
        found = usual.apply(table, how)
        assert (found[:, 0] == 0).all()
        assert np.isnan(found[:, 1]).all()
        assert (np.diff(found[:, 2]) > 0).all()


def test_statistics_are_read_as_written_and_do_not_depend_on_the_order(tmp_path):
    table = measured()
    usual = features.fit(table, COLUMNS)
    usual.write(tmp_path / "a.parquet")
    again = features.Statistics.read(tmp_path / "a.parquet")
    shuffled = features.fit(table.take(np.random.default_rng(0).permutation(table.num_rows)), COLUMNS)
    shuffled.write(tmp_path / "b.parquet")
    for how in ("z", "robust", "normal", "shared"):
        np.testing.assert_array_equal(again.apply(table, how), usual.apply(table, how))
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_features_that_cannot_be_used_are_named():
    with pytest.raises(DataError, match="lack tail"):
        features.numeric(measured(), ("bell", "tail"))
    with pytest.raises(DataError, match="lang is string"):
        features.numeric(measured(), ("lang",))
    with pytest.raises(DataError, match="x is infinite in 1 doc"):
        features.numeric(pa.table({"x": [1.0, float("inf")]}), ("x",))
    assert features.names(measured()) == COLUMNS


# ------------------------------------------------------------------------------------------------------ heads


def planted(n: int = 120, seed: int = 0, langs: list[str] = LANGS, strength: float = 2.0) -> Labelled:
    """Documents whose `bell` and `zeros` differ by label, at another place and width in every language."""
    rng = np.random.default_rng([seed, 1])
    table = measured(n, seed, langs)
    labels = rng.random(table.num_rows) < 0.7
    for number, lang in enumerate(langs):
        mine = np.array(table["lang"].to_pylist()) == lang
        place, width = rng.normal(scale=20), 10.0 ** (number % 3)
        for name in ("bell", "zeros"):
            values = table[name].to_numpy() + strength * labels
            merged = np.where(mine, values * width + place, table[name].to_numpy())
            table = table.set_column(table.column_names.index(name), name, pa.array(merged))
    return Labelled(table, labels, np.arange(table.num_rows), COLUMNS)


def everyone(data: Labelled) -> np.ndarray:
    return np.arange(len(data.labels))


@pytest.mark.parametrize("kind", heads.HEADS)
def test_a_planted_signal_is_found_in_a_language_without_labels(kind):
    data = planted()
    head = Head(kind=kind, normalise="z", **FAST)
    found = transfer.mean_auc(data, transfer.leave_one_out(data, head, [0])[0])
    raw = transfer.mean_auc(data, transfer.leave_one_out(data, replace(head, normalise="none"), [0])[0])
    assert found > 0.9
    assert found > raw + 0.05
    noise = replace_labels(data, np.random.default_rng(7).permutation(data.labels))
    assert abs(transfer.mean_auc(noise, transfer.leave_one_out(noise, head, [0])[0]) - 0.5) < 0.08


def replace_labels(data: Labelled, labels: np.ndarray) -> Labelled:
    return Labelled(data.features, labels, data.group, data.columns, data.reference, data.per_class)


@pytest.mark.parametrize("kind", heads.HEADS)
def test_a_rater_scores_as_before_when_it_is_read_again(tmp_path, kind):
    data = planted(60)
    matrix = data.normalised("normal")
    made = data.rater(matrix, everyone(data), Head(kind=kind, normalise="normal", trees=15, seeds=2), 5)
    made.write(tmp_path)
    again = Rater.read(tmp_path)
    scores = made.score(matrix)
    np.testing.assert_array_equal(again.score(matrix), scores)
    assert scores.dtype == np.float32
    assert (scores > 0).all()
    assert (scores < 1).all()
    assert roc_auc_score(data.labels, scores) > 0.9
    assert {p.suffix for p in tmp_path.iterdir()} <= {".json", ".txt"}
    assert again.languages == tuple(sorted(LANGS))
    # A score belongs to a document, whatever else is scored with it.
    np.testing.assert_array_equal(
        np.concatenate([made.score(matrix[i : i + 7]) for i in range(0, len(matrix), 7)]), scores
    )


def test_the_order_of_documents_changes_no_byte_of_a_rater(tmp_path):
    data = planted(60)
    order = np.random.default_rng(3).permutation(len(data.labels))
    other = Labelled(data.features.take(order), data.labels[order], data.group[order], COLUMNS)
    head = Head(normalise="shared", trees=10, seeds=2)
    for name, one in (("a", data), ("b", other)):
        (tmp_path / name).mkdir()
        one.rater(one.normalised("shared"), everyone(one), head, 1).write(tmp_path / name)
    files = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert files == ["booster-0.txt", "booster-1.txt", "rater.json"]
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "a" / "booster-0.txt").read_bytes() != (tmp_path / "a" / "booster-1.txt").read_bytes()


def test_the_logistic_head_is_scikit_learns_with_gaps_as_mean_and_mark():
    data = planted(60)
    matrix = data.normalised("z")
    found = data.rater(matrix, everyone(data), Head(kind="logistic", normalise="z"), 0)
    gaps = np.isnan(matrix)
    mean, sd = np.nanmean(matrix, axis=0), np.nanstd(matrix, axis=0)
    design = np.c_[np.where(gaps, 0, (matrix - mean) / sd), gaps[:, [2]]]
    weights = anchors.weights(data.features["lang"], data.labels, 10_000)
    wanted = LogisticRegression(C=0.03, max_iter=2000).fit(design, data.labels, weights).predict_proba(design)[:, 1]
    np.testing.assert_allclose(found.score(matrix), wanted, atol=1e-4)


def test_both_is_the_mean_of_the_log_odds():
    data = planted(60)
    matrix = data.normalised("z")
    parts = {k: data.rater(matrix, everyone(data), Head(kind=k, normalise="z", **FAST), 2) for k in heads.HEADS}
    mean = (parts["logistic"].log_odds(matrix) + parts["boosting"].log_odds(matrix)) / 2
    np.testing.assert_allclose(parts["both"].log_odds(matrix), mean)


def test_what_cannot_be_trained_or_read_is_refused(tmp_path):
    data = replace_labels(planted(20), np.ones(20 * len(LANGS), bool))
    with pytest.raises(DataError, match="all 120 are good"):
        data.rater(data.normalised("z"), everyone(data), Head(), 0)
    with pytest.raises(DataError, match="there is no rater"):
        Rater.read(tmp_path)
    (tmp_path / "rater.json").write_text('{"columns": []}')
    with pytest.raises(DataError, match="damaged"):
        Rater.read(tmp_path)


# ------------------------------------------------------------------------------------------ AUC and the split


@given(st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=40), st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_auc_is_scikit_learns_with_ties_and_in_samples(rows, seed):
    labels, scores = np.array([r[0] for r in rows]), np.array([float(r[1]) for r in rows])
    if labels.all() or not labels.any():
        assert auc.auc(labels, scores) is None
        return
    assert auc.auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))
    drawn = auc.resampled(labels, np.stack([scores, -scores]), 3, np.random.default_rng(seed))
    # The same samples for both, so that the AUC of the one is the complement of the other's.
    np.testing.assert_allclose(drawn[0] + drawn[1], 1)
    rng = np.random.default_rng(seed)
    times = np.zeros((3, len(labels)))
    for side in (np.flatnonzero(labels), np.flatnonzero(~labels)):
        times[:, side] = rng.multinomial(len(side), np.full(len(side), 1 / len(side)), size=3)
    wanted = [roc_auc_score(np.repeat(labels, t.astype(int)), np.repeat(scores, t.astype(int))) for t in times]
    np.testing.assert_allclose(drawn[0], wanted)


@pytest.mark.parametrize("method", ["leave_one_out", "nested"])
def test_nothing_of_a_languages_labels_reaches_its_scores(method):
    data = planted(40, langs=LANGS[:4])
    mine = data.langs == "tha_Thai"
    other = replace_labels(data, np.where(mine, ~data.labels, data.labels))
    candidates = [Head(kind="logistic", normalise=n) for n in ("none", "z")]
    if method == "leave_one_out":
        before, after = (transfer.leave_one_out(d, candidates[1], [0]) for d in (data, other))
    else:
        (before, chosen), (after, other_chosen) = (transfer.nested(d, candidates, [0]) for d in (data, other))
        assert chosen["tha_Thai"] == other_chosen["tha_Thai"]
    np.testing.assert_array_equal(before[:, mine], after[:, mine])
    assert (before[:, ~mine] != after[:, ~mine]).all()


def test_a_head_is_chosen_without_the_language_that_it_is_judged_on(monkeypatch):
    data = planted(40, langs=LANGS[:4])
    asked = []

    def spy(seen: Labelled, candidates: list[Head], seed: int, among: list[str]) -> Head:
        asked.append(among)
        return candidates[len(asked) % 2]

    monkeypatch.setattr(transfer, "choose", spy)
    candidates = [Head(kind="logistic", normalise=n) for n in ("none", "z")]
    scores, chosen = transfer.nested(data, candidates, [0])
    names = sorted(LANGS[:4])
    assert asked == [[n for n in names if n != held] for held in names]
    assert [chosen[n] for n in names] == [candidates[1], candidates[0]] * 2
    fixed = {head: transfer.leave_one_out(data, head, [0]) for head in candidates}
    for lang in names:
        mine = data.langs == lang
        np.testing.assert_array_equal(scores[:, mine], fixed[chosen[lang]][:, mine])


def test_a_group_that_spans_languages_is_left_out_with_each():
    data = planted(40)
    thai, french = (np.flatnonzero(data.langs == g)[0] for g in ("tha_Thai", "fra_Latn"))
    group = data.group.copy()
    group[french] = group[thai]
    labels = data.labels.copy()
    labels[french] = not labels[french]
    head = Head(kind="logistic", normalise="z")
    mine = data.langs == "tha_Thai"
    for numbers, same in ((group, True), (data.group, False)):
        before, after = (
            transfer.leave_one_out(Labelled(data.features, y, numbers, COLUMNS), head, [0])[:, mine]
            for y in (data.labels, labels)
        )
        assert np.array_equal(before, after) == same


def test_one_language_cannot_be_left_out():
    with pytest.raises(DataError, match="there must be two: the anchors are all fra_Latn"):
        transfer.leave_one_out(planted(30, langs=["fra_Latn"]), Head(), [0])


def test_choose_takes_the_best_and_the_first_of_equals():
    data = planted(60)
    z, raw = Head(kind="logistic", normalise="z"), Head(kind="logistic", normalise="none")
    assert transfer.choose(data, [raw, z], 0) == z
    assert transfer.choose(data, [z, replace(z)], 0) is not None
    assert transfer.choose(data, [raw], 0) == raw


# ------------------------------------------------------------------------------------------------------ audit


def run_audit(data: Labelled, lengths: np.ndarray | None = None, sources: list[str] | None = None, **changes):
    given_lengths = np.random.default_rng(0).integers(100, 999, len(data.labels)) if lengths is None else lengths
    head = Head(**{"kind": "logistic", "normalise": "z", **changes})
    return audit.audit(data, given_lengths, head, [0, 1], sources, draws=200)


def test_the_audit_finds_signal_and_says_that_normalisation_helps():
    found = run_audit(planted())
    assert json.loads(json.dumps(found, allow_nan=False)) == json.loads(json.dumps(found))
    assert found["mean"]["languages"] == len(LANGS)
    assert found["mean"]["rater"]["low"] < found["mean"]["rater"]["value"] < found["mean"]["rater"]["high"]
    assert found["mean"]["gain"]["low"] > 0
    assert "helps" in found["normalisation"]
    assert {j["verdict"] for j in found["languages"]} == {"usable"}
    assert found["mean"]["length"]["value"] == pytest.approx(0.5, abs=0.1)


def test_the_audit_says_no():
    data = planted(strength=0.0)
    found = run_audit(data)
    assert found["mean"]["rater"]["value"] == pytest.approx(0.5, abs=0.08)
    assert {j["verdict"] for j in found["languages"]} == {"unusable"}
    assert "makes no difference" in found["normalisation"]


def test_a_rater_that_follows_length_is_found_out():
    data = planted(strength=0.0)
    lengths = np.where(data.labels, 900, 300) + np.random.default_rng(1).integers(0, 300, len(data.labels))
    table = data.features.set_column(data.features.column_names.index("bell"), "bell", pa.array(lengths * 1.0))
    found = run_audit(Labelled(table, data.labels, data.group, COLUMNS), lengths)
    for one in found["languages"]:
        assert one["verdict"] == "doubtful"
        assert any("length alone reaches" in r for r in one["reasons"])
        assert one["length_correlation"] > 0.9
        assert any("it follows length" in r for r in one["reasons"])


def test_a_rater_that_knows_no_more_than_the_source_is_found_out():
    rng = np.random.default_rng(5)
    data = planted(strength=0.0)
    sources = np.where(data.labels ^ (rng.random(len(data.labels)) < 0.05), "books", "web")
    table = data.features.set_column(2, "bell", pa.array((sources == "books") + rng.normal(0, 0.1, len(sources))))
    found = run_audit(Labelled(table, data.labels, data.group, COLUMNS), sources=sources.tolist())
    for one in found["languages"]:
        assert one["auc"]["value"] > 0.85
        assert one["source"] > 0.85
        assert one["within_source"] < 0.8
    told = [any("the source alone reaches" in r for r in one["reasons"]) for one in found["languages"]]
    assert sum(told) >= len(LANGS) - 1
    blind = [
        audit.source_alone(
            np.random.default_rng(s).random(200) < 0.7,
            np.random.default_rng(s + 99).choice(np.array([*"abcdefghijklmnopqrstuvwxyz"], object), 200),
            np.arange(200),
            s,
        )
        for s in range(30)
    ]
    assert np.mean(blind) == pytest.approx(0.5, abs=0.04)
    one = np.array(["a"] * 10, object)
    assert audit.source_alone(np.arange(10) < 5, one, np.arange(10), 0) is None


def test_within_source_counts_pairs():
    labels = np.array([True, False, True, False, True])
    scores = np.array([2.0, 1.0, 0.0, 1.0, 9.0])
    assert audit.within_source(labels, scores, np.array(["a", "a", "b", "b", None], object)) == 0.5
    assert audit.within_source(labels, scores, np.array([None] * 5, object)) is None


ROW = Judged("fra_Latn", 100, 100, Figure(0.9, 0.85, 0.95), None, None, 0.01, 0.5, 0.0, None, None)


@pytest.mark.parametrize(
    ("changes", "verdict", "why"),
    [
        ({}, "usable", ""),
        ({"auc": None, "bad": 3}, "doubtful", "not measured: 3 bad"),
        ({"auc": Figure(0.62, 0.5, 0.69)}, "unusable", "0.62"),
        ({"auc": Figure(0.55, 0.2, 0.9)}, "unusable", "0.55"),
        ({"auc": Figure(0.8, 0.65, 0.9)}, "doubtful", "may be below 0.7"),
        ({"good": 12}, "doubtful", "12 good documents only"),
        ({"length": 0.89}, "doubtful", "length alone reaches 0.89"),
        ({"length_correlation": -0.6}, "doubtful", "follows length"),
        ({"source": 0.95}, "doubtful", "source alone"),
        ({"within_source": 0.5}, "doubtful", "within a source"),
        ({"seed_sd": 0.04}, "doubtful", "seeds differ by 0.04"),
    ],
)
def test_verdicts(changes, verdict, why):
    found, reasons = audit.judge(replace(ROW, **changes))
    assert found == verdict
    assert bool(reasons) == bool(why)
    assert why in "; ".join(reasons)


# -------------------------------------------------------------------------------------------- the whole rater


def test_a_rater_from_the_shipped_anchors(tmp_path):
    head = Head(kind="logistic")
    identity = record.Identity("rater", rater.VERSION)

    def make(folder: Path) -> record.Record:
        return record.build(
            folder,
            identity,
            lambda out: rater.make(out, [anchors.shipped()], heuristics.measure, head, 0, audits=1, draws=100),
        )

    assert make(tmp_path / "a").counts == {"documents": 2513, "good": 2215, "bad": 298, "languages": 11}
    make(tmp_path / "b")
    for name in ("rater.json", "reference.parquet", "audit.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    found = json.loads((tmp_path / "a" / "audit.json").read_text("utf-8"))
    assert found["mean"]["languages"] == 9
    assert found["mean"]["rater"]["low"] > 0.8
    assert not set(rater.SIZES) & set(found["columns"])
    verdicts = {j["lang"]: j["verdict"] for j in found["languages"]}
    assert verdicts["eng_Latn"] == "usable"
    assert verdicts["ben_Beng"] == "doubtful"

    read = Rater.read(tmp_path / "a")
    prose = "Das Wetter war schön, und wir gingen am Nachmittag an den See. Dort trafen wir alte Freunde. "
    spam = "Download kostenlos mp3 | download mp3 kostenlos | mp3 download gratis kostenlos download mp3 » "
    texts = pa.array([prose * 5, spam * 5, *anchors.read([anchors.shipped()])["text"].to_pylist()[:100]])
    langs = pa.array(["deu_Latn"] * len(texts))
    table = rater.labelled(
        pa.table({"text": texts, "lang": langs, "label": [True] * len(texts)}), heuristics.measure
    ).features
    rate = rater.over(read, table)
    scores = rate(table)
    assert scores[0] > 0.5 > scores[1]
    usual = features.fit(table, read.columns)
    np.testing.assert_array_equal(scores, read.score(usual.apply(table, read.head.normalise)))
    np.testing.assert_array_equal(rate(table.slice(0, 2)), scores[:2])
    with pytest.raises(DataError, match="trained on link_ratio"):
        rater.over(read, table.drop_columns(["link_ratio"]))
