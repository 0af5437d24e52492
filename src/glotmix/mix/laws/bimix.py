"""BiMix, as reported: a sum of powers of every share."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.laws.base import Formulated, LawSpec, Sample
from glotmix.mix.laws.curve import Curve, Search, fit_curve


@dataclass(frozen=True)
class BiMix(Formulated):
    """BiMix (Ge et al. 2024, arXiv 2405.14908) at a fixed number of steps, in the form in which it is reported.

    `L_i(r) = Σ_j A_ij (r_j + ε)^(−α_ij)` with A, α ≥ 0. A **reconstruction**: the paper's own law has the own share
    only (`A_i r_i^−α_i (B_i s^−β_i + C_i)`, which at fixed steps s is `own_share`); the sum over domains is how later
    work quotes it. The ε keeps a share of zero finite and is ours. θ = (ln A_j, ln α_j, ln ε). Convex in r.

    Args:
        ridge: strength with which ln A and ln α are drawn to where they start.
    """

    ridge: float = 0.1
    name: ClassVar[str] = "bimix"

    def fit(self, sample: Sample) -> Curve:
        """See `Law`; of the sample only runs and losses are used."""
        m = sample.shares.shape[1]
        each = float(np.log(np.median(sample.losses) / m))
        starts = np.array(
            [np.concatenate([np.full(m, each), np.full(m, np.log(a)), [np.log(1e-3)]]) for a in (0.03, 0.1)]
        )
        search = Search(
            starts=starts,
            low=np.concatenate([np.full(m, each - 12), np.full(m, -9.0), [np.log(1e-6)]]),
            high=np.concatenate([np.full(m, each + 6), np.full(m, 1.0), [np.log(0.3)]]),
            pull=np.sqrt(self.ridge) * np.eye(2 * m + 1)[:-1],
            rest=np.sqrt(self.ridge) * starts[0, :-1],
        )
        return fit_curve(Formula(), search, sample)


@dataclass(frozen=True)
class Formula:
    """`Σ_j A_j (r_j + ε)^−α_j`."""

    def value(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        value: Array = self._parts(theta, shares)[0].sum(axis=1)
        return value

    def by_theta(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        parts, dose, alpha = self._parts(theta, shares)
        by_epsilon = (-alpha * parts / dose).sum(axis=1) * np.exp(theta[-1])
        return np.column_stack([parts, -alpha * np.log(dose) * parts, by_epsilon])

    def by_shares(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        parts, dose, alpha = self._parts(theta, shares)
        return -alpha * parts / dose

    def _parts(self, theta: Array, shares: Array) -> tuple[Array, Array, Array]:
        m = shares.shape[1]
        dose = shares + np.exp(theta[-1])
        alpha = np.exp(theta[m : 2 * m])
        return np.exp(theta[:m]) * dose**-alpha, dose, alpha


LAW = LawSpec(BiMix(), place=80)
