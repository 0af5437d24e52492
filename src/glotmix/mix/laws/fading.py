"""Fading transfer: other languages help most where the target's own share is small."""

from dataclasses import dataclass

import numpy as np

from glotmix.errors import RequestError
from glotmix.mix.accounting import Array
from glotmix.mix.laws import effective_data
from glotmix.mix.laws.base import Fitted
from glotmix.mix.laws.curve import HALF_OPEN, Curve, Search, fit_curve


@dataclass(frozen=True)
class FadingTransfer:
    """A **reconstruction** of Climb's interaction-aware ratio (arXiv 2509.15556), whose parametric form is not public.

    `L_i(r) = E_i + B_i r̃_i^(−β_i)` with `r̃_i = r_i + exp(−κ_i r_i) Σ_j τ_ij r_j`: the share that a run without the
    other languages would need for the same loss. Known of Climb is that transfer is strongest when the target is
    scarce and fades as its share grows; the exponential is ours, and so is that all is fitted at once in the space of
    losses, where Climb measures r̃ by inverting a law of monolingual runs. κ = 0 is `effective_data`. Not convex in r
    in general. θ = (κ, then those of `effective_data`).

    Args:
        ridge: as in `effective_data`.
        transfer: as in `effective_data`.
        fading: strength with which κ is drawn to 0.
    """

    ridge: float = 1.0
    transfer: float = 0.01
    fading: float = 0.01
    name: str = "fading_transfer"
    needs_own: bool = True
    structured: bool = True

    def fit(
        self, shares: Array, losses: Array, own: int | None = None, seed: int = 0, near: Fitted | None = None
    ) -> Curve:
        """See `Law`. `seed` is not used.

        Raises:
            RequestError: for a target that is no domain's own text: there is no share for transfer to fade with.
        """
        if own is None:
            raise RequestError(
                "the law fading_transfer needs the target's own share, but this target is no language of the runs",
                "mix.laws=[effective_data]",
            )
        still = effective_data.EffectiveData(self.ridge, self.transfer)
        search = still.search(shares, losses, own)
        settled = still.fit(shares, losses, own).theta if not isinstance(near, Curve) else search.starts[0]
        q = len(search.rest)
        return fit_curve(
            Formula(own),
            Search(
                starts=np.array([[0.5, *settled], [4.0, *settled]]),
                low=np.append(0.0, search.low),
                high=np.append(100.0, search.high),
                pull=np.block([[np.sqrt(self.fading), np.zeros((1, len(settled)))], [np.zeros((q, 1)), search.pull]]),
                rest=np.append(0.0, search.rest),
            ),
            shares,
            losses,
            near,
        )


@dataclass(frozen=True)
class Formula:
    """`E + B (r_own + exp(−κ r_own) Σ τ_j r_j)^−β`."""

    own: int

    def value(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        dose, _, _ = self._dose(theta, shares)
        value: Array = theta[1] + np.exp(theta[2]) * dose ** -np.exp(theta[3])
        return value

    def by_theta(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        dose, given, left = self._dose(theta, shares)
        beta = np.exp(theta[3])
        reducible = np.exp(theta[2]) * dose**-beta
        by_dose = -beta * reducible / dose
        by_tau = (by_dose * left)[:, None] * np.delete(shares, self.own, axis=1) * np.exp(theta[5:])
        by_fading = -by_dose * shares[:, self.own] * given * left
        return np.column_stack(
            [
                by_fading,
                np.ones_like(dose),
                reducible,
                -beta * np.log(dose) * reducible,
                np.zeros_like(dose),
                by_tau,
            ]
        )

    def by_shares(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        dose, given, left = self._dose(theta, shares)
        beta = np.exp(theta[3])
        by: Array = left[:, None] * np.insert(np.exp(theta[5:]), self.own, 0.0)
        by[:, self.own] = 1.0 - theta[0] * given * left
        by *= (-beta * np.exp(theta[2]) * dose ** (-beta - 1))[:, None]
        return by

    def _dose(self, theta: Array, shares: Array) -> tuple[Array, Array, Array]:
        """Return r̃, what the others give, and the part of it that is left; shape (k,) each."""
        mine = shares[:, self.own]
        given = np.delete(shares, self.own, axis=1) @ np.exp(theta[5:])
        left = np.exp(-theta[0] * mine)
        return mine + given * left + HALF_OPEN, given, left
