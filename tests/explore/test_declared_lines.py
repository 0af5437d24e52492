"""Lines that rules of signals declare, held against the ledger that the same setting makes (`what_if`)."""

import json

import pytest

import explore_world
from glotmix.core.rules import LanguageSetting, Rule, Through
from glotmix.explore.documents import Documents
from glotmix.explore.lines import Lines
from glotmix.pipeline.what_if import what_if
from report_world import SENTENCES

LANGS = ("rus_Cyrl", "tha_Thai", "arb_Arab")
LISTED = {"rus_Cyrl": "слово", "tha_Thai": "คำ", "arb_Arab": "كلمة"}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """Documents with listed words, personal data, stretches of others, and copies in another source."""
    base = tmp_path_factory.mktemp("declared")
    made = [[], []]
    for lang in LANGS:
        long = " ".join(f"{SENTENCES[lang]} {i}" for i in range(9))
        for i in range(14):
            text = f"{SENTENCES[lang]} {i}." + f" {LISTED[lang]} " * (i % 4) + f" a{i}@example.org" * (i % 3)
            text += long if i % 5 == 0 else ""
            made[i % 2].append({"id": f"{lang}/{i}", "text": text, "lang": lang})
            if i % 7 == 0:
                made[1 - i % 2].append({"id": f"{lang}/copy-{i}", "text": text, "lang": lang})
        (base / f"{lang}.txt").write_text(LISTED[lang] + "\n", "utf-8")
    path = explore_world.write(
        base,
        signals={"words": {"lists": {"mine": ["{lang}.txt"]}}, "private": {}, "repeated_passages": {"letters": 100},
                 "duplicates": {"selftest": False, "threshold": 1.0}},
        settings={"default": {"heuristics": {}, "source_overlap": {"min_sources": 1}}},
    )  # fmt: skip
    for name, rows in zip(explore_world.NAMES, made, strict=True):
        (base / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    explore_world.job(path).run("ledger")
    return path


@pytest.fixture(scope="module")
def lines(recipe):
    return Lines(Documents(explore_world.job(recipe).context))


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("words", 5.0),
        ("words", 20.0),
        ("private", 1),
        ("private", 0),
        ("repeated_passages", 0.3),
        ("source_overlap", 2),
    ],
)
def test_a_declared_line_drops_what_the_ledger_drops(lines, recipe, rule, value):
    moved = 0
    for lang in LANGS:
        answer = lines.moved({"lang": lang, "rule": rule, "value": value})
        written = answer["setting"]
        override = f"settings.language.{lang}.{written['key']}={json.dumps(written['value'])}"
        changed = what_if(explore_world.job(recipe), explore_world.job(recipe, override))["moved"]
        assert answer["go"]["documents"] == sum(row["gone"] for row in changed)
        assert answer["go"]["bytes"] == sum(row["gone_bytes"] for row in changed)
        assert answer["replaced"] == sum(row["back"] for row in changed)
        moved += answer["go"]["documents"]
    assert moved > 0


def test_they_are_listed_with_what_is_set_and_their_sliders_run_from_loose_to_strict(lines):
    told = {line["rule"]: line for line in lines.listed({"lang": "tha_Thai"})["lines"]}
    assert told["source_overlap"]["set"] == told["source_overlap"]["drawn"] == 1
    assert told["words"]["drawn"] == told["words"]["set"]
    for rule, whole in (("private", True), ("words", False), ("source_overlap", True), ("repeated_passages", False)):
        scale = lines.scale({"lang": "tha_Thai", "rule": rule})
        assert scale["beyond"] == sorted(scale["beyond"]) and scale["beyond"][0] == 0 and scale["quantiles"] == []
        for place, beyond in zip(scale["places"], scale["beyond"], strict=True):
            assert lines.moved({"lang": "tha_Thai", "rule": rule, "value": place})["falls"]["documents"] == beyond
            assert not whole or place == int(place)
    assert "personal data" in lines.scale({"lang": "tha_Thai", "rule": "private"})["meaning"]
    assert lines.moved({"lang": "tha_Thai", "rule": "private", "value": 1.4})["setting"]["value"] == 1


def test_labels_speak_of_them(lines, recipe):
    shipped = lines.moved({"lang": "rus_Cyrl", "rule": "private", "value": 0})["labels"]
    assert shipped["good"][1] > 100 and shipped["names"] == ("natural", "unnatural") and "ship" in shipped["origin"]
    path = recipe.parent / "labels" / "tha_Thai.jsonl"
    path.parent.mkdir()
    rows = [{"id": f"tha_Thai/{i}", "label": None, "wrong_language": i % 2} for i in range(4)]
    path.write_text("".join(json.dumps(row | {"text": "", "lang": "tha_Thai"}) + "\n" for row in rows), "utf-8")
    lines.labels.of.cache_clear()
    told = lines.of_corpus(lines.line("tha_Thai", "words"), 1.0, "number", "wrong_language")
    # Documents 1 and 3 were said to be in a wrong language; 1, 2 and 3 hold listed words.
    assert told["bad"] == [2, 2] and told["good"] == [1, 2]
    assert told["names"] == ("not wrong language", "wrong language")
    assert lines.labels.judged("tha_Thai") == {}, "only properties were said of them"


@pytest.mark.parametrize(("place", "copies"), [(45, 1), (500, 0)])
def test_a_rule_of_anyone_has_a_slider_by_its_declaration(recipe, monkeypatch, place, copies):
    lines = Lines(Documents(explore_world.job(recipe).context))
    step = next(s for s in lines.documents.context.steps if s.name == "signals/words")
    setting = LanguageSetting("words.max_per_1000_chars", ..., "", lambda v: True, Through(("words.words",), "from"))
    monkeypatch.setitem(
        lines.__dict__, "declared", lines.declared | {"mine": (step, Rule("mine", lambda v: [], place), setting)}
    )
    assert "mine" in lines.rules
    falls = lines.moved({"lang": "rus_Cyrl", "rule": "mine", "value": 3})["falls"]["documents"]
    # The seventh has a copy: a rule after that of duplicates sees one of the two.
    assert falls == len([3, 7, 11]) + copies
