import json

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as trial
from hypothesis import strategies as st

from glotmix.core import settings
from glotmix.core.errors import RequestError
from glotmix.core.language import parse
from glotmix.core.settings import LAYERS, Setting, check, explain, known, resolve

FRENCH = parse("fra_Latn")
NAMES = {"default": None, "script": "Latn", "family": "Romance", "language": "fra_Latn", "source": "web"}


def layered(values: dict[str, float]) -> dict:
    """A settings section that gives quality.keep in each of the named layers."""
    return {
        layer: {"quality": {"keep": v}} if layer == "default" else {NAMES[layer]: {"quality": {"keep": v}}}
        for layer, v in values.items()
    }


def test_without_a_recipe_all_values_are_built_in():
    found = resolve({}, FRENCH)
    assert tuple(found) == known()
    assert {s.origin for s in found.values()} <= {
        "built-in, default",
        "built-in, script Latn",
        "built-in, family Romance",
        "built-in, language fra_Latn",
    }
    assert 0 < found["quality.keep"].value <= 1
    assert found["identify.on_mismatch"].value in ("drop", "keep")


@trial(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.sampled_from(LAYERS), st.floats(0, 1), min_size=1), st.randoms(use_true_random=False))
def test_the_most_specific_layer_wins_whatever_the_order_in_the_recipe(values, random):
    layers = layered(values)
    shuffled = dict(random.sample(list(layers.items()), len(layers)))
    found = resolve(shuffled, FRENCH, "web")["quality.keep"]
    winner = max(values, key=LAYERS.index)
    name = NAMES[winner]
    assert found.value == values[winner]
    assert found.origin == f"recipe, {winner}" + (f" {name}" if name else "")
    chain, at = [], found.instead_of
    while at:
        chain.append(at.value)
        at = at.instead_of
    below = sorted(values.keys() - {winner}, key=LAYERS.index, reverse=True)
    built_in = resolve({}, FRENCH, "web")["quality.keep"].value
    assert chain == [values[layer] for layer in below] + [built_in]


def test_specificity_comes_before_the_recipe(monkeypatch):
    monkeypatch.setattr(
        settings,
        "_built_in",
        lambda: {
            ("default", None): {"quality.keep": 0.1, "identify.min_score": 0.5},
            ("script", "Latn"): {"quality.keep": 0.2},
            ("language", "fra_Latn"): {"quality.keep": 0.3},
        },
    )

    def keep(values):
        return resolve(layered(values), FRENCH, "web")["quality.keep"]

    assert keep({}) == Setting(
        0.3,
        "built-in, language fra_Latn",
        Setting(0.2, "built-in, script Latn", Setting(0.1, "built-in, default")),
    )
    assert keep({"default": 0.9}).value == 0.3
    assert keep({"script": 0.9, "family": 0.8}).value == 0.3
    assert keep({"language": 0.9}).origin == "recipe, language fra_Latn"
    assert keep({"source": 0.9}).origin == "recipe, source web"
    assert resolve({}, parse("deu"))["quality.keep"].value == 0.2
    assert resolve({}, parse("rus"))["quality.keep"].value == 0.1


def test_layers_of_others_do_not_apply():
    layers = {
        "script": {"Arab": {"quality": {"keep": 0.1}}},
        "family": {"Slavic": {"quality": {"keep": 0.1}}},
        "language": {"spa": {"quality": {"keep": 0.1}}, "fra_Arab": {"quality": {"keep": 0.1}}},
        "source": {"books": {"quality": {"keep": 0.1}}},
    }
    assert resolve(layers, FRENCH, "web") == resolve({}, FRENCH)
    assert resolve(layers, FRENCH) == resolve({}, FRENCH)


def test_a_language_may_be_written_in_any_way():
    for written in ("fr", "fra", "FRE", "fr-FR", "fra_Latn"):
        found = resolve({"language": {written: {"quality": {"keep": 0.5}}}}, FRENCH)["quality.keep"]
        assert found.origin == "recipe, language fra_Latn"


def test_norwegian_survives_yaml():
    section = yaml.safe_load("language: {no: {quality: {keep: 0.5}}}")
    assert list(section["language"]) == [False]
    assert resolve(section, parse("nob"))["quality.keep"].value == 0.5


@pytest.fixture
def heuristics(monkeypatch):
    shipped = {
        ("default", None): {
            "heuristics.mean_line_chars.low": {"quantile": 0.01},
            "heuristics.mean_line_chars.high": None,
            "heuristics.digit_share.high": 0.3,
            "quality.keep": 0.5,
        }
    }
    monkeypatch.setattr(settings, "_built_in", lambda: shipped)


def values(layers, language=FRENCH, source=None):
    return {key: s.value for key, s in resolve(layers, language, source).items()}


def test_bounds_are_numbers_quantiles_or_off(heuristics):
    given_bounds = {"default": {"heuristics": {"mean_line_chars": {"low": 12.5, "high": {"quantile": 0.99}}}}}
    assert values(given_bounds) == {
        "heuristics.mean_line_chars.low": 12.5,
        "heuristics.mean_line_chars.high": {"quantile": 0.99},
        "heuristics.digit_share.high": 0.3,
        "quality.keep": 0.5,
    }
    off = {"language": {"fra": {"heuristics": {"mean_line_chars": {"low": None}}}}}
    assert values(off)["heuristics.mean_line_chars.low"] is None


def test_a_section_is_switched_off_as_a_whole(heuristics):
    layers = {"default": {"heuristics": None}, "language": {"fra": {"heuristics": {"digit_share": {"high": 0.5}}}}}
    found = resolve(layers, FRENCH)
    assert found["heuristics.mean_line_chars.low"] == Setting(
        None, "recipe, default", Setting({"quantile": 0.01}, "built-in, default")
    )
    assert found["heuristics.digit_share.high"].value == 0.5
    assert found["quality.keep"].value == 0.5


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ({"langauge": {}}, ["settings.langauge", "'language'"]),
        ({"default": {"qualty": {"keep": 0.5}}}, ["settings.default.qualty.keep", "'quality.keep'"]),
        ({"default": {"quality": {"kep": 0.5}}}, ["settings.default.quality.kep", "'quality.keep'"]),
        ({"script": {"Latin": {}}}, ["settings.script.Latin", "'Latn'"]),
        ({"family": {"romance": {}}}, ["settings.family.romance", "'Romance'"]),
        ({"language": {"french": {}}}, ["settings.language.french", "fra_Latn"]),
        ({"language": {"fr": {}, "fra": {}}}, ["fra_Latn", "twice"]),
        ({"default": {"quality": {"keep": 1.5}}}, ["settings.default.quality.keep", "from 0 to 1", "1.5"]),
        ({"default": {"quality": {"keep": True}}}, ["settings.default.quality.keep", "True"]),
        ({"default": {"quality": {"keep": None}}}, ["settings.default.quality.keep", "None"]),
        ({"default": {"quality": None}}, ["settings.default.quality"]),
        ({"default": {"quality": 0.5}}, ["settings.default.quality", "section"]),
        ({"default": {"identify": {"on_mismatch": "delete"}}}, ["'drop' or 'keep'", "delete"]),
        ({"default": 5}, ["settings.default", "mapping"]),
        ({"language": ["fra"]}, ["settings.language", "mapping"]),
        ({"default": {"heuristics": {"digit_share": {"high": {"quantile": 2}}}}}, ["digit_share.high", "quantile"]),
        ({"default": {"heuristics": {"digit_share": {"high": "0.2"}}}}, ["digit_share.high", "'0.2'"]),
        (
            {"default": {"heuristics": {"digit_share": {"low": 0.2}}}},
            ["digit_share.low", "'heuristics.digit_share.high'"],
        ),
    ],
)
def test_what_does_not_exist_or_fit_is_an_error_that_names_it(monkeypatch, layers, words):
    shipped = {
        ("default", None): {
            "heuristics.digit_share.high": 0.3,
            "quality.keep": 0.5,
            "identify.min_score": 0.5,
            "identify.on_mismatch": "drop",
        }
    }
    monkeypatch.setattr(settings, "_built_in", lambda: shipped)
    with pytest.raises(RequestError) as error:
        check(layers)
    for word in words:
        assert word in str(error.value)


def test_a_source_must_exist():
    layers = {"source": {"wbe": {"quality": {"keep": 0.5}}}}
    check(layers)
    with pytest.raises(RequestError, match=r"source\.wbe.*'web'"):
        check(layers, ["web", "books"])
    check({"source": {"web": {}}}, ["web", "books"])


def test_explain_tells_value_origin_and_what_was_replaced():
    rows = explain(layered({"default": 0.4, "family": 0.2}), FRENCH)
    assert [row["key"] for row in rows] == list(known())
    row = next(r for r in rows if r["key"] == "quality.keep")
    built_in = resolve({}, FRENCH)["quality.keep"]
    assert row == {
        "key": "quality.keep",
        "value": 0.2,
        "origin": "recipe, family Romance",
        "instead_of": [
            {"value": 0.4, "origin": "recipe, default"},
            {"value": built_in.value, "origin": built_in.origin},
        ],
    }
    assert json.loads(json.dumps(rows)) == rows


def test_the_built_in_file_is_whole():
    """Every built-in setting of any layer is one of the defaults, and of a kind that its rule takes."""
    shipped = settings._built_in()
    for (layer, _), content in shipped.items():
        assert layer in LAYERS
        assert set(content) <= set(known())
    assert {"identify.on_mismatch", "identify.min_score", "quality.keep"} <= set(known())
