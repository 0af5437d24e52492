"""What the laws say of any mixture, held against the world that the runs were drawn from."""

import numpy as np
import pytest

from glotmix.core.errors import RequestError
from glotmix.mix.accounting import Available
from glotmix.mix.config import MixConfig
from glotmix.mix.predictor import predictor
from glotmix.mix.run_tables import write
from glotmix.mix.runs import Runs

LANGS = ("amh_Ethi", "fra_Latn", "tha_Thai")
BEST, SCALE, SLOPE = np.array([0.8, 0.7, 0.9]), np.array([0.3, 0.4, 0.2]), np.array([0.3, 0.35, 0.25])


def truth(shares):
    return BEST + SCALE * np.asarray(shares) ** -SLOPE


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(3) * 2, 30) * 0.94 + 0.02
    losses = np.array([truth(r) for r in shares]) * np.exp(0.002 * rng.standard_normal(shares.shape))
    write(Runs(tuple(f"r{i:02d}" for i in range(30)), LANGS, LANGS, shares, losses), folder)
    config = MixConfig(
        tokens=1_000_000, method="law", laws=["own_share"], runs={"mixtures": "ratios.csv", "losses": "metrics.csv"}
    )
    there = Available.of(dict.fromkeys(LANGS, (1000, 10**7, 10**7)))
    chosen = dict(zip(LANGS, (0.3, 0.4, 0.3), strict=True))
    return predictor(there, config, chosen, folder), chosen


def test_the_mixture_itself_changes_nothing(asked):
    made, chosen = asked
    told = made.predict(chosen)
    assert told["mean"] == {"change": 0, "low": 0, "high": 0} and told["runs"] == 30
    assert all(t["change"] == t["low"] == t["high"] == 0 for t in told["targets"]) and not told["beyond"]
    for target, lang, loss in zip(told["targets"], LANGS, truth([0.3, 0.4, 0.3]), strict=True):
        assert target["target"] == lang and abs(target["loss"] - loss) < 0.02


def test_another_mixture_changes_as_the_world_does_and_the_interval_holds_it(asked):
    made, chosen = asked
    rng = np.random.default_rng(1)
    inside = 0
    for shares in rng.dirichlet(np.ones(3) * 3, 20) * 0.85 + 0.05:
        told = made.predict(dict(zip(LANGS, shares.tolist(), strict=True)))
        real = truth(shares) - truth(list(chosen.values()))
        for target, change in zip(told["targets"], real, strict=True):
            assert abs(target["change"] - change) < 0.03
            inside += target["low"] <= change <= target["high"]
        assert told["mean"]["low"] < told["mean"]["change"] < told["mean"]["high"]
        assert abs(told["mean"]["change"] - real.mean()) < 0.02
    assert inside >= 0.85 * 60


def test_what_is_beyond_the_runs_is_said(asked):
    made, _ = asked
    told = made.predict({"amh_Ethi": 0.99, "fra_Latn": 0.005, "tha_Thai": 0.005})
    assert told["beyond"] == ["amh_Ethi"]
    left = made.predict({"amh_Ethi": 0.3, "fra_Latn": 0.3, "tha_Thai": 0.3, "heb_Hebr": 0.1})
    assert left["left_out"] == pytest.approx(0.1)
    with pytest.raises(RequestError, match="drew on no language"):
        made.predict({"heb_Hebr": 1.0})


def test_without_runs_nothing_is_predicted(tmp_path):
    with pytest.raises(RequestError, match="not made from runs"):
        predictor(Available.of({"fra_Latn": (1, 1, 1)}), MixConfig(), {"fra_Latn": 1.0}, tmp_path)
