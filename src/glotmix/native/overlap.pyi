import numpy as np
from numpy.typing import NDArray

def table_of(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]: ...
def find(
    offsets: NDArray[np.int64],
    data: NDArray[np.uint8],
    stage1: NDArray[np.uint16],
    stage2: NDArray[np.uint32],
    pool: NDArray[np.uint32],
    width: int,
    wanted: NDArray[np.uint64],
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]: ...
def weigh(
    offsets: NDArray[np.int64],
    data: NDArray[np.uint8],
    stage1: NDArray[np.uint16],
    stage2: NDArray[np.uint32],
    pool: NDArray[np.uint32],
    out: NDArray[np.int64],
) -> None: ...
