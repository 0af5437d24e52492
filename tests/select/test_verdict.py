"""Rules that know when they do not know, the table language by source, the verdict, and codes that are none."""

import json
from functools import partial

import numpy as np
import pyarrow as pa
import pytest

from glotmix.core import language, settings
from glotmix.core.errors import DataError, RequestError
from glotmix.core.rules import RuleHits
from glotmix.corpus import misspelt
from glotmix.pipeline import recipe as recipes
from glotmix.quality import reference
from glotmix.report import sources
from glotmix.select import ledger, precision, retention, thresholds, unusual
from glotmix.select.ranking import Ranking
from glotmix.signals import confusions, identifiers, language_id
from glotmix.signals.heuristics import GRAIN
from verdict_world import rows_of, said


def measured(**columns):
    n = len(next(iter(columns.values())))
    base = {"lang": ["eng_Latn"] * n, "chars": [1_000] * n, "units": [170] * n}
    return pa.table(base | columns)


def lines(column, side, value, origin="quantile 0.998 of 800 documents of eng_Latn"):
    row = {"lang": "eng_Latn", "column": column, "side": side, "value": value, "origin": origin, "n": 800}
    return pa.Table.from_pylist([row], schema=thresholds.SCHEMA)


def judge(table, limits, rated=()):
    found = thresholds.failures(table, limits)
    return unusual.judge(found, table, limits, reference.shipped(), GRAIN, rated)


def test_a_derived_line_drops_only_what_the_reference_finds_unusual_too():
    table = measured(digit_share=pa.array([0.03, 0.5], pa.float32()))
    assert [hit.rows.tolist() for hit in judge(table, lines("digit_share", "high", 0.02))] == [[1]]
    # What the recipe gives as a number holds.
    given = lines("digit_share", "high", 0.02, "given by recipe, default")
    assert [hit.rows.tolist() for hit in judge(table, given)] == [[0, 1]]


def test_a_share_above_zero_is_no_fault_by_itself():
    table = measured(foreign_script_share=pa.array([0.00238, 0.9], pa.float32()))
    assert judge(table, lines("foreign_script_share", "high", 0.0)) == []


def test_columns_of_repetition_and_compression_need_a_length():
    table = measured(top_3gram_share=pa.array([0.6, 0.6], pa.float32()), units=[20, 170], chars=[134, 1_000])
    assert [hit.rows.tolist() for hit in judge(table, lines("top_3gram_share", "high", 0.1))] == [[1]]


def test_a_hair_beyond_a_line_is_borderline_and_kept():
    held = reference.shipped()
    chars = np.array([1_000.0])
    bound = float(held.bounds("eng_Latn", chars, "compression_ratio", 0.01)[0])
    spread = float(held.spreads("eng_Latn", chars, "compression_ratio")[0])
    table = measured(compression_ratio=pa.array([bound - 0.05 * spread, bound - spread], pa.float32()))
    found = judge(table, lines("compression_ratio", "low", bound + spread))
    assert [(hit.rows.tolist(), hit.drops) for hit in found] == [([1], True), ([0], False)]
    decided = ledger.Decisions(2)
    for hit in found:
        decided.apply(hit)
    assert decided.alive().tolist() == [True, False]
    assert decided.borderline == {0: ["heuristics.compression_ratio.low"]}


def test_what_a_rater_sees_is_left_to_it():
    table = measured(digit_share=pa.array([0.5], pa.float32()))
    assert judge(table, lines("digit_share", "high", 0.02), rated=("digit_share",)) == []


def documents(score, langs=None, origin=None):
    n = len(score)
    return pa.table(
        {
            "id": [f"d{i}" for i in range(n)],
            "lang": langs or ["eng_Latn"] * n,
            "source": origin or ["web"] * n,
            "quality": pa.array(score, pa.float32()),
            "quantile": pa.array((np.argsort(np.argsort(score)) + 0.5) / n, pa.float32()),
        }
    )


def test_a_budget_of_good_text_drops_below_the_line_and_keeps_what_is_near_it():
    rows = documents([0.1, 0.498, 0.5, 0.9])
    (found, near), cutoffs = retention.lose(rows, np.ones(4, bool), {("eng_Latn", "web"): (0.5, 0.05)}, "quality")
    assert found.rows.tolist() == [0]
    assert (near.rows.tolist(), near.drops) == ([1], False)
    assert "at most 5% of its good text" in found.evidence[0]
    assert (cutoffs["eng_Latn"].kept, cutoffs["eng_Latn"].of) == (3, 4)
    (exact, _), _ = retention.lose(rows, np.ones(4, bool), {("eng_Latn", "web"): (0.5, 0.025)}, "quality")
    assert "at most 2.5% of its good text" in exact.evidence[0]
    # Nobody is dropped where all are good: no share is cut for its own sake.
    clean = documents([0.9] * 50)
    assert len(retention.lose(clean, np.ones(50, bool), {("eng_Latn", "web"): (0.5, 0.05)}, "quality")[0][0].rows) == 0


def test_a_share_within_each_source_is_fair_to_a_source_of_lower_scores():
    rows = documents([*np.linspace(0.6, 0.9, 50), *np.linspace(0.1, 0.4, 50)], origin=["news"] * 50 + ["lists"] * 50)
    reasons = {"eng_Latn": "the best 60% are kept"}
    alive = np.ones(100, bool)
    whole, _ = Ranking({"eng_Latn": 0.6}, reasons, "quality").retain(rows, alive)
    within = Ranking({"eng_Latn": 0.6}, reasons, "quality", within="source")
    fair, lines = within.retain(rows, alive)
    cutoffs = within.cutoffs(lines)
    assert (whole.rows >= 50).sum() == 40
    assert (fair.rows >= 50).sum() == 20
    assert (cutoffs["eng_Latn"].kept, cutoffs["eng_Latn"].of) == (60, 100)


def kinds(table):
    return {(one.kind, one.lang, one.source) for one in sources.warned(sources.cells(table), table)}


def test_sources_are_told_of_that_lose_twice_the_others_or_most_of_their_text():
    even = rows_of([("hau_Latn", "news", 200, 190, "quality", 0.8), ("hau_Latn", "web", 200, 186, "quality", 0.8)])
    assert kinds(even) == set()
    unfair = rows_of([("hau_Latn", "news", 200, 100, "quality", 0.8), ("hau_Latn", "web", 200, 190, "quality", 0.8)])
    assert kinds(unfair) == {("loses", "hau_Latn", "news")}
    alone = rows_of([("hau_Latn", "news", 200, 10, "quality", 0.8)])
    assert kinds(alone) == {("quarter", "hau_Latn", "news")}
    # A copy of another source loses its duplicates, and that is no injustice.
    copies = rows_of([("hau_Latn", "news", 200, 200, "", 0.8), ("hau_Latn", "web", 200, 90, "duplicates.exact", 0.8)])
    assert kinds(copies) == set()


def test_retention_within_domains_is_fair_to_each_and_those_without_are_together():
    rows = documents([*np.linspace(0.6, 0.9, 40), *np.linspace(0.1, 0.4, 40), *np.linspace(0.2, 0.8, 20)])
    where = ["good.example"] * 40 + ["plain.example"] * 40 + [None] * 20
    rows = rows.append_column("domain", pa.array(where))
    reasons = {"eng_Latn": "the best 60% are kept"}
    within = Ranking({"eng_Latn": 0.6}, reasons, "quality", within="domain")
    found, lines = within.retain(rows, np.ones(100, bool))
    cutoffs = within.cutoffs(lines)
    assert [int(((found.rows >= a) & (found.rows < b)).sum()) for a, b in ((0, 40), (40, 80), (80, 100))] == [16, 16, 8]
    assert (cutoffs["eng_Latn"].kept, cutoffs["eng_Latn"].quantile) == (60, None)
    assert "of plain.example (24 of 40 documents of eng_Latn)" in found.evidence[16]
    assert "of documents without a domain" in found.evidence[-1]
    assert (np.diff(found.rows) > 0).all()


def test_of_a_crowded_domain_the_best_documents_of_each_language_are_kept():
    rows = documents([0.9, 0.1, 0.5, 0.5, 0.7, 0.2], langs=["eng_Latn"] * 5 + ["tha_Thai"])
    rows = rows.append_column("domain", pa.array(["a.example"] * 4 + [None, "a.example"]))
    rows = rows.append_column("bytes", pa.array([10, 10, 10, 99, 10, 10], pa.int64()))
    alive = np.array([True, True, True, True, True, True])
    found = retention.crowded(rows, alive, 2, "domain")
    # The longer of two equals stays; what is dead already takes no place.
    assert found.rows.tolist() == [1, 2]
    assert found.evidence == ["a.example has 4 documents in eng_Latn; the best 2 are kept"] * 2
    alive[0] = False
    assert retention.crowded(rows, alive, 2, "domain").rows.tolist() == [1]
    # Documents without an address are in no crowd, however many they are.
    nowhere = rows.set_column(rows.column_names.index("domain"), "domain", pa.nulls(6, pa.string()))
    assert retention.crowded(nowhere, np.ones(6, bool), 2, "domain").rows.tolist() == []


def test_a_domain_that_fills_a_language_is_told_of():
    table = rows_of([("hau_Latn", "news", 100, 100, "", 0.8)])
    names = pa.chunked_array([["big.example"] * 40 + [f"s{n}.example" for n in range(50)] + [None] * 10])
    cells = sources.domains(table.append_column("domain", names))
    warned = sources.crowds(cells, sources.cells(table))
    assert (cells[0].source, cells[0].read) == ("big.example", 40)
    assert len(cells) == 51
    (one,) = warned
    assert one.text.startswith("big.example is 39% of the text that is kept of hau_Latn (40 of 100 documents)")
    assert one.fix == "select.per_domain=5"
    found = said(table, domains=names)
    assert found["domains"][0]["domain"] == "big.example"
    assert [one["kind"] for one in found["findings"]] == ["domain"]


def test_domains_need_addresses(tmp_path):
    text = "name: d\ncorpus: {sources: [{name: a, path: a.jsonl, language: fra_Latn}]}\nquality: {}\n"
    (tmp_path / "r.yaml").write_text(text, "utf-8")
    for asked in ("select.per_domain=3", "select.within=domain"):
        with pytest.raises(RequestError, match=r"signals\.urls"):
            recipes.load(tmp_path / "r.yaml", [asked])
        assert recipes.load(tmp_path / "r.yaml", [asked, "signals.urls={column: url}"]).signals.urls.column == "url"
    with pytest.raises(RequestError, match=r"signals\.urls\.most is called select\.per_domain now"):
        recipes.load(tmp_path / "r.yaml", ["signals.urls={most: 3}"])


def test_few_documents_of_another_form_are_told_of_and_chance_is_not():
    rng = np.random.default_rng(0)

    def world(shift):
        table = rows_of([("hau_Latn", "news", 40, 40, "", 0.5), ("hau_Latn", "lines", 200, 200, "", 0.5)])
        score = rng.normal(0.7, 0.1, 240) - np.r_[np.zeros(40), np.full(200, shift)]
        return table.set_column(table.column_names.index("quality"), "quality", pa.array(score, pa.float32()))

    assert kinds(world(0.15)) == {("source", "hau_Latn", "lines")}
    assert [kinds(world(0.0)) for _ in range(30)] == [set()] * 30
    found = sources.warned(sources.cells(world(0.15)), world(0.15), fair="select.within=source")
    assert [one.fix for one in found] == ["select.within=source"]
    assert [one.fix for one in sources.warned(sources.cells(world(0.15)), world(0.15))] == [
        "settings.source.lines.quality.lose=0.01"
    ]


def test_few_documents_must_differ_by_more_than_chance():
    table = rows_of([("hau_Latn", "news", 30, 30, "", 0.5), ("hau_Latn", "lines", 30, 30, "", 0.5)])
    at = table.column_names.index("quality")
    for shift, told in ((7.5, set()), (10.5, {("source", "hau_Latn", "lines")})):
        # AUC 0.72 and 0.80 of 30 against 30: 2.9 and 4.1 standard errors.
        score = np.r_[np.arange(30.0), np.arange(30.0) - shift] / 100
        assert kinds(table.set_column(at, "quality", pa.array(score, pa.float32()))) == told


def test_text_of_another_form_that_is_ranked_with_others_and_loses_by_it_is_told_of():
    table = rows_of([("hau_Latn", "news", 40, 30, "quality", 0.8), ("hau_Latn", "lines", 200, 120, "quality", 0.8)])
    at = table.column_names.index("chars")
    table = table.set_column(at, "chars", pa.array([2_000 + n for n in range(40)] + [100 + n % 50 for n in range(200)]))
    (one,) = [w for w in sources.warned(sources.cells(table), table, fair="select.within=source") if w.kind == "form"]
    assert (one.source, one.fix) == ("lines", "select.within=source")
    assert "124 characters a document, the other sources 2,020" in one.text
    assert "60% of it are kept and 75% of theirs" in one.text
    # Where no one competes, and where both are alike, there is nothing to say.
    assert "form" not in {w.kind for w in sources.warned(sources.cells(table), table)}
    alike = table.set_column(at, "chars", pa.array([500 + n % 90 for n in range(240)]))
    assert "form" not in {w.kind for w in sources.warned(sources.cells(alike), alike, fair="select.within=source")}


def test_a_score_that_the_source_or_the_length_alone_tells_is_told_of():
    told = rows_of([("hau_Latn", "news", 100, 100, "", 0.9), ("hau_Latn", "lists", 100, 100, "", 0.5)])
    assert kinds(told) == {("source", "hau_Latn", "lists")}
    grown = rows_of([("hau_Latn", "news", 100, 100, "", 0.5)])
    longer = grown.set_column(4, "chars", pa.array((grown["quality"].to_numpy() * 1e4).astype(int)))
    assert kinds(longer) == {("length", "hau_Latn", "")}


def test_codes_that_are_none_come_first():
    notes = {"corpus": {"sources": {"web": {"documents": 1_000, "quarantined": {"unknown language code": 400}}}}}
    table = rows_of([("swh_Latn", "web", 1_000, 1_000, "", 0.9)])
    first = said(table, notes=notes)["first"]
    assert first.startswith("400 rows of web have a language code that is none, and are in no language")


def test_what_was_not_measured_is_no_pass():
    notes = {"signals/identify": {"languages": {"run_Latn": {"known": False, "others": {"kin_Latn": 90}}}}}
    found = said(rows_of([("run_Latn", "web", 100, 100, "", 0.9)]), notes=notes)
    text = "not measured: the identifier does not know run_Latn; its documents read as kin_Latn"
    assert text in [one["text"] for one in found["findings"]]


def test_a_typo_in_a_column_is_told_of_and_many_are_an_error(tmp_path):
    row = {"file": "a.jsonl", "line": 3, "reason": misspelt.REASON, "detail": "'jp' is no language"}
    rows = [*[row] * 100, row | {"reason": "empty text", "detail": ""}, *[row | {"detail": "'xx' is none"}] * 3]
    (tmp_path / "web.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    found = misspelt.count(tmp_path)
    assert found == {"web": {"'jp' is no language": 100, "'xx' is none": 3}}
    (text,) = misspelt.judge(found, 1_000)
    assert "source 'web': 100 rows" in text
    assert "'jp'" in text
    with pytest.raises(DataError, match=r"corpus\.max_unknown_language allows 50"):
        misspelt.judge(found, 50)


def test_hits_that_do_not_count_leave_the_others_in_order():
    hits = RuleHits("heuristics.digit_share.high", np.array([0, 1, 2]), ["a", "b", "c"])
    table = measured(digit_share=pa.array([0.5, 0.021, 0.6], pa.float32()))
    found = unusual.judge([hits], table, lines("digit_share", "high", 0.02), reference.shipped(), GRAIN)
    assert found[0].rows.tolist() == [0, 2]
    assert found[0].evidence == ["a", "c"]


def test_languages_that_cannot_be_told_apart_are_a_group_and_never_dropped():
    for one, other in (
        ("bos_Latn", "hrv_Latn"),
        ("srp_Latn", "bos_Latn"),
        ("zsm_Latn", "ind_Latn"),
        ("yue_Hant", "zho_Hant"),
        ("heb_Hebr", "hbo_Hebr"),
        ("ell_Grek", "grc_Grek"),
    ):
        assert not confusions.apart(one, other)
        assert not confusions.apart(other, one)
    for one, other in (
        ("fra_Latn", "eng_Latn"),
        ("ukr_Cyrl", "rus_Cyrl"),
        ("hin_Deva", "mar_Deva"),
        ("heb_Hebr", "ydd_Hebr"),
    ):
        assert confusions.apart(one, other)
    rows = pa.table(
        {
            "lang": ["bos_Latn", "bos_Latn"], "source": ["web"] * 2, "label": ["hrv_Latn", "eng_Latn"],
            "score": pa.array([0.99, 0.99], pa.float32()), "agrees": [False, False],
        }
    )  # fmt: skip
    found = ledger.wrong_language(rows, lambda lang, source: ("drop", 0.5), confusions.apart)
    assert found.rows.tolist() == [1]


def test_a_threshold_is_the_languages_own_where_it_was_measured():
    assert confusions.least("tha_Thai", "py3langid") < confusions.least("xyz_Latn", "py3langid") == 0.9
    assert confusions.least("fra_Latn", "glotlid.bin") == 0.9


def test_languages_that_the_identifier_does_not_know_are_named_with_what_they_read_as():
    labels = identifiers.load().labels
    knows = partial(language_id.knows, labels)
    (tigrinya,) = confusions.unknown(["tir_Ethi", "fra_Latn", "tha_Thai"], knows)
    assert "does not know tir_Ethi" in tigrinya
    (both,) = confusions.unknown(["tir_Ethi", "ach_Latn", "fra_Latn"], knows)
    assert both.startswith("the identifier does not know ach_Latn and tir_Ethi (mostly reads as amh_Ethi): a wrong")
    assert confusions.unknown(["fra_Latn"], knows) == []
    assert "read as amh_Ethi" in tigrinya


def test_a_rules_precision_on_judged_text_is_known():
    found = precision.judged("heuristics.stop_word_share.low")
    assert found.unnatural / found.all_unnatural > 5 * found.natural / found.all_natural
    assert precision.judged("heuristics.no_such_column.low") is None
    assert "unnatural and" in found.shown


def test_no_rule_is_on_that_is_no_better_than_chance_at_its_price():
    measured = 0
    for row in settings.explain({}, language.parse("eng_Latn"), None):
        found = precision.judged(row["key"])
        if found is not None and row["value"] is not None and found.unnatural + found.natural:
            measured += 1
            assert found.unnatural / found.all_unnatural > found.natural / found.all_natural, row["key"]
    assert measured > 20


def test_powers_of_ten_are_numbers_in_a_recipe_and_quoted_ones_are_text(tmp_path):
    text = 'name: "1e6"\ncorpus: {sources: [{name: a, path: a.jsonl, language: fra_Latn}]}\nmix: {tokens: 2.5e7}\n'
    (tmp_path / "r.yaml").write_text(text, "utf-8")
    made = recipes.load(tmp_path / "r.yaml", ["select.tokens={fra_Latn: 1e6}", "quality.lose=0.1"])
    assert (made.name, made.mix.tokens, made.select.tokens["fra_Latn"]) == ("1e6", 25_000_000, 1_000_000)
    assert made.select.lose == 0.1


def test_the_evidence_of_many_documents_is_written_when_it_is_asked_for():
    """What falls is held as numbers: the texts are the same, one by one, in slices, and as the ledger reads them."""
    n = 600
    langs = np.sort(np.array(["amh_Ethi", "eng_Latn", "tha_Thai"])[np.arange(n) % 3])
    score = (np.arange(n) * 37 % n / n).astype(np.float32)
    rows = pa.table(
        {
            "id": [f"d{i:04d}" for i in range(n)],
            "lang": langs,
            "source": [f"s{i % 2}" for i in range(n)],
            "quality": score,
            "quantile": score,
        }
    )
    alive = np.arange(n) % 7 != 0
    line = {(lang, source): (0.4, 0.05 if source == "s0" else 0.1) for lang in set(langs) for source in ("s0", "s1")}
    (found, near), _ = retention.lose(rows, alive, line, "quality")
    row = int(found.rows[5])
    assert len(found.evidence) == len(found.rows) > 100 and set(near.evidence) <= {""}
    assert found.evidence[5] == (
        f"P(natural) {score[row]:.3f} below 0.400: the line that costs {langs[row]} at most "
        f"{0.05 if row % 2 == 0 else 0.1:.0%} of its good text"
    )
    kept, _ = Ranking({"eng_Latn": 0.5, "tha_Thai": 0.3}, dict.fromkeys(langs, "why"), "q").retain(rows, alive)
    assert kept.rows.tolist() == sorted(kept.rows.tolist()) and not (langs[kept.rows] == "amh_Ethi").any()
    assert kept.evidence[-1].endswith("why (52 of 172 documents of tha_Thai)")
    for hits in (found, kept):
        assert hits.evidence[2:9] == list(hits.evidence)[2:9] == [hits.evidence[i] for i in range(2, 9)]
        with pytest.raises(IndexError):
            hits.evidence[len(hits.rows)]
