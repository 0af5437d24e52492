"""Effective data: each language is worth a part of another's own data."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.laws.base import LawSpec, Sample, TransferLaw
from glotmix.mix.laws.curve import DoseCurve, Search, TransferFormula, fit_curve, starts_of


@dataclass(frozen=True)
class EffectiveData(TransferLaw):
    """ATLAS at fixed model size and budget (Longpre et al. 2025, arXiv 2510.22037).

    `L_i(r) = E_i + B_i (Σ_j τ_ij r_j)^(−β_i)`, with τ_ii = 1 and τ_ij ≥ 0: a token of language j does for language i
    what τ_ij tokens of i would. E_i is what no data removes. For a target that is no domain's own text every τ is
    free. Convex in r, so a mean or a maximum of such laws has one optimum. θ = (E, ln B, ln β, μ, ln τ_j for every
    other j), where μ is the common level to which a small ridge draws all ln τ_j: with few runs the law falls back on
    one transfer for all languages, measured, not assumed.
    The ridge was chosen on RegMix's 1M training runs that were not fitted to.
    """

    name: ClassVar[str] = "effective_data"

    def fit(self, sample: Sample) -> DoseCurve:
        """See `Law`."""
        formula = Formula(sample.own)
        return DoseCurve(formula, fit_curve(formula, self.search(sample), sample).theta)

    def search(self, sample: Sample) -> Search:
        """Starts, bounds and ridge for these runs."""
        free = sample.shares.shape[1] - (sample.own is not None)
        pull = np.zeros((free + 1, free + 4))
        pull[0, 3] = np.sqrt(self.ridge)
        pull[1:, 4:] = np.sqrt(self.ridge) * np.eye(free)
        pull[1:, 3] = -np.sqrt(self.ridge)
        return Search(
            starts=starts_of(Formula(sample.own), sample, 0.5, lambda ln_tau: np.full(free + 1, ln_tau)),
            low=np.concatenate([[0.0, -20.0, -7.0], np.full(free + 1, -16.0)]),
            high=np.concatenate([[float(sample.losses.min()), 20.0, 2.0], np.full(free + 1, 4.0)]),
            pull=pull,
            rest=np.concatenate([[np.sqrt(self.ridge) * np.log(self.transfer)], np.zeros(free)]),
        )


@dataclass(frozen=True)
class Formula(TransferFormula):
    """`E + B s^−β` with the dose `s = r_own + Σ τ_j r_j`."""

    own: int | None

    def transfer(self, theta: Array) -> Array:
        """Every τ_j in the order of the domains, 1 for the target's own, shape (m,)."""
        tau = np.exp(theta[4:])
        return tau if self.own is None else np.concatenate([tau[: self.own], [1.0], tau[self.own :]])

    def by_theta(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        dose, beta = self.ratio(theta, shares), np.exp(theta[2])
        reducible = np.exp(theta[1]) * dose**-beta
        by = np.zeros((len(shares), len(theta)))
        by[:, 0] = 1.0
        by[:, 1] = reducible
        by[:, 2] = -beta * np.log(dose) * reducible
        others = by[:, 4:]
        if self.own is None:
            others[:] = shares
        else:
            others[:, : self.own], others[:, self.own :] = shares[:, : self.own], shares[:, self.own + 1 :]
        others *= (-beta * reducible / dose)[:, None] * np.exp(theta[4:])
        return by


LAW = LawSpec(EffectiveData(), power=True, chooses=True, competes=True, place=10)
