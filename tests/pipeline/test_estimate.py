"""What a run will take, foretold from samples: the shares that samples are, the fit, and the command."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from glotmix.cli import app
from glotmix.core import record
from glotmix.core.errors import RequestError
from glotmix.pipeline import costs, estimate, recipe
from glotmix.pipeline.run import Job

TEXTS = {
    "fra_Latn": "Le chat dort sur la chaise près de la porte.",
    "tha_Thai": "แมวนอนอยู่บนเก้าอี้ใกล้ประตู",
    "rus_Cyrl": "Кот спит на стуле у двери.",
}


def rows(n: int) -> list[dict[str, str]]:
    langs = list(TEXTS)
    return [
        {"id": f"d{i}", "lang": langs[i % 3], "text": " ".join(f"{TEXTS[langs[i % 3]]} {i + k}" for k in range(5))}
        for i in range(n)
    ]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """900 documents as compressed lines, plain lines and Parquet."""
    (tmp_path / "lines").mkdir()
    for number in range(3):
        lines = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows(100))
        with pa.output_stream(str(tmp_path / "lines" / f"{number}.jsonl.zst"), compression="zstd") as file:
            file.write(lines.encode())
    (tmp_path / "plain.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows(300)), "utf-8")
    pq.write_table(pa.Table.from_pylist(rows(300)), tmp_path / "table.parquet")
    sources = [
        {"name": name, "path": path, "language": {"column": "lang"}, "columns": {"id": None}}
        for name, path in (("lines", "lines"), ("plain", "plain.jsonl"), ("table", "table.parquet"))
    ]
    content = {"name": "small", "corpus": {"sources": sources}, "quality": None, "select": {"retain": "all"}}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(content), "utf-8")
    return Job(recipe.load(tmp_path / "recipe.yaml"), tmp_path)


def test_a_sample_says_what_share_of_the_whole_it_is(job, tmp_path):
    made, shares = estimate.sampled(job, tmp_path / "scratch", 90)
    small = Job(made, tmp_path)
    small.run("corpus")
    held = estimate.read(record.read(small.folder / "corpus").notes)
    assert 60 <= sum(held.values()) <= 130
    # Each source has 300 documents; compressed files are counted, plain ones told by their bytes.
    assert shares["lines"] == pytest.approx(held["lines"] / 300)
    assert shares["table"] == pytest.approx(held["table"] / 300)
    assert shares["plain"] == pytest.approx(held["plain"] / 300, rel=0.1)
    assert not job.folder.exists()


def test_cost_is_fitted_as_a_fixed_part_and_a_rate():
    runs = [(500, {"x": 1.0 + 0.3 + 0.5}), (1000, {"x": 0.3 + 1.0}), (4000, {"x": 0.3 + 4.0})]
    found = estimate._step("x", runs, 100_000, 200_000)
    assert found.rate == pytest.approx(0.001)
    assert found.fixed == pytest.approx(1.3)
    assert found.cpu == pytest.approx(101.3)
    assert found.low < found.cpu < found.high
    assert found.disk == 200_000
    # Noise may say that more documents cost less: neither part is ever negative.
    odd = estimate._step("x", [(500, {"x": 0.1}), (1000, {"x": 0.3}), (4000, {"x": 0.2})], 100_000, 0)
    assert odd.rate >= 0 and odd.fixed >= 0 and odd.cpu >= 0.2


def test_what_is_no_larger_for_more_documents_takes_no_more_disk():
    sizes = [(500, {"rater": 9_000, "corpus": 500}), (1_000, {"rater": 9_000, "corpus": 1_000}),
             (4_000, {"rater": 9_000, "corpus": 4_000})]  # fmt: skip
    assert estimate._disk("rater", sizes, 1_000_000) == 9_000
    assert estimate._disk("corpus", sizes, 1_000_000) == 1_000_000


def test_a_sample_need_not_keep_the_budget_and_the_limits_of_the_whole(job, tmp_path):
    limits = {
        "tokens": 10_000,
        "max_epochs": 1,
        "floors": {"tha_Thai": 0.3},
        "groups": {"a": {"languages": ["fra"], "floor": 0.2}},
    }
    given = yaml.safe_load((tmp_path / "recipe.yaml").read_text("utf-8")) | {"mix": limits}
    sources = [{"name": "apart", "path": "apart.jsonl", "language": {"column": "lang"}}]
    given["corpus"]["sources"] = sources
    lines = sorted(rows(300), key=lambda row: row["lang"])
    (tmp_path / "apart.jsonl").write_text("".join(json.dumps(r) + "\n" for r in lines), "utf-8")
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(given), "utf-8")
    words = ["run", str(tmp_path / "recipe.yaml"), "--estimate", "--sample", "40", "--json", "--quiet"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "mixture" in [step["step"] for step in json.loads(done.stdout)["steps"]]


@pytest.mark.parametrize("word", ["--sample", "--cores", "--machines"])
def test_an_estimate_from_nothing_is_refused(job, tmp_path, word):
    done = CliRunner().invoke(app, ["run", str(tmp_path / "recipe.yaml"), "--estimate", word, "0"])
    assert done.exit_code == 2 and word in done.output


def test_more_machines_take_less_time_and_the_fixed_part_stays():
    step = estimate.Step("x", 10.0, 0.001, 110.0, 90.0, 130.0, 0)
    one = estimate.Estimate(100_000, 4_000, (step,), 0, 4, 1)
    two = estimate.Estimate(100_000, 4_000, (step,), 0, 4, 2)
    assert one.seconds == pytest.approx(10 + 100 / (4 * estimate.EFFICIENCY))
    assert two.seconds - 10 == pytest.approx((one.seconds - 10) / 2)


def told(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["signals", *arguments, "--quiet"])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command_foretells_makes_nothing_and_the_run_says_how_far_off_it_was(job, tmp_path):
    where = str(tmp_path / "recipe.yaml")
    found = json.loads(told(where, "--estimate", "--json"))
    assert [p.relative_to(job.folder).as_posix() for p in job.folder.rglob("*") if p.is_file()] == [costs.FILE]
    assert found["documents"] == pytest.approx(900, rel=0.25)
    names = [s["step"] for s in found["steps"]]
    assert names[0] == "corpus" and "signals/duplicates" in names and "ledger" not in names
    assert found["total"]["cpu"] == pytest.approx(sum(s["cpu"] for s in found["steps"]))
    made = json.loads(told(where, "--json"))["estimate"]
    assert [r["step"] for r in made] == names
    assert all(r["took"] > 0 and r["expected"] >= 0 for r in made)
    assert "3 × 8 cores" in told(where, "--estimate", "--machines", "3", "--cores", "8")
    assert "estimated: " in told(where)


@pytest.mark.parametrize(("command", "last"), [("select", "ledger"), ("export", "dataset")])
def test_deciding_and_exporting_can_be_estimated_too(job, tmp_path, command, last):
    words = [command, str(tmp_path / "recipe.yaml"), "--estimate", "--sample", "80", "--json", "--quiet"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["steps"][-1]["step"] == last
    assert [p.relative_to(job.folder).as_posix() for p in job.folder.rglob("*") if p.is_file()] == [costs.FILE]


def test_a_data_set_on_the_hub_has_no_files_to_sample(tmp_path):
    sources = [{"name": "far", "path": "hf://owner/name", "language": "fra_Latn"}]
    content = {"name": "far", "corpus": {"sources": sources}, "quality": None, "select": {"retain": "all"}}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(content), "utf-8")
    job = Job(recipe.load(tmp_path / "recipe.yaml"), tmp_path)
    with pytest.raises(RequestError, match="'far' is a data set on the Hub"):
        estimate.estimate(job)
