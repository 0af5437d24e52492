"""Answers: the one table that every reader makes, one row for each task, language and item.

Items are aligned by their ids, never by their order. What cannot be aligned is left out in every language at once, as
in MuBench (arXiv 2506.19468: an item dropped in one language is dropped in all), counted, and named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glotmix.core.errors import DataError, RequestError, did_you_mean
from glotmix.core.language import parse

Score: TypeAlias = Literal["raw", "chars", "bytes"]

SCHEMA = pa.schema(
    [
        pa.field("task", pa.string(), nullable=False),
        pa.field("lang", pa.string(), nullable=False),
        pa.field("item", pa.string(), nullable=False),
        pa.field("options", pa.int32()),
        pa.field("gold", pa.int32()),
        pa.field("raw", pa.int32()),
        pa.field("chars", pa.int32()),
        pa.field("bytes", pa.int32()),
        pa.field("answer", pa.string()),
        pa.field("gold_answer", pa.string()),
        pa.field("response", pa.string()),
        pa.field("correct", pa.bool_()),
        pa.field("logged", pa.float64()),
        pa.field("logged_norm", pa.float64()),
        pa.field("file", pa.int32()),
        pa.field("line", pa.int32()),
    ]
)
"""``options`` is how many choices there are, null for an open answer. ``gold``, ``raw``, ``chars`` and ``bytes`` are
positions among them: the right one, and the most likely one by log-likelihood as it is, by character and by byte.
``answer`` and ``gold_answer`` are texts of open answers, ``response`` what was generated without the reasoning before
it, ``correct`` what a table says is right. ``logged`` and ``logged_norm`` are what the log itself says of the row,
from 0 to 1: that it is right, and right by likelihood per character. ``file`` and ``line`` say where it was read."""

MISSING = -1
NAMED = 5
"""How many left-out items are named; all are counted."""


@dataclass(frozen=True)
class Answers:
    """One model's answers.

    Args:
        model: its name.
        table: rows of `SCHEMA`.
        files: the files that it was read from; ``file`` points here.
        notes: what a reader of the figures must know, in sentences.
        metrics: by task and language, the log's metric that ``logged`` holds.
        conditions: by task and language, how it was asked; see `runs`.
        unscored: by task, why its answers are neither compared nor right or wrong (they have a language all the same).
    """

    model: str
    table: pa.Table
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    metrics: Mapping[tuple[str, str], str] = field(default_factory=dict)
    conditions: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    unscored: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LeftOut:
    """Items that stand in no figure of consistency, and why."""

    reason: str
    items: int
    named: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """The aligned answers to one task: N items by L languages.

    Args:
        task: its name, without the language.
        langs: L canonical codes, sorted.
        items: N ids, sorted.
        choice: (N, L) codes of the answers, `MISSING` where an answer could not be read.
        gold: (N,) codes of the right answers, `MISSING` where unknown.
        correct: (N, L) whether the answer is right.
        judged: whether it is known which answers are right.
        chance: the accuracy of guessing among the options; None for open answers.
        left_out: the items that are not here.
        rows: (N, L) rows of the answers in their table.
        credit: (N, L) how right each answer is, from 0 to 1, where the log says it by shares (the mass on right
            choices, the mean of several tries): answers are then not right or wrong, and `judged` is False.
        own: (N, L) whether the choice is the right one, where `correct` or `credit` are the log's own judgement.
    """

    task: str
    langs: tuple[str, ...]
    items: tuple[str, ...]
    choice: npt.NDArray[np.int32]
    gold: npt.NDArray[np.int32]
    correct: npt.NDArray[np.bool_]
    judged: bool
    chance: float | None
    left_out: tuple[LeftOut, ...]
    rows: npt.NDArray[np.int64] = field(repr=False)
    credit: npt.NDArray[np.float32] | None = field(default=None, repr=False)
    own: npt.NDArray[np.bool_] | None = field(default=None, repr=False)

    @property
    def single(self) -> bool:
        """Whether there was nothing to choose: one option in every item."""
        return self.chance == 1.0

    @property
    def worth(self) -> npt.NDArray[np.float32] | npt.NDArray[np.bool_] | None:
        """(N, L) what each answer counts towards accuracy; None where nothing says what is right."""
        return self.credit if self.credit is not None else self.correct if self.judged else None


def table(rows: Mapping[str, Any]) -> pa.Table:
    """Make a table of `SCHEMA` of columns by name; those not given are null."""
    size = len(rows["item"])
    columns = [
        pa.array(rows[f.name], f.type, from_pandas=False)
        if f.name in rows and not isinstance(rows[f.name], pa.Array | pa.ChunkedArray)
        else rows[f.name].cast(f.type)
        if f.name in rows
        else pa.nulls(size, f.type)
        for f in SCHEMA
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def check_languages(langs: Sequence[str], pivot: str | None) -> str | None:
    """Return the pivot as it stands among the languages.

    Raises:
        RequestError: if it is not among them.
    """
    if pivot is None:
        return None
    code = parse(pivot).code
    if code not in langs:
        near = did_you_mean(code, langs)
        raise RequestError(
            f"the pivot {code} is not among the languages of the log{near}", f"one of {', '.join(langs)}"
        )
    return code


def align(answers: Answers, score: Score = "raw", langs: Sequence[str] | None = None) -> list[Grid]:
    """Align a model's answers across languages: a grid for each task, sorted by name.

    Args:
        answers: as read.
        score: which of the choices counts: by log-likelihood as it is, by character, or by byte.
        langs: canonical codes to look at; None for all.

    Raises:
        DataError: if an item comes twice in a language, or no item is left.
        RequestError: if a language is not in the log, or the log has no lengths to normalise by.
    """
    return [grid for grid, *_ in align_all([answers], score, langs)]


def align_all(
    models: Sequence[Answers], score: Score = "raw", langs: Sequence[str] | None = None
) -> list[tuple[Grid, ...]]:
    """Align several models on the items that all of them have in all languages: per task, a grid for each model."""
    tasks = [set(m.table["task"].unique().to_pylist()) for m in models]
    shared = sorted(set.intersection(*tasks) - {task for m in models for task in m.unscored})
    if not shared:
        reasons = "; ".join(f"{task}: {why}" for m in models for task, why in m.unscored.items())
        if reasons:
            raise DataError(f"nothing can be scored: {reasons}", "glotmix eval fidelity takes any generated answers")
        if not all(tasks):
            empty = next(m.model for m, own in zip(models, tasks, strict=True) if not own)
            raise DataError(f"{empty}: there is no answer in it", "one row an answer: item, language, choice, gold")
        told = " and ".join(f"{m.model} ({', '.join(sorted(t)[:3])})" for m, t in zip(models, tasks, strict=True))
        raise DataError(
            f"{told} have no task in common",
            "a table without a column 'task' is a task named by its file: name both alike",
        )
    return [_align(task, models, score, langs) for task in shared]


def _align(task: str, models: Sequence[Answers], score: Score, wanted: Sequence[str] | None) -> tuple[Grid, ...]:
    tables = [_of_task(m.table, task) for m in models]
    found = sorted(set.intersection(*(set(t["lang"].unique().to_pylist()) for t in tables)))
    langs = found if wanted is None else sorted(dict.fromkeys(wanted))
    for lang in langs:
        if lang not in found:
            raise RequestError(f"{task}: there is no {lang} in the log", f"one of {', '.join(found)}")
    items = pc.unique(pa.chunked_array([c for t in tables for c in t["item"].chunks], pa.string()))
    items = items.take(pc.sort_indices(items))
    rows = [_places(model, t, langs, items) for model, t in zip(models, tables, strict=True)]
    keep, left_out = _complete(task, langs, items, tables, rows)
    names = tuple(items.filter(pa.array(keep)).to_pylist())
    if not names:
        reasons = "; ".join(f"{out.items} {out.reason}" for out in left_out)
        raise DataError(
            f"{task}: no item is answered in all of {', '.join(langs)} ({reasons})",
            "name the languages to compare, or the field that holds the items' ids (--id)",
        )
    kept = [r[keep] for r in rows]
    codes, golds = _codes(task, tables, kept, score)
    grids = []
    for table_, places, choice, gold in zip(tables, kept, codes, golds, strict=True):
        options = table_["options"].take(pa.array(places[:, 0]))
        sizes = None if options.null_count else options.to_numpy()
        chance = None if sizes is None or not sizes.all() else float(np.mean(1.0 / sizes))
        own = None if (gold == MISSING).any() else choice == gold[:, None]
        said = _said(table_, places, "raw" if chance is None else score)
        right = own if said is None else said == 1
        share = said is not None and not np.isin(said, (0, 1)).all()
        grids.append(
            Grid(
                task, tuple(langs), names, choice, gold,
                np.zeros(choice.shape, bool) if right is None or share else right,
                right is not None and not share, chance, left_out, places,
                said if share else None, None if said is None else own,
            )
        )  # fmt: skip
    return tuple(grids)


def _of_task(whole: pa.Table, task: str) -> pa.Table:
    rows = pa.array(np.arange(len(whole), dtype=np.int64))
    return whole.append_column("row", rows).filter(pc.equal(whole["task"], task)).combine_chunks()


def _places(model: Answers, of_task: pa.Table, langs: Sequence[str], items: pa.Array) -> npt.NDArray[np.int64]:
    """Return (items, languages) positions in the task's table, `MISSING` where there is no row."""
    lang = pc.index_in(of_task["lang"], pa.array(langs, pa.string()))
    item = pc.index_in(of_task["item"], items).to_numpy()
    known = pc.is_valid(lang).to_numpy(zero_copy_only=False)
    positions = np.flatnonzero(known)
    flat = item[positions].astype(np.int64) * len(langs) + pc.fill_null(lang, 0).to_numpy()[positions]
    places = np.full(len(items) * len(langs), MISSING, np.int64)
    places[flat] = positions
    twice = np.flatnonzero(places[flat] != positions)
    if len(twice):
        first, second = sorted(int(r) for r in (positions[twice[0]], places[flat[twice[0]]]))
        row = of_task.slice(second, 1).to_pylist()[0]
        where = " and ".join(_where(model, of_task, r) for r in (first, second))
        raise DataError(
            f"{row['task']}: the item {row['item']!r} comes twice in {row['lang']}: {where}",
            "name a field whose values are unique (--id), or read one run at a time",
        )
    return places.reshape(len(items), len(langs))


def _where(model: Answers, of_task: pa.Table, row: int) -> str:
    file, line = (of_task[name][row].as_py() for name in ("file", "line"))
    return f"row {of_task['row'][row].as_py()}" if file is None else f"{model.files[file]}:{line + 1}"


def _complete(
    task: str, langs: Sequence[str], items: pa.Array, tables: Sequence[pa.Table], rows: Sequence[npt.NDArray[np.int64]]
) -> tuple[npt.NDArray[np.bool_], tuple[LeftOut, ...]]:
    """Say which items every language has with one gold and one number of options, and why others are left out."""
    absent = np.logical_or.reduce([r == MISSING for r in rows])
    keep = ~absent.any(axis=1)
    reasons = [(f"missing in {lang}", absent[:, column]) for column, lang in enumerate(langs)]
    for name, words in (("options", "with another number of options"), ("gold", "with another right answer")):
        differs = np.zeros(len(items), bool)
        first: npt.NDArray[np.int64] | None = None
        for of_task, places in zip(tables, rows, strict=True):
            values = pc.fill_null(of_task[name], MISSING).to_numpy()
            grid = values[np.where(places == MISSING, 0, places)].astype(np.int64)
            first = grid[:, :1] if first is None else first
            differs |= keep & (grid != first).any(axis=1)
        reasons.append((f"{words} in different languages", differs))
        keep &= ~differs
    said = tuple(
        LeftOut(reason, int(where.sum()), tuple(items.filter(pa.array(where))[:NAMED].to_pylist()))
        for reason, where in reasons
        if where.any()
    )
    return keep, said


def _codes(
    task: str, tables: Sequence[pa.Table], rows: Sequence[npt.NDArray[np.int64]], score: Score
) -> tuple[list[npt.NDArray[np.int32]], list[npt.NDArray[np.int32]]]:
    """Return per model (N, L) codes of answers and (N,) codes of right answers; open answers share one dictionary."""
    open_ended = any(t["options"].null_count for t in tables)
    if open_ended:
        texts = [t[name] for t in tables for name in ("answer", "gold_answer")]
        every = pc.unique(pa.chunked_array([c for t in texts for c in t.chunks], pa.string()).drop_null())
        every = every.take(pc.sort_indices(every))
        chosen = [pc.index_in(t["answer"], every, skip_nulls=True) for t in tables]
        golds = [pc.index_in(t["gold_answer"], every, skip_nulls=True) for t in tables]
    else:
        chosen, golds = [t[score] for t in tables], [t["gold"] for t in tables]
        for column in chosen:
            # Where no answer by likelihood could be read, all are counted as unread; lengths are there or not.
            if column.null_count == len(column) and score != "raw":
                raise RequestError(f"{task}: the log has nothing to choose by {score} with", "--by raw")
    codes = [pc.fill_null(c, MISSING).to_numpy()[r].astype(np.int32) for c, r in zip(chosen, rows, strict=True)]
    return codes, [
        pc.fill_null(g, MISSING).to_numpy()[r[:, 0]].astype(np.int32) for g, r in zip(golds, rows, strict=True)
    ]


def _said(of_task: pa.Table, rows: npt.NDArray[np.int64], score: Score) -> npt.NDArray[np.float32] | None:
    """Return what the log or the table itself says of each answer, from 0 to 1; None where it does not say it of all.

    What a log says by character is no word on a choice by likelihood, nor the other way; no log judges by bytes.
    """
    for name in ("correct", *{"raw": ("logged",), "chars": ("logged_norm",), "bytes": ()}[score]):
        said = of_task[name].take(pa.array(rows.ravel())).cast(pa.float32())
        if len(said) and not said.null_count:
            values: npt.NDArray[np.float32] = said.to_numpy().reshape(rows.shape)
            if np.isfinite(values).all() and ((values >= 0) & (values <= 1)).all():
                return values
    return None
