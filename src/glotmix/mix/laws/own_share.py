"""Own share: the loss of a language depends on its own share alone."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.laws.base import Formulated, LawSpec, Need, Sample, own_share_of
from glotmix.mix.laws.curve import Curve, Search, fit_curve


@dataclass(frozen=True)
class OwnShare(Formulated):
    """The multilingual scaling law MSL (He et al. 2024, arXiv 2410.12883).

    `L_i = (E_i + A_i N^−α + B_i D^−β) r_i^(−γ_i)`; at fixed model size N and budget D the bracket is one number:
    `L_i(r) = C_i (r_i + ε_i)^(−γ_i)`. The ε_i is ours: it keeps the loss of a language with no share finite, which the
    paper's runs never needed. θ = (ln C, ln γ, ln ε). Convex in r.
    """

    name: ClassVar[str] = "own_share"
    needs: ClassVar[tuple[Need, ...]] = ("own",)

    def fit(self, sample: Sample) -> Curve:
        """See `Law`.

        Raises:
            RequestError: for a target that is no domain's own text.
        """
        own = own_share_of(self.name, sample.own)
        top = float(np.log(np.median(sample.losses)))
        search = Search(
            starts=np.array([[top, np.log(0.05), np.log(e)] for e in (1e-4, 1e-2)]),
            low=np.array([top - 10, -9.0, np.log(1e-6)]),
            high=np.array([top + 10, 1.5, 0.0]),
            pull=np.zeros((0, 3)),
            rest=np.zeros(0),
        )
        return fit_curve(Formula(own), search, sample)


@dataclass(frozen=True)
class Formula:
    """`C (r_own + ε)^−γ`."""

    own: int

    def value(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        value: Array = np.exp(theta[0]) * (shares[:, self.own] + np.exp(theta[2])) ** -np.exp(theta[1])
        return value

    def by_theta(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        gamma, epsilon = np.exp(theta[1]), np.exp(theta[2])
        dose, value = shares[:, self.own] + epsilon, self.value(theta, shares)
        return np.column_stack([value, -gamma * np.log(dose) * value, -gamma * epsilon / dose * value])

    def by_shares(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        by = np.zeros_like(shares)
        dose = shares[:, self.own] + np.exp(theta[2])
        by[:, self.own] = -np.exp(theta[1]) * self.value(theta, shares) / dose
        return by


LAW = LawSpec(OwnShare(), chooses=True, competes=True, place=40)
