"""What repeated data is worth."""

from dataclasses import dataclass

import numpy as np

from glotmix.mix.accounting import Array

WORTH = 15.0
"""R*: epochs of repeats after which another one adds little (Muennighoff et al. 2023, arXiv 2305.16264: 15.4)."""


@dataclass(frozen=True, eq=False)
class Repeats:
    """Unique tokens U_i in units of the budget D, shape (m,): a language with share r_i is seen r_i / unique_i times.

    `D_eff = D_i` up to one epoch, then `U_i (1 + R* (1 − exp(−R_i / R*)))` with `R_i = D_i / U_i − 1` repeats
    (Muennighoff et al. 2023, eq. 5). Increasing, concave, with a continuous slope. An infinite U_i never repeats.

    Args:
        unique: see above.
        rate: R*: their 15, or what runs that repeat say (`repeat_worth.estimate`).
    """

    unique: Array
    rate: float = WORTH

    def worth(self, shares: Array) -> Array:
        """Share of fresh data that the drawn share is worth, same shape as `shares`.

        >>> Repeats(np.array([0.1, 1.0])).worth(np.array([0.4, 0.6])).round(4)
        array([0.3719, 0.6   ])
        """
        over = self._over(shares)
        repeated = np.isfinite(self.unique) & (over > 0)
        unique = np.where(np.isfinite(self.unique), self.unique, 0.0)
        return np.where(repeated, unique * (1 + self.rate * -np.expm1(-over / self.rate)), shares)

    def slope(self, shares: Array) -> Array:
        """d worth / d share: 1 up to one epoch, then `exp(−R/R*)`."""
        slope: Array = np.exp(-self._over(shares) / self.rate)
        return slope

    def _over(self, shares: Array) -> Array:
        # A language without text has a share of zero and repeats nothing.
        unique = np.where(self.unique > 0, self.unique, np.inf)
        over: Array = np.maximum(shares / unique - 1, 0.0)
        return over
