"""What stands beside an optimum: groups, two steps, a bound from below, further runs, who helps whom."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from glotmix.core.errors import RequestError
from glotmix.mix.accounting import Available
from glotmix.mix.config import GroupConfig
from glotmix.mix.convex import certify, convex
from glotmix.mix.groups import Group
from glotmix.mix.laws import Sample, law
from glotmix.mix.laws.curve import DoseCurve
from glotmix.mix.laws.effective_data import Formula
from glotmix.mix.laws.ridge import Linear
from glotmix.mix.limits import Box, Limits, box, nearest, nearest_rows
from glotmix.mix.proposals import candidates, propose
from glotmix.mix.repeats import Repeats
from glotmix.mix.solve import Goal, solve
from glotmix.mix.transfer import transfer, worths
from glotmix.mix.two_step import two_step


def effective(m, seed=0, donor=1.0, shift=0.0, equal=False):
    """A known effective-data law per language; language 0 gives `donor` times the usual transfer."""
    rng = np.random.default_rng(seed)
    laws = []
    for i in range(m):
        tau = np.full(m, 0.1) if equal else rng.uniform(0.02, 0.2, m)
        tau[0] *= donor
        theta = np.concatenate([[rng.uniform(0.5, 1) + shift], [np.log(rng.uniform(0.2, 0.6)), np.log(0.4), 0.0]])
        laws.append(DoseCurve(Formula(i), np.append(theta, np.log(np.delete(tau, i)))))
    return laws


def goal(laws, m, within=None, **more):
    more.setdefault("weights", np.full(len(laws), 1 / len(laws)))
    more.setdefault("natural", np.full(m, 1 / m))
    more.setdefault("repeats", Repeats(np.full(m, np.inf)))
    return Goal(laws, within=within or Box(np.zeros(m), np.ones(m)), **more)


STOCK = Available.of({f"{c}_Latn": (100, 4_000_000, 1_000_000) for c in ("fra", "ita", "spa", "deu", "nld")})
ROMANCE = {"languages": ("fra_Latn", "ita_Latn", "spa_Latn")}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_with_groups_the_nearest_mixture_is_the_least_divergence(seed, floor):
    rng = np.random.default_rng(seed)
    w, inside = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(5))
    held = inside[[0, 1, 2]].sum()
    group = Group("g", np.array([0, 1, 2]), held * 0.98 if floor else 0.0, 1.0 if floor else held * 1.02)
    within = Box(inside * rng.uniform(0, 1, 5), np.minimum(inside * rng.uniform(1.05, 4, 5), 1), (group,))
    found = nearest(w, within)
    assert abs(found.sum() - 1) < 1e-9 and np.all(found >= within.low - 1e-9) and np.all(found <= within.high + 1e-9)
    assert group.low - 1e-9 <= found[:3].sum() <= group.high + 1e-9
    np.testing.assert_allclose(nearest_rows(np.array([w, w]), within)[1], found, atol=1e-9)

    def divergence(r):
        return float((np.maximum(r, 1e-15) * np.log(np.maximum(r, 1e-15) / w)).sum())

    inside_ = {"type": "ineq", "fun": lambda r: [r[:3].sum() - group.low, group.high - r[:3].sum()]}
    one = {"type": "eq", "fun": lambda r: r.sum() - 1}
    bounds = list(zip(within.low, within.high, strict=True))
    theirs = minimize(divergence, inside, bounds=bounds, constraints=[one, inside_], method="SLSQP").x
    assert divergence(found) <= divergence(theirs) + 1e-6


def test_groups_bound_the_optimum_and_what_cannot_be_is_refused_by_name():
    limits = Limits(max_epochs=4, groups={"romance": GroupConfig(**ROMANCE, floor=0.3, ceiling=0.4)})
    within = box(STOCK, 3_000_000, limits)
    for quantile in (None, 1.0):
        found = solve(goal(effective(5, donor=6), 5, within, quantile=quantile)).shares
        assert 0.3 - 1e-6 <= found[:3].sum() <= 0.4 + 1e-6 and abs(found.sum() - 1) < 1e-9
    free = solve(goal(effective(5, donor=6), 5, Box(np.zeros(5), np.ones(5)))).shares
    assert free[:3].sum() > 0.5
    trees = [law("lightgbm").fit(Sample(np.random.default_rng(0).dirichlet(np.ones(5), 60), np.linspace(2, 3, 60)))] * 2
    sampled = solve(goal(trees, 5, within)).shares
    assert 0.3 - 1e-6 <= sampled[:3].sum() <= 0.4 + 1e-6

    def asked(tokens=3_000_000, epochs=4.0, **group):
        return box(STOCK, tokens, Limits(max_epochs=epochs, groups={"romance": GroupConfig(**{**ROMANCE, **group})}))

    with pytest.raises(RequestError, match=r"group romance \(fra_Latn, ita_Latn, spa_Latn\)(.|\n)*romance by 600"):
        asked(epochs=1.0, tokens=4_000_000, floor=0.9)
    with pytest.raises(RequestError, match=r"under the ceilings of the groups(.|\n)*too few"):
        asked(epochs=1.0, tokens=4_000_000, ceiling=0.1)
    with pytest.raises(RequestError, match=r"'ita_Latin'.*ita_Latn"):
        asked(languages=("ita_Latin",))
    with pytest.raises(RequestError, match=r"floor 0\.5 is above the ceiling 0\.2"):
        asked(floor=0.5, ceiling=0.2)
    two = {"a": GroupConfig(**ROMANCE), "b": GroupConfig(languages=("spa_Latn", "deu_Latn"))}
    with pytest.raises(RequestError, match="spa_Latn is in the groups a and b"):
        box(STOCK, 1000, Limits(groups=two))
    floors = Limits(floors={"fra_Latn": 0.5}, groups={"romance": GroupConfig(**ROMANCE, ceiling=0.4)})
    with pytest.raises(RequestError, match=r"floors of its languages add up to 0.5, 0.1 too many"):
        box(STOCK, 1000, floors)


def test_two_steps_are_exact_where_all_donate_alike_and_short_where_one_donates():
    alike = goal(effective(6, equal=True), 6)
    best, steps = solve(alike), two_step(alike, alike.laws, range(6))
    assert steps.value == pytest.approx(best.value, abs=1e-5)
    np.testing.assert_allclose(steps.shares, best.shares, atol=0.01)
    donor = goal(effective(6, donor=6), 6)
    best, steps = solve(donor), two_step(donor, donor.laws, range(6))
    assert steps.value > best.value + 0.005 and steps.shares[0] < best.shares[0] - 0.1


def test_the_magnitude_is_what_a_linear_programme_finds():
    m = 5
    ask = goal(effective(m, seed=3), m)
    steps = two_step(ask, ask.laws, range(m))
    tau = np.array([law.formula.transfer(law.theta) for law in ask.laws])
    rows = np.column_stack([-tau, steps.direction])
    found = linprog(
        np.append(np.zeros(m), -1),
        A_ub=rows,
        b_ub=np.full(m, 1e-6),
        A_eq=[[*np.ones(m), 0]],
        b_eq=[1],
        bounds=(0, None),
    )
    assert steps.magnitude == pytest.approx(-found.fun, rel=1e-4)
    # And the direction is of equal marginal benefit at that scale.
    e, b, beta = np.array([law.power() for law in ask.laws]).T
    ratio = steps.direction * steps.magnitude
    benefit = beta * b * ratio ** (-beta - 1)
    np.testing.assert_allclose(benefit, benefit.mean(), rtol=1e-3)
    assert np.all(e > 0)


def test_in_two_steps_a_language_at_its_cap_does_not_hold_back_the_others():
    within = Box(np.zeros(4), np.array([1, 1, 1, 0.02]))
    ask = goal(effective(4, equal=True), 4, within)
    best, steps = solve(ask), two_step(ask, ask.laws, range(4))
    assert steps.shares[3] == pytest.approx(0.02, abs=1e-6)
    assert steps.value - best.value < 0.002


@pytest.mark.parametrize(
    ("quantile", "anchor", "unique"), [(None, 0.0, 0.1), (None, 0.05, np.inf), (1.0, 0.0, np.inf), (1.0, 0.05, 0.1)]
)
def test_linear_programmes_confirm_the_direct_solver_and_find_it_alone(quantile, anchor, unique):
    natural = np.array([0.6, 0.1, 0.1, 0.1, 0.05, 0.05])
    group = (Group("g", np.array([1, 2]), 0.15, 0.5),)
    repeats = Repeats(np.array([np.inf, *[unique] * 5]))
    within = Box(np.zeros(6), np.full(6, 0.7), group)
    ask = goal(effective(6, donor=3), 6, within, quantile=quantile, anchor=anchor, natural=natural, repeats=repeats)
    laws = [law("effective_data")] * 6
    assert convex(ask, laws)
    best = solve(ask)
    sure = certify(ask, best.shares)
    start = ask.value(nearest(natural, within)[None])[0]
    assert sure.lower <= best.value + 1e-9 and sure.gap <= 0.002 * (start - best.value)
    alone = certify(ask, nearest(np.ones(6), within), tolerance=1e-3, rounds=100)
    assert alone.value == pytest.approx(best.value, abs=0.005 * (start - best.value))
    assert alone.lower <= best.value + 1e-9
    mixtures = nearest_rows(np.random.default_rng(0).dirichlet(np.ones(6), 500), within)
    assert ask.value(mixtures).min() >= sure.lower


def test_what_is_not_convex_gets_no_bound():
    assert not convex(goal(effective(3), 3, quantile=0.5), [law("effective_data")] * 3)
    assert not convex(goal(effective(3), 3), [law("effective_data")] * 2 + [law("fading_transfer")])
    harmful = [Linear(3.0, np.array([-1.0, 0.5, 0.2]))]
    assert convex(goal(harmful, 3), [law("ridge")])
    short = Repeats(np.array([np.inf, 0.1, 0.1]))
    assert not convex(goal(harmful, 3, repeats=short), [law("ridge")])


def test_the_run_that_is_proposed_says_which_contender_is_best():
    def world(shift):
        return goal([Linear(2.0, np.array([0.0, shift, 1.0]))], 3)

    # Either of two corners may be the best; the third is known to be bad.
    shifts = (-0.4, -0.2, 0.2, 0.4)
    drawn = [world(s) for s in shifts]
    contenders, could = np.eye(3)[:2], np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.5, 0.5, 0.0]])
    (run, second) = propose(drawn, could, contenders, 0.01, 2)
    np.testing.assert_array_equal(run.shares, [0, 1, 0])
    # By hand: the difference of the corners is normal with the variance of the shifts, and is nearly learnt.
    deviation = np.std(shifts, ddof=1)
    assert run.gain == pytest.approx(deviation * np.sqrt(1 / (2 * np.pi)), rel=0.02)
    assert second.gain < 0.1 * run.gain and not np.array_equal(second.shares, run.shares)
    assert propose(drawn, could, contenders, 5.0, 1)[0].gain < 0.1 * run.gain


def test_candidates_keep_the_limits_and_are_near_and_far():
    within = Box(np.zeros(4), np.array([1, 1, 0.3, 0.0]))
    around = np.array([0.5, 0.3, 0.2, 0.0])
    drawn = candidates(np.array([0.4, 0.3, 0.2, 0.1]), around, within, 0)
    assert drawn.shape == (256, 4) and np.all(drawn[:, 3] == 0) and drawn[:, 2].max() <= 0.3 + 1e-9
    apart = np.abs(drawn - around).sum(axis=1)
    assert apart.min() < 0.1 and apart.max() > 0.8
    np.testing.assert_array_equal(drawn, candidates(np.array([0.4, 0.3, 0.2, 0.1]), around, within, 0))


def test_transfer_is_who_helps_whom_with_neighbours_together():
    names = ["hin_Deva", "fra_Latn", "npi_Deva", "ita_Latn"]
    tau = np.array([[1, 0.01, 0.5, 0.01], [0.02, 1, 0.01, 0.4], [0.9, 0.01, 1, 0.01], [0.02, 0.6, 0.01, 1]])
    theta = [np.concatenate([[1.0, -1.0, -1.0, 0.0], np.log(np.delete(tau[i], i))]) for i in range(4)]
    laws = [DoseCurve(Formula(i), theta[i]) for i in range(4)]
    shares = np.array([0.4, 0.3, 0.2, 0.1])
    point = worths(laws, range(4), shares, Repeats(np.full(4, np.inf)))
    np.testing.assert_allclose(point, tau)
    rng = np.random.default_rng(0)
    drawn = tau * np.exp(0.05 * rng.standard_normal((60, 4, 4)))
    found = transfer(names, ["effective_data"] * 4, point, drawn)
    order = found.languages
    assert abs(order.index("hin_Deva") - order.index("npi_Deva")) == 1
    assert abs(order.index("fra_Latn") - order.index("ita_Latn")) == 1
    cell = found.worth[order.index("npi_Deva")][order.index("hin_Deva")]
    assert cell.value == 0.9 and cell.low < 0.9 < cell.high
    gives = dict(zip(order, found.gives, strict=True))
    assert gives["hin_Deva"].value == pytest.approx((0.02 + 0.9 + 0.02) / 3)
    receives = dict(zip(order, found.receives, strict=True))
    assert receives["hin_Deva"].value == pytest.approx((0.01 + 0.5 + 0.01) / 3)
    first = found.asymmetric[0]
    assert (first.donor, first.other) == ("hin_Deva", "npi_Deva") and first.value == pytest.approx(0.4)
    assert first.low > 0
    # Without a bootstrap there are no intervals, and nothing is called asymmetric.
    plain = transfer(names, ["effective_data"] * 4, point, None)
    assert plain.asymmetric == () and plain.worth[0][0].low is None and plain.languages == order
