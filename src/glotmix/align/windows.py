"""Windows of training: as many tokens each, cut only where a pair begins."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glotmix.align.encode import IGNORED, Encoded

VERSION = 2


@dataclass(frozen=True, eq=False)
class Flat:
    """Samples, or windows of them, one behind the other.

    Args:
        tokens: (t,) uint32.
        loss: (t,) bool.
        labels: (t,) int64, `IGNORED` where there is no loss.
        parts: (t,) int32, number of the sample within its window; −1 for what fills a window up.
        ends: (d,) int64, where each sample or window ends.
        filled: tokens that only fill windows up.
        pairs: stretches that may stand in a window each: from one of a sample's begins to the next.
        too_long: those that no window has room for, and are left out.
    """

    tokens: NDArray[np.uint32]
    loss: NDArray[np.bool_]
    labels: NDArray[np.int64]
    parts: NDArray[np.int32]
    ends: NDArray[np.int64]
    filled: int = 0
    pairs: int = 0
    too_long: int = 0


def flat(samples: Iterable[Encoded]) -> Flat:
    """Put samples one behind the other, each a document of its own."""
    given = list(samples)
    sizes = np.array([len(one.tokens) for one in given], np.int64)
    empty = np.zeros(0)
    return Flat(
        np.concatenate([empty.astype(np.uint32), *(one.tokens for one in given)]),
        np.concatenate([empty.astype(bool), *(one.loss for one in given)]),
        np.concatenate([empty.astype(np.int64), *(one.labels for one in given)]),
        np.zeros(int(sizes.sum()), np.int32),
        np.cumsum(sizes),
    )


def windows(samples: Iterable[Encoded], length: int, end: int) -> Flat:
    """Fill windows of exactly `length` tokens with the pairs of samples, in their order, none of them cut.

    A trainer that cuts its stream of tokens at every `length` then never cuts a source from its target. What is left of
    a window is filled with the end of a document, which bears no loss there.

    Args:
        samples: see `encode`; each may be cut at its `begins` alone.
        length: tokens of a window.
        end: the token behind every document.
    """
    tokens: list[NDArray[np.uint32]] = []
    loss: list[NDArray[np.bool_]] = []
    labels: list[NDArray[np.int64]] = []
    parts: list[NDArray[np.int32]] = []
    room, number, filled, pairs, too_long = length, 0, 0, 0, 0

    def close() -> None:
        nonlocal room, number, filled
        if room < length:
            tokens.append(np.full(room, end, np.uint32))
            loss.append(np.zeros(room, bool))
            labels.append(np.full(room, IGNORED, np.int64))
            parts.append(np.full(room, -1, np.int32))
            filled += room
        room, number = length, 0

    for one in samples:
        starts = one.begins.tolist()
        for start, stop in zip(starts, [*starts[1:], len(one.tokens)], strict=True):
            size, pairs = stop - start, pairs + 1
            if size > length:
                too_long += 1
                continue
            if size > room:
                close()
            tokens.append(one.tokens[start:stop])
            loss.append(one.loss[start:stop])
            labels.append(one.labels[start:stop])
            parts.append(np.full(size, number, np.int32))
            room -= size
        if room < length:
            number += 1
        if not room:
            close()
    close()
    count = sum(map(len, tokens))
    return Flat(
        np.concatenate([np.zeros(0, np.uint32), *tokens]),
        np.concatenate([np.zeros(0, bool), *loss]),
        np.concatenate([np.zeros(0, np.int64), *labels]),
        np.concatenate([np.zeros(0, np.int32), *parts]),
        np.arange(length, count + 1, length, dtype=np.int64),
        filled,
        pairs,
        too_long,
    )
