"""Arrow strings as the two buffers that native loops walk over."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def buffers(texts: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return the offsets, (n + 1,) int64, and the UTF-8 bytes of an Arrow array of strings, without copying the text.

    Raises:
        TypeError: if there are nulls: a text that is missing was quarantined when it was read.
    """
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if texts.null_count:
        raise TypeError("a text is null")
    wide = texts.cast(pa.large_string())
    _, offsets, data = wide.buffers()
    n = len(wide)
    starts = np.frombuffer(offsets, np.int64, count=n + 1, offset=wide.offset * 8) if n else np.zeros(1, np.int64)
    # An empty buffer is no buffer in Arrow; a memory view of one byte keeps the loops free of a special case.
    text = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
    return starts, text
