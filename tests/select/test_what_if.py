"""What other decisions would change, and two runs side by side."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from glotmix.core import table
from glotmix.core.errors import RequestError
from glotmix.pipeline import recipe as recipes
from glotmix.pipeline.run import Job
from glotmix.pipeline.what_if import compare, what_if

PAGES = {
    "swh_Latn": "Meya alifungua maktaba mpya siku ya Jumanne. Alisema kwamba ilichukua miaka tisa kuijenga. ",
    "rus_Cyrl": "Мэр открыл новую библиотеку во вторник. Он сказал, что её строили девять лет. ",
    "tha_Thai": "นายกเทศมนตรีเปิดห้องสมุดแห่งใหม่เมื่อวันอังคาร เขากล่าวว่าใช้เวลาสร้างเก้าปี ",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe without a rater, run up to its ledger."""
    base = tmp_path_factory.mktemp("what-if")
    rows = []
    for lang, text in PAGES.items():
        rows += [{"id": f"{lang}-{i}", "lang": lang, "text": f"{i}. " + text * (3 + i % 5)} for i in range(12)]
        rows.append({"id": f"{lang}-digits", "lang": lang, "text": text + "0123456789 " * 60})
    (base / "web.jsonl").write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")
    recipe = {
        "name": "w", "output": "out", "quality": None, "select": {"retain": "all"}, "mix": {"tokens": 1000},
        "corpus": {"sources": [{"name": "web", "path": "web.jsonl", "language": {"column": "lang"}}]},
        "signals": {"duplicates": {"threshold": 1.0}},
    }  # fmt: skip
    (base / "recipe.yaml").write_text(json.dumps(recipe), "utf-8")
    job(base).run("ledger")
    return base


def job(base: Path, *overrides: str) -> Job:
    return Job(recipes.load(base / "recipe.yaml", overrides), base)


LINE = "settings.default.heuristics.digit_share.high=0.3"


def test_what_would_change_is_told_with_examples_and_nothing_is_written(made):
    before = {p: p.stat().st_mtime_ns for p in made.rglob("*") if p.is_file()}
    found = what_if(job(made), job(made, LINE))
    assert found["kept"]["one"] - found["kept"]["other"] == 3
    assert [(row["lang"], row["back"], row["gone"]) for row in found["moved"]] == [
        (lang, 0, 1) for lang in sorted(PAGES)
    ]
    assert {one["id"] for one in found["examples"]["gone"]} == {f"{lang}-digits" for lang in PAGES}
    assert all("digit share" in one["evidence"] for one in found["examples"]["gone"])
    assert found["bytes"]["one"] - found["bytes"]["other"] == sum(row["gone_bytes"] for row in found["moved"])
    assert {p: p.stat().st_mtime_ns for p in made.rglob("*") if p.is_file()} == before


def test_it_says_what_a_run_with_the_override_then_does(made):
    told = what_if(job(made), job(made, LINE))
    other = job(made, LINE, "output=other")
    other.run("ledger")
    assert compare(made / "out", made / "other") == told
    back = compare(made / "other", made / "out")
    assert {one["id"] for one in back["examples"]["back"]} == {f"{lang}-digits" for lang in PAGES}


def test_it_answers_for_decisions_alone_and_never_from_an_older_state(made):
    with pytest.raises(RequestError, match=r"signals/identify would be measured again"):
        what_if(job(made), job(made, "signals.identify.max_chars=200"))
    with pytest.raises(RequestError, match=r"is not of this recipe's state: .*ledger would be made"):
        what_if(job(made, LINE), job(made))


def test_two_corpora_cannot_be_compared(made, tmp_path):
    ledger = table.read(table.shards(made / "out" / "ledger"))
    (tmp_path / "ledger").mkdir()
    moved = ledger.set_column(0, "id", pa.array([f"x{i}" for i in range(ledger.num_rows)]))
    table.write(moved, tmp_path / "ledger" / "part-0.parquet")
    (tmp_path / "ledger" / "record.json").write_bytes((made / "out" / "ledger" / "record.json").read_bytes())
    with pytest.raises(RequestError, match="no document in common"):
        compare(made / "out", tmp_path)
