"""What other languages' tokens are worth to a target: the forms of an interaction-aware ratio r̃ and its derivatives."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.laws.base import LawSpec, Need, Sample, TransferLaw, own_share_of
from glotmix.mix.laws.curve import HALF_OPEN, Curve, DoseCurve, Search, fit_curve
from glotmix.mix.laws.effective_data import EffectiveData

Form: TypeAlias = Literal["linear", "decay", "saturating"]


@dataclass(frozen=True)
class Interaction:
    """r̃ of the target at position `own`, in units of all training tokens; d is the budget in units of a reference's.

    ``linear``: `r̃ = r_i + Σ_j τ_j r_j`. ``decay``: `r̃ = r_i + exp(−κ r_i d) Σ_j τ_j r_j`, transfer is strongest where
    the target is scarce. ``saturating``: `r̃ = r_i + Σ_j τ_j r_j / (1 + κ r_j d)`, a donor's first tokens give most.
    **Reconstructions**: Climb (arXiv 2509.15556) says what transfer does, not by which formula.
    """

    own: int
    form: Form

    def ratio(self, shape: float, tau: Array, shares: Array, d: Array | float = 1.0) -> Array:
        """r̃ of each mixture: shapes (m,) and (k, m) → (k,)."""
        ratio: Array = shares[:, self.own] + self.by_tau(shape, shares, d) @ tau
        return ratio

    def by_tau(self, shape: float, shares: Array, d: Array | float = 1.0) -> Array:
        """∂r̃/∂τ, shape (k, m); zero for the target's own."""
        d = np.broadcast_to(np.asarray(d, dtype=np.float64), len(shares))[:, None]
        gives = shares / (1 + shape * shares * d) if self.form == "saturating" else shares.copy()
        if self.form == "decay":
            gives *= np.exp(-shape * shares[:, [self.own]] * d)
        gives[:, self.own] = 0.0
        return gives

    def by_shape(self, shape: float, tau: Array, shares: Array, d: Array | float = 1.0) -> Array:
        """∂r̃/∂κ, shape (k,)."""
        gives = self.by_tau(shape, shares, d)
        by = np.zeros(len(shares))
        if self.form == "decay":
            by = -shares[:, self.own] * d * (gives @ tau)
        elif self.form == "saturating":
            by = -d * (gives**2 @ tau)
        return by

    def by_shares(self, shape: float, tau: Array, shares: Array, d: Array | float = 1.0) -> Array:
        """∂r̃/∂share, shape (k, m)."""
        d = np.broadcast_to(np.asarray(d, dtype=np.float64), len(shares))[:, None]
        by = np.broadcast_to(tau, shares.shape).copy()
        if self.form == "saturating":
            by /= (1 + shape * shares * d) ** 2
        if self.form == "decay":
            by *= np.exp(-shape * shares[:, [self.own]] * d)
        by[:, self.own] = 1.0
        if self.form == "decay":
            by[:, self.own] -= shape * d[:, 0] * (self.by_tau(shape, shares, d[:, 0]) @ tau)
        return by


@dataclass(frozen=True)
class Formula:
    """`E + B r̃^−β` with all of it fitted at once: θ = (κ, E, ln B, ln β, μ, ln τ_j of every other domain)."""

    own: int
    form: Form

    def transfer(self, theta: Array) -> Array:
        """Every τ_j in the order of the domains, 0 for the target's own, shape (m,)."""
        return np.insert(np.exp(theta[5:]), self.own, 0.0)

    def value(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        value: Array = theta[1] + np.exp(theta[2]) * self.ratio(theta, shares) ** -np.exp(theta[3])
        return value

    def by_theta(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        form, tau, shape = Interaction(self.own, self.form), self.transfer(theta), float(theta[0])
        ratio, beta = self.ratio(theta, shares), np.exp(theta[3])
        reducible = np.exp(theta[2]) * ratio**-beta
        by_ratio = -beta * reducible / ratio
        gives = np.delete(form.by_tau(shape, shares) * tau, self.own, axis=1)
        return np.column_stack(
            [
                by_ratio * form.by_shape(shape, tau, shares),
                np.ones_like(ratio),
                reducible,
                -beta * np.log(ratio) * reducible,
                np.zeros_like(ratio),
                by_ratio[:, None] * gives,
            ]
        )

    def by_shares(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        ratio, beta = self.ratio(theta, shares), np.exp(theta[3])
        by_ratio = -beta * np.exp(theta[2]) * ratio ** (-beta - 1)
        by: Array = by_ratio[:, None] * self.ratio_by_shares(theta, shares)
        return by

    def power(self, theta: Array) -> tuple[float, float, float]:
        """See `curve.DoseFormula`."""
        return float(theta[1]), float(np.exp(theta[2])), float(np.exp(theta[3]))

    def ratio(self, theta: Array, shares: Array) -> Array:
        """See `curve.DoseFormula`."""
        return Interaction(self.own, self.form).ratio(float(theta[0]), self.transfer(theta), shares) + HALF_OPEN

    def ratio_by_shares(self, theta: Array, shares: Array) -> Array:
        """See `curve.DoseFormula`."""
        return Interaction(self.own, self.form).by_shares(float(theta[0]), self.transfer(theta), shares)


@dataclass(frozen=True)
class InteractionLaw(TransferLaw):
    """A **reconstruction** of Climb's interaction-aware ratio (arXiv 2509.15556), whose parametric form is not public.

    `L_i(r) = E_i + B_i r̃_i^(−β_i)`, r̃ the share that a run without the other languages would need for the same loss,
    in a form of `Interaction` at d = 1. Known of Climb is that transfer is strongest when the target is scarce and
    fades as its share grows (``decay``; the exponential is ours, not convex in r in general); ``saturating`` is the
    other shape that its ratio may have (r̃ is concave, so the loss is convex). That all is fitted at once in the space
    of losses is ours, too, where Climb measures r̃ by inverting a law of monolingual runs (`climb` does that). κ = 0 is
    `effective_data`. θ = (κ, then those of `effective_data`).

    Args:
        ridge: as in `effective_data`.
        transfer: as in `effective_data`.
        form: of r̃.
        shaping: strength with which κ is drawn to 0.
    """

    form: Form = "decay"
    shaping: float = 0.01
    needs: ClassVar[tuple[Need, ...]] = ("own",)

    @property
    def name(self) -> str:
        """``fading_transfer`` or ``saturating_transfer``."""
        return "fading_transfer" if self.form == "decay" else "saturating_transfer"

    @property
    def convex(self) -> bool:  # type: ignore[override]
        """Where r̃ is concave."""
        return self.form != "decay"

    def fit(self, sample: Sample) -> DoseCurve:
        """See `Law`: from the fit of the law that it is without κ.

        Raises:
            RequestError: for a target that is no domain's own text: there is no share for transfer to hang on.
        """
        formula = Formula(own_share_of(self.name, sample.own), self.form)
        still = EffectiveData(self.ridge, self.transfer)
        linear, near = still.search(sample), sample.near
        settled = linear.starts[0] if isinstance(near, Curve) else still.fit(replace(sample, near=None)).theta
        q = len(linear.rest)
        search = Search(
            starts=np.array([[0.5, *settled], [4.0, *settled]]),
            low=np.append(0.0, linear.low),
            high=np.append(100.0, linear.high),
            pull=np.block([[np.sqrt(self.shaping), np.zeros((1, len(settled)))], [np.zeros((q, 1)), linear.pull]]),
            rest=np.append(0.0, linear.rest),
        )
        return DoseCurve(formula, fit_curve(formula, search, sample).theta)


LAW = (
    LawSpec(InteractionLaw(form="decay"), power=True, chooses=True, competes=True, place=20),
    LawSpec(InteractionLaw(form="saturating"), power=True, chooses=True, competes=True, place=30),
)
