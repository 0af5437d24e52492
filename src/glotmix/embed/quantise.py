"""Vectors in a byte per few numbers: product quantisation with a scale per row.

Jégou et al. 2011 (10.1109/TPAMI.2010.57), as fastText.zip has it for embeddings (Joulin et al. 2016, arXiv
1612.03651): a row is divided by its norm, cut into groups of numbers, and each group is replaced by the nearest of 256
centroids of its place. A sum over many rows averages the errors out.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CENTROIDS = 256
_ROUNDS = 12
_SAMPLE = 65_536


class Quantised(NamedTuple):
    """`codes` (rows, groups) uint8, `scales` (rows,) float32, `centroids` (groups, 256, numbers in a group) float32."""

    codes: NDArray[np.uint8]
    scales: NDArray[np.float32]
    centroids: NDArray[np.float32]

    def vectors(self) -> NDArray[np.float32]:
        """Return the rows as vectors, (rows, width)."""
        found = self.centroids[np.arange(len(self.centroids)), self.codes]
        return (found.reshape(len(self.codes), -1) * self.scales[:, None]).astype(np.float32)


def axes(vectors: NDArray[np.float32], weights: NDArray[np.float64], kept: int, seed: int) -> NDArray[np.float32]:
    """Return orthonormal axes, (width, kept): those in which rows vary most, turned at random.

    Dropping the axes in which rows hardly vary leaves more bits for the others, and a turn spreads the variance evenly
    over the groups, each of which has as many bits (Ge et al. 2013, 10.1109/CVPR.2013.379, balance it by a search).

    Args:
        vectors: (rows, width).
        weights: (rows,) how much each row matters.
        kept: how many axes, at most the width.
        seed: of the turn.
    """
    moments = np.zeros((vectors.shape[1],) * 2)
    for at in range(0, len(vectors), 65_536):
        rows = vectors[at : at + 65_536].astype(np.float64)
        moments += (rows * weights[at : at + 65_536, None]).T @ rows
    leading = np.linalg.eigh(moments)[1][:, ::-1][:, :kept]
    turn = np.linalg.qr(np.random.default_rng([seed, 3]).standard_normal((kept, kept)))[0]
    return np.ascontiguousarray(leading @ turn).astype(np.float32)


def quantise(vectors: NDArray[np.float32], weights: NDArray[np.float64], group: int, seed: int) -> Quantised:
    """Quantise rows.

    Args:
        vectors: (rows, width).
        weights: (rows,) how much each row matters: centroids are drawn to where the weight is.
        group: numbers per byte; it must divide the width.
        seed: of the rows that centroids are fitted to.
    """
    rows, width = vectors.shape
    norms = np.linalg.norm(vectors, axis=1)
    units = vectors / np.maximum(norms, 1e-9)[:, None]
    generator = np.random.default_rng(seed)
    drawn = (
        np.arange(rows)
        if rows <= _SAMPLE
        else generator.choice(rows, _SAMPLE, replace=False, p=weights / weights.sum(), shuffle=False)
    )
    groups = width // group
    centroids = np.empty((groups, CENTROIDS, group), np.float32)
    codes = np.empty((rows, groups), np.uint8)
    for j in range(groups):
        part = np.ascontiguousarray(units[:, j * group : (j + 1) * group])
        # Rounded as they are stored: a model that was written and read is the same model.
        centroids[j] = _centroids(part[drawn], generator).astype(np.float16)
        for at in range(0, rows, 65_536):
            codes[at : at + 65_536, j] = _nearest(part[at : at + 65_536], centroids[j])
    quantised = Quantised(codes, np.ones(rows, np.float32), centroids)
    # The scale that brings each row nearest to what it stands for: <row, decoded> / |decoded|².
    scales = np.empty(rows, np.float32)
    for at in range(0, rows, 65_536):
        decoded = Quantised(codes[at : at + 65_536], quantised.scales[at : at + 65_536], centroids).vectors()
        own = vectors[at : at + 65_536]
        scales[at : at + 65_536] = (own * decoded).sum(1) / np.maximum((decoded**2).sum(1), 1e-9)
    return Quantised(codes, scales.astype(np.float16).astype(np.float32), centroids)


def _centroids(points: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """Lloyd's algorithm; an empty cluster moves to a point drawn anew."""
    centres = points[generator.choice(len(points), CENTROIDS, replace=len(points) < CENTROIDS)].copy()
    for _ in range(_ROUNDS):
        nearest = _nearest(points, centres)
        counts = np.bincount(nearest, minlength=CENTROIDS)
        for k in range(points.shape[1]):
            sums = np.bincount(nearest, points[:, k], CENTROIDS)
            centres[:, k] = sums / np.maximum(counts, 1)
        empty = np.flatnonzero(counts == 0)
        centres[empty] = points[generator.integers(0, len(points), len(empty))]
    return centres


def _nearest(points: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.intp]:
    # In pieces whose distances stay in the cache.
    lengths = (centres**2).sum(1)
    found = np.empty(len(points), np.intp)
    for at in range(0, len(points), 2_048):
        np.argmin(lengths - 2 * (points[at : at + 2_048] @ centres.T), axis=1, out=found[at : at + 2_048])
    return found
