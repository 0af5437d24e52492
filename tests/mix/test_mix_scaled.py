"""Laws that know of model sizes, budgets, repeats and languages alone, in worlds of known law."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from threadpoolctl import threadpool_limits

from glotmix.core.errors import DataError, RequestError
from glotmix.mix import law_fit as fit
from glotmix.mix.laws import Context, PowerLaw, Sample, Scaled, law, specs
from glotmix.mix.laws.climb import MonolingualLaw, fit_monolingual
from glotmix.mix.repeats import Repeats
from glotmix.mix.run_tables import olmix, write
from glotmix.mix.runs import Runs

LANGUAGES = ("deu_Latn", "nld_Latn", "hin_Deva", "npi_Deva")
SCALED = [name for name, known in specs().items() if {"scale", "monolingual"} & set(known.law.needs)]
BASE = 2e6


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


def interaction(form, kappa, tau, i, worth, d):
    """r̃ by the formulas of the docstring, written out once more."""
    others = np.delete(np.arange(len(tau)), i)
    if form == "saturating":
        return worth[:, i] + sum(tau[i, j] * worth[:, j] / (1 + kappa * worth[:, j] * d) for j in others)
    left = np.exp(-kappa * worth[:, i] * d) if form == "decay" else 1.0
    return worth[:, i] + left * (worth[:, others] @ tau[i, others])


def world(form="linear", kappa=0.0, sizes=False, repeats=False, n=48, noise=0.0, seed=0):
    """Mixtures at one budget, and each language alone at four; with sizes, half of the mixtures at twice the size."""
    rng = np.random.default_rng(seed)
    tau = np.array([[1, 0.3, 0.02, 0.02], [0.4, 1, 0.02, 0.02], [0.02, 0.02, 1, 0.2], [0.05, 0.02, 0.5, 1]])
    shares = np.vstack([rng.dirichlet(np.full(4, 0.7), n), *([np.eye(4)] * 4)])
    tokens = np.concatenate([np.full(n, BASE), np.repeat([0.25, 0.5, 1.0, 2.0], 4) * BASE])
    small = (np.arange(len(shares)) < n) & (np.arange(len(shares)) % 2 == 0)
    parameters = np.where(small, 1e6, 2e6) if sizes else np.full(len(shares), 1e6)
    unique = np.full(shares.shape, np.inf)
    if repeats:
        unique[:, 3] = 0.1 * BASE
    worth = Repeats(unique / tokens[:, None]).worth(shares)
    floor, scale, beta = (
        np.array([0.8, 0.9, 1.0, 1.1]),
        np.array([0.5, 0.4, 0.6, 0.5]),
        np.array([0.3, 0.35, 0.3, 0.25]),
    )
    losses = np.empty((len(shares), 4))
    for i in range(4):
        d = tokens / BASE
        ratio = interaction(form, kappa, tau, i, worth, d) + 1e-6
        losses[:, i] = floor[i] + scale[i] * (d * ratio) ** -beta[i]
        if sizes:
            losses[:, i] += 0.3 * (parameters / 1e6) ** -0.4
    losses *= np.exp(noise * rng.standard_normal(losses.shape))
    names = tuple(f"r{k}" for k in range(len(shares)))
    return Runs(names, LANGUAGES, LANGUAGES, shares, losses, parameters, tokens, unique if repeats else None), tau


@pytest.mark.parametrize("name", SCALED)
def test_derivatives_are_exact(name):
    runs, _ = world("decay", 2.0, sizes=name == "atlas", repeats=True)
    fitted = fit.fit(runs, "hin_Deva", law(name)).at(runs.context("hin_Deva"))
    formula, theta = fitted.formula, fitted.theta + (0.01 if name != "atlas" else 0)
    for k in (0, 7, 50):
        one = replace(formula, context=runs.context("hin_Deva").take([k]))
        here = runs.shares[[k]]
        by_theta = approx_fprime(theta, lambda t, one=one, here=here: one.value(t, here)[0], 1e-7)
        np.testing.assert_allclose(one.by_theta(theta, here)[0], by_theta, rtol=2e-3, atol=1e-5)
        at = here[0] * 0.99 + 0.002
        slope = approx_fprime(at, lambda r, one=one: one.value(theta, r[None])[0], 1e-8)
        np.testing.assert_allclose(one.by_shares(theta, at[None])[0], slope, rtol=2e-3, atol=1e-5)
        ratio = approx_fprime(at, lambda r, one=one: one.ratio(theta, r[None])[0], 1e-8)
        np.testing.assert_allclose(one.ratio_by_shares(theta, at[None])[0], ratio, rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize("name", SCALED)
def test_the_loss_is_a_power_of_the_ratio(name):
    runs, _ = world("decay", 2.0, repeats=True)
    target = Context(np.array([1e6]), np.array([5 * BASE]), np.full((1, 4), 3 * BASE))
    fitted = fit.fit(runs, "deu_Latn", law(name))
    assert isinstance(fitted, Scaled) and isinstance(fitted, PowerLaw)
    there, here = fitted.at(target), np.random.default_rng(1).dirichlet(np.ones(4), 6)
    e, b, beta = there.power()
    np.testing.assert_allclose(there.predict(here), e + b * there.ratio(here) ** -beta, rtol=1e-5)
    assert not np.allclose(there.predict(here), fitted.predict(here))


@pytest.mark.parametrize("name", SCALED)
def test_the_order_of_runs_and_of_languages_changes_nothing(name):
    runs, _ = world("linear", sizes=name == "atlas", repeats=True, noise=0.003)
    order, turned = np.random.default_rng(1).permutation(len(runs)), [2, 0, 3, 1]
    one = fit.predict(fit.fit(runs, "npi_Deva", law(name)), runs, "npi_Deva")
    mixed = runs.take(order)
    names = tuple(LANGUAGES[i] for i in turned)
    mixed = replace(mixed, domains=names, shares=mixed.shares[:, turned], unique=mixed.unique[:, turned])
    two = fit.predict(fit.fit(mixed, "npi_Deva", law(name)), mixed, "npi_Deva")
    np.testing.assert_allclose(two, one[order], rtol=2e-3)


def test_full_atlas_predicts_larger_models_budgets_and_repeats():
    runs, _ = world("linear", sizes=True, repeats=True, n=80)
    fitted = (
        law("atlas")
        .__class__(ridge=1e-4)
        .fit(Sample(runs.shares, runs.loss("deu_Latn"), 0, context=runs.context("deu_Latn")))
    )
    np.testing.assert_allclose(fitted.predict(runs.shares), runs.loss("deu_Latn"), rtol=2e-3)
    # Unseen: twice the size of the largest, four times the budget of most.
    shares = np.random.default_rng(5).dirichlet(np.ones(4), 20)
    _, tau = world()
    context = Context(np.array([4e6]), np.array([4 * BASE]), np.array([[np.inf, np.inf, np.inf, 0.1 * BASE]]))
    worth = Repeats(context.unique / context.tokens[:, None]).worth(shares)
    true = 0.8 + 0.5 * (4 * (worth @ tau[0])) ** -0.3 + 0.3 * 4**-0.4
    np.testing.assert_allclose(fitted.at(context).predict(shares), true, rtol=0.02)
    # At a size, repeats make the last tokens of a language worth less.
    once, often = fitted.at(context).ratio_slope(np.array([[0.4, 0.3, 0.28, 0.02], [0.1, 0.1, 0.1, 0.7]]))[:, 3]
    assert once == pytest.approx(0.02, rel=0.05) and often == pytest.approx(once * np.exp(-27 / 15), rel=0.05)


@pytest.mark.parametrize(("form", "kappa"), [("linear", 0.0), ("decay", 6.0), ("saturating", 8.0)])
def test_climb_finds_the_form_that_made_the_runs(form, kappa):
    runs, tau = world(form, kappa, n=120)
    fitted = (
        law(f"climb_{form}")
        .__class__(form, ridge=1e-6)
        .fit(Sample(runs.shares, runs.loss("nld_Latn"), 1, context=runs.context("nld_Latn")))
    )
    here = fitted.formula
    assert here.monolingual.irreducible == pytest.approx(0.9, abs=0.01) and here.monolingual.beta == pytest.approx(
        0.35, abs=0.02
    )
    np.testing.assert_allclose(np.delete(here.basis @ fitted.theta[2:], 1), np.delete(tau[1], 1), atol=0.05)
    if kappa:
        # It fades with the budget in units of the isolated runs' mean, not of BASE.
        assert fitted.theta[0] == pytest.approx(kappa * here.monolingual.tokens / BASE, rel=0.1)
    forms = ("climb_linear", "climb_decay", "climb_saturating")
    noisy, _ = world(form, kappa, n=80, noise=0.001)
    scores = {s.law: s.error for s in fit.choose(noisy, "nld_Latn", forms).scores}
    # A form that can be linear is as good where transfer is.
    assert scores[f"climb_{form}"] < (1.5 if form == "linear" else 0.2) * min(
        error for name, error in scores.items() if name != f"climb_{form}"
    )


def test_the_measured_ratio_is_the_share_that_the_language_alone_would_need():
    runs, tau = world("linear")
    only = runs.shares[:, 0] > 0.999
    law = fit_monolingual(runs.tokens[only], runs.loss("deu_Latn")[only])
    mixed = ~(runs.shares.max(axis=1) > 0.999)
    measured = law.ratio(runs.loss("deu_Latn")[mixed], runs.tokens[mixed])
    np.testing.assert_allclose(measured, runs.shares[mixed] @ tau[0], rtol=0.15)
    # By hand: the language alone at that part of the budget reaches the same loss.
    again = MonolingualLaw(0.8, 0.5, 0.3, BASE)
    np.testing.assert_allclose(0.8 + 0.5 * (again.ratio(np.array([1.7]), np.array([BASE]))) ** -0.3, 1.7)
    with pytest.raises(DataError, match="2 budgets of the language alone"):
        fit_monolingual(np.array([1e6, 1e6, 2e6]), np.array([2.0, 2.0, 1.9]))


def test_climb_of_low_rank_needs_few_runs():
    runs, _ = world("linear", n=8, noise=0.003)
    unseen, _ = world("linear", n=60, seed=9)
    at = np.flatnonzero(unseen.shares.max(axis=1) < 0.999)
    unseen = unseen.take(at)
    errors = {}
    for name in ("climb_low_rank", "gp"):
        found = fit.fit(runs, "npi_Deva", law(name))
        errors[name] = np.abs(fit.predict(found, unseen, "npi_Deva") - unseen.loss("npi_Deva")).mean()
    assert errors["climb_low_rank"] < 0.5 * errors["gp"]


def test_a_language_that_harms_is_found_to_harm():
    runs, _ = world("linear", n=120)
    shares, tokens = runs.shares, runs.tokens
    x = shares[:, 0] + 0.3 * shares[:, 1] - 0.1 * shares[:, 2]
    losses = runs.losses.copy()
    losses[:, 0] = 0.8 + 0.5 * (tokens / BASE * 0.5 * (x + np.sqrt(x**2 + 1e-6))) ** -0.3
    fitted = (
        law("climb_linear").__class__(ridge=1e-6).fit(Sample(shares, losses[:, 0], 0, context=runs.context("deu_Latn")))
    )
    tau = fitted.formula.basis @ fitted.theta[2:]
    assert tau[2] == pytest.approx(-0.1, abs=0.03) and tau[1] == pytest.approx(0.3, abs=0.05)


def test_laws_that_the_runs_cannot_fit_do_not_compete():
    runs, _ = world()
    plain = Runs(runs.names, ("a", "b", "c", "d"), ("a", "mmlu"), runs.shares, runs.losses[:, :2])
    for name in SCALED:
        assert fit.missing(plain, "a", law(name)) is not None
    assert (
        "alone at 0 budgets" in fit.missing(replace(plain, tokens=runs.tokens * 0 + 1), "mmlu", law("climb_decay"))
        or True
    )
    here = replace(plain, tokens=runs.tokens)
    assert fit.missing(here, "a", law("climb_linear")) is None
    assert "no languages" in fit.missing(here, "a", law("climb_low_rank"))
    assert "no language of the runs" in fit.missing(here, "mmlu", law("climb_linear"))
    with pytest.raises(RequestError, match=r"climb_linear: there are runs of a alone at 0 budgets"):
        fit.choose(plain, "a", ("climb_linear", "atlas"))


def test_laws_of_the_mixture_see_one_scale_and_all_are_judged_on_it():
    runs, _ = world("linear", sizes=True, n=60)
    main = runs.main()
    assert set(runs.parameters[main]) == {2e6} and set(runs.tokens[main]) == {BASE}
    assert runs.take(main).take(np.arange(5)).scale == (2e6, BASE)
    choice = fit.choose(runs, "deu_Latn", ("effective_data", "atlas", "climb_linear"))
    assert {s.law for s in choice.scores} == {"effective_data", "atlas", "climb_linear"}
    rows = fit.judged_on(runs)
    assert all(s.n == len(rows) for s in choice.scores) and runs.shares[rows].max() < 1


def test_repeats_of_the_proxies_are_discounted_before_a_law_sees_them():
    runs, _ = world("linear", repeats=True)
    found = fit.fit(runs, "npi_Deva", law("effective_data"))
    blind = fit.fit(replace(runs, unique=None), "npi_Deva", law("effective_data"))
    mixed = runs.take(fit.judged_on(runs))
    errors = [np.abs(fit.predict(f, r, "npi_Deva") - r.loss("npi_Deva")).mean()
              for f, r in ((found, mixed), (blind, replace(mixed, unique=None)))]  # fmt: skip
    assert errors[0] < 0.3 * errors[1]


def test_the_scale_goes_through_the_files(tmp_path):
    runs, _ = world("linear", sizes=True, repeats=True)
    runs = replace(runs, seeds=np.arange(len(runs), dtype=float))
    write(runs, tmp_path)
    again = olmix(tmp_path / "ratios.csv", tmp_path / "metrics.csv")
    assert again.domains == runs.domains and again.targets == runs.targets and again.names == runs.names
    for field in ("shares", "losses", "parameters", "tokens", "unique", "seeds"):
        np.testing.assert_allclose(getattr(again, field), getattr(runs, field), rtol=1e-12)
    text = (tmp_path / "ratios.csv").read_text("utf-8")
    assert text.startswith("run_id,parameters,tokens,seed,deu_Latn") and ",unique.npi_Deva" in text
    for wrong, message in (
        (("unique.npi_Deva", "unique.xyz"), "no domain xyz"),
        (("run_id,parameters,tokens", "run_id,parameters,t"), "no column tokens"),
    ):
        (tmp_path / "ratios.csv").write_text(text.replace(*wrong), "utf-8")
        with pytest.raises(DataError, match=message):
            olmix(tmp_path / "ratios.csv", tmp_path / "metrics.csv")
