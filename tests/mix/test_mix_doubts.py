"""What a table of runs cannot speak for is named, and then no gain counts as told apart."""

from types import SimpleNamespace

import numpy as np
import pytest

from glotmix.core.errors import DataError, RequestError
from glotmix.mix import files
from glotmix.mix.accounting import Available
from glotmix.mix.compare import compare
from glotmix.mix.doubts import by_chance, doubts, unlearned
from glotmix.mix.law_fit import Score, choose
from glotmix.mix.laws import law
from glotmix.mix.plan import MixConfig, plan
from glotmix.mix.run_tables import olmix, write
from glotmix.mix.runs import Runs

LANGUAGES = ("eng_Latn", "hin_Deva", "amh_Ethi", "khm_Khmr")
STOCK = Available.of(dict.fromkeys(LANGUAGES, (10, 4000000, 1000000)))
ASKED = {"runs": {"mixtures": "ratios.csv", "losses": "metrics.csv"}, "laws": ("effective_data",), "tokens": 1_000_000}


def table(n=24, noise=0.002, seed=0, **more):
    """Runs of a world in which a language's own share lowers its loss."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(4), n)
    losses = (1.0 + 0.4 * (shares + 0.02) ** -0.3) * np.exp(noise * rng.standard_normal((n, 4)))
    return Runs(tuple(f"r{i}" for i in range(n)), LANGUAGES, LANGUAGES, shares, losses, **more)


def written(folder, runs):
    folder.mkdir(exist_ok=True)
    write(runs, folder)
    return folder


def test_good_runs_leave_no_doubt_and_tell_mixtures_apart(tmp_path):
    runs = table(unigram=np.full(4, 5.0))
    assert doubts(runs, [choose(runs, t, ("effective_data",)) for t in LANGUAGES]) == ()
    made = plan(STOCK, MixConfig(**ASKED, bootstrap=12, floors={"eng_Latn": 0.1}), written(tmp_path, runs))
    assert all(gain["over"] for gain in made.gains) and not made.evidence["doubts"]


def test_proxies_no_better_than_single_bytes_are_named_and_nothing_is_told_apart(tmp_path):
    # Amharic's loss in the runs that saw most of it is about 1.55.
    runs = table(unigram=np.array([5.0, np.nan, 1.5, 5.0]))
    assert [t for t in LANGUAGES if unlearned(runs, t)] == ["amh_Ethi"]
    folder = written(tmp_path / "runs", runs)
    again = olmix(folder / "ratios.csv", folder / "metrics.csv")
    np.testing.assert_array_equal(again.unigram, runs.unigram)
    made = plan(STOCK, MixConfig(**ASKED, bootstrap=12), folder)
    assert any("learned nothing of amh_Ethi" in said and "mix.weights.amh_Ethi=0" in said for said in made.warnings)
    assert made.gains and not any(gain["told_apart"] for gain in made.gains)
    # What the sentence says to type takes the doubt away.
    left_out = plan(STOCK, MixConfig(**ASKED, bootstrap=0, weights={"amh_Ethi": 0}), folder)
    assert not any("learned nothing" in said for said in left_out.warnings)
    # A fit keeps what it knows of them, and says so.
    choices = [choose(again, t, ("effective_data",)) for t in LANGUAGES]
    told = files.write_fit(tmp_path / "fit", again, choices, {"seed": 0})
    assert [doubt["kind"] for doubt in told["doubts"]] == ["unlearned"]
    np.testing.assert_array_equal(files.read_fit(tmp_path / "fit")[0].unigram, runs.unigram)
    two = {"even": np.full(4, 0.25), "corner": np.array([0.97, 0.01, 0.01, 0.01])}
    compared = compare(again, choices, two, np.full(4, 0.25), draws=20)
    assert compared.gains[0].low > 0 and not compared.gains[0].told_apart and compared.doubts
    # Without what single bytes give nothing is said of it.
    assert doubts(table()) == ()


def test_doubt_leaves_the_prior_even_where_a_gain_seems_proven(tmp_path):
    there = Available.of({lang: (10, n, n) for lang, n in zip(LANGUAGES, (9_000_000, *[400_000] * 3), strict=True)})
    asked = MixConfig(**ASKED, bootstrap=12, prior="natural")
    natural = {lang: size / there.total for lang, size in zip(there.languages, there.tokens, strict=True)}
    found = {}
    for name, amharic in (("sure", 5.0), ("doubtful", 1.5)):
        runs = table(unigram=np.array([5.0, 5.0, amharic, 5.0]))
        found[name] = plan(there, asked, written(tmp_path / name, runs))
    sure, doubtful = (found[name].evidence["verdict"] for name in ("sure", "doubtful"))
    assert sure["proven"] and sure["gain"]["low"] > 0 and any(gain["told_apart"] for gain in found["sure"].gains)
    assert not doubtful["proven"] and not any(gain["told_apart"] for gain in found["doubtful"].gains)
    assert {row.lang: row.share for row in found["doubtful"].mixture.rows} == pytest.approx(natural, abs=1e-6)
    assert doubtful["best"] == pytest.approx(sure["best"]), "what was found is said, and not taken"


def test_proxies_are_asked_of_a_language_where_they_saw_most_of_it():
    shares = np.linspace(0.05, 0.95, 12)
    losses = np.column_stack([np.where(shares > 0.5, 2.0, 6.0), np.where(shares > 0.5, 6.0, 2.0)])
    both = np.column_stack([shares, 1 - shares])
    names = tuple(f"r{i}" for i in range(12))
    runs = Runs(names, LANGUAGES[:2], LANGUAGES[:2], both, losses, unigram=np.array([4.0, 4.0]))
    assert not unlearned(runs, "eng_Latn") and not unlearned(runs, "hin_Deva")
    turned = Runs(names, LANGUAGES[:2], LANGUAGES[:2], both, losses[:, ::-1], unigram=np.array([4.0, 4.0]))
    assert unlearned(turned, "eng_Latn") and unlearned(turned, "hin_Deva")


@pytest.mark.parametrize(("beats", "rank", "chance"), [
    (True, 0.9, False), (False, 0.9, True), (True, 0.2, True), (True, None, True),
])  # fmt: skip
def test_a_law_speaks_where_it_beats_the_mean_and_ranks_better_than_chance(beats, rank, chance):
    score = Score("own_share", 0.1, 0.1, 0.2, rank, 30, beats)
    chosen = SimpleNamespace(law=law("own_share"), scores=(score,))
    assert bool(by_chance(chosen)) == chance


def test_a_target_that_no_law_ranks_is_named():
    runs = table()
    losses = runs.losses.copy()
    losses[:, 3] = np.random.default_rng(1).uniform(2.0, 2.1, len(runs))
    noise = Runs(runs.names, LANGUAGES, LANGUAGES, runs.shares, losses)
    found = doubts(noise, [choose(noise, t, ("effective_data", "own_share")) for t in LANGUAGES])
    assert [(d.kind, d.names) for d in found] == [("unpredicted", ("khm_Khmr",))]


def test_languages_that_nobody_measured_keep_unimaxs_share_and_are_named(tmp_path):
    runs = table()
    some = Runs(runs.names, LANGUAGES, LANGUAGES[:2], runs.shares, runs.losses[:, :2])
    folder = written(tmp_path, some)
    made = plan(STOCK, MixConfig(**ASKED, bootstrap=12), folder)
    said = next(said for said in made.warnings if "amh_Ethi, khm_Khmr" in said)
    assert "mix.floors.amh_Ethi" in said and not any(gain["told_apart"] for gain in made.gains)
    np.testing.assert_allclose(made.mixture.shares[2:], 0.25)
    floored = plan(STOCK, MixConfig(**ASKED, bootstrap=0, floors={"amh_Ethi": 0.01}), folder)
    assert not any("amh_Ethi" in said for said in floored.warnings)
    # Tasks that speak for no language in particular leave none of them out.
    tasks = Runs(runs.names, LANGUAGES, ("mmlu", "belebele"), runs.shares, runs.losses[:, :2])
    assert doubts(tasks) == ()


def test_a_language_in_no_run_is_refused(tmp_path):
    runs = table()
    shares = runs.shares * [1, 1, 1, 0]
    none = Runs(runs.names, LANGUAGES, LANGUAGES, shares / shares.sum(axis=1, keepdims=True), runs.losses)
    folder = written(tmp_path, none)
    with pytest.raises(RequestError, match=r"say nothing of khm_Khmr(.|\n)*mix.ceilings.khm_Khmr=0"):
        plan(STOCK, MixConfig(**ASKED, bootstrap=0), folder)


@pytest.mark.parametrize("name", ["mmlu_acc", "hin_Deva/acc_norm", "accuracy", "xnli acc,none", "flores_chrf", "F1"])
def test_a_figure_to_be_maximised_among_losses_is_refused_by_name(tmp_path, name):
    folder = written(tmp_path, table())
    text = (folder / "metrics.csv").read_text("utf-8").replace("hin_Deva", f'"{name}"', 1)
    (folder / "metrics.csv").write_text(text, "utf-8")
    with pytest.raises(DataError, match="to be maximised"):
        olmix(folder / "ratios.csv", folder / "metrics.csv")


def test_bitur_is_a_language_and_no_score(tmp_path):
    folder = written(tmp_path, table())
    for name in ("ratios.csv", "metrics.csv"):
        (folder / name).write_text((folder / name).read_text("utf-8").replace("hin_Deva", "mcc_Latn"), "utf-8")
    assert "mcc_Latn" in olmix(folder / "ratios.csv", folder / "metrics.csv").targets


def test_an_accuracy_under_a_languages_name_is_known_by_its_direction():
    runs = table()
    losses = runs.losses.copy()
    losses[:, 1] = 0.25 + 0.5 * runs.shares[:, 1] ** 0.3
    found = doubts(Runs(runs.names, LANGUAGES, LANGUAGES, runs.shares, losses))
    assert [(d.kind, d.names) for d in found] == [("rising", ("hin_Deva",))]


def test_a_loss_that_a_donor_serves_better_than_the_languages_own_text_is_no_accuracy():
    # Half of the runs as they are, a third near the donor's corner: there Khmer has no text and its least loss.
    rng = np.random.default_rng(0)
    near = rng.dirichlet(np.full(4, 20.0), 20)
    corner = np.column_stack([np.full(12, 0.99), rng.dirichlet(np.ones(3), 12) * 0.01])
    shares = np.vstack([near, corner])
    dose = shares + 2.0 * shares[:, :1]
    losses = (1.0 + 0.4 * (dose + 0.02) ** -0.3) * np.exp(0.002 * rng.standard_normal((32, 4)))
    names = tuple(map(str, range(32)))
    assert doubts(Runs(names, LANGUAGES, LANGUAGES, shares, losses)) == ()
    # An accuracy rises among the runs with most of its language, too.
    scores = 0.25 + 0.5 * shares**0.3
    assert [d.kind for d in doubts(Runs(names, LANGUAGES, LANGUAGES, shares, scores))] == ["rising"]
