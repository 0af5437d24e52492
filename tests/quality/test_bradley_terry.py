"""Bradley–Terry: against choix, its laws, planted raters, agreement against published values."""

import choix
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import kendalltau, spearmanr

from glotmix.core.errors import RequestError
from glotmix.quality import inter_rater
from glotmix.quality.bradley_terry import Comparisons, fit, scores, soft_labels

HONEST, SHARP, RANDOM, COIN, INVERTED = "honest", "sharp", "random", "coin", "inverted"


def rings(n: int, rounds: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    orders = [rng.permutation(n) for _ in range(rounds)]
    return np.concatenate(orders), np.concatenate([np.roll(o, -1) for o in orders])


def world(kinds: list[str], n: int = 600, rounds: int = 8, seed: int = 0) -> tuple[np.ndarray, Comparisons]:
    """Documents of a true quality, and raters that see it with errors of their own."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n)
    left, right = rings(n, rounds, rng)
    votes = []
    for kind in kinds:
        seen = {
            HONEST: truth + rng.normal(size=n),
            SHARP: truth + rng.normal(size=n) / 2,
            INVERTED: -truth + rng.normal(size=n),
        }.get(kind, rng.normal(size=n))
        vote = rng.integers(0, 2, len(left)) if kind == COIN else seen[left] > seen[right]
        votes.append(vote.astype(np.float32))
    return truth, Comparisons(left, right, np.stack(votes, axis=1), n)


@given(st.integers(0, 10_000), st.sampled_from([0.02, 0.2, 2.0]))
@settings(max_examples=15, deadline=None)
def test_scores_are_those_of_choix(seed, ridge):
    rng = np.random.default_rng(seed)
    n, m = 12, 60
    left = rng.integers(0, n, m)
    right = (left + rng.integers(1, n, m)) % n
    won = rng.random(m) < 0.5
    mine, _ = scores(Comparisons(left, right, won[:, None].astype(np.float32), n), ridge=ridge)
    pairs = [(a, b) if w else (b, a) for a, b, w in zip(left.tolist(), right.tolist(), won, strict=True)]
    # choix penalises alpha · Σ s², glotmix ridge / 2 · Σ s².
    theirs = choix.opt_pairwise(n, pairs, alpha=ridge / 2, tol=1e-12)
    np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_a_tie_is_half_a_vote_each_way():
    pairs = (np.array([0, 1, 2, 0]), np.array([1, 2, 0, 2]))
    ties = Comparisons(*pairs, np.array([[0.5], [1], [0.25], [0.5]], np.float32), 3)
    doubled = Comparisons(
        np.repeat(pairs[0], 4), np.repeat(pairs[1], 4),
        np.array([1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 0, 0], np.float32)[:, None], 3,
    )  # fmt: skip
    np.testing.assert_allclose(scores(ties, ridge=0.1)[0], scores(doubled, ridge=0.4)[0], atol=1e-6)


def test_scores_are_a_maximum_and_their_precision_is_the_curvature():
    _, given_ = world([HONEST, COIN, INVERTED], n=25, rounds=3, seed=4)
    slopes = np.array([1.5, 0.3, -0.7])
    found, precision = scores(given_, slopes, 0.3)

    def value(s: np.ndarray) -> float:
        d = s[given_.left] - s[given_.right]
        total = sum(
            (p * np.log(expit(a * d)) + (1 - p) * np.log(expit(-a * d))).sum()
            for a, p in zip(slopes, given_.preferred.T.astype(float), strict=True)
        )
        return float(total) - 0.15 * float(s @ s)

    best = value(found)
    for at in range(25):
        step = np.zeros(25)
        step[at] = 1e-3
        up, down = value(found + step), value(found - step)
        assert up < best > down
        assert (2 * best - up - down) / 1e-6 == pytest.approx(precision[at], rel=1e-3)
    assert found.mean() == pytest.approx(0, abs=1e-6)


def test_unconnected_documents_and_sweeping_wins_have_finite_scores():
    given_ = Comparisons(np.array([0, 0, 3]), np.array([1, 1, 4]), np.ones((3, 1), np.float32), 6)
    found, _ = scores(given_, ridge=0.1)
    assert np.isfinite(found).all()
    assert found[0] > 0 > found[1]
    assert found[[2, 5]].tolist() == [0.0, 0.0]
    assert found[3] == pytest.approx(-found[4])


@pytest.mark.parametrize("bad", [RANDOM, COIN])
def test_bad_raters_lose_their_weight_and_inverted_ones_are_recognised(bad):
    truth, given_ = world([SHARP, HONEST, bad, INVERTED])
    made = fit(given_)
    sharp, honest, noise, inverted = made.raters
    assert [r.status for r in made.raters] == ["used", "used", "no signal", "inverted"]
    assert sharp.slope > honest.slope > 5 * abs(noise.slope)
    assert inverted.high < 0
    assert abs(inverted.slope + honest.slope) < 0.4
    assert noise.low < 0 < noise.high
    assert noise.agreement == pytest.approx(0.5, abs=0.04)
    clean = spearmanr(fit(given_.of(np.array([True, True, False, False]))).scores, truth).statistic
    planted = spearmanr(made.scores, truth).statistic
    plain = spearmanr(scores(given_)[0], truth).statistic
    assert planted > clean - 0.01
    assert planted > plain + 0.1
    assert 0.2 < made.majority < 0.8


def test_a_rater_that_only_agrees_with_itself_gains_no_weight():
    # A column of numbers is free of contradictions: a joint likelihood would follow it alone.
    truth, given_ = world([HONEST, HONEST, HONEST, RANDOM], rounds=3)
    made = fit(given_)
    assert abs(made.raters[3].slope) < 0.2
    assert spearmanr(made.scores, truth).statistic > 0.8


def test_the_majority_decides_which_way_is_up():
    truth, given_ = world([HONEST, INVERTED, INVERTED, INVERTED])
    made = fit(given_)
    assert [r.status for r in made.raters] == ["inverted", "used", "used", "used"]
    assert spearmanr(made.scores, truth).statistic < -0.8
    split = fit(world([HONEST, HONEST, INVERTED, INVERTED])[1])
    assert abs(split.majority) < 0.15


def test_one_and_two_raters_have_slopes_of_one():
    truth, one = world([HONEST])
    assert fit(one).slopes.tolist() == [1.0]
    np.testing.assert_allclose(fit(one).scores, scores(one)[0])
    _, two = world([HONEST, INVERTED])
    made = fit(two)
    assert made.slopes.tolist() == [1.0, 1.0]
    assert made.majority < 0
    assert made.raters[0].agreement < 0.5
    assert truth.shape == made.scores.shape


def test_slopes_have_honest_intervals():
    # A rater without signal, many times: its interval covers 0 about 95 times of 100.
    covered = 0
    for seed in range(60):
        made = fit(world([SHARP, HONEST, RANDOM], n=150, rounds=4, seed=100 + seed)[1], rounds=2)
        covered += made.raters[2].low < 0 < made.raters[2].high
    assert 51 <= covered <= 60


def test_missing_votes_are_no_votes():
    rng = np.random.default_rng(3)
    truth, full = world([SHARP, HONEST, HONEST])
    holes = full.preferred.copy()
    holes[rng.random(holes.shape) < 0.6] = np.nan
    made = fit(Comparisons(full.left, full.right, holes, full.size))
    assert all(r.status == "used" for r in made.raters)
    assert made.raters[0].votes == int((~np.isnan(holes[:, 0])).sum())
    assert spearmanr(made.scores, truth).statistic > 0.75
    # A row on which nobody spoke changes nothing.
    quiet = Comparisons(
        np.r_[full.left, 0], np.r_[full.right, 1], np.r_[full.preferred, [[np.nan] * 3]].astype(np.float32), full.size
    )
    np.testing.assert_allclose(fit(quiet).scores, fit(full).scores, atol=1e-4)


def test_the_order_and_the_direction_of_pairs_change_nothing():
    _, given_ = world([SHARP, HONEST, INVERTED], n=80)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(given_.left))
    turn = rng.random(len(order)) < 0.5
    left, right, votes = given_.left[order], given_.right[order], given_.preferred[order]
    other = Comparisons(
        np.where(turn, right, left), np.where(turn, left, right), np.where(turn[:, None], 1 - votes, votes), 80
    )
    np.testing.assert_allclose(fit(other).scores, fit(given_).scores, atol=1e-5)


def test_soft_labels_weigh_by_slopes_and_turn_inverted_votes():
    votes = np.array([[1, 0, 0], [1, np.nan, 0.5], [np.nan, np.nan, np.nan]], np.float32)
    given_ = Comparisons(np.array([0, 1, 2]), np.array([1, 2, 0]), votes, 3)
    np.testing.assert_allclose(soft_labels(given_), [1 / 3, 0.75, np.nan])
    np.testing.assert_allclose(soft_labels(given_, np.array([2.0, 1.0, -1.0])), [0.75, 2.5 / 3, np.nan])


def test_wrong_comparisons_are_refused():
    vote = np.ones((1, 1), np.float32)
    with pytest.raises(RequestError, match="beyond the 2"):
        Comparisons(np.array([0]), np.array([2]), vote, 2)
    with pytest.raises(RequestError, match="with itself"):
        Comparisons(np.array([1]), np.array([1]), vote, 2)
    with pytest.raises(RequestError, match="share from 0 to 1"):
        Comparisons(np.array([0]), np.array([1]), vote * 2, 2)
    with pytest.raises(RequestError, match="no rater has judged"):
        fit(Comparisons(np.array([0]), np.array([1]), vote * np.nan, 2))
    with pytest.raises(RequestError, match="ridge"):
        scores(Comparisons(np.array([0]), np.array([1]), vote, 2), ridge=0)


# Krippendorff 2011, "Computing Krippendorff's alpha-reliability", part C: four observers, twelve units.
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, np.nan, np.nan, np.nan],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, np.nan, 3],
        [np.nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, np.nan],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, np.nan],
    ]
).T


@pytest.mark.parametrize(("level", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_is_the_published_one(level, value):
    found = inter_rater.krippendorff(PUBLISHED, level)
    assert found.value == pytest.approx(value, abs=0.0006)
    assert found.low < found.value < found.high <= 1
    assert found.n == 11


def test_alpha_of_interval_data_does_not_depend_on_its_place_and_needs_variation():
    far = inter_rater.krippendorff(PUBLISHED * 3 + 1e6, "interval")
    assert far.value == pytest.approx(inter_rater.krippendorff(PUBLISHED, "interval").value)
    assert inter_rater.krippendorff(np.ones((5, 2)), "interval").value is None
    assert inter_rater.krippendorff(np.full((5, 2), np.nan), "nominal").value is None
    with pytest.raises(RequestError, match="no categories"):
        inter_rater.krippendorff(np.random.default_rng(0).random((80, 2)), "nominal")


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=5, max_size=40))
@settings(max_examples=60, deadline=None)
def test_tau_is_scipys(rows):
    x, y = np.array(rows, float).T
    found = inter_rater.kendall(x, y)
    expected = kendalltau(x, y).statistic
    if np.isnan(expected):
        assert found.value is None
    else:
        assert found.value == pytest.approx(expected)


def test_intervals_of_agreement_cover_the_truth():
    rho, covered, alphas = 0.6, 0, 0
    tau = 2 / np.pi * np.arcsin(rho)
    for seed in range(100):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=80)
        y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=80)
        found = inter_rater.kendall(x, y)
        covered += found.low <= tau <= found.high
        # Two raters of equal mean and variance: α of interval data is their correlation, but for 1/n.
        alpha = inter_rater.krippendorff(np.stack([x, y], axis=1), "interval", draws=300, seed=seed)
        alphas += alpha.low <= rho <= alpha.high
    assert covered >= 88
    assert alphas >= 88


def test_agreement_by_language():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=400)
    langs = np.array(["fra_Latn", "tha_Thai"] * 200, object)
    values = np.stack([truth, np.exp(truth), np.where(langs == "tha_Thai", -truth, truth)], axis=1)
    values[::10, 1] = np.nan
    found = inter_rater.by_language(values, ("a", "b", "c"), langs, draws=100)
    french, thai = found["fra_Latn"], found["tha_Thai"]
    assert french["tau"]["a × b"]["value"] == french["alpha"]["value"] == 1 or french["alpha"]["value"] > 0.99
    assert thai["tau"]["a × c"]["value"] == -1
    assert thai["alpha"]["value"] < 0.1 < 0.9 < french["alpha"]["value"]
    assert french["documents"] == 200
