"""Pairs carried across languages, the head that learns from them, and splits that hold."""

import numpy as np
import pyarrow as pa
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from glotmix.core.errors import DataError, RequestError
from glotmix.quality import cross_lingual, pairs
from glotmix.quality.pairs import CROSSLINGUAL, MONOLINGUAL, PARALLEL, Labels, Pairs
from glotmix.quality.ranker import Ranker, pairwise, pointwise
from glotmix.quality.raters_config import TrainConfig

LANGS = ["eng_Latn", "fra_Latn", "tha_Thai", "amh_Ethi", "zho_Hans"]


def documents(n=60, langs=LANGS, seed=0, drop=0.0):
    """Groups of translations: the true quality is the group's, features see it with a shift of each language."""
    rng = np.random.default_rng(seed)
    quality = rng.normal(size=n)
    groups = np.array([f"g{i:03d}" for i in range(n) for _ in langs], object)
    codes = np.array(list(langs) * n, object)
    shift = {lang: rng.normal() * 3 for lang in langs}
    features = np.stack(
        [
            np.repeat(quality, len(langs)) + rng.normal(size=len(groups)) * 0.5,
            np.array([shift[lang] for lang in codes])
            + np.repeat(quality, len(langs))
            + rng.normal(size=len(groups)) * 0.1,
            rng.normal(size=len(groups)),
        ],
        axis=1,
    )
    kept = rng.random(len(groups)) >= drop
    return quality, groups[kept], codes[kept], features[kept]


def labels(quality, many=800, seed=1):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, len(quality), (2, many))
    a, b = a[a != b], b[a != b]
    names = np.array([f"g{i:03d}" for i in range(len(quality))], object)
    return Labels(names[a], names[b], expit(3 * (quality[a] - quality[b])))


def test_three_kinds_two_to_two_to_one():
    quality, groups, codes, _ = documents(drop=0.3)
    given = labels(quality)
    found = pairs.draw(groups, codes, given, 500, seed=3)
    assert np.bincount(found.kind).tolist() == [500, 500, 250]
    a, b = codes[found.left], codes[found.right]
    assert (a[found.kind == MONOLINGUAL] == b[found.kind == MONOLINGUAL]).all()
    assert (a[found.kind != MONOLINGUAL] != b[found.kind != MONOLINGUAL]).all()
    same = groups[found.left] == groups[found.right]
    assert (same == (found.kind == PARALLEL)).all()
    assert (found.p[found.kind == PARALLEL] == 0.5).all()
    inherited = {(x, y): p for x, y, p in zip(given.left, given.right, given.p, strict=True)}
    for left, right, p in zip(found.left[~same], found.right[~same], found.p[~same], strict=True):
        assert inherited[groups[left], groups[right]] == p
    assert set(a) == set(LANGS)
    again = pairs.draw(groups, codes, given, 500, seed=3)
    assert (again.left == found.left).all()
    assert (pairs.draw(groups, codes, given, 500, seed=4).left != found.left).any()
    # The same documents in another order give the same pairs of documents.
    order = np.random.default_rng(0).permutation(len(groups))
    other = pairs.draw(groups[order], codes[order], given, 500, seed=3)
    assert (order[other.left] == found.left).all()
    only = found.only([CROSSLINGUAL])
    assert len(only.p) == 500


def test_kinds_that_cannot_be_had_are_left_out():
    quality, groups, codes, _ = documents(langs=["eng_Latn"])
    found = pairs.draw(groups, codes, labels(quality), 50, seed=0)
    assert np.bincount(found.kind).tolist() == [50]
    apart = np.array([LANGS[i % 2] for i in range(60)], object)
    names = np.array([f"g{i:03d}" for i in range(60)], object)
    odd = Labels(names[:-1], names[1:], np.ones(59))
    found = pairs.draw(names, apart, odd, 50, seed=0)
    assert set(found.kind.tolist()) == {CROSSLINGUAL}


def test_wrong_groups_are_blamed():
    quality, groups, codes, _ = documents()
    with pytest.raises(DataError, match="the group g000 has two documents in eng_Latn"):
        pairs.draw(np.r_[groups, groups[:1]], np.r_[codes, codes[:1]], labels(quality), 50, 0)
    with pytest.raises(DataError, match="none of the labelled pairs"):
        pairs.draw(np.array(["x"], object), np.array(["eng_Latn"], object), labels(quality), 50, 0)
    with pytest.raises(RequestError, match="too few"):
        pairs.draw(groups, codes, labels(quality), 1, 0)


def test_sources_are_held_out_whole_in_all_their_languages():
    sources = np.array([f"s{i % 10}" for i in range(200)], object)
    held = pairs.hold_out(sources, 0.3, seed=1)
    assert len(set(sources[held])) == 3
    assert not set(sources[held]) & set(sources[~held])
    order = np.random.default_rng(0).permutation(200)
    assert (pairs.hold_out(sources[order], 0.3, seed=1) == held[order]).all()
    assert len(set(sources[pairs.hold_out(sources, 1.0, seed=1)])) == 9
    with pytest.raises(DataError, match="nothing can be held out"):
        pairs.hold_out(np.array(["s"] * 3, object), 0.5, 0)


DICTIONARY = {("the market opens", "fra_Latn"): "le marché ouvre", ("the market opens", "tha_Thai"): "ตลาดเปิด"}


def dictionary(texts, source, target):
    return [DICTIONARY.get((text, target), f"{text} [{source}→{target}]") for text in texts]


def test_labels_are_carried_out_and_back_by_a_translator():
    originals = pa.table(
        {
            "id": ["1", "2"],
            "group": ["a", "b"],
            "lang": ["eng_Latn", "eng_Latn"],
            "text": ["the market opens", "it rains"],
        }
    )
    out = pairs.translated(originals, dictionary, ["fra", "th", "eng"])
    assert out.slice(0, 2).select(originals.column_names).equals(originals)
    made = out.slice(2).to_pylist()
    assert [(r["id"], r["lang"], r["origin"]) for r in made] == [
        ("a/fra_Latn", "fra_Latn", "1"), ("b/fra_Latn", "fra_Latn", "2"),
        ("a/tha_Thai", "tha_Thai", "1"), ("b/tha_Thai", "tha_Thai", "2"),
    ]  # fmt: skip
    assert made[2]["text"] == "ตลาดเปิด"
    # Variant M: originals in two languages, translated into the one that raters read.
    many = pa.table({"id": ["1", "2"], "group": ["a", "b"], "lang": ["amh_Ethi", "jpn_Jpan"], "text": ["ገበያ", "市場"]})
    back = pairs.translated(many, dictionary, ["eng"])
    assert back["text"].to_pylist()[2:] == ["ገበያ [amh_Ethi→eng_Latn]", "市場 [jpn_Jpan→eng_Latn]"]
    labelled = Labels(np.array(["a"], object), np.array(["b"], object), np.array([0.9]))
    found = pairs.draw(
        np.asarray(back["group"].to_pylist(), object), np.asarray(back["lang"].to_pylist(), object), labelled, 40, 0
    )
    langs = back["lang"].to_pylist()
    crossed = {(langs[a], langs[b]) for a, b in zip(found.left, found.right, strict=True)}
    assert ("amh_Ethi", "jpn_Jpan") in crossed
    with pytest.raises(DataError, match="translator made 1 texts of 2"):
        pairs.translated(originals, lambda texts, a, b: texts[:1], ["fra"])
    with pytest.raises(DataError, match="or empty ones"):
        pairs.translated(originals, lambda texts, a, b: [" "] * len(texts), ["fra"])


def test_a_linear_head_is_the_minimum_of_the_papers_loss():
    quality, groups, codes, features = documents(40)
    found = pairs.draw(groups, codes, labels(quality, 200), 200, seed=0)
    config = TrainConfig(hidden=0, parallel=0.7, temperature=1.5, epochs=400, batch=500, step=0.05, decay=0)
    made = pairwise(features, found, config)
    x = (features - made.centre) / made.scale

    def loss(weight):
        d = (x[found.left] - x[found.right]) @ weight / 1.5
        parallel = found.kind == PARALLEL
        pair = -(found.p * log_expit(d) + (1 - found.p) * log_expit(-d))[~parallel].mean()
        equal = -(log_expit(d) + log_expit(-d))[parallel].mean()
        return pair + 0.7 * equal

    best = minimize(loss, np.zeros(3), tol=1e-12)
    np.testing.assert_allclose(made.direct, best.x, atol=2e-3)
    assert loss(made.direct) == pytest.approx(best.fun, abs=1e-6)


def accuracy(scores, quality, groups, codes, langs):
    at = {f"g{i:03d}": q for i, q in enumerate(quality)}
    truth = np.array([at[g] for g in groups])
    rows = np.flatnonzero(np.isin(codes, langs))
    a, b = np.meshgrid(rows, rows)
    return float(((scores[a] > scores[b]) == (truth[a] > truth[b]))[a != b].mean())


@pytest.mark.parametrize("hidden", [0, 16])
def test_pairs_across_languages_make_scores_comparable(hidden):
    # The second feature is the better one within a language and useless between them.
    quality, groups, codes, features = documents(150)
    given = labels(quality, 3000)
    drawn = pairs.draw(groups, codes, given, 3000, seed=0)
    config = TrainConfig(hidden=hidden, epochs=30, batch=128, step=0.01)
    every, mono = pairwise(features, drawn, config), pairwise(features, drawn.only([MONOLINGUAL]), config)
    across = [accuracy(r.score(features), quality, groups, codes, LANGS) for r in (every, mono)]
    within = [accuracy(r.score(features), quality, groups, codes, LANGS[:1]) for r in (every, mono)]
    assert across[0] > across[1] + 0.03
    assert within[1] > 0.9 > across[1]

    def gap(ranker):
        scores = ranker.score(features).reshape(150, len(LANGS))
        return (scores - scores[:, :1]).std() / scores.std(axis=0).mean()

    assert gap(every) < 0.9 * gap(mono)
    held = pairwise(features, drawn.only([MONOLINGUAL, PARALLEL]), config)
    assert gap(held) < 0.9 * gap(mono)


@pytest.mark.parametrize("loss", ["l1", "bce"])
def test_pointwise_learns_the_number(loss):
    quality, groups, _codes, features = documents(150)
    target = np.repeat(quality, len(LANGS)) if loss == "l1" else expit(2 * np.repeat(quality, len(LANGS)))
    made = pointwise(features, np.arange(len(groups)), target, loss, TrainConfig(epochs=60, batch=64, step=0.01))
    scores = made.score(features)
    assert np.corrcoef(scores, np.repeat(quality, len(LANGS)))[0, 1] > 0.9
    fitted = scores if loss == "l1" else expit(scores)
    assert np.abs(fitted - target).mean() < np.abs(np.median(target) - target).mean() / 2
    with pytest.raises(DataError, match="share from 0 to 1"):
        pointwise(features, np.arange(3), np.array([0, 2.0, 1]), "bce", TrainConfig())


def test_a_head_is_the_same_when_it_is_read_again_and_on_every_run(tmp_path):
    quality, groups, codes, features = documents(40)
    features[3, 1] = np.nan
    drawn = pairs.draw(groups, codes, labels(quality), 200, seed=0)
    one, two = (pairwise(features, drawn, TrainConfig(epochs=2)) for _ in range(2))
    one.write(tmp_path / "a.safetensors")
    two.write(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    again = Ranker.read(tmp_path / "a.safetensors")
    scores = one.score(features)
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(again.score(features), scores)
    # A score belongs to a document, whatever else is scored with it.
    pieces = [one.score(features[i : i + 7]) for i in range(0, len(features), 7)]
    np.testing.assert_array_equal(np.concatenate(pieces), scores)
    with pytest.raises(DataError, match="2 features were given to a rater of 3"):
        one.score(features[:, :2])
    with pytest.raises(DataError, match="nothing to learn from"):
        pairwise(features, Pairs(*(np.zeros(0, t) for t in (int, int, float, int))), TrainConfig())


def test_linked_languages_inherit_no_label():
    quality, groups, codes, _ = documents()
    found = pairs.draw(groups, codes, labels(quality), 500, seed=3, linked=["tha_Thai", "amh_Ethi"])
    assert np.bincount(found.kind).tolist() == [500, 500, 250]
    labelled = found.kind != PARALLEL
    told = set(codes[found.left[labelled]]) | set(codes[found.right[labelled]])
    assert told == {"eng_Latn", "fra_Latn", "zho_Hans"}
    assert set(codes[found.left[~labelled]]) == set(LANGS)


def test_pointwise_learns_nothing_of_linked_languages():
    quality, groups, codes, features = documents(langs=["eng_Latn", "tha_Thai"])
    material = cross_lingual.Material(features, groups, codes, groups, np.ones(len(groups), np.int64))
    targets = dict(zip([f"g{i:03d}" for i in range(len(quality))], quality.tolist(), strict=True))
    config = TrainConfig(pairs=200, epochs=2, hidden=4, linked=("tha",))
    one = cross_lingual.train("pointwise_l1", material, labels(quality), targets, "eng_Latn", config)
    spoilt = cross_lingual.Material(
        np.where((codes == "tha_Thai")[:, None], 99.0, features), groups, codes, groups, material.chars
    )
    other = cross_lingual.train("pointwise_l1", spoilt, labels(quality), targets, "eng_Latn", config)
    np.testing.assert_array_equal(one.score(features), other.score(features))


def test_groups_without_a_label_are_in_parallel_pairs_alone():
    quality, groups, codes, _ = documents()
    known = labels(quality)
    judged = set(groups[:20].tolist())
    found = pairs.draw(groups, codes, known.among(judged), 500, seed=3)
    parallel = found.kind == PARALLEL
    told = set(groups[np.concatenate([found.left[~parallel], found.right[~parallel]])].tolist())
    assert told <= judged and set(groups[found.left[parallel]].tolist()) > judged
    np.testing.assert_array_equal(groups[found.left[parallel]], groups[found.right[parallel]])
