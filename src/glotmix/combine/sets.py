"""Sets of documents under a budget of tokens: what a law chose, and what simple ways to choose would."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from glotmix.combine.documents import Document
from glotmix.mix.accounting import Array
from glotmix.select import diversify
from glotmix.select.diversify import Pool, Rows, Vectors

SIMPLE: Mapping[str, str] = {
    "quality": "quality",
    "m_daq": "m-daq",
    "facility": "facility-location",
    "dpp": "dpp",
}
"""Ways to choose documents by themselves → `glotmix.select.diversify.METHODS`, the simplest first."""
_ROUNDS = 12
_NEAR = 20
"""Documents that are as long as another, on either side."""


def simple(pool: Pool, tokens: Array, budget: float, seed: int = 0) -> dict[str, Rows]:
    """Return what each simple way chooses: positions, together of as many tokens as the budget, about.

    Args:
        pool: the documents.
        tokens: (n,) of each.
        budget: of tokens.
        seed: of those that draw.
    """
    return {name: _within(diversify.METHODS[method], pool, tokens, budget, seed) for name, method in SIMPLE.items()}  # type: ignore[index]


def at_random(tokens: Array, budget: float, seed: int) -> Rows:
    """Return documents by chance, of as many tokens as the budget, about."""
    return filled(np.random.default_rng([seed, 41]).permutation(len(tokens)), tokens, budget)


def of_lengths(rows: Rows, sizes: Array, tokens: Array, budget: float, seed: int) -> Rows:
    """Return documents by chance, as long as those of a set, of as many tokens as the budget: a control.

    Args:
        rows: the set.
        sizes: (n,) bytes of every document.
        tokens: (n,) of every document.
        budget: of tokens.
        seed: of the draw.
    """
    rng = np.random.default_rng([seed, 42])
    order = np.argsort(sizes, kind="stable")
    free = np.ones(len(sizes), bool)
    found = []
    for row in rng.permutation(rows):
        at = int(np.searchsorted(sizes[order], sizes[row]))
        near = order[max(0, at - _NEAR) : at + _NEAR]
        near = near[free[near]]
        if len(near):
            found.append(int(rng.choice(near)))
            free[found[-1]] = False
    rest = rng.permutation(np.flatnonzero(free))
    return filled(np.array([*found, *rest.tolist()], np.int64), tokens, budget)


def filled(order: Rows, tokens: Array, budget: float) -> Rows:
    """Return the first of an order whose tokens come nearest to a budget; one at least."""
    sums = np.cumsum(tokens[order])
    return order[: max(1, int(np.abs(sums - budget).argmin()) + 1)]


def of_cells(
    members: Mapping[str, Sequence[int]], names: Sequence[str], blocks: Array, block: float, tokens: Array
) -> Rows:
    """Return the documents of blocks of cells, one as often as it is read; of a cell that is in, one at least.

    Args:
        members: by cell, positions of its documents in the order in which they are read.
        names: of the cells.
        blocks: (J,) of each.
        block: tokens of a block.
        tokens: (n,) of every document.
    """
    found: list[int] = []
    for name, count in zip(names, blocks, strict=True):
        mine = np.asarray(members[name], np.int64)
        left = float(count * block)
        while left >= tokens[mine].sum():
            found += mine.tolist()
            left -= float(tokens[mine].sum())
        if left > 0:
            sums = np.cumsum(tokens[mine])
            least = 0 if left < count * block else 1
            found += mine[: max(least, int(np.abs(np.r_[0.0, sums] - left).argmin()))].tolist()
    return np.array(found, np.int64)


def pool_of(documents: Sequence[Document], vectors: Vectors, quality: Array, seed: int = 0) -> Pool:
    """Return documents as the simple ways look at them: quality as given, clusters as M-DaQ makes them."""
    kept = diversify.reduced(vectors, seed=seed)
    lengths = np.array([len(one.text) for one in documents], np.float64)
    return Pool(vectors, quality, diversify.cluster(kept, seed=seed), lengths)


def _within(method: Callable[..., Rows], pool: Pool, tokens: Array, budget: float, seed: int) -> Rows:
    """Return the selection whose tokens come nearest to the budget: its number is found by halving."""
    low, high = 1, len(pool)
    best: tuple[float, Rows] | None = None
    for _ in range(_ROUNDS):
        if low > high:
            break
        n = (low + high) // 2 if best is not None else min(high, max(low, round(budget / float(tokens.mean()))))
        rows = method(pool, n, seed)
        off = float(tokens[rows].sum()) - budget
        if best is None or abs(off) < best[0]:
            best = abs(off), rows
        low, high = (low, n - 1) if off > 0 else (n + 1, high)
    assert best is not None
    return best[1]
