"""Selections against oracles written from the words of the papers."""

import math

import numpy as np
import pytest

from glotmix.select import diversify
from glotmix.select.coverage import coverage
from glotmix.select.diversify import CONTROLS, METHODS, Pool


def pool(n: int = 300, seed: int = 0, clusters: int = 30) -> Pool:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(clusters, 8))
    labels = rng.integers(0, clusters, n) ** 2 // clusters
    vectors = (centres[labels] + 0.1 * rng.normal(size=(n, 8))).astype(np.float32)
    return Pool(vectors, rng.normal(size=n), labels.astype(np.int64), rng.lognormal(5, 1, n))


def oracle(given: Pool, n: int) -> list[int]:
    """M-DaQ, word by word: the top by score; the rest by falling score, each only if its cluster is not yet covered."""
    by_quality = round(n * 6 / 7)
    order = sorted(range(len(given)), key=lambda i: (-given.scores[i], i))
    chosen = order[:by_quality]
    covered = {int(given.labels[i]) for i in chosen}
    for i in order[by_quality:]:
        if len(chosen) == n:
            break
        if int(given.labels[i]) not in covered:
            chosen.append(i)
            covered.add(int(given.labels[i]))
    for i in order:
        if len(chosen) == n:
            break
        if i not in chosen:
            chosen.append(i)
    return chosen


@pytest.mark.parametrize("n", [1, 7, 20, 35, 70, 299, 300])
def test_m_daq_is_what_the_paper_says(n: int) -> None:
    for seed in range(5):
        given = pool(seed=seed)
        assert diversify.m_daq(given, n).tolist() == oracle(given, n)


def test_six_to_one_and_k() -> None:
    assert diversify.quotas(700) == (600, 100)
    assert diversify.clusters_for(52_002) == math.floor(math.sqrt(52_002 / 2)) == 161
    given = pool()
    picked = diversify.m_daq(given, 70)
    extra = picked[60:]
    before = set(given.labels[picked[:60]].tolist())
    fresh = [int(label) for label in given.labels[extra] if int(label) not in before]
    missing = len(set(given.labels.tolist()) - before)
    assert len(fresh) == len(set(fresh)) == min(10, missing)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_chooses_n_different_ones_and_depends_on_its_seed_alone(method: diversify.Method) -> None:
    given = pool()
    one, two = (METHODS[method](given, 40, 3) for _ in range(2))
    assert one.tolist() == two.tolist()
    assert len(set(one.tolist())) == 40
    assert len(METHODS[method](given, 10_000, 3)) == len(given)
    kept = METHODS[method](given, 40, 3, [5, 7, 9])
    assert kept.tolist()[:3] == [5, 7, 9] and len(set(kept.tolist())) == 40


@pytest.mark.parametrize("method", METHODS)
def test_nested_selections_hold_the_smaller_ones(method: diversify.Method) -> None:
    found = diversify.nested(pool(), [14, 28, 56, 1_000], method, 1)
    assert sorted(found) == [14, 28, 56]
    sets = [set(found[n].tolist()) for n in (14, 28, 56)]
    assert sets[0] < sets[1] < sets[2]
    assert [len(s) for s in sets] == [14, 28, 56]


def test_mmr_is_the_greedy_choice() -> None:
    given = pool(40, clusters=6)
    unit = given.vectors / np.linalg.norm(given.vectors, axis=1, keepdims=True)
    ranks = np.argsort(np.argsort(given.scores)) / (len(given) - 1)
    chosen: list[int] = []
    for _ in range(10):
        values = [
            -np.inf
            if i in chosen
            else 0.5 * ranks[i] - 0.5 * max((float(unit[i] @ unit[j]) for j in chosen), default=-1)
            for i in range(len(given))
        ]
        chosen.append(int(np.argmax(values)))
    assert diversify.mmr(given, 10).tolist() == chosen


def test_dpp_is_the_greedy_choice_of_the_largest_determinant() -> None:
    given = pool(40, clusters=6)
    unit = (given.vectors / np.linalg.norm(given.vectors, axis=1, keepdims=True)).astype(np.float64)
    weight = np.exp(np.argsort(np.argsort(given.scores)) / (len(given) - 1) / 2)
    kernel = weight[:, None] * weight[None] * (unit @ unit.T)
    chosen: list[int] = []
    for _ in range(5):
        volume = [
            -np.inf if i in chosen else np.linalg.det(kernel[np.ix_([*chosen, i], [*chosen, i])])
            for i in range(len(given))
        ]
        chosen.append(int(np.argmax(volume)))
    assert diversify.dpp(given, 5).tolist() == chosen
    # More than the vectors have dimensions: it begins anew, and still takes different ones.
    assert len(set(diversify.dpp(given, 39).tolist())) == 39


def test_facility_location_is_near_the_greedy_optimum() -> None:
    given = pool(80, clusters=8)
    unit = given.vectors / np.linalg.norm(given.vectors, axis=1, keepdims=True)

    def value(rows: list[int]) -> float:
        return float(np.maximum((unit @ unit[rows].T).max(axis=1), 0).mean())

    greedy: list[int] = []
    for _ in range(8):
        greedy.append(max((i for i in range(80) if i not in greedy), key=lambda i: value([*greedy, i])))
    found = diversify.facility_location(given, 8, 0, weight=0.0).tolist()
    chance = np.mean([value(np.random.default_rng(s).choice(80, 8, replace=False).tolist()) for s in range(20)])
    assert value(found) > chance
    assert value(found) >= 0.95 * value(greedy)


def test_controls_differ_in_what_they_claim() -> None:
    given = pool(2_000, clusters=40)
    picked = {m: METHODS[m](given, 140, 0) for m in CONTROLS}
    quality = {m: given.scores[rows].mean() for m, rows in picked.items()}
    covered = {m: len(np.unique(given.labels[rows])) for m, rows in picked.items()}
    assert max(quality, key=quality.__getitem__) == "quality"
    assert covered["m-daq"] >= covered["quality"]
    assert covered["diversity"] == len(np.unique(given.labels))
    wanted, drawn = (np.log(given.lengths[picked[m]]) for m in ("m-daq", "random-length"))
    assert np.quantile(wanted, [0.1, 0.5, 0.9]) == pytest.approx(np.quantile(drawn, [0.1, 0.5, 0.9]), abs=0.25)


def test_clusters_and_axes_are_the_same_on_any_number_of_threads() -> None:
    from threadpoolctl import threadpool_limits

    given = pool(1_000)
    found = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads):
            reduced = diversify.reduced(given.vectors)
            found.append((reduced.tobytes(), diversify.cluster(reduced).tobytes()))
    assert found[0] == found[1]
    assert len(np.unique(diversify.cluster(diversify.reduced(given.vectors)))) == diversify.clusters_for(1_000)


def test_pca_keeps_the_share_of_the_variance_that_it_says() -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(500, 20)) * (0.7 ** np.arange(20))).astype(np.float32)
    reduced = diversify.reduced(vectors, 0.95)
    total = np.var(vectors, axis=0).sum()
    assert np.var(reduced, axis=0).sum() >= 0.95 * total
    assert np.var(reduced[:, :-1], axis=0).sum() < 0.95 * total
    assert diversify.reduced(np.ones((5, 3), np.float32)).shape == (5, 1)


def test_coverage_counts_what_is_left_and_names_what_is_lost() -> None:
    labels = ["a"] * 6 + ["b"] * 3 + ["c", None]
    found = coverage(labels, np.array([True] + [False] * 5 + [True] + [False] * 4))
    assert found is not None
    assert (found.groups, found.covered, found.lost) == (3, 2, {"c": 1})
    assert found.share == 0.9
    assert found.after == pytest.approx(2.0)
    assert coverage([None, None], np.array([True, False])) is None
