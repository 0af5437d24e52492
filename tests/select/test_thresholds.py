"""Lines through the heuristics: a brute-force oracle, the laws, and planted documents that must fall."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from glotmix.core.errors import DataError, RequestError
from glotmix.core.language import parse
from glotmix.core.rules import RuleHits
from glotmix.core.settings import Setting, known, resolve
from glotmix.select.thresholds import SCHEMA, derive, failures, quantile_line
from glotmix.signals.heuristics import COLUMNS, measure

SENTENCES = pq.read_table(Path(__file__).parents[1] / "data/sentences.parquet")
LATIN = ["fra_Latn", "deu_Latn", "spa_Latn", "ita_Latn", "por_Latn", "swe_Latn", "nld_Latn"]
FEW_VALUES = st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.25, 0.5, 1.0, 2.0]), min_size=1, max_size=60)
QUANTILES = st.sampled_from([0.0, 0.01, 0.05, 0.07, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0])


slow_machine = examples(max_examples=60, deadline=None)


def high(q: float) -> dict[str, Setting]:
    return {"heuristics.x.high": Setting({"quantile": q}, "recipe, default")}


def low(q: float) -> dict[str, Setting]:
    return {"heuristics.x.low": Setting({"quantile": q}, "recipe, default")}


def table(values: dict[str, list[float | None]]) -> pa.Table:
    rows = [(lang, v) for lang, found in values.items() for v in found]
    return pa.table({"lang": [r[0] for r in rows], "x": pa.array([r[1] for r in rows], pa.float32())})


def lines(frame: pa.Table, rules: dict[str, Setting], least: int = 1) -> dict[str, dict[str, object]]:
    langs = pc.unique(frame["lang"]).to_pylist()
    return {r["lang"]: r for r in derive(frame, dict.fromkeys(langs, rules), least).to_pylist()}


def fallen(frame: pa.Table, rules: dict[str, Setting], least: int = 1) -> set[int]:
    drawn = derive(frame, dict.fromkeys(pc.unique(frame["lang"]).to_pylist(), rules), least)
    return {row for f in failures(frame, drawn) for row in f.rows.tolist()}


@slow_machine
@given(FEW_VALUES, QUANTILES)
def test_the_line_is_numpys_inverted_distribution_function(values: list[float], q: float) -> None:
    ordered = np.sort(np.array(values))
    assert quantile_line(ordered, "high", q) == np.quantile(ordered, q, method="inverted_cdf")
    mirrored = -np.quantile(-ordered, round(1 - q, 9), method="inverted_cdf")
    assert quantile_line(ordered, "low", q) == mirrored


@slow_machine
@given(FEW_VALUES, QUANTILES)
def test_no_more_fall_than_asked_whatever_the_ties(values: list[float], q: float) -> None:
    frame = table({"fra_Latn": values})
    assert len(fallen(frame, high(q))) <= round((1 - q) * len(values), 9)
    assert len(fallen(frame, low(q))) <= round(q * len(values), 9)


@slow_machine
@given(st.lists(st.floats(-5, 5, width=32), min_size=2, max_size=80), QUANTILES, QUANTILES)
def test_a_wider_line_drops_no_other_document(values: list[float], one: float, other: float) -> None:
    frame, (small, large) = table({"fra_Latn": values}), sorted((one, other))
    assert fallen(frame, high(large)) <= fallen(frame, high(small))
    assert fallen(frame, low(small)) <= fallen(frame, low(large))


def test_a_spike_at_the_edge_never_falls() -> None:
    ones = table({"fra_Latn": [1.0] * 97 + [0.5, 0.4, 0.3]})
    assert not fallen(ones, high(0.5))
    assert fallen(ones, low(0.02)) == {98, 99}
    zeros = table({"fra_Latn": [0.0] * 60 + [0.1] * 40})
    assert not fallen(zeros, low(0.5))


@examples(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(random: object) -> None:
    rng = np.random.default_rng(3)
    frame = table({lang: [*rng.normal(size=40).tolist(), None] for lang in LATIN})
    order = list(range(frame.num_rows))
    random.shuffle(order)  # type: ignore[attr-defined]
    rules = high(0.9) | low(0.1)
    resolved = dict.fromkeys(LATIN, rules)
    shuffled = frame.take(order)
    drawn = derive(frame, resolved)
    assert derive(shuffled, resolved).equals(drawn)
    straight = {
        (f.rule, r, e) for f in failures(frame, drawn) for r, e in zip(f.rows.tolist(), f.evidence, strict=True)
    }
    mixed = {
        (f.rule, order[r], e)
        for f in failures(shuffled, drawn)
        for r, e in zip(f.rows.tolist(), f.evidence, strict=True)
    }
    assert straight == mixed


def test_failures_are_those_of_a_plain_loop() -> None:
    rng = np.random.default_rng(1)
    frame = table({lang: [v if v < 5 else None for v in rng.normal(i, 1, 150)] for i, lang in enumerate(LATIN)})
    drawn = derive(frame, dict.fromkeys(LATIN, high(0.9) | low(0.03)), 1)
    expected: dict[str, set[int]] = {}
    for row, (lang, value) in enumerate(zip(frame["lang"].to_pylist(), frame["x"].to_pylist(), strict=True)):
        for line in drawn.to_pylist():
            if line["lang"] != lang or value is None:
                continue
            if value > line["value"] if line["side"] == "high" else value < line["value"]:
                expected.setdefault(f"heuristics.x.{line['side']}", set()).add(row)
    assert expected
    assert {f.rule: set(f.rows.tolist()) for f in failures(frame, drawn)} == expected
    assert all(
        f.rows.tolist() == sorted(f.rows.tolist()) and len(f.rows) == len(f.evidence) for f in failures(frame, drawn)
    )


def test_evidence_can_be_read() -> None:
    values: list[float | None] = [float(v) for v in range(99)]
    frame = table({"fra_Latn": [*values, 1234.567]}).rename_columns(["lang", "mean_word_length"])
    rules = {"heuristics.mean_word_length.high": Setting({"quantile": 0.99}, "built-in, default")}
    (found,) = failures(frame, derive(frame, {"fra_Latn": rules}))
    assert found.rule == "heuristics.mean_word_length.high"
    assert found.evidence == ["mean word length 1230 > 98 (quantile 0.99 of 100 documents of fra_Latn)"]
    assert isinstance(found, RuleHits)


def test_numbers_that_are_close_are_written_apart() -> None:
    frame = table({"fra_Latn": [0.1234, 0.1235]})
    rules = {"heuristics.x.high": Setting(0.1234, "recipe, language fra_Latn")}
    (found,) = failures(frame, derive(frame, {"fra_Latn": rules}))
    assert found.evidence == ["x 0.1235 > 0.1234 (given by recipe, language fra_Latn)"]


def test_a_given_line_holds_for_any_number_of_documents_and_spares_what_lies_on_it() -> None:
    frame = table({"fra_Latn": [0.3, 0.31, None]})
    rules = {"heuristics.x.high": Setting(0.3, "recipe, language fra_Latn")}
    (line,) = derive(frame, {"fra_Latn": rules}, 1000).to_pylist()
    assert line == {
        "lang": "fra_Latn", "column": "x", "side": "high", "value": 0.3, "n": 2,
        "origin": "given by recipe, language fra_Latn",
    }  # fmt: skip
    assert fallen(frame, rules) == {1}


def test_a_column_of_whole_numbers() -> None:
    frame = pa.table({"lang": ["fra_Latn"] * 4, "x": pa.array([1, None, 7, 3], pa.int32())})
    assert fallen(frame, {"heuristics.x.high": Setting(3, "")}) == {2}
    assert lines(frame, high(0.5))["fra_Latn"]["n"] == 3


def test_languages_do_not_touch_each_other() -> None:
    rng = np.random.default_rng(5)
    mine = {lang: rng.normal(i, 1, 120).tolist() for i, lang in enumerate(LATIN)}
    flooded = mine | {"eng_Latn": rng.normal(50, 1, 5_000).tolist()}
    before, after = lines(table(mine), high(0.95), 100), lines(table(flooded), high(0.95), 100)
    assert all(before[lang] == after[lang] for lang in LATIN)


def test_a_small_language_borrows_the_loosest_line_of_its_script() -> None:
    values = {lang: [float(i + v / 100) for v in range(100)] for i, lang in enumerate(LATIN)}
    small = values | {"ast_Latn": [0.5] * 30 + [100.0], "rus_Cyrl": [0.5] * 30 + [100.0]}
    found = lines(table(small), high(0.99), 100)
    assert found["ast_Latn"]["value"] == found["nld_Latn"]["value"] == pytest.approx(6.98)
    assert "loosest of 7 languages in Latn (nld_Latn)" in str(found["ast_Latn"]["origin"])
    assert "ast_Latn has 31 documents" in str(found["ast_Latn"]["origin"])
    assert found["rus_Cyrl"]["value"] is None
    assert "0 languages in Cyrl" in str(found["rus_Cyrl"]["origin"])
    assert fallen(table({"ast_Latn": small["ast_Latn"]} | values), high(0.99), 100) & set(range(31)) == {30}
    assert lines(table(small), low(0.01), 100)["ast_Latn"]["value"] == pytest.approx(0.01)


def test_a_small_language_that_is_unlike_its_script_loses_nothing() -> None:
    values = {lang: [float(v) for v in range(100)] for lang in LATIN}
    frame = table(values | {"kal_Latn": [500.0 + v for v in range(20)]})
    line = lines(frame, high(0.99), 100)["kal_Latn"]
    assert line["value"] is None
    assert "20 documents would fail" in str(line["origin"])


def test_a_language_without_the_column_gets_no_line() -> None:
    frame = table({lang: [float(v) for v in range(100)] for lang in LATIN} | {"fin_Latn": [None] * 100})
    line = lines(frame, high(0.99), 100)["fin_Latn"]
    assert (line["value"], line["n"]) == (None, 0)


def test_sides_that_are_off_and_columns_that_are_missing() -> None:
    frame = table({"fra_Latn": [1.0, 2.0]})
    off = {"heuristics.x.low": Setting(None, ""), "identify.min_score": Setting(0.9, "")}
    drawn = derive(frame, {"fra_Latn": off})
    assert drawn.num_rows == 0
    assert drawn.schema == SCHEMA
    assert failures(frame, drawn) == []
    with pytest.raises(DataError, match=r"'y'.*no such column"):
        derive(frame, {"fra_Latn": {"heuristics.y.low": Setting(1.0, "")}})


def test_the_defaults_name_every_column_and_both_sides() -> None:
    expected = [f"heuristics.{name}.{side}" for name in COLUMNS for side in ("low", "high")]
    assert [key for key in known() if key.startswith("heuristics.")] == expected
    for name, column in COLUMNS.items():
        drawn = {side for side in ("low", "high") if resolve({}, parse("fra"))[f"heuristics.{name}.{side}"].value}
        assert drawn <= {"both": {"low", "high"}, None: set()}.get(column.suspicious, {column.suspicious}), name
    with pytest.raises(RequestError, match="mean_word_length"):
        resolve({"default": {"heuristics": {"mean_word_lenght": {"low": 1}}}}, parse("fra"))


@pytest.fixture(scope="module")
def corpus() -> pa.Table:
    """Pairs of sentences as documents, in 15 languages, and at the end of each language two that do not belong."""
    planted = []
    for lang in pc.unique(SENTENCES["lang"]).to_pylist():
        sentences = SENTENCES.filter(pc.equal(SENTENCES["lang"], lang))["text"].to_pylist()
        planted += [(lang, f"{a} {b}") for a, b in zip(sentences[::2], sentences[1::2], strict=True)]
        planted += [(lang, sentences[0] * 6), (lang, " | ".join(sentences[1].split()[:8] * 4) + " | > - | ")]
    made = pa.table({"lang": [p[0] for p in planted], "text": [p[1] for p in planted]})
    found = measure(made["text"], made["lang"])
    for name in COLUMNS:
        made = made.append_column(name, found.field(name))
    return made


def test_planted_documents_fall_by_name_and_clean_text_stays(corpus: pa.Table) -> None:
    langs = pc.unique(corpus["lang"]).to_pylist()
    drawn = derive(corpus, {lang: resolve({}, parse(lang)) for lang in langs})
    by_row: dict[int, list[str]] = {}
    for found in failures(corpus, drawn):
        for row, evidence in zip(found.rows.tolist(), found.evidence, strict=True):
            by_row.setdefault(row, []).append(f"{found.rule}: {evidence}")
    for lang in langs:
        rows = np.flatnonzero(np.array(corpus["lang"].to_pylist()) == lang)
        repeated, menu = rows[-2], rows[-1]
        named = "\n".join(by_row[repeated])
        assert "compression_ratio.low" in named or "top_3gram_share.high" in named, (lang, named)
        assert f"documents of {lang})" in named
        assert "heuristics.separator_ratio.high: separator ratio" in "\n".join(by_row[menu]), lang
        clean = [row for row in rows[:-2].tolist() if row in by_row]
        assert len(clean) <= 0.08 * (len(rows) - 2), (lang, len(clean))


def test_the_quantile_that_is_written_is_meant_not_its_nearest_double() -> None:
    hundred = np.arange(1.0, 101.0)
    assert 0.07 * 100 > 7
    assert quantile_line(hundred, "high", 0.07) == 7.0
    assert quantile_line(hundred, "low", 0.29) == 30.0
