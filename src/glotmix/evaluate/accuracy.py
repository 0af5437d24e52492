"""Accuracy of each language, with what it is worth: nulls, the gap to the pivot, one-sided answers, fair normalisation.

**Two nulls.** The random one guesses among the options. The empirical one is the model's own answers, shuffled over the
items: ``sum_k P(k) G(k)`` with G the shares of the right answers; a model that always answers the commonest class beats
the random null and not this one.

**One-sided answers.** With s the share of the commonest answer and g that of the commonest right answer, ``(s - g) /
(1 - g)`` is 0 for a model that is always right and 1 for one that always says the same. Above `ONE_SIDED` (our default)
the language is degenerate: its agreement with others says little, whatever its MLC.

**Normalisation.** lm-eval's ``acc_norm`` divides log-likelihoods by characters, which a script with two or three bytes
to a character gains or loses by (lm-eval #3278). Here accuracy by bytes stands beside it, from the same likelihoods.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glotmix.evaluate.answers import MISSING, Answers
from glotmix.evaluate.consistency import Figure, Measured, figure, figures, shares
from glotmix.evaluate.intervals import wilson

ONE_SIDED = 0.5


@dataclass(frozen=True)
class OfLanguage:
    """One language of one task; None where nothing says which answers are right, or where a figure has no meaning.

    Args:
        lang: canonical code.
        n: items.
        accuracy: share of right answers, by the score that was asked for: as the log says it, where it says it.
        above_random: accuracy less that of guessing.
        above_empirical: accuracy less that of the same answers shuffled.
        gap: the pivot's accuracy less this one's.
        majority: the commonest answer (a position, or a text), and `majority_share` of the items that have it.
        one_sided: see the module.
        degenerate: whether `one_sided` is above `ONE_SIDED`.
        unread: share of the answers that no option could be read in.
        raw, chars, bytes: accuracy by each way to choose; None where the log has not what it needs.
        logged, logged_norm: the mean accuracy that the log itself says, over all of the language's items in it.
    """

    lang: str
    n: int
    accuracy: Figure | None
    above_random: Figure | None
    above_empirical: Figure | None
    gap: Figure | None
    majority: int | str | None
    majority_share: float
    one_sided: float | None
    degenerate: bool
    unread: float
    raw: Figure | None
    chars: Figure | None
    bytes: Figure | None
    logged: float | None
    logged_norm: float | None


def languages(measured: Measured, answers: Answers, pivot: str | None = None) -> list[OfLanguage]:
    """Return each language of a task, on the aligned items; what the log says is of all its items."""
    grid, point, draws = measured.grid, measured.point, measured.draws
    n = len(grid.items)
    right = grid.correct.sum(axis=0)
    nothing: list[Figure | None] = [None] * len(grid.langs)
    accuracy, random, empirical, gaps = nothing, nothing, nothing, nothing
    if grid.judged:
        accuracy = [*shares(right, n)]
    elif grid.credit is not None:
        accuracy = [*figures(point.right, draws.right)]
    if grid.worth is not None:
        if grid.judged and grid.chance is not None and not grid.single:
            ends = wilson(right, n)
            random = [
                figure(right[i] / n - grid.chance, ends[0][i] - grid.chance, ends[1][i] - grid.chance)
                for i in range(len(grid.langs))
            ]
        # Shuffled are the choices: the null of accuracy only where the choices say what is right.
        if grid.judged and (grid.gold != MISSING).all() and (grid.own is None or (grid.own == grid.correct).all()):
            empirical = [*figures(point.right - point.null(), draws.right - draws.null())]
        if pivot is not None:
            at = grid.langs.index(pivot)
            gaps = [*figures(point.right[at] - point.right, draws.right[:, at : at + 1] - draws.right)]
            gaps[at] = None
    most = _largest(grid.gold)
    rows = answers.table.filter(pc.equal(answers.table["task"], grid.task))
    ways = {score: _right(measured, rows, score) for score in ("raw", "chars", "bytes")}
    logged = {name: _logged(measured, rows, name) for name in ("logged", "logged_norm")}
    told = []
    for i, lang in enumerate(grid.langs):
        code, share = _commonest(grid.choice[:, i])
        one_sided = None if most is None or most == 1 else (share - most) / (1 - most)
        told.append(
            OfLanguage(
                lang=lang,
                n=n,
                accuracy=accuracy[i],
                above_random=random[i],
                above_empirical=empirical[i],
                gap=gaps[i],
                majority=_name(measured, rows, i, code),
                majority_share=share,
                one_sided=one_sided,
                degenerate=one_sided is not None and one_sided > ONE_SIDED,
                unread=float(np.mean(grid.choice[:, i] == MISSING)),
                raw=ways["raw"][i],
                chars=ways["chars"][i],
                bytes=ways["bytes"][i],
                logged=logged["logged"][lang],
                logged_norm=logged["logged_norm"][lang],
            )
        )
    return told


def _commonest(codes: np.ndarray[tuple[int], np.dtype[np.int32]]) -> tuple[int | None, float]:
    read = codes[codes != MISSING]
    if not len(read):
        return None, 0.0
    counts = np.bincount(read)
    return int(counts.argmax()), float(counts.max() / len(codes))


def _largest(gold: np.ndarray[tuple[int], np.dtype[np.int32]]) -> float | None:
    return None if (gold == MISSING).any() else _commonest(gold)[1]


def _name(measured: Measured, rows: pa.Table, lang: int, code: int | None) -> int | str | None:
    """Return the commonest answer as a reader knows it."""
    grid = measured.grid
    if code is None or grid.chance is not None:
        return code
    at = int(np.argmax(grid.choice[:, lang] == code))
    return str(rows["answer"][int(grid.rows[at, lang])].as_py())


def _right(measured: Measured, rows: pa.Table, score: str) -> list[Figure | None]:
    grid = measured.grid
    none: list[Figure | None] = [None] * len(grid.langs)
    column = rows[score]
    if grid.chance is None or (grid.gold == MISSING).any() or column.null_count == len(column):
        return none
    chosen = pc.fill_null(column, MISSING).to_numpy()[grid.rows]
    return [*shares((chosen == grid.gold[:, None]).sum(axis=0), len(grid.items))]


def _logged(measured: Measured, rows: pa.Table, name: str) -> dict[str, float | None]:
    told: dict[str, float | None] = {}
    for lang in measured.grid.langs:
        values = rows[name].filter(pc.equal(rows["lang"], lang))
        # Summed as lm-eval does it, so that its own figure comes out to the last digit.
        told[lang] = sum(values.to_pylist()) / len(values) if len(values) and not values.null_count else None
    return told
