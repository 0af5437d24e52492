"""From a table of runs of a known world to a mixture with intervals, through the same door that the recipe uses."""

import json

import numpy as np
import pytest

from glotmix.core import flight
from glotmix.core.errors import RequestError
from glotmix.mix import rule
from glotmix.mix.accounting import Available
from glotmix.mix.evidence import NextRun
from glotmix.mix.laws.curve import Curve
from glotmix.mix.laws.effective_data import Formula
from glotmix.mix.limits import Box
from glotmix.mix.optimum import Ask, judge
from glotmix.mix.plan import MixConfig, plan, write
from glotmix.mix.repeats import Repeats
from glotmix.mix.runs import Runs
from glotmix.mix.solve import Goal, solve
from glotmix.mix.transfer import Figure
from glotmix.mix.verdict import verdict_of
from glotmix.mix.worlds import worlds

LANGUAGES = ("eng_Latn", "hin_Deva", "amh_Ethi", "khm_Khmr")
STOCK = Available.of(
    {
        "khm_Khmr": (40, 400_000, 100_000),
        "eng_Latn": (40_000, 40_000_000, 10_000_000),
        "amh_Ethi": (300, 2_000_000, 500_000),
        "hin_Deva": (4_000, 8_000_000, 2_000_000),
    }
)
LAWS = ("effective_data", "own_share", "ridge")


def truth(levels=(0.8, 0.9, 1.0, 1.1)):
    """A law per language, in the order of LANGUAGES; English donates, the others hardly."""
    tau = np.array([[1, 0.05, 0.02, 0.02], [0.2, 1, 0.02, 0.02], [0.15, 0.03, 1, 0.02], [0.1, 0.05, 0.02, 1]])
    return [
        Curve(Formula(i), np.concatenate([[level, np.log(0.4), np.log(0.3), 0], np.log(np.delete(tau[i], i))]))
        for i, level in enumerate(levels)
    ]


def runs(folder, n=40, noise=0.002, seed=0, order=None):
    """Write Olmix's two files for n runs of the true world."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(4), n).round(6)
    shares[:, 0] = 1 - shares[:, 1:].sum(axis=1)
    losses = np.column_stack([law.predict(shares) for law in truth()]) * np.exp(noise * rng.standard_normal((n, 4)))
    order = np.arange(n) if order is None else order
    for name, suffix, values in (("ratios.csv", "", shares), ("metrics.csv", "_bpb", losses)):
        lines = [",".join(["run_id", *(lang + suffix for lang in LANGUAGES)])]
        lines += [",".join([f"r{i}", *map(str, values[i].tolist())]) for i in order]
        (folder / name).write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def config(**more):
    files = {"format": "olmix", "mixtures": "ratios.csv", "losses": "metrics.csv"}
    return MixConfig(runs=files, **({"laws": LAWS, "bootstrap": 12, "tokens": 5_000_000} | more))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = runs(tmp_path_factory.mktemp("runs"))
    return folder, plan(STOCK, config(), folder)


def test_the_mixture_is_the_true_worlds_optimum_under_the_limits(made):
    _, found = made
    order = [LANGUAGES.index(lang) for lang in STOCK.languages]
    high = np.minimum(1, 4 * STOCK.sizes / 5_000_000)
    goal = Goal(
        laws=truth(),
        weights=np.full(4, 0.25),
        within=Box(np.zeros(4), high[np.argsort(order)]),
        repeats=Repeats((STOCK.sizes / 5_000_000)[np.argsort(order)]),
        natural=np.full(4, 0.25),
    )
    best = solve(goal)
    shares = found.mixture.shares[np.argsort(order)]
    uniform = goal.value(np.full((1, 4), 0.25))[0]
    # The pull to UniMax has its price.
    assert goal.value(shares[None])[0] - best.value < 0.15 * (uniform - best.value)
    np.testing.assert_allclose(shares, best.shares, atol=0.05)
    freely = plan(STOCK, config(kl_strength=0, caution=0, keep=0), made[0]).mixture.shares[np.argsort(order)]
    assert goal.value(freely[None])[0] - best.value < 0.02 * (uniform - best.value)
    np.testing.assert_allclose(freely, best.shares, atol=0.03)
    assert found.mixture.rows[0].lang == "khm_Khmr" and found.mixture.rows[0].epochs == pytest.approx(4, abs=1e-3)
    assert [p["law"] for p in found.predictions] == ["effective_data"] * 4


def test_intervals_and_gains_over_every_baseline_are_given(made):
    _, found = made
    for row in found.mixture.rows:
        assert 0 <= row.low <= row.high <= 1
        assert row.low - 1e-6 <= row.share <= row.high + 1e-6 or row.high - row.low < 0.2
    english = found.mixture.rows[1]
    assert 0.005 < english.high - english.low < 0.3
    over = {gain["over"]: gain for gain in found.gains}
    assert list(over) == ["natural", "uniform", "temperature", "unimax", "msl"]
    assert over["natural"]["told_apart"] and over["natural"]["low"] > 0
    assert all(gain["low"] <= gain["gain"] <= gain["high"] for gain in over.values())
    # A gain is a difference of the predicted mean losses.
    mean = {name: np.mean([p["losses"][name] for p in found.predictions]) for name in (*over, "chosen")}
    for name, gain in over.items():
        assert gain["gain"] == pytest.approx(mean[name] - mean["chosen"], abs=1e-12)
    assert {m.name for m in found.baselines} == set(over)


def test_with_noise_as_large_as_the_differences_the_prior_is_taken_and_the_verdict_says_so(made, tmp_path):
    found = plan(STOCK, config(laws=("effective_data", "own_share"), bootstrap=12), runs(tmp_path, n=24, noise=0.2))
    unimax = next(m for m in found.baselines if m.name == "unimax")
    np.testing.assert_allclose(found.mixture.shares, unimax.shares, atol=1e-9)
    verdict = found.evidence["verdict"]
    assert not verdict["proven"] and verdict["gain"]["low"] <= 0 <= verdict["gain"]["high"]
    assert "unimax, which is taken" in verdict["said"] or "cannot say" in verdict["said"]
    assert any(not gain["told_apart"] and gain["low"] <= 0 <= gain["high"] for gain in found.gains)
    # With little noise the gain is proven, and the verdict has its figure.
    sure = made[1].evidence["verdict"]
    assert sure["proven"] and sure["gain"]["low"] > 0 and f"{sure['gain']['value']:+.4f}" in sure["said"]
    assert sure["noise"] < 0.2 * verdict["noise"]


def test_the_prior_is_what_was_asked_for(tmp_path):
    folder = runs(tmp_path, n=24, noise=0.2)
    found = plan(STOCK, config(laws=("own_share",), prior="temperature", max_epochs=None), folder)
    temperature = next(m for m in found.baselines if m.name == "temperature")
    np.testing.assert_allclose(found.mixture.shares, temperature.shares, atol=1e-9)


def test_more_runs_make_narrower_intervals(tmp_path):
    widths = []
    for n in (16, 96):
        (tmp_path / str(n)).mkdir()
        gain = plan(STOCK, config(laws=("effective_data",)), runs(tmp_path / str(n), n, 0.01)).evidence["verdict"][
            "gain"
        ]
        widths.append(gain["high"] - gain["low"])
    assert widths[1] < 0.8 * widths[0]


def test_the_same_files_give_the_same_bytes_and_the_order_of_runs_little(made, tmp_path):
    folder, found = made
    for name in ("a", "b"):
        write(found if name == "a" else plan(STOCK, config(), folder), tmp_path / name)
    assert (tmp_path / "a" / "mixture.json").read_bytes() == (tmp_path / "b" / "mixture.json").read_bytes()
    told = json.loads((tmp_path / "a" / "mixture.json").read_text("utf-8"))
    assert told["method"] == "law" and told["gains"][0]["over"] == "natural"
    assert told["predictions"][0]["scores"][0]["law"] == "effective_data"
    turned = plan(STOCK, config(bootstrap=0), runs(tmp_path, order=np.random.default_rng(0).permutation(40)))
    np.testing.assert_allclose(turned.mixture.shares, found.mixture.shares, atol=0.01)
    assert turned.evidence["widths"] == [] and turned.evidence["next_runs"] == []


def test_objectives_and_weights_change_the_answer(made):
    folder, found = made
    quick = {"bootstrap": 0, "laws": ("effective_data",)}
    shares = {row.lang: row.share for row in found.mixture.rows}
    worst = plan(STOCK, config(objective="worst", max_epochs=None, **quick), folder)
    predicted = [p["losses"]["chosen"] for p in worst.predictions]
    mean = [p["losses"]["chosen"] for p in found.predictions]
    assert max(predicted) < max(mean)
    heavy = plan(STOCK, config(weights={"hin_Deva": 20.0}, **quick), folder)
    assert heavy.mixture.rows[3].share > shares["hin_Deva"] + 0.1
    near = plan(STOCK, config(kl_strength=50.0, prior="natural", **quick), folder)
    np.testing.assert_allclose(near.mixture.shares, STOCK.sizes / STOCK.total, atol=0.01)
    with pytest.raises(RequestError, match=r"'hin_Dev'.*hin_Deva"):
        plan(STOCK, config(weights={"hin_Dev": 2.0}, **quick), folder)


def test_a_language_that_no_run_saw_is_refused_unless_it_is_left_out(made):
    folder, _ = made
    more = Available.of(
        {lang: STOCK_ROWS[lang] for lang in STOCK.languages}
        | {"tha_Thai": (10, 100_000, 30_000), "mya_Mymr": (0, 0, 0)}
    )
    quick = {"bootstrap": 0, "laws": ("effective_data",)}
    with pytest.raises(RequestError, match=r"say nothing of tha_Thai.*30,000 tokens"):
        plan(more, config(**quick), folder)
    found = plan(more, config(ceilings={"tha_Thai": 0.0}, **quick), folder)
    assert [row.share for row in found.mixture.rows[4:]] == [0, 0]


def test_languages_that_no_run_drew_on_keep_their_share_of_the_prior_where_that_is_asked(made):
    folder, found = made
    more = Available.of({lang: STOCK_ROWS[lang] for lang in STOCK.languages} | {"tha_Thai": (10, 100_000, 3_000_000)})
    asked = config(tokens=6_000_000)
    kept = plan(more, asked.model_copy(update={"runs": asked.runs.model_copy(update={"others": "prior"})}), folder)
    unimax = next(m for m in kept.baselines if m.name == "unimax")
    thai = kept.mixture.rows[4]
    assert thai.lang == "tha_Thai" and thai.share == pytest.approx(unimax.rows[4].share) == thai.low == thai.high
    assert any("no run drew on tha_Thai" in said and "unimax" in said for said in kept.warnings)
    assert kept.mixture.shares.sum() == pytest.approx(1) and kept.mixture.rows[0].epochs <= 4 + 1e-6
    # Among themselves the others are mixed as if there were no other, but for the repeats of a part of the budget.
    among = kept.mixture.shares[:4] / kept.mixture.shares[:4].sum()
    np.testing.assert_allclose(among, found.mixture.shares, atol=0.04)
    assert kept.evidence["verdict"]["proven"]


STOCK_ROWS = {
    lang: (d, b, t) for lang, d, b, t in zip(STOCK.languages, STOCK.documents, STOCK.bytes, STOCK.tokens, strict=True)
}


def test_what_the_reader_must_know_is_said(tmp_path):
    folder = runs(tmp_path, n=10)
    found = plan(STOCK, config(bootstrap=0, laws=("effective_data", "own_share")), folder)
    assert any("10 runs over 4 languages are few: 15" in said for said in found.warnings)
    # A line, trees and exponentials of shares rank mixtures; their optimum is a corner that no run ever saw.
    with pytest.raises(RequestError, match="they rank mixtures, they cannot choose one"):
        plan(STOCK, config(bootstrap=0, laws=("ridge", "log_linear")), folder)
    with pytest.raises(RequestError, match=r"mix.runs is not given"):
        plan(STOCK, MixConfig(method="law"), folder)


def test_at_the_scale_of_the_model_to_be_only_laws_that_know_of_it_speak(tmp_path):
    folder = runs(tmp_path)
    with pytest.raises(RequestError, match="predicts at another scale"):
        plan(STOCK, config(at_scale=True, laws=("effective_data", "gp")), folder)
    # Budgets of half and all of a million tokens: the same mixtures, the loss of the effective budget.
    text = (folder / "ratios.csv").read_text("utf-8").splitlines()
    shares = np.array([[float(x) for x in line.split(",")[1:]] for line in text[1:]])
    budgets = np.where(np.arange(40) % 2, 1.0, 0.5)
    losses = np.column_stack([law.predict(shares * budgets[:, None]) for law in truth()])
    for name, head, rows in (
        ("ratios.csv", "run_id,tokens," + ",".join(LANGUAGES), np.column_stack([budgets * 1e6, shares])),
        ("metrics.csv", "run_id," + ",".join(LANGUAGES), losses),
    ):
        lines = [head, *(",".join([f"r{i}", *map(str, row)]) for i, row in enumerate(rows.tolist()))]
        (folder / name).write_text("\n".join(lines) + "\n", "utf-8")
    quick = {"laws": ("effective_data", "atlas"), "bootstrap": 0, "max_epochs": None}
    here = plan(STOCK, config(**quick), folder)
    there = plan(STOCK, config(at_scale=True, **quick), folder)
    assert {p["law"] for p in there.predictions} == {"atlas"}
    for one, two, floor in zip(here.predictions, there.predictions, (0.8, 0.9, 1.0, 1.1), strict=True):
        # Five times the budget, less of the repeats.
        ratio = (two["losses"]["unimax"] - floor) / (one["losses"]["unimax"] - floor)
        assert ratio == pytest.approx(5**-0.3, rel=0.1)


@pytest.mark.parametrize(("low", "gain", "settled"), [(-0.01, 0.03, False), (-0.01, 0.003, True), (0.01, 0.03, True)])
def test_a_gain_above_the_noise_that_is_not_proven_asks_for_another_round(low, gain, settled):
    """Runs that are not expected to move the optimum may still prove it: seeds of it and of the prior are few runs."""
    shares = np.full(2, 0.5)
    runs = Runs(("a",), ("fra_Latn", "amh_Ethi"), ("fra_Latn",), shares[None], np.ones((1, 1)))
    found = rule.Chosen(shares, shares, float(low > 0), (gain, low, 0.05), gain)
    further = (NextRun({"fra_Latn": 1.0}, 1e-6),)
    made = verdict_of(runs, "unimax", found, (), [Figure(0.0, None, None)], 0.01, (), further)
    assert made.settled is settled


def test_of_a_way_that_is_proven_in_part_the_verdict_says_so_and_asks_for_more_where_much_is_left():
    shares = np.full(2, 0.5)
    runs = Runs(("a",), ("fra_Latn", "amh_Ethi"), ("fra_Latn",), shares[None], np.ones((1, 1)))
    further = (NextRun({"fra_Latn": 1.0}, 1e-6),)
    changes = [Figure(0.0, None, None)]
    for whole, settled in ((0.018, True), (0.05, False)):
        found = rule.Chosen(shares, shares, 0.4, (0.012, 0.001, 0.05), whole)
        made = verdict_of(runs, "unimax", found, (), changes, 0.01, (), further)
        assert made.proven and made.way == 0.4 and made.settled is settled
        assert "40% of the way" in made.said and f"{whole:+.4f}" in made.said


def test_laws_are_chosen_and_drawn_alike_in_this_process_and_in_others(monkeypatch):
    rng = np.random.default_rng(5)
    names = ("fra_Latn", "amh_Ethi", "tha_Thai")
    shares = rng.dirichlet(np.full(3, 3.0), 20)
    losses = 1 + 0.3 * (shares + 0.02) ** -0.3 + 0.003 * rng.standard_normal((20, 3))
    runs = Runs(tuple(map(str, range(20))), names, names, shares, losses)
    made = []
    for worth in (1e9, 0.0):
        monkeypatch.setattr(flight, "_WORTH", worth)
        made.append(judge(runs, Ask(("effective_data", "own_share", "lightgbm"), {}, None)))
    for here, there in zip(*made, strict=True):
        assert (here.target, here.weights, here.scores) == (there.target, there.weights, there.scores)
        np.testing.assert_array_equal(here.residuals, there.residuals)
    goal = Goal([], np.full(3, 1 / 3), Box(np.zeros(3), np.ones(3)), Repeats(np.full(3, np.inf)), np.full(3, 1 / 3))
    drawn = []
    for worth in (1e9, 0.0):
        monkeypatch.setattr(flight, "_WORTH", worth)
        drawn.append(worlds(goal, runs, made[0], np.full(3, 1 / 3), draws=4, seed=2))
    np.testing.assert_array_equal(drawn[0].scores(shares), drawn[1].scores(shares))
    assert len(drawn[1].goals) == len(drawn[1].dosed) == 4
    alone = judge(runs, Ask(("effective_data",), {}, None))
    each = worlds(goal, runs, alone, np.full(3, 1 / 3), draws=4, seed=2).scores(shares[:1])[:, 0]
    assert len(set(each.tolist())) == 4, "each of other runs: of one law, too"
