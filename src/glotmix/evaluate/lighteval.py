"""Reading lighteval's details: ``details_{task}_{date}.parquet`` with the columns ``doc, metric, model_response``.

They stand in ``details/{model}/{date}/``, where a model's name may be of several folders; beside ``details`` stands
``results/{model}/results_{date}.json``, which states the means.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glotmix.core import json_text
from glotmix.core.errors import DataError
from glotmix.evaluate import identity, judged, likelihoods, names, options, runs
from glotmix.evaluate.answers import Answers, table
from glotmix.evaluate.lm_eval import Ask
from glotmix.evaluate.runs import File, Run

_DETAILS = re.compile(r"details_(?P<task>.+)_(?P<when>\d{4}-\d\d-\d\dT[\d\-.:]+)\.parquet")
_SHOTS = re.compile(r"\|(\d+)(\|\d)?$")


def find(paths: Sequence[Path]) -> list[File]:
    """Return the files of details in folders (or the files themselves), of all runs.

    A task is one without its shots here: `quiz:fr|0` and `quiz:fr|5` are one, asked in two ways.
    """
    files = []
    for given in paths:
        for path in sorted(given.rglob("details_*.parquet")) if given.is_dir() else [given]:
            matched = _DETAILS.fullmatch(path.name)
            task, when = (matched["task"], matched["when"]) if matched else (path.stem.removeprefix("details_"), "")
            folder, model = _model(path)
            shots = _SHOTS.search(task)
            bare = task[: shots.start()] if shots else task
            told: dict[str, Any] = {"model_name": model}
            if shots:
                told["n-shot"] = {bare: int(shots[1])}
            files.append(File(path, bare, when, folder, Run(when, told)))
    return list({f.path.resolve(): f for f in files}.values())


def _model(path: Path) -> tuple[Path, str | None]:
    """Return the folder of the model that details are of, and its name."""
    dated = re.fullmatch(r"\d{4}-\d\d-\d\dT[\d\-.:]+", path.parent.name) is not None
    folder = path.parent.parent if dated else path.parent
    parts = list(folder.resolve().parts)
    if "details" in parts:
        below = parts[len(parts) - parts[::-1].index("details") :]
        if below:
            return folder, "/".join(below)
    return folder, folder.name if dated else None


def _results(file: File) -> Mapping[str, Any]:
    """Return what the results beside the details state, by the tasks' full names; nothing where they are not found."""
    for parent in file.folder.parents:
        if parent.name == "details":
            below = file.folder.relative_to(parent)
            path = parent.parent / "results" / below / f"results_{file.when}.json"
            if path.is_file():
                try:
                    found = json_text.loads(path.read_bytes()).get("results", {})
                except (ValueError, AttributeError) as error:
                    raise DataError(
                        f"{path} is damaged: {error}", "delete it: the details can be read alone"
                    ) from error
                return found if isinstance(found, dict) else {}
    return {}


def read(paths: Sequence[Path], ask: Ask | None = None) -> Answers:
    """Read a model's answers from details of lighteval 0.9 and later.

    The document's own ``id`` is lighteval's position in the data set and is used only if asked for (``--id id``); the
    item's id is looked for in ``doc.specific``.

    Raises:
        DataError: if a file has other columns, or runs cannot be told apart.
        RequestError: if items have no id, a task no language, or the metric that was asked for is not there.
    """
    ask = ask or Ask()
    files, notes = runs.newest(find(paths), "details_*_{}*.parquet")
    given = {_SHOTS.sub("", task): code for task, code in ask.languages.items()}
    of_task = names.assign([f.task for f in files], given)
    if ask.filter is not None:
        notes.append(f"lighteval has no filters: --filtered {ask.filter} says nothing here")
    tables, metrics, conditions, unscored = [], {}, {}, {}
    for number, file in enumerate(files):
        which = of_task[file.task]
        conditions[which] = file.run.conditions(file.task)
        made = _read(file, which, number, ask)
        if made is None:
            notes.append(f"{file.task}: likelihoods of whole texts (perplexity), no choices and no answers: left out")
            continue
        rows, metric, why, said = made
        tables.append(rows)
        notes += said
        if metric is not None:
            metrics[which] = metric
        if why is not None:
            unscored[which[0]] = why
    if not tables:
        raise DataError("the details hold perplexity alone, nothing is chosen or answered")
    notes += runs.differences(conditions) + runs.dates({f.path: (of_task[f.task], f.when) for f in files})
    notes += judged.differences(metrics)
    model = files[0].run.model or files[0].folder.name
    return Answers(
        model, pa.concat_tables(tables), tuple(str(f.path) for f in files), tuple(dict.fromkeys(notes)),
        metrics, conditions, unscored,
    )  # fmt: skip


def _read(
    file: File, named: tuple[str, str], number: int, ask: Ask
) -> tuple[pa.Table, str | None, str | None, list[str]] | None:
    """Return rows, the metric that judges, why nothing does, and notes; None for a task of perplexity."""
    path = file.path
    try:
        whole = pq.read_table(path, partitioning=None)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} cannot be read: {error}", "fetch it again") from error
    if not {"doc", "model_response", "metric"} <= set(whole.column_names):
        raise DataError(
            f"{path} has the columns {', '.join(whole.column_names)}, not doc, metric and model_response",
            "details of lighteval 0.9 or later",
        )
    doc, response, metric = (whole[n].combine_chunks() for n in ("doc", "model_response", "metric"))
    choices = _choices(doc)
    counts = pc.fill_null(pc.list_value_length(choices), 0).to_numpy().astype(np.int64)
    logprobs = _field(response, "logprobs")
    scored = (
        logprobs is not None
        and len(whole) > 0
        and pc.all(pc.equal(pc.list_value_length(logprobs), pa.array(counts))).as_py()
        and counts.any()
    )
    texts = _field(response, "text")
    answered = texts is not None and bool(pc.any(pc.greater(pc.list_value_length(texts), 0)).as_py())
    there = [f.name for f in metric.type if pa.types.is_floating(f.type) or pa.types.is_integer(f.type)
             or pa.types.is_boolean(f.type)]  # fmt: skip
    if not scored and not answered and there and all(judged.measures(name) for name in there):
        return None
    task, lang = named
    size = len(whole)
    columns: dict[str, Any] = {
        "task": pa.repeat(task, size),
        "lang": pa.repeat(lang, size),
        "item": _ids(path, doc, ask.id),
        "file": pa.repeat(number, size),
        "line": np.arange(size, dtype=np.int32),
    }
    if columns["item"].null_count:
        row = pc.index(pc.is_null(columns["item"]), True).as_py()
        raise DataError(f"{path}: row {row}: the document has no id")
    gold = _gold(doc)
    notes: list[str] = []
    if scored:
        assert logprobs is not None
        scores = logprobs.flatten().cast(pa.float64()).to_numpy(zero_copy_only=False)
        columns |= {"options": counts, "raw": likelihoods.best(scores, counts)}
        columns["gold"] = pc.if_else(likelihoods.within(gold, counts), gold, None)
        columns |= likelihoods.lengths(scores, pc.utf8_ltrim_whitespace(choices.flatten()), counts)
    else:
        made, notes = _generated(file.task, lang, doc, response, choices, gold)
        columns |= made
    judge = judged.pick(there, ask.metric, path.name) or _only_binary(metric, there)
    if judge is not None and ask.metric is None and not judged.judges(judge):
        notes.append(f"{file.task}: the log's {judge} says what is right; --metric chooses another")
    why = None
    if judge is not None:
        columns["logged"] = pc.struct_field(metric, [judge]).cast(pa.float64())
        notes += _stated(file, judge, columns["logged"])
    elif not scored and there and "options" not in columns:
        why = f"its answers are measured ({', '.join(there)}), not right or wrong"
    elif not scored and "options" not in columns:
        del columns["gold_answer"]
        notes.append(
            f"{file.task}: the log does not say which answers are right (metrics: {', '.join(there) or 'none'})"
        )
    if scored and "acc_norm" in there:
        columns["logged_norm"] = pc.struct_field(metric, ["acc_norm"]).cast(pa.float64())
    return table(columns), judge, why, notes


def _only_binary(metric: pa.StructArray, there: Sequence[str]) -> str | None:
    unknown = [name for name in there if not judged.measures(name)]
    if len(unknown) != 1:
        return None
    values = set(pc.struct_field(metric, [unknown[0]]).cast(pa.float64()).unique().to_pylist())
    return unknown[0] if values <= {0.0, 1.0} else None


def _stated(file: File, judge: str, logged: pa.Array) -> list[str]:
    """Say where the mean that the results state is not that of the details."""
    stated = [
        values[judge]
        for name, values in _results(file).items()
        if _SHOTS.sub("", name) == file.task and isinstance(values, dict) and isinstance(values.get(judge), int | float)
    ]
    mean = pc.mean(logged).as_py()
    if len(stated) != 1 or mean is None or logged.null_count or abs(stated[0] - mean) <= runs.ROUNDING:
        return []
    return [
        f"{file.task}: the results state {judge} {stated[0]:.4g}, the {len(logged):,} details have {mean:.4g}: "
        "the details count"
    ]


def _choices(doc: pa.StructArray) -> pa.Array:
    found = _field(doc, "choices")
    if found is None or pa.types.is_null(found.type):
        return pa.array([[]] * len(doc), pa.list_(pa.string()))
    return found.cast(pa.list_(pa.string()))


def _gold(doc: pa.StructArray) -> pa.Array:
    """Return the position of the right choice, null where there is none or several."""
    gold = _field(doc, "gold_index")
    if gold is None or pa.types.is_null(gold.type):
        return pa.nulls(len(doc), pa.int32())
    if pa.types.is_list(gold.type):
        single = pc.equal(pc.list_value_length(gold), 1)
        padded = pa.array([g if g and len(g) == 1 else [None] for g in gold.to_pylist()], pa.list_(pa.int64()))
        gold = pc.if_else(single, pc.list_element(padded, 0), None)
    return gold.cast(pa.int32())


def _generated(
    task: str, lang: str, doc: pa.Array, response: pa.Array, choices: pa.Array, gold: pa.Array
) -> tuple[dict[str, Any], list[str]]:
    given = _field(response, "text")
    several = [[None]] * len(doc) if given is None else given.to_pylist()
    text, thought, never = options.spoken([each[0] if each else None for each in several])
    notes = []
    if thought:
        notes.append(
            f"{task}: reasoning was taken away from {thought} of {len(doc)} answers"
            + (f"; {never} never came to an answer" if never else "")
        )
    right = [
        None if g is None or not c or not 0 <= g < len(c) else c[g]
        for g, c in zip(gold.to_pylist(), choices.to_pylist(), strict=True)
    ]
    query = _field(doc, "query")
    asked = [""] * len(doc) if query is None else [q or "" for q in query.to_pylist()]
    counts, marked = options.choose(right, asked)
    if len(marked) and not marked.null_count:
        _, chosen = options.choose(text.to_pylist(), asked)
        return {"response": text, "options": counts, "gold": marked, "raw": chosen}, notes
    plain = options.plain(text, lang)
    return {"response": text, "answer": plain, "gold_answer": options.plain(pa.array(right, pa.string()))}, notes


def _field(struct: pa.Array, name: str) -> pa.Array | None:
    return pc.struct_field(struct, [name]) if struct.type.get_field_index(name) >= 0 else None


def _ids(path: Path, doc: pa.StructArray, wanted: str | Sequence[str] | None) -> pa.Array:
    specific = _field(doc, "specific")
    there = [f.name for f in specific.type] if specific is not None and pa.types.is_struct(specific.type) else []
    own = [f.name for f in doc.type if f.name not in there]
    fields = identity.fields(path.name, dict.fromkeys(there) if wanted is None else dict.fromkeys([*there, *own]),
                             wanted, position="id")  # fmt: skip
    return identity.joined([pc.struct_field(specific if f in there else doc, [f]) for f in fields])
