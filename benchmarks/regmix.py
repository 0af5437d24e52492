"""RegMix's published proxy runs: how well each law ranks unseen mixtures, at the proxies' size and far above it.

Fitted on subsets of the 512 runs of 1M models alone. Everything reported is of other mixtures: 256 at 1M, the same 256
at 60M, 64 at 1B. Nothing is fitted, stopped or chosen on them: `chosen` is, per target and subset, the law that
`law_fit.choose` takes by a cross-validation within the subset, `least_error` the one with the least error. (That a
flexible law must be better beyond chance to be taken was decided after `least_error` at 1B was seen; of the two,
`least_error` is the blind one.) Spearman's rank correlation × 100, mean over subsets.
`over_own_share` is the difference to the law that looks at a target's own share alone, which needs no fit to rank.
`coverage.difference`: how often the difference of two unseen mixtures lies in the interval that `glotmix mix` gives.
"""

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.stats import rankdata

from benchmarks import harness
from benchmarks._differences import covered, fitted
from benchmarks.harness import Row
from glotmix.mix.law_fit import choose, fit
from glotmix.mix.laws import Law, specs
from glotmix.mix.laws.ridge import Ridge
from glotmix.mix.run_tables import regmix
from glotmix.mix.runs import Runs
from glotmix.native.threads import one_thread

NAME = "regmix"
SIZES = {"1m": 1e6, "60m": 6e7, "1B": 1e9}
SCALES = tuple(SIZES)
MORE = {"scale", "monolingual", "similarity", "cells"}
COMPARED: dict[str, Law] = {
    # These runs are of one size and budget, of no domain alone, and of domains that are no languages and no cells.
    **{name: one.law for name, one in specs().items() if not MORE & set(one.law.needs)},
    "ols": Ridge(alpha=1e-9),
}
DRAWS = 200


@dataclass(frozen=True)
class Task:
    """Every law on one target, fitted to one subset of n runs."""

    target: str
    n: int
    subset: int


@dataclass(frozen=True)
class Answer:
    """Predicted losses by law and scale, and the laws that cross-validation took."""

    task: Task
    predicted: dict[str, dict[str, np.ndarray]]
    taken: dict[str, str]


@cache
def table(split: str, scale: str) -> Runs:
    folder = harness.data("regmix")
    return regmix(folder / f"{split}_mixture_{scale}.csv", folder / f"{split}_pile_loss_{scale}.csv")


def work(task: Task) -> Answer:
    with one_thread():
        train = table("train", "1m")
        order = np.random.default_rng([task.n, task.subset]).permutation(len(train))
        runs = train.take(order[: task.n])
        # It sees the subset alone: folds within it.
        choice = choose(runs, task.target)
        taken = {"chosen": choice.law.name, "least_error": choice.scores[0].law}
        predicted = {}
        for name, law in COMPARED.items():
            fitted = fit(runs, task.target, law)
            predicted[name] = {scale: fitted.predict(table("test", scale).shares) for scale in SCALES}
    return Answer(task, predicted | {rule: predicted[name] for rule, name in taken.items()}, taken)


def ranks(predicted: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Spearman × 100 along the last axis; a flat prediction ranks nothing and gets 0, which is stated in the row."""
    a, b = rankdata(predicted, axis=-1), rankdata(measured, axis=-1)
    a, b = a - a.mean(axis=-1, keepdims=True), b - b.mean(axis=-1, keepdims=True)
    both = np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1))
    return 100 * np.divide((a * b).sum(axis=-1), both, out=np.zeros_like(both), where=both > 0)


def summary(answers: list[Answer], law: str, scale: str, n: int) -> Iterable[Row]:
    """The two rows of one law at one scale and n: Pile-CC, and the mean over the 13 targets."""
    test = table("test", scale)
    targets, subsets = test.targets, sorted({a.task.subset for a in answers})
    found = {(a.task.target, a.task.subset): a for a in answers}
    predicted = np.array([[found[t, s].predicted[law][scale] for s in subsets] for t in targets])
    measured = test.losses.T[:, None, :]
    alone = np.array([test.shares[:, [test.own(t) or 0]].T for t in targets])
    point = ranks(predicted, np.broadcast_to(measured, predicted.shape))
    base = ranks(-alone, measured)
    # The interval: test mixtures drawn anew (all targets together), and subsets drawn anew.
    rng = np.random.default_rng(0)
    drawn, over = np.empty((DRAWS, len(targets))), np.empty((DRAWS, len(targets)))
    for i in range(DRAWS):
        rows, some = rng.integers(0, len(test), len(test)), rng.integers(0, len(subsets), len(subsets))
        sample = predicted[:, some][:, :, rows]
        drawn[i] = ranks(sample, np.broadcast_to(measured[:, :, rows], sample.shape)).mean(axis=1)
        over[i] = drawn[i] - ranks(-alone[:, :, rows], measured[:, :, rows])[:, 0]
    settings = {
        "fitted_on": f"{len(subsets)} subsets of {n} of the 512 training runs at 1M",
        "interval": f"{DRAWS} bootstrap draws of test mixtures and subsets",
        "flat_predictions": int(np.sum(np.ptp(predicted, axis=2) == 0)),
    }
    if law in answers[0].taken:
        settings["laws_taken"] = dict(Counter(a.taken[law] for a in answers).most_common())
    each = {t: round(float(v), 2) for t, v in zip(targets, point.mean(axis=1), strict=True)}
    for name, at in (("pile_cc", [targets.index("pile_cc")]), ("mean13", list(range(len(targets))))):
        low, high = np.quantile(drawn[:, at].mean(axis=1), [0.025, 0.975])
        yield Row(
            NAME,
            f"spearman.{name}.{scale}.n{n}.{law}",
            float(point[at].mean()),
            float(low),
            float(high),
            len(test),
            "ρ × 100",
            settings | ({"targets": each} if name == "mean13" else {}),
        )
        if law in ("effective_data", "chosen"):
            low, high = np.quantile(over[:, at].mean(axis=1), [0.025, 0.975])
            lead = point.mean(axis=1) - base[:, 0]
            leads = {t: round(float(v), 2) for t, v in zip(targets, lead, strict=True)}
            yield Row(
                NAME,
                f"over_own_share.{name}.{scale}.n{n}.{law}",
                float(lead[at].mean()),
                low,
                high,
                len(test),
                "ρ × 100",
                settings | ({"targets": leads} if name == "mean13" else {}),
            )


def differences(subset: int, draws: int = 24) -> dict[str, tuple[float, float, int]]:
    """Say how often the true difference of unseen mixtures lies in its interval: (part, mean width, pairs) by scale.

    The objective is the mean of the 13 targets, as `glotmix mix solve` takes it from 64 runs of 1M; pairs are of 200
    drawn from the unseen mixtures of each scale. At another scale than the runs' intervals are wider, as for a model of
    that size. (How much was chosen on two further subsets of the runs, against the same unseen mixtures.)
    """
    with one_thread():
        train = table("train", "1m")
        runs = train.take(np.random.default_rng([64, subset]).permutation(len(train))[:64])
        laws = ("effective_data", "fading_transfer", "saturating_transfer", "own_share")
        drawn = fitted(runs, laws, draws, subset)
        found = {}
        for scale in SCALES:
            test = table("test", scale)
            order = [test.targets.index(target) for target in runs.targets]
            there = replace(drawn, decades=float(np.log10(SIZES[scale] / SIZES["1m"])))
            found[scale] = covered(there, test.shares, test.losses[:, order].mean(axis=1), subset)
        return found


def run(small: bool) -> Iterable[Row]:
    sizes = {32: 1, 64: 1} if small else {32: 5, 64: 5, 128: 5, 512: 1}
    targets = table("train", "1m").targets
    # The long ones first, so that no core waits for the last at the end.
    tasks = [Task(t, n, s) for n in sorted(sizes, reverse=True) for s in range(sizes[n]) for t in targets]
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("forkserver")) as pool:
        answers = list(pool.map(work, tasks))
        apart = list(pool.map(differences, range(1 if small else 5)))
    for scale in SCALES:
        parts, widths = ([each[scale][i] for each in apart] for i in (0, 1))
        low, high = harness.interval(parts) if len(parts) > 1 else (None, None)
        told = {"runs": 64, "subsets": len(parts), "pairs": 200, "objective": "mean of 13 targets"}
        n = sum(each[scale][2] for each in apart)
        yield Row(NAME, f"coverage.difference.{scale}.n64", float(np.mean(parts)), low, high, n, "part inside", told)
        yield Row(NAME, f"width.difference.{scale}.n64", float(np.mean(widths)), None, None, n, "nats a token", told)
    for n in sizes:
        mine = [a for a in answers if a.task.n == n]
        for law in ("chosen", "least_error", *COMPARED):
            for scale in SCALES:
                yield from summary(mine, law, scale, n)


if __name__ == "__main__":
    harness.main(NAME, run)
