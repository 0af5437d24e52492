"""The mixtures that need no proxy run: natural, uniform, temperature, UniMax.

They stand beside every mixture that glotmix proposes. As published, the first three know no limits; given a box, each
becomes the nearest mixture within it (`limits.nearest`), in which what one language cannot take goes to the others in
proportion.
"""

from collections.abc import Callable, Mapping

import numpy as np

from glotmix.core.errors import RequestError
from glotmix.mix import cells
from glotmix.mix.accounting import Array, Available
from glotmix.mix.limits import Box, nearest


def natural(available: Available, within: Box | None = None) -> Array:
    """`r_i ∝ n_i`: every unique token is seen equally often. Shape (m,).

    >>> natural(Available.of({"fra_Latn": (10, 9_000, 3_000), "amh_Ethi": (2, 800, 1_000)}))
    array([0.75, 0.25])
    """
    return _within(available.sizes, within)


def uniform(available: Available, within: Box | None = None) -> Array:
    """`r_i = 1/m` over the languages that have tokens. Shape (m,). Within a box of epoch caps this *is* UniMax.

    Of cells (language × source) each language has as much, and its cells as they are in its text.
    """
    parts = cells.weights(available)
    return _within((available.sizes > 0).astype(np.float64) if parts is None else parts, within)


def temperature(available: Available, t: float, within: Box | None = None) -> Array:
    """`r_i ∝ n_i^(1/T)` (Devlin 2018; XLM-R used 1/T = 0.3, mT5 the same). Shape (m,).

    Args:
        available: what there is.
        t: T > 0: 1 is natural, ∞ is uniform.
        within: the bounds.

    Raises:
        RequestError: if T is not positive.

    >>> temperature(Available.of({"fra_Latn": (10, 9_000, 9_000), "amh_Ethi": (2, 800, 1_000)}), 2.0)
    array([0.75, 0.25])
    """
    if not t > 0:
        raise RequestError(f"a temperature of {t:g} flattens nothing: it must be more than 0", "mix.temperature=3.3")
    sizes, parts = available.sizes, cells.weights(available)
    # Of cells it is the language that is flattened, whose text is that of all its cells.
    whole = sizes if parts is None else np.divide(sizes, parts, out=np.zeros_like(sizes), where=parts > 0)
    # Relative to the largest, so that no power overflows.
    flat = np.where(sizes > 0, (whole / whole.max()) ** (1.0 / t), 0.0)
    return _within(flat if parts is None else flat * parts, within)


def unimax(available: Available, within: Box) -> Array:
    """UniMax: as uniform as the epoch caps allow. Shape (m,).

    Chung et al. 2023, "UniMax: Fairer and more effective language sampling for large-scale multilingual pretraining"
    (arXiv 2304.09151), Algorithm 1: languages ascending by size, each gets an equal part of what is left of the budget,
    capped at N epochs. Its answer is `r_i = clip(λ, 0, N · U_i / D)`, so it is found as the mixture of the box that is
    nearest to uniform, which carries over to floors and ceilings. Where the caps cannot fill the budget the paper
    leaves tokens unspent; here the box was refused before.
    """
    return uniform(available, within)


def baselines(available: Available, within: Box, t: float = 3.3) -> Mapping[str, Array]:
    """Return all four by name: three as published, UniMax within the box it is made for."""
    makers: dict[str, Callable[[], Array]] = {
        "natural": lambda: natural(available),
        "uniform": lambda: uniform(available),
        "temperature": lambda: temperature(available, t),
        "unimax": lambda: unimax(available, within),
    }
    return {name: make() for name, make in makers.items()}


def _within(weights: Array, within: Box | None) -> Array:
    return weights / weights.sum() if within is None else nearest(weights, within)
