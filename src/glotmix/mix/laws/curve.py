"""Laws with a formula: fitted by robust least squares with exact Jacobians, from several starts."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.laws.base import Sample
from glotmix.mix.laws.robust import least_squares

HALF_OPEN = 1e-6
"""Added to shares before a power or a root, so that a share of zero has a finite loss."""


class Formula(Protocol):
    """The mathematics of a law: a value and its derivatives. θ has shape (p,), shares (k, m)."""

    def value(self, theta: Array, shares: Array) -> Array:
        """Loss of each mixture, shape (k,), positive."""

    def by_theta(self, theta: Array, shares: Array) -> Array:
        """∂loss/∂θ, shape (k, p)."""

    def by_shares(self, theta: Array, shares: Array) -> Array:
        """∂loss/∂shares, shape (k, m)."""


@dataclass(frozen=True, eq=False)
class Search:
    """Where θ is looked for.

    Args:
        starts: shape (s, p), each row a start.
        low: least θ, shape (p,).
        high: greatest θ, shape (p,).
        pull: a soft constraint `pull θ ≈ rest` (a ridge, say), shape (q, p), in units of residuals / `delta`.
        rest: its right-hand side, shape (q,).
        delta: where Huber's loss turns from square to linear, in natural log of the loss: 0.01 is a miss of 1 %.
    """

    starts: Array
    low: Array
    high: Array
    pull: Array
    rest: Array
    delta: float = 0.01


@dataclass(frozen=True, eq=False)
class Curve:
    """A formula with its parameters: a fitted law."""

    formula: Formula
    theta: Array

    def predict(self, shares: Array) -> Array:
        """See `Fitted`."""
        return self.formula.value(self.theta, shares)

    def gradient(self, shares: Array) -> Array:
        """See `Fitted`."""
        return self.formula.by_shares(self.theta, shares)


class DoseFormula(Formula, Protocol):
    """The mathematics of a law `E + B r̃^−β`."""

    def power(self, theta: Array) -> tuple[float, float, float]:
        """E, B and β."""

    def ratio(self, theta: Array, shares: Array) -> Array:
        """r̃ of each mixture, shape (k,)."""

    def ratio_by_shares(self, theta: Array, shares: Array) -> Array:
        """∂r̃/∂shares, shape (k, m)."""


class TransferFormula(ABC):
    """`E + B s^−β` whose dose is linear in the shares, `s = τ · r`; θ begins with E, log B, log β."""

    @abstractmethod
    def transfer(self, theta: Array) -> Array:
        """Return every τ_j in the order of the domains, 1 for the target's own, shape (m,)."""

    def value(self, theta: Array, shares: Array) -> Array:
        """See `Formula`."""
        value: Array = theta[0] + np.exp(theta[1]) * self.ratio(theta, shares) ** -np.exp(theta[2])
        return value

    def by_shares(self, theta: Array, shares: Array) -> Array:
        """See `Formula`."""
        beta, dose = np.exp(theta[2]), self.ratio(theta, shares)
        by: Array = (-beta * np.exp(theta[1]) * dose ** (-beta - 1))[:, None] * self.transfer(theta)
        return by

    def power(self, theta: Array) -> tuple[float, float, float]:
        """See `DoseFormula`."""
        return float(theta[0]), float(np.exp(theta[1])), float(np.exp(theta[2]))

    def ratio(self, theta: Array, shares: Array) -> Array:
        """See `DoseFormula`."""
        dose: Array = shares @ self.transfer(theta) + HALF_OPEN
        return dose

    def ratio_by_shares(self, theta: Array, shares: Array) -> Array:
        """See `DoseFormula`."""
        return np.broadcast_to(self.transfer(theta), shares.shape).copy()


def starts_of(formula: TransferFormula, sample: Sample, strong: float, rest: Callable[[float], Array]) -> Array:
    """Return three starts of a law of transfer, each with the scale B that fits the median run, given the others.

    Args:
        formula: of the law.
        sample: the runs.
        strong: the τ of the two starts with much transfer; the other has 0.01.
        rest: what of θ follows E, ln B and ln β, from ln τ.
    """
    least, starts = float(sample.losses.min()), []
    for part, beta, tau in ((0.9, 0.3, 0.01), (0.9, 1.0, strong), (0.5, 1.0, strong)):
        start = np.concatenate([[part * least, 0.0, np.log(beta)], rest(float(np.log(tau)))])
        start[1] = np.log(np.median((sample.losses - start[0]) / formula.ratio(start, sample.shares) ** -beta))
        starts.append(start)
    return np.array(starts)


@dataclass(frozen=True, eq=False)
class DoseCurve(Curve):
    """A fitted law of the form `E + B r̃^−β`: see `PowerLaw`."""

    formula: DoseFormula

    def power(self) -> tuple[float, float, float]:
        """See `PowerLaw`."""
        return self.formula.power(self.theta)

    def ratio(self, shares: Array) -> Array:
        """See `PowerLaw`."""
        return self.formula.ratio(self.theta, shares)

    def ratio_slope(self, shares: Array) -> Array:
        """See `PowerLaw`."""
        return self.formula.ratio_by_shares(self.theta, shares)


def fit_curve(formula: Formula, search: Search, sample: Sample) -> Curve:
    """Fit a formula: least `Σ H((ln f(r;θ) − ln L) / δ) + Σ H(pull θ − rest)`, H Huber's loss, best of all starts.

    Residuals are in the log of the loss, so that targets of unlike scale share one δ. The soft constraint passes
    through the same Huber loss: a parameter that the data want elsewhere is pulled with a bounded force.

    Args:
        formula: what is fitted.
        search: starts, bounds and the soft constraint.
        sample: the runs; a former fit of this formula, `near`, is the only start.
    """
    shares, near, log_losses = sample.shares, sample.near, np.log(sample.losses)
    last: tuple[Array, Array] | None = None

    def value(theta: Array) -> Array:
        # The Jacobian is asked for where the residuals were just computed: the value is computed once.
        nonlocal last
        if last is None or last[0] is not theta:
            last = theta, formula.value(theta, shares)
        return last[1]

    def residuals(theta: Array) -> Array:
        miss = (np.log(value(theta)) - log_losses) / search.delta
        return np.concatenate([miss, search.pull @ theta - search.rest])

    def jacobian(theta: Array) -> Array:
        slope = formula.by_theta(theta, shares) / (search.delta * value(theta))[:, None]
        return np.concatenate([slope, search.pull])

    starts = near.theta[None, :] if isinstance(near, Curve) else search.starts
    margin = 1e-9 * (1 + np.abs(search.high - search.low))
    best, theta = np.inf, starts[0]
    for start in starts:
        begin = np.clip(start, search.low + margin, search.high - margin)
        found, cost = least_squares(residuals, jacobian, begin, search.low, search.high)
        if cost < best:
            best, theta = cost, found
    return Curve(formula, theta)
