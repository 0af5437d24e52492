"""Active selection: its laws, and what it saves with a judge that is seldom wrong."""

import doctest

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import spearmanr

from glotmix.core.errors import RequestError
from glotmix.quality import active
from glotmix.quality.active import learning_curve, next_pairs, random_pairs, saved


def test_docstrings():
    assert doctest.testmod(active).failed == 0


def test_pairs_are_new_and_spread_over_the_documents():
    rng = np.random.default_rng(0)
    given, precision = rng.normal(size=40), rng.uniform(0.1, 5, 40)
    judged = {(0, 1), (2, 3)}
    left, right = next_pairs(given, precision, 60, 1, judged)
    pairs = [(min(a, b), max(a, b)) for a, b in zip(left.tolist(), right.tolist(), strict=True)]
    assert len(pairs) == len(set(pairs)) == 60
    assert not set(pairs) & judged
    assert np.bincount(np.r_[left, right], minlength=40).min() >= 1
    assert 0.2 < np.mean(left < right) < 0.8
    again = next_pairs(given, precision, 60, 1, judged)
    assert (again[0] == left).all()
    with pytest.raises(RequestError, match="fewer than two"):
        next_pairs(np.zeros(1), np.ones(1), 1, 0)
    few = next_pairs(np.zeros(3), np.ones(3), 50, 0)
    assert len(few[0]) == 3


def test_without_judgements_no_document_comes_twice_before_nearly_all_have_come():
    left, right = next_pairs(np.zeros(50), np.full(50, 0.1), 23, 0)
    assert len({*left.tolist(), *right.tolist()}) == 46


def test_the_first_pair_has_the_largest_gain_of_all():
    rng = np.random.default_rng(3)
    given, precision = rng.normal(size=15) * 2, rng.uniform(0.1, 5, 15)

    def gain(a, b):
        p = expit(given[a] - given[b])
        return p * (1 - p) * (1 / precision[a] + 1 / precision[b])

    best = max(((a, b) for a in range(15) for b in range(a)), key=lambda pair: gain(*pair))
    left, right = next_pairs(given, precision, 1, 0)
    assert {int(left[0]), int(right[0])} == set(best)


def test_active_selection_saves_judgements_where_the_judge_is_sharp():
    found = []
    for seed in range(3):
        truth = np.random.default_rng(seed).normal(size=150) * 4

        def judge(a, b, number, truth=truth):
            return (np.random.default_rng(number).random(len(a)) < expit(truth[a] - truth[b])).astype(float)

        def quality(s, truth=truth):
            return float(spearmanr(s, truth).statistic)

        budgets = list(range(150, 1501, 150))
        curves = [
            list(learning_curve(judge, quality, 150, budgets, choose, seed=seed))
            for choose in (next_pairs, random_pairs)
        ]
        assert [n for n, _ in curves[0]] == budgets
        assert curves[0][-1][1] > curves[1][-1][1]
        found.append(saved(*curves))
    assert np.mean(found) > 0.2


def test_savings():
    assert saved([(10, 0.1), (20, 0.2)], [(10, 0.3), (20, 0.5)]) is None
    assert saved([(10, 0.6)], [(10, 0.3), (20, 0.5)]) == 0.5
    assert saved([(10, 0.1), (40, 0.7)], [(10, 0.3), (20, 0.4)]) == pytest.approx(-0.25)
