import numpy as np
from numpy.typing import NDArray

FIELDS: tuple[str, ...]
KINDS: tuple[int, ...]
FLAGS: tuple[int, ...]

Stream = tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.int32]]

def scan(
    offsets: NDArray[np.int64],
    data: NDArray[np.uint8],
    kinds: NDArray[np.uint16],
    scripts: NDArray[np.uint8],
    profile: NDArray[np.int32],
    native: NDArray[np.uint8],
    short_units: NDArray[np.int32],
    ends: NDArray[np.int32],
    salts: NDArray[np.uint64],
    stop_table: NDArray[np.uint64],
    out: NDArray[np.int64],
    units: Stream,
    lines: Stream,
    paragraphs: Stream,
) -> None: ...
