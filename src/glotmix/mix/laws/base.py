"""What a law is: something that is fitted to runs, and then predicts the loss of any mixture."""

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, TypeAlias, TypeGuard, runtime_checkable

import numpy as np

from glotmix.core.errors import RequestError
from glotmix.mix.accounting import Array

Need: TypeAlias = Literal["own", "scale", "monolingual", "similarity", "cells"]
"""What a law cannot be fitted without.

``own``: a target that is held-out text of one of the domains. ``scale``: runs of more than one size, budget or rate of
repeats. ``monolingual``: runs of the target's language alone at three budgets or more. ``similarity``: domains that are
languages, so that it is known how similar they are. ``cells``: domains that are cells of languages (language × source),
of the target's among others.
"""


@dataclass(frozen=True, eq=False)
class Context:
    """What is known of k mixtures beside their shares; None where nothing is.

    Args:
        parameters: model size N of each, shape (k,) or (1,).
        tokens: training tokens D of each, shape (k,) or (1,).
        unique: unique tokens U of each domain, shape (k, m) or (1, m); infinite where nothing repeats.
        similarity: of each domain to the target's language, shape (m, q); of the target, not of the mixtures.
        cells: the same where domains are cells of languages, zero for the target's own cells, shape (m, q).
    """

    parameters: Array | None = None
    tokens: Array | None = None
    unique: Array | None = None
    similarity: Array | None = None
    cells: Array | None = None

    def take(self, rows: Array) -> "Context":
        """Return the context of some of the mixtures."""
        one, two, three = (None if x is None else x[rows] for x in (self.parameters, self.tokens, self.unique))
        return Context(one, two, three, self.similarity, self.cells)

    def varies(self) -> bool:
        """Whether there is a size, a budget or a rate of repeats that differs, or any repeats at all."""
        several = any(x is not None and len(np.unique(x)) > 1 for x in (self.parameters, self.tokens))
        return several or (self.tokens is not None and self.unique is not None and bool(np.isfinite(self.unique).any()))


class Fitted(Protocol):
    """A law fitted to the loss on one target."""

    def predict(self, shares: Array) -> Array:
        """Loss of each mixture: shape (k, m) → (k,), in the unit of the losses it was fitted to."""

    def gradient(self, shares: Array) -> Array | None:
        """Exact derivative of that loss by each share, shape (k, m); None for a law that has none (trees).

        The shares are taken as free numbers here, not as bound to sum to one.
        """


@runtime_checkable
class Scaled(Fitted, Protocol):
    """A fitted law that knows of budgets and repeats: its shares are drawn shares, before repeats are discounted."""

    def at(self, context: Context) -> "Scaled":
        """Return the same law for mixtures of another size, budget or stock of unique tokens."""


def knows_budgets(fitted: Fitted) -> TypeGuard[Scaled]:
    """Whether a fitted law is `Scaled`; asked thousands of times, and an `isinstance` of a protocol is slow."""
    return hasattr(fitted, "at")


@runtime_checkable
class PowerLaw(Fitted, Protocol):
    """A fitted law of the form `L = E + B r̃^−β`, r̃ the share that the target alone would need for the same loss."""

    def power(self) -> tuple[float, float, float]:
        """E, B and β."""

    def ratio(self, shares: Array) -> Array:
        """The interaction-aware ratio r̃ of each mixture, shape (k, m) → (k,)."""

    def ratio_slope(self, shares: Array) -> Array:
        """∂r̃/∂share, shape (k, m): what a token of each domain is worth in tokens of the target's own."""


def own_share_of(law: str, own: int | None) -> int:
    """Return the position of the target's own domain.

    Raises:
        RequestError: for a target that is no domain's own text.
    """
    if own is None:
        raise RequestError(
            f"the law {law} needs the target's own share, but this target is no language of the runs",
            "mix.laws=[effective_data]",
        )
    return own


@dataclass(frozen=True, eq=False)
class Sample:
    """n runs that a law is fitted to.

    Args:
        shares: shape (n, m), rows on the simplex; after repeats are discounted, unless the law is `Scaled`.
        losses: on one target, shape (n,), positive.
        own: position of the domain that the target is held-out text of, if it is one.
        seed: of whatever is random in the fit.
        near: an earlier fit of the same law to almost the same runs, to begin from (a law may ignore it).
        context: what is known of the runs beside their shares.
    """

    shares: Array
    losses: Array
    own: int | None = None
    seed: int = 0
    near: Fitted | None = None
    context: Context = Context()


class Law(Protocol):
    """A family of functions from mixture to loss. One with a formula inherits the rest from `Formulated`."""

    @property
    def name(self) -> str:
        """As it is written in recipes and results."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """What it cannot be fitted without."""

    @property
    def structured(self) -> bool:
        """Whether its formula says something beyond the runs: more data never harms, gains diminish."""

    @property
    def convex(self) -> bool:
        """Whether every fit of it is convex in the shares, so that a minimum found is the minimum."""

    def fit(self, sample: Sample) -> Fitted:
        """Fit it to n runs.

        Raises:
            RequestError: if the sample lacks what the law needs.
        """


class Formulated:
    """What laws with a formula have in common where they say nothing else."""

    needs: ClassVar[tuple[Need, ...]] = ()
    structured: ClassVar[bool] = True
    convex: ClassVar[bool] = True


@dataclass(frozen=True)
class TransferLaw(Formulated):
    """What laws of the transfer between languages have in common: with few runs one transfer for all, measured.

    Args:
        ridge: strength with which transfers are drawn to their common level.
        transfer: the τ to which that level is drawn, weakly.
    """

    ridge: float = 1.0
    transfer: float = 0.01


@dataclass(frozen=True)
class LawSpec:
    """A law as its file declares it, under the top-level name ``LAW``.

    Args:
        law: the law itself, with the constants that it has where nobody says otherwise.
        power: whether what it fits is a `PowerLaw`.
        chooses: whether it may choose a mixture: only a law with diminishing returns in the own share may. The others
            rank mixtures that there are: a line, a tree or an exponential of shares promises as much of the last token
            as of the first, so its optimum lies in a corner where no run was, whatever it predicts well.
        competes: whether it takes part where the recipe names no laws. Another package's takes part where it is named.
        place: its order among the laws.
    """

    law: Law
    power: bool = False
    chooses: bool = False
    competes: bool = False
    place: int = 500
