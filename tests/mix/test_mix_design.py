"""Mixtures for proxies to train on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmix.core.errors import RequestError
from glotmix.mix.accounting import Available
from glotmix.mix.design import FIRST_NEAR, Design, design, dirichlet, enough, first, further, local
from glotmix.mix.worlds import hellinger


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 12), st.integers(1, 40), st.integers(0, 99))
def test_mixtures_are_on_the_simplex_and_no_share_is_out_of_all_proportion(m, runs, seed):
    prior = np.random.default_rng(seed).dirichlet(np.full(m, 3.0))
    drawn = dirichlet(prior, runs, seed, times=15)
    assert drawn.shape == (runs, m) and drawn.min() >= 0
    np.testing.assert_allclose(drawn.sum(axis=1), 1, atol=1e-12)
    assert np.all(drawn <= 15 * prior + 1e-9)
    np.testing.assert_array_equal(drawn, dirichlet(prior, runs, seed, times=15))


def test_they_lie_around_the_prior_some_near_it_some_at_the_edges():
    prior = np.array([0.4, 0.3, 0.2, 0.1])
    drawn = dirichlet(prior, 2000, 0)
    np.testing.assert_allclose(drawn.mean(axis=0), prior, atol=0.03)
    # Strength 0.1 makes nearly one-hot mixtures; a Dirichlet at strength 5 has deviations near sqrt(p (1 - p) / 6).
    assert np.mean(drawn.max(axis=1) > 0.95) > 0.3
    near = dirichlet(prior, 2000, 0, weakest=4.999)
    np.testing.assert_allclose(near.std(axis=0), np.sqrt(prior * (1 - prior) / 6), rtol=0.1)


def test_a_limit_that_no_mixture_keeps_is_refused_and_one_that_hardly_any_draw_keeps_is_kept():
    with pytest.raises(RequestError, match=r"no mixture keeps every share under 0\.9 times"):
        dirichlet(np.ones(40), 3, 0, times=0.9)
    # Of a hundred unequal languages no draw keeps a limit, and there is a mixture all the same.
    prior = np.random.default_rng(0).dirichlet(np.full(100, 0.3))
    drawn = dirichlet(prior, 5, 0)
    assert np.all(drawn <= 15 * prior / prior.sum() + 1e-6)
    np.testing.assert_allclose(drawn.sum(axis=1), 1, atol=1e-9)
    assert enough(12) == 39


STOCK = Available.of({f"l{i}": (10, tokens, tokens) for i, tokens in enumerate((9_000_000, 900_000, 90_000, 9_000))})
Q = np.array([0.4, 0.3, 0.2, 0.1])


def test_near_mixtures_come_in_pairs_on_either_side_of_the_prior():
    drawn = local(Q, 400, 3, spread=0.7)
    np.testing.assert_allclose(drawn.sum(axis=1), 1, atol=1e-12)
    # The logarithms of a pair lie opposite each other, up to what makes them sum to one.
    one, other = (np.log(drawn[i::2] / Q) for i in (0, 1))
    one, other = (x - x.mean(axis=1, keepdims=True) for x in (one, other))
    np.testing.assert_allclose(one, -other, atol=1e-12)
    assert one.std() == pytest.approx(0.7 * np.sqrt(3 / 4), rel=0.1)
    assert hellinger(drawn, Q).mean() < 0.5 * hellinger(dirichlet(Q, 400, 3), Q).mean()
    assert local(Q, 3, 0).shape == (3, 4)
    np.testing.assert_array_equal(drawn, local(Q, 400, 3, spread=0.7))


def test_a_design_for_a_target_has_two_sizes_two_rates_of_repeats_and_seeds_at_the_centre():
    planned = design(STOCK, Design(1e5, (3e5,), runs=24, target=1e7))
    small, large = (planned.parameters == size for size in (3e5, 6e5))
    names = np.array(planned.names)
    assert [n for n in names if n.startswith("near")][:2] == ["near-000-300k", "near-001-300k"]
    count = {
        part: sum(n.startswith(part) and "fresh" not in n for n in names[small]) for part in ("near", "mix", "centre")
    }
    assert count == {"near": 16, "mix": 8, "centre": 4}
    count = {
        part: sum(n.startswith(part) and "fresh" not in n for n in names[large]) for part in ("near", "mix", "centre")
    }
    assert count == {"near": 8, "mix": 4, "centre": 4}
    # At the larger size whole pairs of the same mixtures.
    twice = planned.shares[[list(names).index(n) for n in ("near-000-300k", "near-000-600k")]]
    np.testing.assert_array_equal(twice[0], twice[1])
    fresh = np.array(["fresh" in n for n in names])
    np.testing.assert_allclose(planned.unique[fresh][0], 4 * planned.unique[~fresh][0])
    np.testing.assert_allclose(planned.unique[~fresh][0], STOCK.sizes / 100)
    # The centre is UniMax at four epochs of the target: 1.08 of 10 million tokens are what the small ones can give.
    centre = planned.shares[list(names).index("centre-300k-s0")]
    np.testing.assert_allclose(centre[1:], [0.36, 0.036, 0.0036], rtol=1e-6)
    assert (planned.seeds[[n.startswith("centre-300k-s") for n in names]] == range(4)).all()
    plain = design(STOCK, Design(1e5, (3e5,), runs=24, target=1e7, one_size=True))
    assert set(plain.parameters) == {3e5} and not any("fresh" in n for n in plain.names) and len(plain) == 28


def test_regmixs_design_is_there_for_who_asks():
    planned = design(STOCK, Design(1e5, runs=12, near=0.0))
    assert [n[:3] for n in planned.names] == ["mix"] * 12 and planned.parameters is None
    with pytest.raises(RequestError, match="a part of the mixtures"):
        Design(1e5, near=1.5)


def test_a_further_round_has_seeds_of_what_was_found_and_pairs_nearer_than_before():
    best = dict(zip(STOCK.languages, Q, strict=True))
    more = further(STOCK, Design(1e5, (3e5,), target=1e7, one_size=True), best)
    assert more.names[:2] == ("next-near-000", "next-near-001") and more.names[4:] == tuple(
        f"next-centre-s{k}" for k in range(4)
    )
    np.testing.assert_allclose(more.shares[4:], [Q] * 4)
    np.testing.assert_allclose(more.unique[0], STOCK.sizes / 100)
    both = further(STOCK, Design(1e5, (3e5,), runs=8, target=1e7, monolingual=3), best)
    # At the larger size every other pair; nothing that draws from more text, and no language alone.
    assert len(both) == 8 + 4 + 4 + 4 and set(both.parameters) == {3e5, 6e5}
    assert not any("fresh" in name or "alone" in name for name in both.names)
    assert 0.02 < hellinger(both.shares[:8], Q).mean() < 0.6 * hellinger(local(Q, 200, 0), Q).mean()
    capped = further(STOCK, Design(1e5, (3e5,), target=1e7, max_epochs=4), best)
    assert (capped.shares <= 4 * STOCK.sizes / 1e7 + 1e-9).all()


def test_two_rounds_have_as_many_mixtures_as_one_and_the_first_can_be_judged():
    assert [first(m) for m in (2, 4, 8, 100)] == [8, 8, 16, 200]
    assert first(8) + 8 == enough(8) - 3 and Design.near > FIRST_NEAR
