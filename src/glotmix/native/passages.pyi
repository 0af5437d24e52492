import numpy as np
from numpy.typing import NDArray

def seeds(
    offsets: NDArray[np.int64],
    data: NDArray[np.uint8],
    stage1: NDArray[np.uint16],
    stage2: NDArray[np.uint32],
    pool: NDArray[np.uint32],
    width: int,
) -> NDArray[np.uint64]: ...
def windows(
    offsets: NDArray[np.int64],
    data: NDArray[np.uint8],
    stage1: NDArray[np.uint16],
    stage2: NDArray[np.uint32],
    pool: NDArray[np.uint32],
    width: int,
    known: NDArray[np.uint64],
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]: ...
