"""By a recipe: passages cut from the data set, documents dropped for them, and the table of what would be lost."""

import json

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from glotmix.cli import app
from glotmix.pipeline import recipe as recipes
from glotmix.pipeline.losses import losses
from glotmix.pipeline.run import Job

NOTICE = {
    "deu_Latn": "Der Verein lädt alle Freunde des Hauses zu einem langen Abend mit Musik aus vier Ländern ein. ",
    "tha_Thai": "สมาคมขอเชิญเพื่อนทุกคนมาร่วมงานดนตรียามค่ำคืนที่มีนักดนตรีจากสี่ประเทศมาบรรเลงเพลงให้ฟังตลอดคืน",
    "zho_Hans": "协会邀请所有朋友参加一个漫长的音乐之夜，来自四个国家的音乐家将整夜演奏他们家乡的歌曲给大家听。",
}
OWN = {
    "deu_Latn": "Am {} beginnt die Ernte im Tal, und {} Wagen fahren zum Markt; Bericht {} aus der Gegend von Ulm. ",
    "tha_Thai": "วันที่ {} ฤดูเก็บเกี่ยวเริ่มขึ้นในหุบเขา รถ {} คันไปตลาด รายงานฉบับที่ {} จากเมืองเล็ก ๆ ",
    "zho_Hans": "{}日山谷开始收割，{}辆车开往市场，这是来自小镇的第{}号报告，大家都很高兴地唱歌跳舞。",
}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("losses")
    rows = []
    for lang, notice in NOTICE.items():
        for i in range(6):
            own = "\n".join(OWN[lang].format(chr(65 + i) * 3, chr(75 + i + k), chr(97 + i) * (k + 1)) for k in range(9))
            source = "news" if i % 2 else "blog"
            rows.append({"id": f"{lang}-{i}", "lang": lang, "text": f"{own}\n{notice * 3}", "source": source})
        rows.append({"id": f"{lang}-7", "lang": lang, "text": rows[-1]["text"], "source": "blog"})
    for source in ("blog", "news"):
        mine = [{k: v for k, v in r.items() if k != "source"} for r in rows if r["source"] == source]
        (folder / f"{source}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in mine), "utf-8")
    recipe = {
        "name": "l", "output": "out", "quality": None, "mix": {"method": "unimax"}, "select": {"retain": "all"},
        "corpus": {
            "sources": [
                {"name": s, "path": f"{s}.jsonl", "language": {"column": "lang"}} for s in ("blog", "news")
            ]
        },
        "signals": {
            "boilerplate": None, "embed": "static", "semantic_duplicates": {}, "repeated_passages": {"cut": True},
            "duplicates": {"threshold": 1.0},
        },
        "settings": {"default": {"identify": {"on_mismatch": "keep"}, "heuristics": None}},
    }  # fmt: skip
    (folder / "recipe.yaml").write_text(json.dumps(recipe), "utf-8")
    Job(recipes.load(folder / "recipe.yaml", ()), folder).run("dataset")
    return folder


def exported(folder):
    return {
        r["id"]: r for f in folder.rglob("train-*.parquet") for r in pq.read_table(f, partitioning=None).to_pylist()
    }


def test_passages_are_cut_from_all_but_their_first_holder(base):
    made = exported(base / "out/dataset")
    for lang, notice in NOTICE.items():
        held = sum("".join(r["text"].split()).count("".join((notice * 3).split())) for r in made.values())
        assert held, lang
        mine = [r for r in made.values() if r["lang"] == lang]
        whole = [r["id"] for r in mine if "".join((notice * 3).split()) in "".join(r["text"].split())]
        assert len(mine) == 6
        assert len(whole) == 1
        assert sum(r["passage_bytes_cut"] == 0 for r in mine) == 1
        # What is each document's own is as it was.
        assert all(OWN[lang][-12:].strip() in r["text"] for r in mine)


def test_the_table_says_what_each_source_would_lose(base):
    job = Job(recipes.load(base / "recipe.yaml", ()), base)
    found = {row["source"]: row for row in losses(job.context)}
    assert {s: r["documents"] for s, r in found.items()} == {"blog": 12, "news": 9}
    assert sum(r["exact"]["documents"] for r in found.values()) == 3
    assert all(r["lines"] is None and r["near"]["documents"] == 0 for r in found.values())
    assert sum(r["passages"]["documents"] for r in found.values()) == 18
    assert sum(r["meaning"]["documents"] for r in found.values()) >= 3
    assert all(0 < r["passages"]["bytes"] < r["bytes"] for r in found.values())
    before = {p: p.stat().st_mtime_ns for p in base.rglob("*") if p.is_file()}
    result = CliRunner().invoke(app, ["select", str(base / "recipe.yaml"), "--what-if"], catch_exceptions=False)
    assert result.exit_code == 0
    assert all(word in result.output for word in ("blog", "news", "not looked for", "passages"))
    result = CliRunner().invoke(app, ["select", str(base / "recipe.yaml"), "--what-if", "--json"])
    assert json.loads(result.stdout)["duplicates"] == list(found.values())
    assert {p: p.stat().st_mtime_ns for p in base.rglob("*") if p.is_file()} == before


def test_what_no_decision_needs_may_not_be_made(tmp_path):
    # The signals of the default: repeated lines are looked for by `glotmix run`, and not by `select`.
    rows = [{"id": str(i), "text": OWN["deu_Latn"].format("A" * i, i, "b" * i) * 3} for i in range(1, 9)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    recipe = {"name": "l", "output": "out", "quality": None, "corpus": {"sources": []}}
    recipe["corpus"]["sources"] = [{"name": "a", "path": "a.jsonl", "language": "deu_Latn"}]
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe), "utf-8")
    assert CliRunner().invoke(app, ["select", str(tmp_path / "recipe.yaml"), "-q"]).exit_code == 0
    found = CliRunner().invoke(app, ["select", str(tmp_path / "recipe.yaml"), "--what-if", "--json"])
    assert found.exit_code == 0, found.exception
    (row,) = json.loads(found.stdout)["duplicates"]
    assert row["lines"] is None and row["exact"] == {"documents": 0, "bytes": 0}


def test_a_rule_drops_documents_on_request(base):
    given = ("settings.default.repeated_passages.share=0.9", "output=strict", "signals.repeated_passages.cut=false")
    job = Job(recipes.load(base / "recipe.yaml", given), base)
    job.run("dataset")
    ledger = [r for f in (base / "strict/ledger").glob("part-*") for r in pq.read_table(f).to_pylist()]
    assert {r["id"]: r["rule"] for r in ledger if not r["kept"]} == {f"{lang}-5": "repeated_passages" for lang in OWN}
    assert all(r["evidence"].startswith("1.00 of it stands earlier") for r in ledger if not r["kept"])
    rows = exported(base / "strict/dataset")
    assert "passage_bytes_cut" not in next(iter(rows.values()))
