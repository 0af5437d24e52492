"""Near the optimum everything is flat: how far each share can go before the loss is known to rise."""

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.limits import Box, nearest_rows
from glotmix.mix.worlds import Worlds

_FACTORS = np.concatenate([[1e-3], np.geomspace(1 / 32, 32, 61)])
_DOUBT = 1.0
"""Standard deviations of a difference within which a mixture counts as as good (chosen on made-up worlds)."""
_TINY = 1e-12


def ranges(worlds: Worlds, around: Array, taken: Array, within: Box, rise: float) -> tuple[Array, Array]:
    """Return the least and the greatest share of each language among mixtures that are as good, shape (m,) each.

    A mixture is as good if its expected loss is not above that of the best one met by more than `rise`, or by more than
    is doubtful of their difference. Every share is swept by itself, the others taking what is left in proportion.

    Args:
        worlds: what might be true; the mean of them is what is expected.
        around: the mixture to sweep around, shape (m,).
        taken: a mixture that is within the ranges, whatever the worlds say of it, shape (m,).
        within: the limits.
        rise: how much loss counts as none: the standard deviation of the objective between seeds of one run, say.
    """
    m = len(around)
    base = np.maximum(around, _TINY * (within.high > 0))
    rows = []
    for i in range(m):
        if within.high[i] <= 0:
            continue
        swept = np.tile(base, (len(_FACTORS), 1))
        wanted = np.clip(base[i] * _FACTORS, within.low[i], within.high[i])
        rest = 1 - wanted
        others = np.delete(np.arange(m), i)
        swept[:, others] *= (rest / max(base[others].sum(), _TINY))[:, None]
        swept[:, i] = wanted
        rows.append(swept)
    tried = nearest_rows(np.vstack([base[None], *rows]), within)
    expected = worlds.point.score(worlds.point.losses(tried))
    more, sd = worlds.gain(tried[expected.argmin()], tried)
    good = np.vstack([tried[more <= np.maximum(rise, _DOUBT * sd)], taken])
    return good.min(axis=0), good.max(axis=0)
