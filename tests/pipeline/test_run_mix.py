"""A recipe with proxy runs: the mixture comes from them, and the report shows what they say."""

import json
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import glotmix as gm
from glotmix.cli import show
from glotmix.core.errors import RequestError
from glotmix.pipeline import recipe, run

LANGUAGES = ("eng_Latn", "hin_Deva", "tha_Thai")
SENTENCES = Path(__file__).parents[1] / "data" / "sentences.parquet"


def write_runs(folder: Path, donor: float) -> None:
    """Write 24 runs of a world in which English helps the others."""
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(3), 24)
    dose = shares @ np.array([[1, donor, donor], [0.02, 1, 0.02], [0.02, 0.02, 1]])
    losses = (0.8 + 0.4 * dose**-0.3) * np.exp(0.003 * rng.standard_normal((24, 3)))
    for name, table in (("ratios.csv", shares), ("metrics.csv", losses)):
        lines = [",".join([f"r{i}", *map(str, row)]) for i, row in enumerate(table.tolist())]
        (folder / name).write_text("\n".join(["run_id," + ",".join(LANGUAGES), *lines]) + "\n", "utf-8")


@pytest.fixture
def made(tmp_path):
    table = pq.read_table(SENTENCES)
    lines = []
    for lang in LANGUAGES:
        texts = table.filter(pc.equal(table["lang"], lang))["text"].to_pylist()
        # Three sentences a document: one alone is too short for the rules.
        parts = [" ".join(texts[i : i + 3]) for i in range(0, 150, 3)]
        lines += [json.dumps({"id": f"{lang}-{i}", "lang": lang, "text": part}) for i, part in enumerate(parts)]
    (tmp_path / "web.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    write_runs(tmp_path, 0.5)
    return tmp_path


def job(folder: Path) -> run.Job:
    data = {
        "name": "runs",
        "corpus": {"sources": [{"name": "web", "path": "web.jsonl", "language": {"column": "lang"}}]},
        "quality": None,
        "mix": {
            "runs": {"mixtures": "ratios.csv", "losses": "metrics.csv"},
            "laws": ["effective_data", "own_share"],
            "bootstrap": 12,
            "groups": {"others": {"languages": ["hin_Deva", "tha_Thai"], "floor": 0.2}},
        },
    }
    return run.Job(recipe.parse(data), folder)


def test_a_recipe_with_runs_fits_them_and_tells_of_it_and_other_runs_change_the_mixture_alone(made):
    done = job(made)
    done.run()
    told = json.loads((done.folder / "mixture" / "mixture.json").read_text("utf-8"))
    assert told["method"] == "law" and told["evidence"]["runs"] == 24
    assert all(row["low"] is not None for row in told["languages"])
    gives = dict(zip(told["evidence"]["transfer"]["languages"], told["evidence"]["transfer"]["gives"], strict=True))
    assert max(gives, key=lambda lang: gives[lang]["value"]) == "eng_Latn"
    report = (done.folder / "report" / "report.html").read_text("utf-8")
    for shown in ("Who helps whom", "two steps", "worth most next", "told apart"):
        assert shown in report
    write_runs(made, 0.01)
    plan = {step["step"]: step["state"] for step in job(made).plan(None)}
    assert plan["mixture"] == "changed" and plan["ledger"] == "reused"


def test_a_budget_that_cannot_be_says_that_a_byte_is_a_token_where_no_tokenizer_is_named(made):
    given = job(made).recipe
    asked = given.model_copy(update={"mix": type(given.mix)(tokens=1e9)})
    with pytest.raises(RequestError, match=r"too few(?s:.*)a byte is counted as a token: signals.tokens.tokenizer is"):
        run.Job(asked, made).run("mixture")


def test_the_verdict_on_the_mixture_stands_on_the_terminal_in_the_card_and_in_python(made, capsys):
    done = job(made)
    found = done.run()
    told = json.loads((done.folder / "mixture" / "mixture.json").read_text("utf-8"))["evidence"]["verdict"]["said"]
    assert found["mixture"] == told
    show.show_summary(found)
    assert told in " ".join(capsys.readouterr().out.split())
    assert f"Mixture: law; shares are of training bytes (UTF-8). {told}" in (
        done.folder / "dataset" / "README.md"
    ).read_text("utf-8")
    again = gm.run(done.recipe, base=made)
    assert again.mixture == told
    assert told in str(again)
