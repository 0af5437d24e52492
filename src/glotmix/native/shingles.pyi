import numpy as np
from numpy.typing import NDArray

def fold(
    offsets: NDArray[np.int64],
    data: NDArray[np.uint8],
    stage1: NDArray[np.uint16],
    stage2: NDArray[np.uint32],
    pool: NDArray[np.uint32],
    doc: int,
) -> list[int]: ...
def sign(
    offsets: NDArray[np.int64],
    data: NDArray[np.uint8],
    stage1: NDArray[np.uint16],
    stage2: NDArray[np.uint32],
    pool: NDArray[np.uint32],
    width: int,
    rows: int,
    content: NDArray[np.int64],
    count: NDArray[np.int32],
    keys: NDArray[np.int64],
    sketch: NDArray[np.uint8],
) -> None: ...
def shingle_sets(
    offsets: NDArray[np.int64],
    data: NDArray[np.uint8],
    stage1: NDArray[np.uint16],
    stage2: NDArray[np.uint32],
    pool: NDArray[np.uint32],
    width: int,
    passages: bool = False,
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]: ...
def hash_strings(offsets: NDArray[np.int64], data: NDArray[np.uint8], seed: int, out: NDArray[np.int64]) -> None: ...
