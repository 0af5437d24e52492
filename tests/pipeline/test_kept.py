"""A folder that a recipe filled stands for the recipe."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glotmix.cli import app
from glotmix.cli.progress import Bars
from glotmix.cli.show import show_summary
from glotmix.core.errors import DataError, MissingExtraError, RequestError
from glotmix.pipeline import kept
from glotmix.pipeline import recipe as recipes
from glotmix.pipeline.run import PROXIES, Job, demo_recipe

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "src/glotmix/data/demo/recipe.yaml"


def written(base):
    """Write a recipe of three documents, and run it up to its corpus with an override."""
    (base / "raw").mkdir(parents=True)
    rows = [{"id": str(i), "text": text} for i, text in enumerate(("Привет, мир.", "Ще не вмерла.", "Добрий день."))]
    (base / "raw" / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    recipe = {"name": "three", "output": "out",
              "corpus": {"sources": [{"name": "a", "path": "raw/*.jsonl", "language": "ukr_Cyrl"}]}}  # fmt: skip
    (base / "recipe.yaml").write_text(json.dumps(recipe), "utf-8")
    Job.at(base / "recipe.yaml", ["seed=7", "output=deep/out"]).run("corpus")
    return base / "deep" / "out"


def test_what_is_kept_is_the_recipe(tmp_path):
    recipe = recipes.load(RECIPE, [f"mix.{setting}" for setting in PROXIES])
    kept_in = tmp_path / "out"
    (kept_in / ".glotmix").mkdir(parents=True)
    kept.keep(recipe, RECIPE.parent, kept_in)
    found, base = kept.placed(kept_in)
    assert found.model_dump(exclude={"output"}) == recipe.model_dump(exclude={"output"})
    assert base.resolve() == RECIPE.parent.resolve()


def test_a_folder_stands_for_its_recipe_overrides_included(tmp_path):
    out = written(tmp_path / "project")
    assert [row["state"] for row in Job.at(out).plan("corpus")] == ["reused"]
    assert Job.at(out).recipe.seed == 7 and Job.at(out, ["seed=8"]).recipe.seed == 8
    assert Job.at(out).folder == out.resolve()


def test_another_output_lies_beside_the_folder_that_stands_for_the_recipe(tmp_path):
    out = written(tmp_path / "project")
    out.rename(tmp_path / "demo")
    other = Job.at(tmp_path / "demo", ["output=other"])
    assert other.folder == (tmp_path / "other").resolve()
    assert Job.at(tmp_path / "demo", [f"output={tmp_path / 'far'}"]).folder == (tmp_path / "far").resolve()
    assert kept.placed(tmp_path / "demo", ["output=s3://bucket/run"])[0].output == "s3://bucket/run"


def test_a_project_that_was_moved_is_still_found(tmp_path):
    written(tmp_path / "project")
    (tmp_path / "project").rename(tmp_path / "elsewhere")
    moved = tmp_path / "elsewhere" / "deep" / "out"
    assert [row["state"] for row in Job.at(moved).plan("corpus")] == ["reused"]


def test_a_folder_of_no_run_says_which_one_is(tmp_path):
    out = written(tmp_path / "project")
    with pytest.raises(RequestError, match=r"no run has filled; .*out is one"):
        kept.placed(out.parent)
    with pytest.raises(RequestError, match="no run has filled"):
        kept.placed(tmp_path)
    (out / kept.FILE).write_text("[]", "utf-8")
    with pytest.raises(DataError, match="cannot be read"):
        kept.placed(out)


def test_commands_take_the_folder(tmp_path):
    out = written(tmp_path / "project")
    found = CliRunner().invoke(app, ["read", str(out), "--dry-run", "--json"])
    assert found.exit_code == 0 and json.loads(found.stdout)[0]["state"] == "reused"
    assert CliRunner().invoke(app, ["clean", str(out)]).exit_code == 0
    assert not out.exists()


def test_the_demo_is_kept_with_what_it_was_asked(tmp_path):
    path, overrides = demo_recipe(tmp_path / "demo", small=True)
    Job.at(path, overrides).run("corpus")
    assert [row["state"] for row in Job.at(tmp_path / "demo").plan("corpus")] == ["reused"]


def test_a_missing_extra_is_said_before_any_work_and_only_where_it_is_needed(tmp_path, monkeypatch):
    out = written(tmp_path / "project")
    from glotmix.core import step

    there = step.find_spec
    monkeypatch.setattr(step, "find_spec", lambda name: None if name == "stdnum" else there(name))
    recipe = tmp_path / "project" / "recipe.yaml"
    asked = ["signals.private={}", "output=other"]
    for tried in (lambda: Job.at(recipe, asked).plan(), lambda: Job.at(recipe, asked).run()):
        with pytest.raises(MissingExtraError, match=r"signals\.private needs the extra 'private'") as told:
            tried()
        assert told.value.fix == "pip install 'glotmix[private]'"
    assert not (tmp_path / "project" / "other" / "corpus").exists()
    Job.at(out).plan()
    # What is made already is reused without it.
    monkeypatch.undo()
    Job.at(recipe, [*asked, "select.retain=all", "quality=null"]).run("signals/private")
    monkeypatch.setattr(step, "find_spec", lambda name: None if name == "stdnum" else there(name))
    assert Job.at(tmp_path / "project" / "other").plan("signals/private")[-1]["state"] == "reused"


def test_what_is_of_an_earlier_state_of_the_recipe_is_not_told_as_of_this_one(tmp_path, capsys):
    written(tmp_path / "project")

    def told(*overrides, until=None):
        more = ["quality=null", "select.retain=all", "settings.default.identify.on_mismatch=keep", *overrides]
        return Job.at(tmp_path / "project" / "recipe.yaml", more).run(until)

    whole = told()
    assert whole["verdict"] and whole["languages"][0]["share"] == 1 and whole["stale"] == []
    assert told(until="ledger") == whole
    later = told("settings.default.heuristics.chars.low=13", until="ledger")
    assert [row["kept"] for row in whole["languages"] + later["languages"]] == [3, 1]
    assert later["verdict"] is None and later["languages"][0]["share"] is None and later["files"] == {}
    assert later["stale"] == ["data set", "mixture", "report"]
    show_summary(later)
    assert "of an earlier state of the recipe: data set, mixture, report" in capsys.readouterr().out
    assert told("mix.method=natural", until="ledger")["stale"] == ["data set", "mixture", "report"]
    assert told("corpus.max_chars=100", until="corpus")["languages"] == []


def test_rows_that_could_not_be_read_are_told_of_at_the_end(tmp_path, capsys):
    out = written(tmp_path / "project")
    raw = tmp_path / "project" / "raw" / "a.jsonl"
    raw.write_text(raw.read_text("utf-8") + "{broken", "utf-8")
    made = Job.at(out, ["corpus.max_quarantined=0.5"]).run("corpus")
    assert made["quarantined"] == {"a": 1}
    show_summary(made)
    assert "1 row was not read: " in capsys.readouterr().out


def test_progress_says_in_words_why_a_step_is_made_again(capsys):
    bars = Bars(live=False)
    bars.begin("ledger", "reused", "")
    bars.begin("dataset", "changed", 'config.select.lose: 0.05 → ["a; b"]; inputs.ledger: b636b3af → cee5c12a')
    shown = capsys.readouterr().err.splitlines()[-1]
    assert shown.split(None, 1)[1] == 'made again: select.lose: 0.05 → ["a; b"]; after ledger'


@pytest.mark.parametrize("output", [".hidden", "..", "~/out", "_out", "a b/日本"])
def test_an_output_may_be_called_anything(tmp_path, monkeypatch, output):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    base = tmp_path / "project" / "recipes"
    written(base)
    Job.at(base / "recipe.yaml", ["quality=null", "select.retain=all", f"output={output}"]).run("dataset")
    where = {"~/out": tmp_path / "home" / "out"}.get(output, base / output)
    assert (where / "dataset" / "README.md").is_file() and not (base / "~").exists()
    told = CliRunner().invoke(app, ["why", str(base / "recipe.yaml"), "0", f"output={output}"])
    assert told.exit_code == 0 and "ukr_Cyrl" in told.stdout


def test_the_files_that_a_recipe_names_may_lie_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Job(recipes.load(RECIPE), Path("elsewhere")).context.path("~/labels.jsonl") == tmp_path / "labels.jsonl"
