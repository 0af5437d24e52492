"""A finished rater named in a recipe: applied, never trained; what it reads of texts is a signal."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_raters_cli import LANGS, world
from typer.testing import CliRunner

from glotmix.cli import app
from glotmix.core.errors import DataError, RequestError
from glotmix.embed import choose
from glotmix.pipeline import recipe, run
from glotmix.quality import load, rater_features
from glotmix.quality.rater import Rater


def command(*arguments):
    found = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A rater of heuristics, form, word order and flow; and a corpus of the same kind of documents."""
    folder = tmp_path_factory.mktemp("adopting")
    bad, recipe = world(folder)
    features = ["raters.features=[structure, form, wording, static, flow]", "raters.train.epochs=4"]
    command("raters", "train", recipe, "-o", folder / "rater", *features, "--json")
    (folder / "raw").mkdir()
    rows = pq.read_table(folder / "parallel.parquet").to_pylist()
    for lang in LANGS:
        own = [row for row in rows if row["lang"] == lang]
        table = pa.table({"id": [r["id"] for r in own], "text": [r["text"] for r in own]})
        pq.write_table(table, folder / "raw" / f"{lang}.parquet")
    sources = "".join(f"    - {{name: {lang}, path: raw/{lang}.parquet, language: {lang}}}\n" for lang in LANGS)
    (folder / "adopted.yaml").write_text(
        f"name: adopted\ncorpus:\n  sources:\n{sources}quality: {{pretrained: rater}}\n"
        "signals: {embed: static, boilerplate: null}\nselect: {retain: share, min_documents: 20}\n"
        "settings: {default: {quality: {keep: 0.5}}}\n",
        "utf-8",
    )
    command("run", folder / "adopted.yaml", "-q", "--json")
    return folder, dict(zip([f"d{i}" for i in range(len(bad))], bad.tolist(), strict=True))


def rows_of(folder, signal):
    return pa.concat_tables([pq.read_table(p) for p in sorted((folder / "out" / signal).glob("*.parquet"))])


def test_its_score_is_a_column_that_selection_goes_by(made):
    folder, bad = made
    scores = rows_of(folder, "signals/quality").to_pylist()
    assert len(scores) == 300
    for lang in LANGS:
        own = [
            (r["score"], bad[r["id"].rpartition(":")[2].partition("/")[0]]) for r in scores if r["id"].endswith(lang)
        ]
        assert np.corrcoef(np.array(own).T)[0, 1] < -0.6, lang
    ledger = rows_of(folder, "ledger").to_pylist()
    ranked = [r for r in ledger if r["rule"] in (None, "quality") and r["quantile"] is not None]
    kept, dropped = ([r["quantile"] for r in ranked if r["kept"] is side] for side in (True, False))
    assert min(kept) > 0.4 > 0.3 > min(dropped)
    assert (folder / "out" / "report.html").is_file()
    card = (folder / "out" / "dataset" / "README.md").read_text("utf-8")
    assert "a finished rater" in card
    assert not (folder / "out" / "audit").exists()


def test_the_signal_and_the_function_see_the_same(made):
    folder, _ = made
    rated = load.load(folder / "out" / "signals" / "quality" / "rater")
    table = pq.read_table(folder / "parallel.parquet").to_pylist()
    held = {r["id"].rpartition(":")[2]: r["score"] for r in rows_of(folder, "signals/quality").to_pylist()}
    own = [r for r in table if r["lang"] == "tha_Thai"]
    found = rated([r["text"] for r in own], "tha_Thai")
    np.testing.assert_allclose(found, [held[r["id"]] for r in own], atol=2e-4)
    seen = rows_of(folder, "signals/rater_features")
    assert {"form_ends", "wording_order", "flow_order"} < set(seen.column_names)
    assert "chars" not in seen.column_names


def test_nothing_is_made_twice_and_another_rater_is_noticed(made):
    folder, _ = made
    plan = json.loads(command("run", folder / "adopted.yaml", "--dry-run", "--json"))
    assert {row["state"] for row in plan} == {"reused"}
    assert {"rater", "signals/rater_features", "signals/quality"} < {row["step"] for row in plan}
    assert "audit" not in {row["step"] for row in plan}
    command("raters", "train", folder / "recipe.yaml", "-o", folder / "other", "raters.train.epochs=2", "--json")
    plan = json.loads(command("run", folder / "adopted.yaml", "quality.pretrained=other", "--dry-run", "--json"))
    states = {row["step"]: row["state"] for row in plan}
    assert states["rater"] != "reused" != states["signals/quality"]
    assert states["signals/heuristics"] == "reused"
    assert "signals/rater_features" not in states


def test_a_plan_reads_the_rater_once(made, monkeypatch):
    folder, _ = made
    read, seen = Rater.read, []
    monkeypatch.setattr(Rater, "read", lambda given: seen.append(given) or read(given))
    assert run.Job(recipe.load(folder / "adopted.yaml"), folder).plan()
    assert seen == [folder / "rater"]


def test_vectors_are_of_as_much_of_a_text_as_the_rater_learned_from(made, tmp_path):
    folder, _ = made
    whole = Rater.read(folder / "rater")
    (tmp_path / "cut").mkdir()
    replace(whole, max_chars={"static": 12}).write(tmp_path / "cut")
    with pytest.raises(RequestError, match="vectors of static of the first 12 characters"):
        command("run", folder / "adopted.yaml", f"quality.pretrained={tmp_path / 'cut'}", "--dry-run")
    texts = pq.read_table(folder / "parallel.parquet")["text"].to_pylist()[:20]
    one, other = (load.load(at)(texts, "eng_Latn") for at in (folder / "rater", tmp_path / "cut"))
    assert np.abs(one - other).max() > 1e-6
    columns, embedders = pa.array(["eng_Latn"] * 20), {"static": choose.load("static")}
    cut = rater_features.see(pa.array(texts), columns, ["static"], embedders, max_chars={"static": 12})
    assert cut.equals(rater_features.see(pa.array([text[:12] for text in texts]), columns, ["static"], embedders))


def test_what_is_missing_is_said(made, tmp_path):
    folder, _ = made
    recipe = folder / "adopted.yaml"
    with pytest.raises(RequestError, match="reads vectors of static"):
        command("run", recipe, "signals.embed=null", "--dry-run")
    with pytest.raises(DataError, match=r"^quality\.pretrained: there is no rater in"):
        command("run", recipe, "quality.pretrained=nowhere", "--dry-run")
    with pytest.raises(RequestError, match="learns nothing more"):
        command("run", recipe, "quality.positives=[x.jsonl]", "--dry-run")
    with pytest.raises(RequestError, match="names a finished one, rater"):
        command("quality", "audit", recipe)
