"""Who helps whom: guesses, their worth, and a prior that is used only where it helps languages left out."""

import numpy as np
import pytest

from align_world import texts
from glotmix.align import alignment, donors, states
from glotmix.core.errors import DataError
from glotmix.mix.runs import Runs

LANGS = ("amh_Ethi", "eng_Latn", "rus_Cyrl", "tha_Thai", "ukr_Cyrl")


def planted(helps: bool, mixtures: int = 40) -> tuple[Runs, np.ndarray]:
    """Runs whose transfer is what a similarity says, or has nothing to do with it."""
    rng = np.random.default_rng(3)
    m = len(LANGS)
    near = rng.uniform(0, 1, (m, m))
    near = (near + near.T) / 2
    other = rng.uniform(0, 1, (m, m))
    said = near if helps else (other + other.T) / 2
    tau = np.exp(5 * (said - 1))
    np.fill_diagonal(tau, 1)
    shares = rng.dirichlet(np.full(m, 0.7), mixtures)
    losses = 1 + 0.5 * (shares @ tau.T) ** -0.4 * np.exp(0.002 * rng.standard_normal((mixtures, m)))
    return Runs(tuple(f"r{n}" for n in range(mixtures)), LANGS, LANGS, shares, losses), near


def test_the_measured_transfer_ranks_as_the_planted_one() -> None:
    runs, near = planted(helps=True)
    found = donors.measured(runs)
    assert np.allclose(np.diag(found), 1)
    guess, *_ = donors.worth(dict.fromkeys(donors.GUESSES, near), found)
    assert guess.value is not None
    assert guess.value > 0.7


def test_a_similarity_that_says_nothing_is_not_used() -> None:
    runs, near = planted(helps=False)
    found = donors.decide(runs, near, few=12, draws=1)
    assert found is not None
    assert not found.used
    assert found.languages == len(LANGS)


def test_too_few_runs_decide_nothing() -> None:
    runs, near = planted(helps=True, mixtures=20)
    assert donors.decide(runs, near) is None


def test_the_prior_of_a_language_does_not_read_its_own_transfers() -> None:
    runs, near = planted(helps=True)
    transfer, features = donors.measured(runs), donors.features(runs, near)
    before = donors.prior(transfer, features, 2)
    transfer[2] = 99.0
    assert donors.prior(transfer, features, 2) == before
    assert donors.prior(transfer, features, 1) != before
    assert before[3] > 0


def test_guesses_of_an_embedder() -> None:
    said = texts("eng_Latn", "rus_Cyrl", "amh_Ethi", count=40)
    model = states.load("static")
    found = alignment.report(model, said, pairs=alignment.every_two(said), most=40, draws=100)
    told = donors.donors(model, found, said)
    assert told.table().num_rows == 6
    assert told.sentence.startswith("not shown: no runs")
    assert told.table().schema.metadata[b"verdict"].decode() == told.as_dict()["sentence"] == told.sentence
    assert told.guesses["script"].tolist() == np.eye(3).tolist()
    assert sorted(donors.ranked(told, "eng_Latn")) == ["amh_Ethi", "rus_Cyrl"]
    assert told.guesses["overlap"][0, 1] < 0.2
    runs, _ = planted(helps=True)
    with pytest.raises(DataError, match="3 languages in common"):
        donors.donors(model, found, said, runs)


def test_runs_without_a_loss_of_a_language_are_an_error() -> None:
    runs, _ = planted(helps=True)
    less = Runs(runs.names, runs.domains, runs.targets[:-1], runs.shares, runs.losses[:, :-1])
    with pytest.raises(DataError, match="say no loss of ukr_Cyrl"):
        donors.measured(less)
