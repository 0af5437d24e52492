"""Merged experts: the loss of any mixture without training on it.

After "Merging experts as proxies" (arXiv 2602.04937): from a common start θ₀, one run per language gives θ_i; the model
of a mixture r is estimated by `θ(r) = θ₀ + Σ r_i (θ_i − θ₀)`, and its loss is measured by evaluation alone.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glotmix.core.errors import RequestError
from glotmix.proxy.bits import per_byte
from glotmix.proxy.model import Weights
from glotmix.proxy.size import Shape
from glotmix.proxy.texts import Texts


def merge(start: Mapping[str, Tensor], experts: Mapping[str, Tensor], shares: NDArray[np.float64]) -> Weights:
    """Return the merged weights of each mixture.

    Args:
        start: the common start, one model: (1, …) each.
        experts: one model per language in the order of the shares: (m, …) each.
        shares: mixtures, shape (n, m).

    Returns:
        (n, …) each.

    Raises:
        RequestError: if there is not one expert per language, or not one start.
    """
    count = len(experts["embed"])
    if len(start["embed"]) != 1:
        raise RequestError(f"{len(start['embed'])} starts were given: experts have one in common")
    if shares.ndim != 2 or shares.shape[1] != count:
        raise RequestError(f"mixtures over {shares.shape[-1]} languages, and {count} experts")
    merged = {}
    for name, expert in experts.items():
        r = torch.tensor(shares, dtype=expert.dtype, device=expert.device)
        moved = (expert - start[name]).reshape(count, -1)
        merged[name] = (start[name].reshape(1, -1) + r @ moved).view(len(shares), *expert.shape[1:])
    return merged


def estimate(
    start: Mapping[str, Tensor],
    experts: Mapping[str, Tensor],
    shares: NDArray[np.float64],
    shape: Shape,
    texts: Texts,
    at_once: int = 16,
) -> NDArray[np.float64]:
    """Return bits per byte of every mixture on every language, shape (n, m): see `merge`."""
    return np.concatenate(
        [
            per_byte(merge(start, experts, shares[at : at + at_once]), shape, texts)
            for at in range(0, len(shares), at_once)
        ]
    )
