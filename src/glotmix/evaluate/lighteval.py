"""Reading lighteval's details: ``details_{task}_{date}.parquet`` with the columns ``doc, metric, model_response``."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glotmix.core.errors import DataError, RequestError
from glotmix.evaluate import names, options
from glotmix.evaluate.answers import Answers, table
from glotmix.evaluate.lm_eval import IDS, Ask, best, firsts

_DETAILS = re.compile(r"details_(?P<task>.+)_(?P<when>\d{4}-\d\d-\d\dT[\d\-.]+)\.parquet")


def find(paths: Sequence[Path]) -> list[tuple[Path, str]]:
    """Return the files of details in folders (or the files themselves) with their tasks, the newest of each task."""
    files = sorted({f for p in paths for f in (p.rglob("details_*.parquet") if p.is_dir() else [p])})
    newest: dict[str, tuple[str, Path]] = {}
    for path in files:
        matched = _DETAILS.fullmatch(path.name)
        task, when = (matched["task"], matched["when"]) if matched else (path.stem.removeprefix("details_"), "")
        if task not in newest or newest[task][0] < when:
            newest[task] = when, path
    return [(newest[task][1], task) for task in sorted(newest)]


def read(paths: Sequence[Path], ask: Ask | None = None) -> Answers:
    """Read a model's answers from details of lighteval 0.9 and later.

    The document's own ``id`` is lighteval's position in the data set and is used only if asked for (``--id id``); the
    item's id is looked for in ``doc.specific``.

    Raises:
        DataError: if a file has other columns.
        RequestError: if items have no id, or a task no language.
    """
    ask = ask or Ask()
    found = find(paths)
    # A name is `suite|task|shots` or `task|shots`; shots are no language.
    bare = {task: re.sub(r"\|\d+(\|\d)?$", "", task) for _, task in found}
    tasks = names.assign(list(bare.values()), ask.languages)
    tables = [_read(path, tasks[bare[task]], number, ask) for number, (path, task) in enumerate(found)]
    model = found[0][0].parent.parent.name
    return Answers(model, pa.concat_tables(tables), tuple(str(path) for path, _ in found))


def _read(path: Path, named: tuple[str, str], number: int, ask: Ask) -> pa.Table:
    whole = pq.read_table(path)
    if not {"doc", "model_response", "metric"} <= set(whole.column_names):
        raise DataError(
            f"{path} has the columns {', '.join(whole.column_names)}, not doc, metric and model_response",
            "details of lighteval 0.9 or later",
        )
    doc, response = (whole[n].combine_chunks() for n in ("doc", "model_response"))
    task, lang = named
    size = len(whole)
    columns: dict[str, Any] = {
        "task": pa.repeat(task, size),
        "lang": pa.repeat(lang, size),
        "item": _ids(path, doc, ask.id),
        "file": pa.repeat(number, size),
        "line": np.arange(size, dtype=np.int32),
    }
    gold = pc.struct_field(doc, "gold_index")
    if pa.types.is_list(gold.type):
        gold = pc.if_else(pc.equal(pc.list_value_length(gold), 1), pc.list_element(gold, 0), None)
    choices = pc.struct_field(doc, "choices")
    counts = pc.list_value_length(choices).to_numpy(zero_copy_only=False)
    logprobs = _field(response, "logprobs")
    if logprobs is not None and size and pc.all(pc.equal(pc.list_value_length(logprobs), pa.array(counts))).as_py():
        scores = logprobs.flatten().cast(pa.float64()).to_numpy()
        texts = pc.utf8_ltrim_whitespace(choices.flatten())
        columns |= {"options": counts, "gold": gold.cast(pa.int32()), "raw": best(scores, counts)}
        with np.errstate(divide="ignore", invalid="ignore"):
            columns["chars"] = best(scores / pc.utf8_length(texts).to_numpy(), counts)
            columns["bytes"] = best(scores / pc.binary_length(texts).to_numpy(), counts)
    else:
        columns |= _generated(doc, response, choices, gold)
    metric = whole["metric"].combine_chunks()
    for name_, column in (("acc", "logged"), ("acc_norm", "logged_norm"), ("exact_match", "logged"), ("em", "logged")):
        value = _field(metric, name_)
        if value is not None and column not in columns:
            columns[column] = value.cast(pa.float64())
    return table(columns)


def _generated(doc: pa.Array, response: pa.Array, choices: pa.Array, gold: pa.Array) -> dict[str, Any]:
    text = firsts(pc.struct_field(response, "text").to_pylist())
    right = [None if g is None or not c else c[g] for c, g in zip(choices.to_pylist(), gold.to_pylist(), strict=True)]
    asked = pc.struct_field(doc, "query").to_pylist()
    counts, marked = options.choose(right, asked)
    if not marked.null_count:
        _, chosen = options.choose(text.to_pylist(), asked)
        return {"response": text, "options": counts, "gold": marked, "raw": chosen}
    return {
        "response": text,
        "answer": options.plain(text),
        "gold_answer": options.plain(pa.array(right, pa.string())),
    }


def _field(struct: pa.Array, name: str) -> pa.Array | None:
    return pc.struct_field(struct, name) if struct.type.get_field_index(name) >= 0 else None


def _ids(path: Path, doc: pa.Array, wanted: str | None) -> pa.Array:
    specific = _field(doc, "specific")
    there = [f.name for f in specific.type] if specific is not None and pa.types.is_struct(specific.type) else []
    for name in IDS if wanted is None else (wanted,):
        if name in there:
            return pc.struct_field(specific, name).cast(pa.string())
    own = None if wanted is None else _field(doc, wanted)
    if own is not None:
        return own.cast(pa.string())
    raise RequestError(
        f"{path.name}: the documents name no id in `specific` (it has {', '.join(there) or 'nothing'})",
        "--id FIELD, or --id id if the data sets of all languages are in one order",
    )
