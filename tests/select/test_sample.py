"""Gumbel top-k: probabilities, laws, budgets."""

import itertools
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from glotmix.core.errors import RequestError
from glotmix.select.ledger import Decisions, assemble
from glotmix.select.ranking import Ranking
from glotmix.select.sample import Draw, gumbel_keys


def ids(n, salt=""):
    return pa.chunked_array([[f"{salt}d{i}" for i in range(n)]])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_documents_are_drawn_as_often_as_the_papers_weights_say(temperature):
    quality = np.array([3.0, 1.0, 0.0, -2.0])
    z = (quality - quality.mean()) / quality.std()
    weight = np.exp(z / temperature)
    # The probability that a set of two is drawn without replacement, summed over both orders.
    expected = {
        frozenset(p): weight[list(p)].prod() / weight.sum() * sum(1 / (weight.sum() - weight[i]) for i in p)
        for p in itertools.combinations(range(4), 2)
    }  # fmt: skip
    assert sum(expected.values()) == pytest.approx(1)
    many = 20_000
    names = pa.chunked_array([[f"{draw}-{i}" for draw in range(many) for i in range(4)]])
    # One call over all draws has the quality's own mean and spread: the same four values each time.
    keys = gumbel_keys(names, np.tile(quality, many), temperature, seed=0).reshape(many, 4)
    best = np.argsort(-keys, axis=1)[:, :2]
    for pair, share in expected.items():
        found = np.mean([(set(row) == set(pair)) for row in best.tolist()])
        assert found == pytest.approx(share, abs=0.012)


def test_noise_belongs_to_the_document_and_the_seed():
    quality = np.random.default_rng(0).normal(size=50)
    keys = gumbel_keys(ids(50), quality, 1.0, 3)
    order = np.random.default_rng(1).permutation(50)
    np.testing.assert_allclose(gumbel_keys(ids(50).take(pa.array(order)), quality[order], 1.0, 3), keys[order])
    assert (gumbel_keys(ids(50), quality, 1.0, 4) != keys).all()
    assert np.isfinite(gumbel_keys(ids(3), np.array([np.nan, 1.0, 2.0]), 1.0, 0)).all()
    assert np.isfinite(gumbel_keys(ids(2), np.ones(2), 1.0, 0)).all()
    assert (np.argsort(gumbel_keys(ids(50), quality, 1e-6, 3)) == np.argsort(quality)).all()
    with pytest.raises(RequestError, match="sample=top"):
        gumbel_keys(ids(2), np.ones(2), 0.0, 0)


def test_retention_by_draw_keeps_a_budget_per_language_and_says_so():
    rng = np.random.default_rng(0)
    n = 400
    documents = pa.table(
        {
            "id": [f"d{i}" for i in range(n)],
            "lang": ["fra_Latn", "tha_Thai"] * (n // 2),
            "quality": rng.normal(size=n).astype(np.float32),
            "quantile": rng.random(n).astype(np.float32),
            "tokens": rng.integers(5, 50, n),
        }
    )

    budget = Ranking({"fra_Latn": 1500.0}, {"fra_Latn": "wanted"}, "budget", "tokens")

    def draw(table, temperature=1.0):
        ranking = budget if temperature is None else replace(budget, draw=Draw(temperature, 0))
        found, lines = ranking.retain(table, np.ones(n, bool))
        return found, ranking.cutoffs(lines)

    found, lines = draw(documents)
    dropped = set(found.rows.tolist())
    kept = [i for i in range(n) if i not in dropped and i % 2 == 0]
    held = sum(documents["tokens"].to_numpy()[kept])
    assert 1500 <= held < 1550
    assert all(i % 2 == 0 for i in dropped)
    assert lines["fra_Latn"].quantile is None
    assert "and not drawn: wanted" in found.evidence[0]
    quality = documents["quality"].to_numpy()
    top, _ = draw(documents, None)
    best = [i for i in range(0, n, 2) if i not in set(top.rows.tolist())]
    assert quality[best].mean() > quality[kept].mean() > quality[::2].mean() + 0.2
    hot, _ = draw(documents, 1e6)
    random = [i for i in range(0, n, 2) if i not in set(hot.rows.tolist())]
    assert abs(quality[random].mean() - quality[::2].mean()) < 0.25
    order = rng.permutation(n)
    again, _ = draw(documents.take(pa.array(order)))
    assert {int(order[i]) for i in again.rows} == dropped
    decisions = Decisions(n)
    decisions.apply(found)
    more = {
        "source": ["web"] * n,
        "bytes": [1] * n,
        "chars": [1] * n,
        "cluster_size": [1] * n,
        "sources": [1] * n,
        "license": ["CC0-1.0"] * n,
        "calibrated": pa.array([None] * n, pa.float32()),
    }
    for name, values in more.items():
        documents = documents.append_column(name, values if isinstance(values, pa.Array) else pa.array(values))
    rows = assemble(documents, decisions, lines, pa.array(np.ones(n, np.float32)))
    assert rows["margin"].null_count == n
    assert rows["kept"].to_pylist() == [i not in dropped for i in range(n)]
