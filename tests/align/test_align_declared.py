"""Declared parallel text: keys of every kind of table are joined, and no version is lost without a reason."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from glotmix.align import filters, told
from glotmix.cli import app
from glotmix.core import record

TEXTS = {
    "eng_Latn": ["The river is wide and slow here.", "Nobody knew the old song any more.", "We eat bread at noon."],
    "tha_Thai": ["แม่น้ำที่นี่กว้างและไหลช้า", "ไม่มีใครรู้จักเพลงเก่านั้นอีกแล้ว", "พวกเรากินขนมปังตอนเที่ยง"],
    "amh_Ethi": ["ወንዙ እዚህ ሰፊና ዝግተኛ ነው።", "የድሮውን ዘፈን ማንም አያውቀውም።", "እኩለ ቀን ላይ ዳቦ እንበላለን።"],
    "kor_Hang": ["이곳의 강은 넓고 느리게 흐른다.", "아무도 그 옛 노래를 더는 몰랐다.", "우리는 정오에 빵을 먹는다."],
}


@pytest.fixture
def found(tmp_path):
    """Run `align pairs` on declared sources, and return its rows and its record."""

    def run(*sources: dict) -> tuple[list[dict], record.Record]:
        (tmp_path / "web.txt").write_text("A page.", "utf-8")
        corpus = {"sources": [{"name": "web", "path": "web.txt", "language": "eng_Latn"}]}
        given = {"name": "told", "corpus": corpus, "align": {"parallel": list(sources), "identify": False}}
        (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(given, allow_unicode=True), "utf-8")
        done = CliRunner().invoke(app, ["align", "pairs", str(tmp_path / "recipe.yaml"), "-q"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        folder = tmp_path / "out/align/pairs"
        rows = [r for p in sorted(folder.glob("part-*.parquet")) for r in pq.read_table(p).to_pylist()]
        return rows, record.read(folder)

    return run


def test_numbers_as_text_as_fractions_and_as_numbers_are_one_key(tmp_path, found):
    with (tmp_path / "en.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("i", "text"), *enumerate(TEXTS["eng_Latn"])])
    pq.write_table(pa.table({"i": [0.0, 1.0, 2.0], "text": TEXTS["tha_Thai"]}), tmp_path / "th.parquet")
    pq.write_table(pa.table({"i": [0, 1, 2], "text": TEXTS["kor_Hang"]}), tmp_path / "ko.parquet")
    lines = [json.dumps({"i": str(n), "text": text}) for n, text in enumerate(TEXTS["amh_Ethi"])]
    (tmp_path / "am.jsonl").write_text("\n".join(lines), "utf-8")
    names = {"eng_Latn": "en.csv", "tha_Thai": "th.parquet", "kor_Hang": "ko.parquet", "amh_Ethi": "am.jsonl"}
    rows, made = found(
        *({"name": lang, "path": path, "language": lang, "key": "i", "of": "all"} for lang, path in names.items())
    )
    assert {(r["group"], r["lang"]): r["text"] for r in rows} == {
        (f"all:{n}", lang): text for lang, texts in TEXTS.items() for n, text in enumerate(texts)
    }
    assert made.counts["kept"] == 3


def test_the_key_may_be_the_column_of_ids(tmp_path, found):
    rows = [{"id": f"s{n}", "lang": lang, "text": text} for lang in TEXTS for n, text in enumerate(TEXTS[lang])]
    (tmp_path / "all.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    _, made = found({"name": "all", "path": "all.jsonl", "language": {"column": "lang"}, "key": "id"})
    assert made.counts["units"] == made.counts["kept"] == 3
    assert made.counts["kept_versions"] == 12


def test_a_version_without_a_key_and_a_second_one_in_a_language_stand_with_their_reason(tmp_path, found):
    versions = [(n, lang, TEXTS[lang][n]) for n in range(3) for lang in ("eng_Latn", "tha_Thai")]
    versions += [(0, "tha_Thai", "แม่น้ำตรงนี้กว้างมาก"), (None, "eng_Latn", "Whose line is this?")]
    columns = {"i": [r[0] for r in versions], "lang": [r[1] for r in versions], "text": [r[2] for r in versions]}
    pq.write_table(pa.table(columns), tmp_path / "all.parquet")
    rows, made = found({"name": "all", "path": "all.parquet", "language": {"column": "lang"}, "key": "i"})
    assert {r["text"]: r["reason"] for r in rows if r["reason"]} == {
        "แม่น้ำตรงนี้กว้างมาก": "same language", "Whose line is this?": "no key",
    }  # fmt: skip
    assert made.counts["versions"] == len(versions)
    assert made.counts["kept"] == 3
    assert set(made.notes["reasons"]) <= set(filters.REASONS)


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        ("Over 380,000 people live in that city by the sea.", "海辺のその街には38万人を超える人が住んでいる。", None),
        ("The contest begins in October and nobody knows its end.", "比赛将于10月开始，没有人知道何时结束。", None),
        ("The contest begins in 2014 and nobody knows its end.", "比赛将于2016年开始，没有人知道何时结束。", "numbers"),
        ("Read [the guide](https://a.example/b) first.", "请先阅读[指南](https://a.example/b)，然后再开始工作。", None),
        ("Read https://a.example/b before you begin.", "請先閱讀https://a.example/b再開始工作，謝謝。", None),
        ("See https://a.example/b before you begin.", "請先閱讀https://c.example/d再開始工作，謝謝。", "addresses"),
        (
            "See www.a.example, www.b.example and www.c.example.",
            "Siehe www.a.example, www.b.example und www.d.example/de.",
            None,
        ),
    ],
)
def test_numbers_and_addresses_compare_across_scripts(one, other, reason):
    assert filters._compared(one, other, filters.Usual(0.0, 2.0)) == reason


def test_what_was_found_is_told_set_by_set_with_what_was_not_read(tmp_path):
    rows = [{"i": n, "lang": lang, "text": text} for lang in TEXTS for n, text in enumerate(TEXTS[lang])]
    broken = [json.dumps(row, ensure_ascii=False) for row in rows] * 20 + ['{"i": 1, "lang": "tha_Thai"}', "{broken"]
    (tmp_path / "all.jsonl").write_text("\n".join(broken), "utf-8")
    copied = [
        {"i": n, "lang": lang, "text": TEXTS["eng_Latn"][n]} for n in range(3) for lang in ("eng_Latn", "swh_Latn")
    ]
    (tmp_path / "same.jsonl").write_text("\n".join(map(json.dumps, copied)), "utf-8")
    (tmp_path / "web.txt").write_text("A page.", "utf-8")
    sources = [
        {"name": name, "path": f"{name}.jsonl", "language": {"column": "lang"}, "key": "i"} for name in ("all", "same")
    ]
    given = {
        "name": "told",
        "corpus": {"sources": [{"name": "web", "path": "web.txt", "language": "eng_Latn"}]},
        "align": {"parallel": sources, "identify": False},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(given, allow_unicode=True), "utf-8")
    asked = ["align", "pairs", str(tmp_path / "recipe.yaml"), "-q"]
    said = CliRunner().invoke(app, asked, catch_exceptions=False).output
    assert ["all", "231", "3", "same", "language", "228"] in [line.split() for line in said.splitlines()]
    assert "warning: same: no pair is kept of 3 (versions dropped: alone 3, copied 3) [no-pair-kept]" in said
    assert "2 rows were of parallel text not read" in said
    found = json.loads(CliRunner().invoke(app, [*asked, "--json"], catch_exceptions=False).output)["parallel"]
    assert {one["name"]: (one["units"], one["kept"]) for one in found["sets"]} == {"all": (231, 3), "same": (3, 0)}
    assert found["mined"] is None


def test_one_mined_pair_is_one():
    said = told.said({"pairs": 1, "candidates": 1, "precision": 0.999})
    assert said.startswith("mined: 1 pair of documents out of 1 candidate. Right are to be 99.9 % of them")
    assert "1,200 pairs of documents out of 2,000 candidates" in told.said(
        {"pairs": 1200, "candidates": 2000, "precision": 0.98}
    )
