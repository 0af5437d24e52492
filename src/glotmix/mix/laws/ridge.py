"""Ridge: the loss as a weighted sum of the shares."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.laws.base import Formulated, LawSpec, Sample


@dataclass(frozen=True)
class Ridge(Formulated):
    """`L_i(r) = b_i + Σ_j w_ij r_j` with `α Σ w²` in the squared error: RegMix's linear baseline (arXiv 2407.01492).

    Being linear it has its optimum in a corner of whatever is allowed: good for ranking, not for choosing.

    Args:
        alpha: strength of the ridge.
    """

    alpha: float = 1.0
    name: ClassVar[str] = "ridge"
    structured: ClassVar[bool] = False

    def fit(self, sample: Sample) -> "Linear":
        """See `Law`; of the sample only runs and losses are used."""

        from sklearn.linear_model import Ridge as Regression

        found = Regression(alpha=self.alpha).fit(sample.shares, sample.losses)
        return Linear(float(found.intercept_), np.asarray(found.coef_, dtype=np.float64))


@dataclass(frozen=True, eq=False)
class Linear:
    """A fitted ridge."""

    base: float
    weights: Array

    def predict(self, shares: Array) -> Array:
        """See `Fitted`."""
        value: Array = self.base + shares @ self.weights
        return value

    def gradient(self, shares: Array) -> Array:
        """See `Fitted`."""
        return np.broadcast_to(self.weights, shares.shape).copy()


LAW = LawSpec(Ridge(), competes=True, place=92)
