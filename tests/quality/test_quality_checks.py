"""What the audit and the controls find in worlds where the truth is known."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from glotmix.cli import app
from glotmix.core import table
from glotmix.core.errors import MissingExtraError, RequestError
from glotmix.pipeline import run
from glotmix.quality import audit, checks, controls, negatives
from glotmix.quality.datatrove_filter import rater_filter
from glotmix.quality.heads import Head
from glotmix.quality.transfer import Labelled
from quality_world import COLUMNS, LANGS, measured, planted, replace_labels

LINE = Head(kind="logistic", normalise="z")


def audited(data: Labelled, lengths: np.ndarray | None = None, **options) -> dict:
    given = np.random.default_rng(0).integers(100, 999, len(data.labels)) if lengths is None else lengths
    return audit.audit(data, given, LINE, [0, 1], draws=100, **options)


# --------------------------------------------------------------------------------------------------- verdicts


def test_labels_that_are_sources_give_doubt_with_that_reason():
    rng = np.random.default_rng(5)
    data = planted(strength=0.0)
    books = data.labels ^ (rng.random(len(data.labels)) < 0.05)
    moved = data.features.set_column(2, "bell", pa.array(books + rng.normal(0, 0.1, len(books))))
    found = audited(Labelled(moved, data.labels, data.group, COLUMNS), sources=np.where(books, "books", "web").tolist())
    for one in found["languages"]:
        assert one["verdict"] in ("doubtful", "unusable")
        assert any("source" in reason for reason in one["reasons"])


def test_a_rater_that_is_length_fails_among_documents_of_one_length():
    rng = np.random.default_rng(1)
    data = planted(200, strength=0.0)
    lengths = (np.where(data.labels, 700, 400) * np.exp(rng.normal(0, 0.4, len(data.labels)))).astype(np.int64)
    moved = data.features.set_column(2, "bell", pa.array(np.log(lengths)))
    found = audited(Labelled(moved, data.labels, data.group, COLUMNS), lengths)
    for one in found["languages"]:
        assert one["auc"]["value"] > 0.75
        assert one["matched"] < 0.6
        assert one["follows"] > 0.8
        assert one["verdict"] == "doubtful"
        assert any("one length" in r for r in one["reasons"])
    honest = audited(planted(200), lengths)
    assert all(one["matched"] > 0.85 for one in honest["languages"])


def test_chance_is_unusable():
    data = planted(strength=0.0)
    assert {one["verdict"] for one in audited(data)["languages"]} == {"unusable"}


def test_what_cannot_be_left_out_is_not_measured():
    data = planted(60, langs=LANGS[:2])
    for one in (
        planted(60, langs=LANGS[:1]),
        replace(data, group=np.arange(len(data.labels)) % 60),  # every document has its translation
    ):
        found = audited(one, full=True)
        assert found["mean"] is None
        assert {j["verdict"] for j in found["languages"]} == {"doubtful"}
        assert all("none to learn from" in j["reasons"][0] for j in found["languages"])
    kept = audited(data)
    assert all(j["auc"] for j in kept["languages"])


def test_within_bins_counts_only_pairs_that_share_one():
    rng = np.random.default_rng(0)
    labels, scores = rng.random(300) < 0.5, rng.normal(size=300)
    bins = rng.integers(0, 7, 300)
    won = [(s > t) + (s == t) / 2 for s, b in zip(scores[labels], bins[labels], strict=True)
           for t, c in zip(scores[~labels], bins[~labels], strict=True) if b == c]  # fmt: skip
    assert checks.within(labels, scores, bins) == pytest.approx(np.mean(won))


# ------------------------------------------------------------------------------------------- matrix and curve


def test_the_matrix_tells_languages_that_share_a_signal_from_one_that_does_not():
    data = planted(80, langs=LANGS[:3])
    values = data.features["bell"].to_numpy().copy()
    zeros = data.features["zeros"].to_numpy().copy()
    odd = data.langs == "fra_Latn"
    values[odd], zeros[odd] = -values[odd], -zeros[odd]  # in French the signal points the other way
    moved = data.features.set_column(data.features.column_names.index("bell"), "bell", pa.array(values))
    moved = moved.set_column(moved.column_names.index("zeros"), "zeros", pa.array(zeros))
    found = checks.matrix(Labelled(moved, data.labels, data.group, COLUMNS), LINE, [0])
    at = {lang: n for n, lang in enumerate(found["languages"])}
    one = np.array(found["auc"])
    assert one[at["ell_Grek"], at["arb_Arab"]] > 0.9
    assert one[at["arb_Arab"], at["ell_Grek"]] > 0.9
    assert one[at["fra_Latn"], at["ell_Grek"]] < 0.1
    assert (np.diag(one) > 0.85).all()


def test_own_labels_help_where_the_others_mislead():
    data = planted(120, langs=LANGS[:5])
    values = data.features["bell"].to_numpy().copy()
    zeros = data.features["zeros"].to_numpy().copy()
    odd = data.langs == "fra_Latn"
    values[odd], zeros[odd] = -values[odd], -zeros[odd]
    moved = data.features.set_column(data.features.column_names.index("bell"), "bell", pa.array(values))
    moved = moved.set_column(moved.column_names.index("zeros"), "zeros", pa.array(zeros))
    found = checks.curve(Labelled(moved, data.labels, data.group, COLUMNS), LINE, [0, 1], draws=100)
    rows = {(r["lang"], r["labels"]): r for r in found["rows"]}
    assert rows["fra_Latn", "0"]["pooled"]["value"] < 0.3
    assert rows["fra_Latn", "0"]["target"] is None
    assert rows["fra_Latn", "all"]["target"]["value"] > 0.9
    assert rows["fra_Latn", "10"]["used"] == 10
    assert rows["fra_Latn", "all"]["gain"]["high"] < 0
    assert rows["ell_Grek", "0"]["pooled"]["value"] > 0.8
    assert sorted(sentence.split(":")[0] for sentence in found["advice"]) == sorted(LANGS[:5])
    means = {r["labels"]: r for r in found["means"]}
    assert means["0"]["languages"] == 5
    assert list(means) == ["0", "10", "100", "all"]


def test_no_document_of_a_test_or_its_translation_teaches(monkeypatch):
    data = planted(80, langs=LANGS[:2])
    group = data.group.copy()
    group[80:120] = group[0:40]  # translations
    data = replace(data, group=group)
    taught: list[np.ndarray] = []
    real = Labelled.rater
    monkeypatch.setattr(Labelled, "rater", lambda self, m, rows, h, s: taught.append(rows) or real(self, m, rows, h, s))
    tested: list[np.ndarray] = []
    scored = checks._scored
    monkeypatch.setattr(
        checks, "_scored", lambda d, rows, test, h, s: tested.append(test) or scored(d, rows, test, h, s)
    )
    checks.curve(data, LINE, [0], draws=100)
    assert len(taught) == len(tested) > 4
    for rows, test in zip(taught, tested, strict=True):
        assert not set(group[rows]) & set(group[test])
    taught.clear()
    controls.controls(data, None, LINE, [0, 1, 2], draws=100)
    assert taught


def test_offsets_and_agreement_are_what_was_planted():
    rng = np.random.default_rng(0)
    quality = rng.normal(size=300)
    documents = pa.table({"group": [*range(300)] * 2, "lang": ["fra_Latn"] * 300 + ["tha_Thai"] * 300})
    rows = checks.offsets(documents, np.r_[quality, quality - 1.5], 1.5)
    assert {r["lang"]: (round(r["offset"], 6), r["documents"]) for r in rows} == {
        "fra_Latn": (1.0, 300),
        "tha_Thai": (-1.0, 300),
    }
    data = planted()
    noted = audited(data, offsets=[{"lang": "tha_Thai", "documents": 300, "offset": -1.0, "gap_sd": 0.1}])
    one = next(j for j in noted["languages"] if j["lang"] == "tha_Thai")
    assert one["verdict"] == "usable"
    assert "1.0 sd below" in one["notes"][0]
    scores = data.labels + rng.normal(0, 1.0, len(data.labels))
    found = checks.agreement(data.labels, scores, data.langs, 200, 0)
    for row in found:
        mine = data.langs == row["lang"]
        assert row["auc"]["value"] == pytest.approx(roc_auc_score(data.labels[mine], scores[mine]))
        assert row["auc"]["low"] < row["auc"]["value"] < row["auc"]["high"]
    against = [{"lang": "tha_Thai", "good": 50, "bad": 50, "auc": {"value": 0.5, "low": 0.4, "high": 0.6}}]
    one = next(j for j in audited(data, human=against)["languages"] if j["lang"] == "tha_Thai")
    assert one["verdict"] == "doubtful"
    assert any("other labels say 0.50" in r for r in one["reasons"])


# --------------------------------------------------------------------------------------------------- controls


def crawl_like(data: Labelled, n: int = 900) -> pa.Table:
    """Unlabelled documents of the same languages, with their scales: a seventh of them good."""
    more = planted(n, seed=0, langs=sorted(set(data.langs), key=LANGS.index))
    kept = ~more.labels | (np.random.default_rng(4).random(len(more.labels)) < 0.07)
    return more.features.filter(pa.array(kept)).select(["lang", *COLUMNS])


def test_controls_compare_on_the_same_documents(monkeypatch):
    data = planted(80, langs=LANGS[:3])
    bands = []
    real = negatives.band
    monkeypatch.setattr(negatives, "band", lambda s, lang: bands.append(real(s, lang)) or bands[-1])
    found = controls.controls(data, crawl_like(data), LINE, [0, 1, 2], retain=0.3, draws=60)
    rows = {(r["strategy"], r["negatives"]): r for r in found["rows"]}
    assert set(rows) == {(s, n) for s in controls.STRATEGIES for n in ("labelled", "random", "q3")}
    for row in rows.values():
        assert row["auc"]["low"] <= row["auc"]["value"] <= row["auc"]["high"]
        assert row["base"] == pytest.approx(np.mean([data.labels[data.langs == lang].mean() for lang in LANGS[:3]]))
        assert row["kept_good"]["value"] > row["base"] + 0.1
    assert len(bands) == 3 * controls.FOLDS * len(controls.STRATEGIES)
    assert all(0.2 < b.mean() < 0.3 for b in bands)
    assert rows["pooled", "labelled"]["auc"]["value"] > 0.9
    what = [d["what"] for d in found["differences"]]
    assert "pooled labelled − target labelled" in what
    assert "pooled q3 − pooled random" in what
    # Chance teaches nothing, whatever the way.
    noise = replace_labels(data, np.random.default_rng(3).permutation(data.labels))
    blind = controls.controls(noise, None, LINE, [0, 1, 2], draws=60)
    for row in blind["rows"]:
        assert row["auc"]["low"] < 0.5 < row["auc"]["high"]
        assert row["kept_good"]["value"] == pytest.approx(row["base"], abs=0.06)
    with pytest.raises(RequestError, match="three or more"):
        controls.controls(data, None, LINE, [0, 1])


def test_the_best_of_each_language_are_counted_with_ties_in_part():
    labels = np.array([True, False, True, False])
    assert controls._judged(labels, np.array([4.0, 3, 2, 1]), 0.5) == (0.75, 0.5)
    assert controls._judged(labels, np.array([4.0, 1, 3, 1]), 0.5) == (1.0, 1.0)
    assert controls._judged(labels, np.zeros(4), 0.5) == (0.5, 0.5)


def test_measured_worlds_are_deterministic():
    assert measured(10).equals(measured(10))


# ------------------------------------------------------------------------------------------------ the commands

WORDS = {
    "fra_Latn": ["le", "port", "et", "la", "mer", "au", "loin", "dans", "une", "ville", "près", "des", "îles"],
    "rus_Cyrl": ["море", "и", "порт", "под", "небом", "стоят", "дома", "у", "берега", "где", "живут", "люди"],
    "tha_Thai": ["ที่", "นี่", "มี", "ทะเล", "และ", "เมือง", "ใกล้", "ภูเขา", "ของ", "เรา"],
}


def page(rng: np.random.Generator, lang: str, litter: float) -> str:
    words = [
        rng.choice(["|", "»", "12", "FAQ"]) if rng.random() < litter else rng.choice(WORDS[lang])
        for _ in range(rng.integers(30, 130))
    ]
    return ("" if lang == "tha_Thai" else " ").join(words) + "."


@pytest.fixture(scope="module")
def job(tmp_path_factory) -> tuple[Path, run.Job]:
    """A corpus of pages with more or less litter; labels say which have little; and parallel documents."""
    folder = tmp_path_factory.mktemp("quality")
    rng = np.random.default_rng(0)
    corpus, labels, parallel = [], [], []
    for lang in WORDS:
        corpus += [{"id": f"{lang}{i}", "text": page(rng, lang, rng.random() * 0.7), "lang": lang} for i in range(260)]
        for i in range(60):
            good = i % 2
            labels.append({"text": page(rng, lang, 0.1 if good else 0.5), "lang": lang, "label": good, "source": "x"})
        if lang != "tha_Thai":
            parallel += [{"group": i, "lang": lang, "text": page(rng, lang, i / 60)} for i in range(40)]
    for name, rows in (("web", corpus), ("labels", labels), ("parallel", parallel)):
        lines = [json.dumps(r, ensure_ascii=False) for r in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines), "utf-8")
    recipe = {
        "name": "little",
        "corpus": {"sources": [{"name": "web", "path": "web.jsonl", "language": {"column": "lang"}}]},
        "quality": {
            "anchors": ["labels.jsonl"],
            "features": ["structure", "static"],
            "head": "logistic",
            "audits": 1,
            "parallel": {"path": "parallel.jsonl"},
            "human": ["labels.jsonl"],
        },
        "signals": {"embed": {"model": "static", "max_chars": 200}},
        "select": {"score": "calibrated"},
        "mix": {"tokens": 20_000},
        "settings": {"default": {"identify": {"on_mismatch": "keep"}, "quality": {"keep": 0.5}}},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, allow_unicode=True), "utf-8")
    from glotmix.pipeline import recipe as recipes

    made = run.Job(recipes.load(folder / "recipe.yaml"), folder)
    made.run()
    return folder, made


def test_calibrated_scores_select_across_languages_and_are_reported(job):
    _, made = job
    rows = table.read(table.shards(made.folder / "ledger")).to_pylist()
    fought = [r for r in rows if r["rule"] in (None, "quality")]
    line = min(r["calibrated"] for r in fought if r["kept"])
    assert all(r["calibrated"] <= line for r in fought if not r["kept"])
    assert {r["lang"] for r in fought if r["kept"]} == set(WORDS)
    assert "calibrated" in next(r for r in fought if not r["kept"])["evidence"]
    signal = {r["id"]: r for r in table.read(sorted((made.folder / "signals/quality").glob("part-*"))).to_pylist()}
    notes = json.loads((made.folder / "signals/quality/record.json").read_text("utf-8"))["notes"]
    assert notes["calibration"] == {"pivot": "fra_Latn", "documents": {"fra_Latn": 40, "rus_Cyrl": 40}}
    # Thai has no parallel text: its ranks stand for its scores, and the record says so.
    assert "no parallel text in tha_Thai" in notes["warnings"][0]
    thai = sorted((r["quantile"], r["calibrated"]) for i, r in signal.items() if i.startswith("tha"))
    assert all(a[1] <= b[1] for a, b in pairwise(thai))
    french = np.array([(r["score"], r["calibrated"]) for i, r in signal.items() if i.startswith("fra")])
    np.testing.assert_allclose(french[:, 0], french[:, 1], atol=1e-4)
    kept = json.loads((made.folder / "ledger/record.json").read_text("utf-8"))["notes"]["would_keep"]
    for way in ("score", "quantile", "calibrated"):
        assert sum(row[way] for row in kept["lang"]) == sum(r["kept"] for r in rows)
        assert sum(row[way] for row in kept["source"]) == sum(r["kept"] for r in rows)
    assert {row["name"]: row["calibrated"] for row in kept["lang"]} == {
        lang: sum(r["kept"] for r in rows if r["lang"] == lang) for lang in WORDS
    }
    html = (made.folder / "report.html").read_text("utf-8")
    assert "What each kind of score would keep" in html
    assert "one line over all languages" in html


def test_an_embedder_must_be_a_signal_of_the_recipe():
    from glotmix.pipeline import recipe as recipes

    data = {"name": "x", "corpus": {"sources": [{"name": "a", "path": "a", "language": "fra_Latn"}]}}
    with pytest.raises(RequestError, match=r"signals.embed=static"):
        recipes.parse(data | {"quality": {"features": ["static"]}})
    with pytest.raises(RequestError, match="each only once"):
        recipes.parse(data | {"quality": {"features": ["structure", "structure"]}})
    with pytest.raises(RequestError, match=r"quality.anchors=\[builtin\]"):
        recipes.parse(data | {"quality": {"anchors": []}})


def test_a_calibrated_line_needs_parallel_documents_and_one_line_for_all():
    from glotmix.pipeline import recipe as recipes

    data = {"name": "x", "corpus": {"sources": [{"name": "a", "path": "a", "language": "fra_Latn"}]}}
    with pytest.raises(RequestError, match="needs parallel documents"):
        recipes.parse(data | {"select": {"score": "calibrated"}})
    with pytest.raises(RequestError, match=r"select\.retain=share"):
        recipes.parse(data | {"select": {"score": "score", "retain": "budget"}})


def test_the_audit_ends_in_verdicts(job):
    folder, made = job
    found = CliRunner().invoke(app, ["quality", "audit", str(folder / "recipe.yaml"), "--seeds", "1", "--json", "-q",
                                     "--page", str(folder / "audit.html")])  # fmt: skip
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    judged = {j["lang"]: j for j in told["languages"]}
    assert set(judged) == set(WORDS)
    assert judged["tha_Thai"]["verdict"] == "usable"
    assert judged["tha_Thai"]["reasons"] == []
    # What speaks against a rater, and nothing else, makes it doubtful.
    assert all((j["verdict"] == "usable") == (not j["reasons"]) for j in judged.values())
    assert told["matrix"]["languages"] == sorted(WORDS)
    assert [r["labels"] for r in told["curve"]["means"]] == ["0", "10", "100", "all"]
    assert {o["lang"] for o in told["offsets"]} == {"fra_Latn", "rus_Cyrl"}
    assert {h["lang"] for h in told["human"]} == set(WORDS)
    page_ = (folder / "audit.html").read_text("utf-8")
    assert "From one language to another" in page_
    assert "What labels are worth" in page_
    again = CliRunner().invoke(app, ["quality", "audit", str(made.folder / "rater"), "--brief", "--seeds", "1"])
    assert again.exit_code == 0, again.output
    assert "usable" in again.output


def test_a_terminal_shows_every_verdict_with_its_reasons(capsys, monkeypatch):
    from glotmix.cli.show_quality import show_audit

    monkeypatch.setenv("COLUMNS", "80")
    figure = {"value": 0.962, "low": 0.93, "high": 0.99}
    row = {"lang": "nld_Latn", "verdict": "doubtful", "good": 12_180, "bad": 9, "auc": figure, "matched": 0.956}
    row |= {"source": None, "offset": None, "reasons": ["9 bad documents only"], "notes": ["[no] markup"]}
    sure = row | {"lang": "tha_Thai", "verdict": "usable", "bad": 1_234, "reasons": [], "notes": []}
    show_audit({"languages": [row, sure], "mean": None, "matrix": None, "curve": None}, None)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["language", "verdict", "good", "bad", "AUC", "one", "length"]
    assert lines[2].split() == ["tha_Thai", "usable", "12,180", "1,234", "0.962", "[0.93", "0.99]", "0.956"]
    assert lines[3:] == ["nld_Latn doubtful: 9 bad documents only; [no] markup"]


def test_the_controls_are_one_command(job):
    folder, _ = job
    found = CliRunner().invoke(
        app, ["quality", "controls", str(folder / "recipe.yaml"), "--json", "-q", "--draws", "100"]
    )
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert len(told["rows"]) == 9
    assert len(told["seeds"]) == 3
    assert all(r["auc"]["value"] > 0.7 for r in told["rows"] if r["negatives"] == "labelled")
    fewer = CliRunner().invoke(
        app, ["quality", "controls", str(folder / "recipe.yaml"), "--labelled-only", "-q", "--draws", "100"]
    )
    assert fewer.exit_code == 0, fewer.output
    assert "leave-one-out" in fewer.output


def test_a_rater_goes_elsewhere(job, tmp_path):
    from glotmix.quality import load

    folder, made = job
    found = CliRunner().invoke(app, ["quality", "export", str(folder / "recipe.yaml"), str(tmp_path / "r"), "--json"])
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["calibrated"] is True
    documents = table.read(table.shards(made.folder / "corpus"), ["id", "text", "lang"])
    signal = table.read(sorted((made.folder / "signals/quality").glob("part-*")))
    texts, langs = documents["text"].to_pylist(), documents["lang"].to_pylist()
    for way, tolerance in (("score", 0), ("quantile", 0.02), ("calibrated", 0.03)):
        rate = load.load(tmp_path / "r", as_=way)
        np.testing.assert_allclose(rate(texts, langs), signal[way].to_numpy(), atol=tolerance, rtol=0)


def test_the_filter_says_what_it_needs(job, monkeypatch):
    import sys

    _, made = job
    monkeypatch.setitem(sys.modules, "datatrove", None)
    monkeypatch.setitem(sys.modules, "datatrove.pipeline.filters.base_filter", None)
    with pytest.raises(MissingExtraError, match="datatrove"):
        rater_filter(made.folder / "signals/quality/rater", 0.5)
