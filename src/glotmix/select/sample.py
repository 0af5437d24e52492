"""Selection by sampling: better documents are likelier, none is certain (QuRating, arXiv 2402.09739).

    key_i = z_i / τ + g_i,    g_i from Gumbel(0, 1);    the documents with the largest keys are kept

which draws documents one by one without replacement, each with a probability proportional to exp(z_i / τ) (Gumbel
top-k; Vieira 2014, Kool et al. 2019). z is the quality in standard deviations of its language. A large τ draws at
random, a small one is top-k.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from math import fsum, sqrt
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.core.errors import RequestError

Moments: TypeAlias = tuple[float, float]
"""Mean and standard deviation."""


@dataclass(frozen=True)
class Draw:
    """How documents are drawn: see `gumbel_keys`.

    Args:
        temperature: τ.
        seed: of the draw.
        moments: those of each group of documents, where more belong to it than are looked at here.
    """

    temperature: float
    seed: int
    moments: Mapping[tuple[str, str | None], Moments] | None = None

    def keys(
        self, group: tuple[str, str | None], ids: pa.ChunkedArray, quality: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Return (n,) keys of documents of a group."""
        known = None if self.moments is None else self.moments[group]
        return gumbel_keys(ids, quality, self.temperature, self.seed, known)


def exactly(values: Iterable[float]) -> list[float]:
    """Return the few numbers that add up to exactly what many do, so that sums of pieces are the sum of the whole.

    Shewchuk 1997, doi:10.1007/PL00009321: `math.fsum` rounds the true sum once, and what it missed is summed again.

    >>> exactly([1.0, 1e100, 1.0, -1e100]), exactly([0.1] * 10)
    ([2.0], [1.0, 5.551115123125783e-17])
    """
    values, found = list(values), list[float]()
    while missed := fsum(chain(values, (-one for one in found))):
        found.append(missed)
    return found


def deviations(quality: NDArray[np.floating], centre: float) -> NDArray[np.float64]:
    """Return the squared distances of the known qualities from their mean."""
    return np.asarray((known(quality) - centre) ** 2, np.float64)


def known(quality: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the qualities that are there, and are numbers."""
    return np.asarray(quality[np.isfinite(quality)], np.float64)


def gumbel_keys(
    ids: pa.ChunkedArray,
    quality: NDArray[np.floating],
    temperature: float,
    seed: int,
    moments: Moments | None = None,
) -> NDArray[np.float64]:
    """Return (n,) keys of the documents of one language; NaN, a missing quality, counts as the mean.

    A document's noise depends on its id and the seed alone: the same in any order and beside any other documents.

    Args:
        ids: n ids.
        quality: (n,).
        temperature: τ, more than 0.
        seed: of the draw.
        moments: of the quality; those of these documents where nothing is said.

    Raises:
        RequestError: for a temperature that is not positive.
    """
    if not temperature > 0:
        raise RequestError(f"the temperature is {temperature:g}", "select.sample=top keeps the best for certain")
    if moments is None:
        n = len(known(quality))
        # Sums that depend on no order: they are the same where documents are decided part by part.
        centre = fsum(known(quality).tolist()) / n if n else 0.0
        moments = centre, sqrt(fsum(deviations(quality, centre).tolist()) / n) if n else 0.0
    centre, spread = moments
    # A spread too small for the numbers of the quality is none.
    spread = spread if quality.dtype.type(spread) > 0 else 1.0
    z = np.where(np.isnan(quality), 0.0, (quality - centre) / spread)
    salt = seed.to_bytes(8, "little", signed=True)
    hashes = (int.from_bytes(blake2b(i.encode(), digest_size=8, salt=salt).digest(), "little") for i in ids.to_pylist())
    # Never 0 or 1: the logarithm of both is needed.
    uniform = (np.fromiter(hashes, np.uint64, len(quality)) // 2048 + 0.5) / 2**53
    return np.asarray(z / temperature - np.log(-np.log(uniform)), np.float64)
