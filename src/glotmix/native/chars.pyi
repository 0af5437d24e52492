import numpy as np
from numpy.typing import NDArray

def count_chars(offsets: NDArray[np.int64], data: NDArray[np.uint8], out: NDArray[np.int64]) -> None: ...
