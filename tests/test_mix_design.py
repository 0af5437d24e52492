"""Mixtures for proxies to train on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmix.core.errors import RequestError
from glotmix.mix.design import dirichlet, enough


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


def test_a_prior_that_allows_no_draw_is_refused():
    with pytest.raises(RequestError, match="no mixture of 40 languages"):
        dirichlet(np.ones(40), 3, 0, times=1.01)
    assert enough(12) == 39
