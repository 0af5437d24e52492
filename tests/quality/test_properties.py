"""Heads of further properties: what they learn, what they are worth, and what they drop."""

import doctest
import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from glotmix.core.errors import DataError
from glotmix.core.record import read as record_of
from glotmix.pipeline import recipe as recipes
from glotmix.pipeline.run import Job
from glotmix.quality import added, anchors, load, properties
from glotmix.quality.heads import Head

GOOD = {
    "eng_Latn": "The mayor opened the new library on Tuesday. She said that building it took {} years. ",
    "rus_Cyrl": "Мэр открыл новую библиотеку во вторник. Он сказал, что её строили {} лет и три года. ",
    "arb_Arab": "افتتح رئيس البلدية المكتبة الجديدة يوم الثلاثاء. وقال إن بناءها استغرق {} سنوات طويلة. ",
    "tha_Thai": "นายกเทศมนตรีเปิดห้องสมุดแห่งใหม่เมื่อวันอังคาร เขากล่าวว่าใช้เวลาสร้าง {} ปีกว่าจะเสร็จ ",
    "zho_Hans": "市长周二为新图书馆揭幕。他说建造花了{}年时间，大家都很高兴，也很满意。",
}
BAD = "HOT!!! XXX {} | 18+ | click >>> {} <<< FREE ### 100% $$$ *** "


def rows(each=14):
    found = []
    for lang, text in GOOD.items():
        for n in range(each):
            adult = n % 2
            own = (BAD.format(n, n) * 6 if adult else "") + text.format(n) * 6
            found.append({"text": own, "lang": lang, "label": None, "adult": adult, "machine_translated": 0})
    return found


def write(path, given):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in given), "utf-8")
    return path


def test_a_planted_property_is_found_and_one_without_labels_has_no_head(tmp_path):
    held = properties.read([write(tmp_path / "l.jsonl", rows())])
    assert len(held) == 70
    _, heads, told = properties.train(held, 0)
    assert set(heads) == {"adult"}
    assert told["adult"]["auc"] > 0.95
    assert told["adult"]["low"] <= told["adult"]["auc"] <= told["adult"]["high"]
    assert (told["adult"]["n"], told["adult"]["has"]) == (70, 35)
    assert "no head" in told["machine_translated"]["why"]
    assert told["wrong_language"]["n"] == 0
    # Labels without meaning teach nothing, and the audit says so.
    mixed = np.random.default_rng(0).permutation([row["adult"] for row in held]).tolist()
    _, _, none = properties.train([row | {"adult": m} for row, m in zip(held, mixed, strict=True)], 0)
    assert none["adult"]["auc"] < 0.55


def test_the_order_of_labels_changes_nothing(tmp_path):
    held = properties.read([write(tmp_path / "l.jsonl", rows())])
    one, other = (properties.train(given, 0) for given in (held, held[::-1]))
    assert one[2] == other[2]
    assert np.array_equal(one[1]["adult"].head.logistic.weight, other[1]["adult"].head.logistic.weight)


def test_labels_that_cannot_be_used_are_refused(tmp_path):
    with pytest.raises(DataError, match="line 1: adult is 'maybe'"):
        properties.read([write(tmp_path / "a.jsonl", [{"text": "x y", "lang": "fr", "adult": "maybe"}])])
    with pytest.raises(DataError, match="text is missing"):
        properties.read([write(tmp_path / "b.jsonl", [{"text": " ", "lang": "fr", "adult": 1}])])
    assert properties.read([write(tmp_path / "c.jsonl", [{"text": "x", "lang": "fr", "label": 1}])]) == []


def test_a_recipe_drops_what_a_head_finds_where_a_line_is_drawn(tmp_path):
    write(tmp_path / "labels.jsonl", rows())
    texts = [{"text": row["text"].replace("Tuesday", "Monday") + " !", "lang": row["lang"]} for row in rows(8)]
    write(tmp_path / "web.jsonl", texts)
    recipe = {
        "name": "p",
        "output": "out",
        "corpus": {"sources": [{"name": "web", "path": "web.jsonl", "language": {"column": "lang"}}]},
        "signals": {"boilerplate": None, "duplicates": {"threshold": 1}},
        "quality": {"anchors": ["builtin", "labels.jsonl"], "properties": True, "seeds": 1},
        "settings": {
            "default": {"identify": {"on_mismatch": "keep"}, "heuristics": None, "properties": {"adult": 0.5}},
            "language": {"tha_Thai": {"properties": {"adult": None}}},
        },
        "select": {"retain": "all"},
    }
    (tmp_path / "r.yaml").write_text(json.dumps(recipe), "utf-8")
    job = Job(recipes.load(tmp_path / "r.yaml", ()), tmp_path)
    job.run("ledger")
    found = record_of(job.folder / "signals/properties")
    assert found.notes["audits"]["adult"]["auc"] > 0.9
    ledger = [r for p in sorted((job.folder / "ledger").glob("part-*")) for r in pq.read_table(p).to_pylist()]
    dropped = {lang: sum(r["rule"] == "properties.adult" for r in ledger if r["lang"] == lang) for lang in GOOD}
    assert dropped.pop("tha_Thai") == 0
    assert all(n in (3, 4, 5) for n in dropped.values()), dropped
    assert next(r["evidence"] for r in ledger if r["rule"] == "properties.adult").endswith("of at least 0.5")


def test_the_audit_says_what_added_labels_changed(tmp_path):
    assert doctest.testmod(added).failed == 0
    # The labels that ship call ordinary prose good; these call the opposite of them good.
    own = [row | {"label": row["adult"]} for row in rows(60) if row["lang"] == "tha_Thai"]
    few = [{"text": GOOD["rus_Cyrl"].format(n), "lang": "rus_Cyrl", "label": 1} for n in range(4)]
    mine = anchors.read([write(tmp_path / "own.jsonl", own + few)])
    shipped = anchors.read([anchors.shipped()])
    english = shipped.filter(np.isin(shipped["lang"].to_pylist(), ["eng_Latn"]))
    base = pa.concat_tables(
        [english.filter(english["label"]).slice(0, 12), english.filter(pc.invert(english["label"]))]
    )
    found = added.measured(base, mine, load.feature_extractor(("structure",), {}), Head(), 0)
    assert [row["lang"] for row in found] == ["rus_Cyrl", "tha_Thai"]
    assert found[0]["why"] is not None
    thai = found[1]
    assert thai["before"] < 0.3
    assert thai["after"] > thai["before"] + 0.3
    assert thai["low"] > 0
    russian, told = added.told(found)
    assert "was not measured" in russian
    assert told.startswith("tha_Thai: 60 added labels raised the AUC on them from 0.")
    # Labels by chance teach nothing: no document teaches what it is asked.
    dealt = np.random.default_rng(1).permutation([row["adult"] for row in own]).tolist()
    chance = anchors.read(
        [write(tmp_path / "c.jsonl", [row | {"label": one} for row, one in zip(own, dealt, strict=True)])]
    )
    (row,) = added.measured(base, chance, load.feature_extractor(("structure",), {}), Head(), 0)
    assert row["after"] < 0.6
    # Labels that say what the others say already change nothing.
    same = anchors.read([write(tmp_path / "same.jsonl", [row | {"label": 1 - row["label"]} for row in own])])
    (row,) = added.measured(base, same, load.feature_extractor(("structure",), {}), Head(), 0)
    assert row["before"] == row["after"] == 1.0
    assert "by no more than chance" in added.told([row])[0]
