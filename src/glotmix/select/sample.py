"""Selection by sampling: better documents are likelier, none is certain (QuRating, arXiv 2402.09739).

    key_i = z_i / τ + g_i,    g_i from Gumbel(0, 1);    the documents with the largest keys are kept

which draws documents one by one without replacement, each with a probability proportional to exp(z_i / τ) (Gumbel
top-k; Vieira 2014, Kool et al. 2019). z is the quality in standard deviations of its language. A large τ draws at
random, a small one is top-k.
"""

from hashlib import blake2b

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.core.errors import RequestError


def gumbel_keys(
    ids: pa.ChunkedArray, quality: NDArray[np.floating], temperature: float, seed: int
) -> NDArray[np.float64]:
    """Return (n,) keys of the documents of one language; NaN, a missing quality, counts as the mean.

    A document's noise depends on its id and the seed alone: the same in any order and beside any other documents.

    Args:
        ids: n ids.
        quality: (n,).
        temperature: τ, more than 0.
        seed: of the draw.

    Raises:
        RequestError: for a temperature that is not positive.
    """
    if not temperature > 0:
        raise RequestError(f"the temperature is {temperature:g}", "select.sample=top keeps the best for certain")
    known = quality[~np.isnan(quality)].astype(float)
    centre, spread = (float(known.mean()), float(known.std())) if len(known) else (0.0, 0.0)
    z = np.where(np.isnan(quality), 0.0, (quality - centre) / (spread if spread > 0 else 1.0))
    salt = seed.to_bytes(8, "little", signed=True)
    hashes = (int.from_bytes(blake2b(i.encode(), digest_size=8, salt=salt).digest(), "little") for i in ids.to_pylist())
    # Never 0 or 1: the logarithm of both is needed.
    uniform = (np.fromiter(hashes, np.uint64, len(quality)) // 2048 + 0.5) / 2**53
    return np.asarray(z / temperature - np.log(-np.log(uniform)), np.float64)
