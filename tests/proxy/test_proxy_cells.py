"""A recipe whose mixture is of cells: language × source, from proxies to blends."""

import csv
import json
import shutil

import numpy as np
import pytest
import yaml
from test_proxy import PHRASES, documents

from glotmix.cli import show
from glotmix.core.errors import RequestError
from glotmix.core.record import RECORD
from glotmix.explore.mixture import Shares
from glotmix.pipeline import recipe, run

PROXIES = {"runs": 9, "parameters": 1e5, "vocabulary": 300, "tokens": 400, "context": 16, "held_out": 0.2,
           "device": "cpu"}  # fmt: skip
SOURCES = ("web", "old books")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A corpus of every language in two sources, a third of it books, taken through a recipe with cells."""
    folder = tmp_path_factory.mktemp("cells")
    rows = [
        {"id": f"{lang}-{i}", "lang": lang, "text": text, "shelf": SOURCES[i % 3 == 0]}
        for i, (lang, text) in enumerate(documents(60))
    ]
    (folder / "web.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    asked = {
        "name": "tiny",
        "corpus": {"sources": [{"name": "web", "path": "web.jsonl", "language": {"column": "lang"}}]},
        "quality": None,
        "select": {"retain": "all"},
        "settings": {"default": {"identify": {"on_mismatch": "keep"}}},
        "mix": {
            "cells": "shelf",
            "laws": ["pooled_cells", "effective_data"],
            "bootstrap": 4,
            "next_runs": 0,
            "floors": {"tha_Thai": 0.2},
            "max_epochs_of": {"eng_Latn/old-books": 1},
            "proxies": PROXIES,
        },
        "export": {"formats": ["parquet", "jsonl"]},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(asked), "utf-8")
    made = run.Job(recipe.load(folder / "recipe.yaml", []), folder)
    return folder, made, made.run()


def read(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_proxies_draw_on_cells_and_are_measured_on_languages(world):
    _, made, _ = world
    ratios, metrics = (read(made.folder / "proxies" / name) for name in ("ratios.csv", "metrics.csv"))
    cells = {name for name in ratios[0] if "/" in name}
    assert cells == {f"{lang}/{part}" for lang in PHRASES for part in ("web", "old-books")}
    assert {*metrics[0]} == {"run_id", *PHRASES} and len(metrics) == len(ratios) == 9 + 4
    text = {row["language"]: row for row in read(made.folder / "proxies" / "text.csv")}
    assert {*text} == cells
    # What is held out of a language is held out of all its cells together.
    assert text["tha_Thai/web"]["held_out_documents"] == text["tha_Thai/old-books"]["held_out_documents"]
    assert int(text["tha_Thai/web"]["train_tokens"]) > int(text["tha_Thai/old-books"]["train_tokens"])


def test_the_account_is_of_cells_and_limits_are_of_cells_and_languages(world):
    _, made, summary = world
    told = json.loads((made.folder / "mixture" / "mixture.json").read_text("utf-8"))
    rows = {row["lang"]: row for row in told["languages"]}
    whole = {row["lang"]: row for row in told["by_language"]}
    assert {*whole} == {*PHRASES} and len(rows) == 2 * len(PHRASES) and told["method"] == "law"
    for lang, row in whole.items():
        mine = [rows[f"{lang}/{part}"] for part in ("web", "old-books")]
        for key in ("share", "tokens", "tokens_used", "documents", "bytes"):
            assert row[key] == pytest.approx(sum(each[key] for each in mine))
    assert sum(row["tokens_used"] for row in rows.values()) == told["tokens"]
    assert whole["tha_Thai"]["share"] >= 0.2 - 1e-6
    assert rows["eng_Latn/old-books"]["epochs"] <= 1 + 1e-6
    assert {row["lang"]: row["share"] for row in summary["languages"]} == pytest.approx(
        {lang: row["share"] for lang, row in whole.items()}
    )


def test_blends_name_cells_and_the_data_set_has_files_of_each(world):
    _, made, _ = world
    told = json.loads((made.folder / "mixture" / "mixture.json").read_text("utf-8"))
    shares = {row["lang"]: row["share"] for row in told["languages"]}
    dataset = made.folder / "dataset"
    lines = [line.split() for line in (dataset / "blend.megatron.txt").read_text("utf-8").splitlines()]
    assert {path: float(weight) for weight, path in lines} == pytest.approx(
        {f"tokenized/{cell}_text_document": share for cell, share in shares.items() if share > 0}
    )
    for row in told["languages"]:
        lang, _, part = row["lang"].partition("/")
        (file,) = (dataset / lang).glob(f"train-{part}-*.jsonl")
        texts = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        assert len(texts) == row["documents"] and {text["lang"] for text in texts} == {lang}
        assert {text["shelf"].replace(" ", "-") for text in texts} == {part}
    card = (dataset / "README.md").read_text("utf-8")
    assert all(f"`{lang}`" in card or lang in card for lang in PHRASES)


def test_the_report_shows_cells_within_their_languages(world):
    _, made, _ = world
    page = (made.folder / "report.html").read_text("utf-8")
    assert "tha_Thai/old-books" in page and "Thai · old-books" in page and "The mixture by language" in page


def test_the_terminal_shows_cells_within_their_languages(world, capsys):
    _, _, summary = world
    assert all(sum(row["cells"].values()) == pytest.approx(1) for row in summary["languages"])
    show.show_summary(summary)
    shown = capsys.readouterr().out
    assert "cells" in shown and shown.count("old-books") >= len(PHRASES)


def test_token_files_and_their_blends_are_of_cells(world):
    folder, made, _ = world
    shutil.copy(made.folder / "proxies" / "tokenizer.json", folder)
    tokens = run.Job(
        recipe.load(
            folder / "recipe.yaml",
            ["export.tokens.tokenizer=tokenizer.json", "export.tokens.end=<|end|>",
             "export.tokens.formats=[megatron, datatrove]"],
        ),
        folder,
    )  # fmt: skip
    tokens.run("tokens")
    there = tokens.folder / "tokens"
    lines = [line.split() for line in (there / "blend.megatron.txt").read_text("utf-8").splitlines()]
    assert len(lines) == 2 * len(PHRASES) and np.isclose(sum(float(weight) for weight, _ in lines), 1)
    for _, path in lines:
        assert (there / f"{path}.bin").stat().st_size > 0 and path.count("/") == 2
    stage = yaml.safe_load((there / "blend.nanotron.yaml").read_text("utf-8"))["dataset"]
    assert {*stage["dataset_folder"]} == {f"{lang}/{part}" for lang in PHRASES for part in ("web", "old-books")}


def test_what_cells_cannot_be_is_refused(world):
    folder, _, _ = world

    def job(*overrides):
        return run.Job(recipe.load(folder / "recipe.yaml", list(overrides)), folder)

    with pytest.raises(RequestError, match="no such column"):
        job("mix.cells=shelve", "mix.proxies=null", "output=other").run("mixture")
    with pytest.raises(RequestError, match="whole languages"):
        job("mix.phases=[0.6, 0.4]")
    with pytest.raises(RequestError, match="its parts"):
        job("select.retain=budget", "mix.proxies=null", "quality={}")
    with pytest.raises(RequestError, match="no script"):
        job("mix.floors={tha_Thai: 0.2, tha_Thay/web: 0.1}")


def test_when_a_source_is_added_the_runs_without_it_still_hold(world):
    folder, made, _ = world
    shutil.copytree(made.folder / "proxies", folder / "before", dirs_exist_ok=True)
    lines = (folder / "web.jsonl").read_text("utf-8")
    # Of words of its own, so that it is nobody's near-duplicate.
    words, rng = ["ข้าว", "น้ำ", "บ้าน", "แมว", "หมา", "ดี", "ไป", "มา", "กิน", "นอน", "เดิน", "วิ่ง"], np.random.default_rng(1)
    more = [
        {"id": f"news-{i}", "lang": "tha_Thai", "text": "".join(rng.choice(words, 60)), "shelf": "news"}
        for i in range(40)
    ]
    (folder / "more.jsonl").write_text(lines + "\n" + "\n".join(map(json.dumps, more)), "utf-8")

    def job(*overrides):
        given = ["corpus.sources=[{name: web, path: more.jsonl, language: {column: lang}}]", "output=more",
                 "mix.proxies.earlier=before"]  # fmt: skip
        return run.Job(recipe.load(folder / "recipe.yaml", [*given, *overrides]), folder)

    again = job()
    again.run("mixture")
    before, now = (read(at / "proxies" / "metrics.csv") for at in (made.folder, again.folder))
    ratios = {row["run_id"]: row for row in read(again.folder / "proxies" / "ratios.csv")}
    assert now[: len(before)] == before, "their losses are as they were"
    # Three for the new cell, and what 13 runs leave short of three a cell and three more.
    added = [row["run_id"] for row in now[len(before) :]]
    assert len(added) == 3 + (3 * (9 + 1) - 13 - 3)
    assert all(float(ratios[name]["tha_Thai/news"]) > 0 for name in added)
    assert all(float(ratios[row["run_id"]]["tha_Thai/news"]) == 0 for row in before)
    text = [{row["language"]: row for row in read(at / "proxies" / "text.csv")} for at in (made.folder, again.folder)]
    assert text[0]["tha_Thai/web"]["held_out_bytes"] == text[1]["tha_Thai/news"]["held_out_bytes"]
    told = json.loads((again.folder / "mixture" / "mixture.json").read_text("utf-8"))
    assert "tha_Thai/news" in {row["lang"] for row in told["languages"]}
    said = json.loads((again.folder / "proxies" / RECORD).read_text("utf-8"))["notes"]["warnings"][0]
    assert said.startswith("13 of 13 earlier runs still hold") and "tha_Thai/news" in said
    with pytest.raises(RequestError, match="do not compare"):
        job("mix.proxies.context=32", "output=other").run("proxies")
    with pytest.raises(RequestError, match="runs over cells"):
        job("mix.proxies.design=some.csv")


def test_the_explorer_counts_other_shares_of_cells(world):
    _, made, _ = world
    shares = Shares(made.context)
    chosen = {row["lang"]: row["share"] for row in shares.shown["mixture"]}
    assert not shares.predict({"shares": chosen})["breaks"]
    moved = chosen | {"tha_Thai/web": 0.0, "tha_Thai/old-books": 0.0}
    moved["eng_Latn/old-books"] += chosen["tha_Thai/web"] + chosen["tha_Thai/old-books"]
    told = shares.predict({"shares": moved})
    assert {row["lang"]: row["share"] for row in told["rows"]} == pytest.approx(moved)
    assert any("the group tha_Thai" in broken for broken in told["breaks"])
    assert any("eng_Latn/old-books" in broken for broken in told["breaks"])
