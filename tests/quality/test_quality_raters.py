"""Vectors as features, the published head, strategies, negatives, and raters that are saved."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from glotmix.core import table
from glotmix.core.errors import DataError, RequestError
from glotmix.core.record import Output, Silent
from glotmix.quality import anchors, classifier_bank, load, negatives, normalizer, perceptron, train_rater
from glotmix.quality.calibrate import LEAST, Calibration, fit
from glotmix.quality.heads import HEADS, Head
from glotmix.quality.rater import Rater
from glotmix.quality.train_rater import FeatureExtractor, TrainingSpec
from glotmix.quality.transfer import Labelled, leave_one_out, mean_auc
from quality_world import FAST, LANGS, planted


class Grams:
    """An embedder for tests: a random projection of counts of letter pairs, of unit length."""

    fingerprint = "grams 1"
    width = 24

    def embed(self, texts):
        found = np.zeros((len(texts), self.width), np.float32)
        for row, text in enumerate(texts):
            for a, b in itertools.pairwise(text):
                found[row] += np.random.default_rng(ord(a) * 70_001 + ord(b)).normal(size=self.width)
        length = np.linalg.norm(found, axis=1, keepdims=True)
        return np.divide(found, length, out=np.zeros_like(found), where=length > 0)


def with_vectors(data: Labelled, strength: float = 1.5, width: int = 16) -> Labelled:
    """Documents with a vector that moves by language, much, and by label, less."""
    rng = np.random.default_rng(9)
    place = {lang: rng.normal(size=width) * 3 for lang in sorted(set(data.langs))}
    found = rng.normal(size=(len(data.labels), width)) + np.stack([place[lang] for lang in data.langs])
    found[:, 0] += strength * data.labels
    held = pa.FixedSizeListArray.from_arrays(pa.array(found.astype(np.float16).ravel()), width)
    return Labelled(data.features.append_column("static", held), data.labels, data.group, (*data.columns, "static"))


# --------------------------------------------------------------------------------------------------- vectors


def test_a_languages_mean_vector_is_taken_away_and_what_is_left_carries_over():
    data = with_vectors(planted(strength=0.0))
    alone = Labelled(data.features, data.labels, data.group, ("static",))
    centred, raw = (leave_one_out(alone, Head(kind="logistic", normalise=n), [0])[0] for n in ("shared", "none"))
    assert mean_auc(alone, centred) > 0.8
    for lang in LANGS:
        mine = alone.normalised("shared")[data.langs == lang]
        np.testing.assert_allclose(mine.mean(axis=0), 0, atol=1e-3)
    # Within one language a shift changes no rank; over all, raw scores are ruled by it.
    spread = [np.ptp([s[data.langs == lang].mean() for lang in LANGS]) for s in (centred, raw)]
    assert spread[0] < spread[1] / 2


def test_vectors_and_columns_together_know_more_than_each():
    data = with_vectors(planted(strength=0.8), strength=1.0)
    head = Head(kind="both", normalise="z", vector_penalty=1.0, **FAST)
    found = {}
    for columns in (data.columns[:-1], ("static",), data.columns):
        one = Labelled(data.features, data.labels, data.group, columns)
        found[columns] = mean_auc(one, leave_one_out(one, head, [0])[0])
    assert max(found, key=found.get) == data.columns


def test_the_order_of_vectors_changes_no_bit_of_their_means():
    rng = np.random.default_rng(0)
    found = rng.normal(size=(500, 7)).astype(np.float16).astype(np.float32)
    langs = rng.choice(LANGS, 500).tolist()
    order = rng.permutation(500)
    one, two = (
        normalizer.LanguageMeans.fit(found, langs),
        normalizer.LanguageMeans.fit(found[order], [langs[i] for i in order]),
    )
    np.testing.assert_array_equal(one.mean, two.mean)
    assert one.scale == two.scale
    wanted = found[np.array(langs) == "tha_Thai"].mean(axis=0)
    np.testing.assert_allclose(one.mean[one.levels.index("tha_Thai")], wanted, atol=1e-6)


def test_a_text_without_a_vector_is_nowhere_and_a_small_language_leans_on_its_script():
    rng = np.random.default_rng(1)
    found = rng.normal(size=(120, 4)).astype(np.float32) + 5
    langs = ["fra_Latn"] * 100 + ["cos_Latn"] * 20
    found[3] = 0
    centres = normalizer.LanguageMeans.fit(found, langs)
    assert centres.n[centres.levels.index("fra_Latn")] == 99
    np.testing.assert_array_equal(centres.apply(found[3:4], ["fra_Latn"]), 0)
    script = centres.mean[centres.levels.index("Latn")]
    np.testing.assert_allclose(centres.apply(found[110:111], ["cos_Latn"])[0], (found[110] - script) / centres.scale)


def test_vectors_that_do_not_fit_are_refused():
    data = with_vectors(planted(20))
    learned = normalizer.fit(data.features, ("static",))
    with pytest.raises(DataError, match="static are missing"):
        learned.apply(data.features.drop_columns(["static"]), "shared")
    short = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(data.features.num_rows * 3, np.float16)), 3)
    at = data.features.column_names.index("static")
    with pytest.raises(DataError, match="have 3 numbers, not 16"):
        learned.apply(data.features.set_column(at, "static", short), "shared")


# ---------------------------------------------------------------------------------------- the published head


def test_the_layer_is_torchs_own_forward_pass_and_the_same_each_time():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 12)), rng.random(300) < 0.5
    x[y, 0] += 2
    x[5, 3] = np.nan
    torch.manual_seed(123)
    before = torch.get_rng_state()
    one, two = (perceptron.train(x, y, np.ones(300), 42) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert one.first.shape == (256, 12)
    for name, value in vars(one).items():
        np.testing.assert_array_equal(value, getattr(two, name))
    model = torch.nn.Sequential(torch.nn.Linear(12, 256), torch.nn.ReLU(), torch.nn.Linear(256, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.from_numpy(one.first))
        model[0].bias.copy_(torch.from_numpy(one.first_bias))
        model[2].weight.copy_(torch.from_numpy(one.second[None]))
        model[2].bias.fill_(one.second_bias)
        wanted = model(torch.from_numpy(np.nan_to_num(x).astype(np.float32)))[:, 0].numpy()
    np.testing.assert_allclose(one.log_odds(x), wanted, atol=1e-5)
    # A score belongs to its document, whatever else is scored with it.
    np.testing.assert_array_equal(
        np.concatenate([one.log_odds(x[i : i + 7]) for i in range(0, 300, 7)]), one.log_odds(x)
    )
    order = rng.permutation(300)
    np.testing.assert_array_equal(one.log_odds(x[order]), one.log_odds(x)[order])


# ------------------------------------------------------------------------------------------------ strategies


def test_each_strategy_learns_from_whom_it_says():
    langs = ["fra_Latn", "spa_Latn", "rus_Cyrl", "tha_Thai"]
    data = planted(60, langs=langs)
    head = Head(kind="logistic", normalise="z")
    made = {s: classifier_bank.train(data, head, 0, s) for s in classifier_bank.STRATEGIES}
    learned = {s: {lang: set(p.raters[p.of.get(lang, "pooled")].languages) for lang in langs} for s, p in made.items()}
    assert learned["pooled"] == {lang: set(langs) for lang in langs}
    assert learned["target"] == {lang: {lang} for lang in langs}
    assert learned["leave-one-out"] == {lang: set(langs) - {lang} for lang in langs}
    assert learned["family"]["fra_Latn"] == learned["family"]["spa_Latn"] == {"fra_Latn", "spa_Latn"}
    matrix = data.normalised("z")
    for found in made.values():
        scores = found.log_odds(matrix, data.langs)
        for lang in langs:
            mine = data.langs == lang
            one = found.raters[found.of.get(lang, "pooled")]
            np.testing.assert_array_equal(scores[mine], one.log_odds(matrix[mine]))
        other = found.log_odds(matrix[:5], np.array(["ell_Grek"] * 5, object))
        np.testing.assert_array_equal(other, found.raters["pooled"].log_odds(matrix[:5]))


def test_a_translation_of_a_languages_document_is_left_out_with_it():
    data = planted(60, langs=LANGS[:3])
    group = data.group.copy()
    group[60:70] = group[0:10]  # Greek translations of French documents
    shared = replace(data, group=group)
    rows = {}

    def spy(self: Labelled, matrix: object, taken: np.ndarray, head: Head, seed: int) -> object:
        rows[tuple(sorted(set(self.langs[taken])))] = set(taken.tolist())
        return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Labelled, "rater", spy)
        classifier_bank.train(shared, Head(kind="logistic"), 0, "leave-one-out")
    assert not rows["arb_Arab", "ell_Grek"] & set(range(70)) - set(range(70, 120)) & set(range(60, 70))
    assert rows["arb_Arab", "ell_Grek"] == set(range(70, 180))


# ------------------------------------------------------------------------------------------------- negatives


@given(st.lists(st.integers(0, 30), min_size=4, max_size=60), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_q3_takes_exactly_the_third_quarter_of_each_language(values, seed):
    scores = np.array(values, float)
    langs = np.random.default_rng(seed).choice(np.array(["fra_Latn", "tha_Thai"], object), len(scores))
    inside = negatives.band(scores, langs)
    for lang in set(langs):
        mine = scores[langs == lang]
        for value, taken in zip(mine, inside[langs == lang], strict=True):
            rank = ((mine < value).sum() + (mine == value).sum() / 2) / len(mine)
            assert taken == (0.5 <= rank < 0.75)


FRENCH = ["le", "port", "et", "la", "mer", "au", "loin"]


def corpus(folder: Path, shards: int, order: int, n: int = 400) -> Path:
    """Pages of words, from clean to littered with signs, in two languages."""
    rng = np.random.default_rng(0)
    words = {
        "fra_Latn": ["le", "port", "et", "la", "mer", "au", "loin"],
        "rus_Cyrl": ["море", "и", "порт", "под", "небом", "стоят"],
    }
    rows = []
    for i in range(n):
        lang = list(words)[i % 2]
        litter = rng.random() * 0.6
        tokens = [rng.choice(["|", "»", "12"]) if rng.random() < litter else rng.choice(words[lang]) for _ in range(40)]
        rows.append({"id": f"d{i}", "text": f"{' '.join(tokens)} {i}", "lang": lang, "source": "web"})
    rows = [rows[i] for i in np.random.default_rng(order).permutation(n)]
    for lang in words:
        mine = [r for r in rows if r["lang"] == lang]
        for number, part in enumerate(np.array_split(np.arange(len(mine)), shards)):
            table.write(pa.Table.from_pylist([mine[i] for i in part]), folder / lang / f"web-{number:05d}.parquet")
    return folder


def test_negatives_are_the_same_in_any_order_and_cut_and_none_is_a_good_document(tmp_path):
    one, eight = corpus(tmp_path / "a", 1, 1), corpus(tmp_path / "b", 8, 2)
    avoid = set(table.read(table.shards(one), ["text"])["text"][:50].to_pylist())
    wanted = {"fra_Latn": 30, "rus_Cyrl": 500, "tha_Thai": 4}
    first, second = (negatives.draw(c, wanted, avoid, 3) for c in (one, eight))
    assert first.equals(second)
    assert first.schema.equals(anchors.SCHEMA)
    counted = anchors.counts(first)
    assert counted["fra_Latn"] == (0, 30)
    assert counted["rus_Cyrl"] == (0, 200)
    assert set(counted) == {"fra_Latn", "rus_Cyrl"}
    assert not avoid & set(first["text"].to_pylist())
    assert not negatives.draw(one, wanted, avoid, 4).equals(first)


@pytest.mark.parametrize("kind", ["random", "q3"])
def test_a_rater_learns_from_good_files_and_the_corpus_itself(tmp_path, kind, monkeypatch):
    found = corpus(tmp_path / "corpus", 2, 1)
    rng = np.random.default_rng(5)
    good = [
        {
            "text": " ".join(rng.choice(FRENCH, 40)) + f" {i}",
            "lang": "fr",
            "source": "books",
        }
        for i in range(30)
    ] + [{"text": f"ที่นี่มีทะเล {i}", "lang": "th", "source": "books"} for i in range(9)]
    (tmp_path / "good.jsonl").write_text("\n".join(json.dumps(g, ensure_ascii=False) for g in good), "utf-8")
    lesson = TrainingSpec(positives=[tmp_path / "good.jsonl"], corpus=found, negatives=kind, per_class=30, upsample=1.0)
    eyes = FeatureExtractor(load.feature_extractor(("structure",), {}).measure, {"grams": Grams()})
    seen = []
    real = negatives.band
    monkeypatch.setattr(negatives, "band", lambda s, lang: seen.append(real(s, lang)) or seen[-1])
    folder = tmp_path / "rater"
    folder.mkdir()
    output = Output(folder, "rater", Silent())
    counts = train_rater.make(output, lesson, eyes, Head(kind="logistic"), 0)
    # Thai is not in the corpus: it could only teach that Thai is good.
    assert counts["languages"] == 1
    assert counts["good"] == 30
    assert counts["bad"] == 30
    data, _, sources = train_rater.training(folder, 30, 1.0)
    assert set(np.array(sources)[~data.labels]) == {"web"}
    assert len(seen) == (kind == "q3")
    if seen:
        # The bad ones come from the band, of documents that the first rater had not learned from.
        assert len(seen[0]) == negatives.POOL * 30
        assert seen[0].sum() == 30
    scorer = Rater.read(folder)
    assert scorer.embedders == {"grams": "grams 1"}
    rate = load.load(folder, {"grams": Grams()})
    prose, litter = "le port et la mer au loin " * 7, "le | 12 » la | 12 » au | 12 " * 6
    assert np.diff(rate([litter, prose], "fra_Latn"))[0] > 0
    with pytest.raises(RequestError, match="reads vectors of grams"):
        load.load(folder)
    other = Grams()
    other.fingerprint = "grams 2"
    with pytest.raises(RequestError, match="grams is grams 2; the rater learned from grams 1"):
        load.load(folder, {"grams": other})


# ----------------------------------------------------------------------------------------------------- saved


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("strategy", ["pooled", "target"])
def test_a_saved_rater_gives_equal_bytes_of_scores(tmp_path, kind, strategy):
    data = with_vectors(planted(40, langs=LANGS[:3]))
    head = Head(kind=kind, normalise="shared", trees=8, seeds=2, epochs=1)
    made = Rater(
        classifier_bank.train(data, head, 1, strategy),
        data.usual,
        {"static": "s1"},
        {"fra_Latn": np.linspace(0.1, 0.9, 9)},
        Calibration("fra_Latn", {"fra_Latn": (np.array([0.1, 2]), np.array([0.3, 4]))}, {"fra_Latn": 40}, np.zeros(0)),
    )
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (made if name == "a" else Rater.read(tmp_path / "a")).write(tmp_path / name)
    again = Rater.read(tmp_path / "b")
    assert again.score(data.features).tobytes() == made.score(data.features).tobytes()
    assert {p.name for p in (tmp_path / "a").iterdir()} == {"rater.json", "rater.safetensors"}
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
        assert b"pickle" not in file.read_bytes()
    scores = np.array([0.05, 0.1, 0.42, 0.95])
    langs = np.array(["fra_Latn"] * 4, object)
    for into in ("quantile", "calibrated"):
        np.testing.assert_array_equal(again.converted(scores, langs, into), made.converted(scores, langs, into))


def test_quantiles_of_later_documents_are_ranks_in_the_corpus_that_was_rated():
    known = np.array([0.1, 0.2, 0.2, 0.2, 0.9])
    scorer = Rater(
        classifier_bank.ClassifierBank("pooled", {}, {}),
        normalizer.LanguageNormalizer(None, {}),
        {},
        {"fra_Latn": known},
    )
    found = scorer.quantile(np.array([0.0, 0.1, 0.2, 0.9, 1.0]), "fra_Latn")
    np.testing.assert_allclose(found, [0.1, 0.1, 0.5, 0.9, 0.9])
    with pytest.raises(DataError, match="quality of tha_Thai cannot be ranked"):
        scorer.quantile(known, "tha_Thai")


# ------------------------------------------------------------------------------------------------ calibration


def parallel_world(n: int = 200, seed: int = 0) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """The same documents in four languages, scored on scales of their own."""
    quality = np.random.default_rng(seed).normal(size=n)
    scales = {
        "eng_Latn": lambda q: q,
        "fra_Latn": lambda q: 0.5 * q - 1,
        "tha_Thai": np.sinh,
        "amh_Ethi": lambda q: 2 * q + q**3 / 5 + 1,
    }
    langs = [lang for lang in scales for _ in range(n)]
    scores = expit(np.concatenate([scale(quality) for scale in scales.values()]))
    return pa.table({"group": [*range(n)] * 4, "lang": langs}), scores, quality


def test_calibrated_scores_are_equal_on_parallel_documents():
    documents, scores, quality = parallel_world()
    langs = np.array(documents["lang"].to_pylist())
    scale = fit(documents, scores, pivot="eng_Latn")
    for lang in sorted(set(langs)):
        found = scale.apply(lang, scores[langs == lang])
        np.testing.assert_allclose(found, expit(quality), atol=0.02)
        # Monotone everywhere, also far beyond what was seen.
        line = scale.apply(lang, expit(np.linspace(-12, 12, 400)))
        assert (np.diff(line) >= 0).all()
    order = np.random.default_rng(1).permutation(len(scores))
    again = fit(documents.take(order), scores[order], pivot="eng_Latn")
    assert again.as_json() == scale.as_json() == Calibration.of(json.loads(json.dumps(scale.as_json()))).as_json()


def test_the_pivot_is_the_best_linked_and_few_documents_give_no_map():
    documents, scores, _ = parallel_world(60)
    langs = np.array(documents["lang"].to_pylist())
    at = np.arange(len(langs)) % 60
    few = np.select(
        [langs == "amh_Ethi", langs == "fra_Latn", langs == "eng_Latn"], [at < LEAST - 1, at < 40, at >= 20], True
    )
    scale = fit(documents.filter(pa.array(few)), scores[few])
    # English and French share 20 documents with each other, and 40 with Thai.
    assert scale.pivot == "tha_Thai"
    assert scale.documents == {"eng_Latn": 40, "fra_Latn": 40, "tha_Thai": 60}
    assert scale.apply("amh_Ethi", scores[:3]) is None
    np.testing.assert_allclose(scale.apply("tha_Thai", scores[:5]), scores[:5], atol=1e-6)
    with pytest.raises(DataError, match=r"the most that two share is 20"):
        fit(documents.filter(pa.array(at < 20)), scores[at < 20])
    with pytest.raises(DataError, match="hold none of deu_Latn"):
        fit(documents, scores, "deu_Latn")
