"""From a rater's log odds to P(natural), and to the line that loses a given share of good text.

A rater is trained on classes of equal weight, and scores one language's ordinary pages higher than another's. So (1)
a language's *level* is taken away: the upper quartile of what the rater says of web excerpts of that language (they
ship with the reference); (2) Platt's sigmoid (1999), fitted on documents that the rater saw no label of the language
of, turns what is left into a probability, at the share of unnatural documents that the anchors have; (3) the same
held-out documents say below which score a given share of *good* text lies, and the web excerpts bound what any one
language may lose.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, Field, FiniteFloat, NonNegativeInt

from glotmix.core.errors import DataError
from glotmix.quality import reference
from glotmix.quality.heads import Head
from glotmix.quality.transfer import MIN_EACH, Labelled

LEVEL = 0.75
"""Quantile of a language's web excerpts that is its level. Of 0.5 to 0.9, all found as much (docs/log.md)."""
CAP = 2.0
"""No language loses more than so many times `lose` of the reference's web excerpts in it."""
FOLDS = 12
"""Raters that are trained to score held-out documents, at most: each without the languages of one fold."""

_STEPS = np.linspace(0, 1, 201)
POOLED = reference.POOLED


@dataclass(frozen=True)
class Probability:
    """A calibration of log odds.

    Args:
        slope: of Platt's sigmoid on log odds less the level.
        offset: its intercept.
        levels: language, script or ``""`` → level.
        natural: (201,) quantiles of held-out good documents' log odds less their level.
        web: language, script or ``""`` → (201,) the same of its web excerpts; empty where none are known.
        n: held-out documents, good and bad.
    """

    slope: float
    offset: float
    levels: Mapping[str, float]
    natural: NDArray[np.float64]
    web: Mapping[str, NDArray[np.float64]]
    n: tuple[int, int]

    def apply(self, log_odds: NDArray[np.float64], langs: NDArray[np.object_]) -> NDArray[np.float64]:
        """Return (n,) P(natural) of (n,) log odds."""
        from scipy.special import expit

        level = {lang: self._of(self.levels, lang, 0.0) for lang in set(langs)}
        own = log_odds - np.array([level[lang] for lang in langs], np.float64)
        return np.asarray(expit(self.slope * own + self.offset), np.float64)

    def line(self, lang: str, lose: float) -> float:
        """Return the score below which a document of the language is dropped, so that `lose` of good text is lost."""
        from scipy.special import expit

        at = float(np.interp(lose, _STEPS, self.natural))
        web = self._of(self.web, lang, None)
        if web is not None:
            at = min(at, float(np.interp(CAP * lose, _STEPS, web)))
        return float(expit(self.slope * at + self.offset))

    @staticmethod
    def _of(held: Mapping[str, Any], lang: str, without: Any) -> Any:
        return next((held[name] for name in (lang, lang.rpartition("_")[2], POOLED) if name in held), without)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "slope": self.slope,
            "offset": self.offset,
            "levels": dict(sorted(self.levels.items())),
            "web": sorted(self.web),
            "n": list(self.n),
        }

    def tensors(self) -> dict[str, NDArray[np.float64]]:
        """Return its arrays, by name."""
        web = [self.web[name] for name in sorted(self.web)]
        return {"natural": self.natural, "web": np.stack(web) if web else np.zeros((0, len(_STEPS)))}

    @classmethod
    def of(cls, found: Mapping[str, Any], held: Mapping[str, NDArray[Any]]) -> "Probability":
        """Return what `as_json` and `tensors` gave.

        Raises:
            ValueError: if it is damaged.
        """
        said = _Said.model_validate(found, strict=True)
        if held["natural"].shape != _STEPS.shape or held["web"].shape != (len(said.web), *_STEPS.shape):
            raise ValueError(f"its quantiles are {held['natural'].shape} and {held['web'].shape} numbers")
        web = dict(zip(said.web, held["web"], strict=True))
        return cls(said.slope, said.offset, said.levels, held["natural"], web, (said.n[0], said.n[1]))


class _Said(BaseModel):
    """What `Probability.as_json` says."""

    slope: FiniteFloat
    offset: FiniteFloat
    levels: dict[str, FiniteFloat]
    web: list[str]
    n: Annotated[list[NonNegativeInt], Field(min_length=2, max_length=2)]


@dataclass(frozen=True)
class HeldOut:
    """What raters say of documents of languages that they saw no label of.

    Args:
        log_odds: (n,) NaN where no rater could be trained.
        level: (n,) of each document's language, by the same rater.
    """

    log_odds: NDArray[np.float64]
    level: NDArray[np.float64]

    @property
    def own(self) -> NDArray[np.float64]:
        """(n,) log odds less the level."""
        return self.log_odds - self.level


def hold_out(data: Labelled, head: Head, seed: int) -> HeldOut:
    """Score labelled documents by raters of the same making that saw no label of their language.

    Of fewer than two languages, groups of documents are held out instead.
    """
    langs = data.langs
    names = sorted(set(langs))
    fold = np.array([names.index(lang) % FOLDS for lang in langs])
    if len(names) < 2:
        fold = np.unique(data.group, return_inverse=True)[1] % 5
    matrix = data.normalised(head.normalise)
    found, level = np.full(len(langs), np.nan), np.zeros(len(langs))
    for one in range(fold.max() + 1):
        test = fold == one
        rows = np.flatnonzero(~test & ~np.isin(data.group, data.group[test]))
        if not test.any() or data.labels[rows].all() or not data.labels[rows].any():
            continue
        rater = data.rater(matrix, rows, replace(head, seeds=1), seed)
        found[test] = rater.log_odds(matrix[test])
        levels = {name: float(np.quantile(own, LEVEL)) for name, own in _web(data, rater.log_odds).items()}
        level[test] = [Probability._of(levels, lang, 0.0) for lang in langs[test]]
    return HeldOut(found, level)


def fit(data: Labelled, held: HeldOut, trained: Any) -> Probability | None:
    """Learn the calibration of a rater; None where too little can be held out.

    Args:
        data: the labelled documents.
        held: what `hold_out` found of them.
        trained: the finished rater, a `classifier_bank.ClassifierBank`.
    """
    known = np.isfinite(held.log_odds)
    good = data.labels[known]
    if min(good.sum(), (~good).sum()) < MIN_EACH:
        return None
    slope, offset = sigmoid(held.own[known], good)

    def scored(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        langs, _, _ = reference.sample()
        return np.asarray(trained.log_odds(matrix, langs), np.float64)

    web = _web(data, scored)
    levels = {name: float(np.quantile(own, LEVEL)) for name, own in web.items()}
    return Probability(
        slope,
        offset,
        levels,
        np.quantile(held.own[known][good], _STEPS),
        {name: np.quantile(own - levels[name], _STEPS) for name, own in web.items()},
        (int(good.sum()), int((~good).sum())),
    )


def sigmoid(own: NDArray[np.float64], good: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and intercept of the logistic regression of labels on scores (Platt 1999, without his smoothing).

    The slope is at least a hundredth: a rater that knows nothing still ranks as it ranks.
    """
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e6).fit(own[:, None], good)
    return max(float(model.coef_[0, 0]), 0.01), float(model.intercept_[0])


def _web(data: Labelled, rate: Any) -> dict[str, NDArray[np.float64]]:
    """Return a rater's log odds of the reference's web excerpts: per language, script and in all.

    Of a script, and of all, as many of each language. Nothing where the rater reads more than the excerpts hold.
    """
    langs, names, matrix = reference.sample()
    if any(name not in names for name in data.usual.names) or not isinstance(
        data.usual.structure, reference.Referenced
    ):
        return {}
    own = np.asarray(rate(matrix[:, [names.index(name) for name in data.usual.names]]), np.float64)
    if len(own) != len(langs):
        raise DataError(f"{len(own)} scores of {len(langs)} web excerpts")
    held: dict[str, list[NDArray[np.float64]]] = {}
    for lang in sorted(set(langs)):
        for name in (lang, lang.rpartition("_")[2], POOLED):
            held.setdefault(name, []).append(own[langs == lang])
    # A script's level is the mean of its languages', so each one's scores are brought to that mean.
    found = {}
    for name, parts in held.items():
        middle = float(np.mean([np.quantile(one, LEVEL) for one in parts]))
        found[name] = np.concatenate([one - np.quantile(one, LEVEL) + middle for one in parts])
    return found


def as_table(held: HeldOut, data: Labelled) -> dict[str, pa.Array]:
    """Return what was held out as a column: ``held_out``, log odds less the level; null where there are none."""
    missing = ~np.isfinite(held.log_odds)
    return {"held_out": pa.array(np.where(missing, 0, held.own), pa.float64(), mask=missing)}
