import numpy as np
from numpy.typing import NDArray

def score_features(
    offsets: NDArray[np.int64],
    data: NDArray[np.uint8],
    moves: NDArray[np.uint32],
    rows: NDArray[np.uint16],
    features: NDArray[np.int32],
    weights: NDArray[np.float32],
    scores: NDArray[np.float32],
    found: NDArray[np.int64],
) -> None: ...
def careful(
    offsets: NDArray[np.int64],
    data: NDArray[np.uint8],
    classes: NDArray[np.uint8],
    marks: NDArray[np.uint8],
    pairs: NDArray[np.uint64],
    out: NDArray[np.uint8],
) -> None: ...
def pairs_of(first: NDArray[np.uint32], second: NDArray[np.uint32]) -> NDArray[np.uint64]: ...
