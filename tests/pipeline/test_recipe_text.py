"""A recipe as text: what is a word, a number, a key."""

import pytest

import glotmix as gm
from glotmix.core.errors import RequestError
from glotmix.pipeline import recipe as recipes

TEXT = """
name: words
corpus: {{sources: [{{name: a, path: a.jsonl, language: {lang}}}]}}
export: {{dropped: {dropped}}}
settings: {{language: {{{key}: {{quality: {{keep: 0.5}}}}}}}}
"""


@pytest.mark.parametrize("word", ["no", "No", "yo", "on"])
def test_codes_of_languages_are_words_and_not_truth_values(word):
    data = recipes.from_text(TEXT.format(lang=word, dropped="true", key=word), "x")
    assert data["corpus"]["sources"][0]["language"] == word
    assert list(data["settings"]["language"]) == [word]
    assert data["export"]["dropped"] is True


def test_norwegian_is_a_language_of_a_recipe_and_yes_is_still_an_answer():
    found = gm.recipe(TEXT.format(lang="no", dropped="yes", key="no"))
    assert found.corpus.sources[0].language == "nob_Latn"
    assert found.export.dropped is True
    assert gm.recipe(TEXT.format(lang="no", dropped="no", key="no")).export.dropped is False


@pytest.mark.parametrize("key", ["&fra_Latn", "null", "1", "2020-01-01", "true", "1.5"])
def test_a_key_that_is_no_text_is_refused_with_its_place(key):
    with pytest.raises(RequestError, match=r"x: settings\.language: the key .* is no text"):
        recipes.from_text(TEXT.format(lang="fr", dropped="true", key=key), "x")


def test_languages_may_be_spelled_short_wherever_a_recipe_names_them():
    given = {
        "name": "short",
        "corpus": {"sources": [{"name": "a", "path": "a.jsonl", "language": "fr"}]},
        "mix": {
            "floors": {"am": 0.1}, "ceilings": {"fra": 0.5}, "max_epochs_of": {"th": 2},
            "groups": {"two": {"languages": ["ko", "hin_Deva"], "floor": 0.1}},
            "proxies": {"languages": ["am", "fra_Latn"]},
        },
        "align": {"mine": {"languages": ["en"]}},
    }  # fmt: skip
    found = gm.recipe(given)
    assert found.mix.floors == {"amh_Ethi": 0.1}
    assert found.mix.ceilings == {"fra_Latn": 0.5}
    assert found.mix.max_epochs_of == {"tha_Thai": 2}
    assert found.mix.groups["two"].languages == ("kor_Hang", "hin_Deva")
    assert found.mix.proxies.languages == ("amh_Ethi", "fra_Latn")
    assert found.align.mine.languages == ("eng_Latn",)
    cells = gm.recipe(given | {"mix": {"cells": "source", "floors": {"am/web": 0.1}}})
    assert cells.mix.floors == {"amh_Ethi/web": 0.1}


@pytest.mark.parametrize(
    ("mix", "said"),
    [
        ({"method": "law"}, "x:\n  mix.method=law needs runs to fit: mix.runs, mix.proxies, or mix.method=unimax"),
        ({"floors": {"zzz": 0.1}}, "x:\n  mix.floors: 'zzz' is not a language code (write a code such as fra_Latn)"),
    ],
)
def test_what_is_refused_of_a_whole_recipe_is_one_sentence(mix, said):
    sources = [{"name": "a", "path": "a.jsonl", "language": "fr"}]
    with pytest.raises(RequestError) as caught:
        recipes.parse({"name": "odd", "corpus": {"sources": sources}, "mix": mix}, "x")
    assert str(caught.value) == said


@pytest.mark.parametrize(
    "text", ["seed: 1\nmix: {}\nseed: 2\n", "mix: {tokens: 1, seed: 2, tokens: 3}\n", '{"a": 1, "a": 1}']
)
def test_a_key_that_stands_twice_is_refused_and_not_lost(text):
    with pytest.raises(RequestError, match=r"x is not YAML: the key '(seed|tokens|a)' stands twice"):
        recipes.from_text(text, "x")


def test_a_mapping_that_takes_another_in_may_say_its_keys_again():
    text = "a: &a {lose: 1, keep: 2}\nb: &b {<<: *a, lose: 3}\nc: {<<: *b, keep: 4}\n"
    assert recipes.from_text(text, "x")["c"] == {"lose": 3, "keep": 4}
    text = "a: &a {lose: 1}\nb: &b {keep: 2}\nc: {<<: *a, <<: *b}\n"
    assert recipes.from_text(text, "x")["c"] == {"lose": 1, "keep": 2}


@pytest.mark.parametrize("retain", ["share", "tokens", "budget"])
def test_what_needs_a_rater_is_refused_where_there_is_none(retain):
    data = {
        "name": "x",
        "corpus": {"sources": [{"name": "a", "path": "a.jsonl", "language": "fr"}]},
        "select": {"retain": retain, "tokens": {"fra": 10}},
    }
    with pytest.raises(RequestError, match=rf"select\.retain={retain} ranks documents by the rater's score"):
        recipes.parse(data | {"quality": None}, "x")
    assert recipes.parse(data, "x").select.retain == retain
    assert recipes.parse(data | {"quality": None, "kind": "instructions"}, "x").quality is None
