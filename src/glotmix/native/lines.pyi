import numpy as np
from numpy.typing import NDArray

def lines(
    offsets: NDArray[np.int64],
    data: NDArray[np.uint8],
    stage1: NDArray[np.uint16],
    stage2: NDArray[np.uint32],
    pool: NDArray[np.uint32],
    least: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]: ...
