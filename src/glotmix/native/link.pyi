import numpy as np
from numpy.typing import NDArray

def link_sets(
    keys: NDArray[np.int64],
    order: NDArray[np.int64],
    starts: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    threshold: float,
    cap: int,
    labels: NDArray[np.int64],
) -> tuple[int, int, int]: ...
def link_sketches(
    keys: NDArray[np.int64],
    order: NDArray[np.int64],
    sketch: NDArray[np.uint8],
    threshold: float,
    cap: int,
    labels: NDArray[np.int64],
) -> tuple[int, int, int]: ...
def jaccard(
    starts: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    out: NDArray[np.float64],
) -> None: ...
def estimate(
    sketch: NDArray[np.uint8], left: NDArray[np.int64], right: NDArray[np.int64], out: NDArray[np.float64]
) -> None: ...
