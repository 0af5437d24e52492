"""Boosted trees on the shares, as RegMix has them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.laws.base import Formulated, LawSpec, Sample

if TYPE_CHECKING:
    import lightgbm


@dataclass(frozen=True)
class BoostedTrees(Formulated):
    """RegMix (Liu et al. 2024, arXiv 2407.01492): LightGBM regression on r, 1,000 rounds at a learning rate of 0.01.

    Unlike RegMix's notebook it never stops early, because there the rounds are chosen on the mixtures that are then
    reported. RegMix fits 512 runs and keeps LightGBM's 20 runs a leaf; with fewer runs than 160 a leaf here may be
    smaller, for otherwise 32 runs could not be split once.

    Args:
        rounds: trees.
        rate: learning rate.
    """

    rounds: int = 1000
    rate: float = 0.01
    name: ClassVar[str] = "lightgbm"
    structured: ClassVar[bool] = False
    convex: ClassVar[bool] = False

    def fit(self, sample: Sample) -> "Trees":
        """See `Law`; runs, losses and seed are used."""

        import lightgbm

        settings = {
            "objective": "regression",
            "learning_rate": self.rate,
            "min_data_in_leaf": max(2, min(20, len(sample.losses) // 8)),
            "seed": sample.seed,
            "deterministic": True,
            "force_col_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        }
        return Trees(
            lightgbm.train(settings, lightgbm.Dataset(sample.shares, sample.losses), num_boost_round=self.rounds)
        )


@dataclass(frozen=True, eq=False)
class Trees:
    """Fitted trees."""

    model: "lightgbm.Booster"

    def predict(self, shares: Array) -> Array:
        """See `Fitted`."""
        return np.asarray(self.model.predict(shares), dtype=np.float64)

    def gradient(self, shares: Array) -> None:
        """None: trees are steps."""
        return


LAW = LawSpec(BoostedTrees(), competes=True, place=91)
