from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

def cheapest(
    moves: Sequence[tuple[int, int]], tables: Sequence[NDArray[np.float32] | None], skip: float, n: int, m: int
) -> bytearray: ...
