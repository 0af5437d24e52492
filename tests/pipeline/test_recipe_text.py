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
