"""Fading transfer: other languages help most where the target's own share is small."""

from dataclasses import dataclass

from glotmix.mix.accounting import Array
from glotmix.mix.laws.base import Context, Fitted, LawSpec, Need, own_share_of
from glotmix.mix.laws.curve import DoseCurve
from glotmix.mix.laws.effective_data import EffectiveData
from glotmix.mix.laws.interaction import Formula, fit_interaction


@dataclass(frozen=True)
class FadingTransfer:
    """A **reconstruction** of Climb's interaction-aware ratio (arXiv 2509.15556), whose parametric form is not public.

    `L_i(r) = E_i + B_i r̃_i^(−β_i)` with `r̃_i = r_i + exp(−κ_i r_i) Σ_j τ_ij r_j`: the share that a run without the
    other languages would need for the same loss. Known of Climb is that transfer is strongest when the target is
    scarce and fades as its share grows; the exponential is ours, and so is that all is fitted at once in the space of
    losses, where Climb measures r̃ by inverting a law of monolingual runs (`climb` does that). κ = 0 is
    `effective_data`. Not convex in r in general. θ = (κ, then those of `effective_data`).

    Args:
        ridge: as in `effective_data`.
        transfer: as in `effective_data`.
        fading: strength with which κ is drawn to 0.
    """

    ridge: float = 1.0
    transfer: float = 0.01
    fading: float = 0.01
    name: str = "fading_transfer"
    needs: tuple[Need, ...] = ("own",)
    structured: bool = True
    convex: bool = False

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
            RequestError: for a target that is no domain's own text: there is no share for transfer to fade with.
        """
        formula = Formula(own_share_of(self.name, own), "decay")
        return fit_interaction(formula, EffectiveData(self.ridge, self.transfer), self.fading, shares, losses, near)


LAW = LawSpec(FadingTransfer(), power=True, chooses=True, competes=True, place=20)
