"""The audit of carried raters: against plain loops, and its laws."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from glotmix.core.errors import DataError
from glotmix.quality import cross_lingual_audit
from glotmix.quality.cross_lingual_audit import Held
from glotmix.quality.pairs import Labels, Pairs, draw

LANGS = ["eng_Latn", "tha_Thai", "amh_Ethi"]


def world(seed=0, n=40, noise=0.5, offset=1.0):
    rng = np.random.default_rng(seed)
    quality = rng.normal(size=n)
    groups = np.array([f"g{i:03d}" for i in range(n) for _ in LANGS], object)
    langs = np.array(LANGS * n, object)
    sources = np.array([f"s{i // 2}" for i in range(n) for _ in LANGS], object)
    held = Held(groups, langs, sources, rng.integers(100, 900, len(groups)))
    shift = np.where(langs == "tha_Thai", -offset, 0.0)
    good = np.repeat(quality, 3) + shift + rng.normal(size=len(groups)) * noise
    bad = rng.normal(size=len(groups))
    names = np.array(sorted(set(groups)), object)
    a, b = rng.integers(0, n, (2, 600))
    a, b = a[a != b], b[a != b]
    labels = Labels(names[a], names[b], (quality[a] > quality[b]).astype(float))
    return held, np.stack([good, bad]), draw(groups, langs, labels, 400, seed)


def test_every_figure_is_that_of_a_plain_loop():
    held, scores, pairs = world()
    found = cross_lingual_audit.measure(scores, held, pairs, "eng_Latn", draws=50)
    sd = np.sqrt(np.mean([scores[0, held.langs == n].var() for n in LANGS]))
    row = {key: at for at, key in enumerate(zip(held.groups, held.langs, strict=True))}
    for lang in LANGS:
        for kind, label in ((0, "accuracy.monolingual"), (1, "accuracy.crosslingual")):
            won = [
                (scores[0, a] > scores[0, b]) == (p > 0.5)
                for a, b, p, k in zip(pairs.left, pairs.right, pairs.p, pairs.kind, strict=True)
                if k == kind and lang in (held.langs[a], held.langs[b])
            ]
            assert found[label, lang].values[0] == pytest.approx(np.mean(won))
            assert found[label, lang].n == len(won)
        mine = held.langs == lang
        expected = spearmanr(scores[0, mine], held.chars[mine]).statistic
        assert found["length", lang].values[0] == pytest.approx(expected, abs=0.01)
        if lang != "eng_Latn":
            x = np.array([scores[0, row[g, "eng_Latn"]] for g in sorted(set(held.groups))]) / sd
            y = np.array([scores[0, row[g, lang]] for g in sorted(set(held.groups))]) / sd
            assert found["gap.mean", lang].values[0] == pytest.approx((y - x).mean())
            assert found["gap.sd", lang].values[0] == pytest.approx((y - x).std())
            assert found["gap.slope", lang].values[0] == pytest.approx(np.polyfit(x, y, 1)[0])
        means = [scores[0, held.langs == n].mean() / sd for n in LANGS]
        assert found["offset", lang].values[0] == pytest.approx(scores[0, mine].mean() / sd - np.mean(means))
    every = np.concatenate(
        [
            [(scores[0, row[g, n]] - scores[0, row[g, "eng_Latn"]]) / sd for g in sorted(set(held.groups))]
            for n in LANGS[1:]
        ]
    )
    assert found["gap.sd", "mean"].values[0] == pytest.approx(np.sqrt((every**2).mean()))


def test_raters_are_compared_on_the_same_samples():
    held, scores, pairs = world()
    found = cross_lingual_audit.measure(np.stack([*scores, scores[0]]), held, pairs, "eng_Latn", draws=300)
    better = found["accuracy.monolingual", "mean"].difference(0, 1)
    assert better["low"] > 0.1
    same = found["accuracy.monolingual", "mean"].difference(0, 2)
    assert same["value"] == same["low"] == same["high"] == 0
    figure = found["accuracy.monolingual", "mean"].figure(1)
    assert figure["low"] < 0.5 < figure["high"]
    offset = found["offset", "tha_Thai"].figure(0)
    assert offset["high"] < 0


def test_a_scale_changes_nothing_and_samples_are_of_sources():
    held, scores, pairs = world()
    one = cross_lingual_audit.measure(scores, held, pairs, "eng_Latn", draws=100)
    two = cross_lingual_audit.measure(scores * 7, held, pairs, "eng_Latn", draws=100)
    for key in one:
        np.testing.assert_allclose(one[key].draws, two[key].draws, atol=1e-6)
    # One source alone: every sample is the sample itself.
    alone = Held(held.groups, held.langs, np.array(["s"] * len(held.langs), object), held.chars)
    for measured in cross_lingual_audit.measure(scores, alone, pairs, "eng_Latn", draws=5).values():
        np.testing.assert_allclose(measured.draws, np.repeat(measured.values[:, None], 5, axis=1), atol=1e-6)


def test_told_as_plain_data():
    held, scores, pairs = world()
    found = cross_lingual_audit.measure(scores, held, pairs, "eng_Latn", draws=20)
    plain = cross_lingual_audit.told(found, 0, held)
    assert plain["sources"] == 20
    assert list(plain["languages"]) == sorted(LANGS)
    assert set(plain["mean"]) >= {"accuracy", "accuracy.monolingual", "accuracy.crosslingual", "gap.sd", "length"}
    assert "gap.sd" not in plain["languages"]["eng_Latn"]
    with pytest.raises(DataError, match="do not fit"):
        cross_lingual_audit.measure(scores[:, :5], held, pairs, "eng_Latn")
    twice = Held(*(np.r_[v, v[:1]] for v in (held.groups, held.langs, held.sources, held.chars)))
    with pytest.raises(DataError, match="two documents in one language"):
        cross_lingual_audit.measure(
            np.c_[scores, scores[:, :1]], twice, Pairs(*(v[:0] for v in vars(pairs).values())), "eng_Latn"
        )
