"""Which pairs to judge next: those whose answer is least known and tells most about the two scores.

The gain of judging (A, B) is that of the pair's logistic model about the two scores (the determinant criterion of
optimal design for Bradley–Terry, as in Glickman & Jensen 2005, with each score's variance taken by itself):

    gain = ½ log(1 + p (1 − p) (v_A + v_B)),    p = σ(s_A − s_B),  v = 1 / precision

Pairs are taken greedily by falling gain, in rounds in which a document stands in at most one pair; after each pair its
two precisions grow by what the answer will tell, so that a batch spreads over the documents.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from glotmix.core.errors import RequestError
from glotmix.quality.bradley_terry import Comparisons, Floats, Ints, scores
from glotmix.quality.raters_config import RIDGE

Choose: TypeAlias = Callable[[Floats, Floats, int, int], tuple[Ints, Ints]]
"""From scores, precisions, a number of pairs and a seed to left and right documents."""

NEAR = 24
"""Documents above and below in the order of scores that a document is tried with: one far off tells little."""


def next_pairs(
    given: Floats, precision: Floats, count: int, seed: int, judged: set[tuple[int, int]] | None = None
) -> tuple[Ints, Ints]:
    """Return the pairs to judge next.

    Args:
        given: (n,) scores, all 0 where nothing was judged yet: then no document gets a second
            pair before nearly all have one.
        precision: (n,) of the scores, see `bradley_terry.scores`.
        count: pairs wanted.
        seed: breaks ties, and draws candidates.
        judged: pairs (smaller position first) that are not to be judged again; None for none.

    Returns:
        left and right; fewer than `count` only where all candidates are used up.

    Raises:
        RequestError: for fewer than two documents.
    """

    from scipy.special import expit

    n = len(given)
    if n < 2:
        raise RequestError("there are fewer than two documents: no pair can be judged")
    rng = np.random.default_rng(seed)
    done = set(judged or ())
    known = precision.copy()
    left: list[int] = []
    right: list[int] = []
    while len(left) < count:
        before = len(left)
        # Equal scores are in an order of their own each time.
        order = np.lexsort((rng.random(n), given))
        a, b = _candidates(order, rng)
        chance = expit(given[a] - given[b])
        gain = np.log1p(chance * (1 - chance) * (1 / known[a] + 1 / known[b]))
        taken = np.zeros(n, bool)
        for at in np.lexsort((rng.random(len(gain)), -gain)):
            one, other = int(a[at]), int(b[at])
            pair = (min(one, other), max(one, other))
            if taken[one] or taken[other] or pair in done:
                continue
            taken[[one, other]] = True
            done.add(pair)
            # Which stands first is chance, so that no place is favoured.
            swap = rng.random() < 0.5
            left.append(other if swap else one)
            right.append(one if swap else other)
            known[[one, other]] += chance[at] * (1 - chance[at])
            if len(left) == count:
                break
        if len(left) == before:
            break
    return np.array(left, np.int64), np.array(right, np.int64)


def random_pairs(given: Floats, precision: Floats, count: int, seed: int) -> tuple[Ints, Ints]:
    """Return pairs at random, every document about equally often: what active selection is held against."""
    n, rng = len(given), np.random.default_rng(seed)
    orders = [rng.permutation(n) for _ in range(-(-count // n))]
    left = np.concatenate(orders)
    right = np.concatenate([np.roll(o, -1) for o in orders])
    chosen = np.sort(rng.permutation(len(left))[:count])
    return left[chosen], right[chosen]


def _candidates(order: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Return neighbours in the order of scores, and as many pairs at random."""
    n = len(order)
    near = [(order[:-gap], order[gap:]) for gap in range(1, min(NEAR, n - 1) + 1)]
    far = [(order, np.roll(order, int(rng.integers(1, n)))) for _ in range(4)]
    a, b = (np.concatenate(side) for side in zip(*near, *far, strict=True))
    return a[a != b], b[a != b]


def learning_curve(
    answer: Callable[[Ints, Ints, int], NDArray[np.floating]],
    quality: Callable[[Floats], float],
    size: int,
    budgets: list[int],
    choose: Choose = next_pairs,
    ridge: float = RIDGE,
    seed: int = 0,
) -> Iterator[tuple[int, float]]:
    """Judge pairs in batches, as `choose` asks for them, and yield how good the scores are after each.

    Args:
        answer: from left and right documents and a seed to (m,) P(left is better): a judge, or a simulation of one.
        quality: of scores, such as their rank correlation with a truth.
        size: documents.
        budgets: growing numbers of pairs in all.
        choose: which pairs, from what was judged before.
        ridge: of the scores.
        seed: of choices and answers.

    Yields:
        (pairs judged, quality).
    """
    left, right = np.zeros(0, np.int64), np.zeros(0, np.int64)
    votes = np.zeros((0, 1), np.float32)
    given, precision = np.zeros(size), np.full(size, ridge)
    for number, budget in enumerate(budgets):
        a, b = choose(given, precision, budget - len(left), seed * 10_000 + number)
        told = np.asarray(answer(a, b, seed * 10_000 + number), np.float32)
        left, right, votes = np.r_[left, a], np.r_[right, b], np.r_[votes, told[:, None]]
        given, precision = scores(Comparisons(left, right, votes, size), ridge=ridge, start=given)
        yield len(left), quality(given)


def saved(active: list[tuple[int, float]], plain: list[tuple[int, float]]) -> float | None:
    """Return the share of judgements that active selection saves at the quality which the plain curve ends with.

    Both curves are taken as straight between their points and as never falling. None where the active one does not get
    there; negative where it needs more.

    >>> saved([(100, 0.5), (200, 0.9)], [(100, 0.4), (200, 0.7)])
    0.25
    """
    goal = max(q for _, q in plain)
    needed = min(n for n, q in plain if q >= goal)
    best = np.maximum.accumulate([q for _, q in active])
    if best[-1] < goal:
        return None
    at = int(np.argmax(best >= goal))
    if at == 0:
        return 1 - active[0][0] / needed
    share = (goal - best[at - 1]) / (best[at] - best[at - 1])
    return float(1 - (active[at - 1][0] + share * (active[at][0] - active[at - 1][0])) / needed)
