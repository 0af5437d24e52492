"""A Gaussian process on the square roots of the shares."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.laws.base import Formulated, LawSpec, Sample
from glotmix.mix.laws.curve import HALF_OPEN

if TYPE_CHECKING:
    from sklearn.gaussian_process import GaussianProcessRegressor


@dataclass(frozen=True)
class GaussianProcess(Formulated):
    """Matérn 5/2 with one length scale on x = √r, plus noise; hyperparameters by marginal likelihood (ours).

    `k(x, x') = s² (1 + √5 d/ℓ + 5d²/3ℓ²) exp(−√5 d/ℓ)`, d = ‖√r − √r'‖: Hellinger's distance between mixtures up to a
    factor, so that a change from 0 to 1 % counts for more than one from 50 to 51 %.

    Args:
        restarts: further starts of the search for hyperparameters.
    """

    restarts: int = 1
    name: ClassVar[str] = "gp"
    structured: ClassVar[bool] = False
    convex: ClassVar[bool] = False

    def fit(self, sample: Sample) -> "Process":
        """See `Law`; `near` gives the hyperparameters, which are then kept."""

        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        kernel = ConstantKernel(1.0, (1e-2, 1e3)) * Matern(1.0, (1e-2, 1e2), nu=2.5) + WhiteKernel(1e-2, (1e-6, 1.0))
        search: str | None = "fmin_l_bfgs_b"
        if isinstance(sample.near, Process):
            kernel, search = sample.near.model.kernel_, None
        model = GaussianProcessRegressor(
            kernel,
            normalize_y=True,
            n_restarts_optimizer=0 if search is None else self.restarts,
            optimizer=search,
            random_state=sample.seed,
        )
        with warnings.catch_warnings():
            # A hyperparameter at its bound is an answer here (no noise, say), not a failure.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(_roots(sample.shares), sample.losses)
        return Process(model)


@dataclass(frozen=True, eq=False)
class Process:
    """A fitted process. Mean and gradient are written out here: the solver asks for them one mixture at a time."""

    model: "GaussianProcessRegressor"

    def predict(self, shares: Array) -> Array:
        """See `Fitted`."""
        scale, _, _, distance = self._apart(shares)
        kernel = scale * (1.0 + distance + distance**2 / 3.0) * np.exp(-distance)
        mean: Array = kernel @ self.model.alpha_ * self.model._y_train_std + self.model._y_train_mean
        return mean

    def spread(self, shares: Array) -> Array:
        """Posterior standard deviation of the loss at each mixture, noise included, shape (k,)."""
        spread: Array = self.model.predict(_roots(shares), return_std=True)[1]
        return spread

    def gradient(self, shares: Array) -> Array:
        """See `Fitted`."""
        scale, length, difference, distance = self._apart(shares)
        # dk/dx = −(5 / 3ℓ²) (1 + √5 d/ℓ) exp(−√5 d/ℓ) (x − x')
        slope = -5.0 * scale / (3.0 * length**2) * (1.0 + distance) * np.exp(-distance) * self.model.alpha_
        by_root = np.einsum("kn,knm->km", slope, difference) * self.model._y_train_std
        by: Array = by_root / (2.0 * _roots(shares))
        return by

    def _apart(self, shares: Array) -> tuple[float, float, Array, Array]:
        """Return s², ℓ, x − x' of shape (k, n, m) and √5 d/ℓ of shape (k, n)."""
        product = self.model.kernel_.k1
        length = float(product.k2.length_scale)
        difference = _roots(shares)[:, None, :] - self.model.X_train_[None, :, :]
        distance = np.sqrt(5.0 * np.einsum("knm,knm->kn", difference, difference)) / length
        return float(product.k1.constant_value), length, difference, distance


def _roots(shares: Array) -> Array:
    roots: Array = np.sqrt(shares + HALF_OPEN)
    return roots


LAW = LawSpec(GaussianProcess(), competes=True, place=90)
