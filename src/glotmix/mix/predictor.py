"""What runs say of any mixture, beside the one that was chosen: losses, how they change, and how far that can be wrong.

The laws and their weights are those that choose (`law_fit.law_weights`), fitted to all runs. The doubt of a change is
made of two parts, as in `uncertainty`: how the laws differ among each other, and by how far held-out mixtures at that
distance were from what they say (`worlds.slack`). Draws of the runs, which take minutes, are not among it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from glotmix.core.errors import RequestError
from glotmix.mix.accounting import Array, Available
from glotmix.mix.config import MixConfig
from glotmix.mix.law_fit import Choice
from glotmix.mix.limits import Box
from glotmix.mix.optimum import Ask, context_of, judge, weights_of
from glotmix.mix.repeat_worth import discounted
from glotmix.mix.repeats import Repeats
from glotmix.mix.run_tables import read
from glotmix.mix.runs import Runs
from glotmix.mix.solve import Goal
from glotmix.mix.worlds import SURE, Worlds, hellinger, slack, worlds


@dataclass(frozen=True, eq=False)
class Predictor:
    """Fitted laws, ready to be asked.

    Args:
        runs: what they were fitted to.
        choices: the law of each target.
        drawn: the laws, each as often as it is trusted.
        reference: the mixture that others are held against, over the domains of the runs, shape (m,).
        slacks: of each target, see `worlds.slack`, shape (t,).
    """

    runs: Runs
    choices: tuple[Choice, ...]
    drawn: Worlds
    reference: Array
    slacks: Array

    def predict(self, shares: Mapping[str, float]) -> dict[str, Any]:
        """Say what a mixture would do.

        Args:
            shares: by language; what no run drew on is left out, and the rest taken as the whole.

        Returns:
            ``targets``: of each its loss, its ``change`` from the reference with the ends of the 95 % interval, its
            law, and that law's held-out ``error``; ``mean``: the same change of the objective; ``beyond``: languages
            of which it takes more than any run did; ``left_out``: the share of the tokens that no run speaks for.

        Raises:
            RequestError: if the runs drew on none of it.
        """
        mixture = _over(self.runs, shares)
        both = np.vstack([mixture, self.reference])
        point, each = self.drawn.point.losses(both), self.drawn.losses(both)
        change, spread = point[0] - point[1], (each[:, 0] - each[:, 1]).std(axis=0)
        far = float(hellinger(mixture[None], self.reference)[0])
        doubt = SURE * np.sqrt(spread**2 + (self.slacks * far) ** 2)
        gain, sd = self.drawn.gain(mixture, self.reference[None])
        mean = -float(gain[0])
        half = SURE * float(sd[0])
        most = self.runs.shares.max(axis=0)
        return {
            "targets": [
                {
                    "target": choice.target,
                    "loss": float(point[0, i]),
                    "change": float(change[i]),
                    "low": float(change[i] - doubt[i]),
                    "high": float(change[i] + doubt[i]),
                    "law": max(choice.weights, key=lambda name: choice.weights[name]),
                    "error": next(s.error for s in choice.scores if s.law == choice.law.name),
                    "warning": choice.warning,
                }
                for i, choice in enumerate(self.choices)
            ],
            "mean": {"change": mean, "low": mean - half, "high": mean + half},
            "beyond": [d for d, r, top in zip(self.runs.domains, mixture, most, strict=True) if r > top + 0.02],
            "left_out": float(sum(share for lang, share in shares.items() if not _known(self.runs, lang))),
            "runs": len(self.runs),
        }


def predictor(available: Available, config: MixConfig, chosen: Mapping[str, float], beside: Path) -> Predictor:
    """Fit the laws of a recipe to its runs: seconds to a minute.

    Args:
        available: what there is of each language.
        config: the section `mix`, with `runs`.
        chosen: the mixture that others are held against.
        beside: the folder that paths in `config.runs` are relative to.

    Raises:
        RequestError: if there are no runs, or no law of them can choose.
        DataError: if there are too few runs, or their tables cannot be used.
    """
    from glotmix.native.threads import one_thread

    if config.runs is None:
        raise RequestError("the mixture was not made from runs: no law predicts anything", "mix.method=law")
    table = read(config.runs.format, beside / config.runs.mixtures, beside / config.runs.losses)
    runs = discounted(table.canonical())
    tokens = config.tokens if config.tokens is not None else available.total
    quantile = {"mean": None, "worst": 1.0, "quantile": config.quantile}[config.objective]
    scale = (config.parameters, float(tokens)) if config.at_scale else None
    sizes = dict(zip(available.languages, available.sizes, strict=True))
    unique = np.array([sizes.get(domain, 0.0) / tokens for domain in runs.domains])
    reference = _over(runs, chosen)
    with one_thread():
        choices = judge(runs, Ask(config.laws, config.weights, quantile, seed=config.seed, scale=scale))
        goal = Goal(
            laws=[],
            weights=weights_of(runs, config.weights),
            within=Box(np.zeros(len(runs.domains)), np.ones(len(runs.domains))),
            repeats=Repeats(unique, runs.repeats),
            natural=reference,
            quantile=quantile,
        )
        context = context_of(runs, unique, scale)
        drawn = worlds(goal, runs, choices, reference, 0, config.seed, context=context, dosed=False)
        alone = np.eye(len(choices))
        slacks = [slack(runs, choices, replace(goal, weights=weights, quantile=None), reference) for weights in alone]
    return Predictor(runs, tuple(choices), drawn, reference, np.array(slacks))


def _known(runs: Runs, lang: str) -> bool:
    return lang in runs.domains and bool(runs.shares[:, runs.domains.index(lang)].max() > 0)


def _over(runs: Runs, shares: Mapping[str, float]) -> Array:
    """Return a mixture over the domains of the runs, shape (m,)."""
    mixture = np.array([shares.get(d, 0.0) if _known(runs, d) else 0.0 for d in runs.domains])
    if mixture.sum() <= 0:
        raise RequestError("the runs drew on no language of this mixture")
    return np.asarray(mixture / mixture.sum())
