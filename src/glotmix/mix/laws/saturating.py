"""Saturating transfer: the first tokens of another language help most."""

from dataclasses import dataclass

from glotmix.mix.accounting import Array
from glotmix.mix.laws.base import Context, Fitted, LawSpec, Need, own_share_of
from glotmix.mix.laws.curve import DoseCurve
from glotmix.mix.laws.effective_data import EffectiveData
from glotmix.mix.laws.interaction import Formula, fit_interaction


@dataclass(frozen=True)
class SaturatingTransfer:
    """A **reconstruction** of the other shape that Climb's ratio may have (arXiv 2509.15556): a donor that saturates.

    `L_i(r) = E_i + B_i r̃_i^(−β_i)` with `r̃_i = r_i + Σ_j τ_ij r_j / (1 + κ_i r_j)`. κ = 0 is `effective_data`; r̃ is
    concave, so the loss is convex in r. θ = (κ, then those of `effective_data`).

    Args:
        ridge: as in `effective_data`.
        transfer: as in `effective_data`.
        saturation: strength with which κ is drawn to 0.
    """

    ridge: float = 1.0
    transfer: float = 0.01
    saturation: float = 0.01
    name: str = "saturating_transfer"
    needs: tuple[Need, ...] = ("own",)
    structured: bool = True
    convex: bool = True

    def fit(
        self,
        shares: Array,
        losses: Array,
        own: int | None = None,
        seed: int = 0,
        near: Fitted | None = None,
        context: Context | None = None,
    ) -> DoseCurve:
        """See `Law`. `seed` and `context` are not used.

        Raises:
            RequestError: for a target that is no domain's own text.
        """
        formula = Formula(own_share_of(self.name, own), "saturating")
        return fit_interaction(formula, EffectiveData(self.ridge, self.transfer), self.saturation, shares, losses, near)


LAW = LawSpec(SaturatingTransfer(), power=True, chooses=True, competes=True, place=30)
