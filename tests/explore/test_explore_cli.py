"""`glotmix explore` as a user types it: what it says when it cannot, and that it ends."""

import json
import shlex
import signal
import subprocess
import sys
import time
import urllib.request

import pytest
from typer.testing import CliRunner

import explore_world
from glotmix.cli import app
from glotmix.cli.explore import opened
from glotmix.core.errors import GlotmixError, MissingExtraError
from glotmix.core.local_page import LocalPage
from glotmix.explore.calls import Explorer


def tried(*arguments):
    return CliRunner().invoke(app, ["explore", *map(str, arguments)])


def test_an_unfinished_run_names_the_command(tmp_path):
    path = explore_world.write(tmp_path)
    found = tried(path)
    assert isinstance(found.exception, GlotmixError) and found.exception.fix.startswith(f"glotmix run {path}")


def test_without_the_extra_it_says_so_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    found = tried(explore_world.write(tmp_path))
    assert isinstance(found.exception, MissingExtraError) and "glotmix[explore]" in found.exception.fix


def test_it_serves_and_ends_at_ctrl_c(recipe):
    command = ["explore", str(recipe), "--no-browser", "--beside", str(recipe.parent / "out")]
    process = subprocess.Popen([sys.executable, "-m", "glotmix", *command], stdout=subprocess.PIPE, text=True)
    address = next(line for line in process.stdout if "http://" in line).split()[-1]
    assert "127.0.0.1" in address

    def ask(name, **given):
        request = urllib.request.Request(f"{address}api/{name}", json.dumps(given).encode())
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    run = ask("run")
    assert run["documents"] == 292 and run["stale"] == [] and run["beside"]
    same = ask("compare")
    assert same["moved"] == [] and same["kept"]["one"] == same["kept"]["other"] == run["kept"]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_what_is_read_ahead_ends_before_the_command_does(recipe, monkeypatch):
    done = []

    def slow(self):
        time.sleep(0.5)
        done.append("read")

    monkeypatch.setattr(Explorer, "warm", slow)
    monkeypatch.setattr(LocalPage, "serve", lambda self, ready: ready(self.address))
    assert tried(recipe, "--no-browser").exit_code == 0
    assert done == ["read"], "native code under a thread may crash where Python ends"


def told(page, name="run", **given):
    """Return what an opened page answers."""
    with page.running() as address:
        request = urllib.request.Request(f"{address}api/{name}", json.dumps(given).encode())
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)


def test_a_recipe_that_changed_since_is_said(recipe):
    assert told(opened(recipe, ["select.min_documents=11"]))["stale"][-1] == "ledger"


def test_the_folder_that_a_recipe_filled_is_opened(recipe):
    folder = recipe.parent / "out"
    run = told(opened(folder, []))
    assert run["documents"] == 292 and run["stale"] == [] and run["recipe"] == str(folder)
    moved = [{"lang": "fra_Latn", "key": "heuristics.digit_share.high", "value": 0.25}]
    command = told(opened(folder, []), "written", moved=moved)["command"]
    code = CliRunner().invoke(app, shlex.split(command)[1:]).exit_code
    assert code == 0


def test_with_overrides_commands_name_the_folder_that_kept_them(recipe):
    assert told(opened(recipe, ["name=other"]))["recipe"] == str(recipe.parent / "out")


def test_a_run_is_opened_whose_raw_data_is_gone(tmp_path, capsys):
    recipe = explore_world.write(tmp_path, signals={"duplicates": {"selftest": False}})
    explore_world.job(recipe).run("ledger")
    (tmp_path / "plain.jsonl").unlink()
    assert told(opened(tmp_path / "out", []))["stale"] == []
    assert "cannot be said" in capsys.readouterr().out


def test_another_run_is_shown_beside(recipe, explorer):
    with pytest.raises(GlotmixError, match="no other run") as told:
        explorer.calls["compare"]({})
    assert "--beside" in told.value.fix


def test_the_mixture_is_counted_out_and_says_that_nothing_was_fitted(explorer):
    told = explorer.calls["mixture"]({})
    shares = {row["lang"]: row["share"] for row in told["mixture"]}
    answer = explorer.calls["predict"]({"shares": shares})
    assert answer["state"] == "none" and answer["breaks"] == []
    assert sum(row["tokens"] for row in answer["rows"]) == told["tokens"]
    first, *others = shares
    all_of_one = {first: 1.0} | dict.fromkeys(others, 0.0)
    broken = explorer.calls["predict"]({"shares": all_of_one})
    assert any(first in limit for limit in broken["breaks"])
    for wrong in ({first: 0.5}, {"xxx": 1.0}, {first: float("nan")}):
        with pytest.raises(GlotmixError):
            explorer.calls["predict"]({"shares": wrong})
