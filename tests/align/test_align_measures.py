"""Measures of a model's states: against plain loops, and unmoved by what must not move them."""

import numpy as np
import pytest

from glotmix.align import measures
from glotmix.align.states import lexical, tf_idf, untrained

N, WIDTH = 40, 12


def sides(noise: float = 0.8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    meaning = rng.standard_normal((N, WIDTH))
    own = [meaning + noise * rng.standard_normal((N, WIDTH)) + 5 * rng.standard_normal(WIDTH) for _ in range(2)]
    return own[0], own[1]


def values(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    c = measures.cosines(one, other)
    return {
        "d_prime": float(measures.d_prime(c).mean()),
        "p1": float(measures.hits(c).mean()),
        "mexa": float(measures.mutual(c).mean()),
        "gap": float(measures.gaps(c).mean()),
    }


def test_against_plain_loops() -> None:
    one, other = sides()
    a, b = ((x - x.mean(0)) / np.linalg.norm(x - x.mean(0), axis=1, keepdims=True) for x in (one, other))
    c = a @ b.T
    d, best, both, gap = [], [], [], []
    near = lambda row: np.sort(row)[-10:].mean()  # noqa: E731
    for side in (c, c.T):
        for i in range(N):
            others = np.delete(side[i], i)
            d.append((side[i, i] - others.mean()) / others.std())
            csls = [2 * side[i, j] - near(side[i]) - near(side[:, j]) for j in range(N)]
            best.append(int(np.argmax(csls)) == i)
    for i in range(N):
        both.append(c[i, i] > max(np.delete(c[i], i).max(), np.delete(c[:, i], i).max()))
        gap.append(c[i, i] - (np.delete(c[i], i).mean() + np.delete(c[:, i], i).mean()) / 2)
    found = values(one, other)
    assert found["d_prime"] == pytest.approx(np.mean(d), abs=1e-10)
    assert found["p1"] == np.mean(best)
    assert found["mexa"] == np.mean(both)
    assert found["gap"] == pytest.approx(np.mean(gap), abs=1e-10)
    assert 0.2 < found["p1"] < 1


@pytest.mark.parametrize("move", ["rotation", "scale", "translation", "permutation", "sides"])
def test_what_must_not_move_a_figure_does_not(move: str) -> None:
    one, other = sides()
    rng = np.random.default_rng(1)
    order = rng.permutation(N)
    moved = {
        "rotation": lambda: _turned(one, other),
        "scale": lambda: (3.5 * one, 0.02 * other),
        "translation": lambda: (one + 7 * rng.standard_normal(WIDTH), other - 40 * rng.standard_normal(WIDTH)),
        "permutation": lambda: (one[order], other[order]),
        "sides": lambda: (other, one),
    }[move]()
    before, after = values(one, other), values(*moved)
    assert {name: after[name] == pytest.approx(before[name], abs=1e-9) for name in before} == dict.fromkeys(
        before, True
    )


def _turned(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    turn = np.linalg.qr(np.random.default_rng(2).standard_normal((WIDTH, WIDTH)))[0]
    return one @ turn, other @ turn


def test_a_language_that_is_not_centred_would_hide_everything() -> None:
    """What centring is for: far means make all raw cosines alike, and the figures do not see it."""
    one, other = sides()
    far = values(one + 1000, other - 1000)
    assert far["p1"] == values(one, other)["p1"] > 0.2


def test_nothing_in_common_is_nothing() -> None:
    rng = np.random.default_rng(3)
    found = values(rng.standard_normal((400, 30)), rng.standard_normal((400, 30)))
    assert abs(found["d_prime"]) < 0.15
    assert found["p1"] < 0.03
    assert abs(found["gap"]) < 0.03


def test_equal_states_are_ties_and_no_find() -> None:
    same = np.ones((20, 5))
    assert values(same, same) == {"d_prime": 0.0, "p1": 0.0, "mexa": 0.0, "gap": 0.0}


def test_intervals_hold_the_value_and_shrink_with_sentences() -> None:
    rng = np.random.default_rng(4)
    widths = []
    for n in (50, 800):
        meaning = rng.standard_normal((n, WIDTH))
        one, other = (meaning + 1.2 * rng.standard_normal((n, WIDTH)) for _ in range(2))
        told = measures.measure(measures.cosines(one, other), measures.drawn(n, 300))
        figure = measures.figure(*told["d_prime"])
        assert figure.low <= figure.value <= figure.high
        widths.append(figure.high - figure.low)
    assert widths[1] < widths[0] / 2


def test_the_lexical_floor_finds_what_two_languages_write_alike() -> None:
    rng = np.random.default_rng(5)
    grammar = [rng.integers(0, 30, 12) for _ in range(60)]
    names = [[100 + i] for i in range(60)]
    one = [np.concatenate([g, n]) for g, n in zip(grammar, names, strict=True)]
    other = [np.concatenate([30 + rng.integers(0, 30, 12), n]) for n in names]
    apart = [np.concatenate([30 + rng.integers(0, 30, 12), [500 + i]]) for i in range(60)]
    assert measures.hits(lexical(one, other)).mean() == 1
    assert measures.hits(lexical(one, apart)).mean() < 0.1
    # Pieces that stand in every text weigh nothing.
    x, _ = tf_idf([np.array([1, 2])] * 3, [np.array([1, 3])] * 3)
    assert x.toarray()[:, 0].tolist() == [0.0] * 3


def test_the_floor_as_states_goes_towards_the_floor_as_it_is() -> None:
    rng = np.random.default_rng(6)
    one, other = ([rng.integers(0, 50, 15) for _ in range(50)] for _ in range(2))
    exact = lexical(one, other)
    errors = [np.abs(measures.cosines(*untrained(one, other, width)) - exact).mean() for width in (64, 4096)]
    assert errors[1] < errors[0] / 4


def test_below_the_floor_is_not_shown() -> None:
    one, other = sides(noise=0.3)
    weights = measures.drawn(N)
    good = measures.measure(measures.cosines(one, other), weights)
    rng = np.random.default_rng(7)
    bad = measures.measure(measures.cosines(rng.standard_normal((N, 5)), rng.standard_normal((N, 5))), weights)
    assert measures.above(good, bad, looks=12)
    assert not measures.above(bad, good, looks=1)
    assert not measures.above(good, good, looks=1)
