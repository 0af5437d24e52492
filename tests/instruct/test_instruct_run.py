import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import instruct_world as world
from glotmix.cli import app
from glotmix.core import table
from glotmix.core.errors import DataError, RequestError
from glotmix.embed import choose
from glotmix.explore.story import tell
from glotmix.pipeline import recipe as recipes
from glotmix.pipeline.run import Job

runner = CliRunner()


@pytest.fixture(autouse=True)
def embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "load", lambda spec, base=None: world.Hashed())


def recipe(folder: Path, **instruct: Any) -> recipes.Recipe:
    world.corpus(folder)
    given = {
        "name": "talks",
        "kind": "instructions",
        "output": "out",
        "corpus": {
            "sources": [
                {"name": "chat", "path": "chat.jsonl", "language": {"column": "lang"}, "license": "CC0-1.0"},
                {"name": "pairs", "path": "pairs.json", "language": {"column": "lang"}},
            ]
        },
        "signals": {
            "duplicates": {"selftest": 0},
            "contamination": {"sets": [{"name": "exam", "path": "exam.jsonl", "columns": ["question"]}]},
        },
        "instruct": {"pairs": "revised.jsonl", "audits": 2, "select": {"size": 12}} | instruct,
    }
    return recipes.parse(given)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("instruct")
    patch = pytest.MonkeyPatch()
    patch.setattr(choose, "load", lambda spec, base=None: world.Hashed())
    job = Job(recipe(folder, shapes=["openai", "alpaca", "original"]), folder)
    job.run()
    patch.undo()
    return job


def ledger(job: Job) -> list[dict[str, Any]]:
    return list(table.read(table.shards(job.folder / "ledger")).to_pylist())


def test_the_whole_main_job_runs_on_conversations(done: Job) -> None:
    rows = ledger(done)
    rules = Counter(r["rule"] for r in rows if r["rule"])
    assert rules["instructions.unfaithful"] == 3
    assert rules["instructions.refusal"] == 2
    assert rules["instructions.empty"] == 2
    assert rules["instructions.repeated.exact"] == 1
    assert rules["contamination"] == 1
    assert rules["selection"] > 0
    kept = Counter(r["lang"] for r in rows if r["kept"])
    assert kept["rus_Cyrl"] == kept["jpn_Jpan"] == 12
    assert sum(kept.values()) + sum(rules.values()) == len(rows)
    page = (done.folder / "report.html").read_text("utf-8")
    for told in ("Conversations", "quality scoring model", "What it covers", "unfaithful"):
        assert told in page
    data = table.read(table.shards(done.folder / "dataset"))
    assert data.num_rows == sum(kept.values())
    assert {"messages", "shape", "origin", "quality"} <= set(data.column_names)
    assert (done.folder / "mixture" / "mixture.csv").is_file()
    assert "talks" in (done.folder / "dataset" / "README.md").read_text("utf-8")


def test_the_verdict_advises_nothing_that_conversations_do_not_have(done: Job) -> None:
    told = json.loads((done.folder / "verdict" / "verdict.json").read_text("utf-8"))["findings"]
    # A model rates the answers, and no rater of documents takes part.
    assert not [one for one in told if "no rater" in one["text"] or "quality.lose" in one["do"]]


def test_the_planted_answers_are_found_with_their_evidence(done: Job) -> None:
    found = {r["id"]: r for r in ledger(done)}
    wrong = found["wrong-language"]
    assert wrong["rule"] == "instructions.unfaithful"
    assert wrong["evidence"].startswith("asked for rus_Cyrl (the document's), answered in eng_Latn")
    named = found["named-language"]
    assert named["evidence"].startswith("asked for tha_Thai (named in the instruction), answered in eng_Latn")
    assert found["named-rightly"]["rule"] in (None, "selection")
    assert found["declines"]["rule"] == "instructions.refusal"
    assert found["nothing"]["rule"] == "instructions.empty"
    assert found["leaked"]["rule"] == "contamination"


def test_the_story_of_a_conversation_is_told(done: Job) -> None:
    story = tell(done.folder, "wrong-language")
    assert story["signals"]["answers"]["asked"] == ["rus_Cyrl"]
    assert story["signals"]["answers"]["faithful"] is False
    assert story["signals"]["meaning"]["cluster_of_meaning"].startswith("rus_Cyrl")
    result = runner.invoke(app, ["why", str(done.folder), "declines", "--json"])
    assert json.loads(result.stdout)["rule"] == "instructions.refusal"


def test_shapes_and_originals_hold_what_the_ledger_keeps(done: Job) -> None:
    kept = {r["id"]: r for r in ledger(done) if r["kept"]}
    lines = [
        json.loads(x) for p in (done.folder / "shapes" / "openai").glob("*.jsonl") for x in p.open(encoding="utf-8")
    ]
    assert {line["id"] for line in lines} == set(kept)
    original = (done.folder / "shapes" / "original" / "chat" / "chat.jsonl").read_text("utf-8").splitlines()
    given = (done.context.base / "chat.jsonl").read_text("utf-8").splitlines()
    assert [x for x in given if json.loads(x)["id"] in kept] == original
    array = json.loads((done.folder / "shapes" / "original" / "pairs" / "pairs.json").read_text("utf-8"))
    assert {r["id"] for r in array} == {i for i, r in kept.items() if r["source"] == "pairs"}


def test_coverage_says_what_was_there_and_what_was_lost(done: Job) -> None:
    told = json.loads((done.folder / "coverage" / "coverage.json").read_text("utf-8"))
    rows = ledger(done)
    every = told["coverage"]["all"]
    assert every["candidates"] == len(rows)
    assert every["kept"] == sum(r["kept"] for r in rows)
    assert every["sources"]["groups"] == 2
    clusters = told["coverage"]["rus_Cyrl"]["clusters"]
    mine = [r for r in rows if r["lang"] == "rus_Cyrl"]
    assert clusters["groups"] == int(np.sqrt(len(mine) / 2))
    assert 0 < clusters["covered"] <= clusters["groups"]
    assert len(told["topics"]) == len(set(told["topics"])) > 1


def test_a_new_size_measures_nothing_again(done: Job, tmp_path: Path) -> None:
    section = done.recipe.instruct
    smaller = section.model_copy(update={"select": section.select.model_copy(update={"size": 5})})
    given = done.recipe.model_copy(update={"instruct": smaller})
    states = {r["step"]: r["state"] for r in Job(given, done.context.base).plan("ledger")}
    assert states.pop("ledger") == "changed"
    assert set(states.values()) == {"reused"}


def test_a_sweep_writes_nested_selections_with_a_manifest(done: Job, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(
        json.dumps(done.recipe.model_dump(mode="json", exclude={"output"}) | {"output": str(done.folder)}), "utf-8"
    )
    for name in ("chat.jsonl", "pairs.json", "revised.jsonl", "exam.jsonl"):
        (tmp_path / name).write_bytes((done.context.base / name).read_bytes())
    to = tmp_path / "sweep"
    asked = [
        "instruct",
        "sweep",
        str(path),
        "-o",
        str(to),
        "--size",
        "4",
        "--size",
        "8",
        "--size",
        "16",
        "--json",
        "-q",
    ]
    result = runner.invoke(app, asked)
    assert result.exit_code == 0, result.output
    manifest = json.loads(result.stdout)
    assert manifest == json.loads((to / "manifest.json").read_text("utf-8"))
    assert {s["method"] for s in manifest["selections"]} == {"random", "random-length", "quality", "diversity", "m-daq"}
    assert all(s["holds the smaller ones"] and s["documents"] == s["size"] for s in manifest["selections"])
    for method in manifest["methods"]:
        ids = [{json.loads(x)["id"] for x in (to / method / str(n) / "rus_Cyrl.jsonl").open("rb")} for n in (4, 8, 16)]
        assert ids[0] < ids[1] < ids[2]
    means = {
        s["method"]: s["mean_quality"] for s in manifest["selections"] if s["size"] == 8 and s["lang"] == "rus_Cyrl"
    }
    assert means["quality"] == max(means.values())
    assert manifest["short"]["fra_Latn"] < 16
    again = runner.invoke(app, ["instruct", "checks", str(path), "--json", "-q"])
    assert json.loads(again.stdout)["rus_Cyrl"]["unfaithful"] >= 1
    out = runner.invoke(
        app, ["instruct", "export", str(path), "-o", str(tmp_path / "x"), "--shape", "alpaca", "--json", "-q"]
    )
    assert json.loads(out.stdout)["alpaca documents"] == json.loads(out.stdout)["documents"]


def test_a_model_of_another_embedder_and_recipes_of_documents_are_refused(done: Job, tmp_path: Path) -> None:
    world.corpus(tmp_path)
    about = json.loads((done.folder / "qsm" / "qsm.json").read_text("utf-8"))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "qsm.json").write_text(json.dumps(about | {"embedder": "another"}), "utf-8")
    (tmp_path / "model" / "qsm.safetensors").write_bytes((done.folder / "qsm" / "qsm.safetensors").read_bytes())
    job = Job(recipe(tmp_path, pairs=(), model="model"), tmp_path)
    with pytest.raises(DataError, match="another embedder"):
        job.run("signals/quality")
    (tmp_path / "d.yaml").write_text(
        "name: d\ncorpus: {sources: [{name: a, path: chat.jsonl, language: fra}]}\n", "utf-8"
    )
    result = runner.invoke(app, ["instruct", "checks", str(tmp_path / "d.yaml")])
    assert isinstance(result.exception, RequestError)
    with pytest.raises(RequestError, match="goes by quality, and nothing rates"):
        recipe(tmp_path, pairs=())
    with pytest.raises(RequestError, match="quality rates documents"):
        recipes.parse({"name": "x", "kind": "instructions", "quality": {}, "corpus": {"sources": []}})


def test_commands_print_tables(done: Job, tmp_path: Path) -> None:
    world.corpus(tmp_path)
    pairs = str(tmp_path / "revised.jsonl")
    asked = ["instruct", "train", pairs, "-o", str(tmp_path / "m"), "--seeds", "1", "--audits", "1"]
    result = runner.invoke(app, asked)
    assert result.exit_code == 0, result.output
    for told in ("jpn_Jpan", "zero-shot", "longer", "instruct.model:"):
        assert told in result.output
    assert {"qsm.json", "qsm.safetensors", "audit.json"} <= {p.name for p in (tmp_path / "m").iterdir()}
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(done.recipe.model_dump(mode="json") | {"output": str(done.folder)}), "utf-8")
    checks = runner.invoke(app, ["instruct", "checks", str(path), "-q"])
    assert "rus_Cyrl" in checks.output and " of " in checks.output
    swept = runner.invoke(app, ["instruct", "sweep", str(path), "-o", str(tmp_path / "s"), "--size", "4", "-q"])
    assert "m-daq" in swept.output and "manifest.json" in swept.output
    other = runner.invoke(app, ["instruct", "sweep", str(path), "-o", str(tmp_path), "--size", "4", "-q"])
    assert isinstance(other.exception, RequestError)


def test_the_ledger_is_the_same_from_shuffled_files(done: Job, tmp_path: Path) -> None:
    shuffled = recipe(tmp_path)
    lines = (tmp_path / "chat.jsonl").read_text("utf-8").splitlines()
    (tmp_path / "chat.jsonl").write_text("\n".join(lines[::-1]) + "\n", "utf-8")
    job = Job(shuffled, tmp_path)
    job.run("ledger")
    one, other = ({r["id"]: (r["kept"], r["rule"]) for r in ledger(j)} for j in (done, job))
    assert one == other


def test_vectors_are_of_instruction_and_answer(done: Job) -> None:
    parts = sorted((done.folder / "instructions" / "vectors").glob("part-*.parquet"))
    row = pq.read_table(parts[0]).to_pylist()[0]
    prompts = table.read(table.shards(done.folder / "instructions" / "prompts"))
    text = next(d["text"] for d in prompts.to_pylist() if d["id"] == row["id"])
    wanted = world.Hashed().embed([text])[0].astype(np.float16)
    assert np.array_equal(np.frombuffer(row["instruction"], np.float16), wanted)
