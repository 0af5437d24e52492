"""Ridge: the loss as a weighted sum of the shares."""

from dataclasses import dataclass

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.laws.base import Context, Fitted, LawSpec, Need


@dataclass(frozen=True)
class Ridge:
    """`L_i(r) = b_i + Σ_j w_ij r_j` with `α Σ w²` in the squared error: RegMix's linear baseline (arXiv 2407.01492).

    Being linear it has its optimum in a corner of whatever is allowed: good for ranking, not for choosing.

    Args:
        alpha: strength of the ridge.
    """

    alpha: float = 1.0
    name: str = "ridge"
    needs: tuple[Need, ...] = ()
    structured: bool = False
    convex: bool = True

    def fit(
        self,
        shares: Array,
        losses: Array,
        own: int | None = None,
        seed: int = 0,
        near: Fitted | None = None,
        context: Context | None = None,
    ) -> "Linear":
        """See `Law`. `own`, `seed`, `near` and `context` are not used."""

        from sklearn.linear_model import Ridge as Regression

        found = Regression(alpha=self.alpha).fit(shares, losses)
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
