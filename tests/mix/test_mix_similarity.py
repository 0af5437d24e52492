"""Transfer of low rank: from how near languages are, where there are too few runs for every pair."""

import numpy as np
import pytest

from glotmix.core.errors import RequestError
from glotmix.mix.law_fit import choose, fit, held_out, missing
from glotmix.mix.laws import Context, Sample, law
from glotmix.mix.runs import Runs, similarity

LANGUAGES = ("eng_Latn", "deu_Latn", "nld_Latn", "swe_Latn", "rus_Cyrl", "ukr_Cyrl", "hin_Deva", "npi_Deva", "mar_Deva",
             "tam_Taml", "tel_Telu", "tha_Thai", "khm_Khmr", "amh_Ethi", "heb_Hebr", "arb_Arab")  # fmt: skip


def runs(n, noise=0.003, seed=0):
    rng = np.random.default_rng(seed)
    m = len(LANGUAGES)
    shares = rng.dirichlet(np.ones(m), n)
    kin = np.array([similarity(LANGUAGES, i) for i in range(m)])
    tau = np.exp(np.log(0.01) + kin[:, :, 1] * 1.0 + kin[:, :, 2] * 2.0)
    tau[np.eye(m, dtype=bool)] = 1.0
    losses = (0.8 + 0.3 * (shares @ tau.T + 1e-6) ** -0.3) * np.exp(noise * rng.standard_normal((n, m)))
    return Runs(tuple(map(str, range(n))), LANGUAGES, LANGUAGES, shares, losses), tau


def test_it_finds_what_script_and_family_are_worth():
    table, tau = runs(200, noise=1e-4)
    fitted = fit(table, "npi_Deva", law("similarity_transfer"))
    found = fitted.ratio_slope(table.shares[:1])[0]
    own = LANGUAGES.index("npi_Deva")
    np.testing.assert_allclose(found, tau[own], rtol=0.35)
    assert found[LANGUAGES.index("hin_Deva")] > 5 * found[LANGUAGES.index("tha_Thai")]


def test_with_fewer_runs_than_pairs_it_says_more_of_unseen_mixtures_than_a_transfer_for_every_pair():
    table, _ = runs(24, noise=0.01)
    errors = {}
    for name in ("similarity_transfer", "effective_data"):
        off = []
        for target in LANGUAGES[::3]:
            predicted, _ = held_out(table, target, law(name))
            off.append(np.abs(predicted - table.loss(target)).mean())
        errors[name] = np.mean(off)
    assert errors["similarity_transfer"] < 0.9 * errors["effective_data"]
    choice = choose(table, "npi_Deva", ("similarity_transfer", "own_share", "ridge"))
    assert max(choice.weights, key=lambda name: choice.weights[name]) == "similarity_transfer"


def test_its_derivatives_are_exact():
    table, _ = runs(40)
    fitted = fit(table, "mar_Deva", law("similarity_transfer"))
    r, formula, theta = table.shares[:5], fitted.formula, fitted.theta
    step = 1e-7
    by_shares = np.column_stack(
        [(fitted.predict(r + step * e) - fitted.predict(r - step * e)) / (2 * step) for e in np.eye(len(LANGUAGES))]
    )
    np.testing.assert_allclose(fitted.gradient(r), by_shares, rtol=1e-4, atol=1e-6)
    by_theta = np.column_stack(
        [
            (formula.value(theta + step * e, r) - formula.value(theta - step * e, r)) / (2 * step)
            for e in np.eye(len(theta))
        ]
    )
    np.testing.assert_allclose(formula.by_theta(theta, r), by_theta, rtol=1e-4, atol=1e-6)


def test_domains_that_are_no_languages_are_not_near_each_other():
    table, _ = runs(10)
    books = Runs(table.names, tuple(f"d{i}" for i in range(16)), ("d0",), table.shares, table.losses[:, :1])
    assert "no languages" in missing(books, "d0", law("similarity_transfer"))
    with pytest.raises(RequestError, match="needs domains that are languages"):
        law("similarity_transfer").fit(Sample(table.shares, table.losses[:, 0], 0, context=Context()))


def test_of_many_languages_only_laws_that_choose_compete():
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(41), 12)
    many = Runs(tuple(map(str, range(12))), tuple(f"d{i}" for i in range(41)), ("d0",), shares, 1 + shares[:, :1])
    assert "more than 40" in missing(many, "d0", law("lightgbm")) and missing(many, "d0", law("own_share")) is None
