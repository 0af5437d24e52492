"""What the verdict says of languages and sources, one line for each thing to look at."""

from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest

from glotmix.cli import show
from glotmix.core import warning
from glotmix.report import scarce, sources, verdict
from glotmix.select import enough
from glotmix.signals import confusions
from verdict_world import rows_of, said


def test_a_clean_corpus_is_said_to_be_fit():
    found = said(rows_of([("swh_Latn", "news", 100, 100, "", 0.9), ("tha_Thai", "news", 100, 99, "quality", 0.9)]))
    assert found["first"] == "2 of 2 languages are fit to train on as far as was measured."
    assert [one["state"] for one in found["languages"]] == ["fit", "fit"]
    assert found["findings"] == []


def test_the_first_sentence_names_the_fault_its_language_and_its_source():
    table = rows_of([("swh_Latn", "news", 100, 100, "", 0.9), ("swh_Latn", "crawl", 100, 100, "", 0.9),
                     ("tha_Thai", "news", 100, 100, "", 0.9)])  # fmt: skip
    labels = ["swh_Latn"] * 100 + ["eng_Latn"] * 60 + ["swh_Latn"] * 40 + ["tha_Thai"] * 100
    first = said(table, labels)["first"]
    assert first.startswith("30% of 200 documents declared swh_Latn read as another language, most as eng_Latn")
    assert "100% of them from crawl" in first
    assert first.endswith("1 of 2 languages is fit to train on as far as was measured.")
    broken = np.r_[np.zeros(200), np.full(60, 0.1), np.zeros(40)]
    assert said(table, broken=broken)["first"].startswith("60% of 100 documents of tha_Thai hold broken characters")
    junk = rows_of([("swh_Latn", "news", 100, 30, "quality", 0.1), ("tha_Thai", "news", 100, 100, "", 0.9)])
    found = said(junk, lines={"swh_Latn": 0.5, "tha_Thai": 0.5})
    assert "the rater calls 100% of 100 documents of swh_Latn unnatural" in [f["text"] for f in found["findings"]]
    assert [one["state"] for one in found["languages"]] == ["look", "fit"]


def test_languages_that_nobody_can_tell_apart_are_no_wrong_ones():
    table = rows_of([("bos_Latn", "news", 100, 100, "", 0.9), ("heb_Hebr", "news", 100, 100, "", 0.9)])
    found = said(table, ["hrv_Latn"] * 60 + ["bos_Latn"] * 40 + ["hbo_Hebr"] * 100)
    assert found["first"] == "2 of 2 languages are fit to train on as far as was measured."
    assert said(table, ["fra_Latn"] * 60 + ["bos_Latn"] * 40 + ["heb_Hebr"] * 100)["first"].startswith(
        "60% of 100 documents declared bos_Latn"
    )


def test_a_language_with_too_few_documents_to_judge_is_said_to_be_that():
    clean = rows_of([("swh_Latn", "news", 59, 59, "", 0.9), ("mya_Mymr", "news", 58, 58, "", 0.9)])
    found = said(clean)
    assert found["first"] == (
        "1 of 2 languages is fit to train on as far as was measured; 1 has too few documents to judge."
    )
    assert [(one["state"], one["why"]) for one in found["languages"]] == [
        ("few", ["too few documents to judge: 58"]), ("fit", [])
    ]  # fmt: skip
    assert [one["text"] for one in found["findings"]] == ["too few documents to judge (fewer than 59): mya_Mymr 58"]
    none = said(rows_of([("swh_Latn", "news", 3, 3, "", 0.9), ("tha_Thai", "web", 1, 1, "", 0.9)]))
    assert none["first"] == "No language has enough documents to judge: a verdict needs 59 of it."


def test_the_bound_is_where_a_check_that_finds_nothing_says_something():
    # As many as 1 in 20 bad: a sample of 59 holds one of them with 95 % and more, one of 58 does not.
    assert 1 - 0.95**enough.ENOUGH >= 0.95 > 1 - 0.95 ** (enough.ENOUGH - 1)
    assert min(verdict.WRONG, verdict.BROKEN, verdict.JUNK, verdict.REPEATED) == enough.WATCHED
    # Of few documents a fault is told that is no chance, and only that: at most 5 % of sound languages have one.
    rng = np.random.default_rng(0)
    for n in (2, 5, 12, 40, 58):
        bad = rng.binomial(n, enough.WATCHED, 4_000)
        assert np.mean([enough.above(int(b), n, enough.WATCHED) for b in bad]) < 0.06


def test_few_documents_that_are_surely_wrong_are_one_to_look_at():
    table = rows_of([("swh_Latn", "news", 10, 10, "", 0.9)])
    one, many = (said(table, ["eng_Latn"] * n + ["swh_Latn"] * (10 - n)) for n in (1, 8))
    assert one["languages"][0]["state"] == "few" and many["languages"][0]["state"] == "look"
    assert many["first"].startswith("80% of 10 documents declared swh_Latn read as another language")
    assert many["first"].endswith("swh_Latn is not fit to train on as far as was measured.")


def test_much_read_and_little_kept_is_little_to_train_on():
    found = said(rows_of([("swh_Latn", "news", 100, 40, "duplicates.near", 0.9)]))
    told = "fewer than 59 documents are kept, little to train on: swh_Latn 40"
    assert told in [one["text"] for one in found["findings"]] and found["languages"][0]["state"] == "fit"


def test_one_thing_to_look_at_is_one_line_with_its_languages_named():
    parts = [(lang, source, 100, 100 if source == "news" else 80 - 5 * n, "quality", 0.9 if source == "news" else 0.5)
             for n, lang in enumerate(("hin_Deva", "rus_Cyrl", "tha_Thai")) for source in ("news", "tldr")]  # fmt: skip
    found = said(rows_of(parts))
    texts = {one["kind"]: one for one in found["findings"]}
    assert sorted(one["kind"] for one in found["findings"]) == ["loses", "source"]
    assert texts["loses"]["text"] == (
        "tldr loses 20–30% of its documents in tha_Thai, rus_Cyrl and hin_Deva to rules on the text, the other sources "
        "of these languages 0%; most to quality"
    )
    assert texts["loses"]["do"] == "settings.source.tldr.quality.lose=0.01"
    assert texts["source"]["text"].startswith("in hin_Deva, rus_Cyrl and tha_Thai the source alone tells the score")
    assert set(texts["source"]["langs"]) == {"hin_Deva", "rus_Cyrl", "tha_Thai"}
    # Of each language its own numbers are said.
    why = {one["lang"]: one["why"][0] for one in found["languages"]}
    assert why["hin_Deva"].startswith("tldr loses 20% of its 100 documents in hin_Deva")
    names = {warning.name(one["text"]) for one in found["findings"]}
    assert names == {"source-loses", "source-tells-score"}


def test_a_fault_of_several_languages_is_one_line_and_each_language_has_its_own_numbers():
    parts = [(lang, "web", 100, 100 - lost, "duplicates.near", 0.9)
             for lang, lost in (("hin_Deva", 70), ("tha_Thai", 99), ("amh_Ethi", 98))]  # fmt: skip
    found = said(rows_of(parts))
    (one,) = [one for one in found["findings"] if one["kind"] == "repeated"]
    assert one["text"] == "99% of 100 documents of tha_Thai repeat another; likewise amh_Ethi and hin_Deva"
    assert one["langs"] == ["tha_Thai", "amh_Ethi", "hin_Deva"] and one["share"] == pytest.approx(0.89, abs=0.01)
    why = {one["lang"]: one["why"] for one in found["languages"]}
    assert why["amh_Ethi"] == ["98% of 100 documents of amh_Ethi repeat another"] and why["hin_Deva"] == []


def test_languages_that_the_identifier_does_not_know_are_one_line():
    table = rows_of([("run_Latn", "web", 100, 100, "", 0.9), ("snd_Arab", "web", 100, 100, "", 0.9)])
    told = {"run_Latn": ["kin_Latn"], "snd_Arab": ["pbt_Arab", "pes_Arab"]}
    known = {"languages": {lang: {"known": False, "others": dict.fromkeys(one, 9)} for lang, one in told.items()}}
    (one,) = said(table, notes={"signals/identify": known})["findings"]
    assert one["text"] == (
        "not measured: the identifier does not know run_Latn (reads as kin_Latn) and snd_Arab (reads as pbt_Arab, "
        "pes_Arab)"
    )


def test_few_documents_that_only_the_identifier_calls_so_are_named():
    table = rows_of([("ell_Grek", "sorted", 100, 100, "", 0.9), ("grc_Grek", "mixed", 1, 1, "", 0.9),
                     ("ell_Grek", "mixed", 3, 3, "", 0.9), ("cop_Copt", "mixed", 58, 58, "", 0.9),
                     ("fra_Latn", "mixed", 59, 59, "", 0.9), ("amh_Ethi", "sorted", 2, 2, "", 0.9)])  # fmt: skip
    found = {one["kind"]: one for one in said(table, guessed=["mixed"])["findings"]}
    assert found["stray"]["langs"] == ["cop_Copt", "grc_Grek"]
    assert "few documents of cop_Copt (58) and grc_Grek (1), " in found["stray"]["text"]
    assert "mix.ceilings={cop_Copt: 0}" in found["stray"]["do"]
    assert warning.name(found["stray"]["text"]) == "few-identified"
    assert found["few"]["langs"] == ["amh_Ethi"]
    assert "stray" not in {one["kind"] for one in said(table)["findings"]}


@pytest.mark.parametrize("rule", ["budget", "quality"])
def test_what_a_share_or_a_budget_leaves_out_was_asked_for(rule):
    table = rows_of([("hau_Latn", "news", 200, 10, rule, 0.8), ("hau_Latn", "web", 200, 10, rule, 0.8)])
    found = said(table, fair="select.retain=lose", lose=False)
    assert [one["kind"] for one in found["findings"]] == ["few"] and found["languages"][0]["state"] == "fit"
    # A source that loses by it what others do not is told of, with what makes it fair.
    apart = rows_of([("hau_Latn", "news", 200, 190, rule, 0.8), ("hau_Latn", "web", 200, 80, rule, 0.8)])
    (one,) = said(apart, fair="select.within=source", lose=False)["findings"]
    assert (one["kind"], one["do"]) == ("loses", "select.within=source")


def test_the_rule_that_is_named_is_one_on_the_text():
    table = rows_of(
        [("hau_Latn", "news", 200, 60, "heuristics.digit_share.high", 0.8), ("hau_Latn", "web", 200, 198, "", 0.8)]
    )
    rules = table["rule"].to_pylist()
    rules[60:160] = ["duplicates.near"] * 100
    table = table.set_column(table.column_names.index("rule"), "rule", pa.array(rules))
    (one,) = sources.warned(sources.cells(table), table)
    assert one.text.startswith("news loses 20% of its 200 documents") and one.text.endswith(
        "heuristics.digit_share.high"
    )
    assert one.fix == "settings.source.news.heuristics.digit_share.high=null"


def test_a_language_of_which_nothing_is_left_is_said_once_with_the_rule_and_what_to_type():
    table = rows_of(
        [("hau_Latn", "news", 100, 0, "heuristics.chars.low", 0.8), ("tha_Thai", "news", 100, 100, "", 0.8)]
    )
    (one,) = said(table)["findings"]
    assert one["text"] == "no document of hau_Latn is kept; 100 of 100 are lost to heuristics.chars.low"
    assert one["do"] == "settings.language.hau_Latn.heuristics.chars.low=null"


def test_copies_that_leave_next_to_nothing_are_not_fit():
    found = said(rows_of([("hau_Latn", "news", 100, 1, "duplicates.exact", 0.8)]))
    assert found["languages"][0]["state"] == "look"
    assert found["first"].endswith("hau_Latn is not fit to train on as far as was measured.")


def test_a_terminal_says_a_finding_once_and_cuts_no_language(capsys):
    parts = [(lang, source, 100, 100 if source == "news" else 70, "heuristics.duplicate_line_char_share.high", 0.9)
             for lang in ("hin_Deva", "rus_Cyrl") for source in ("news", "a-source-of-lines")]  # fmt: skip
    found = said(rows_of(parts))
    (one,) = found["findings"]
    told = f"{one['text']} ({one['do']})"
    result = {"verdict": found, "languages": [], "warnings": [told, "fra_Latn: no document is kept"], "quarantined": {},
              "files": {}, "folder": "out", "estimate": None, "parallel": None, "mixture": None,
              "combinations": [], "stale": []}  # fmt: skip
    show.show_summary(result)
    out = capsys.readouterr().out
    assert out.count("[source-loses]") == 1 and "fra_Latn: no document is kept [nothing-kept]" in out
    result["verdict"] = found | {"findings": [asdict(scarce.unknown([("run_Latn", "kin_Latn", 0.1)])[0])]}
    result["warnings"] = confusions.unknown(["run_Latn"], lambda one: False)
    show.show_summary(result)
    assert capsys.readouterr().out.count("[unknown-to-identifier]") == 1, "in other words, and once"
    rows = [line.split() for line in out.splitlines() if line.startswith(("hin_Deva ", "rus_Cyrl "))]
    assert {row[1] for row in rows} == {"news", "a-source-of-lines"}
    assert {tuple(row[2:4]) for row in rows} == {("100", "100"), ("100", "70")}
