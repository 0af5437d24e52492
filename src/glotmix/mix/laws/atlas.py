"""Full ATLAS: model size, budget and repeats beside the mixture."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from glotmix.core.errors import RequestError
from glotmix.mix.accounting import Array
from glotmix.mix.laws.base import Context, LawSpec, Need, Sample, TransferLaw
from glotmix.mix.laws.curve import HALF_OPEN, DoseCurve, Search, fit_curve
from glotmix.mix.laws.effective_data import EffectiveData

_NO_SIZE = -25.0
"""ln A where all runs are of one size: the size then says nothing, and E holds what it does."""
_HEAD = 7
"""Parameters before the ln τ_j."""


@dataclass(frozen=True)
class Atlas(TransferLaw):
    """ATLAS (Longpre et al. 2025, arXiv 2510.22037) with everything that it knows of.

    `L_i = E_i + A_i N^(−α_i) + B_i D_eff^(−β_i)`, `D_eff = Σ_j τ_ij S(r_j D; U_j)` with τ_ii = 1, and
    `S(x; U) = x` up to one epoch, then `U [1 + (1 − exp(−λ_i (x/U − 1))) / λ_i]`. N and D are counted in units of the
    runs' geometric means, so that A and B are losses. At one size and budget, without repeats, it is `effective_data`.
    θ = (E, ln A, ln α, ln B, ln β, ln λ, μ, ln τ_j of every other j), μ as in `effective_data`. α and λ are drawn
    weakly to Hoffmann et al.'s 0.34 (arXiv 2203.15556) and Muennighoff et al.'s 1/15 (arXiv 2305.16264): few designs
    hold enough sizes to settle them. Convex in the shares.
    """

    name: ClassVar[str] = "atlas"
    needs: ClassVar[tuple[Need, ...]] = ("scale",)

    def fit(self, sample: Sample) -> "AtlasCurve":
        """See `Law`.

        Raises:
            RequestError: for runs whose budgets are not known.
        """
        shares, losses, own, context = sample.shares, sample.losses, sample.own, sample.context
        if context.tokens is None:
            raise RequestError(
                "the law atlas needs the training tokens of every run", "add the columns tokens and parameters"
            )
        tokens = np.broadcast_to(context.tokens, len(shares))
        sizes = None if context.parameters is None else np.broadcast_to(context.parameters, len(shares))
        several = sizes is not None and len(np.unique(sizes)) > 1
        middle = float(np.exp(np.log(tokens).mean()))
        size = 1.0 if sizes is None else float(np.exp(np.log(sizes).mean()))
        formula = Formula(own, middle, size, context)
        still = EffectiveData(self.ridge, self.transfer).search(sample)
        free = still.starts.shape[1] - 4
        starts = []
        for e, ln_b, ln_beta, *rest in still.starts:
            # What the size does not remove is taken from E.
            split = 0.2 * e if several else 0.0
            ln_a = np.log(split) if several else _NO_SIZE
            starts.append([e - split, ln_a, np.log(0.34), ln_b, ln_beta, np.log(1 / 15), *rest])
        a_low, a_high = (-20.0, float(np.log(losses.max()))) if several else (_NO_SIZE - 1e-3, _NO_SIZE + 1e-3)
        pull = np.zeros((free + 3, _HEAD + free))
        pull[: free + 1, 6:] = still.pull[:, 3:]
        pull[free + 1, 2] = pull[free + 2, 5] = 1.0
        search = Search(
            starts=np.array(starts),
            low=np.concatenate([[0.0, a_low, -4.0, -20.0, -7.0, -7.0], still.low[3:]]),
            high=np.concatenate([[float(losses.min()), a_high, 1.0, 20.0, 2.0, 2.0], still.high[3:]]),
            pull=pull,
            rest=np.concatenate([still.rest, [np.log(0.34), np.log(1 / 15)]]),
        )
        return AtlasCurve(formula, fit_curve(formula, search, sample).theta)


@dataclass(frozen=True)
class Formula:
    """The equation, for mixtures of a given size, budget and stock."""

    own: int | None
    tokens: float
    size: float
    context: Context

    def transfer(self, theta: Array) -> Array:
        """Every τ_j in the order of the domains, 1 for the target's own, shape (m,)."""
        tau = np.exp(theta[_HEAD:])
        return tau if self.own is None else np.insert(tau, self.own, 1.0)

    def value(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        value: Array = self._floor(theta) + np.exp(theta[3]) * self._dose(theta, shares)[0] ** -np.exp(theta[4])
        return value

    def by_theta(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        tau, beta = self.transfer(theta), np.exp(theta[4])
        dose, seen, by_rate, _ = self._dose(theta, shares)
        reducible = np.exp(theta[3]) * dose**-beta
        by_dose = -beta * reducible / dose
        by = np.zeros((len(shares), len(theta)))
        by[:, 0] = 1.0
        ratio = self._size()
        by[:, 1] = np.exp(theta[1]) * ratio ** -np.exp(theta[2])
        by[:, 2] = -np.exp(theta[2]) * np.log(ratio) * by[:, 1]
        by[:, 3] = reducible
        by[:, 4] = -beta * np.log(dose) * reducible
        by[:, 5] = by_dose * (by_rate @ tau) * np.exp(theta[5])
        others = by_dose[:, None] * seen * tau
        by[:, _HEAD:] = others if self.own is None else np.delete(others, self.own, axis=1)
        return by

    def by_shares(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        beta = np.exp(theta[4])
        dose, _, _, slope = self._dose(theta, shares)
        by: Array = (-beta * np.exp(theta[3]) * dose ** (-beta - 1))[:, None] * slope * self.transfer(theta)
        return by

    def power(self, theta: Array) -> tuple[float, float, float]:
        """See `curve.DoseFormula`; of the first of the context's mixtures."""
        beta = float(np.exp(theta[4]))
        return float(self._floor(theta)[0]), float(np.exp(theta[3]) * self._budget().ravel()[0] ** -beta), beta

    def ratio(self, theta: Array, shares: Array) -> Array:
        """See `curve.DoseFormula`."""
        ratio: Array = self._dose(theta, shares)[0] / self._budget()[:, 0]
        return ratio

    def ratio_by_shares(self, theta: Array, shares: Array) -> Array:
        """See `curve.DoseFormula`."""
        by: Array = self._dose(theta, shares)[3] * self.transfer(theta) / self._budget()
        return by

    def _size(self) -> Array:
        """Return N in units of the runs' mean, shape (k,) or (1,)."""
        return np.ones(1) if self.context.parameters is None else self.context.parameters / self.size

    def _budget(self) -> Array:
        """Return D in units of the runs' mean, shape (k, 1) or (1, 1)."""
        return np.ones((1, 1)) if self.context.tokens is None else self.context.tokens[:, None] / self.tokens

    def _floor(self, theta: Array) -> Array:
        floor: Array = theta[0] + np.exp(theta[1]) * self._size() ** -np.exp(theta[2])
        return floor

    def _dose(self, theta: Array, shares: Array) -> tuple[Array, Array, Array, Array]:
        """Return D_eff (k,), every S (k, m), ∂S/∂λ and ∂S/∂share, in units of the runs' mean budget."""
        budget, rate = self._budget(), float(np.exp(theta[5]))
        drawn = shares * budget
        unique = np.full((1, 1), np.inf) if self.context.unique is None else self.context.unique / self.tokens
        # A language without text has a share of zero and repeats nothing.
        stock = np.where(np.isfinite(unique) & (unique > 0), unique, 1.0)
        over = np.where(np.isfinite(unique) & (unique > 0), np.maximum(drawn / stock - 1, 0.0), 0.0)
        less = np.exp(-rate * over)
        repeated = over > 0
        seen = np.where(repeated, stock * (1 + (1 - less) / rate), drawn)
        by_rate = np.where(repeated, stock * (over * less / rate - (1 - less) / rate**2), 0.0)
        return seen @ self.transfer(theta) + HALF_OPEN, seen, by_rate, less * budget


@dataclass(frozen=True, eq=False)
class AtlasCurve(DoseCurve):
    """A fitted ATLAS: see `Scaled`."""

    formula: Formula

    def at(self, context: Context) -> "AtlasCurve":
        """See `Scaled`. What the context does not say is as in the mean of the runs."""
        return replace(self, formula=replace(self.formula, context=context))


LAW = LawSpec(Atlas(), power=True, chooses=True, competes=True, place=60)
