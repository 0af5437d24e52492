"""The account, the limits and the mixtures that need no runs, against brute force and the published algorithm."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmix.core.errors import DataError, RequestError
from glotmix.mix import baselines
from glotmix.mix.accounting import Available, account, apportion
from glotmix.mix.limits import Box, Limits, box, broken, nearest, nearest_rows

SIZES = st.lists(st.integers(1, 10**9), min_size=2, max_size=12)


def there(sizes):
    """An account with languages l0, l1, … of the given unique tokens, documents of unequal length."""
    return Available.of({f"l{i}": (1 + n // (50 + 37 * i), 3 * n, n) for i, n in enumerate(sizes)})


def algorithm_1(sizes, budget, epochs):
    """UniMax exactly as printed in Chung et al. 2023."""
    order = np.argsort(sizes, kind="stable")
    left, given_to = float(budget), np.zeros(len(sizes))
    for position, i in enumerate(order):
        each = left / (len(sizes) - position)
        given_to[i] = min(each, epochs * sizes[i])
        left -= given_to[i]
    return given_to / given_to.sum()


def water_filling(weights, low, high):
    """clip(λ w) by two hundred halvings of λ."""
    a, b = 0.0, float(np.max(high / weights)) + 1
    for _ in range(200):
        middle = (a + b) / 2
        a, b = (middle, b) if np.clip(middle * weights, low, high).sum() < 1 else (a, middle)
    return np.clip(b * weights, low, high)


@given(SIZES, st.floats(0.05, 0.999), st.floats(0.5, 20))
def test_unimax_is_the_published_algorithm(sizes, fill, epochs):
    stock = there(sizes)
    budget = max(1, int(fill * epochs * stock.total))
    got = baselines.unimax(stock, box(stock, budget, Limits(max_epochs=epochs)))
    np.testing.assert_allclose(got, algorithm_1(np.array(sizes), budget, epochs), atol=1e-9)


@given(st.data())
def test_nearest_is_water_filling_and_the_least_divergence(data):
    m = data.draw(st.integers(2, 9))
    numbers = st.floats(0.01, 1)
    weights = np.array(data.draw(st.lists(numbers, min_size=m, max_size=m)))
    inside = np.array(data.draw(st.lists(numbers, min_size=m, max_size=m)))
    inside /= inside.sum()
    spread = np.array(data.draw(st.lists(st.floats(0, 1), min_size=m, max_size=m)))
    within = Box(inside * spread, np.minimum(1, inside * (1 + 2 * spread)))
    got = nearest(weights, within)
    np.testing.assert_allclose(got, water_filling(weights / weights.sum(), within.low, within.high), atol=1e-9)
    rows = np.array([weights, weights[::-1]])
    np.testing.assert_allclose(nearest_rows(rows, within), [nearest(row, within) for row in rows], atol=1e-9)
    assert abs(got.sum() - 1) < 1e-9

    def divergence(r):
        return float(np.sum(r * np.log(r * weights.sum() / weights)))

    assert divergence(got) <= divergence(inside) + 1e-9


@given(SIZES, st.floats(1, 100), st.randoms(use_true_random=False))
def test_mixtures_sum_to_one_grow_with_size_and_follow_a_permutation(sizes, t, random):
    stock = there(sizes)
    budget = stock.total
    order = list(range(len(sizes)))
    random.shuffle(order)
    turned = Available.of({stock.languages[i]: (stock.documents[i], stock.bytes[i], stock.tokens[i]) for i in order})
    limit = Limits(max_epochs=4)
    here = baselines.baselines(stock, box(stock, budget, limit), t)
    moved = baselines.baselines(turned, box(turned, budget, limit), t)
    for name, shares in here.items():
        assert abs(shares.sum() - 1) < 1e-9 and shares.min() >= 0
        np.testing.assert_allclose(shares[order], moved[name], rtol=1e-9)
        ascending = shares[np.argsort(sizes, kind="stable")]
        assert np.all(np.diff(ascending) >= -1e-12)


@given(SIZES, st.floats(1, 8), st.floats(0.3, 0.99), st.floats(1.01, 50))
def test_every_method_keeps_the_caps_floors_and_ceilings(sizes, epochs, fill, t):
    stock = there(sizes)
    budget = max(1, int(fill * epochs * stock.total))
    caps = np.minimum(1, epochs * np.array(sizes) / budget)
    floor = 0.3 * caps[0] * fill
    limit = Limits(max_epochs=epochs, floors={"l0": floor})
    within = box(stock, budget, limit)
    for shares in (
        baselines.natural(stock, within),
        baselines.uniform(stock, within),
        baselines.temperature(stock, t, within),
        baselines.unimax(stock, within),
    ):
        assert broken(stock, shares, budget, limit) == ()
        assert np.all(shares <= caps + 1e-9) and shares[0] >= floor - 1e-9


def test_temperature_runs_from_natural_to_uniform():
    stock = there([900_000, 90_000, 10_000])
    np.testing.assert_allclose(baselines.temperature(stock, 1), baselines.natural(stock))
    np.testing.assert_allclose(baselines.temperature(stock, 1e9), baselines.uniform(stock), atol=1e-6)
    expected = np.array([900_000, 90_000, 10_000]) ** 0.3
    np.testing.assert_allclose(baselines.temperature(stock, 1 / 0.3), expected / expected.sum())
    with pytest.raises(RequestError, match="temperature of 0"):
        baselines.temperature(stock, 0)


def test_a_language_without_tokens_gets_nothing():
    stock = Available.of({"a": (5, 500, 100), "none": (0, 0, 0), "b": (5, 500, 300)})
    within = box(stock, 400, Limits(max_epochs=4))
    for shares in baselines.baselines(stock, within).values():
        assert shares[1] == 0 and abs(shares.sum() - 1) < 1e-12
    assert box(stock, 400, Limits()).high.tolist() == [1, 0, 1]
    assert account("u", stock, baselines.uniform(stock), 400).rows[1].epochs is None
    with pytest.raises(RequestError, match="tokens of none, which has none"):
        account("bad", stock, [0.5, 0.25, 0.25], 400)


def test_a_floor_that_cannot_be_filled_names_the_language_and_the_lack():
    stock = there([1_000_000, 2_000])
    with pytest.raises(RequestError) as caught:
        box(stock, 1_000_000, Limits(max_epochs=4, floors={"l1": 0.05}))
    message = str(caught.value)
    assert "50,000" in message and "8,000" in message and "short: l1 by 42,000 tokens" in message
    # What it says to type must in fact work.
    share, epochs = re.search(r"mix\.floors\.l1=(\S+), or mix\.max_epochs_of\.l1=(\S+)", message).groups()
    box(stock, 1_000_000, Limits(max_epochs=4, floors={"l1": float(share)}))
    box(stock, 1_000_000, Limits(max_epochs=4, floors={"l1": 0.05}, max_epochs_of={"l1": float(epochs)}))


@settings(max_examples=50)
@given(SIZES, st.floats(0.5, 8), st.floats(1.02, 30))
def test_a_budget_that_cannot_be_filled_says_what_would_do(sizes, epochs, over):
    stock = there(sizes)
    budget = int(over * epochs * stock.total) + 1
    with pytest.raises(RequestError) as caught:
        box(stock, budget, Limits(max_epochs=epochs))
    message = str(caught.value)
    possible = int(re.search(r"mix\.tokens=(\d+)", message).group(1))
    enough = float(re.search(r"mix\.max_epochs=(\S+)", message).group(1))
    short = int(re.search(r"limits, ([\d,]+) too few", message).group(1).replace(",", ""))
    assert abs(budget - epochs * stock.total - short) <= 1
    if possible:
        box(stock, possible, Limits(max_epochs=epochs))
    box(stock, budget, Limits(max_epochs=enough))


def test_other_impossible_limits_are_refused():
    stock = there([1000, 1000])
    for limit, words in (
        (Limits(floors={"l0": 0.7, "l1": 0.5}), "0.2 too many"),
        (Limits(floors={"l0": 0.7}, ceilings={"l0": 0.5}), "above mix.ceilings.l0"),
        (Limits(ceilings={"l0": 0.4, "l1": 0.4}), "200 too few"),
        (Limits(floors={"l7": 0.1}), "'l7'"),
        (Limits(ceilings={"l0": 1.5}), "outside 0 to 1"),
        (Limits(max_epochs=0), "more than 0"),
    ):
        with pytest.raises(RequestError, match=re.escape(words)):
            box(stock, 1000, limit)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(1, 10**12))
def test_whole_tokens_sum_to_the_budget_and_are_nearest(parts, tokens):
    shares = np.array(parts) + 1e-3
    shares /= shares.sum()
    whole = apportion(shares, tokens)
    assert sum(whole) == tokens
    assert max(abs(w - s * tokens) for w, s in zip(whole, shares, strict=True)) < 1 + 1e-3


def test_one_account_of_documents_bytes_tokens_and_epochs():
    stock = Available.of({"long": (10, 40_000, 10_000), "short": (1_000, 60_000, 10_000)})
    mixture = account("half", stock, [0.5, 0.5], 40_000)
    long, short = mixture.rows
    assert (long.tokens_used, long.bytes_used, long.epochs) == (20_000, 80_000, 2.0)
    assert (short.tokens_used, short.bytes_used, short.epochs) == (20_000, 120_000, 2.0)
    # Half of the tokens is one document in a hundred and one.
    assert long.document_share == pytest.approx(10 / 1010)
    assert (long.low, long.high) == (None, None)
    for shares in ([0.5, 0.6], [1.5, -0.5], [1.0], [np.nan, 1]):
        with pytest.raises(RequestError):
            account("bad", stock, shares, 1)


def test_an_account_that_contradicts_itself_is_refused():
    for counts, words in (
        ({"a": (0, 10, 5)}, "0 documents but 5 tokens"),
        ({"a": (1, -1, 5)}, "negative"),
        ({"a": (0, 0, 0)}, "nothing to mix"),
    ):
        with pytest.raises(DataError, match=words):
            Available.of(counts)
    with pytest.raises(DataError, match="a comes twice"):
        Available(("a", "a"), (1, 1), (1, 1), (1, 1))
