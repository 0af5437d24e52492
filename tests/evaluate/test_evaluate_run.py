"""End to end, in environments of their own (minutes; `pytest -m bench`): tasks are written, lm-eval runs them with a
tiny model trained on the spot, one command scores its log; lighteval's own classes write details that are read."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from benchmarks import _aligned, harness
from typer.testing import CliRunner

from glotmix.cli import eval as cli_eval
from glotmix.evaluate import names, reading
from glotmix.evaluate.tasks import MODES

DATA = Path(__file__).parents[1] / "data"
pytestmark = pytest.mark.bench


def call(*arguments):
    result = CliRunner().invoke(cli_eval.app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return json.loads(result.stdout)


def test_lm_eval_runs_the_tasks_and_its_accuracy_is_ours_to_the_last_digit(tmp_path):
    python = harness.peer("lm-eval", _aligned.LM_EVAL)
    text = tmp_path / "text.txt"
    text.write_text("\n".join(pq.read_table(DATA / "sentences.parquet")["text"].to_pylist()), "utf-8")
    trained = harness.measure([python, harness.ROOT / "benchmarks" / "_tiny_lm.py", text, tmp_path / "model", "20"])
    assert trained.exit == 0, trained.output
    rows = []
    for lang in ("et", "th", "zh"):
        (log,) = (DATA / "lm_eval").glob(f"samples_XCOPADataset_lighteval_{lang}_*")
        docs = [json.loads(line)["doc"] for line in log.read_text("utf-8").splitlines()][:20]
        rows += [{"lang": lang} | doc for doc in docs]
    items = tmp_path / "items.jsonl"
    items.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    made = call("tasks", items, "--output", tmp_path / "tasks", "--name", "XCOPADataset", "--json")
    assert len(made["tasks"]) == 3 * len(MODES)
    groups = sorted({name.rsplit("_", 1)[0] for name in made["tasks"]})
    _aligned.lm_eval(python, tmp_path / "model", groups, tmp_path / "tasks", tmp_path / "logs")
    (results,) = (tmp_path / "logs").rglob("results_*.json")
    told = json.loads(results.read_text("utf-8"))["results"]
    found = {task["task"]: task for task in call("scores", tmp_path / "logs", "--json", "--draws", 100)["tasks"]}
    assert sorted(found) == groups
    for name in made["tasks"]:
        task, lang = names.split(name)
        (own,) = (o for o in found[task]["languages"] if o["lang"] == lang)
        assert own["raw"]["value"] == own["logged"] == told[name]["acc,none"]
        if "acc_norm,none" in told[name]:
            assert own["chars"]["value"] == told[name]["acc_norm,none"]


def test_details_of_lightevals_own_classes(tmp_path):
    python = harness.peer("lighteval", _aligned.LIGHTEVAL)
    given = {
        f"xquiz_{lang}_mcf|0": [
            {"id": f"q{n}", "query": "?", "choices": [" а", " бвг"], "gold": n % 2, "text": [], "acc": float(n == 0)}
            | {"logprobs": [-1.0, -2.0 - n]}
            for n in order
        ]
        for lang, order in (("rus", (0, 1, 2)), ("bul", (2, 0, 1)))
    }
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps(given), "utf-8")
    script = harness.ROOT / "benchmarks" / "_lighteval_details.py"
    done = harness.measure([python, script, rows, tmp_path / "out"], env={"HF_HOME": str(tmp_path / "hf")})
    assert done.exit == 0, done.output
    table = reading.read([tmp_path / "out"]).table.sort_by([("lang", "ascending"), ("item", "ascending")])
    assert table["item"].to_pylist() == ["q0", "q1", "q2"] * 2
    assert table["lang"].to_pylist() == ["bul_Cyrl"] * 3 + ["rus_Cyrl"] * 3
    assert table["raw"].to_pylist() == [0] * 6 and table["chars"].to_pylist() == [1, 0, 0] * 2
    assert table["gold"].to_pylist() == [0, 1, 0] * 2 and table["logged"].to_pylist() == [1.0, 0.0, 0.0] * 2
