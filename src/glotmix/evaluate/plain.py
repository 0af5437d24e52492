"""Reading a plain table of answers: Parquet, JSON Lines or CSV with ``item, language, choice, gold``.

Two shapes. **One row an answer**: ``choice`` is the option that the model took, ``answer`` a text instead where answers
are open. **One row an option**: ``choice`` is the option and ``logprob`` (or ``probability``) its score; the best is
taken, and with the option's ``text`` also the best by character and by byte.

An option is its position from 0, or its letter.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glotmix.core import language
from glotmix.core.errors import DataError, RequestError, did_you_mean
from glotmix.evaluate import identity, likelihoods, options
from glotmix.evaluate.answers import Answers, table
from glotmix.evaluate.items import load
from glotmix.evaluate.lm_eval import Ask

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
    "model": ("model", "model_name"),
}
_NONE = ("", "-", "none", "null", "nan", "n/a")
"""What tables write for no choice, in small letters."""


def read(paths: Sequence[Path], columns: Mapping[str, str] | None = None, ask: Ask | None = None) -> Answers:
    """Read a model's answers.

    Args:
        paths: files with the same columns.
        columns: the names that columns have in the files, by the names above, where they differ; of ``item``, several
            with commas between them.
        ask: its `id` is another way to name the item's columns.

    Raises:
        RequestError: if a column is missing, or the role of one is unknown.
        DataError: if a gold or a choice is no option, options of an item come twice, or answers are several models'.
    """
    given = dict(columns or {})
    ask = ask or Ask()
    for role in given:
        if role not in _NAMES:
            raise RequestError(
                f"--column {role}: there is no such role{did_you_mean(role, _NAMES)}", f"one of {', '.join(_NAMES)}"
            )
    for option, value in (("--filtered", ask.filter), ("--metric", ask.metric), ("--language", ask.languages)):
        if value:
            raise RequestError(
                f"{option} is for logs; {paths[0]} is a plain table", "--column ROLE=NAME for its columns"
            )
    if ask.id is not None and "item" in given:
        raise RequestError("--id and --column item=… both name the item", "one of them")
    tables, models, notes = [], set(), []
    for number, path in enumerate(paths):
        made, of, said = _read(path, number, given, ask.id)
        tables.append(made)
        models |= of
        notes += said
    if len(models) > 1:
        raise DataError(
            f"the tables hold the answers of {len(models)} models: {', '.join(sorted(models)[:5])}",
            "a table for each; `glotmix eval compare` takes two",
        )
    model = next(iter(models), paths[0].stem)
    return Answers(model, pa.concat_tables(tables), tuple(map(str, paths)), tuple(notes))


def _read(
    path: Path, number: int, given: Mapping[str, str], identified: str | Sequence[str] | None
) -> tuple[pa.Table, set[str], list[str]]:
    whole = load(path)
    name = {
        role: next((n for n in ((given[role],) if role in given else usual) if n in whole.column_names), None)
        for role, usual in _NAMES.items()
    }
    item = _item(path, whole, given, identified)
    if name["language"] is None:
        near = did_you_mean(given.get("language", "language"), whole.column_names)
        wanted = given.get("language", "language")
        raise RequestError(f"{path}: there is no column {wanted!r}{near}", "--column language=NAME")
    if name["choice"] is None and name["answer"] is None:
        raise RequestError(f"{path}: there is neither a column 'choice' nor 'answer'", "--column choice=NAME")
    for role in given:
        if role != "item" and name[role] is None:
            near = did_you_mean(given[role], whole.column_names)
            raise RequestError(f"{path}: there is no column {given[role]!r}{near}", f"--column {role}=NAME")
    size = len(whole)
    columns: dict[str, Any] = {role: whole[n] for role, n in name.items() if n is not None}
    models = {str(m) for m in columns.pop("model", pa.chunked_array([], pa.string())).unique().to_pylist()}
    columns["item"] = pa.chunked_array([item])
    columns.setdefault("task", pa.chunked_array([pa.repeat(path.stem, size)]))
    columns["task"] = columns["task"].cast(pa.string())
    columns["lang"] = _canonical(path, columns.pop("language"))
    columns |= {"file": pa.chunked_array([pa.repeat(np.int32(number), size)])}
    columns["line"] = pa.chunked_array([pa.array(np.arange(size, dtype=np.int32))])
    for role in ("item", "lang", "task"):
        if columns[role].null_count:
            row = pc.index(pc.is_null(columns[role]), True).as_py()
            raise DataError(f"{path}: row {row + 1} has no {role}")
    notes: list[str] = []
    for role in ("choice", "gold"):
        if role in columns:
            columns[role] = _position(path, name[role] or role, columns[role])
    for role in ("answer", "gold_answer", "response"):
        if role in columns:
            columns[role] = columns[role].cast(pa.string())
    if "answer" in columns:
        columns |= _answers(columns)
    if "correct" in columns:
        columns["correct"] = _truth(path, name["correct"] or "correct", columns["correct"])
    if "probability" in columns and "logprob" not in columns:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = columns["probability"].cast(pa.float64()).to_numpy()
            columns["logprob"] = pa.chunked_array([pa.array(np.log(values), from_pandas=True)])
    if "choice" in columns:
        columns, notes = _from_zero(path, columns)
    if "logprob" in columns:
        columns = _best_options(path, columns)
    elif "choice" in columns:
        columns["raw"] = columns["choice"]
        if "options" not in columns:
            most = max((pc.max(columns[c]).as_py() or 0) for c in ("raw", "gold") if c in columns)
            columns["options"] = pa.chunked_array([pa.repeat(np.int32(most + 1), size)])
    kept = {k: v for k, v in columns.items() if k not in ("choice", "text", "logprob", "probability")}
    return table(kept), models, notes


def _item(path: Path, whole: pa.Table, given: Mapping[str, str], identified: str | Sequence[str] | None) -> pa.Array:
    wanted: str | Sequence[str] | None = identified if identified is not None else given.get("item")
    if wanted is None:
        named: tuple[str, ...] = tuple(n for n in _NAMES["item"] if n in whole.column_names)[:1] or ("item",)
    else:
        named = identity.split(wanted, whole.column_names)
    for column in named:
        if column not in whole.column_names:
            near = did_you_mean(column, whole.column_names)
            raise RequestError(
                f"{path}: there is no column {column!r}{near}; there are {', '.join(whole.column_names)}",
                "--column item=NAME, or item=NAME,NAME where several name an item together",
            )
    parts = [whole[column] for column in named]
    if any(pa.types.is_floating(p.type) for p in parts):
        parts = [pa.chunked_array([_whole_numbers(p)]) if pa.types.is_floating(p.type) else p for p in parts]
    return identity.joined(parts)


def _whole_numbers(column: pa.ChunkedArray) -> pa.Array:
    """Return numbers that a writer made floating for want of one value as they were: 3.0 is 3."""
    return pa.array([None if v is None else str(v) for v in map(_whole, column.to_pylist())], pa.string())


def _whole(value: float | None) -> int | float | None:
    if value is None or math.isnan(value):
        return None
    return int(value) if value.is_integer() else value


def _canonical(path: Path, column: pa.ChunkedArray) -> pa.Array:
    coded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    codes = []
    for code in coded.dictionary.to_pylist():
        try:
            codes.append(language.parse(code).code)
        except RequestError as error:
            raise DataError(f"{path}: {error.message}", error.fix) from error
    return pa.array(codes, pa.string()).take(coded.indices)


def _position(path: Path, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return options as positions: numbers as they are, letters by their place in a series of one script."""
    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type) or pa.types.is_null(column.type):
        found = column.cast(pa.int64())
    elif pa.types.is_floating(column.type):
        whole = [_whole(v) for v in column.to_pylist()]
        wrong = next((i for i, v in enumerate(whole) if isinstance(v, float)), None)
        if wrong is not None:
            raise _no_option(path, name, wrong, whole[wrong])
        found = pa.chunked_array([pa.array(whole, pa.int64())])
    else:
        texts = [None if t is None else t.strip() for t in column.cast(pa.string()).to_pylist()]
        known = {t: options.position(t) for t in set(texts) if t is not None and t.lower() not in _NONE}
        wrong = next((i for i, t in enumerate(texts) if t in known and known[t] is None), None)
        if wrong is not None:
            raise _no_option(path, name, wrong, texts[wrong])
        found = pa.chunked_array([pa.array([known.get(t) if t is not None else None for t in texts], pa.int64())])
    # -1 is how many a tool writes that nothing was chosen.
    found = pc.if_else(pc.equal(found, -1), None, found)
    low, high = pc.min(found).as_py(), pc.max(found).as_py()
    if low is not None and (low < 0 or high >= 2**31):
        wrong = next(i for i, v in enumerate(found.to_pylist()) if v is not None and not 0 <= v < 2**31)
        raise _no_option(path, name, wrong, found[wrong].as_py())
    return found.cast(pa.int32())


def _no_option(path: Path, name: str, row: int, value: object) -> DataError:
    return DataError(
        f"{path}: row {row + 1}: {value!r} in the column {name!r} is no option",
        "an option is its position from 0, or its letter (A, B, …); open answers stand in a column 'answer'",
    )


def _from_zero(path: Path, columns: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Let positions begin with 0 where they clearly begin with 1: no option of any item is ever 0."""
    held = [columns[c] for c in ("choice", "gold") if c in columns]
    least = [pc.min(c).as_py() for c in held]
    if any(low is None or low < 1 for low in least) or ("logprob" not in columns and len(held) < 2):
        return columns, []
    if "options" in columns and "logprob" not in columns:
        within = [pc.all(pc.less(c, columns["options"])).as_py() for c in held]
        if all(within):
            return columns, []
    shifted = {c: pc.subtract(columns[c], 1).cast(pa.int32()) for c in ("choice", "gold") if c in columns}
    note = (
        f"{path.name}: no option is ever 0, so positions are taken to begin with 1; a column 'options' (how many "
        "an item has) says otherwise"
    )
    return columns | shifted, [note]


def _answers(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return open answers as they are compared, and what was answered in whole."""
    given = columns["answer"].to_pylist()
    langs = columns["lang"].to_pylist()
    said, _, _ = options.spoken(given)
    plain: list[str | None] = [None] * len(given)
    for lang in sorted(set(langs)):
        rows = [i for i, each in enumerate(langs) if each == lang]
        for row, text in zip(rows, options.plain(said.take(pa.array(rows)), lang).to_pylist(), strict=True):
            plain[row] = text
    found = {"answer": pa.chunked_array([pa.array(plain, pa.string())])}
    if "gold_answer" in columns:
        found["gold_answer"] = pa.chunked_array([options.plain(columns["gold_answer"])])
    if "response" in columns:
        found["response"] = pa.chunked_array([options.spoken(columns["response"].to_pylist())[0]])
    return found


def _truth(path: Path, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_boolean(column.type) or pa.types.is_null(column.type):
        return column.cast(pa.bool_())
    words = {"true": True, "1": True, "1.0": True, "yes": True, "false": False, "0": False, "0.0": False, "no": False}
    texts = [None if v is None else str(v).strip().lower() for v in column.to_pylist()]
    wrong = next((i for i, t in enumerate(texts) if t not in (None, "", *words)), None)
    if wrong is not None:
        raise DataError(f"{path}: row {wrong + 1}: {texts[wrong]!r} in the column {name!r} is neither true nor false")
    return pa.chunked_array([pa.array([words.get(t or "") for t in texts], pa.bool_())])


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
    choice = pc.fill_null(rows["choice"], -1).to_numpy()
    wrong = np.flatnonzero(choice != np.arange(len(order)) - np.repeat(starts, counts))
    if len(wrong):
        row = order[int(wrong[0])].as_py() + 1
        raise DataError(
            f"{path}: row {row}: the options of an item are 0, 1, 2, …, each once; here is {choice[wrong[0]]}"
        )
    scores = rows["logprob"].cast(pa.float64()).to_numpy()
    firsts = {k: v.take(pa.array(starts)) for k, v in rows.items()}
    firsts |= {"options": counts, "raw": likelihoods.best(scores, counts)}
    if "text" in rows:
        firsts |= likelihoods.lengths(scores, rows["text"].cast(pa.string()), counts)
    return firsts
