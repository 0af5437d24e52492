"""Reading a plain table of answers: Parquet, JSON Lines or CSV with ``item, language, choice, gold``.

Two shapes. **One row an answer**: ``choice`` is the option that the model took (a position), ``answer`` a text instead
where answers are open. **One row an option**: ``choice`` is the option and ``logprob`` (or ``probability``) its score;
the best is taken, and with the option's ``text`` also the best by character and by byte.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glotmix.core import language
from glotmix.core.errors import DataError, RequestError, did_you_mean
from glotmix.evaluate.answers import Answers, table
from glotmix.evaluate.items import load
from glotmix.evaluate.lm_eval import best

_NAMES = {
    "item": ("item", "_id", "id"),
    "language": ("language", "lang"),
    "choice": ("choice",),
    "gold": ("gold", "label"),
    "task": ("task",),
    "answer": ("answer",),
    "gold_answer": ("gold_answer",),
    "response": ("response",),
    "correct": ("correct",),
    "options": ("options",),
    "text": ("text",),
    "logprob": ("logprob", "log_likelihood"),
    "probability": ("probability",),
}


def read(paths: Sequence[Path], columns: Mapping[str, str] | None = None) -> Answers:
    """Read a model's answers.

    Args:
        paths: files with the same columns.
        columns: the names that columns have in the files, by the names above, where they differ.

    Raises:
        RequestError: if a column is missing.
        DataError: if a gold or a choice is no position, or options of an item come twice.
    """
    tables = []
    for number, path in enumerate(paths):
        tables.append(_read(path, number, columns or {}))
    return Answers(paths[0].stem, pa.concat_tables(tables), tuple(map(str, paths)))


def _read(path: Path, number: int, given: Mapping[str, str]) -> pa.Table:
    whole = load(path)
    name = {
        role: next((n for n in ((given[role],) if role in given else usual) if n in whole.column_names), None)
        for role, usual in _NAMES.items()
    }
    for role in ("item", "language"):
        if name[role] is None:
            near = did_you_mean(given.get(role, role), whole.column_names)
            raise RequestError(f"{path}: there is no column {given.get(role, role)!r}{near}", f"--column {role}=NAME")
    if name["choice"] is None and name["answer"] is None:
        raise RequestError(f"{path}: there is neither a column 'choice' nor 'answer'", "--column choice=NAME")
    size = len(whole)
    columns: dict[str, Any] = {role: whole[n] for role, n in name.items() if n is not None}
    columns["item"] = columns["item"].cast(pa.string())
    columns.setdefault("task", pa.chunked_array([pa.repeat(path.stem, size)]))
    columns["lang"] = _canonical(columns.pop("language"))
    columns |= {"file": pa.chunked_array([pa.repeat(np.int32(number), size)])}
    columns["line"] = pa.chunked_array([pa.array(np.arange(size, dtype=np.int32))])
    for role in ("item", "lang", "task"):
        if columns[role].null_count:
            row = pc.index(pc.is_null(columns[role]), True).as_py()
            raise DataError(f"{path}: row {row + 1} has no {role}")
    if "probability" in columns and "logprob" not in columns:
        columns["logprob"] = pc.ln(columns["probability"])
    if "logprob" in columns:
        columns = _best_options(path, columns)
    elif "choice" in columns:
        columns["raw"] = columns["choice"].cast(pa.int32())
        if "options" not in columns:
            most = max(pc.max(columns[c]).as_py() or 0 for c in ("raw", "gold") if c in columns)
            columns["options"] = pa.chunked_array([pa.repeat(np.int32(most + 1), size)])
    return table({k: v for k, v in columns.items() if k not in ("choice", "text", "logprob", "probability")})


def _canonical(column: pa.ChunkedArray) -> pa.Array:
    coded = column.combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    known = pa.array([None if c is None else language.parse(c).code for c in coded.dictionary.to_pylist()], pa.string())
    return known.take(coded.indices)


def _best_options(path: Path, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Turn one row an option into one row an answer."""
    order = pc.sort_indices(
        pa.table({k: columns[k] for k in ("task", "lang", "item", "choice")}),
        sort_keys=[(k, "ascending") for k in ("task", "lang", "item", "choice")],
    )
    rows = {k: v.take(order) for k, v in columns.items()}
    new = np.ones(len(order), bool)
    if len(order) > 1:
        same = [pc.equal(rows[k][1:], rows[k][:-1]).to_numpy(zero_copy_only=False) for k in ("task", "lang", "item")]
        new[1:] = ~np.logical_and.reduce(same)
    starts = np.flatnonzero(new)
    counts = np.diff(np.append(starts, len(order)))
    choice = rows["choice"].to_numpy()
    wrong = np.flatnonzero(choice != np.arange(len(order)) - np.repeat(starts, counts))
    if len(wrong):
        row = order[int(wrong[0])].as_py() + 1
        raise DataError(
            f"{path}: row {row}: the options of an item are 0, 1, 2, …, each once; here is {choice[wrong[0]]}"
        )
    scores = rows["logprob"].cast(pa.float64()).to_numpy()
    firsts = {k: v.take(pa.array(starts)) for k, v in rows.items()}
    firsts |= {"options": counts, "raw": best(scores, counts)}
    if "text" in rows:
        with np.errstate(divide="ignore", invalid="ignore"):
            firsts["chars"] = best(scores / pc.utf8_length(rows["text"]).to_numpy(), counts)
            firsts["bytes"] = best(scores / pc.binary_length(rows["text"]).to_numpy(), counts)
    return firsts
