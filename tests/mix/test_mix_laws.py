"""Every law: derivatives against finite differences, true parameters found again, real held-out mixtures ranked."""

from pathlib import Path

import numpy as np
import pytest
from scipy import optimize
from scipy.optimize import approx_fprime
from scipy.stats import spearmanr
from threadpoolctl import threadpool_limits

from glotmix.core.errors import DataError, RequestError
from glotmix.mix import law_fit as fit
from glotmix.mix.laws import Sample, law, specs
from glotmix.mix.laws.robust import least_squares
from glotmix.mix.run_tables import regmix
from glotmix.mix.runs import Runs

REGMIX = Path(__file__).parents[1] / "data" / "regmix"
WITH_FORMULA = ["effective_data", "fading_transfer", "saturating_transfer", "own_share", "log_linear", "bimix"]
OF_SHARES = [name for name, known in specs().items() if set(known.law.needs) <= {"own"}]
"""Laws that need nothing but mixtures; tests/test_mix_scaled.py has the others."""


def mixtures(n, m, seed=0, strength=1.0):
    return np.random.default_rng(seed).dirichlet(np.full(m, strength), n)


def world(n=60, m=5, noise=0.0, seed=0):
    """Runs of a known effective-data law."""
    rng = np.random.default_rng(seed)
    shares = mixtures(n, m, seed)
    tau = np.where(np.eye(m) == 1, 1, rng.uniform(0.02, 0.3, (m, m)))
    dose = shares @ tau.T
    floor, scale, beta = rng.uniform(1, 2, m), rng.uniform(0.3, 0.6, m), rng.uniform(0.2, 0.5, m)
    losses = (floor + scale * dose**-beta) * np.exp(noise * rng.standard_normal((n, m)))
    names = tuple(f"l{i}" for i in range(m))
    return Runs(tuple(f"r{i}" for i in range(n)), names, names, shares, losses), tau


@pytest.fixture(autouse=True)
def one_thread():
    """Small matrices on a shared machine: many threads only wait for each other."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def real():
    def table(split):
        return regmix(REGMIX / f"{split}_mixture_1m.csv", REGMIX / f"{split}_pile_loss_1m.csv")

    return table("train"), table("test")


@pytest.mark.parametrize("name", WITH_FORMULA)
@pytest.mark.parametrize("own", [2, None])
def test_derivatives_are_exact(name, own):
    runs, _ = world()
    if own is None and "own" in law(name).needs:
        with pytest.raises(RequestError, match="no language of the runs"):
            law(name).fit(Sample(runs.shares, runs.losses[:, 2]))
        return
    fitted = law(name).fit(Sample(runs.shares, runs.losses[:, 2], own))
    here = mixtures(4, 5, seed=9)
    formula, theta = fitted.formula, fitted.theta
    for k, row in enumerate(here):
        one = row[None]
        by_theta = approx_fprime(theta, lambda t, one=one: formula.value(t, one)[0], 1e-7)
        by_shares = approx_fprime(row, lambda r: formula.value(theta, r[None])[0], 1e-8)
        np.testing.assert_allclose(formula.by_theta(theta, here)[k], by_theta, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(fitted.gradient(here)[k], by_shares, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_the_fit_is_the_minimum_that_scipy_finds(noise):
    rng = np.random.default_rng(4)
    x = rng.uniform(0.1, 2, 60)
    y = 1.5 + 0.7 * x**-0.8 + noise * rng.standard_t(1.5, 60)
    low, high = np.array([0.0, -5.0, -3.0, 0.5]), np.array([1.4, 5.0, 3.0, 9.0])

    def residuals(t):
        return np.append((t[0] + np.exp(t[1]) * x ** -np.exp(t[2]) + 0.01 * t[3] - y) / 0.02, 0.3 * t[3])

    def jacobian(t):
        e, power = np.exp(t[1]), x ** -np.exp(t[2])
        by = np.column_stack([np.ones(60), e * power, -e * power * np.log(x) * np.exp(t[2]), np.full(60, 0.01)]) / 0.02
        return np.vstack([by, [0, 0, 0, 0.3]])

    start = np.array([1.0, 0.0, 0.0, 1.0])
    theta, cost = least_squares(residuals, jacobian, start, low, high)
    theirs = optimize.least_squares(residuals, start, jacobian, bounds=(low, high), loss="huber", ftol=1e-12)
    assert cost == pytest.approx(theirs.cost, rel=1e-4, abs=1e-6)
    np.testing.assert_allclose(theta, theirs.x, rtol=0.02, atol=1e-3)
    # The first parameter is held by a bound.
    assert theta[0] == 1.4


@pytest.mark.parametrize("name", ["gp", "ridge"])
def test_gradients_of_regressions_are_exact(name):
    runs, _ = world()
    fitted = law(name).fit(Sample(runs.shares, runs.losses[:, 1]))
    here = mixtures(4, 5, seed=9)
    found = [approx_fprime(row, lambda r: fitted.predict(r[None])[0], 1e-7) for row in here]
    np.testing.assert_allclose(fitted.gradient(here), found, rtol=1e-3, atol=1e-4)


def test_the_process_predicts_what_the_library_does():
    runs, _ = world()
    fitted = law("gp").fit(Sample(runs.shares, runs.losses[:, 1]))
    here = mixtures(9, 5, seed=9)
    theirs, spread = fitted.model.predict(np.sqrt(here + 1e-6), return_std=True)
    np.testing.assert_allclose(fitted.predict(here), theirs, rtol=1e-10)
    np.testing.assert_allclose(fitted.spread(here), spread)


def test_trees_have_no_gradient_and_do_not_stop_early():
    runs, _ = world()
    fitted = law("lightgbm").fit(Sample(runs.shares, runs.losses[:, 0]))
    assert fitted.gradient(runs.shares) is None
    assert fitted.model.current_iteration() == 1000


def test_effective_data_finds_the_transfer_again():
    runs, tau = world(n=200)
    fitted = law("effective_data").__class__(ridge=1e-6).fit(Sample(runs.shares, runs.losses[:, 1], 1))
    found = fitted.formula.transfer(fitted.theta)
    assert found[1] == 1
    np.testing.assert_allclose(found, tau[1], rtol=0.02)


@pytest.mark.parametrize(("name", "form"), [("fading_transfer", "decay"), ("saturating_transfer", "saturating")])
def test_an_interaction_is_drawn_to_none_as_strongly_as_asked(name, form):
    shares = mixtures(60, 3, 4)
    fade = 6 * shares[:, 0] if name == "fading_transfer" else 0
    worth = shares[:, 1] / (1 + (0 if name == "fading_transfer" else 6 * shares[:, 1]))
    losses = 1.5 + 0.5 * (shares[:, 0] + 0.4 * np.exp(-fade) * worth) ** -0.4
    kinds = (type(law(name))(form=form, shaping=strength) for strength in (1e-9, 1e6))
    free, held = (kind.fit(Sample(shares, losses, 0)).theta[0] for kind in kinds)
    assert held < 0.05 < free


def test_fading_transfer_finds_how_fast_it_fades():
    shares, tau = mixtures(150, 4, strength=0.5), np.array([0.0, 0.3, 0.1, 0.2])
    dose = shares[:, 0] + np.exp(-6 * shares[:, 0]) * (shares @ tau) + 1e-6
    losses = 0.8 + 0.4 * dose**-0.4
    fitted = law("fading_transfer").__class__(ridge=1e-6, shaping=1e-9).fit(Sample(shares, losses, 0))
    assert fitted.theta[0] == pytest.approx(6, rel=0.1)
    np.testing.assert_allclose(np.exp(fitted.theta[5:]), tau[1:], rtol=0.1)
    unseen = mixtures(50, 4, seed=5)
    true = 0.8 + 0.4 * (unseen[:, 0] + np.exp(-6 * unseen[:, 0]) * (unseen @ tau) + 1e-6) ** -0.4
    np.testing.assert_allclose(fitted.predict(unseen), true, rtol=2e-3)
    # Transfer that does not fade is not taken for one that does.
    still = 0.8 + 0.4 * (shares[:, 0] + shares @ tau + 1e-6) ** -0.4
    assert law("fading_transfer").fit(Sample(shares, still, 0)).theta[0] < 0.3


def test_with_noise_the_loss_of_unseen_mixtures_is_found_and_who_donates_most():
    # The level of all transfers together is hardly told apart from the exponent: only their order is asked for.
    runs, tau = world(n=240, noise=0.003)
    clean, _ = world(n=240)
    fitted = law("effective_data").fit(Sample(runs.shares[:120], runs.losses[:120, 1], 1))
    np.testing.assert_allclose(fitted.predict(clean.shares[120:]), clean.losses[120:, 1], rtol=0.01)
    found = fitted.formula.transfer(fitted.theta)
    assert spearmanr(found, tau[1]).statistic >= 0.9


@pytest.mark.parametrize("name", OF_SHARES)
def test_the_order_of_runs_and_languages_changes_nothing(name):
    runs, _ = world(n=40, noise=0.01)
    order, turned = np.random.default_rng(1).permutation(40), np.array([3, 0, 4, 2, 1])
    here = mixtures(6, 5, seed=3)
    losses = runs.losses[:, 2]
    one = law(name).fit(Sample(runs.shares, losses, 2)).predict(here)
    other = law(name).fit(Sample(runs.shares[order][:, turned], losses[order], 3)).predict(here[:, turned])
    # Trees sum their gradients in another order, and may break a tie between two splits otherwise.
    np.testing.assert_allclose(one, other, rtol=0.02 if name == "lightgbm" else 2e-4)


@pytest.mark.parametrize("name", [*WITH_FORMULA, "gp"])
def test_a_fit_from_a_near_one_ends_where_the_fit_from_scratch_does(name):
    runs, _ = world(n=60, noise=0.005)
    losses = runs.losses[:, 1]
    near = law(name).fit(Sample(runs.shares[:-3], losses[:-3], 1))
    here = mixtures(20, 5, seed=3)
    warm = law(name).fit(Sample(runs.shares, losses, 1, near=near)).predict(here)
    np.testing.assert_allclose(warm, law(name).fit(Sample(runs.shares, losses, 1)).predict(here), rtol=0.01)


@pytest.mark.parametrize(
    ("name", "least"),
    # What each reaches on 64 real runs, rounded down: the mean rank over 5 targets of 64 unseen mixtures.
    [
        ("effective_data", 0.97),
        ("fading_transfer", 0.97),
        ("own_share", 0.91),
        ("log_linear", 0.91),
        ("bimix", 0.94),
        ("gp", 0.93),
        ("lightgbm", 0.95),
    ],
)
def test_unseen_mixtures_of_real_runs_are_ranked(name, least, real):
    train, test = real
    ranks = [
        spearmanr(fit.fit(train, target, law(name)).predict(test.shares), test.loss(target)).statistic
        for target in train.targets[::3]
    ]
    assert np.mean(ranks) > least


def test_ordinary_least_squares_is_the_limit_of_the_ridge(real):
    train, test = real
    predicted = law("ridge").__class__(alpha=1e-9).fit(Sample(train.shares, train.loss("pile_cc"))).predict(test.shares)
    design = np.column_stack([np.ones(len(train)), train.shares])
    found = np.linalg.lstsq(design, train.loss("pile_cc"), rcond=None)[0]
    np.testing.assert_allclose(predicted, np.column_stack([np.ones(len(test)), test.shares]) @ found, rtol=1e-4)


def test_the_law_that_made_the_runs_is_chosen_and_its_score_is_of_unseen_mixtures():
    runs, _ = world(n=48, noise=0.003)
    choice = fit.choose(runs, "l1", ("ridge", "effective_data", "own_share"))
    assert choice.law.name == "effective_data" and choice.warning is None
    assert choice.scores[0].law == "effective_data" and choice.scores[0].rank > 0.95
    assert all(a.error <= b.error for a, b in zip(choice.scores, choice.scores[1:], strict=False))
    # The measured loss of a run that repeats a mixture must not help to predict its twin.
    losses = np.random.default_rng(0).uniform(1, 2, (16, 5))
    once = Runs(runs.names[:16], runs.domains, runs.targets, runs.shares[:16], losses)
    assert fit.score(once.take(np.repeat(np.arange(16), 3)), "l1", law("lightgbm")).rank < 0.5


def test_a_flexible_law_is_taken_only_where_it_is_better_beyond_chance():
    laws, lowest, taken = ("ridge", "gp", "effective_data"), [], []
    for seed in range(10):
        runs, _ = world(n=24, noise=0.05, seed=seed)
        choice = fit.choose(runs, "l1", laws)
        lowest.append(choice.scores[0].law)
        taken.append(choice.law.name)
    # Noise makes a flexible law look best as often as not; most of that is chance, and is known to be.
    assert lowest.count("effective_data") <= 5 and taken.count("effective_data") >= 7
    assert all(t in (low, "effective_data") for t, low in zip(taken, lowest, strict=True))
    # A loss that has its best share inside is beyond every formula here.
    runs, _ = world(n=60)
    losses = 2 + 3 * (runs.shares[:, :1] - 0.3) ** 2 * np.ones(5)
    humped = Runs(runs.names, runs.domains, runs.targets, runs.shares, losses)
    assert fit.choose(humped, "l0", laws).law.name == "gp"


def test_a_law_that_does_not_beat_the_mean_says_so():
    runs, _ = world(n=40)
    noise = Runs(runs.names, runs.domains, runs.targets, runs.shares, np.random.default_rng(3).uniform(2, 3, (40, 5)))
    choice = fit.choose(noise, "l0", ("effective_data", "ridge"))
    assert choice.warning is not None and "say nothing" in choice.warning
    assert not any(s.beats_mean for s in choice.scores)


def test_too_few_runs_and_unknown_laws_are_refused():
    runs, _ = world(n=20)
    with pytest.raises(DataError, match="7 distinct mixtures are too few"):
        fit.choose(runs.take(np.arange(7)), "l0")
    with pytest.raises(RequestError, match=r"no law 'efective_data'.*effective_data"):
        law("efective_data")
    only = Runs(runs.names, runs.domains, ("mmlu",), runs.shares, runs.losses[:, :1])
    with pytest.raises(RequestError, match="no language of the runs"):
        fit.choose(only, "mmlu", ("own_share",))
    assert fit.choose(only, "mmlu", ("effective_data", "own_share")).law.name == "effective_data"
