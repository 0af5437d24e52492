"""`glotmix combine`, its page, and a recipe that asks for combinations."""

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from lxml import html
from test_combine_run import SMALL, rows
from typer.testing import CliRunner

import glotmix as gm
from glotmix.cli import app
from glotmix.cli.show import show_summary
from glotmix.core.errors import RequestError
from glotmix.pipeline import recipe, run
from glotmix.report import combinations

RUN = CliRunner()
SET = {name: getattr(SMALL, name) for name in (
    "cells", "subsets", "blocks", "tokens", "start_tokens", "seeds", "parameters", "vocabulary", "context", "batch",
    "held_out", "test", "held_bytes",
)}  # fmt: skip


def called(*given: object) -> str:
    found = RUN.invoke(app, [str(one) for one in given], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("cli")
    lines = [json.dumps(one, ensure_ascii=False) for one in rows(("amh_Ethi",))]
    (at / "docs.jsonl").write_text("\n".join(lines), "utf-8")
    return at


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, object]:
    """Run the four commands, one after another."""
    at = folder / "combine"
    settings = [f"{key}={value}" for key, value in SET.items()]
    found: dict[str, object] = {}
    found["design"] = json.loads(
        called("combine", "design", folder / "docs.jsonl", *settings, "-o", at, "--json", "-q")
    )
    made = RUN.invoke(app, ["combine", "train", str(at), "--json"], catch_exceptions=False)
    found["foretold"], found["train"] = made.stderr, json.loads(made.stdout)
    found["fit"] = json.loads(called("combine", "fit", at, "--json", "-q"))
    found["choose"] = json.loads(called("combine", "choose", at, "--page", folder / "page.html", "--json", "-q"))
    return found


def test_each_command_says_what_it_made(told, folder):
    assert [one["problem"] for one in told["design"]["problems"]] == ["amh_Ethi"]
    assert told["train"]["models"] == 16
    assert told["fit"]["problems"]["amh_Ethi"]["law"] in ("additive", "relational")
    assert told["choose"][0]["use"] in [way["way"] for way in told["choose"][0]["ways"]]
    chosen = pq.read_table(folder / "combine" / "choice" / "chosen" / "000.parquet").to_pylist()
    known = {one["id"] for one in rows(("amh_Ethi",))}
    assert {one["id"] for one in chosen} <= known
    assert "relational" in {one["set"] for one in chosen}


def test_how_long_it_takes_is_said_before_and_not_where_it_is_done(told, folder):
    assert re.match(r"19 models: about \d+ seconds here, by a probe\n", told["foretold"])
    again = RUN.invoke(app, ["combine", "train", str(folder / "combine")])
    assert again.exit_code == 0 and "by a probe" not in again.stderr


def test_the_page_says_what_the_files_say(told, folder):
    tree = html.parse(str(folder / "page.html"))
    law = told["fit"]["problems"]["amh_Ethi"]
    matrix = tree.xpath("//table[@class='matrix']/tbody/tr")
    assert len(matrix) == len(law["cells"])
    order = sorted(range(len(matrix)), key=lambda j: (-law["alone"][j][0], law["cells"][j]))
    first = [cell.text for cell in matrix[0].xpath("td")]
    assert first == [f"{law['beside'][order[0]][j][0]:.3f}" for j in order]
    assert told["choose"][0]["sentence"] in " ".join(tree.getroot().text_content().split())
    assert combinations.render(folder / "combine") == (folder / "page.html").read_text("utf-8")


def test_what_people_read_on_a_terminal(told, folder):
    said = called("combine", "fit", folder / "combine", "-q")
    assert "rank on held-out" in said
    assert "next: glotmix combine choose" in said.replace("\n", " ")
    said = called("combine", "choose", folder / "combine", "-q")
    assert told["choose"][0]["sentence"][:40] in said


def test_the_same_from_python(told, folder, tmp_path):
    sets = gm.combine.read(folder / "combine").train()
    assert sets.fit() == told["fit"]
    assert [one.sentence for one in sets.choose()] == [one["sentence"] for one in told["choose"]]
    assert "amh_Ethi" in str(sets)
    made = gm.combine.design(rows(("amh_Ethi",)), tmp_path / "made", **SET)
    assert made.sheet().rows == sets.sheet().rows
    with pytest.raises(RequestError, match="subsets"):
        gm.combine.design(rows(("amh_Ethi",)), tmp_path / "made", subset=9)


def test_a_setting_that_there_is_not_and_a_stage_too_early(folder, tmp_path):
    found = RUN.invoke(app, ["combine", "design", str(folder / "docs.jsonl"), "subset=9", "-o", str(tmp_path / "x")])
    assert "subsets" in str(found.exception)
    found = RUN.invoke(app, ["combine", "fit", str(tmp_path / "y")])
    assert "glotmix combine design" in str(found.exception) + str(getattr(found.exception, "fix", ""))


def test_a_recipe_makes_combinations_of_what_is_kept_and_keeps_its_data_set(folder, capsys):
    asked = {
        "name": "tiny",
        "corpus": {"sources": [{"name": "web", "path": "docs.jsonl", "language": {"column": "lang"}}]},
        "quality": None,
        "select": {"retain": "all", "combinations": SET | {"cells": 4}},
        "settings": {"default": {"identify": {"on_mismatch": "keep"}}},
        "signals": {"duplicates": {"threshold": 1.0}},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(asked), "utf-8")
    job = run.Job(recipe.load(folder / "recipe.yaml", []), folder)
    summary = job.run()
    out = folder / "out"
    verdict = json.loads((out / "combine" / "choice" / "verdict.json").read_text("utf-8"))
    assert [one["problem"] for one in verdict] == ["amh_Ethi"]
    assert summary["combinations"] == [verdict[0]["sentence"]]
    assert Path(summary["files"]["chosen sets"]).is_dir()
    show_summary(summary)
    assert verdict[0]["sentence"] in " ".join(capsys.readouterr().out.split())
    page = (out / "report" / combinations.PAGE).read_text("utf-8")
    assert page == combinations.render(out / "combine")
    report = html.parse(str(out / "report" / "report.html"))
    (section,) = report.xpath("//section[@id='combinations']")
    assert verdict[0]["sentence"] in " ".join(section.text_content().split())
    assert len(section.xpath(".//tbody/tr")) == len(verdict[0]["ways"])
    plain = run.Job(recipe.load(folder / "recipe.yaml", ["select.combinations=null"]), folder)
    # The ledger knows nothing of combinations: it is not made again without them.
    assert {step.name: one.fingerprint for step, one in job.identities("ledger")} == {
        step.name: one.fingerprint for step, one in plain.identities("ledger")
    }
