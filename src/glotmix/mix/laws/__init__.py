"""Laws: from mixture to loss. One file each; `LAWS` has them by name."""

from collections.abc import Mapping

from glotmix.core.errors import RequestError, did_you_mean
from glotmix.mix.laws.atlas import Atlas
from glotmix.mix.laws.base import Context, Fitted, Law, PowerLaw, Scaled, knows_budgets
from glotmix.mix.laws.bimix import BiMix
from glotmix.mix.laws.climb import Climb
from glotmix.mix.laws.effective_data import EffectiveData
from glotmix.mix.laws.fading import FadingTransfer
from glotmix.mix.laws.gp import GaussianProcess
from glotmix.mix.laws.kin_transfer import KinTransfer
from glotmix.mix.laws.lightgbm import BoostedTrees
from glotmix.mix.laws.log_linear import LogLinear
from glotmix.mix.laws.own_share import OwnShare
from glotmix.mix.laws.ridge import Ridge
from glotmix.mix.laws.saturating import SaturatingTransfer

__all__ = ["CHOOSING", "DOSED", "LAWS", "Context", "Fitted", "Law", "PowerLaw", "Scaled", "knows_budgets", "law"]

LAWS: Mapping[str, Law] = {
    known.name: known
    for known in (
        EffectiveData(),
        FadingTransfer(),
        SaturatingTransfer(),
        KinTransfer(),
        OwnShare(),
        LogLinear(),
        Atlas(),
        Climb("linear"),
        Climb("decay"),
        Climb("saturating"),
        Climb(low_rank=True),
        BiMix(),
        BoostedTrees(),
        GaussianProcess(),
        Ridge(),
    )
}
"""Every law; `needs` says what one cannot be fitted without."""


DOSED = (
    "effective_data",
    "fading_transfer",
    "saturating_transfer",
    "kin_transfer",
    "atlas",
    *(n for n in LAWS if n.startswith("climb")),
)
"""Laws of the form `E + B r̃^−β`: see `PowerLaw`."""

CHOOSING = (*DOSED, "own_share")
"""Laws with diminishing returns in the own share. Only these choose a mixture; the others rank mixtures that there are.

A line, a tree or an exponential of shares promises as much of the last token as of the first, so its optimum lies in a
corner where no run was, whatever it predicts well.
"""


def law(name: str) -> Law:
    """Return a law by name.

    Raises:
        RequestError: for an unknown name.
    """
    if name not in LAWS:
        raise RequestError(f"there is no law {name!r}{did_you_mean(name, LAWS)}", f"one of: {', '.join(LAWS)}")
    return LAWS[name]
