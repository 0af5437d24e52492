"""Effective data over cells: sources of a language share what they can, and differ by as much as the runs show."""

from dataclasses import dataclass

import numpy as np

from glotmix.core.errors import RequestError
from glotmix.mix.accounting import Array
from glotmix.mix.laws.base import Context, Fitted, LawSpec, Need
from glotmix.mix.laws.curve import DoseCurve, Search, TransferFormula, fit_curve


@dataclass(frozen=True)
class PooledCells:
    """`L_i(r) = E_i + B_i (Σ_c exp(a_i · k_ic + δ_ic) r_c)^(−β_i)` over cells c (language × source); ours.

    What a token of a cell is worth to language i: as much as one of its own (k = 0) if the cell is of language i, else
    by how near the cell's language is (any, same script, same family); and δ, the cell's own part, drawn to 0. So the
    cells of a language stand together, and one leaves the others only as far as the runs say (partial pooling, Gelman
    and Hill 2006, ch. 12): with three cells a language a few numbers more than for languages alone, not three times as
    many. θ = (E, ln B, ln β, a_1 … a_q, δ_1 … δ_m). Convex in the shares.

    Args:
        pooling: strength with which δ is drawn to 0.
        ridge: strength with which a is drawn to its rest, a transfer of `transfer` from any language.
        transfer: see `ridge`.
    """

    pooling: float = 4.0
    ridge: float = 1.0
    transfer: float = 0.01
    name: str = "pooled_cells"
    needs: tuple[Need, ...] = ("cells",)
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
        """See `Law`. `own` and `seed` are not used.

        Raises:
            RequestError: for domains that are no cells of languages, or a target that is none of these.
        """
        if context is None or context.cells is None:
            raise RequestError(
                "the law pooled_cells needs cells of languages (eng_Latn/web), and a target that is one of these",
                "mix.laws=[effective_data]",
            )
        cells = context.cells
        m, q = cells.shape
        formula = Formula(tuple(map(tuple, cells.tolist())))
        least = float(losses.min())
        starts = []
        for part, beta, tau in ((0.9, 0.3, 0.01), (0.9, 1.0, 0.3), (0.5, 1.0, 0.3)):
            start = np.concatenate([[part * least, 0.0, np.log(beta), np.log(tau)], np.zeros(q - 1 + m)])
            start[1] = np.log(np.median((losses - start[0]) / formula.ratio(start, shares) ** -beta))
            starts.append(start)
        strength = np.concatenate([np.full(q, self.ridge), np.full(m, self.pooling)]) ** 0.5
        rest = np.concatenate([[np.log(self.transfer)], np.zeros(q - 1 + m)])
        search = Search(
            starts=np.array(starts),
            low=np.concatenate([[0.0, -20.0, -7.0], np.full(q, -16.0), np.full(m, -6.0)]),
            high=np.concatenate([[least, 20.0, 2.0], np.full(q, 4.0), np.full(m, 6.0)]),
            pull=np.diag(strength) @ np.eye(3 + q + m)[3:],
            rest=strength * rest,
        )
        return DoseCurve(formula, fit_curve(formula, search, shares, losses, near).theta)


@dataclass(frozen=True)
class Formula(TransferFormula):
    """`E + B s^−β` with the dose `s = Σ_c exp(a · k_c + δ_c) r_c`; k_c is zero for the target's own cells."""

    cells: tuple[tuple[float, ...], ...]

    def transfer(self, theta: Array) -> Array:
        """What a token of each cell is worth, shape (m,)."""
        k = np.array(self.cells)
        worth: Array = np.exp(np.clip(k @ theta[3 : 3 + k.shape[1]] + theta[3 + k.shape[1] :], -30.0, 10.0))
        return worth

    def by_theta(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        tau, beta, dose = self.transfer(theta), np.exp(theta[2]), self.ratio(theta, shares)
        reducible = np.exp(theta[1]) * dose**-beta
        each = (-beta * reducible / dose)[:, None] * (shares * tau)
        head = (np.ones_like(dose), reducible, -beta * np.log(dose) * reducible)
        return np.column_stack([*head, each @ np.array(self.cells), each])


LAW = LawSpec(PooledCells(), power=True, chooses=True, competes=True, place=36)
