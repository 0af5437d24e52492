import numpy as np
from numpy.typing import NDArray

FIELDS: tuple[str, ...]

def repeats(
    starts: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    chars: NDArray[np.int32],
    grain: NDArray[np.int32],
    out: NDArray[np.int64],
    entropy: NDArray[np.float64],
) -> None: ...
def again(
    starts: NDArray[np.int64], hashes: NDArray[np.uint64], chars: NDArray[np.int32], out: NDArray[np.int64]
) -> None: ...
