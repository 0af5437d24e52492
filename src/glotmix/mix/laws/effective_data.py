"""Effective data: each language is worth a part of another's own data."""

from dataclasses import dataclass

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.laws.base import Context, Fitted, LawSpec, Need
from glotmix.mix.laws.curve import HALF_OPEN, DoseCurve, Search, fit_curve


@dataclass(frozen=True)
class EffectiveData:
    """ATLAS at fixed model size and budget (Longpre et al. 2025, arXiv 2510.22037).

    `L_i(r) = E_i + B_i (Σ_j τ_ij r_j)^(−β_i)`, with τ_ii = 1 and τ_ij ≥ 0: a token of language j does for language i
    what τ_ij tokens of i would. E_i is what no data removes. For a target that is no domain's own text every τ is
    free. Convex in r, so a mean or a maximum of such laws has one optimum. θ = (E, ln B, ln β, μ, ln τ_j for every
    other j), where μ is the common level to which a small ridge draws all ln τ_j: with few runs the law falls back on
    one transfer for all languages, measured, not assumed.

    Args:
        ridge: strength with which ln τ_j is drawn to μ. Chosen on RegMix's 1M training runs that were not fitted to.
        transfer: the τ to which μ is drawn, weakly.
    """

    ridge: float = 1.0
    transfer: float = 0.01
    name: str = "effective_data"
    needs: tuple[Need, ...] = ()
    structured: bool = True
    convex: bool = True

    def fit(
        self,
        shares: Array,
        losses: Array,
        own: int | None = None,
        seed: int = 0,
        near: Fitted | None = None,
        context: Context | None = None,
    ) -> DoseCurve:
        """See `Law`. `seed` and `context` are not used: the starts are fixed."""
        formula = Formula(own)
        return DoseCurve(formula, fit_curve(formula, self.search(shares, losses, own), shares, losses, near).theta)

    def search(self, shares: Array, losses: Array, own: int | None) -> Search:
        """Starts, bounds and ridge for these runs."""
        m = shares.shape[1]
        formula = Formula(own)
        least = float(losses.min())
        free = m if own is None else m - 1
        starts = []
        for irreducible, beta, tau in ((0.9, 0.3, 0.01), (0.9, 1.0, 0.5), (0.5, 1.0, 0.5)):
            start = np.concatenate([[irreducible * least, 0.0, np.log(beta)], np.full(free + 1, np.log(tau))])
            # The scale that fits the median run, given the rest.
            start[1] = np.log(np.median((losses - start[0]) / formula.dose(start, shares) ** -beta))
            starts.append(start)
        pull = np.zeros((free + 1, free + 4))
        pull[0, 3] = np.sqrt(self.ridge)
        pull[1:, 4:] = np.sqrt(self.ridge) * np.eye(free)
        pull[1:, 3] = -np.sqrt(self.ridge)
        return Search(
            starts=np.array(starts),
            low=np.concatenate([[0.0, -20.0, -7.0], np.full(free + 1, -16.0)]),
            high=np.concatenate([[least, 20.0, 2.0], np.full(free + 1, 4.0)]),
            pull=pull,
            rest=np.concatenate([[np.sqrt(self.ridge) * np.log(self.transfer)], np.zeros(free)]),
        )


@dataclass(frozen=True)
class Formula:
    """`E + B s^−β` with the dose `s = r_own + Σ τ_j r_j`."""

    own: int | None

    def transfer(self, theta: Array, m: int) -> Array:
        """Every τ_j in the order of the domains, 1 for the target's own, shape (m,)."""
        tau = np.exp(theta[4:])
        return tau if self.own is None else np.concatenate([tau[: self.own], [1.0], tau[self.own :]])

    def dose(self, theta: Array, shares: Array) -> Array:
        """Effective share of the target's own data, shape (k,)."""
        dose: Array = shares @ self.transfer(theta, shares.shape[1]) + HALF_OPEN
        return dose

    def value(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        value: Array = theta[0] + np.exp(theta[1]) * self.dose(theta, shares) ** -np.exp(theta[2])
        return value

    def by_theta(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        dose, beta = self.dose(theta, shares), np.exp(theta[2])
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

    def by_shares(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        dose, beta = self.dose(theta, shares), np.exp(theta[2])
        slope = -beta * np.exp(theta[1]) * dose ** (-beta - 1)
        by: Array = slope[:, None] * self.transfer(theta, shares.shape[1])
        return by

    def power(self, theta: Array) -> tuple[float, float, float]:
        """See `curve.DoseFormula`."""
        return float(theta[0]), float(np.exp(theta[1])), float(np.exp(theta[2]))

    def ratio(self, theta: Array, shares: Array) -> Array:
        """See `curve.DoseFormula`."""
        return self.dose(theta, shares)

    def ratio_by_shares(self, theta: Array, shares: Array) -> Array:
        """See `curve.DoseFormula`."""
        return np.broadcast_to(self.transfer(theta, shares.shape[1]), shares.shape).copy()


LAW = LawSpec(EffectiveData(), power=True, chooses=True, competes=True, place=10)
