"""A law of mixtures: losses fall with the roots of the shares, `L = b − Σ_j w_j √r_j` with w ≥ 0.

Written in a recipe as ``mix: {laws: [root]}``. Gains diminish in every share, and the loss is convex in the shares.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.laws.base import Formulated, LawSpec, Sample

VERSION = 1
LEAST = 1e-6
"""Shares below it count as it: at 0 a root has no slope."""


@dataclass(frozen=True)
class Root(Formulated):
    """See the module."""

    name: ClassVar[str] = "root"

    def fit(self, sample: Sample) -> "Fit":
        """Fit it by least squares."""
        from scipy.optimize import lsq_linear

        factors = np.column_stack([np.ones(len(sample.losses)), -np.sqrt(np.maximum(sample.shares, LEAST))])
        lowest = np.r_[-np.inf, np.zeros(sample.shares.shape[1])]
        theta = lsq_linear(factors, sample.losses, (lowest, np.inf)).x
        return Fit(float(theta[0]), theta[1:])


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted law: b and w."""

    base: float
    weights: Array

    def predict(self, shares: Array) -> Array:
        """Return the loss of each of k mixtures, (k,)."""
        value: Array = self.base - np.sqrt(np.maximum(shares, LEAST)) @ self.weights
        return value

    def gradient(self, shares: Array) -> Array:
        """Return its slope by each share, (k, m)."""
        slope: Array = -self.weights / (2 * np.sqrt(np.maximum(shares, LEAST)))
        return slope


LAW = LawSpec(Root(), chooses=True)
