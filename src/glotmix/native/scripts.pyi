import numpy as np
from numpy.typing import NDArray

def count_scripts(
    offsets: NDArray[np.int64],
    data: NDArray[np.uint8],
    classes: NDArray[np.uint8],
    weights: NDArray[np.int64],
    max_chars: int,
    out: NDArray[np.int64],
) -> None: ...
