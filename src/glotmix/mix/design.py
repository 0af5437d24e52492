"""Which mixtures to train proxies on."""

import numpy as np

from glotmix.errors import RequestError
from glotmix.mix.accounting import Array


def enough(languages: int) -> int:
    """Runs that fit a law over that many languages well: three per parameter, `3 (m + 1)` (Olmix)."""
    return 3 * (languages + 1)


def dirichlet(
    prior: Array, runs: int, seed: int, weakest: float = 0.1, strongest: float = 5.0, times: float = 15.0
) -> Array:
    """Draw mixtures around a prior as RegMix does (Liu et al. 2024, arXiv 2407.01492, section 3.1).

    Each is from a Dirichlet with parameters `strength · prior`, the strengths log-spaced over the runs, so that some
    mixtures are near the prior and most are near an edge of the simplex; one that gives a language more than `times`
    its prior is drawn again.

    Args:
        prior: shares around which to draw, shape (m,), positive; RegMix takes the natural ones at temperature 2.
        runs: mixtures to draw.
        seed: of the draws.
        weakest: least strength.
        strongest: greatest strength.
        times: how many times its prior a language may get.

    Returns:
        shape (runs, m), each row on the simplex, in random order of strength.

    Raises:
        RequestError: if the limit on a share can hardly be kept.
    """
    rng = np.random.default_rng(seed)
    prior = prior / prior.sum()
    limit = np.minimum(times * prior, 1.0)
    drawn = np.empty((runs, len(prior)))
    for row, strength in zip(rng.permutation(runs), np.geomspace(weakest, strongest, runs), strict=True):
        for _ in range(1000):
            tried = rng.dirichlet(np.maximum(strength * prior, 1e-6), 64)
            kept = tried[np.all((tried <= limit) & np.isfinite(tried), axis=1)]
            if len(kept):
                drawn[row] = kept[0]
                break
        else:
            raise RequestError(
                f"no mixture of {len(prior)} languages keeps every share under {times:g} times its prior at strength "
                f"{strength:.3g}",
                "raise `times` or `weakest`, or flatten the prior",
            )
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))
