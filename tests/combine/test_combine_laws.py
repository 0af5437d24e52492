"""The laws of a set's worth on worlds where it is known; the choice against all sets; held out is held out."""

from itertools import combinations

import numpy as np
import pytest
from benchmarks._combinations_planted import world
from scipy.stats import spearmanr

from glotmix.combine import carried, choice, judge, laws, subsets
from glotmix.combine.cells import Cells
from glotmix.combine.laws import Fitted, Form
from glotmix.core.errors import DataError, RequestError


def measured(seed: int, count: int = 96, blocks: int = 8):
    planted = world(seed)
    drawn = subsets.draw(planted.cells, count, blocks, seed)
    loss = planted.loss(drawn)
    return planted, drawn, loss + 0.1 * loss.std() * np.random.default_rng(seed).normal(size=count)


def test_the_relational_law_ranks_sets_that_the_additive_one_cannot() -> None:
    planted, drawn, loss = measured(1)
    unseen = subsets.draw(planted.cells, 200, 8, 99)
    ranks = {
        name: spearmanr(-fit(planted.cells, drawn, loss).worth(unseen), planted.loss(unseen)).statistic
        for name, fit in laws.LAWS.items()
    }
    assert ranks["relational"] > 0.9
    assert ranks["additive"] < 0.6


def test_pairs_that_help_only_together_are_found_and_no_others() -> None:
    planted, drawn, loss = measured(1)
    found = laws.relational(planted.cells, drawn, loss)
    assert set(found.together) == set(planted.pairs())
    assert all(by > 0 for by in found.together.values())


def test_a_law_says_what_its_formula_says() -> None:
    alike = np.array([[1.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 1.0]])
    cells = Cells(("a", "b", "c"), np.array([9.0, 9.0, 2.0]), alike)
    law = Fitted("relational", cells, Form(0.7, 2.0, repeats=4.0), 0.1, np.array([0.3, 0.2, -0.1]), {(0, 2): 0.05})
    sets = np.array([[1.0, 2.0, 0.0], [1.0, 0.0, 3.0]])
    worth = []
    for row in sets:
        d = [
            min(x, s) + s * 4.0 * (1 - np.exp(-max(x / s - 1, 0) / 4.0)) for x, s in zip(row, cells.stock, strict=True)
        ]
        k = np.maximum(alike, 0) ** 2
        new = [d[j] / (1 + 0.7 * sum(k[i, j] * d[i] for i in range(3))) for j in range(3)]
        pair = np.sqrt(d[0] / (1 + d[0]) * d[2] / (1 + d[2]))
        worth.append(0.1 + sum(a * n for a, n in zip(law.influence, new, strict=True)) + 0.05 * pair)
    assert law.worth(sets) == pytest.approx(worth)


def test_additive_influences_are_those_of_the_sum_that_made_the_losses() -> None:
    rng = np.random.default_rng(0)
    cells = Cells(tuple("abcdefghij"), np.full(10, 9.0), np.eye(10))
    drawn = subsets.draw(cells, 200, 4, 0)
    true = rng.normal(size=10)
    found = laws.additive(cells, drawn, 5.0 - drawn @ true)
    unseen = subsets.draw(cells, 20, 4, 1)
    assert np.diff(found.worth(unseen)) == pytest.approx(np.diff(unseen @ true), abs=0.01)


def test_subsets_hold_their_blocks_and_draw_on_every_cell_alike() -> None:
    cells = world(0).cells
    drawn = subsets.draw(cells, 64, 8, 3)
    assert (drawn.sum(axis=1) == 8).all()
    assert len(np.unique(drawn, axis=0)) == 64
    assert (drawn == 2).any()
    held = drawn.sum(axis=0)
    assert held.max() - held.min() <= 4
    assert (subsets.draw(cells, 64, 8, 3) == drawn).all()
    assert (subsets.draw(cells, 64, 8, 4) != drawn).any()
    with pytest.raises(RequestError, match="28 blocks"):
        subsets.draw(cells, 64, 28)


@pytest.mark.parametrize("seed", range(3))
def test_the_choice_is_the_best_of_all_sets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(9, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cells = Cells(tuple("abcdefghi"), np.full(9, 1.0), vectors @ vectors.T)
    law = Fitted("relational", cells, Form(1.0, 1.0), 0.0, rng.uniform(0.5, 1.5, 9), {(0, 4): 0.9})
    every = np.zeros((126, 9))
    for row, chosen in enumerate(combinations(range(9), 4)):
        every[row, list(chosen)] = 1
    found = choice.best(law, 4, epochs=1)
    assert found.sum() == 4
    assert law.worth(found[None])[0] == pytest.approx(law.worth(every).max())


def test_a_choice_keeps_what_is_given_and_repeats_no_more_than_it_may() -> None:
    cells = Cells(("good", "bad"), np.array([2.0, 9.0]), np.eye(2))
    law = Fitted("additive", cells, Form(), 0.0, np.array([1.0, 0.0]))
    assert choice.best(law, 10, epochs=3).tolist() == [6, 4]
    # Sixty epochs of two blocks are worth no more than about thirty fresh ones: the rest is taken from elsewhere.
    assert choice.best(law, 4, given=np.array([0.0, 3.0])).tolist() == [1, 3]
    with pytest.raises(RequestError, match="12 blocks"):
        choice.best(law, 12, epochs=1)


def test_held_out_subsets_choose_the_law_and_the_interval_holds_the_truth() -> None:
    planted, drawn, loss = measured(2)
    judged = judge.judge(planted.cells, drawn, loss, draws=20)
    assert judged.chosen.law == "relational"
    assert judged.speaks
    assert [score.n for score in judged.scores] == [96, 96]
    best = choice.best(judged.chosen, 8)
    other = subsets.draw(planted.cells, 1, 8, 50)[0]
    value, low, high = judged.gain(best, other)
    truth = float(planted.loss(other[None])[0] - planted.loss(best[None])[0])
    assert low < truth < high
    assert low < value < high
    assert judged.gain(best, best) == pytest.approx((0, 0, 0))


def test_losses_that_are_noise_speak_of_nothing() -> None:
    planted, drawn, _ = measured(2)
    judged = judge.judge(planted.cells, drawn, np.random.default_rng(5).normal(size=96), draws=4)
    assert not judged.speaks


def test_a_subset_held_out_says_nothing_of_itself() -> None:
    planted, drawn, loss = measured(3, 40)
    fold = np.arange(40) % 4
    before = judge.held_out("relational", planted.cells, drawn, loss, fold)
    changed = loss.copy()
    changed[fold == 1] += np.linspace(-1, 1, 10)
    after = judge.held_out("relational", planted.cells, drawn, changed, fold)
    assert (before[fold == 1] == after[fold == 1]).all()
    assert (before[fold == 0] != after[fold == 0]).any()


def carried_worlds() -> dict[str, carried.Measured]:
    """Return three languages whose cells bring what one of their traits says; the other is noise."""
    found = {}
    for number, lang in enumerate(("amh_Ethi", "hin_Deva", "ell_Grek")):
        rng = np.random.default_rng(number)
        traits = rng.normal(size=(12, 2))
        cells = Cells(
            tuple(f"{lang} {j}" for j in range(12)), np.full(12, 4.0), np.eye(12), (), traits, ("fit", "noise")
        )
        drawn = subsets.draw(cells, 48, 4, number)
        # Each language in its own unit of loss.
        loss = 10.0**number * (2 - drawn @ traits[:, 0] + 0.3 * rng.normal(size=48))
        found[lang] = carried.Measured(cells, drawn, loss)
    return found


def test_a_selector_carries_to_a_language_that_was_never_tried() -> None:
    worlds = carried_worlds()
    assert min(carried.left_out(worlds).values()) > 0.8
    selector = carried.learn(worlds)
    assert selector.names == ("fit", "noise")
    assert abs(selector.weights[0]) > 5 * abs(selector.weights[1])
    bare = Cells(("a", "b"), np.ones(2), np.eye(2))
    with pytest.raises(DataError, match="traits"):
        selector.law(bare)


def test_too_few_subsets_are_refused() -> None:
    planted, drawn, loss = measured(0, 12)
    with pytest.raises(DataError, match="12 subsets"):
        judge.judge(planted.cells, drawn, loss)
    with pytest.raises(DataError, match="7 subsets"):
        laws.additive(planted.cells, drawn[:7], loss[:7])
