import numpy as np
from numpy.typing import NDArray

KINDS: tuple[int, int, int, int]

def taken_apart(
    block: bytes, room: int
) -> (
    tuple[
        list[bytes],
        NDArray[np.uint8],
        NDArray[np.int32],
        NDArray[np.int32],
        NDArray[np.int32],
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.int64],
    ]
    | None
): ...
def texts(
    block: bytes,
    kinds: NDArray[np.uint8],
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
    sizes: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]: ...
