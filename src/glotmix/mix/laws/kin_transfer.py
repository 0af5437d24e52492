"""Effective data of low rank: how much a language helps another follows from how near they are."""

from dataclasses import dataclass

import numpy as np

from glotmix.core.errors import RequestError
from glotmix.mix.accounting import Array
from glotmix.mix.laws.base import Context, Fitted, LawSpec, Need
from glotmix.mix.laws.curve import DoseCurve, Search, TransferFormula, fit_curve


@dataclass(frozen=True)
class KinTransfer:
    """`L_i(r) = E_i + B_i (r_i + Σ_j exp(Σ_q c_iq k_ijq) r_j)^(−β_i)`, k how near languages are (`Context.kin`).

    `effective_data` whose m transfers are a few numbers: of any language, of one in the same script, of one in the same
    family. For runs that are fewer than m², where a transfer for every pair says little. θ = (E, ln B, ln β, c_1 …
    c_q). Convex in the shares.

    Args:
        ridge: strength with which c is drawn to its rest: a transfer of `transfer` for any language, and no more for
            nearer ones.
        transfer: the τ of any language at rest.
    """

    ridge: float = 1.0
    transfer: float = 0.01
    name: str = "kin_transfer"
    needs: tuple[Need, ...] = ("own", "kin")
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
        """See `Law`. `seed` is not used: the starts are fixed.

        Raises:
            RequestError: for a target that is no domain's own text, or domains that are no languages.
        """
        if own is None or context is None or context.kin is None:
            raise RequestError(
                "the law kin_transfer needs a target that is a language of the runs, and domains that are languages",
                "mix.laws=[effective_data]",
            )
        kin = context.kin.reshape(shares.shape[1], -1)
        q = kin.shape[1]
        formula = Formula(own, tuple(map(tuple, kin.tolist())))
        least = float(losses.min())
        starts = []
        for part, beta, tau in ((0.9, 0.3, 0.01), (0.9, 1.0, 0.3), (0.5, 1.0, 0.3)):
            start = np.concatenate([[part * least, 0.0, np.log(beta)], [np.log(tau)], np.zeros(q - 1)])
            start[1] = np.log(np.median((losses - start[0]) / formula.ratio(start, shares) ** -beta))
            starts.append(start)
        rest = np.concatenate([[np.log(self.transfer)], np.zeros(q - 1)])
        search = Search(
            starts=np.array(starts),
            low=np.concatenate([[0.0, -20.0, -7.0], np.full(q, -16.0)]),
            high=np.concatenate([[least, 20.0, 2.0], np.full(q, 4.0)]),
            pull=np.sqrt(self.ridge) * np.eye(q + 3)[3:],
            rest=np.sqrt(self.ridge) * rest,
        )
        return DoseCurve(formula, fit_curve(formula, search, shares, losses, near).theta)


@dataclass(frozen=True)
class Formula(TransferFormula):
    """`E + B s^−β` with the dose `s = r_own + Σ_j exp(k_j · c) r_j`."""

    own: int
    kin: tuple[tuple[float, ...], ...]

    def transfer(self, theta: Array) -> Array:
        """Every τ_j in the order of the domains, 1 for the target's own, shape (m,)."""
        tau = np.exp(np.clip(np.array(self.kin) @ theta[3:], -30.0, 8.0))
        tau[self.own] = 1.0
        return np.asarray(tau)

    def by_theta(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        tau, beta, dose = self.transfer(theta), np.exp(theta[2]), self.ratio(theta, shares)
        reducible = np.exp(theta[1]) * dose**-beta
        tau[self.own] = 0.0
        by_c = (-beta * reducible / dose)[:, None] * ((shares * tau) @ np.array(self.kin))
        return np.column_stack([np.ones_like(dose), reducible, -beta * np.log(dose) * reducible, by_c])


LAW = LawSpec(KinTransfer(), power=True, chooses=True, competes=True, place=35)
