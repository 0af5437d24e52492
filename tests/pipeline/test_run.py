"""The whole of the main job, on the small part of the demo corpus."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from glotmix.cli import app, main
from glotmix.core import record, settings, table, warning
from glotmix.core.errors import DataError, RequestError
from glotmix.core.language import parse
from glotmix.explore import story
from glotmix.pipeline import recipe, run
from glotmix.quality import anchors
from glotmix.quality.rater import Rater
from glotmix.select import to_label
from glotmix.select.enough import ENOUGH
from glotmix.select.retention import HAIR

FAST = ["quality.head=logistic", "quality.audits=1", "mix.tokens=2e6"]
"""Overrides that spare the demo's boosters: they are tested with the room that trains them."""


def job(output: Path, *overrides: str) -> run.Job:
    path, base = run.demo_recipe(output, small=True)
    return run.Job(recipe.load(path, [*base, *FAST, *overrides]), path.parent)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    made = job(tmp_path_factory.mktemp("run") / "out")
    return made, made.run()


def rows(folder: Path) -> list[dict]:
    return table.read(table.shards(folder)).to_pylist()


def tree(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file() and p.name != record.RECORD)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def test_every_document_stands_in_the_ledger_and_in_one_place_of_the_data_set(done):
    made, _ = done
    corpus = {r["id"]: r for r in rows(made.folder / "corpus")}
    ledger = {r["id"]: r for r in rows(made.folder / "ledger")}
    assert ledger.keys() == corpus.keys()
    kept = {i for i, r in ledger.items() if r["kept"]}
    dataset = made.folder / "dataset"
    out = {r["id"]: r for p in dataset.glob("*_*/train-*.parquet") for r in pq.read_table(p).to_pylist()}
    assert out.keys() == kept
    for identity, document in out.items():
        assert document["text"] == corpus[identity]["text"]
    dropped = {r["id"]: r for p in dataset.glob("dropped/*/*.parquet") for r in pq.read_table(p).to_pylist()}
    assert dropped.keys() == ledger.keys() - kept
    assert all(r["rule"] and r["evidence"] for r in dropped.values())


def test_a_dropped_duplicate_names_a_kept_document_and_each_cluster_keeps_one(done):
    made, _ = done
    ledger = {r["id"]: r for r in rows(made.folder / "ledger")}
    clusters = {r["id"]: r["cluster"] for r in rows(made.folder / "signals" / "duplicates")}
    partners = {i: r["duplicate_of"] for i, r in ledger.items() if r["duplicate_of"]}
    assert partners
    for identity, partner in partners.items():
        assert ledger[identity]["rule"] in ("duplicates.exact", "duplicates.near")
        assert clusters[identity] == clusters[partner]
        assert (ledger[partner]["rule"] or "").split(".")[0] in ("", "quality", "budget")
    alive = [clusters[i] for i, r in ledger.items() if r["kept"]]
    assert len(alive) == len(set(alive))


def test_good_text_is_kept_above_the_line_of_each_language(done):
    made, summary = done
    ledger = rows(made.folder / "ledger")
    chance = Rater.read(made.folder / "signals/quality/rater").probability
    for lang in {r["lang"] for r in ledger}:
        lose = settings.resolve(made.recipe.settings, parse(lang))["quality.lose"].value or made.recipe.select.lose
        line = chance.line(lang, lose)
        left = [r for r in ledger if r["lang"] == lang and r["rule"] in (None, "quality")]
        assert left
        for row in left:
            assert row["kept"] == (row["quality"] >= line - HAIR)
            assert ("quality" in row["borderline"]) == (line - HAIR <= row["quality"] < line)
    assert {r["lang"] for r in summary["languages"]} == {r["lang"] for r in ledger}
    assert sum(r["share"] for r in summary["languages"]) == pytest.approx(1)
    few = {v["lang"]: v["documents"] for v in summary["verdict"]["languages"] if v["state"] == "few"}
    assert all(n < ENOUGH for n in few.values()) and set(few) < {r["lang"] for r in ledger}
    assert f"{len(few)} have too few documents to judge" in summary["verdict"]["first"]
    assert sum(one["read"] for one in summary["verdict"]["sources"]) == len(ledger)


def test_the_best_share_of_each_language_is_kept(done, tmp_path):
    shutil.copytree(done[0].folder, tmp_path / "out")
    made = job(tmp_path / "out", "select.retain=share", "settings.default.quality.keep=0.4")
    made.run("ledger")
    ledger = rows(made.folder / "ledger")
    for lang in {r["lang"] for r in ledger}:
        left = [r for r in ledger if r["lang"] == lang and r["rule"] in (None, "quality")]
        kept = [r for r in left if r["kept"]]
        assert len(kept) == -(-round(made_share(made, lang) * len(left), 9) // 1)
        worst = min(r["quality"] for r in kept)
        assert all(r["quality"] <= worst for r in left if not r["kept"])


def test_a_speaker_judges_what_would_teach_most_and_goes_on_where_she_stopped(done, tmp_path):
    folder = done[0].folder
    context = job(folder).context
    chosen = to_label.choose(context, "eng_Latn", 12)
    assert len({one["id"] for one in chosen}) == 12
    assert len({one["source"] for one in chosen}) > 2
    line = Rater.read(folder / "signals/quality/rater").probability.line("eng_Latn", context.recipe.select.lose)
    ledger = [r for r in rows(folder / "ledger") if r["lang"] == "eng_Latn"]
    first, second = (next(one for one in chosen if one["source"] == name) for name in ("crawl-a", "crawl-b"))
    for one in (first, second):
        own = [abs(r["quality"] - line) for r in ledger if r["source"] == one["source"]]
        assert abs(one["score"] - line) == pytest.approx(min(own))
    file = tmp_path / "labels" / "eng.jsonl"
    to_label.note(file, chosen[0], True)
    to_label.note(file, chosen[1], False)
    left, done_before = to_label.left(context, "eng_Latn", file, 10)
    assert done_before == 2 and [one["id"] for one in left] == [one["id"] for one in chosen[2:]]
    held = anchors.read([file])
    assert held["label"].to_pylist() == [True, False]
    assert held["text"].to_pylist() == [chosen[0]["text"], chosen[1]["text"]]


def test_labels_are_typed_one_key_each(done, tmp_path):
    given = {
        "name": "d",
        "output": str(done[0].folder),
        "corpus": {"sources": [{"name": "a", "path": "a", "language": "en"}]},
    }
    (tmp_path / "r.yaml").write_text(json.dumps(given), "utf-8")
    runner = CliRunner()
    first = runner.invoke(
        app, ["label", str(tmp_path / "r.yaml"), "en", "--count", "5", "--terminal"], input="n\nuA\nq\n"
    )
    assert first.exit_code == 0, first.output
    held = [json.loads(line) for line in (tmp_path / "labels/eng_Latn.jsonl").read_text("utf-8").splitlines()]
    assert [(row["label"], row["adult"], row["wrong_language"]) for row in held] == [(1, 0, 0), (0, 1, 0)]
    again = runner.invoke(
        app, ["label", str(tmp_path / "r.yaml"), "en", "--count", "5", "--terminal"], input="s\nx\nn\nq\n"
    )
    assert "3 in all" in again.output
    ids = [json.loads(line)["id"] for line in (tmp_path / "labels/eng_Latn.jsonl").read_text("utf-8").splitlines()]
    assert len(ids) == len(set(ids)) == 3


def made_share(made: run.Job, lang: str) -> float:
    return float(settings.resolve(made.recipe.settings, parse(lang))["quality.keep"].value)


def test_what_goes_out_beside_the_data(done):
    made, _ = done
    dataset = made.folder / "dataset"
    front = yaml.safe_load((dataset / "README.md").read_text("utf-8").split("---")[1])
    assert {"th", "ja", "ar"} & set(front["language"]) or len(front["language"]) > 20
    weights = [float(line.split()[0]) for line in (dataset / "blend.megatron.txt").read_text().splitlines()]
    assert sum(weights) == pytest.approx(1)
    again = recipe.parse(yaml.safe_load((dataset / "recipe.yaml").read_text("utf-8")))
    assert again.corpus == made.recipe.corpus
    page = (made.folder / "report.html").read_text("utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert "duplicates.near" in page


def test_a_second_run_reuses_all_and_a_threshold_measures_nothing_again(done):
    made, _ = done
    assert {r["state"] for r in made.plan()} == {"reused"}
    assert {r["state"] for r in job(made.folder, "engine.workers=1").plan()} == {"reused"}
    states = {r["step"]: r["state"] for r in job(made.folder, "settings.default.quality.keep=0.4").plan()}
    assert {s for s, state in states.items() if state == "reused"} >= {
        "corpus", "signals/identify", "signals/heuristics", "signals/duplicates", "rater", "signals/quality",
    }  # fmt: skip
    assert states["ledger"] == states["dataset"] == states["report"] == "changed"
    changes = {r["step"]: r["changes"] for r in job(made.folder, "mix.tokens=1e6").plan()}
    assert changes["ledger"] == []
    assert "config.tokens: 2000000 → 1000000" in changes["mixture"]


def test_a_dry_run_makes_nothing(tmp_path):
    states = {r["step"]: r["state"] for r in job(tmp_path / "out").plan()}
    assert set(states.values()) == {"new"}
    assert list(tmp_path.iterdir()) == []


def test_another_run_elsewhere_gives_the_same_bytes(done, tmp_path):
    made, _ = done
    again = job(tmp_path / "elsewhere")
    again.run()
    assert tree(again.folder) == tree(made.folder)


def test_a_budget_keeps_what_it_needs_of_each_language_and_no_more(done, tmp_path):
    made, _ = done
    shutil.copytree(made.folder, tmp_path / "out")
    budget = job(tmp_path / "out", "select.retain=budget", "mix.tokens=300000", "mix.max_epochs=2")
    rest = {r["lang"]: r for r in budget.run("mixture")["languages"]}
    ledger = rows(budget.folder / "ledger")
    assert {r["rule"] for r in ledger} >= {"budget"}
    for lang, row in rest.items():
        need = row["share"] * 300_000 / 2
        sizes = [r["tokens"] for r in ledger if r["lang"] == lang and r["kept"]]
        assert sum(sizes) >= need * 0.999
        assert sum(sizes) - need <= max(sizes) + 1
        assert row["epochs"] <= 2.001


def test_documents_are_drawn_up_to_a_number_of_tokens_per_language(done, tmp_path):
    made, _ = done
    shutil.copytree(made.folder, tmp_path / "out")
    lang = rows(made.folder / "ledger")[-1]["lang"]
    kept = {}
    for temperature in (0.001, 2):
        drawn = job(
            tmp_path / "out", "select.retain=tokens", f"select.tokens={{{lang}: 9000}}", "select.sample=gumbel",
            f"select.temperature={temperature}",
        )  # fmt: skip
        drawn.run("ledger")
        held = [r for r in rows(drawn.folder / "ledger") if r["lang"] == lang and r["kept"]]
        assert 9_000 <= sum(r["tokens"] for r in held) <= 9_000 + max(r["tokens"] for r in held)
        kept[temperature] = held
    best, some = (np.mean([r["quantile"] for r in held]) for held in kept.values())
    assert best > some > 0.4
    with pytest.raises(RequestError, match="no language has a number"):
        job(tmp_path / "out", "select.retain=tokens").run("ledger")
    with pytest.raises(RequestError, match=r"select\.tokens names chr_Cher, of which there is no document"):
        job(tmp_path / "out", "select.retain=tokens", "select.tokens={chr: 9000}").run("ledger")


def test_the_story_of_a_document(done):
    made, _ = done
    ledger = rows(made.folder / "ledger")
    dropped = next(r for r in ledger if r["duplicate_of"])
    told = story.tell(made.folder, dropped["id"])
    assert told["rule"] == dropped["rule"]
    assert told["duplicate_of"] in told["twins"]
    assert told["signals"]["quality"].keys() == {"score", "quantile", "calibrated"}
    assert told["text"]
    with pytest.raises(RequestError, match="did you mean"):
        story.tell(made.folder, dropped["id"] + "x")


def test_what_is_found_on_request_stands_in_the_ledger(done, tmp_path):
    made, _ = done
    texts = {r["id"]: r["text"] for r in rows(made.folder / "corpus")}
    ledger = [r for r in rows(made.folder / "ledger") if r["kept"]]
    held = next(r["id"] for r in ledger if r["source"] == "tico19" and r["chars"] > 300)
    line = {"question": texts[held][40:260]}
    (tmp_path / "items.jsonl").write_text(json.dumps(line, ensure_ascii=False) + "\n", "utf-8")
    sets = f"[{{name: leaked, path: {tmp_path}/items.jsonl, columns: [question]}}]"
    asked = job(
        tmp_path / "out",
        "quality=null",
        "select.rehydrate=3",
        "signals.boilerplate.remove=true",
        f"signals.contamination.sets={sets}",
        f"signals.cross_corpus_duplicates.signatures={{before: {made.folder}/signals/signatures}}",
        "settings.source={tldr: {heuristics: null}}",
    )
    asked.run("ledger")
    told = {r["id"]: r for r in rows(asked.folder / "ledger") if r["id"]}
    assert told[held]["rule"] == "contamination"
    rules = {rule for r in told.values() for rule in r["failed"]}
    assert "cross_corpus_duplicates" in rules
    # Everything stands in the earlier corpus, but for what changed when repeated lines were taken out.
    assert sum("cross_corpus_duplicates" in r["failed"] for r in told.values()) > 0.95 * len(told)
    assert not any(
        rule.startswith("heuristics.") for r in told.values() if r["source"] == "tldr" for rule in r["failed"]
    )
    assert any(rule.startswith("heuristics.") for rule in rules)
    assert record.read(asked.folder / "clean").counts["lines"] > 0
    story_of = story.tell(asked.folder, held)
    assert story_of["signals"]["contamination"] == {"items": 1}


def test_agreement_is_a_rule_where_a_language_asks_for_it(done, tmp_path):
    made, _ = done
    shutil.copytree(made.folder, tmp_path / "out")
    given = "{de: {source_overlap: {min_sources: 2}}, hau_Arab: {quality: {lose: 0.02}}}"
    asked = job(tmp_path / "out", f"settings.language={given}")
    summary = asked.run("ledger")
    told = [w for w in summary["warnings"] if w.startswith("settings.language")]
    assert [w.split(" changes")[0] for w in told] == ["settings.language.hau_Arab"]
    assert warning.named(told[0]).endswith("[settings-of-no-language]")
    german = [r for r in rows(asked.folder / "ledger") if r["lang"] == "deu_Latn"]
    sources = {r["id"]: r["sources"] for r in rows(asked.folder / "signals" / "duplicates")}
    assert {r["rule"] for r in german} >= {"source_overlap"}
    assert all(sources[r["id"]] >= 2 for r in german if r["kept"])
    assert any("agreement of 2 sources" in w for w in summary["warnings"])


def test_steps_are_named_and_a_wrong_one_is_refused(done):
    made, _ = done
    assert made.upto("signals")[0].name == "corpus"
    assert "ledger" not in [s.name for s in made.upto("signals")]
    with pytest.raises(RequestError, match="did you mean 'ledger'"):
        made.upto("leger")


def test_nothing_kept_is_an_error_that_says_so(done, tmp_path):
    made, _ = done
    shutil.copytree(made.folder, tmp_path / "out")
    with pytest.raises(DataError, match="no document of any language is kept"):
        job(tmp_path / "out", "settings.default.heuristics.chars.low=1000000000").run("ledger")


def command(*words: str) -> tuple[int, str, str]:
    made = subprocess.run([sys.executable, "-m", "glotmix", *words], capture_output=True, text=True, check=False)
    return made.returncode, made.stdout, made.stderr


def test_the_command_line_reuses_prints_json_and_explains(done):
    made, summary = done
    path, _ = run.demo_recipe(made.folder, small=True)
    code, out, err = command("run", str(path), f"output={made.folder}", *FAST, "--json")
    assert code == 0, err
    assert json.loads(out)["languages"] == summary["languages"]
    code, out, err = command("run", str(path), "mix.tokns=3")
    assert (code, out) == (2, "")
    assert "mix.tokns: no such key (did you mean 'tokens'?)" in err
    code, out, err = command("explain", "fra_Latn", "--source", "web")
    assert code == 2 and "there is no source 'web'" in err and "--recipe" in err
    code, out, err = command("explain", "fra_Latn", "--json")
    assert {"key", "value", "origin"} <= json.loads(out)[0].keys()
    keep = "settings.language.fra_Latn.quality.keep=0.25"
    code, out, err = command("explain", "fra_Latn", keep, "--recipe", str(path), "--json")
    assert {row["key"]: row["value"] for row in json.loads(out)}["quality.keep"] == 0.25, err
    assert command("explain", "fra_Latn", keep)[0] == 2


def test_what_the_system_refuses_is_one_message(done, tmp_path):
    made, _ = done
    path, _ = run.demo_recipe(made.folder, small=True)
    (tmp_path / "file").write_text("no folder", "utf-8")
    code, out, err = command("run", str(path), f"output={tmp_path / 'file' / 'below'}", "-q")
    assert (code, out) == (2, "") and "is a file" in err and "Traceback" not in err


def test_what_ctrl_c_stopped_says_that_it_can_be_taken_up(monkeypatch, capsys):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("glotmix.pipeline.recipe.schema", stop)
    monkeypatch.setattr(sys, "argv", ["glotmix", "schema"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 130 and "the same command takes it up again" in capsys.readouterr().err


def test_why_takes_a_folder_or_a_recipe_with_the_overrides_of_its_run(done):
    made, _ = done
    path, overrides = run.demo_recipe(made.folder, small=True)
    identity = rows(made.folder / "ledger")[0]["id"]
    told = [
        command("why", *words, "--json")
        for words in ([str(made.folder), identity], [str(path), identity, *overrides, *FAST])
    ]
    assert [code for code, _, _ in told] == [0, 0]
    assert told[0] == told[1]
    assert json.loads(told[0][1])["id"] == identity
    for words, said in (
        ([str(made.folder), "nobody"], "no document has the id 'nobody'"),
        ([str(made.folder), identity, *overrides], "is a folder, and only a recipe takes overrides"),
        ([str(path), identity, "mix.tokns=3"], "mix.tokns: no such key"),
    ):
        code, _, err = command("why", *words)
        assert code == 2
        assert said in err


def test_the_schema_names_every_section(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["glotmix", "schema"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert {"name", "corpus", "signals", "select", "mix", "export", "settings"} <= json.loads(capsys.readouterr().out)[
        "properties"
    ].keys()


@pytest.mark.parametrize("module", ["glotmix", "glotmix.cli"])
def test_importing_stays_light(module):
    heavy = {"daft", "sklearn", "lightgbm", "scipy", "altair", "torch"}
    code = f"import sys, {module}; print(sorted({heavy!r} & sys.modules.keys()))"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "[]"


def test_every_setting_has_one_line_of_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = command("explain", "th")
    told = out.splitlines()
    assert code == 0 and told[0].strip() == "settings of tha_Thai"
    names = [row["key"] for row in json.loads(command("explain", "th", "--json")[1])]
    assert [line.split()[0] for line in told[2:-1]] == names
    assert max(map(len, told)) <= 80
    monkeypatch.setenv("COLUMNS", "200")
    assert "of judged text it finds" in command("explain", "th")[1]
