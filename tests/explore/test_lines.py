"""Lines that move, held against the ledger that the same setting makes (`what_if`), and against counting by hand."""

import json

import numpy as np
import pytest
import yaml

import explore_world
from glotmix.core import settings, table
from glotmix.core.errors import RequestError
from glotmix.explore import story
from glotmix.explore.documents import Documents
from glotmix.explore.lines import Lines
from glotmix.explore.scale import of_values
from glotmix.pipeline.what_if import what_if


def measured(documents, lang, column):
    files = story.parts(documents.folder / "signals/heuristics")
    held = table.read(files, ["id", column]).to_pylist()
    return {r["id"]: r[column] for r in held if r["id"].startswith(lang)}


@pytest.mark.parametrize("lang", ["rus_Cyrl", "tha_Thai", "arb_Arab", "zho_Hans", "amh_Ethi"])
@pytest.mark.parametrize(
    ("rule", "value", "how"),
    [
        ("heuristics.digit_share.high", 0.05, "number"),
        ("heuristics.chars.low", 200, "number"),
        ("heuristics.digit_share.high", 0.8, "quantile"),
        ("heuristics.punctuation_share.high", 0.7, "quantile"),
    ],
)
def test_what_a_line_would_drop_is_what_the_ledger_drops(explorer, recipe, lang, rule, value, how):
    """The oracle: the recipe with that setting, decided anew; nothing else can move, for nothing was dropped by it."""
    answer = explorer.calls["moved"]({"lang": lang, "rule": rule, "value": value, "how": how})
    written = answer["setting"]
    override = f"settings.language.{lang}.{written['key']}={json.dumps(written['value'])}"
    changed = what_if(explore_world.job(recipe), explore_world.job(recipe, override))
    gone = {row["source"]: (row["gone"], row["gone_bytes"]) for row in changed["moved"] if row["lang"] == lang}
    here = {s["source"]: (s["go"], s["go_bytes"]) for s in answer["sources"] if s["go"]}
    assert here == {source: counts for source, counts in gone.items() if counts[0]}
    assert answer["go"]["documents"] == sum(n for n, _ in gone.values())
    # A twin that had stood for another falls, and the other stands in its place.
    assert sum(row["back"] for row in changed["moved"]) == answer["replaced"]
    assert all(row["lang"] == lang for row in changed["moved"])
    if how == "number":
        assert answer["go"]["documents"] > 0


def test_a_line_that_is_drawn_brings_back_what_it_dropped(tmp_path_factory):
    path = explore_world.write(
        tmp_path_factory.mktemp("strict"),
        settings={"default": {"heuristics": {"digit_share": {"high": 0.05}, "chars": {"high": 300}}}},
        signals={"duplicates": {"selftest": False, "threshold": 1.0}},
    )
    job = explore_world.job(path)
    job.run("ledger")
    lines = Lines(Documents(job.context))
    by_two = 0
    for lang in ("hin_Deva", "jpn_Jpan", "fra_Latn"):
        answer = lines.moved({"lang": lang, "rule": "heuristics.digit_share.high", "value": None})
        override = f"settings.language.{lang}.heuristics.digit_share.high=null"
        changed = what_if(job, explore_world.job(path, override))
        assert answer["back"]["documents"] == sum(row["back"] for row in changed["moved"]) > 0
        assert answer["back"]["bytes"] == sum(row["back_bytes"] for row in changed["moved"])
        assert answer["go"] == {"documents": 0, "bytes": 0} and answer["falls"]["documents"] == 0
        # At its place nothing changes; and what fails two rules does not come back by one.
        same = lines.moved({"lang": lang, "rule": "heuristics.digit_share.high", "value": 0.05})
        assert same["go"]["documents"] == same["back"]["documents"] == 0
        by_two += same["falls"]["documents"] - answer["back"]["documents"]
        alone = same["falls"]["documents"] - same["already"]["documents"]
        assert alone == answer["back"]["documents"] + answer["back_but"]["documents"]
    assert by_two > 0


def test_the_slider_counts_what_lies_beyond_each_of_its_places(explorer, documents):
    for rule, lang in (("heuristics.digit_share.high", "kor_Hang"), ("heuristics.unit_entropy.low", "mya_Mymr")):
        column, _, side = rule.removeprefix("heuristics.").rpartition(".")
        values = np.array([v for v in measured(documents, lang, column).values() if v is not None], np.float32)
        scale = explorer.calls["scale"]({"lang": lang, "rule": rule})
        assert len(scale["places"]) == len(set(scale["places"])) > 5
        for place, beyond in zip(scale["places"], scale["beyond"], strict=True):
            mine = values > np.float32(place) if side == "high" else values < np.float32(place)
            assert beyond == mine.sum()
            answer = explorer.calls["moved"]({"lang": lang, "rule": rule, "value": place})
            assert answer["falls"]["documents"] == beyond
        # From loose to strict, and a quantile draws the place that stands with it.
        assert scale["beyond"] == sorted(scale["beyond"]) and scale["beyond"][0] == 0
        for place, quantile in list(zip(scale["places"], scale["quantiles"], strict=True))[::7]:
            drawn = explorer.calls["moved"]({"lang": lang, "rule": rule, "value": quantile, "how": "quantile"})
            assert drawn["place"] == place


def test_labels_speak_of_the_line(explorer):
    """The shipped labels of Japanese, measured by hand."""
    from glotmix.quality import anchors
    from glotmix.signals import heuristics

    held = anchors.read([anchors.shipped()])
    lang = next(code for code in explorer.documents.lang.names if code in held["lang"].to_pylist())
    mine = held.filter([value == lang for value in held["lang"].to_pylist()])
    digits = heuristics.measure(mine["text"].combine_chunks(), mine["lang"].combine_chunks()).field("digit_share")
    line = float(np.quantile(digits.to_numpy(zero_copy_only=False), 0.8))
    answer = explorer.calls["moved"]({"lang": lang, "rule": "heuristics.digit_share.high", "value": line})["labels"]
    beyond = digits.to_numpy(zero_copy_only=False) > np.float32(line)
    good = mine["label"].to_numpy(zero_copy_only=False).astype(bool)
    assert answer["good"] == [int((beyond & good).sum()), int(good.sum())]
    assert answer["bad"] == [int((beyond & ~good).sum()), int((~good).sum())]
    assert beyond.any() and "ship" in answer["origin"]
    none = explorer.calls["moved"]({"lang": "tha_Thai", "rule": "identify", "value": 0.5})
    assert none["labels"] is None


def test_labels_of_ones_own_count_beside_them(tmp_path, explorer):
    path = explore_world.write(tmp_path)
    (tmp_path / "labels").mkdir()
    rows = [{"id": "x", "text": "วันนี้ 123456789", "lang": "tha_Thai", "label": 0},
            {"id": "y", "text": "วันนี้อากาศดี", "lang": "tha_Thai", "label": 1}]  # fmt: skip
    (tmp_path / "labels/tha_Thai.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    lines = Lines(explorer.documents)
    lines.labels._context = explore_world.job(path).context
    told = lines.moved({"lang": "tha_Thai", "rule": "heuristics.digit_share.high", "value": 0.3})["labels"]
    assert told["good"] == [0, 1] and told["bad"] == [1, 1] and told["origin"] == "labels/tha_Thai.jsonl"


def test_the_documents_at_the_line_are_the_nearest_on_both_sides(explorer, documents):
    lang, rule = "ben_Beng", "heuristics.chars.high"
    values = measured(documents, lang, "chars")
    answer = explorer.calls["moved"]({"lang": lang, "rule": rule, "value": 150})["near"]
    beyond = sorted(v for v in values.values() if v > 150)[:6]
    within = sorted((v for v in values.values() if v <= 150), reverse=True)[:6]
    assert [r["value"] for r in answer["beyond"]] == beyond and [r["value"] for r in answer["within"]] == within


def test_what_is_written_is_a_recipe_that_draws_the_line(explorer):
    moved = []
    for lang, rule, value, how in (
        ("tha_Thai", "heuristics.digit_share.high", 0.123, "number"),
        ("tha_Thai", "heuristics.chars.low", 12.7, "number"),
        ("kor_Hang", "heuristics.digit_share.high", 0.95, "quantile"),
        ("kor_Hang", "identify", 0.42, "number"),
        ("heb_Hebr", "heuristics.digit_share.high", None, "number"),
    ):
        answer = explorer.calls["moved"]({"lang": lang, "rule": rule, "value": value, "how": how})
        moved.append({"lang": lang, **answer["setting"]})
    told = explorer.calls["written"]({"moved": moved})
    section = yaml.safe_load(told["yaml"])["settings"]
    assert section == {
        "language": {
            "tha_Thai": {"heuristics": {"digit_share": {"high": 0.123}, "chars": {"low": 12}}},
            "kor_Hang": {"heuristics": {"digit_share": {"high": {"quantile": 0.95}}}, "identify": {"min_score": 0.42}},
            "heb_Hebr": {"heuristics": {"digit_share": {"high": None}}},
        }
    }
    settings.check(section)
    assert told["command"].startswith("glotmix select recipe.yaml ") and told["command"].endswith(" --what-if")
    assert "settings.language.tha_Thai.heuristics.digit_share.high=0.123" in told["command"]
    assert "'settings.language.kor_Hang.heuristics.digit_share.high={quantile: 0.95}'" in told["command"]
    with pytest.raises(RequestError):
        explorer.calls["written"]({"moved": [{"lang": "kor_Hang", "key": "heuristics.digit_share.hihg", "value": 1}]})


def test_lines_of_a_language_are_listed_with_who_set_them(explorer, documents):
    told = explorer.calls["lines"]({"lang": "rus_Cyrl"})
    assert told["documents"] == (documents.lang.codes == documents.lang.names.index("rus_Cyrl")).sum()
    by_rule = {line["rule"]: line for line in told["lines"]}
    assert by_rule["heuristics.digit_share.high"]["set"] == {"quantile": 0.998}
    assert by_rule["heuristics.digit_share.high"]["origin"] == "built-in, default"
    assert "natural" in by_rule["heuristics.digit_share.high"]["judged"]
    assert "quality" not in by_rule and by_rule["identify"]["drawn"] > 0


@pytest.mark.parametrize(
    "given",
    [{"lang": "xxx_Latn", "rule": "identify"}, {"lang": "tha_Thai", "rule": "heuristics.nothing.high"},
     {"lang": "tha_Thai", "rule": "quality"}, {"lang": "tha_Thai", "rule": "heuristics.chars.middle"}],
)  # fmt: skip
def test_a_line_that_there_is_not_is_an_error(explorer, given):
    with pytest.raises(RequestError):
        explorer.calls["moved"](given | {"value": 1})


def test_a_quantile_of_few_documents_is_refused(explorer, monkeypatch):
    monkeypatch.setattr(explorer.lines, "least", 1000)
    given = {"lang": "heb_Hebr", "rule": "heuristics.digit_share.high", "value": 0.9, "how": "quantile"}
    with pytest.raises(RequestError, match="1,000 documents"):
        explorer.calls["moved"](given)


def test_a_scale_of_equal_or_missing_values_has_its_places():
    sizes = np.ones(9, np.int64)
    same = of_values(np.full(9, 0.25), sizes, "high", None, whole=False)
    assert same.places == [0.25] and same.beyond == [0] and sum(same.heights) == 9
    none = of_values(np.full(9, np.nan), sizes, "low", None, whole=False)
    assert none.places == [] and none.now is None


@pytest.fixture(scope="module")
def rated(tmp_path_factory):
    """A recipe with a rater."""
    path = explore_world.write(
        tmp_path_factory.mktemp("rated"),
        quality={"seeds": 1, "audits": 1},
        select={"retain": "lose", "lose": 0.2, "min_documents": 10},
        signals={"duplicates": {"selftest": False, "threshold": 1.0}},
    )
    job = explore_world.job(path)
    job.run("ledger")
    return path


def test_the_line_of_the_rater(rated):
    job = explore_world.job(rated)
    lines = Lines(Documents(job.context))
    assert lines.rater is not None
    moves = 0
    for lang in ("rus_Cyrl", "jpn_Jpan", "kor_Hang"):
        same = lines.moved({"lang": lang, "rule": "quality", "value": 0.2})
        assert same["go"]["documents"] == same["back"]["documents"] == 0
        for lose in (0.02, 0.5):
            answer = lines.moved({"lang": lang, "rule": "quality", "value": lose})
            override = f"settings.language.{lang}.quality.lose={answer['setting']['value']}"
            changed = what_if(job, explore_world.job(rated, override))
            assert answer["go"]["documents"] == sum(row["gone"] for row in changed["moved"])
            assert answer["back"]["documents"] == sum(row["back"] for row in changed["moved"])
            moves += answer["go"]["documents"] + answer["back"]["documents"]
    assert moves > 0
    scale = lines.scale({"lang": "rus_Cyrl", "rule": "quality"})
    assert scale["shares"][scale["now"]] == pytest.approx(0.2)
    assert scale["beyond"] == sorted(scale["beyond"])
