"""What repeats are worth is asked of runs that repeat, at every size."""

import numpy as np
import pytest

from glotmix.mix.law_fit import fit
from glotmix.mix.laws import law
from glotmix.mix.repeat_worth import discounted, estimate
from glotmix.mix.repeats import WORTH, Repeats
from glotmix.mix.runs import Runs

LANGUAGES = ("eng_Latn", "hin_Deva", "tha_Thai")


def table(rate, n=60, noise=0.002, sizes=(3e5,), unique=(np.inf, 0.02, 0.01)):
    """Runs in which two languages repeat up to a hundred times, and repeats are worth R* = `rate`."""
    rng = np.random.default_rng(0)
    shares = np.tile(rng.dirichlet(np.ones(3), n), (len(sizes), 1))
    stock = np.tile(np.array(unique) * 1e6, (len(shares), 1))
    parameters = np.repeat(sizes, n)
    rates = dict(zip(sizes, rate if isinstance(rate, tuple) else [rate] * len(sizes), strict=True))
    worth = np.vstack([Repeats(stock[:n] / 1e6, rates[size]).worth(shares[:n]) for size in sizes])
    losses = 1.5 * (worth + 0.01) ** -0.2 * np.exp(noise * rng.standard_normal(worth.shape))
    names = tuple(f"r{i}" for i in range(len(shares)))
    return Runs(names, LANGUAGES, LANGUAGES, shares, losses, parameters, np.full(len(shares), 1e6), stock)


@pytest.mark.parametrize("rate", [2.0, 15.0, 60.0])
def test_the_worth_of_repeats_is_found(rate):
    (one,) = estimate(table(rate))
    assert one.rate == rate and one.low <= rate <= one.high and one.runs > 50


def test_each_size_has_its_own_and_the_laws_discount_by_the_main_ones():
    runs = table((2.0, 15.0), sizes=(1e5, 3e5))
    assert [(one.parameters, one.rate) for one in estimate(runs)] == [(1e5, 2.0), (3e5, 15.0)]
    assert discounted(runs).repeats == WORTH, "the main size is the larger"
    runs = table(2.0)
    told = discounted(runs)
    assert told.repeats == 2.0
    off = [
        np.abs(fit(r, "tha_Thai", law("own_share")).predict(r.worth()) - r.loss("tha_Thai")).mean()
        for r in (told, runs)
    ]
    assert off[0] < 0.5 * off[1]


def test_runs_that_do_not_repeat_or_hardly_say_anything_leave_it_as_it_is():
    assert estimate(table(15.0, unique=(np.inf, 1.0, 1.0))) == ()
    noisy = table(4.0, n=16, noise=0.3)
    assert discounted(noisy).repeats == WORTH
    plain = table(2.0)
    none = Runs(plain.names, LANGUAGES, LANGUAGES, plain.shares, plain.losses)
    assert estimate(none) == () and discounted(none) is none
