"""Random subsets of cells to train on: every cell about as often as any other, some of them in double doses."""

import numpy as np

from glotmix.combine.cells import Cells
from glotmix.core.errors import RequestError
from glotmix.mix.accounting import Array

_DOUBLE = 4
"""One subset in so many takes two blocks of each of its cells: otherwise nothing says how a cell saturates."""


def blocks_for(cells: int) -> int:
    """Return how many blocks a subset of so many cells should hold: a third, at least two.

    Two cells then stand together in a tenth of the subsets, and apart in four tenths.

    >>> blocks_for(9), blocks_for(4)
    (3, 2)
    """
    return max(2, round(cells / 3))


def draw(cells: Cells, subsets: int, blocks: int, seed: int = 0) -> Array:
    """Draw subsets.

    Args:
        cells: of which.
        subsets: how many; none comes twice while there are others.
        blocks: that each holds, in all.
        seed: of the draw.

    Returns:
        (subsets, J) blocks of each cell.

    Raises:
        RequestError: if a subset would hold more cells than there are.
    """
    if not 2 <= blocks <= len(cells):
        raise RequestError(
            f"a subset of {blocks} blocks cannot be drawn of {len(cells)} cells", f"blocks between 2 and {len(cells)}"
        )
    rng = np.random.default_rng([seed, 31])
    found = np.zeros((subsets, len(cells)))
    used = np.zeros(len(cells))
    seen: set[bytes] = set()
    for row in range(subsets):
        dose = 2 if row % _DOUBLE == _DOUBLE - 1 and blocks % 2 == 0 and blocks > 2 else 1
        for _ in range(20):
            # Cells that were drawn less often come first, by chance among equals and near-equals.
            order = np.argsort(used + 2 * rng.random(len(cells)), kind="stable")[: blocks // dose]
            mine = np.zeros(len(cells))
            mine[order] = dose
            if mine.tobytes() not in seen:
                break
        seen.add(mine.tobytes())
        found[row] = mine
        used[order] += dose
    return found
