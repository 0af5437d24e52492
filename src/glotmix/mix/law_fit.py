"""Fit laws to runs, and choose among them by what they say of mixtures that they have not seen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from glotmix.core import flight
from glotmix.core.errors import DataError, RequestError
from glotmix.mix.accounting import Array
from glotmix.mix.laws import Context, Fitted, Law, Sample, Scaled, competing, law, spec
from glotmix.mix.laws.climb import LEAST_BUDGETS, MonolingualLaw, fit_monolingual
from glotmix.mix.runs import Runs, similarity

MANY = 40
"""Languages beyond which laws that only rank take no part unless they are fitted by name."""
LEAST = 8
"""Fewer distinct mixtures than this cannot be split into runs to fit and runs to judge."""


@dataclass(frozen=True)
class Score:
    """What a law is worth on mixtures that it was not fitted to.

    Args:
        law: the law's name.
        error: mean absolute error of the loss on held-out runs.
        rms: root of their mean squared error.
        error_of_mean: the same of predicting the mean loss of the runs fitted to.
        rank: Spearman's correlation of predicted and measured loss over held-out runs; None where a prediction is flat.
        n: held-out runs, each predicted once.
        beats_mean: whether it is better than the mean beyond chance (one-sided, 5 %, runs of one mixture as one).
    """

    law: str
    error: float
    rms: float
    error_of_mean: float
    rank: float | None
    n: int
    beats_mean: bool


@dataclass(frozen=True, eq=False)
class Choice:
    """The law chosen for one target, fitted to all runs.

    `scores` are of all laws that competed, by rising error. `warning` is a sentence where the law does not beat the
    mean: then the runs say nothing of this target. `transfer_law` and `transfer_fit` are the best law of the form
    `E + B r̃^−β` (the chosen one, if it has that form; effective data if none competed), which says what transfer there
    is.

    `law` predicts; it need not choose. `weights` are of the laws that choose a mixture: see `law_weights`.
    `members` are these fitted to all runs, and `residuals` how far their average was from each held-out run of
    `judged_on`, shape (n,).
    """

    target: str
    law: Law
    fitted: Fitted
    scores: tuple[Score, ...]
    warning: str | None
    transfer_law: Law
    transfer_fit: Fitted
    weights: Mapping[str, float]
    members: Mapping[str, Fitted]
    residuals: Array


_FAINT = 0.02
"""Weight below which a law is not worth the fitting."""


def law_weights(scores: Sequence[Score]) -> dict[str, float]:
    """Return the laws that choose a mixture, those with diminishing returns in the own share, with their weights.

    The weight falls with the fourth power of the held-out error: near the optimum laws of almost the same error differ
    by as much as there is to gain, so that their average is nearer than the best of them.

    Empty if none of them competed.

    >>> at = lambda law, rms: Score(law, rms, rms, 1.0, 0.9, 30, True)
    >>> found = law_weights([at("gp", 0.01), at("effective_data", 0.02), at("own_share", 0.04)])
    >>> {law: round(weight, 3) for law, weight in found.items()}
    {'effective_data': 0.941, 'own_share': 0.059}
    """
    able = [s for s in scores if spec(s.law).chooses]
    if not able:
        return {}
    least = min(s.rms for s in able)
    weights = {s.law: (max(least, 1e-12) / max(s.rms, 1e-12)) ** 4 for s in able}
    total = sum(weights.values())
    kept = {name: weight for name, weight in weights.items() if weight >= _FAINT * total}
    total = sum(kept.values())
    return {name: weight / total for name, weight in kept.items()}


def fit(runs: Runs, target: str, by: Law, seed: int = 0, near: Fitted | None = None) -> Fitted:
    """Fit one law to the loss on one target.

    A law of the mixture alone is fitted to the runs of the main size and budget (`Runs.main`), repeats discounted; full
    ATLAS to all runs; Climb's to all budgets of the main size. The latter two come back as laws of the main scale.
    """
    own = runs.own(target)
    if not ("scale" in by.needs or "monolingual" in by.needs):
        main = runs.take(runs.main())
        known = main.context(target) if {"similarity", "cells"} & set(by.needs) else Context()
        return by.fit(Sample(main.worth(), main.loss(target), own, seed, near, known))
    fitted_to = runs if "scale" in by.needs else of_main_size(runs)
    found = by.fit(Sample(fitted_to.shares, fitted_to.loss(target), own, seed, near, fitted_to.context(target)))
    assert isinstance(found, Scaled)
    return found.at(runs.take(runs.main()[:1]).context(target))


def predict(fitted: Fitted, runs: Runs, target: str) -> Array:
    """Predict the loss on a target of runs whose size, budget and repeats are known, shape (n,)."""
    if isinstance(fitted, Scaled):
        return fitted.at(runs.context(target)).predict(runs.shares)
    return fitted.predict(runs.worth())


def isolated(runs: Runs, target: str) -> tuple[MonolingualLaw, Array] | None:
    """Return a language's law from runs of it alone, and by its inversion the measured ratio r̃ of every run.

    Climb (arXiv 2509.15556): the share that a run without the other languages would need for the same loss. The runs
    are those of the main size. NaN where the loss is below all that the language alone could reach; an error of the
    loss is amplified by 1/β. None where there are too few budgets.
    """
    if missing(runs, target, law("climb_linear")) is not None:
        return None
    own = runs.own(target)
    here = of_main_size(runs)
    assert own is not None and here.tokens is not None
    only = here.shares[:, own] > 1 - 1e-9
    found = fit_monolingual(here.tokens[only] * here.worth()[only, own], here.loss(target)[only])
    return found, found.ratio(here.loss(target), here.tokens)


def missing(runs: Runs, target: str, by: Law) -> str | None:
    """Say what a law needs that these runs do not have, or None.

    >>> from glotmix.mix.laws import law
    >>> two = Runs(("a", "b"), ("eng_Latn", "tha_Thai"), ("mmlu",), np.eye(2), np.ones((2, 1)))
    >>> missing(two, "mmlu", law("own_share")), missing(two, "mmlu", law("ridge"))
    ('mmlu is no language of the runs', None)
    """
    own = runs.own(target)
    if "own" in by.needs and own is None:
        return f"{target} is no language of the runs"
    if "scale" in by.needs and (runs.tokens is None or not runs.context().varies()):
        return "all runs are of one size and budget, and none repeats"
    if "monolingual" in by.needs and own is not None:
        here = of_main_size(runs)
        only = here.shares[:, own] > 1 - 1e-9
        budgets = 0 if here.tokens is None else len(np.unique(here.tokens[only]))
        if budgets < LEAST_BUDGETS:
            return f"there are runs of {target} alone at {budgets} budgets, and {LEAST_BUDGETS} are needed"
    if (not by.structured or "scale" in by.needs) and len(runs.domains) > MANY:
        return f"of more than {MANY} languages it would take most of the time"
    if "cells" in by.needs and runs.context(target).cells is None:
        return "its domains are no cells of languages (eng_Latn/web), of the target's among others"
    if "similarity" in by.needs and own is not None and similarity(runs.domains, own) is None:
        return "its domains are no languages, so that nothing says how near they are"
    return None


def of_main_size(runs: Runs) -> Runs:
    """Return the runs of the main scale's model size, at any budget."""
    if runs.parameters is None:
        return runs
    return runs.take(np.flatnonzero(runs.parameters == runs.parameters[runs.main()[0]]))


def held_out(runs: Runs, target: str, by: Law, folds: int = 5, seed: int = 0) -> tuple[Array, Array]:
    """Predict every run of the main scale (`Runs.main`) from runs with other mixtures.

    Runs that share a mixture (other seeds, sizes or budgets of it) are held out together, so that none is predicted
    from its twin. Runs of one language alone are never held out: they say what a budget does, not what a mixture does.

    Returns:
        the law's predictions and those of the mean, shape (n,) each, n runs of the main scale that are mixtures.

    Raises:
        DataError: for fewer than `LEAST` distinct mixtures.
    """

    from sklearn.model_selection import GroupKFold

    groups, judged = runs.groups(), judged_on(runs)
    distinct = len(np.unique(groups[judged]))
    if distinct < LEAST:
        raise DataError(
            f"{distinct} distinct mixtures are too few to judge a law on unseen ones: at least {LEAST} are needed, and "
            f"some {3 * (len(runs.domains) + 1)} (three per language) to fit one well",
            "add runs, or choose mix.method=unimax, which needs none",
        )
    predicted, mean = np.empty(len(runs)), np.empty(len(runs))
    losses = runs.loss(target)
    split = GroupKFold(min(folds, distinct), shuffle=True, random_state=seed)
    for train, test in split.split(judged, groups=groups[judged]):
        out = judged[test]
        others = np.flatnonzero(~np.isin(groups, groups[out]))
        predicted[out] = predict(fit(runs.take(others), target, by, seed), runs.take(out), target)
        mean[out] = losses[judged[train]].mean()
    return predicted[judged], mean[judged]


def judged_on(runs: Runs) -> NDArray[np.int64]:
    """Return the rows that laws are judged on: mixtures of the main scale."""
    main = runs.main()
    mixed = main[runs.shares[main].max(axis=1) < 1 - 1e-9] if runs.tokens is not None else main
    return mixed if len(mixed) else main


def score(runs: Runs, target: str, by: Law, folds: int = 5, seed: int = 0) -> Score:
    """Judge one law on one target by cross-validation over mixtures."""
    return _judge(runs, target, by, folds, seed)[0]


def choose_each(runs: Runs, laws: Sequence[str] | None = None, folds: int = 5, seed: int = 0) -> Iterator[Choice]:
    """Choose a law for every target, on all cores where there is enough to do: see `choose`."""
    return flight.apart(partial(choose, runs, laws=laws, folds=folds, seed=seed), runs.targets)


def choose(runs: Runs, target: str, laws: Sequence[str] | None = None, folds: int = 5, seed: int = 0) -> Choice:
    """Choose a law for one target by its held-out error, and fit it to all runs.

    The least error wins, with one exception: a law without structure (trees, a process, a line) must beat the best
    structured one beyond chance. Within the design of the runs a flexible law can be as good by luck; the optimum lies
    outside, where only structure holds.

    Raises:
        RequestError: if no law of `laws` fits this target.
        DataError: if there are too few runs.
    """
    lacking = {name: missing(runs, target, law(name)) for name in laws or competing()}
    able = [law(name) for name, why in lacking.items() if why is None]
    if not able:
        raise RequestError(
            f"none of the laws asked for can be fitted to {target}: "
            + "; ".join(f"{name}: {why}" for name, why in lacking.items()),
            "mix.laws=[effective_data]",
        )
    judged = {by.name: _judge(runs, target, by, folds, seed) for by in able}
    scores = sorted((found for found, _ in judged.values()), key=lambda s: s.error)
    absolute = {name: np.abs(errors) for name, (_, errors) in judged.items()}
    best = prefer(scores, absolute, runs.groups()[judged_on(runs)])
    warning = None
    if not best.beats_mean:
        warning = (
            f"{target}: no law predicts unseen mixtures better than the mean loss does (best: {best.law}, error "
            f"{best.error:.4g} against {best.error_of_mean:.4g}); these {best.n} runs say nothing of it"
        )
    transfer_law = next((s.law for s in (best, *scores) if spec(s.law).power), "effective_data")
    weights = law_weights(scores)
    residuals = sum((weight * judged[name][1] for name, weight in weights.items()), np.zeros(scores[0].n))
    return choice(runs, target, best.law, transfer_law, scores, warning, residuals, seed)


def choice(
    runs: Runs,
    target: str,
    taken: str,
    transfer_law: str,
    scores: Sequence[Score],
    warning: str | None,
    residuals: Array,
    seed: int = 0,
) -> Choice:
    """Fit the laws of a choice that was made: see `Choice`."""
    weights = law_weights(scores)
    found = {name: fit(runs, target, law(name), seed) for name in {taken: 1, transfer_law: 1, **weights}}
    return Choice(
        target, law(taken), found[taken], tuple(scores), warning, law(transfer_law), found[transfer_law], weights,
        {name: found[name] for name in weights}, residuals,
    )  # fmt: skip


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
    """Return a law's score and its error on every run, prediction less loss."""

    from scipy.stats import spearmanr

    rows = judged_on(runs)
    losses = runs.loss(target)[rows]
    predicted, mean = held_out(runs, target, by, folds, seed)
    errors, others = np.abs(losses - predicted), np.abs(losses - mean)
    flat = np.ptp(predicted) == 0 or np.ptp(losses) == 0
    found = Score(
        law=by.name,
        error=float(errors.mean()),
        rms=float(np.sqrt(((predicted - losses) ** 2).mean())),
        error_of_mean=float(others.mean()),
        rank=None if flat else float(spearmanr(predicted, losses).statistic),
        n=len(rows),
        beats_mean=_beyond_chance(others - errors, runs.groups()[rows]),
    )
    return found, predicted - losses


def _beyond_chance(gain: Array, groups: NDArray[np.int64]) -> bool:
    """Whether a paired gain is above zero: one-sided, 5 %, runs of one mixture counting as one."""
    each = np.array([gain[groups == g].mean() for g in np.unique(groups)])
    return bool(each.mean() > 1.645 * each.std(ddof=1) / np.sqrt(len(each)))
