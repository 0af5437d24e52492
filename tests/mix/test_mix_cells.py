"""Cells: shares of language × source, their law with partial pooling, their account, and what still holds of runs."""

import json

import numpy as np
import pytest
from scipy.stats import spearmanr
from typer.testing import CliRunner

from glotmix.cli import app
from glotmix.core.errors import RequestError
from glotmix.mix import baselines, cells
from glotmix.mix.accounting import Available
from glotmix.mix.design import Design, design
from glotmix.mix.law_fit import choose, fit, missing
from glotmix.mix.laws import law
from glotmix.mix.plan import MixConfig, plan
from glotmix.mix.reuse import reuse
from glotmix.mix.run_tables import olmix, write
from glotmix.mix.runs import Runs

LANGUAGES = ("eng_Latn", "deu_Latn", "hin_Deva", "tha_Thai")
CELLS = tuple(f"{lang}/{part}" for lang in LANGUAGES for part in ("web", "books", "wiki"))
WORTH = np.array([0.5, 1.5, 1.0])


def world(n, noise=0.003, seed=0):
    """Runs of a world in which books are worth three times the web's text, in every language."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(len(CELLS)), n)
    tau = np.full((4, 12), 0.02)
    for i in range(4):
        tau[i, 3 * i : 3 * i + 3] = WORTH * np.exp(0.1 * rng.standard_normal(3))
    losses = (0.8 + 0.3 * (shares @ tau.T) ** -0.3) * np.exp(noise * rng.standard_normal((n, 4)))
    return Runs(tuple(f"r{i}" for i in range(n)), CELLS, LANGUAGES, shares, losses)


def test_sources_of_a_language_stand_together_and_differ_by_what_the_runs_show():
    runs, unseen = world(30), world(200, noise=0.0)
    fitted = fit(runs, "hin_Deva", law("pooled_cells"))
    worth = fitted.ratio_slope(runs.shares[:1])[0]
    mine = worth[6:9]
    assert mine.argmin() == 0 and mine.argmax() == 1 and mine.min() > 10 * np.delete(worth, [6, 7, 8]).max() / 3
    ranks = {}
    for name in ("pooled_cells", "effective_data"):
        found = [fit(runs, t, law(name)).predict(unseen.shares) for t in LANGUAGES]
        ranks[name] = np.mean([spearmanr(p, unseen.loss(t)).statistic for p, t in zip(found, LANGUAGES, strict=True)])
    # Without the cells all own text is alike.
    whole = Runs(runs.names, LANGUAGES, LANGUAGES, runs.shares.reshape(-1, 4, 3).sum(axis=2), runs.losses)
    summed = unseen.shares.reshape(-1, 4, 3).sum(axis=2)
    blind = [
        spearmanr(fit(whole, t, law("effective_data")).predict(summed), unseen.loss(t)).statistic for t in LANGUAGES
    ]
    assert ranks["pooled_cells"] > max(ranks["effective_data"], np.mean(blind)) and ranks["pooled_cells"] > 0.97


def test_its_derivatives_are_exact():
    runs = world(30)
    fitted = fit(runs, "tha_Thai", law("pooled_cells"))
    r, formula, theta, step = runs.shares[:4], fitted.formula, fitted.theta, 1e-7

    def slope(of, at):
        return np.column_stack([(of(at + step * e) - of(at - step * e)) / (2 * step) for e in np.eye(np.shape(at)[-1])])

    np.testing.assert_allclose(fitted.gradient(r), slope(fitted.predict, r), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        formula.by_theta(theta, r), slope(lambda t: formula.value(t, r), theta), rtol=1e-4, atol=1e-6
    )


def test_a_table_of_cells_becomes_a_mixture_of_cells_with_caps_and_account(tmp_path):
    runs = world(42)
    write(runs, tmp_path)
    stock = Available.of({name: (100, 4_000_000, 1_000_000 if "web" in name else 100_000) for name in CELLS})
    asked = {"mixtures": "ratios.csv", "losses": "metrics.csv"}
    made = plan(stock, MixConfig(tokens=2_000_000, runs=asked, laws=("pooled_cells",), bootstrap=8), tmp_path)
    shares = {row.lang: row.share for row in made.mixture.rows}
    # Books, worth three times as much, are read as often as they may be; of the web what is left.
    assert all(row.epochs <= 4 + 1e-6 for row in made.mixture.rows)
    books = [row.epochs for row in made.mixture.rows if "books" in row.lang]
    assert np.mean(books) > 3 and made.evidence["verdict"]["proven"]
    assert sum(cells.by_language(shares).values()) == pytest.approx(1)
    even = next(m for m in made.baselines if m.name == "uniform")
    assert list(cells.by_language({row.lang: row.share for row in even.rows}).values()) == pytest.approx([0.25] * 4)


def test_baselines_are_of_languages_and_their_cells_stand_as_in_the_text():
    stock = Available.of({"eng_Latn/web": (9, 900, 900), "eng_Latn/books": (1, 100, 100), "tha_Thai/web": (1, 10, 10)})
    np.testing.assert_allclose(baselines.uniform(stock), [0.45, 0.05, 0.5])
    r = baselines.temperature(stock, 2.0)
    assert r[0] / r[1] == pytest.approx(9) and (r[0] + r[1]) / r[2] == pytest.approx(np.sqrt(100))
    planned = design(stock, Design(1000, runs=12))
    centre = planned.shares[list(planned.names).index("centre-s0")]
    assert centre[0] == pytest.approx(9 * centre[1], rel=0.01)
    # A name that is no cell makes the account one of domains, as before.
    mixed = Available.of({"eng_Latn/web": (9, 900, 900), "pile_cc": (1, 100, 100)})
    np.testing.assert_allclose(baselines.uniform(mixed), [0.5, 0.5])


def test_cells_are_asked_for_where_there_are_none():
    runs = world(12)
    plain = Runs(runs.names, tuple(f"d{i}" for i in range(12)), LANGUAGES, runs.shares, runs.losses)
    assert "no cells" in missing(plain, "hin_Deva", law("pooled_cells"))
    assert missing(runs, "hin_Deva", law("pooled_cells")) is None
    assert choose(runs, "hin_Deva", ("pooled_cells", "own_share")).law.name == "pooled_cells"


def test_when_a_source_changes_the_runs_without_it_still_hold():
    shares = np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [1.0, 0.0, 0.0]] * 5)
    runs = Runs(tuple(f"r{i}" for i in range(15)), CELLS[:3], ("eng_Latn",), shares, np.ones((15, 1)))
    found = reuse(runs, [CELLS[2]])
    assert len(found.valid) == 10 and set(found.spent) == {f"r{i}" for i in range(1, 15, 3)} and found.wanted == 3
    more = reuse(runs, [], ["tha_Thai/web"])
    assert len(more.valid) == 15 and more.wanted == 3
    with pytest.raises(RequestError, match="know of no eng_Latn/wikis"):
        reuse(runs, ["eng_Latn/wikis"])


def test_the_command_leaves_the_runs_that_still_hold(tmp_path):
    runs = world(9)
    shares = np.where(np.arange(12) == 1, 0.0, runs.shares)
    shares[:3] = runs.shares[:3]
    write(
        Runs(runs.names, CELLS, LANGUAGES, shares / shares.sum(axis=1, keepdims=True), runs.losses), tmp_path / "runs"
    )
    words = ["mix", "reuse", str(tmp_path / "runs"), "--changed", CELLS[1], "-o", str(tmp_path / "valid"), "--json"]
    told = json.loads(CliRunner().invoke(app, words).output)
    assert told["spent"] == ["r0", "r1", "r2"] and told["wanted"] == 3 + 30
    kept = olmix(tmp_path / "valid" / "ratios.csv", tmp_path / "valid" / "metrics.csv")
    assert list(kept.names) == told["valid"] == [f"r{i}" for i in range(3, 9)]
