"""`glotmix raters` from end to end: next, ask, join, train, audit, and the saved rater at work."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_ask import longer, serve  # noqa: F401
from typer.testing import CliRunner

from glotmix.cli import app
from glotmix.core.errors import DataError, RequestError
from glotmix.quality import joined, load, pairs, rater_features
from glotmix.quality.rater import Rater
from glotmix.quality.word_order import Wording

LANGS = ["eng_Latn", "fra_Latn", "tha_Thai", "zho_Hans", "amh_Ethi"]
SENTENCES = {
    "eng_Latn": "The market of {n} opens at eight and people buy bread there. ",
    "fra_Latn": "Le marché de {n} ouvre à huit heures et les gens y achètent du pain. ",
    "tha_Thai": "ตลาดของ {n} เปิดแปดโมงเช้าและผู้คนซื้อขนมปังที่นั่น ",
    "zho_Hans": "{n}的市场八点开门，人们在那里买面包。",
    "amh_Ethi": "የ{n} ገበያ በሁለት ሰዓት ይከፈታል ሰዎችም እዚያ ዳቦ ይገዛሉ። ",
}
NAMES = ["Ana", "Bo", "Chi", "Dag", "Eva", "Fay", "Gus", "Hal"]


def world(folder, n=60):
    """Documents in five languages, the worse the more of them is a menu; three raters read the English ones."""
    rng = np.random.default_rng(0)
    bad = np.round(rng.random(n), 2)
    rows = []
    for i in range(n):
        for lang in LANGS:
            text = "".join(SENTENCES[lang].format(n=NAMES[int(k)]) for k in rng.integers(0, 8, 8))
            menu = " | ".join(SENTENCES[lang].format(n=NAMES[int(k)])[:9] for k in rng.integers(0, 8, 12))
            cut = int(len(text) * (1 - bad[i]))
            lines = text[:cut] + "\n" + menu[: int(len(menu) * bad[i])]
            rows.append({"id": f"d{i}/{lang}", "lang": lang, "group": f"d{i}", "source": f"s{i // 2}", "text": lines})
    pq.write_table(pa.Table.from_pylist(rows), folder / "parallel.parquet")
    ids = [f"d{i}/eng_Latn" for i in range(n)]
    noisy = {f"r{k}": 1 - bad + rng.normal(size=n) * 0.15 for k in range(3)} | {"noise": rng.normal(size=n)}
    pq.write_table(pa.table({"id": ids, **noisy, "reverse": bad}), folder / "scores.parquet")
    column = "    - {{name: {0}, path: scores.parquet, column: {0}}}\n"
    (folder / "recipe.yaml").write_text(
        "name: carried\ncorpus: {sources: [{name: web, path: raw, language: fra_Latn}]}\n"
        "raters:\n  documents: parallel.parquet\n  reference: eng\n"
        "  train: {pairs: 2000, epochs: 6, hidden: 8}\n  columns:\n"
        + "".join(column.format(name) for name in ("r0", "r1", "r2", "noise", "reverse")),
        "utf-8",
    )
    return bad, folder / "recipe.yaml"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raters")
    bad, recipe = world(folder)
    return folder, bad, recipe


def run(*arguments):
    found = CliRunner().invoke(app, ["raters", *map(str, arguments)], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


def test_join_weighs_raters_and_says_which_can_be_believed(made):
    folder, bad, recipe = made
    told = json.loads(run("join", recipe, "-o", folder / "joined", "--json"))
    status = {r["name"]: r["status"] for r in told["raters"]}
    assert status == {"r0": "used", "r1": "used", "r2": "used", "noise": "no signal", "reverse": "inverted"}
    assert any("reverse ranks in reverse" in w for w in told["warnings"])
    assert told["rated"] == 60
    assert set(told["agreement"]) == {"eng_Latn"}
    scores = pq.read_table(folder / "joined" / "scores.parquet").to_pylist()
    english = {r["group"]: r["score"] for r in scores if r["lang"] == "eng_Latn"}
    assert np.corrcoef([english[f"d{i}"] for i in range(60)], bad)[0, 1] < -0.85
    assert all(r["score"] is None for r in scores if r["lang"] != "eng_Latn")
    plain = run("join", recipe, "-o", folder / "joined")
    assert "inverted" in plain
    assert "α (95 %)" in plain


def test_train_carries_the_score_to_languages_that_no_rater_reads(made):
    folder, bad, recipe = made
    told = json.loads(run("train", recipe, "-o", folder / "rater", "--json"))
    every = told["methods"]["pairwise_all"]
    assert set(every["languages"]) == set(LANGS)
    for lang in LANGS:
        assert every["languages"][lang]["accuracy.monolingual"]["value"] > 0.75
    assert set(told["methods"]) == {
        "pairwise_all", "pairwise_cross", "pairwise_mono", "zero_shot", "pointwise_l1", "pointwise_bce",
    }  # fmt: skip
    assert told["trained"]["sources"] + told["held"]["sources"] == 30
    assert {v["better"] for v in told["where"]["accuracy.monolingual"].values()} <= {"pairwise", "pointwise", "neither"}
    assert len(told["told"]) == 15
    shown = run("audit", folder / "rater")
    assert "pointwise_l1" in shown
    assert "gap.sd" in shown and "…" not in shown, "six ways in eighty columns, none cut"
    # The saved rater is a function of texts, as any other rater of glotmix.
    rated = load.load(folder / "rater")
    table = pq.read_table(folder / "parallel.parquet").to_pylist()
    for lang in LANGS:
        own = [r["text"] for r in table if r["lang"] == lang]
        assert np.corrcoef(rated(own, lang), bad)[0, 1] < -0.7
    again = json.loads(run("train", recipe, "-o", folder / "again", "--json"))
    assert {k: v for k, v in again.items() if k != "folder"} == {k: v for k, v in told.items() if k != "folder"}
    for name in ("rater.safetensors", "carried.json", "scores.parquet"):
        assert (folder / "again" / name).read_bytes() == (folder / "rater" / name).read_bytes()


def test_judges_are_asked_what_tells_most_and_join_the_others(made, serve, monkeypatch):  # noqa: F811
    folder, _, recipe = made
    tasks, verdicts = folder / "tasks.jsonl", folder / "verdicts.jsonl"
    told = json.loads(run("next", recipe, "-o", tasks, "--pairs", 40, "--json"))
    assert (told["pairs"], told["tasks"], told["judged_before"], told["language"]) == (40, 80, 0, "eng_Latn")
    server = serve(longer)
    ask = [f"raters.ask.endpoint={server.url}", "raters.ask.model=judge", "raters.ask.key=GLOTMIX_TEST_KEY"]
    dry = json.loads(run("ask", recipe, tasks, "-o", verdicts, *ask, "--dry-run", "--json"))
    assert (dry["tasks"], dry["left"], dry["answered"]) == (80, 80, 0)
    assert not verdicts.exists()
    with pytest.raises(RequestError, match="has no GLOTMIX_TEST_KEY"):
        run("ask", recipe, tasks, "-o", verdicts, *ask)
    monkeypatch.setenv("GLOTMIX_TEST_KEY", "k")
    first = json.loads(run("ask", recipe, tasks, "-o", verdicts, *ask, "--budget", 30, "--json", "-q"))
    assert (first["answered"], first["left"]) == (30, 50)
    assert "50 now" in run("ask", recipe, tasks, "-o", verdicts, *ask, "-q")
    joined = json.loads(run("join", recipe, "-o", folder / "judged", "raters.verdicts=[verdicts.jsonl]", "--json"))
    judge = joined["raters"][-1]
    assert (judge["name"], judge["votes"], judge["status"]) == ("judge", 40, "used")
    assert joined["first_place"] == {"judge": 0.5}
    again = json.loads(run("next", recipe, "-o", tasks, "raters.verdicts=[verdicts.jsonl]", "--pairs", 10, "--json"))
    assert again["judged_before"] == 40
    asked = {frozenset((r["a"], r["b"])) for r in map(json.loads, verdicts.read_text("utf-8").splitlines())}
    fresh = {frozenset((r["a"], r["b"])) for r in map(json.loads, tasks.read_text("utf-8").splitlines())}
    assert len(fresh) == 10
    assert not asked & fresh


def test_what_is_missing_is_said(made, tmp_path):
    folder, _, recipe = made
    with pytest.raises(RequestError, match="has no section raters"):
        (tmp_path / "r.yaml").write_text(
            "name: x\ncorpus: {sources: [{name: web, path: raw, language: fra_Latn}]}\n", "utf-8"
        )
        run("join", tmp_path / "r.yaml", "-o", tmp_path / "o")
    with pytest.raises(RequestError, match="there is no rater to join"):
        run("join", recipe, "-o", tmp_path / "o", "raters.columns=[]")
    with pytest.raises(DataError, match="there is no audit in"):
        run("audit", tmp_path)
    (tmp_path / "carried.json").write_text('{"methods": {', "utf-8")
    with pytest.raises(DataError, match=r"carried\.json is damaged"):
        run("audit", tmp_path)
    with pytest.raises(RequestError, match="flow needs an embedder"):
        run("join", recipe, "-o", tmp_path / "o", "raters.features=[structure, flow]")
    with pytest.raises(RequestError, match="structure, structure: each only once"):
        run("join", recipe, "-o", tmp_path / "o", "raters.features=[structure, structure]")
    with pytest.raises(DataError, match="0 documents of deu_Latn"):
        run("next", recipe, "-o", tmp_path / "t", "--only", "deu")
    (tmp_path / "file").write_text("no folder", "utf-8")
    with pytest.raises(NotADirectoryError):
        # Before anything is read, let alone trained.
        run("train", recipe, "-o", tmp_path / "file" / "below", "raters.documents=nowhere.parquet")
    table = pq.read_table(folder / "parallel.parquet")
    pq.write_table(pa.concat_tables([table, table.slice(0, 1)]), tmp_path / "twice.parquet")
    with pytest.raises(DataError, match=r"ids are not unique: \d+ documents are called"):
        run("join", recipe, "-o", tmp_path / "o", f"raters.documents={tmp_path / 'twice.parquet'}")


@pytest.mark.parametrize("wrong", ["raters.documents=none.parquet", "raters.unlabelled=[none.jsonl]"])
def test_a_training_that_is_refused_leaves_no_folder_behind(made, tmp_path, wrong):
    _, _, recipe = made
    (tmp_path / "here").mkdir()
    for output in (tmp_path / "new" / "rater", tmp_path / "here"):
        found = CliRunner().invoke(
            app, ["raters", "train", str(recipe), "raters.features=[structure, wording]", wrong, "-o", str(output)]
        )
        assert isinstance(found.exception, RequestError | DataError), found.output
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_word_order_is_learned_from_unlabelled_texts(made, tmp_path):
    folder, _, recipe = made
    rng = np.random.default_rng(5)
    rows = [
        {"lang": lang[:3], "text": "".join(SENTENCES[lang].format(n=NAMES[k]) for k in rng.integers(0, 8, 9))}
        for lang in ("eng_Latn", "fra_Latn")
        for _ in range(60)
    ]
    (folder / "plain.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    features = ["raters.features=[form, wording]", "raters.train.epochs=2"]
    run("train", recipe, "-o", tmp_path / "w", *features, "raters.unlabelled=[plain.jsonl]", "--json")
    held = Rater.read(tmp_path / "w")
    assert sorted(held.wording.orders) == ["eng_Latn", "fra_Latn"]
    assert rater_features.features_of(held) == ("form", "wording")
    rated = load.load(tmp_path / "w")
    text = "".join(SENTENCES["eng_Latn"].format(n=name) for name in NAMES)
    assert rated([text], "eng_Latn") == pytest.approx(rated([text] * 3, "eng_Latn")[2], abs=1e-6)
    # Without a file, from the documents of the training half.
    run("train", recipe, "-o", tmp_path / "o", *features, "--json")
    learned = Rater.read(tmp_path / "o").wording
    given = joined.documents(folder / "parallel.parquet")
    kept = pa.array(~pairs.hold_out(np.array(given["source"].to_pylist(), object), 0.25, 0))
    half = given.filter(kept)
    alone = Wording.fit(half["text"].to_pylist(), half["lang"].to_pylist())
    assert set(learned.orders) == set(alone.orders) != set()
    for lang, one in alone.orders.items():
        np.testing.assert_array_equal(learned.orders[lang].counts, one.counts)
    (folder / "bare.jsonl").write_text('{"text": "no language"}\n', "utf-8")
    with pytest.raises(DataError, match="has no column lang"):
        run("train", recipe, "-o", tmp_path / "b", *features, "raters.unlabelled=[bare.jsonl]")
    (folder / "bare.jsonl").write_text('{"text": "a", "lang": "eng"}\n{"text": null, "lang": "eng"}\n', "utf-8")
    with pytest.raises(DataError, match="1 values of text and lang are missing"):
        run("train", recipe, "-o", tmp_path / "b", *features, "raters.unlabelled=[bare.jsonl]")


def test_a_rater_that_says_nothing_and_languages_that_nothing_ties_are_warned_of(made, tmp_path):
    folder, _, recipe = made
    table = pq.read_table(folder / "parallel.parquet")
    pq.write_table(pa.table({"id": table["id"], "same": [0.5] * len(table)}), folder / "same.parquet")
    pq.write_table(table.drop_columns(["group"]), folder / "alone.parquet")
    same = "raters.columns=[{name: same, path: same.parquet, column: same}]"
    told = json.loads(
        run("train", recipe, "-o", tmp_path / "o", same, "raters.documents=alone.parquet", "raters.train.epochs=1",
            "raters.train.pairs=50", "--json")
    )  # fmt: skip
    assert any("same calls every pair a tie" in sentence for sentence in told["warnings"])
    assert any("nothing was learned across languages" in sentence for sentence in told["warnings"])
    told = json.loads(run("train", recipe, "-o", tmp_path / "p", "raters.train.epochs=1", "--json"))
    assert not any("every pair a tie" in w or "across languages" in w for w in told["warnings"])


def test_what_a_feature_needs_is_said():
    texts = pa.array(["One. Two. Three."]), pa.array(["eng_Latn"])
    with pytest.raises(RequestError, match="needs models of word order"):
        rater_features.see(*texts, ("wording",), {})
    with pytest.raises(RequestError, match="flow needs an embedder"):
        rater_features.see(*texts, ("flow",), {})
