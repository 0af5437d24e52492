"""Climb: a law of the language alone, and what every mixture is worth in its terms."""

from dataclasses import dataclass, replace

import numpy as np

from glotmix.core.errors import DataError, RequestError
from glotmix.mix.accounting import Array
from glotmix.mix.laws.base import Context, LawSpec, Need, Sample
from glotmix.mix.laws.curve import DoseCurve, Search, fit_curve
from glotmix.mix.laws.interaction import Form, Interaction
from glotmix.mix.repeats import Repeats

LEAST_BUDGETS = 3
"""Budgets of a language alone that its law needs: one for each of E, B and β."""
_FLOOR = 1e-3
"""Where r̃ stops falling: other languages may harm, but no share is worth less than nothing."""
_USUAL = 0.1
"""A usual τ: how far the ridge lets them lie apart freely."""


@dataclass(frozen=True)
class MonolingualLaw:
    """The isolated law of one language, `L(D) = E + B (D / D_0)^−β`, D_0 the geometric mean of its budgets.

    Args:
        irreducible: E.
        scale: B, the reducible loss at D_0.
        beta: β.
        tokens: D_0.
    """

    irreducible: float
    scale: float
    beta: float
    tokens: float

    def ratio(self, losses: Array, tokens: Array) -> Array:
        """Measured ratio `r̃ = (1/D) [B / (L − E)]^(1/β)`, shape (k,): NaN where L ≤ E, which no budget reaches.

        An error of the loss is amplified by 1/β, so it is for looking at; the laws are fitted to losses.

        >>> law = MonolingualLaw(irreducible=0.5, scale=0.4, beta=0.5, tokens=1e6)
        >>> law.ratio(np.array([0.9, 1.3, 0.4]), np.array([1e6, 1e6, 1e6]))
        array([1.  , 0.25,  nan])
        """
        above = losses - self.irreducible
        reached = np.where(above > 0, above, np.nan)
        ratio: Array = self.tokens / tokens * (self.scale / reached) ** (1 / self.beta)
        return ratio


def fit_monolingual(tokens: Array, losses: Array) -> MonolingualLaw:
    """Fit the isolated law of one language to its runs without the others.

    Args:
        tokens: effective budget of each run, repeats discounted, shape (n,).
        losses: shape (n,).

    Raises:
        DataError: for fewer than `LEAST_BUDGETS` budgets.
    """
    if len(np.unique(tokens.round(6))) < LEAST_BUDGETS:
        raise DataError(
            f"{len(np.unique(tokens.round(6)))} budgets of the language alone cannot give its law: {LEAST_BUDGETS} are "
            "needed",
            "glotmix mix design --monolingual 3 adds them",
        )
    middle = float(np.exp(np.log(tokens).mean()))
    least = float(losses.min())
    starts = [
        [part * least, np.log(max(float(np.median(losses)) - part * least, 1e-6)), np.log(b)]
        for part in (0.3, 0.7, 0.95)
        for b in (0.2, 0.5)
    ]
    search = Search(
        starts=np.array(starts),
        low=np.array([0.0, -20.0, np.log(0.02)]),
        high=np.array([least, 20.0, np.log(3.0)]),
        pull=np.array([[0.0, 0.0, 0.03]]),
        rest=np.array([0.03 * np.log(0.3)]),
    )
    theta = fit_curve(_Power(), search, Sample((tokens / middle)[:, None], losses)).theta
    return MonolingualLaw(float(theta[0]), float(np.exp(theta[1])), float(np.exp(theta[2])), middle)


@dataclass(frozen=True)
class _Power:
    """`E + B x^−β` of a single column x; θ = (E, ln B, ln β)."""

    def value(self, theta: Array, shares: Array) -> Array:
        value: Array = theta[0] + np.exp(theta[1]) * shares[:, 0] ** -np.exp(theta[2])
        return value

    def by_theta(self, theta: Array, shares: Array) -> Array:
        x, beta = shares[:, 0], np.exp(theta[2])
        reducible = np.exp(theta[1]) * x**-beta
        return np.column_stack([np.ones_like(x), reducible, -beta * np.log(x) * reducible])

    def by_shares(self, theta: Array, shares: Array) -> Array:
        beta = np.exp(theta[2])
        by: Array = -beta * np.exp(theta[1]) * shares ** (-beta - 1)
        return by


@dataclass(frozen=True)
class Climb:
    """A **reconstruction** of Climb (arXiv 2509.15556), whose parametric form is not public.

    First the law of the language alone, `L_i(D) = E_i + B_i D^−β_i`, from monolingual runs at three budgets or more
    (`fit_monolingual`); then, with E, B and β held, r̃ of the mixtures: `L_i(r, D) = E_i + B_i (D r̃_i)^−β_i`, in one of
    the forms of `interaction.Interaction` with d = D / D_0. It is fitted to losses, not to the inverted ratio, whose
    error is amplified by 1/β. τ may be negative: a language may harm. ``low_rank``: the linear form with
    `τ_ij = Σ_q c_iq k_ijq`, k the similarity of languages (`Context`): a few numbers where runs are fewer than m².
    θ = (κ, μ, τ_j of every other domain or c_q); the ridge draws all τ_j to μ. Not convex in general.

    Args:
        form: of r̃.
        low_rank: whether τ is made of similarities.
        ridge: strength with which τ_j is drawn to μ, and c to 0.
    """

    form: Form = "linear"
    low_rank: bool = False
    ridge: float = 1.0
    structured: bool = True
    convex: bool = False

    @property
    def name(self) -> str:
        """``climb_linear``, ``climb_decay``, ``climb_saturating`` or ``climb_low_rank``."""
        return "climb_low_rank" if self.low_rank else f"climb_{self.form}"

    @property
    def needs(self) -> tuple[Need, ...]:
        """Its own text and runs of it alone; the form of low rank also knows how near languages are."""
        return ("own", "monolingual", "similarity") if self.low_rank else ("own", "monolingual")

    def fit(self, sample: Sample) -> "ClimbCurve":
        """See `Law`.

        Raises:
            RequestError: for a target that is no domain's own text, or without budgets or (of low rank) similarities.
            DataError: for fewer than three budgets of the language alone.
        """
        shares, losses, own, context = sample.shares, sample.losses, sample.own, sample.context
        if own is None or context.tokens is None:
            raise RequestError(
                f"the law {self.name} needs a target that is a language of the runs, and the tokens of every run",
                "mix.laws=[effective_data]",
            )
        m = shares.shape[1]
        basis = np.delete(np.eye(m), own, axis=1) if not self.low_rank else _similarity(context, own, m)
        tokens = np.broadcast_to(context.tokens, len(shares))
        only = shares[:, own] > 1 - 1e-9
        worth = _worth(shares, context)
        law = fit_monolingual(tokens[only] * worth[only, own], losses[only])
        formula = Formula(Interaction(own, self.form), law, basis, context)
        q = basis.shape[1]
        # Of the free form μ is the common level; of low rank there is none, c itself is drawn to 0.
        pull = np.zeros((q + 1 + (self.form != "linear"), q + 2))
        pull[:q, 2:] = np.sqrt(self.ridge) / _USUAL * np.eye(q)
        if not self.low_rank:
            pull[:q, 1] = -np.sqrt(self.ridge) / _USUAL
        pull[q, 1] = 1.0
        shaped = self.form != "linear"
        if shaped:
            pull[q + 1, 0] = 0.1
        search = Search(
            starts=np.array([[k, 0.05, *np.full(q, 0.05)] for k in ((0.5, 4.0) if shaped else (0.0,))]),
            low=np.concatenate([[0.0, -2.0], np.full(q, -2.0)]),
            high=np.concatenate([[100.0 if shaped else 1e-6, 4.0], np.full(q, 4.0)]),
            pull=pull,
            rest=np.zeros(len(pull)),
        )
        return ClimbCurve(formula, fit_curve(formula, search, sample).theta)


def _similarity(context: Context, own: int, m: int) -> Array:
    if context.similarity is None:
        raise RequestError(
            "the law climb_low_rank needs to know how near the languages are, and these domains are no languages",
            "mix.laws=[climb_linear]",
        )
    basis = context.similarity.reshape(m, -1).copy()
    basis[own] = 0.0
    return basis


def _worth(shares: Array, context: Context) -> Array:
    """Discount repeats: `repeats.Repeats` with each mixture's own stock."""
    if context.unique is None or context.tokens is None:
        return shares
    return Repeats(context.unique / context.tokens[:, None]).worth(shares)


@dataclass(frozen=True, eq=False)
class Formula:
    """`E + B (D r̃ / D_0)^−β` with E, B, β, D_0 of the language alone; θ as in `Climb`."""

    form: Interaction
    monolingual: MonolingualLaw
    basis: Array
    context: Context

    def value(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        reducible: Array = (
            self.monolingual.scale * (self.budget() * self.ratio(theta, shares)) ** -self.monolingual.beta
        )
        return self.monolingual.irreducible + reducible

    def by_theta(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        worth, d = _worth(shares, self.context), self.budget()
        tau, kappa = self.basis @ theta[2:], float(theta[0])
        by_ratio = self._by_ratio(theta, shares) * self._kept(theta, worth)
        return np.column_stack(
            [
                by_ratio * self.form.by_shape(kappa, tau, worth, d),
                np.zeros(len(shares)),
                by_ratio[:, None] * (self.form.by_tau(kappa, worth, d) @ self.basis),
            ]
        )

    def by_shares(self, theta: Array, shares: Array) -> Array:
        """See `curve.Formula`."""
        by: Array = self._by_ratio(theta, shares)[:, None] * self.ratio_by_shares(theta, shares)
        return by

    def power(self, theta: Array) -> tuple[float, float, float]:
        """See `curve.DoseFormula`; at the budget of the first of the context's mixtures."""
        beta = self.monolingual.beta
        return self.monolingual.irreducible, float(self.monolingual.scale * self.budget()[0] ** -beta), beta

    def ratio(self, theta: Array, shares: Array) -> Array:
        """See `curve.DoseFormula`."""
        x = self._raw(theta, _worth(shares, self.context))
        ratio: Array = 0.5 * (x + np.sqrt(x**2 + _FLOOR**2))
        return ratio

    def ratio_by_shares(self, theta: Array, shares: Array) -> Array:
        """See `curve.DoseFormula`."""
        worth = _worth(shares, self.context)
        by = self.form.by_shares(float(theta[0]), self.basis @ theta[2:], worth, self.budget())
        by *= self._kept(theta, worth)[:, None]
        if self.context.unique is not None and self.context.tokens is not None:
            by *= Repeats(self.context.unique / self.context.tokens[:, None]).slope(shares)
        return by

    def budget(self) -> Array:
        """D / D_0, shape (k,) or (1,)."""
        return np.ones(1) if self.context.tokens is None else self.context.tokens / self.monolingual.tokens

    def _raw(self, theta: Array, worth: Array) -> Array:
        return self.form.ratio(float(theta[0]), self.basis @ theta[2:], worth, self.budget())

    def _kept(self, theta: Array, worth: Array) -> Array:
        """d ratio / d raw ratio: near 1 but where the ratio is held above zero."""
        x = self._raw(theta, worth)
        kept: Array = 0.5 * (1 + x / np.sqrt(x**2 + _FLOOR**2))
        return kept

    def _by_ratio(self, theta: Array, shares: Array) -> Array:
        beta, ratio = self.monolingual.beta, self.ratio(theta, shares)
        by: Array = -beta * self.monolingual.scale * self.budget() ** -beta * ratio ** (-beta - 1)
        return by


@dataclass(frozen=True, eq=False)
class ClimbCurve(DoseCurve):
    """A fitted law of Climb: see `Scaled`."""

    formula: Formula

    def at(self, context: Context) -> "ClimbCurve":
        """See `Scaled`."""
        return replace(self, formula=replace(self.formula, context=context))


LAW = tuple(
    LawSpec(law, power=True, chooses=True, competes=True, place=70 + at)
    for at, law in enumerate((Climb("linear"), Climb("decay"), Climb("saturating"), Climb(low_rank=True)))
)
