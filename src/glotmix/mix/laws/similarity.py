"""Effective data of low rank: how much a language or a cell helps another follows from how similar they are."""

from dataclasses import dataclass

import numpy as np

from glotmix.core.errors import RequestError
from glotmix.mix.accounting import Array
from glotmix.mix.laws.base import LawSpec, Need, Sample, TransferLaw
from glotmix.mix.laws.curve import DoseCurve, Search, TransferFormula, fit_curve, starts_of


@dataclass(frozen=True)
class SimilarityTransfer(TransferLaw):
    """`L_i(r) = E_i + B_i (Σ_j exp(c_i · k_ij + δ_ij) r_j)^(−β_i)`, k the similarity of languages (`Context`); ours.

    `effective_data` whose m transfers are a few numbers: of any language, of one in the same script, of one in the same
    family; δ is 0 and a token of the target's own is worth 1. For runs that are fewer than m², where a transfer for
    every pair says little. θ = (E, ln B, ln β, c_1 … c_q, and δ_1 … δ_m of cells). Convex in the shares.

    Of **cells** (language × source) k is 0 for the target's own, and δ, the cell's own part, is drawn to 0: the cells
    of a language stand together, and one leaves the others only as far as the runs say (partial pooling, Gelman and
    Hill 2006, ch. 12): with three cells a language a few numbers more than for languages, not three times as many.

    Args:
        pooling: strength with which δ is drawn to 0; None for languages, which have none.
        ridge: strength with which c is drawn to its rest: a transfer of `transfer` from any language, and no more from
            nearer ones.
        transfer: see `ridge`.
        prior: the c to which c is drawn instead, one a column of k; where other languages have said what similarity is
            worth.
    """

    pooling: float | None = None
    prior: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """``similarity_transfer`` or ``pooled_cells``."""
        return "similarity_transfer" if self.pooling is None else "pooled_cells"

    @property
    def needs(self) -> tuple[Need, ...]:  # type: ignore[override]
        """Languages, or cells of them."""
        return ("own", "similarity") if self.pooling is None else ("cells",)

    def fit(self, sample: Sample) -> DoseCurve:
        """See `Law`.

        Raises:
            RequestError: for domains that are no languages, or no cells of languages, with the target among them.
        """
        own, context = (sample.own, sample.context) if self.pooling is None else (None, sample.context)
        similarity = context.cells if self.pooling is not None else context.similarity if own is not None else None
        if similarity is None:
            lacking = "domains that are languages" if self.pooling is None else "cells of languages (eng_Latn/web)"
            raise RequestError(
                f"the law {self.name} needs {lacking}, and a target that is one of these", "mix.laws=[effective_data]"
            )
        q, cells = similarity.shape[1], 0 if self.pooling is None else len(similarity)
        formula = Formula(own, tuple(map(tuple, similarity.tolist())), cells > 0)
        strength = np.concatenate([np.full(q, self.ridge), np.full(cells, self.pooling or 0.0)]) ** 0.5
        search = Search(
            starts=starts_of(formula, sample, 0.3, lambda ln_tau: np.concatenate([[ln_tau], np.zeros(q - 1 + cells)])),
            low=np.concatenate([[0.0, -20.0, -7.0], np.full(q, -16.0), np.full(cells, -6.0)]),
            high=np.concatenate([[float(sample.losses.min()), 20.0, 2.0], np.full(q, 4.0), np.full(cells, 6.0)]),
            pull=np.diag(strength) @ np.eye(3 + q + cells)[3:],
            rest=strength * np.concatenate([self.prior or [np.log(self.transfer), *[0.0] * (q - 1)], np.zeros(cells)]),
        )
        return DoseCurve(formula, fit_curve(formula, search, sample).theta)


@dataclass(frozen=True)
class Formula(TransferFormula):
    """`E + B s^−β` with the dose `s = Σ_j exp(k_j · c + δ_j) r_j`; `own` is worth 1, if it is one of the domains."""

    own: int | None
    similarity: tuple[tuple[float, ...], ...]
    pooled: bool

    def transfer(self, theta: Array) -> Array:
        """What a token of each domain is worth, shape (m,)."""
        k = np.array(self.similarity)
        q = 3 + k.shape[1]
        worth: Array = np.exp(
            np.clip(k @ theta[3:q] + (theta[q:] if self.pooled else 0.0), -30.0, 10.0 if self.pooled else 8.0)
        )
        if self.own is not None:
            worth[self.own] = 1.0
        return worth

    def by_theta(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        tau, beta, dose = self.transfer(theta), np.exp(theta[2]), self.ratio(theta, shares)
        reducible = np.exp(theta[1]) * dose**-beta
        if self.own is not None:
            tau[self.own] = 0.0
        each = (-beta * reducible / dose)[:, None] * (shares * tau)
        head = (np.ones_like(dose), reducible, -beta * np.log(dose) * reducible)
        return np.column_stack([*head, each @ np.array(self.similarity), *([each] if self.pooled else [])])


LAW = (
    LawSpec(SimilarityTransfer(), power=True, chooses=True, competes=True, place=35),
    LawSpec(SimilarityTransfer(pooling=4.0), power=True, chooses=True, competes=True, place=36),
)
