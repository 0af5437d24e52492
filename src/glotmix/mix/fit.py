"""Fit laws to runs, and choose among them by what they say of mixtures that they have not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.model_selection import GroupKFold

from glotmix.errors import DataError, RequestError
from glotmix.mix.accounting import Array
from glotmix.mix.laws import Fitted, Law, law
from glotmix.mix.runs import Runs

DEFAULT_LAWS = ("effective_data", "fading_transfer", "own_share", "log_linear", "gp", "lightgbm", "ridge")
LEAST = 8
"""Fewer distinct mixtures than this cannot be split into runs to fit and runs to judge."""


@dataclass(frozen=True)
class Score:
    """What a law is worth on mixtures that it was not fitted to.

    Args:
        law: the law's name.
        error: mean absolute error of the loss on held-out runs.
        error_of_mean: the same of predicting the mean loss of the runs fitted to.
        rank: Spearman's correlation of predicted and measured loss over held-out runs; None where a prediction is flat.
        n: held-out runs, each predicted once.
        beats_mean: whether it is better than the mean beyond chance (one-sided, 5 %, runs of one mixture as one).
    """

    law: str
    error: float
    error_of_mean: float
    rank: float | None
    n: int
    beats_mean: bool


@dataclass(frozen=True, eq=False)
class Choice:
    """The law chosen for one target, fitted to all runs.

    `scores` are of all laws that competed, by rising error. `warning` is a sentence where the law does not beat the
    mean: then the runs say nothing of this target.
    """

    target: str
    law: Law
    fitted: Fitted
    scores: tuple[Score, ...]
    warning: str | None


def fit(runs: Runs, target: str, by: Law, seed: int = 0, near: Fitted | None = None) -> Fitted:
    """Fit one law to the loss on one target over all runs."""
    return by.fit(runs.shares, runs.loss(target), runs.own(target), seed, near)


def held_out(runs: Runs, target: str, by: Law, folds: int = 5, seed: int = 0) -> tuple[Array, Array]:
    """Predict every run from runs with other mixtures.

    Runs that share a mixture (other seeds of it) are held out together, so that none is predicted from its twin.

    Returns:
        the law's predictions and those of the mean, shape (n,) each.

    Raises:
        DataError: for fewer than `LEAST` distinct mixtures.
    """
    groups = runs.groups()
    distinct = len(np.unique(groups))
    if distinct < LEAST:
        raise DataError(
            f"{distinct} distinct mixtures are too few to judge a law on unseen ones: at least {LEAST} are needed, and "
            f"some {3 * (len(runs.domains) + 1)} (three per language) to fit one well",
            "add runs, or choose mix.method=unimax, which needs none",
        )
    predicted, mean = np.empty(len(runs)), np.empty(len(runs))
    losses = runs.loss(target)
    split = GroupKFold(min(folds, distinct), shuffle=True, random_state=seed)
    for train, test in split.split(runs.shares, groups=groups):
        predicted[test] = fit(runs.take(train), target, by, seed).predict(runs.shares[test])
        mean[test] = losses[train].mean()
    return predicted, mean


def score(runs: Runs, target: str, by: Law, folds: int = 5, seed: int = 0) -> Score:
    """Judge one law on one target by cross-validation over mixtures."""
    return _judge(runs, target, by, folds, seed)[0]


def choose(runs: Runs, target: str, laws: Sequence[str] = DEFAULT_LAWS, folds: int = 5, seed: int = 0) -> Choice:
    """Choose a law for one target by its held-out error, and fit it to all runs.

    The least error wins, with one exception: a law without structure (trees, a process, a line) must beat the best
    structured one beyond chance. Within the design of the runs a flexible law can be as good by luck; the optimum lies
    outside, where only structure holds.

    Raises:
        RequestError: if no law of `laws` fits this target.
        DataError: if there are too few runs.
    """
    competing = [known for known in map(law, laws) if runs.own(target) is not None or not known.needs_own]
    if not competing:
        raise RequestError(
            f"{target} is no language of the runs, and {', '.join(laws)} can only predict those",
            "mix.laws=[effective_data]",
        )
    judged = {by.name: _judge(runs, target, by, folds, seed) for by in competing}
    scores = sorted((found for found, _ in judged.values()), key=lambda s: s.error)
    best = prefer(scores, {name: errors for name, (_, errors) in judged.items()}, runs.groups())
    warning = None
    if not best.beats_mean:
        warning = (
            f"{target}: no law predicts unseen mixtures better than the mean loss does (best: {best.law}, error "
            f"{best.error:.4g} against {best.error_of_mean:.4g}); these {len(runs)} runs say nothing of it"
        )
    by = law(best.law)
    return Choice(target, by, fit(runs, target, by, seed), tuple(scores), warning)


def prefer(scores: Sequence[Score], errors: Mapping[str, Array], groups: NDArray[np.int64]) -> Score:
    """Return the score of the law to take: see `choose`.

    Args:
        scores: by rising error.
        errors: absolute held-out error of every run, by law, shape (n,).
        groups: number of each run's mixture, shape (n,).
    """
    best = scores[0]
    structured = next((s for s in scores if law(s.law).structured), None)
    if structured is None or not _beyond_chance(errors[structured.law] - errors[best.law], groups):
        return structured or best
    return best


def _judge(runs: Runs, target: str, by: Law, folds: int, seed: int) -> tuple[Score, Array]:
    """Return a law's score and its absolute error on every run."""
    losses = runs.loss(target)
    predicted, mean = held_out(runs, target, by, folds, seed)
    errors, others = np.abs(losses - predicted), np.abs(losses - mean)
    flat = np.ptp(predicted) == 0 or np.ptp(losses) == 0
    found = Score(
        law=by.name,
        error=float(errors.mean()),
        error_of_mean=float(others.mean()),
        rank=None if flat else float(spearmanr(predicted, losses).statistic),
        n=len(runs),
        beats_mean=_beyond_chance(others - errors, runs.groups()),
    )
    return found, errors


def _beyond_chance(gain: Array, groups: NDArray[np.int64]) -> bool:
    """Whether a paired gain is above zero: one-sided, 5 %, runs of one mixture counting as one."""
    each = np.array([gain[groups == g].mean() for g in np.unique(groups)])
    return bool(each.mean() > 1.645 * each.std(ddof=1) / np.sqrt(len(each)))
