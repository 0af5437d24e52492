"""All of it, for one model: every task's languages, pairs and means, the items that flip, and what to be warned of."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from glotmix.core import warning
from glotmix.core.errors import DataError
from glotmix.core.shown import Sheet, Shown
from glotmix.evaluate import consistency
from glotmix.evaluate.accuracy import OfLanguage, languages
from glotmix.evaluate.answers import Answers, Grid, LeftOut, Score, align, check_languages
from glotmix.evaluate.consistency import Figure, Pair, Summary, told
from glotmix.evaluate.flips import Flip, flips, order
from glotmix.evaluate.intervals import DRAWS

_SAME = 1e-6
"""How near two means are the same: they are summed in different orders."""
UNREAD = 0.05
"""The share of answers without a readable option that is warned of."""


@dataclass(frozen=True)
class TaskScores:
    """One task: N aligned items in L languages. `all` and `pivot` are means over pairs."""

    task: str
    items: int
    languages: tuple[OfLanguage, ...]
    pairs: tuple[Pair, ...]
    all: Summary
    pivot: Summary | None
    left_out: tuple[LeftOut, ...]
    flipped: int
    flips: tuple[Flip, ...]


@dataclass(frozen=True, repr=False)
class Scores(Shown):
    """One model. `mean` is the mean over tasks of the figures of all pairs, `mean_pivot` of those with the pivot."""

    model: str
    score: Score
    pivot: str | None
    draws: int
    seed: int
    tasks: tuple[TaskScores, ...]
    accuracy: Figure
    mean: Summary
    mean_pivot: Summary | None
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, ready for JSON: missing is None."""
        return asdict(self)

    def sheet(self) -> Sheet:
        """See `Shown`."""
        rows = [
            (task.task, one.lang, task.items, told(one.accuracy), told(one.above_empirical, "+"), told(one.gap, "+"))
            for task in self.tasks
            for one in task.languages
        ]
        means = [f"{task.task}: MLC {told(task.all.mlc)}, kappa {told(task.all.kappa)}" for task in self.tasks]
        columns = ("task", "language", "items", "accuracy", "vs chance", "gap to pivot")
        return Sheet(self.model, columns, rows, [*means, *(warning.line(text) for text in self.warnings)])


def score(
    answers: Answers,
    pivot: str | None = None,
    by: Score = "raw",
    langs: Sequence[str] | None = None,
    listed: int = 20,
    draws: int = DRAWS,
    seed: int = 0,
) -> Scores:
    """Score a model's answers.

    Args:
        answers: as read by `reading.read`.
        pivot: a language to compare each other one with.
        by: how a choice is made from log-likelihoods: as they are, by character, or by byte.
        langs: canonical codes of the languages to look at; None for all of each task.
        listed: how many flipped items to list for each task.
        draws: of the bootstrap over items.
        seed: of the draws.

    Raises:
        DataError: if an item comes twice or none is in all languages.
        RequestError: if the pivot or a language is not in the log.
    """
    tasks, means, with_pivot = [], [], []
    warnings = list(answers.notes)
    grids = align(answers, by, langs)
    pivot = check_languages(sorted({lang for grid in grids for lang in grid.langs}), pivot)
    for grid in grids:
        at = pivot if pivot in grid.langs else None
        if pivot is not None and at is None:
            warnings.append(f"{grid.task}: the pivot {pivot} is not among its languages")
        if len(grid.langs) < 2:
            warnings.append(f"{grid.task}: {grid.langs[0]} is its only language: there is no consistency to measure")
            continue
        measured = consistency.measure(grid, draws, seed)
        every, some = consistency.series(measured), consistency.series(measured, at) if at else None
        means.append(every)
        if some is not None:
            with_pivot.append(some)
        found = flips(grid, answers, listed, at)
        task = TaskScores(
            grid.task,
            len(grid.items),
            tuple(languages(measured, answers, at)),
            tuple(consistency.pairs(measured)),
            consistency.summary(every, consistency.count(measured), len(grid.items)),
            consistency.summary(some, consistency.count(measured, at), len(grid.items)) if some else None,
            grid.left_out,
            len(order(grid)),
            tuple(found),
        )
        tasks.append(task)
        warnings += _warnings(task) + _differs(grid, task, answers, by)
    warnings += [f"{task}: not scored: {why}" for task, why in sorted(answers.unscored.items())]
    if not tasks:
        raise DataError("no task has two languages or more", "--language TASK=CODE where names do not tell them")
    mean = consistency.over(means)
    accuracy = consistency.of(mean, "accuracy")
    pairs = sum(t.all.pairs for t in tasks)
    fewest = min(t.items for t in tasks)
    return Scores(
        answers.model,
        by,
        pivot,
        draws,
        seed,
        tuple(tasks),
        accuracy,
        consistency.summary(mean, pairs, fewest),
        consistency.summary(consistency.over(with_pivot), sum(t.pivot.pairs for t in tasks if t.pivot), fewest)
        if with_pivot
        else None,
        tuple(warnings),
    )


def _differs(grid: Grid, task: TaskScores, answers: Answers, by: Score) -> list[str]:
    """Say where the accuracy that is shown is another number than what the choices or the whole log say."""
    told: list[str] = []
    worth = grid.worth
    if worth is None:
        return told
    # Open answers are right or wrong by the log alone: that their texts are equal is no judgement of ours.
    if grid.own is not None and grid.chance is not None:
        pairs = [
            f"{lang} {said:.3f} by {answers.metrics.get((grid.task, lang), 'the log')}, {own:.3f} by its choices"
            for lang, said, own in zip(grid.langs, worth.mean(axis=0), grid.own.mean(axis=0), strict=True)
            if abs(said - own) > _SAME
        ]
        if pairs:
            told.append(
                f"{grid.task}: the log's own judgement is shown, and is not that of the choices: {'; '.join(pairs)}"
            )
    if by == "raw" or grid.chance is None:
        whole = [
            f"{o.lang} {o.logged:.3f}"
            for o in task.languages
            if o.logged is not None and o.accuracy is not None and o.accuracy.value is not None
            and abs(o.logged - o.accuracy.value) > _SAME
        ]  # fmt: skip
        if whole:
            told.append(
                f"{grid.task}: accuracy is of the {task.items:,} items of all languages; the log's mean over all items "
                f"of a language is another: {'; '.join(whole)}"
            )
    return told


def _warnings(task: TaskScores) -> list[str]:
    told = []
    degenerate = [o for o in task.languages if o.degenerate]
    if degenerate and task.all.mlc.value is not None:
        worst = max(degenerate, key=lambda o: o.majority_share)
        k = "undefined" if task.all.kappa.value is None else f"{task.all.kappa.value:.2f}"
        told.append(
            f"{task.task}: one answer to nearly everything in {', '.join(o.lang for o in degenerate)} "
            f"({worst.majority!r} to {worst.majority_share:.0%} of the items in {worst.lang}): of the mean MLC of "
            f"{task.all.mlc.value:.2f}, {task.all.chance.value:.2f} is chance; kappa is {k}"
        )
    if not task.pairs:
        told.append(f"{task.task}: one choice in every item: accuracy, and no consistency to measure")
    unread = [o for o in task.languages if o.unread > UNREAD]
    if unread:
        told.append(
            f"{task.task}: many answers could not be read in " + ", ".join(f"{o.lang} ({o.unread:.0%})" for o in unread)
        )
    for out in task.left_out:
        named = ", ".join(out.named) + ("…" if out.items > len(out.named) else "")
        told.append(f"{task.task}: {out.items} items left out of every language, {out.reason}: {named}")
    return told
