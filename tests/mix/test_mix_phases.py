"""Phases: schedules that are drawn, trained in their order, fitted, and taken only where they are shown to win."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from glotmix.cli import app
from glotmix.core.errors import DataError, RequestError
from glotmix.mix import phases
from glotmix.mix.accounting import Available
from glotmix.mix.config import MixConfig
from glotmix.mix.law_fit import choose
from glotmix.mix.phases import parts_of, schedules, staged, staged_by
from glotmix.mix.rule import proven_way
from glotmix.mix.run_tables import write
from glotmix.mix.runs import Runs
from glotmix.proxy import design as designs
from glotmix.proxy import texts
from glotmix.proxy.config import ProxiesConfig

LANGUAGES = ("eng_Latn", "hin_Deva", "tha_Thai")
DOMAINS = tuple(f"{lang}@{k}" for k in (1, 2) for lang in LANGUAGES)
PARTS = np.array([0.7, 0.3])
PRIOR = np.full(3, 1 / 3)
EVEN = np.full(3, 1 / 3)


def table(n=40, late=1.0, noise=0.002, seed=0):
    """Schedules of a world in which Thai of the second phase is worth `late` times as much as that of the first."""
    shares = schedules(PRIOR, PARTS, n, seed)
    rng = np.random.default_rng(seed)
    worth = np.full((3, 6), 0.03)
    for i in range(3):
        worth[i, [i, i + 3]] = 1.0, late if i == 2 else 1.0
    losses = (0.8 + 0.3 * (shares @ worth.T) ** -0.3) * np.exp(noise * rng.standard_normal((n, 3)))
    return Runs(tuple(f"r{i}" for i in range(n)), DOMAINS, LANGUAGES, shares, losses)


def solved(runs, **more):
    choices = [choose(runs, t, ("pooled_cells", "effective_data")) for t in LANGUAGES]
    return staged(runs, choices, EVEN, PRIOR, np.array([1.0, 1.0, 0.5]), draws=12, **more)


def test_schedules_lie_around_the_prior_each_phase_by_itself_and_some_are_constant():
    drawn = schedules(PRIOR, PARTS, 40, 0)
    np.testing.assert_allclose(drawn[:, :3].sum(axis=1), 0.7)
    np.testing.assert_allclose(drawn[:, 3:].sum(axis=1), 0.3)
    same = np.abs(drawn[:, :3] / 0.7 - drawn[:, 3:] / 0.3).max(axis=1) < 1e-9
    assert same.sum() == 10 and same[:10].all()


def test_a_language_that_is_worth_more_late_is_read_late():
    found = solved(table(60, late=4.0))
    early, late = found.phases
    assert found.proven and found.gain[1] > 0 and late["tha_Thai"] > 2 * early["tha_Thai"]
    assert sum(early.values()) == pytest.approx(1) and sum(late.values()) == pytest.approx(1)
    assert 0.7 * early["tha_Thai"] + 0.3 * late["tha_Thai"] <= 0.5 + 1e-6
    assert "predicted to gain" in found.said and sum(found.constant.values()) == pytest.approx(1)


def test_a_schedule_is_gone_to_as_far_as_its_gain_is_proven(monkeypatch):
    sure, doubtful = solved(table(60, late=4.0)), solved(table(60, late=4.0, noise=0.006))
    assert sure.way == 1 and 0 < doubtful.way < 1 and doubtful.proven and 0 < doubtful.gain[1] < doubtful.gain[0]
    assert f", {doubtful.way:.0%} of the way to the best, is predicted to gain" in doubtful.said
    # On the line from what stands, and no further than the limits.
    for early, late in (doubtful.phases, sure.phases):
        assert sum(early.values()) == pytest.approx(1) and sum(late.values()) == pytest.approx(1)
        assert early["tha_Thai"] < 1 / 3 < late["tha_Thai"]
        assert 0.7 * early["tha_Thai"] + 0.3 * late["tha_Thai"] <= 0.5 + 1e-6
    assert doubtful.phases[1]["tha_Thai"] < sure.phases[1]["tha_Thai"]
    assert doubtful.total["tha_Thai"] == pytest.approx(
        0.7 * doubtful.phases[0]["tha_Thai"] + 0.3 * doubtful.phases[1]["tha_Thai"]
    )
    monkeypatch.setattr(phases, "proven_way", lambda drawn, start, end: (1.0, (1.0, 0.5, 1.5), 1.0))
    best = solved(table(60, late=4.0, noise=0.006))
    monkeypatch.setattr(phases, "proven_way", lambda drawn, start, end: (0.25, (1.0, 0.5, 1.5), 1.0))
    part = solved(table(60, late=4.0, noise=0.006))
    for lang in LANGUAGES:
        # A quarter of the way to the best constant mixture, and from there a quarter of the way to the best schedule.
        stands = best.prior[lang] + 0.25 * (best.constant[lang] - best.prior[lang])
        assert part.constant[lang] == pytest.approx(stands)
        for of_part, of_best in zip(part.phases, best.phases, strict=True):
            assert of_part[lang] == pytest.approx(stands + 0.25 * (of_best[lang] - stands))
    assert "25% of the way from unimax to the best" in part.said and "25% of the way to the best" in part.said
    # No schedule is better than the best constant mixture: there is none to go to.
    monkeypatch.setattr(phases, "proven_way", proven_way)
    worse = np.array([0.7, 0, 0, 0.3, 0, 0])
    monkeypatch.setattr(phases, "_minimise", lambda value, slope, start, *more: start if len(start) == 3 else worse)
    constant = solved(table(60, late=4.0))
    assert not constant.proven and constant.way == 0 and constant.gain == pytest.approx((0, 0, 0), abs=1e-6)
    monkeypatch.undo()
    # Where nothing is proven, the best is told of, and not taken.
    none = solved(table(60, late=3.0, noise=0.006))
    assert none.way == 0 and not none.proven and none.phases[1]["tha_Thai"] > 1 / 3 and none.total == none.prior


def test_where_the_order_is_worth_nothing_the_constant_mixture_stands():
    found = solved(table(40, late=1.0, noise=0.01))
    assert not found.proven and "not shown to bring anything" in found.said
    assert found.constant["tha_Thai"] == pytest.approx(1 / 3, abs=0.08)


def test_a_constant_mixture_that_is_not_shown_to_be_better_than_unimax_is_not_taken():
    # The prior is the best there is, and the noise makes another look better.
    found = solved(table(24, noise=0.03, seed=4))
    assert not found.constant_proven and found.constant_gain[1] <= 0 < found.constant_gain[0]
    assert not found.proven
    assert found.total == found.prior == pytest.approx(dict.fromkeys(LANGUAGES, 1 / 3))
    assert "No constant mixture is shown to be better than unimax, which is taken" in found.said
    # One that is shown to be better is taken.
    uneven = np.array([0.8, 0.1, 0.1])
    choices = [choose(table(60), t, ("pooled_cells", "effective_data")) for t in LANGUAGES]
    better = staged(table(60), choices, EVEN, uneven, np.ones(3), draws=12)
    assert better.constant_proven and better.constant_gain[1] > 0
    assert better.total == better.constant


def test_what_speaks_against_the_runs_leaves_unimax_and_says_so():
    found = solved(table(60, late=4.0), warnings=("the proxies have learned nothing of tha_Thai",))
    assert not found.proven and found.gain[1] > 0
    assert found.total == found.prior
    assert found.said == "The runs cannot say whether anything is better than unimax: see the warnings. It is taken."


def test_schedules_keep_floors_and_refuse_what_they_do_not_heed():
    runs = table(40)
    there = Available.of(dict.fromkeys(LANGUAGES, (1_000, 1_000_000, 1_000_000)))
    made = staged_by(there, MixConfig(tokens=1e6, floors={"th": 0.45}, bootstrap=6), runs)
    late = sum(part * phase["tha_Thai"] for part, phase in zip(made.parts, made.phases, strict=True))
    assert min(late, made.constant["tha_Thai"], made.prior["tha_Thai"]) >= 0.45 - 1e-6
    for more in ({"objective": "worst"}, {"groups": {"two": {"languages": LANGUAGES[:2], "floor": 0.1}}}):
        with pytest.raises(RequestError, match="schedules over phases do not heed it"):
            staged_by(there, MixConfig(tokens=1e6, **more), runs)


def test_what_are_no_schedules_is_refused():
    runs = table(12)
    with pytest.raises(DataError, match="every language in every phase"):
        parts_of(Runs(runs.names, DOMAINS[:5], LANGUAGES, runs.shares[:, :5], runs.losses))
    shares = runs.shares.copy()
    shares[0] = [0.5, 0.1, 0.1, 0.1, 0.1, 0.1]
    shares[1] = [0.1, 0.1, 0.1, 0.1, 0.1, 0.5]
    with pytest.raises(DataError, match="differ in length"):
        parts_of(Runs(runs.names, DOMAINS, LANGUAGES, shares, runs.losses))
    with pytest.raises(RequestError, match="caps leave 0"):
        staged(runs, [], EVEN, PRIOR, np.full(3, 0.1))


def test_a_proxy_reads_its_phases_in_their_order_and_no_window_twice_before_all_were(tmp_path):
    head = "run_id," + ",".join(DOMAINS)
    (tmp_path / "ratios.csv").write_text(head + "\na,0.7,0,0,0,0.1,0.2\n", "utf-8")
    read = designs.read(tmp_path / "ratios.csv", ProxiesConfig())
    run = read.runs[0]
    assert read.languages == LANGUAGES and run.shares == pytest.approx((0.7, 0.1, 0.2))
    assert run.phases == ((0.7, 0.0, 0.0), (0.0, 0.1, 0.2))
    ids = np.arange(16 * 40 + 1, dtype=np.int32)
    corpus = texts.Texts(LANGUAGES, 320, 0, dict.fromkeys(LANGUAGES, ids), {}, {})
    stream = texts.starts(corpus, run.shares, 100, 16, 3, run.unique, run.phases)
    assert (stream[:70, 0] == 0).all() and (np.bincount(stream[70:, 0], minlength=3) == [0, 10, 20]).all()
    english = stream[stream[:, 0] == 0, 1]
    assert len(set(english[:40])) == 40, "an epoch before the second begins"
    # Without phases everything is as it was: one shuffle over the whole.
    plain = texts.starts(corpus, run.shares, 100, 16, 3, run.unique)
    assert not (plain[:70, 0] == 0).all() and (np.bincount(plain[:, 0]) == [70, 10, 20]).all()
    (tmp_path / "out").mkdir()
    designs.write(tmp_path / "out", read, {"a": (1000, 6400)}, {"a": [1.0, 2.0, 3.0]})
    assert (tmp_path / "out" / "ratios.csv").read_text().splitlines()[0].endswith(",".join(DOMAINS))


def test_the_command_gives_a_schedule_beside_the_best_constant_mixture(tmp_path):
    write(table(60, late=4.0), tmp_path / "runs")
    (tmp_path / "stock.csv").write_text("lang,tokens\neng_Latn,1000000\nhin_Deva,1000000\ntha_Thai,125000\n", "utf-8")
    words = ["mix", "phases", str(tmp_path / "runs"), str(tmp_path / "stock.csv"), "tokens=1e6", "bootstrap=12"]
    done = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "p"), "--json"])
    assert done.exit_code == 0, done.output + str(done.exception)
    told = json.loads(done.output)
    assert told["proven"] and json.loads((tmp_path / "p" / "phases.json").read_text())["phases"] == told["phases"]
    assert told["phases"][1]["tha_Thai"] > told["phases"][0]["tha_Thai"]
    words = ["mix", "design", str(tmp_path / "stock.csv"), "--tokens", "1e5", "--phases", "0.7,0.3"]
    planned = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "d")])
    assert planned.exit_code == 0, planned.output + str(planned.exception)
    read = designs.read(tmp_path / "d" / "ratios.csv", ProxiesConfig())
    assert len(read.runs[0].phases) == 2 and len(read.runs) == 24
