"""The Python API: what is public, what it loads, and that its results are those of the command line."""

import dataclasses
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from rich.console import Console
from typer.testing import CliRunner

import glotmix as gm
from glotmix.cli import app
from glotmix.core.errors import DataError, RequestError
from glotmix.core.shown import Sheet, Shown
from glotmix.core.tabular import as_table, texts
from glotmix.signals import heuristics, language_id

PAGE = (Path(__file__).parents[2] / "docs/python.md").read_text("utf-8")
PUBLIC = {
    "": {
        "Plan", "Run", "Settings", "Story", "combine", "demo", "evaluate", "explain", "instruct", "mix", "plan",
        "quality", "recipe", "run", "schema", "signals", "why",
    },
    "combine": {"Combinations", "design", "read"},
    "signals": {"Signal", "find_duplicates", "identify", "measure"},
    "instruct": {"AnswerRater", "read", "train"},
    "evaluate": {"Audit", "Comparison", "Fidelity", "Scores", "compare", "fidelity", "score", "tokenizer"},
    "quality": {"TrainedRater", "read", "train"},
    "mix": {"Fit", "Mixture", "allocate", "fit"},
}  # fmt: skip
"""Adding a name is a decision: it goes here, and into docs/python.md."""
TEXTS = {
    "deu_Latn": "Die Katze schläft seit dem Morgen auf dem alten Sofa.",
    "rus_Cyrl": "Кошка с самого утра спит на старом диване.",
    "ell_Grek": "Η γάτα κοιμάται από το πρωί στον παλιό καναπέ.",
    "arb_Arab": "تنام القطة منذ الصباح على الأريكة القديمة.",
    "heb_Hebr": "החתולה ישנה מהבוקר על הספה הישנה.",
    "hin_Deva": "बिल्ली सुबह से पुराने सोफे पर सो रही है।",
    "ben_Beng": "বিড়ালটি সকাল থেকে পুরানো সোফায় ঘুমাচ্ছে।",
    "tha_Thai": "แมวนอนอยู่บนโซฟาเก่าตั้งแต่เช้า",
    "zho_Hans": "猫从早上起就在旧沙发上睡觉。",
    "jpn_Jpan": "猫は朝から古いソファーで眠っています。",
    "kor_Hang": "고양이는 아침부터 낡은 소파에서 자고 있다.",
    "amh_Ethi": "ድመቷ ከጠዋት ጀምሮ በአሮጌው ሶፋ ላይ ተኝታለች።",
}


@pytest.mark.parametrize("room", PUBLIC)
def test_what_is_public_is_this_documented_and_has_a_text(room):
    module = getattr(gm, room) if room else gm
    assert set(module.__all__) == PUBLIC[room] == set(dir(module))
    for name in module.__all__:
        found = getattr(module, name)
        assert inspect.getdoc(found), name
        assert not (found.__doc__ or "").startswith(f"{name}("), f"{name} has no text but what dataclass writes"
        if inspect.isclass(found):
            own = {
                n: v
                for n, v in vars(found).items()
                if not n.startswith("_") and (callable(v) or isinstance(v, property))
            }
            assert all(inspect.getdoc(value) for value in own.values()), name
            assert dataclasses.is_dataclass(found) and found.__dataclass_params__.frozen
            assert issubclass(found, Shown)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        module.nothing  # noqa: B018


def test_every_function_stands_on_the_page_and_the_page_names_no_other():
    named = set(re.findall(r"\bgm\.(\w+(?:\.\w+)?)", PAGE))
    functions = {
        f"{room}.{name}" if room else name
        for room, names in PUBLIC.items()
        for name in names
        if name.islower() and not (room == "" and name in PUBLIC)
    }
    assert named == functions


def test_importing_it_loads_nothing_heavy_and_a_function_loads_its_room_alone():
    script = """
import sys, glotmix as gm
heavy = {"numpy", "pyarrow", "pydantic", "typer", "rich", "daft", "scipy", "sklearn", "torch", "yaml", "pandas"}
print(sorted(heavy & set(sys.modules)), gm.signals.__name__, sorted(heavy & set(sys.modules)))
gm.mix.allocate({"fra": 10})
print(sorted({"daft", "sklearn", "torch", "lightgbm", "glotmix.pipeline"} & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert found.splitlines() == ["[] glotmix.signals []", "[]"]


@pytest.mark.parametrize("form", ["arrow", "pandas", "columns", "rows", "texts"])
def test_signals_are_those_of_a_recipe_in_every_form_of_table(form):
    langs, plain = list(TEXTS), list(TEXTS.values())
    columns = {"id": [f"d{n}" for n in range(len(langs))], "text": plain, "lang": langs}
    given = {
        "arrow": lambda: pa.table(columns),
        "pandas": lambda: pd.DataFrame(columns),
        "columns": lambda: columns,
        "rows": lambda: pa.table(columns).to_pylist(),
        "texts": lambda: plain,
    }[form]()
    declared = langs if form == "texts" else None
    arrays = pa.array(plain), pa.array(langs)
    wanted = heuristics.measure(*arrays)
    found = gm.signals.measure(given, declared)
    assert found["units"] == wanted.field("units").to_pylist()
    told = gm.signals.identify(given, declared)
    assert told["agrees"] == language_id.identify(*arrays, language_id.load("py3langid")).field("agrees").to_pylist()
    # The one mistake is the model's: nine words of Russian are Serbian to it.
    assert [a for a, b in zip(langs, told["label"], strict=True) if a != b] in ([], ["rus_Cyrl"])
    assert (form == "texts") == ("id" not in told.table.column_names)
    assert len(told) == len(langs)
    assert len(told.to_pandas()) == len(langs)


@pytest.mark.parametrize(
    ("given", "langs", "told"),
    [
        ({"txet": ["a"]}, None, "no column text.*did you mean 'txet'"),
        ({"text": ["a", None]}, None, "row 1 has no text"),
        ({"text": ["a"], "lang": ["klingon"]}, None, "klingon"),
        (["a", "b"], ["fra_Latn"], "2 texts and 1 languages"),
        ("a text", None, "documents is a str"),
        ({"text": ["a"], "n": [1, 2]}, None, "documents is no table"),
        ([{"text": "a"}, {"text": 3}], None, "documents is no table"),
    ],
)
def test_what_is_no_table_of_documents_is_refused_with_its_reason(given, langs, told):
    with pytest.raises(RequestError, match=told):
        gm.signals.identify(given, langs)


def test_heuristics_need_a_language():
    with pytest.raises(RequestError, match="units, and none is given"):
        gm.signals.measure(["a text"])


def test_duplicates_in_memory_are_those_of_a_recipe():
    long = {lang: text * 4 for lang, text in TEXTS.items()}
    rows = [{"id": lang, "text": text, "source": "a"} for lang, text in long.items()]
    rows += [{"id": f"~{lang}", "text": text + text[:2], "source": "b"} for lang, text in long.items()]
    rows += [{"id": "alone", "text": "Nobody in the village slept that night.", "source": "a"}]
    found = gm.signals.find_duplicates(rows)
    assert found["id"] == [row["id"] for row in rows]
    assert found["cluster"] == [row["id"].removeprefix("~") for row in rows]
    assert found["sources"] == [2] * (len(rows) - 1) + [1]
    story = (
        "The river rose for three days, and the miller carried his sacks up to the loft before the bridge gave way. "
        "His neighbours had left on the first evening, with two cows, a clock and whatever the cart would still hold. "
        "By noon the road to the town was a brown lake, in which only the tops of the willows could be seen. "
    )
    two = [story + "Nobody slept.", story + "All of them slept."]
    assert gm.signals.find_duplicates(two)["cluster"] == ["0", "0"]
    assert gm.signals.find_duplicates(two, threshold=0.99)["cluster"] == ["0", "1"]


@pytest.mark.parametrize(
    ("given", "settings", "told"),
    [
        ([{"id": "a", "text": "x"}, {"id": "a", "text": "y"}], {}, "an id comes twice"),
        (["a text"], {"treshold": 0.5}, "signals.duplicates.treshold.*did you mean 'threshold'"),
        (["a text"], {"threshold": 3}, "signals.duplicates.threshold: .*less than or equal to 1"),
    ],
)
def test_duplicates_refuse_what_cannot_be_meant(given, settings, told):
    with pytest.raises(RequestError, match=told):
        gm.signals.find_duplicates(given, **settings)


def test_answers_are_rated_in_one_call_each(tmp_path):
    rows = [
        {
            "instruction": f"Explain why the mill by the river stopped in the year {1800 + n}.",
            "response": "ok",
            "revised_response": f"The mill stopped in {1800 + n} because the river had fallen below the wheel. "
            "Two dry summers followed, and the miller sold the stones to his neighbour.",
            "lang": "en",
        }
        for n in range(60)
    ]
    rater = gm.instruct.train(rows, seeds=1, audits=1)
    asked = {"instruction": [rows[0]["instruction"]] * 2, "lang": ["en"] * 2}
    good, bad = rater.score(asked | {"response": [rows[1]["revised_response"], "ok"]})
    assert good > bad
    assert rater.audit["overall"]["accuracy"]["value"] == 1.0
    assert "eng_Latn" in str(rater) and "held-out" in str(rater)
    again = gm.instruct.read(rater.save(tmp_path / "model"))
    assert again.score(asked | {"response": [rows[1]["revised_response"], "ok"]}).tolist() == [good, bad]
    with pytest.raises(RequestError, match="no column response"):
        rater.score(asked)
    with pytest.raises(DataError, match="instruct train"):
        gm.instruct.read(tmp_path)


def test_answers_of_models_are_scored_and_compared(tmp_path):
    table = {
        "task": ["t"] * 8, "lang": ["en", "de"] * 4, "item": [n // 2 for n in range(8)],
        "said": [1, 1, 0, 0, 1, 0, 0, 0], "gold": [1, 1, 0, 0, 1, 1, 1, 1], "options": [2] * 8,
    }  # fmt: skip
    pd.DataFrame(table).to_csv(tmp_path / "one.csv", index=False)
    pd.DataFrame(table | {"said": table["gold"]}).to_csv(tmp_path / "two.csv", index=False)
    columns = {"choice": "said"}
    found = gm.evaluate.score(tmp_path / "one.csv", pivot="en", draws=100, columns=columns)
    accuracy = {one.lang: one.accuracy.value for one in found.tasks[0].languages}
    assert accuracy == {"eng_Latn": 0.75, "deu_Latn": 0.5}
    assert found.pivot == "eng_Latn" and found.tasks[0].pivot.pairs == 1
    assert "eng_Latn" in str(found) and "0.750" in str(found)
    both = gm.evaluate.compare(tmp_path / "one.csv", tmp_path / "two.csv", draws=100, columns=columns)
    assert both.tasks[0].accuracy["deu_Latn"].difference.value == 0.5
    assert "second - first" in str(both)
    with pytest.raises(DataError, match="no generated answers"):
        gm.evaluate.fidelity(tmp_path / "one.csv", columns=columns)


def test_tables_keep_their_rows_and_gaps():
    assert as_table([{"a": 1}, {"b": "x"}]).to_pylist() == [{"a": 1, "b": None}, {"a": None, "b": "x"}]
    assert texts({"text": ["a"], "lang": ["no"]})["lang"].to_pylist() == [gm.explain("no").lang]


class Numbers(Shown):
    def sheet(self) -> Sheet:
        rows = [("<b>", 1_234, 0.123456), ("[red]two[/red]", None, None), ("three", 5, 1.0)]
        return Sheet("Title & more", ("name", "n", "share"), rows, ("a note",), most=2)


def test_results_print_themselves_everywhere_as_they_are():
    found = Numbers()
    text = str(found)
    assert text.splitlines()[0] == "Title & more"
    for part in ("<b>", "1,234", "0.1235", "[red]two[/red]", "… and 1 more", "a note"):
        assert part in text
    assert "three" not in text
    assert repr(found) == text
    page = found._repr_html_()
    assert "<caption>Title &amp; more</caption>" in page and "&lt;b&gt;" in page
    assert page.count("<tr>") == 3 and 'style="text-align:right">1,234' in page
    console = Console(record=True, width=80, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(found)
    assert "[red]two[/red]" in console.export_text()


@pytest.fixture(scope="module")
def labels() -> list[dict[str, object]]:
    good = "Sie stellte den Kessel auf den Herd und wartete am Fenster, bis der Regen vorüber war. "
    bad = "Start | Shop | Login » FAQ (12) | 99,90 € | "
    found = []
    for n in range(40):
        for label, text in ((1, good), (0, bad)):
            found.append({"text": f"{text * (2 + n % 5)}{n}", "lang": "de", "label": label})
    return found


def test_a_rater_is_trained_and_used_in_one_call_each(labels, tmp_path):
    rater = gm.quality.train(labels, head="logistic")
    assert rater.labels == {"deu_Latn": (40, 40)}
    new = [
        "Der Zug hielt lange vor der Brücke, und niemand im Wagen sagte ein Wort. " * 3,
        "Login | Start » Shop (3) " * 9,
    ]
    good, bad = rater.score(new, "deu_Latn")
    assert 0 <= bad < 0.3 < 0.7 < good <= 1
    assert rater.score({"text": new[::-1], "lang": ["de", "de"]}).tolist() == [bad, good]
    again = gm.quality.read(rater.save(tmp_path / "rater"))
    assert again.score(new, "de").tolist() == [good, bad]
    assert "deu_Latn" in str(rater) and "structure" in str(rater)
    with pytest.raises(DataError, match="never calibrated"):
        rater.score(new, "de", as_="calibrated")
    with pytest.raises(RequestError, match="none is given"):
        rater.score(new)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"label": 3}, "labels, row 1: the label is 3"),
        ({"lang": "klingon"}, "labels, row 1.*klingon"),
        ({"text": "  "}, "labels, row 1: the text is missing or empty"),
    ],
)
def test_a_label_that_cannot_be_used_is_named(labels, change, told):
    with pytest.raises(DataError, match=told):
        gm.quality.train([labels[0], labels[1] | change])


def test_labels_without_a_column_and_no_labels_are_refused(labels):
    with pytest.raises(DataError, match="there is no label"):
        gm.quality.train([{"text": "a", "lang": "de"}])
    with pytest.raises(DataError, match="holds no anchor"):
        gm.quality.train([])


@pytest.fixture(scope="module")
def tables() -> tuple[dict[str, list], dict[str, list]]:
    langs = ["fr", "th", "am"]
    draw = np.random.default_rng(3)
    shares = draw.dirichlet(np.ones(3), 24)
    losses = 1 + 0.4 * (shares + 0.01) ** -0.3 + draw.normal(0, 1e-3, shares.shape)
    names = [f"r{n}" for n in range(24)]
    return (
        {"run_id": names, **{lang: shares[:, i].tolist() for i, lang in enumerate(langs)}},
        {"run_id": names[::-1], **{f"{lang}_bpb": losses[::-1, i].tolist() for i, lang in enumerate(langs)}},
    )


def test_laws_from_tables_in_memory_are_those_from_files(tables, tmp_path):
    mixtures, losses = tables
    for name, table in zip(("ratios.csv", "metrics.csv"), tables, strict=True):
        pd.DataFrame(table).to_csv(tmp_path / name, index=False)
    asked = {"laws": ["own_share", "ridge"]}
    found = gm.mix.fit(pd.DataFrame(mixtures), pa.table(losses), **asked)
    files = gm.mix.fit(tmp_path, **asked)
    assert found.laws == files.laws == dict.fromkeys(("fra_Latn", "tha_Thai", "amh_Ethi"), "own_share")
    where = {"fr": 0.5, "tha_Thai": 0.25, "amh": 0.25}
    assert found.predict(where) == pytest.approx(files.predict(where), rel=1e-9)
    assert found.predict(where)["fra_Latn"] == pytest.approx(1 + 0.4 * 0.51**-0.3, abs=0.01)
    mixture = found.solve({"fr": 4e6, "th": 2e6, "am": 2e6}, tokens=4e6, bootstrap=4, next_runs=0)
    assert sum(mixture.shares.values()) == pytest.approx(1)
    assert mixture.verdict and mixture.verdict in " ".join(str(mixture).split())
    told = json.loads((mixture.save(tmp_path / "mixture") / "mixture.json").read_text("utf-8"))
    assert {row["lang"]: row["share"] for row in told["languages"]} == mixture.shares


def test_runs_and_stocks_that_cannot_be_used_are_refused(tables):
    mixtures, losses = tables
    with pytest.raises(DataError, match=r"the losses: run r23 has 'nan'|the losses: run r23 has nothing"):
        gm.mix.fit(mixtures, losses | {"fr_bpb": [None, *losses["fr_bpb"][1:]]})
    with pytest.raises(DataError, match=r"1 of 24 runs in the mixtures are not in the losses: r0"):
        gm.mix.fit(mixtures, {name: column[:-1] for name, column in losses.items()})
    with pytest.raises(RequestError, match=r"there are no losses"):
        gm.mix.fit(mixtures)
    with pytest.raises(RequestError, match=r"mix.tokns: no such key.*did you mean 'tokens'"):
        gm.mix.allocate({"fr": 1e6}, tokns=1e6)
    with pytest.raises(RequestError, match=r"no column tokens.*did you mean 'token'"):
        gm.mix.allocate({"lang": ["fr"], "token": [1]})
    with pytest.raises(RequestError, match=r"sum to 0.5, not to one"):
        gm.mix.fit(mixtures, losses, laws=["ridge"]).predict({"fr": 0.5})


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    at = tmp_path_factory.mktemp("api")
    rows = [{"id": lang, "text": text * 3, "lang": lang} for lang, text in TEXTS.items()]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (at / "docs.jsonl").write_text(lines, "utf-8")
    source = {"name": "a", "path": "docs.jsonl", "language": {"column": "lang"}}
    (at / "recipe.yaml").write_text(
        json.dumps({"name": "api", "quality": None, "corpus": {"sources": [source]}}), "utf-8"
    )
    return at


def test_a_recipe_runs_as_a_path_as_data_as_yaml_and_as_an_object(folder):
    path = folder / "recipe.yaml"
    made = gm.run(path, until="ledger")
    assert [one.lang for one in made.languages] == sorted(TEXTS)
    assert all(one.read == 1 for one in made.languages)
    assert set(made.ledger["id"].to_pylist()) == set(TEXTS)
    assert made.table("signals/identify").num_rows == len(TEXTS)
    with pytest.raises(RequestError, match=r"mix.tokns"):
        gm.plan(path, "mix.tokns=3")
    text = path.read_text("utf-8")
    for given in (str(path), json.loads(text), text.replace("{", "{\n", 1), gm.recipe(path)):
        plan = gm.plan(given, {"mix.tokens": 1_000}, until="ledger", base=folder)
        assert {step.state for step in plan.steps} == {"reused"}
    assert gm.recipe(gm.recipe(path), "seed=3").seed == 3


def test_what_is_told_is_what_the_command_line_tells(folder):
    gm.run(folder / "recipe.yaml", until="ledger")
    path = str(folder / "recipe.yaml")

    def printed(*arguments: str):
        return json.loads(CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False).stdout)

    story = printed("why", path, "tha_Thai")
    found = gm.why(folder / "recipe.yaml", "tha_Thai")
    assert found == gm.why(folder / "out", "tha_Thai")
    assert (found.kept, found.rule, found.text, dict(found.signals)) == tuple(
        story[name] for name in ("kept", "rule", "text", "signals")
    )
    rows = {row["key"]: (row["value"], row["origin"]) for row in printed("explain", "tha_Thai", "--recipe", path)}
    assert {key: (one.value, one.origin) for key, one in gm.explain("th", path).values.items()} == rows
    plan = printed("run", path, "--dry-run")
    assert [(one.step, one.state) for one in gm.plan(path).steps] == [(row["step"], row["state"]) for row in plan]
    assert "tha_Thai" in str(found) and "identify.on_mismatch" in str(gm.explain("th"))
