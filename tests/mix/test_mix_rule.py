"""The rule that chooses, its proof and its ranges, in worlds that are given and not fitted."""

from dataclasses import replace

import numpy as np
import pytest

from glotmix.mix.accounting import Available
from glotmix.mix.law_fit import choose as choose_law
from glotmix.mix.laws.curve import Curve
from glotmix.mix.laws.effective_data import Formula
from glotmix.mix.limits import Box, Limits, box
from glotmix.mix.ranges import ranges
from glotmix.mix.repeat_worth import RepeatWorth, cap
from glotmix.mix.repeats import Repeats
from glotmix.mix.rule import Rule, choose, floored
from glotmix.mix.runs import Runs
from glotmix.mix.solve import Goal, solve
from glotmix.mix.worlds import Worlds, hellinger, slack

M = 4
PRIOR = np.full(M, 1 / M)


def goal(scales, high=None):
    """Each language's loss falls with its own share alone, by a scale of its own."""
    laws = [
        Curve(Formula(i), np.array([0.8, np.log(b), np.log(0.4), 0, *[-16.0] * (M - 1)])) for i, b in enumerate(scales)
    ]
    within = Box(np.zeros(M), np.ones(M) if high is None else np.array(high))
    return Goal(laws, PRIOR, within, Repeats(np.full(M, np.inf)), PRIOR)


def worlds(*scales, doubt=0.0, **more):
    point = goal(np.mean(scales, axis=0), **more)
    return Worlds(point, tuple(goal(each, **more) for each in scales), (), doubt)


SURE = worlds((0.6, 0.2, 0.2, 0.2), (0.62, 0.2, 0.2, 0.2), doubt=0.001)


def test_what_is_proven_is_taken_and_what_is_not_leaves_the_prior():
    found = choose(SURE, Rule(PRIOR))
    assert found.proven and found.way == 1 and found.gain[1] > 0 and found.shares is found.best
    assert found.best[0] > 1.5 * PRIOR[0], "the language with most to gain gets more"
    best = solve(SURE.point, starts=6)
    at = float(SURE.point.value(found.best[None])[0])
    whole = float(SURE.point.value(PRIOR[None])[0])
    assert at - best.value < 0.1 * (whole - best.value), "little of the gain is paid for caution and pull"
    far = float(hellinger(found.best, PRIOR))
    # As much doubt as the gain of the whole way is worth, 1.96 standard deviations, a hair to either side; and so much
    # that not even a first step is proven.
    ways = []
    for factor in (0.9, 1.1, 20.0):
        doubtful = choose(replace(SURE, slack=factor * found.gain[0] / 1.96 / far), Rule(PRIOR, caution=0.0))
        ways.append(doubtful.way)
        np.testing.assert_allclose(doubtful.shares, PRIOR + doubtful.way * (doubtful.best - PRIOR), atol=1e-12)
    assert ways[0] == 1 and 0.5 < ways[1] < 1 and ways[2] == 0


def test_of_a_gain_that_is_not_proven_whole_as_much_is_taken_as_is():
    far = float(hellinger(choose(SURE, Rule(PRIOR)).best, PRIOR))
    whole = choose(SURE, Rule(PRIOR, caution=0.0))
    doubtful = replace(SURE, slack=1.3 * whole.gain[0] / 1.96 / far)
    found = choose(doubtful, Rule(PRIOR, caution=0.0))
    assert 0 < found.way < 1 and found.proven and found.judged is not found.best
    assert found.whole == pytest.approx(whole.gain[0], rel=1e-3) and 0 < found.gain[0] < found.whole
    told = [float(x[0]) for x in doubtful.interval(found.shares, PRIOR[None])]
    np.testing.assert_allclose(found.gain, told, rtol=1e-6)
    assert told[1] > 0
    more = PRIOR + (found.way + 0.05) * (found.best - PRIOR)
    assert doubtful.interval(more, PRIOR[None])[1][0] <= 0, "of the next step no gain is proven"


def test_where_worlds_disagree_caution_stays_nearer_to_the_prior():
    apart = worlds((0.9, 0.2, 0.2, 0.2), (0.3, 0.2, 0.2, 0.2), (0.6, 0.2, 0.2, 0.2))
    far = [float(hellinger(choose(apart, Rule(PRIOR, caution=z, pull=0.0)).best, PRIOR)) for z in (0.0, 1.0, 3.0)]
    assert far[0] > 1.1 * far[1] > 1.1**2 * far[2]


def test_the_pull_is_to_the_prior_and_the_floor_a_part_of_it():
    pulled = [float(hellinger(choose(SURE, Rule(PRIOR, 0.0, k)).best, PRIOR)) for k in (0.0, 0.2, 2.0)]
    assert pulled[0] > 1.2 * pulled[1] > 1.2**2 * pulled[2] > 0
    nothing = worlds((0.6, 0.6, 0.6, 1e-6))
    for floor in (0.02, 0.4):
        found = choose(nothing, Rule(PRIOR, 0.0, 0.0, floor)).best
        assert found[3] == pytest.approx(floor * PRIOR[3], rel=0.02)
    capped = worlds((0.6, 0.2, 0.2, 0.2), high=(0.3, 1, 1, 0.0))
    found = choose(capped, Rule(PRIOR)).best
    assert found[0] <= 0.3 + 1e-9 and found[3] == 0, "a ceiling is stronger than the floor"


def test_the_pull_is_to_the_prior_and_not_to_as_much_as_there_is():
    natural, prior = np.array([0.1, 0.1, 0.7, 0.1]), np.array([0.1, 0.7, 0.1, 0.1])
    found = choose(replace(SURE, point=replace(SURE.point, natural=natural)), Rule(prior, 0.0, 100.0)).best
    np.testing.assert_allclose(found, prior, atol=0.01)


def test_floors_of_the_rule_give_way_where_they_leave_no_mixture():
    tight = Box(np.array([0.5, 0.45, 0.0, 0.0]), np.ones(M))
    assert floored(tight, Rule(PRIOR, floor=0.4)) is tight
    np.testing.assert_allclose(floored(tight, Rule(PRIOR, floor=0.04)).low, [0.5, 0.45, 0.01, 0.01])


def test_of_two_ways_down_the_one_that_ends_lower_is_taken(monkeypatch):
    # One begins at the prior, the other where least is expected; neither goes anywhere here.
    monkeypatch.setattr("glotmix.mix.rule.descend", lambda value, slope, start, within: start)
    apart = worlds((0.9, 0.2, 0.2, 0.2), (0.3, 0.2, 0.2, 0.2), (0.6, 0.2, 0.2, 0.2))
    bold, wary = (choose(apart, Rule(PRIOR, caution=z, pull=0.0)).best for z in (0.0, 50.0))
    assert bold[0] > 1.5 * PRIOR[0]
    np.testing.assert_array_equal(wary, PRIOR)


def test_what_all_worlds_say_alike_is_no_doubt():
    agreed = worlds(*[(0.6, 0.2, 0.2, 0.2)] * 3)
    bold, wary = (choose(agreed, Rule(PRIOR, caution=z)).best for z in (0.0, 5.0))
    np.testing.assert_allclose(bold, wary, atol=2e-3)


def test_the_way_down_knows_the_slope_of_gain_doubt_and_pull(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "glotmix.mix.rule.descend", lambda value, slope, start, within: asked.append((value, slope)) or start
    )
    choose(worlds((0.9, 0.2, 0.3, 0.2), (0.3, 0.2, 0.2, 0.2)), Rule(PRIOR, caution=0.7, pull=0.05))
    value, slope = asked[0]
    r, step = np.array([0.4, 0.3, 0.2, 0.1]), 1e-6
    numeric = [(value(r + step * e) - value(r - step * e)) / (2 * step) for e in np.eye(M)]
    np.testing.assert_allclose(slope(r), numeric, rtol=1e-4)


def test_all_worlds_of_few_targets_are_heard():
    alike, other = (0.6, 0.2, 0.2, 0.2), (0.05, 0.2, 0.2, 0.2)
    said = worlds(*[alike] * 12, *[other] * 12)
    all_, first = (choose(replace(said, goals=said.goals[:n]), Rule(PRIOR, caution=2.0)).best for n in (24, 12))
    assert hellinger(all_, PRIOR) < 0.7 * hellinger(first, PRIOR), "the others would have it otherwise"


def test_of_the_worst_language_the_least_expected_loss_is_taken():
    apart = worlds((0.9, 0.2, 0.2, 0.2), (0.3, 0.2, 0.2, 0.2), (0.6, 0.2, 0.2, 0.2))
    goals = [replace(one, quantile=1.0) for one in (apart.point, *apart.goals)]
    asked = replace(apart, point=goals[0], goals=tuple(goals[1:]))
    worst, wary = (choose(asked, Rule(PRIOR, caution=z)).best for z in (0.0, 50.0))
    assert worst[0] > 1.1 * choose(apart, Rule(PRIOR)).best[0], "it is the first, of which there is most to lose"
    np.testing.assert_array_equal(wary, worst)


def test_with_the_distance_of_sizes_intervals_widen_and_their_sign_stays():
    best = choose(SURE, Rule(PRIOR)).best
    others = np.array([PRIOR, best])
    near, far = (replace(SURE, decades=d).interval(best, others) for d in (0.0, 3.0))
    gain, low, high = (each[0] for each in near)
    np.testing.assert_allclose(low + high, 2 * gain)
    assert gain == far[0][0] and 0 < far[1][0] < 0.2 * low and far[2][0] > high
    back = replace(SURE, decades=3.0).interval(PRIOR, best[None])
    assert back[0][0] == pytest.approx(-gain) and back[1][0] == pytest.approx(-far[2][0])
    assert back[2][0] == pytest.approx(-far[1][0])
    wide = replace(SURE, slack=0.1)
    low_near, low_far = (replace(wide, decades=d).interval(best, others)[1][0] for d in (0.0, 1.0))
    assert low_far < low_near < 0, "what spans zero only widens"


def test_ranges_hold_what_the_runs_see_no_difference_of():
    best = choose(SURE, Rule(PRIOR)).best
    within = SURE.point.within
    low, high = ranges(SURE, best, best, within, 2e-3)
    assert (low <= best).all() and (best <= high).all() and (high - low > 0.01).all()
    value = SURE.point.score(SURE.point.losses(best[None]))[0]
    for i in range(M):
        # At the end of a range, the others in proportion, the loss has risen by no more than was asked.
        edge = best * (1 - high[i]) / (1 - best[i])
        edge[i] = high[i]
        assert SURE.point.score(SURE.point.losses(edge[None]))[0] - value < 2.2e-3
    wider = ranges(SURE, best, best, within, 1e-2)
    assert (wider[0] < low).all() and (wider[1] > high).all()
    doubtful = ranges(replace(SURE, slack=0.1), best, best, within, 2e-3)
    assert (doubtful[1] - doubtful[0] > high - low).all(), "of what is doubtful, too"
    taken = np.array([0.97, 0.01, 0.01, 0.01])
    low, high = ranges(SURE, best, taken, within, 2e-3)
    assert high[0] >= 0.97 and low[1] <= 0.01, "the mixture taken is within, whatever the worlds say of it"
    without = worlds((0.6, 0.2, 0.2, 0.2), high=(1, 1, 1, 0.0))
    low, high = ranges(
        without, np.array([0.4, 0.3, 0.3, 0.0]), np.array([0.4, 0.3, 0.3, 0.0]), without.point.within, 0.01
    )
    assert low[3] == high[3] == 0


def seen(noise, seeds=0):
    rng = np.random.default_rng(3)
    shares = rng.dirichlet(np.full(M, 8.0), 24)
    shares = np.vstack([shares, np.tile(PRIOR, (seeds, 1))])
    true = goal((0.6, 0.4, 0.3, 0.2))
    losses = true.losses(shares) * np.exp(noise * rng.standard_normal((len(shares), M)))
    names = tuple(f"l{i}" for i in range(M))
    return Runs(tuple(map(str, range(len(shares)))), names, names, shares, losses), true


def test_half_of_the_noise_that_was_measured_is_taken_out_of_the_doubt():
    runs, true = seen(0.02, seeds=8)
    choices = [choose_law(runs, target, ("own_share", "effective_data")) for target in runs.targets]
    with_noise = slack(runs, choices, true, PRIOR)
    unknown = runs.take(np.arange(24))
    cut = [replace(c, residuals=c.residuals[:24]) for c in choices]
    noise_in = slack(unknown, cut, true, PRIOR)
    assert 0.3 * noise_in < with_noise < 0.9 * noise_in
    # However large the noise of the seeds, a tenth of what was missed stays.
    noisy = replace(runs, losses=np.vstack([runs.losses[:24], runs.losses[24:] * np.linspace(0.5, 1.5, 8)[:, None]]))
    least = slack(noisy, choices, true, PRIOR)
    assert least > 0
    quiet, _ = seen(0.0001, seeds=8)
    choices = [choose_law(quiet, target, ("own_share", "effective_data")) for target in quiet.targets]
    assert slack(quiet, choices, true, PRIOR) < 0.1 * with_noise


def test_the_doubt_is_of_runs_near_the_prior_or_near_the_best_mixture():
    runs, true = seen(0.001)
    corner = np.array([0.97, 0.01, 0.01, 0.01])
    rng = np.random.default_rng(0)
    starved = np.array([[0.001, 0.199, 0.4, 0.4], [0.4, 0.001, 0.199, 0.4], [0.4, 0.4, 0.001, 0.199]] * 3)
    shares = np.vstack([runs.shares[:9], starved, rng.dirichlet(60 * corner + 0.5, 12)])
    wrong = np.where((shares.min(axis=1) < 0.002) & (shares[:, 0] < 0.5), 0.2, 0.001) * (-1.0) ** np.arange(30)
    names = tuple(map(str, range(30)))
    table = replace(runs, names=names, shares=shares, losses=true.losses(shares))
    choices = [replace(choose_law(table, t, ("own_share",)), residuals=wrong) for t in table.targets]
    assert slack(table, choices, true, PRIOR, corner) < 0.1 * slack(table, choices, true, PRIOR)


def test_a_token_may_be_seen_as_often_as_repeats_are_worth_where_two_sizes_say_it():
    def at(size, rate):
        return RepeatWorth(size, rate, 1.0, 60.0, 20)

    assert cap([]) == cap([at(1e5, 60.0)]) == 4
    assert cap([at(1e5, 8.0), at(2e5, 30.0)]) == 8
    assert cap([at(1e5, 60.0), at(2e5, 60.0)]) == 15
    assert cap([at(1e5, 1.0), at(2e5, 60.0)]) == 4


def test_unimax_of_the_box_that_was_asked_is_what_the_rule_takes_for_the_prior():
    there = Available.of({f"l{i}": (1, n, n) for i, n in enumerate((4000, 2000, 1000, 100))})
    within = box(there, 4000, Limits(4))
    assert within.high[3] == pytest.approx(0.1)
    drawn = replace(SURE, point=replace(SURE.point, within=within), slack=10.0)
    found = choose(drawn, Rule(np.full(M, 1 / M)))
    assert not found.proven and found.shares[3] == pytest.approx(0.1) and found.shares.sum() == pytest.approx(1)
