"""Two models on the same items: a paired bootstrap, with the same weights for both in every draw."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from glotmix.core import warning
from glotmix.core.shown import Sheet, Shown
from glotmix.evaluate import consistency, runs
from glotmix.evaluate.answers import Answers, LeftOut, Score, align_all
from glotmix.evaluate.consistency import Figure, Series, told
from glotmix.evaluate.intervals import DRAWS, Array


@dataclass(frozen=True)
class Difference:
    """Second less first. `p` is the two-sided share of draws on the other side of 0, at least 1 / draws."""

    first: float | None
    second: float | None
    difference: Figure
    p: float | None


@dataclass(frozen=True)
class TaskComparison:
    """One task on the items that both models have in all languages: differences by language and of the means."""

    task: str
    items: int
    accuracy: Mapping[str, Difference]
    all: Mapping[str, Difference]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """Two models. `mean` holds accuracy, mlc, kappa and rel, as means over tasks."""

    first: str
    second: str
    tasks: tuple[TaskComparison, ...]
    mean: Mapping[str, Difference]
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, ready for JSON: missing is None."""
        return asdict(self)

    def sheet(self) -> Sheet:
        """See `Shown`."""
        parts = [(task.task, lang, one) for task in self.tasks for lang, one in task.accuracy.items()]
        parts += [(task.task, name, one) for task in self.tasks for name, one in task.all.items()]
        parts += [("all tasks", name, one) for name, one in self.mean.items()]
        rows = [(task, of, one.first, one.second, told(one.difference, "+"), one.p) for task, of, one in parts]
        columns = ("task", "of", "first", "second", "second - first", "p")
        notes = [warning.line(text) for text in self.warnings]
        return Sheet(f"first: {self.first}; second: {self.second}", columns, rows, notes)


def compare(
    first: Answers,
    second: Answers,
    by: Score = "raw",
    langs: Sequence[str] | None = None,
    pivot: str | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Comparison:
    """Compare two models' answers.

    Args:
        first: the one that is subtracted.
        second: the other.
        by: how a choice is made from log-likelihoods.
        langs: canonical codes of the languages to look at; None for those that both have.
        pivot: with one, the means are over its pairs alone.
        draws: of the bootstrap over items.
        seed: of the draws.

    Raises:
        DataError: if they share no task or no item.
    """
    tasks, before, after = [], [], []
    for one, two in align_all([first, second], by, langs):
        measured = [consistency.measure(grid, draws, seed) for grid in (one, two)]
        series = [consistency.series(m, pivot) for m in measured]
        before.append(series[0])
        after.append(series[1])
        accuracy = {}
        if one.worth is not None and two.worth is not None:
            right = [(m.point.right, m.draws.right) for m in measured]
            accuracy = {
                lang: _difference(right[0][0][i], right[1][0][i], right[1][1][:, i] - right[0][1][:, i])
                for i, lang in enumerate(one.langs)
            }
        tasks.append(TaskComparison(one.task, len(one.items), accuracy, _differences(*series), one.left_out))
    return Comparison(
        first.model,
        second.model,
        tuple(tasks),
        _differences(consistency.over(before), consistency.over(after)),
        tuple(_warnings(first, second, [task.task for task in tasks])),
    )


def _warnings(first: Answers, second: Answers, tasks: Sequence[str]) -> list[str]:
    """Say what the reader of the differences must know: of each log, and where the two are not alike."""
    told = [f"{model.model}: {note}" for model in (first, second) for note in model.notes]
    told += runs.between((first.model, second.model), first.conditions, second.conditions)
    for which in sorted(first.metrics.keys() & second.metrics.keys()):
        if first.metrics[which] != second.metrics[which]:
            one, two = first.metrics[which], second.metrics[which]
            told.append(f"{' in '.join(which)}: {first.model} is judged by {one}, {second.model} by {two}")
    every = {t for m in (first, second) for t in m.table["task"].unique().to_pylist()}
    if missing := sorted(every - set(tasks)):
        told.append(f"not compared, since it is not in both or cannot be scored: {', '.join(missing)}")
    return told


def _differences(one: Series, two: Series) -> dict[str, Difference]:
    return {
        name: _difference(one.values[name], two.values[name], two.draws[name] - one.draws[name])
        for name in ("accuracy", "mlc", "kappa", "rel")
    }


def _difference(one: float, two: float, draws: Array) -> Difference:
    shown = consistency.figures(np.array([two - one]), draws[:, None])[0]
    if shown.value is None:
        p = None
    else:
        sides = [float(np.mean(draws <= 0)), float(np.mean(draws >= 0))]
        p = max(1 / len(draws), min(1.0, 2 * min(sides)))
    return Difference(consistency.figure(one).value, consistency.figure(two).value, shown, p)
