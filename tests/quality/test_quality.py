"""Heads, the leave-one-language-out split, the audit, and the whole rater."""

import doctest
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from glotmix.core import record
from glotmix.core.errors import DataError, RequestError
from glotmix.core.record import Output, Silent
from glotmix.quality import anchors, auc, audit, checks, classifier_bank, heads, load, train_rater, transfer
from glotmix.quality.audit import Figure, Judged
from glotmix.quality.heads import Classifier, Head
from glotmix.quality.rater import Rater
from glotmix.quality.transfer import Labelled
from quality_world import COLUMNS, FAST, LANGS, everyone, planted, replace_labels


@pytest.mark.parametrize("module", [anchors, auc])
def test_docstrings(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("kind", heads.HEADS)
def test_a_planted_signal_is_found_in_a_language_without_labels(kind):
    data = planted()
    head = Head(kind=kind, normalise="z", **FAST)
    found = transfer.mean_auc(data, transfer.leave_one_out(data, head, [0])[0])
    raw = transfer.mean_auc(data, transfer.leave_one_out(data, replace(head, normalise="none"), [0])[0])
    assert found > 0.9
    assert found > raw + 0.05
    noise = replace_labels(data, np.random.default_rng(7).permutation(data.labels))
    assert abs(transfer.mean_auc(noise, transfer.leave_one_out(noise, head, [0])[0]) - 0.5) < 0.08


@pytest.mark.parametrize("kind", heads.HEADS)
def test_a_rater_scores_as_before_when_it_is_put_together_again(kind):
    data = planted(60)
    matrix = data.normalised("normal")
    made = data.rater(matrix, everyone(data), Head(kind=kind, normalise="normal", trees=15, seeds=2), 5)
    about, arrays = made.tensors()
    again = Classifier.of(json.loads(json.dumps(about)), arrays)
    scores = made.score(matrix)
    np.testing.assert_array_equal(again.score(matrix), scores)
    assert scores.dtype == np.float32
    assert (scores > 0).all()
    assert (scores < 1).all()
    assert roc_auc_score(data.labels, scores) > 0.9
    assert again.languages == tuple(sorted(LANGS))
    # A score belongs to a document, whatever else is scored with it.
    np.testing.assert_array_equal(
        np.concatenate([made.score(matrix[i : i + 7]) for i in range(0, len(matrix), 7)]), scores
    )


def test_the_order_of_documents_changes_no_byte_of_a_rater(tmp_path):
    data = planted(60)
    order = np.random.default_rng(3).permutation(len(data.labels))
    other = Labelled(data.features.take(order), data.labels[order], data.group[order], COLUMNS)
    head = Head(kind="both", normalise="shared", trees=10, seeds=2)
    for name, one in (("a", data), ("b", other)):
        (tmp_path / name).mkdir()
        Rater(classifier_bank.train(one, head, 1), one.usual).write(tmp_path / name)
    files = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert files == ["rater.json", "rater.safetensors"]
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    boosters = Rater.read(tmp_path / "a").panel.raters["pooled"].boosters
    assert boosters[0].text != boosters[1].text


def test_the_logistic_head_is_scikit_learns_with_gaps_as_mean_and_mark():
    data = planted(60)
    matrix = data.normalised("z")
    found = data.rater(matrix, everyone(data), Head(kind="logistic", normalise="z"), 0)
    gaps = np.isnan(matrix)
    mean, sd = np.nanmean(matrix, axis=0), np.nanstd(matrix, axis=0)
    design = np.c_[np.where(gaps, 0, (matrix - mean) / sd), gaps[:, [2]]]
    weights = anchors.weights(data.features["lang"], data.labels, 10_000)
    wanted = (
        LogisticRegression(C=Head().inverse_penalty, max_iter=2000)
        .fit(design, data.labels, weights)
        .predict_proba(design)[:, 1]
    )
    np.testing.assert_allclose(found.score(matrix), wanted, atol=1e-4)


def test_both_is_the_mean_of_the_log_odds():
    data = planted(60)
    matrix = data.normalised("z")
    kinds = ("logistic", "boosting", "both")
    parts = {k: data.rater(matrix, everyone(data), Head(kind=k, normalise="z", **FAST), 2) for k in kinds}
    mean = (parts["logistic"].log_odds(matrix) + parts["boosting"].log_odds(matrix)) / 2
    np.testing.assert_allclose(parts["both"].log_odds(matrix), mean)


def test_what_cannot_be_trained_or_read_is_refused(tmp_path):
    data = replace_labels(planted(20), np.ones(20 * len(LANGS), bool))
    with pytest.raises(DataError, match="all labels are good"):
        data.rater(data.normalised("z"), everyone(data), Head(), 0)
    with pytest.raises(DataError, match="there is no rater"):
        Rater.read(tmp_path)
    (tmp_path / "rater.json").write_text('{"columns": []}')
    with pytest.raises(DataError, match="damaged"):
        Rater.read(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rater")
    lesson = train_rater.TrainingSpec(files=[anchors.shipped()])
    extractor = load.feature_extractor(("structure",), {})
    train_rater.make(Output(folder, "rater", Silent()), lesson, extractor, Head(kind="logistic"), seed=0)
    return folder


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.update(of="pooled"),
        lambda r: r["of"].update(tha_Thai="another"),
        lambda r: r["raters"]["pooled"].update(logistic=False),
        lambda r: r["probability"].update(slope="1.5"),
        lambda r: r["probability"].update(offset=None),
        lambda r: r["probability"].update(levels=7),
        lambda r: r["probability"]["levels"].update(Thai={}),
        lambda r: r["probability"].update(web=[*r["probability"]["web"], "Thai"]),
        lambda r: r["probability"].update(n=[1]),
        lambda r: r["structure"].update(min_documents="20"),
        lambda r: r["reads"][0].pop("numbers"),
    ],
)
def test_a_rater_with_a_changed_word_is_damaged(trained, tmp_path, change):
    shutil.copytree(trained, tmp_path / "rater")
    assert Rater.read(tmp_path / "rater").probability is not None
    path = tmp_path / "rater" / "rater.json"
    about = json.loads(path.read_text("utf-8"))
    change(about)
    path.write_text(json.dumps(about), "utf-8")
    with pytest.raises(DataError, match=r"rater\.json is damaged"):
        Rater.read(tmp_path / "rater")


def test_whoever_may_read_a_rater_may_read_all_of_it(trained):
    assert len({path.stat().st_mode for path in trained.iterdir() if path.is_file()}) == 1


# ------------------------------------------------------------------------------------------ AUC and the split


@given(st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=40), st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_auc_is_scikit_learns_with_ties_and_in_samples(rows, seed):
    labels, scores = np.array([r[0] for r in rows]), np.array([float(r[1]) for r in rows])
    if labels.all() or not labels.any():
        assert auc.auc(labels, scores) is None
        return
    assert auc.auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))
    drawn = auc.resampled(labels, np.stack([scores, -scores]), 3, np.random.default_rng(seed))
    # The same samples for both, so that the AUC of the one is the complement of the other's.
    np.testing.assert_allclose(drawn[0] + drawn[1], 1)
    rng = np.random.default_rng(seed)
    times = np.zeros((3, len(labels)))
    for side in (np.flatnonzero(labels), np.flatnonzero(~labels)):
        times[:, side] = rng.multinomial(len(side), np.full(len(side), 1 / len(side)), size=3)
    wanted = [roc_auc_score(np.repeat(labels, t.astype(int)), np.repeat(scores, t.astype(int))) for t in times]
    np.testing.assert_allclose(drawn[0], wanted)


@pytest.mark.parametrize("method", ["leave_one_out", "nested"])
def test_nothing_of_a_languages_labels_reaches_its_scores(method):
    data = planted(40, langs=LANGS[:4])
    mine = data.langs == "tha_Thai"
    other = replace_labels(data, np.where(mine, ~data.labels, data.labels))
    candidates = [Head(kind="logistic", normalise=n) for n in ("none", "z")]
    if method == "leave_one_out":
        before, after = (transfer.leave_one_out(d, candidates[1], [0]) for d in (data, other))
    else:
        (before, chosen), (after, other_chosen) = (transfer.nested(d, candidates, [0]) for d in (data, other))
        assert chosen["tha_Thai"] == other_chosen["tha_Thai"]
    np.testing.assert_array_equal(before[:, mine], after[:, mine])
    assert (before[:, ~mine] != after[:, ~mine]).all()


def test_a_head_is_chosen_without_the_language_that_it_is_judged_on(monkeypatch):
    data = planted(40, langs=LANGS[:4])
    asked = []

    def spy(seen: Labelled, candidates: list[Head], seed: int, among: list[str]) -> Head:
        asked.append(among)
        return candidates[len(asked) % 2]

    monkeypatch.setattr(transfer, "choose", spy)
    candidates = [Head(kind="logistic", normalise=n) for n in ("none", "z")]
    scores, chosen = transfer.nested(data, candidates, [0])
    names = sorted(LANGS[:4])
    assert asked == [[n for n in names if n != held] for held in names]
    assert [chosen[n] for n in names] == [candidates[1], candidates[0]] * 2
    fixed = {head: transfer.leave_one_out(data, head, [0]) for head in candidates}
    for lang in names:
        mine = data.langs == lang
        np.testing.assert_array_equal(scores[:, mine], fixed[chosen[lang]][:, mine])


def test_a_group_that_spans_languages_is_left_out_with_each():
    data = planted(40)
    thai, french = (np.flatnonzero(data.langs == g)[0] for g in ("tha_Thai", "fra_Latn"))
    group = data.group.copy()
    group[french] = group[thai]
    labels = data.labels.copy()
    labels[french] = not labels[french]
    head = Head(kind="logistic", normalise="z")
    mine = data.langs == "tha_Thai"
    for numbers, same in ((group, True), (data.group, False)):
        before, after = (
            transfer.leave_one_out(Labelled(data.features, y, numbers, COLUMNS), head, [0])[:, mine]
            for y in (data.labels, labels)
        )
        assert np.array_equal(before, after) == same


def test_one_language_cannot_be_left_out():
    with pytest.raises(DataError, match="there must be two: the anchors are all fra_Latn"):
        transfer.leave_one_out(planted(30, langs=["fra_Latn"]), Head(), [0])


def test_choose_takes_the_best_and_the_first_of_equals():
    data = planted(60)
    z, raw = Head(kind="logistic", normalise="z"), Head(kind="logistic", normalise="none")
    assert transfer.choose(data, [raw, z], 0) == z
    assert transfer.choose(data, [z, replace(z)], 0) is not None
    assert transfer.choose(data, [raw], 0) == raw


# ------------------------------------------------------------------------------------------------------ audit


def run_audit(data: Labelled, lengths: np.ndarray | None = None, sources: list[str] | None = None, **changes):
    given_lengths = np.random.default_rng(0).integers(100, 999, len(data.labels)) if lengths is None else lengths
    head = Head(**{"kind": "logistic", "normalise": "z", **changes})
    return audit.audit(data, given_lengths, head, [0, 1], sources, draws=200)


def test_the_audit_finds_signal_and_says_that_normalisation_helps():
    found = run_audit(planted())
    assert json.loads(json.dumps(found, allow_nan=False)) == json.loads(json.dumps(found))
    assert found["mean"]["languages"] == len(LANGS)
    assert found["mean"]["rater"]["low"] < found["mean"]["rater"]["value"] < found["mean"]["rater"]["high"]
    assert found["mean"]["gain"]["low"] > 0
    assert "helps" in found["normalisation"]
    assert {j["verdict"] for j in found["languages"]} == {"usable"}
    assert found["mean"]["length"]["value"] == pytest.approx(0.5, abs=0.1)


def test_the_audit_says_no():
    data = planted(strength=0.0)
    found = run_audit(data)
    assert found["mean"]["rater"]["value"] == pytest.approx(0.5, abs=0.08)
    assert {j["verdict"] for j in found["languages"]} == {"unusable"}
    assert "makes no difference" in found["normalisation"]


def test_a_rater_that_follows_length_is_found_out():
    data = planted(strength=0.0)
    lengths = np.where(data.labels, 900, 300) + np.random.default_rng(1).integers(0, 300, len(data.labels))
    table = data.features.set_column(data.features.column_names.index("bell"), "bell", pa.array(lengths * 1.0))
    found = run_audit(Labelled(table, data.labels, data.group, COLUMNS), lengths)
    for one in found["languages"]:
        assert one["verdict"] == "doubtful"
        assert any("length alone reaches" in r for r in one["reasons"])
        assert one["length_correlation"] > 0.9
        assert any("it follows length" in r for r in one["reasons"])


def test_a_rater_that_knows_no_more_than_the_source_is_found_out():
    rng = np.random.default_rng(5)
    data = planted(strength=0.0)
    sources = np.where(data.labels ^ (rng.random(len(data.labels)) < 0.05), "books", "web")
    table = data.features.set_column(2, "bell", pa.array((sources == "books") + rng.normal(0, 0.1, len(sources))))
    found = run_audit(Labelled(table, data.labels, data.group, COLUMNS), sources=sources.tolist())
    for one in found["languages"]:
        assert one["auc"]["value"] > 0.85
        assert one["source"] > 0.85
        assert one["within_source"] < 0.8
    told = [any("the source alone reaches" in r for r in one["reasons"]) for one in found["languages"]]
    assert sum(told) >= len(LANGS) - 1
    blind = [
        audit.source_alone(
            np.random.default_rng(s).random(200) < 0.7,
            np.random.default_rng(s + 99).choice(np.array([*"abcdefghijklmnopqrstuvwxyz"], object), 200),
            np.arange(200),
            s,
        )
        for s in range(30)
    ]
    assert np.mean(blind) == pytest.approx(0.5, abs=0.04)
    one = np.array(["a"] * 10, object)
    assert audit.source_alone(np.arange(10) < 5, one, np.arange(10), 0) is None


def test_within_source_counts_pairs():
    labels = np.array([True, False, True, False, True])
    scores = np.array([2.0, 1.0, 0.0, 1.0, 9.0])
    assert checks.within(labels, scores, np.array(["a", "a", "b", "b", None], object)) == 0.5
    assert checks.within(labels, scores, np.array([None] * 5, object)) is None


ROW = Judged("fra_Latn", 100, 100, Figure(0.9, 0.85, 0.95), None, None, 0.01, 0.5, 0.0, None, None)


@pytest.mark.parametrize(
    ("changes", "verdict", "why"),
    [
        ({}, "usable", ""),
        ({"auc": None, "bad": 3}, "doubtful", "not measured: 3 bad"),
        ({"auc": Figure(0.62, 0.5, 0.69)}, "unusable", "0.62"),
        ({"auc": Figure(0.55, 0.2, 0.9)}, "unusable", "0.55"),
        ({"auc": Figure(0.8, 0.65, 0.9)}, "doubtful", "may be below 0.7"),
        ({"good": 12}, "doubtful", "12 good documents only"),
        ({"length": 0.89}, "doubtful", "length alone reaches 0.89"),
        ({"length_correlation": -0.6}, "doubtful", "follows length"),
        ({"source": 0.95}, "doubtful", "source alone"),
        ({"within_source": 0.5}, "doubtful", "within a source"),
        ({"seed_sd": 0.04}, "doubtful", "seeds differ by 0.04"),
    ],
)
def test_verdicts(changes, verdict, why):
    found, reasons = audit.judge(replace(ROW, **changes))
    assert found == verdict
    assert bool(reasons) == bool(why)
    assert why in "; ".join(reasons)


# -------------------------------------------------------------------------------------------- the whole rater


def test_a_rater_from_the_shipped_anchors(tmp_path):
    eyes = load.feature_extractor(("structure",), {})
    lesson = train_rater.TrainingSpec(files=[anchors.shipped()])

    def make(folder: Path) -> record.Record:
        identity = record.Identity("rater", train_rater.VERSION)
        return record.build(folder, identity, lambda out: train_rater.make(out, lesson, eyes, Head(kind="logistic"), 0))

    assert make(tmp_path / "a").counts == {"documents": 2513, "good": 2215, "bad": 298, "languages": 11}
    make(tmp_path / "b")
    for name in ("rater.json", "rater.safetensors", "training.parquet"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    data, lengths, sources = train_rater.training(tmp_path / "a", 10_000, 3.0)
    assert not set(train_rater.SIZES) & set(data.columns)
    found = audit.audit(data, lengths, Head(kind="logistic"), [0], sources, draws=100)
    assert found["mean"]["languages"] == 9
    assert found["mean"]["rater"]["low"] > 0.8
    verdicts = {j["lang"]: j["verdict"] for j in found["languages"]}
    assert verdicts["eng_Latn"] == "usable"
    assert verdicts["ben_Beng"] == "doubtful"

    prose = "Das Wetter war schön, und wir gingen am Nachmittag an den See. Dort trafen wir alte Freunde. "
    spam = "Download kostenlos mp3 | download mp3 kostenlos | mp3 download gratis kostenlos download mp3 » "
    texts = [prose * 5, spam * 5, *anchors.read([anchors.shipped()])["text"].to_pylist()[:100]]
    rate = load.load(tmp_path / "a")
    scores = rate(texts, "de")
    assert scores[0] > scores[1]
    np.testing.assert_array_equal(rate(texts[:2], ["deu_Latn", "deu_Latn"]), scores[:2])
    scorer = Rater.read(tmp_path / "a")
    table = eyes.see(pa.array(texts), pa.array(["deu_Latn"] * len(texts)))
    np.testing.assert_array_equal(scorer.score(table).astype(float), scores)
    with pytest.raises(DataError, match="trained on link_ratio"):
        scorer.score(table.drop_columns(["link_ratio"]))
    with pytest.raises(DataError, match="never calibrated"):
        load.load(tmp_path / "a", as_="calibrated")(texts, "de")
    with pytest.raises(RequestError, match="no score"):
        load.load(tmp_path / "a", as_="grade")
