"""Features against their own language."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, rankdata, zscore

from glotmix.core.errors import DataError
from glotmix.quality import features
from quality_world import COLUMNS, LANGS, measured


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
