"""Log-linear: every share moves the logarithm of the reducible loss by a fixed rate."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.laws.base import Formulated, LawSpec, Sample
from glotmix.mix.laws.curve import Curve, Search, fit_curve


@dataclass(frozen=True)
class LogLinear(Formulated):
    """Data Mixing Laws, form M4 (Ye et al. 2024, arXiv 2403.16952); Olmix's default.

    `L_i(r) = c_i + exp(b_i + Σ_j t_ij r_j)`. θ = (c, b, t_1 … t_m). As shares sum to one, b and the mean of t are told
    apart by the ridge alone, which is why it is not zero. Convex in r.

    Args:
        ridge: strength with which t is drawn to 0. This and `delta` chosen on RegMix's 1M training runs that were not
            fitted to.
        delta: see `curve.Search`.
    """

    ridge: float = 1e-4
    delta: float = 0.2
    name: ClassVar[str] = "log_linear"

    def fit(self, sample: Sample) -> Curve:
        """See `Law`; of the sample only runs and losses are used."""
        shares, losses = sample.shares, sample.losses
        m = shares.shape[1]
        least, middle = float(losses.min()), float(np.median(losses))
        starts = []
        for part in (0.3, 0.8, 0.98):
            c = part * least
            # With c known the rest is a linear least squares in ln(L − c).
            design = np.vstack([np.column_stack([np.ones(len(losses)), shares]), 0.1 * np.eye(m + 1)[1:]])
            goal = np.concatenate([np.log(losses - c), np.zeros(m)])
            starts.append(np.concatenate([[c], np.linalg.lstsq(design, goal, rcond=None)[0]]))
        top = np.log(middle)
        search = Search(
            starts=np.array(starts),
            low=np.concatenate([[0.0, top - 30], np.full(m, -60.0)]),
            high=np.concatenate([[least, top + 30], np.full(m, 60.0)]),
            pull=np.sqrt(self.ridge) * np.eye(m + 2)[2:],
            rest=np.zeros(m),
            delta=self.delta,
        )
        return fit_curve(Formula(), search, sample)


@dataclass(frozen=True)
class Formula:
    """`c + exp(b + t · r)`."""

    def value(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        value: Array = theta[0] + self._reducible(theta, shares)
        return value

    def by_theta(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        e = self._reducible(theta, shares)
        return np.column_stack([np.ones_like(e), e, e[:, None] * shares])

    def by_shares(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        return self._reducible(theta, shares)[:, None] * theta[2:]

    def _reducible(self, theta: Array, shares: Array) -> Array:
        # A step of the search may overshoot: a huge loss is a good answer to that, infinity is not.
        e: Array = np.exp(np.minimum(theta[1] + shares @ theta[2:], 50.0))
        return e


LAW = LawSpec(LogLinear(), competes=True, place=50)
