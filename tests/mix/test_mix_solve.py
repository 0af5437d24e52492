"""The optimum: against linear programmes, a grid over all mixtures, and its own limits."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime, linprog

from glotmix.mix.laws import Sample, law
from glotmix.mix.laws.curve import Curve
from glotmix.mix.laws.effective_data import Formula
from glotmix.mix.laws.ridge import Linear
from glotmix.mix.limits import Box
from glotmix.mix.repeats import Repeats
from glotmix.mix.solve import Goal, solve


def effective(m, seed=0, donor=1.0):
    """A known effective-data law per language; language 0 gives `donor` times the usual transfer."""
    rng = np.random.default_rng(seed)
    laws = []
    for i in range(m):
        tau = rng.uniform(0.02, 0.2, m)
        tau[0] *= donor
        theta = np.concatenate([[rng.uniform(0.5, 1)], [np.log(rng.uniform(0.2, 0.6)), np.log(0.4), 0.0]])
        laws.append(Curve(Formula(i), np.append(theta, np.log(np.delete(tau, i)))))
    return laws


def linear(m, t, seed=0):
    rng = np.random.default_rng(seed)
    return [Linear(3.0, rng.uniform(-1, 1, m)) for _ in range(t)]


def goal(laws, m, box=None, **more):
    more.setdefault("weights", np.full(len(laws), 1 / len(laws)))
    more.setdefault("natural", np.full(m, 1 / m))
    more.setdefault("repeats", Repeats(np.full(m, np.inf)))
    return Goal(laws, within=box or Box(np.zeros(m), np.ones(m)), **more)


def grid(step=0.005):
    ticks = np.arange(0, 1 + step / 2, step)
    return np.array([(a, b, 1 - a - b) for a, b in itertools.product(ticks, ticks) if a + b <= 1 + 1e-9]).clip(0, 1)


BOXES = [
    Box(np.zeros(3), np.ones(3)),
    Box(np.array([0, 0.1, 0.05]), np.array([0.5, 0.4, 1])),
]


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("quantile", [None, 1.0, 0.6])
@pytest.mark.parametrize("anchor", [0.0, 0.1])
@pytest.mark.parametrize("unique", [np.inf, 0.15])
def test_no_mixture_of_a_fine_grid_is_better(box, quantile, anchor, unique):
    ask = goal(
        effective(3, donor=4),
        3,
        box,
        weights=np.array([0.2, 0.5, 0.3]),
        natural=np.array([0.7, 0.2, 0.1]),
        anchor=anchor,
        quantile=quantile,
        repeats=Repeats(np.array([np.inf, unique, unique])),
    )
    points = grid()
    points = points[np.all((points >= box.low - 1e-12) & (points <= box.high + 1e-12), axis=1)]
    best = float(ask.value(points).min())
    found = solve(ask)
    assert found.value <= best + 1e-6
    # Nor can it be better than the grid by more than the grid is coarse.
    assert found.value >= best - 0.005
    assert np.all(found.shares >= box.low - 1e-9) and np.all(found.shares <= box.high + 1e-9)
    assert abs(found.shares.sum() - 1) < 1e-9
    np.testing.assert_allclose(found.losses, ask.losses(found.shares[None])[0])
    if quantile in (None, 1.0):
        assert found.agree == found.starts


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 8), st.integers(1, 6), st.integers(0, 999), st.booleans())
def test_linear_laws_end_where_a_linear_programme_does(m, t, seed, worst):
    laws = linear(m, t, seed)
    rng = np.random.default_rng(seed)
    inside = rng.dirichlet(np.ones(m))
    box = Box(inside * rng.uniform(0, 1, m), np.minimum(1, inside * rng.uniform(1, 3, m)))
    found = solve(goal(laws, m, box, quantile=1.0 if worst else None))
    w = np.array([fitted.weights for fitted in laws])
    bounds = list(zip(box.low, box.high, strict=True))
    ones = np.ones((1, m))
    if worst:
        oracle = linprog(
            np.append(np.zeros(m), 1),
            A_ub=np.column_stack([w, -np.ones(t)]),
            b_ub=np.full(t, -3.0),
            A_eq=np.append(ones, [[0]], axis=1),
            b_eq=[1],
            bounds=[*bounds, (None, None)],
        )
        assert found.value == pytest.approx(oracle.fun, abs=1e-6)
    else:
        oracle = linprog(w.mean(axis=0), A_eq=ones, b_eq=[1], bounds=bounds)
        assert found.value == pytest.approx(3 + oracle.fun, abs=1e-6)


def test_at_the_optimum_one_more_token_helps_as_much_in_every_language():
    ask = goal(effective(12), 12, weights=np.random.default_rng(0).dirichlet(np.ones(12)))
    found = solve(ask)
    benefit = -ask.weights @ ask.slopes(found.shares)
    inside = found.shares > 1e-4
    assert inside.sum() >= 4 and found.agree == found.starts
    np.testing.assert_allclose(benefit[inside], benefit[inside].mean(), rtol=1e-3)
    assert np.all(benefit[~inside] <= benefit[inside].mean() * (1 + 1e-3))


def test_the_anchor_holds_to_natural_and_weights_are_heard():
    natural = np.array([0.85, 0.1, 0.05])
    free = solve(goal(effective(3), 3, natural=natural)).shares
    some = solve(goal(effective(3), 3, natural=natural, anchor=0.1)).shares
    tight = solve(goal(effective(3), 3, natural=natural, anchor=1e4)).shares
    np.testing.assert_allclose(tight, natural, atol=1e-4)
    assert np.abs(some - natural).sum() < np.abs(free - natural).sum()
    heavy = solve(goal(effective(3), 3, weights=np.array([0.05, 0.05, 0.9]))).shares
    assert heavy[2] > free[2] + 0.1


def test_repeats_take_share_away_from_a_small_language():
    fresh = solve(goal(effective(3), 3)).shares
    unique = np.array([np.inf, np.inf, 0.01])
    short = solve(goal(effective(3), 3, repeats=Repeats(unique))).shares
    assert short[2] < fresh[2]


@given(st.floats(0.001, 1), st.floats(0, 1))
def test_worth_is_the_published_formula_with_its_slope(unique, share):
    repeats = Repeats(np.array([unique]))
    worth = float(repeats.worth(np.array([share]))[0])
    over = share / unique - 1
    expected = share if over <= 0 else unique + unique * 15.0 * (1 - np.exp(-over / 15.0))
    assert worth == pytest.approx(expected)
    assert worth <= share + 1e-12
    if abs(over) > 1e-3:
        slope = approx_fprime([share], lambda s: repeats.worth(s)[0], 1e-8)
        assert repeats.slope(np.array([share]))[0] == pytest.approx(slope[0], abs=1e-4)


def test_a_language_without_text_gets_nothing():
    box = Box(np.zeros(3), np.array([1.0, 0.0, 1.0]))
    ask = goal(effective(3), 3, box, repeats=Repeats(np.array([1.0, 0.0, 1.0])), natural=np.array([0.5, 0, 0.5]))
    for anchor in (0.0, 0.1):
        found = solve(Goal(ask.laws, ask.weights, box, ask.repeats, ask.natural, anchor))
        assert found.shares[1] == 0 and np.all(np.isfinite(found.losses))


def test_trees_are_solved_by_samples_near_the_true_optimum():
    true = effective(4, donor=3)
    shares = np.random.default_rng(0).dirichlet(np.ones(4), 300)
    trees = [law("lightgbm").fit(Sample(shares, fitted.predict(shares))) for fitted in true]
    box = Box(np.zeros(4), np.array([1, 1, 0.2, 1]))
    found = solve(goal(trees, 4, box)).shares
    assert abs(found.sum() - 1) < 1e-9 and np.all(found <= box.high + 1e-9)
    exact = goal(true, 4, box)
    best, uniform = solve(exact), exact.value(np.full((1, 4), 0.25))[0]
    got = exact.value(found[None])[0]
    assert got - best.value < 0.3 * (uniform - best.value)
    np.testing.assert_array_equal(found, solve(goal(trees, 4, box)).shares)


class Hump:
    """A loss that is high in the middle and lower at two corners, one of them the lowest."""

    def predict(self, shares):
        return 2 - (shares[:, 0] - 0.45) ** 2

    def gradient(self, shares):
        return np.column_stack([-2 * (shares[:, 0] - 0.45), np.zeros(len(shares))])


def test_starts_that_end_apart_are_counted_and_the_best_is_taken():
    found = solve(goal([Hump()], 2), starts=12)
    np.testing.assert_allclose(found.shares, [1, 0], atol=1e-6)
    assert 0 < found.agree < found.starts == 14
