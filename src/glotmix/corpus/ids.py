"""Ids: given ones are kept and must be unique; where there are none, the same text of the same source gets the same id.

Uniqueness is checked on 64-bit hashes in flat arrays (16 bytes a document at the peak of a sort), and confirmed on the
ids themselves only where hashes meet.
"""

import hashlib
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.native import shingles
from glotmix.native.arrays import buffers


def of_texts(source: str, texts: pa.Array) -> pa.Array:
    """Return an id for each text: the source's name and 128 bits of the text's BLAKE2b hash.

    >>> of_texts("web", pa.array(["Grüß Gott", "Grüß Gott"])).to_pylist()[0]
    'web-32eb080758da8b9b12e74b0118f7da11'
    """
    wide = texts.cast(pa.large_string())
    _, offsets, data = wide.buffers()
    text = memoryview(data) if data is not None else memoryview(b"")
    ends = np.frombuffer(offsets, np.int64, len(wide) + 1, wide.offset * 8).tolist() if len(wide) else [0]
    return pa.array(
        [f"{source}-{hashlib.blake2b(text[a:b], digest_size=16).hexdigest()}" for a, b in pairwise(ends)], pa.string()
    )


def keys(ids: pa.Array) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each id."""
    hashes = np.empty(len(ids), np.int64)
    shingles.hash_strings(*buffers(ids), 0, hashes)
    return hashes.view(np.uint64)


def repeats(
    keys: NDArray[np.uint64], made: NDArray[np.bool_], content: Callable[[NDArray[np.int64]], NDArray[np.uint64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the documents that share an id made from their text: the first keeps it, the others get 1, 2, …

    Their order is that of a hash of everything else that they carry, so it does not depend on the order of files; where
    that is equal too, so are the documents, and it does not matter.

    Args:
        keys: (n,) hashes of the ids.
        made: (n,) booleans, false where the id was given.
        content: from (k,) rows, increasing, to (k,) hashes of what the documents carry.

    Returns:
        the rows, increasing, and their numbers, from 1.
    """
    rows = np.flatnonzero(made)
    rows = rows[np.argsort(keys[rows], kind="stable")]
    same = keys[rows][1:] == keys[rows][:-1]
    crowd = np.zeros(len(rows), dtype=bool)
    crowd[1:] |= same
    crowd[:-1] |= same
    rows = np.sort(rows[crowd])
    if not len(rows):
        return rows, rows
    order = np.lexsort((rows, content(rows), keys[rows]))
    rows = rows[order]
    fresh = np.ones(len(rows), dtype=bool)
    fresh[1:] = keys[rows][1:] != keys[rows][:-1]
    starts = np.flatnonzero(fresh)
    number = np.arange(len(rows)) - np.repeat(starts, np.diff(np.append(starts, len(rows))))
    later = number > 0
    rows, number = rows[later], number[later]
    order = np.argsort(rows)
    return rows[order], number[order]


def meeting(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the rows, increasing, whose hash another row has too."""
    order = np.argsort(keys, kind="stable")
    same = keys[order][1:] == keys[order][:-1]
    crowd = np.zeros(len(keys), dtype=bool)
    crowd[1:] |= same
    crowd[:-1] |= same
    return np.sort(order[crowd])
