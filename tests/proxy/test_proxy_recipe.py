"""`glotmix mix train`, and a recipe that trains its proxies."""

import csv
import json
from pathlib import Path

import pytest
import yaml
from test_proxy import PHRASES, documents

from glotmix.cli import main, show
from glotmix.core import lock
from glotmix.core.errors import MissingExtraError, RequestError
from glotmix.mix.accounting import Available
from glotmix.mix.config import MixConfig
from glotmix.pipeline import recipe, run
from glotmix.proxy.config import ProxiesConfig
from glotmix.proxy.steps import target_of

PROXIES = {
    "runs": 9,
    "parameters": 1e5,
    "vocabulary": 300,
    "tokens": 400,
    "context": 16,
    "held_out": 0.2,
    "device": "cpu",
}


@pytest.fixture
def folder(tmp_path):
    lines = [
        json.dumps({"id": f"{lang}-{i}", "lang": lang, "text": text}) for i, (lang, text) in enumerate(documents(40))
    ]
    (tmp_path / "web.jsonl").write_text("\n".join(lines), "utf-8")
    asked = {
        "name": "tiny",
        "corpus": {"sources": [{"name": "web", "path": "web.jsonl", "language": {"column": "lang"}}]},
        "quality": None,
        "select": {"retain": "all"},
        "settings": {"default": {"identify": {"on_mismatch": "keep"}}},
        "mix": {"laws": ["own_share", "ridge"], "bootstrap": 10, "proxies": PROXIES},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(asked), "utf-8")
    return tmp_path


def job(folder, *overrides):
    return run.Job(recipe.load(folder / "recipe.yaml", list(overrides)), folder)


def test_a_recipe_trains_its_proxies_on_what_is_kept_and_fits_them(folder, capsys):
    made = job(folder)
    summary = made.run("mixture")
    assert {row["lang"] for row in summary["languages"]} == set(PHRASES)
    assert all(row["low"] <= row["share"] <= row["high"] for row in summary["languages"])
    show.show_summary(summary)
    shown = capsys.readouterr().out
    assert "as good" in shown and all(f"{100 * row['low']:.2f}–{100 * row['high']:.2f}" in shown for row in
                                   summary["languages"])  # fmt: skip
    mixture = json.loads((made.folder / "mixture" / "mixture.json").read_text("utf-8"))
    assert mixture["method"] == "law"
    assert all(row["low"] <= row["share"] <= row["high"] for row in mixture["languages"])
    trained = (made.folder / "proxies" / "metrics.csv").read_text().splitlines()
    # Nine mixtures, and UniMax with four seeds.
    assert len(trained) == 1 + 9 + 4
    assert {row["step"]: row["state"] for row in job(folder, "mix.bootstrap=12").plan("mixture")}["proxies"] == "reused"
    assert {row["step"]: row["state"] for row in job(folder, "mix.proxies.together=2").plan()}["proxies"] == "reused"
    assert {row["step"]: row["state"] for row in job(folder, "mix.proxies.seed=2").plan()}["proxies"] == "changed"

    given = ["mix.proxies=null", "mix.runs.mixtures=out/proxies/ratios.csv", "mix.runs.losses=out/proxies/metrics.csv"]
    job(folder, *given, "output=again").run("mixture")
    again = json.loads((folder / "again" / "mixture" / "mixture.json").read_text("utf-8"))
    assert again["languages"] == mixture["languages"], "the tables given back are the same mixture"


def test_with_a_target_proxies_have_two_sizes_and_repeat_as_it_will(folder):
    asked = ["mix.tokens=4000", "mix.proxies.runs=6", "mix.bootstrap=2"]
    made = job(folder, *asked)
    made.run("proxies")
    with (made.folder / "proxies" / "ratios.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    sizes = sorted({int(row["parameters"]) for row in rows})
    assert len(sizes) == 2 and sizes[1] > 1.5 * sizes[0]
    tokens = {row["run_id"]: row for row in rows}
    matched, fresh = tokens["centre-100k-s0"], tokens["centre-100k-fresh"]
    for lang in PHRASES:
        assert int(fresh[f"unique.{lang}"]) == pytest.approx(4 * int(matched[f"unique.{lang}"]), abs=4)
    alone = job(folder, *asked, "mix.proxies.one_size=true", "output=one")
    alone.run("proxies")
    with (alone.folder / "proxies" / "ratios.csv").open(encoding="utf-8") as file:
        assert len({row["parameters"] for row in csv.DictReader(file)}) == 1
    plan = {row["step"]: row["state"] for row in job(folder, *asked[1:], "mix.tokens=8000").plan("proxies")}
    assert plan["proxies"] == "changed", "another target is another design"


def test_the_target_of_some_languages_is_their_part_of_it():
    there = Available.of({"eng_Latn": (1, 600, 600), "tha_Thai": (1, 300, 300), "hin_Deva": (1, 50, 50)})
    config, mix = ProxiesConfig(tokens=100), MixConfig(tokens=900)
    assert target_of(mix, config, there) == 900
    # UniMax at 4 epochs of 900 tokens: 200 of Hindi, 350 of the others.
    part = config.model_copy(update={"languages": ("eng_Latn", "hin_Deva")})
    assert target_of(mix, part, there) == pytest.approx(550)
    assert target_of(MixConfig(tokens=399), config, there) is None, "there is no text that repeats less"
    assert target_of(mix, config.model_copy(update={"target": None}), there) is None
    assert target_of(MixConfig(), config, there) is None
    assert target_of(MixConfig(), config.model_copy(update={"target": 5000.0}), there) == 5000


def test_a_recipe_chooses_a_mixture_for_each_phase_or_one_for_all(folder):
    made = job(folder, "mix.phases=[0.6, 0.4]", "mix.proxies.runs=10", "mix.bootstrap=2")
    made.run("mixture")
    head = (made.folder / "proxies" / "ratios.csv").read_text("utf-8").splitlines()[0]
    assert all(f"{lang}@{k}" in head for lang in PHRASES for k in (1, 2))
    told = json.loads((made.folder / "mixture" / "mixture.json").read_text("utf-8"))
    assert told["method"] == "phases" and told["phases"]["parts"] == pytest.approx([0.6, 0.4], abs=0.01)
    total = {row["lang"]: row["share"] for row in told["languages"]}
    wanted = told["phases"]["constant" if told["phases"]["constant_proven"] else "prior"]
    if told["phases"]["proven"]:
        shares = zip(told["phases"]["parts"], told["phases"]["phases"], strict=True)
        wanted = dict.fromkeys(total, 0.0) | {lang: sum(p * s[lang] for p, s in shares) for lang in total}
    assert total == pytest.approx(wanted, abs=1e-6) and told["phases"]["said"]
    with pytest.raises(RequestError, match="two parts or more that sum to one"):
        job(folder, "mix.phases=[0.6, 0.6]")
    with pytest.raises(RequestError, match=r"need mix\.proxies or mix\.runs"):
        job(folder, "mix.phases=[0.6, 0.4]", "mix.proxies=null")


def test_the_demo_trains_an_ensemble_where_it_can_and_unless_told_otherwise(tmp_path, monkeypatch):
    def trains(small, proxies):
        path, overrides = run.demo_recipe(tmp_path / "out", small, proxies)
        section = recipe.load(path, overrides).mix
        assert section.how == ("unimax" if section.proxies is None else "law")
        return section.proxies is not None

    assert trains(False, None) and trains(True, True)
    assert not trains(False, False) and not trains(True, None)
    monkeypatch.setattr("glotmix.pipeline.run.installed", lambda: False)
    assert not trains(False, None), "the core has no torch, and its demo does not fail"


def test_what_cannot_be_is_refused(folder, monkeypatch):
    with pytest.raises(RequestError, match="not both"):
        job(folder, "mix.runs.mixtures=a.csv", "mix.runs.losses=b.csv")
    with pytest.raises(RequestError, match="are trained on what is kept"):
        job(folder, "select.retain=budget", "quality={}")
    with pytest.raises(RequestError, match="parametres"):
        job(folder, "mix.proxies.parametres=1e6")
    monkeypatch.setattr("glotmix.proxy.need.installed", lambda: False)
    with pytest.raises(MissingExtraError, match="pip install 'glotmix\\[train\\]'"):
        job(folder)
    job(folder, "mix.proxies=null")


def test_the_command_trains_a_design(folder, capsys, monkeypatch):
    job(folder, "mix.proxies=null").run("corpus")
    (folder / "design").mkdir()
    rows = ["run_id,eng_Latn,tha_Thai", "a,0.5,0.5", "b,1,0"]
    (folder / "design" / "ratios.csv").write_text("\n".join(rows))
    call = ["glotmix", "mix", "train", str(folder / "design"), str(folder / "out" / "corpus"), "--json", "--quiet"]
    call += ["-o", str(folder / "runs"), *(f"{k}={v}" for k, v in PROXIES.items())]
    monkeypatch.setattr("sys.argv", [*call, "--dry-run"])
    with pytest.raises(SystemExit):
        main()
    planned = json.loads(capsys.readouterr().out)
    assert [(row["runs"], row["tokens"]) for row in planned] == [(2, 2 * 416)] and not (folder / "runs").exists()
    monkeypatch.setattr("sys.argv", call)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["runs"] == 2
    losses = (folder / "runs" / "metrics.csv").read_text()
    with lock.held(folder / "runs", beside=True), pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code != 0 and "is being written by process" in capsys.readouterr().err
    assert losses.startswith("run_id,eng_Latn,tha_Thai\na,")
    monkeypatch.setattr("sys.argv", [*call, "precision=bfloat16"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0 and json.loads(capsys.readouterr().out)["runs"] == 2
    assert (folder / "runs" / "metrics.csv").read_text() != losses, "trained again: another precision is another run"
    # What the page goes on to do with these files.
    page = (Path(__file__).parents[2] / "docs" / "proxies.md").read_text("utf-8").split("## From Python")[1]
    shown = page.split("```python")[1].split("```")[0]
    monkeypatch.chdir(folder)
    made: dict[str, object] = {}
    exec(shown.replace("steps=1000", "steps=2").replace("len(pieces))", "len(pieces), 16)"), made)
    assert made["losses"].shape == (2, 2) and made["guessed"].shape == (1, 2)
    assert (folder / "llama" / "config.json").is_file()
    monkeypatch.setattr("sys.argv", [*call[:4], str(folder / "nothing"), *call[5:]])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and "there is no text" in capsys.readouterr().err
