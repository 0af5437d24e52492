"""Which words and n-grams a static embedder knows: those that its training text uses most, balanced over languages."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

BALANCE = 0.75
"""A language with n features of text counts as n^BALANCE of them: 1 for as they come, 0 for all languages alike."""

FEW = 100_000
"""Features that make a language's shares worth believing: with fewer, a rare word would look common."""


def count(keys: Iterable[NDArray[np.uint32]]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return the distinct keys of some texts, ascending, and in how many places each stands."""
    found, counts = np.empty(0, np.uint32), np.empty(0, np.int64)
    for some in keys:
        new, n = np.unique(some, return_counts=True)
        merged = np.concatenate([found, new])
        found, inverse = np.unique(merged, return_inverse=True)
        counts = np.bincount(inverse, np.concatenate([counts, n]), len(found)).astype(np.int64)
    return found, counts


def choose(
    counted: Mapping[str, tuple[NDArray[np.uint32], NDArray[np.int64]]],
    size: int,
    least: int = 2,
    balance: float = BALANCE,
) -> NDArray[np.uint32]:
    """Choose the keys of a vocabulary.

    A key's weight is Σ_l c_l · N_l^(balance − 1), over languages l with c_l occurrences of it among N_l of all keys;
    the heaviest are taken, ties by the smaller key.

    Args:
        counted: language → distinct keys and counts, as `count` gives them.
        size: how many keys at most.
        least: a key that stands in fewer places, all languages together, is left out: nothing could be learned.
        balance: see `BALANCE`.

    Returns:
        The keys, ascending, (at most size,) uint32.
    """
    names = sorted(counted)
    keys = np.concatenate([counted[name][0] for name in names])
    counts = np.concatenate([counted[name][1] for name in names])
    weights = np.concatenate(
        [n * float(max(1, n.sum())) ** (balance - 1) for n in (counted[name][1] for name in names)]
    )
    distinct, inverse = np.unique(keys, return_inverse=True)
    total = np.bincount(inverse, counts, len(distinct)).astype(np.int64)
    weight = np.bincount(inverse, weights, len(distinct))
    weight[total < least] = 0
    best = np.argsort(-weight, kind="stable")[:size]
    return distinct[np.sort(best[weight[best] > 0])]


def shares(
    keys: NDArray[np.uint32], counted: Mapping[str, tuple[NDArray[np.uint32], NDArray[np.int64]]]
) -> NDArray[np.float64]:
    """Return the largest part of a language's features that each key is, c_l / (N_l + `FEW`) over languages l."""
    found = np.zeros(len(keys))
    for own, counts in counted.values():
        at = np.searchsorted(own, keys).clip(max=max(0, len(own) - 1))
        if len(own):
            here = np.where(own[at] == keys, counts[at], 0) / (counts.sum() + FEW)
            np.maximum(found, here, out=found)
    return found
