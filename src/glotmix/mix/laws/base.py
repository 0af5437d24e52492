"""What a law is: something that is fitted to runs, and then predicts the loss of any mixture."""

from typing import Protocol

from glotmix.mix.accounting import Array


class Fitted(Protocol):
    """A law fitted to the loss on one target."""

    def predict(self, shares: Array) -> Array:
        """Loss of each mixture: shape (k, m) → (k,), in the unit of the losses it was fitted to."""

    def gradient(self, shares: Array) -> Array | None:
        """Exact derivative of that loss by each share, shape (k, m); None for a law that has none (trees).

        The shares are taken as free numbers here, not as bound to sum to one.
        """


class Law(Protocol):
    """A family of functions from mixture to loss.

    Attributes:
        name: as it is written in recipes and results.
        needs_own: whether it only makes sense for a target that is a domain's own held-out text.
        structured: whether it has a formula that says something beyond the runs: more data never harms, gains diminish.
    """

    @property
    def name(self) -> str:
        """As it is written in recipes and results."""

    @property
    def needs_own(self) -> bool:
        """Whether it only makes sense for a target that is held-out text of one of the domains."""

    @property
    def structured(self) -> bool:
        """Whether its formula says something beyond the runs: more data never harms, gains diminish."""

    def fit(
        self, shares: Array, losses: Array, own: int | None = None, seed: int = 0, near: Fitted | None = None
    ) -> Fitted:
        """Fit it to n runs.

        Args:
            shares: shape (n, m), rows on the simplex.
            losses: shape (n,), positive.
            own: position of the domain that the target is held-out text of, if it is one.
            seed: of whatever is random in the fit.
            near: an earlier fit of the same law to almost the same runs, to begin from (a law may ignore it).
        """
