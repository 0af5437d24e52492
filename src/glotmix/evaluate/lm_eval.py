"""Reading lm-eval's logs (0.4.x): ``results_*.json`` and, for each task, ``samples_*.jsonl``.

The samples are parsed by Arrow with a schema of the few fields that are needed, so prompts are skipped, not built.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from glotmix.core.errors import DataError, RequestError
from glotmix.evaluate import names, options
from glotmix.evaluate.answers import Answers, table

_SAMPLES = re.compile(r"samples_(?P<task>.+)_(?P<when>\d{4}-\d\d-\d\dT[\d:.\-]+)\.jsonl")
IDS = ("id", "_id", "idx", "item_id", "question_id", "sample_id", "qid", "uid", "key")
_BLOCK = 1 << 24
"""Bytes that Arrow parses at once; a sample must fit into it."""


@dataclass(frozen=True)
class Ask:
    """How to read a log.

    Args:
        id: the field of the documents that names an item in every language; None for the first of the usual names
            that is there. ``doc_id`` is lm-eval's position in the data set: only if asked for.
        languages: languages by the name of the task, where the name does not tell.
        filter: of several filters of a generated answer, the one that counts; None for the first.
    """

    id: str | None = None
    languages: Mapping[str, str] = field(default_factory=dict)
    filter: str | None = None


@dataclass(frozen=True)
class Samples:
    """One file of samples."""

    path: Path
    task: str
    when: str


@dataclass(frozen=True)
class Prompt:
    """What a model was asked: the text, and the choices that were scored after it (none where it generated)."""

    text: str
    choices: tuple[str, ...]


def find(paths: Sequence[Path]) -> list[Samples]:
    """Return the files of samples in folders (or the files themselves), the newest of each task, sorted by task.

    Raises:
        DataError: if there are none, or more than one model's.
    """
    files = sorted({f for p in paths for f in (p.rglob("samples_*.jsonl") if p.is_dir() else [p])})
    newest: dict[str, Samples] = {}
    for path in files:
        matched = _SAMPLES.fullmatch(path.name)
        task, when = (matched["task"], matched["when"]) if matched else (path.stem.removeprefix("samples_"), "")
        if task not in newest or newest[task].when < when:
            newest[task] = Samples(path, task, when)
    if not newest:
        raise DataError(
            f"there is no samples_*.jsonl in {', '.join(map(str, paths))}",
            "run lm_eval with --log_samples --output_path",
        )
    folders = {s.path.parent for s in newest.values()}
    if len(folders) > 1:
        raise DataError(
            f"the samples stand in {len(folders)} folders, which are different models': "
            + ", ".join(sorted(map(str, folders))[:5]),
            "name one of them; `glotmix eval compare` takes two",
        )
    return [newest[task] for task in sorted(newest)]


def results(folder: Path) -> dict[str, Any]:
    """Return what the ``results_*.json`` of a folder say, the newest last word of each task: ``results, configs``."""
    said: dict[str, Any] = {"results": {}, "configs": {}, "model_name": None}
    for path in sorted(folder.glob("results_*.json")):
        try:
            told = json.loads(path.read_text("utf-8"))
        except json.JSONDecodeError as error:
            raise DataError(f"{path} is damaged: {error}") from error
        said["results"] |= told.get("results", {})
        said["configs"] |= told.get("configs", {})
        said["model_name"] = told.get("model_name") or said["model_name"]
    return said


def read(paths: Sequence[Path], ask: Ask | None = None) -> Answers:
    """Read a model's answers.

    Args:
        paths: folders with a log, or files of samples.
        ask: how.

    Raises:
        DataError: if a file cannot be read, or names the line where something lacks.
        RequestError: if items have no id, or a task no language.
    """
    ask = ask or Ask()
    samples = find(paths)
    told = results(samples[0].path.parent)
    tasks = names.assign([s.task for s in samples], ask.languages)
    tables, notes = [], []
    for number, sample in enumerate(samples):
        made, said = _read(sample, number, told["configs"].get(sample.task, {}), ask, tasks[sample.task])
        tables.append(made)
        notes += said
    model = told["model_name"] or samples[0].path.parent.name
    return Answers(str(model), pa.concat_tables(tables), tuple(str(s.path) for s in samples), tuple(notes))


def _read(
    sample: Samples, number: int, config: Mapping[str, Any], ask: Ask, named: tuple[str, str]
) -> tuple[pa.Table, list[str]]:
    with sample.path.open("rb") as file:
        head = file.readline()
    if not head.strip():
        raise DataError(f"{sample.path} is empty")
    try:
        first = json.loads(head)
        generated = not isinstance(first["filtered_resps"][0], list)
        identity, width = _id_field(sample, first, ask), len(first["arguments"])
        found = _parse(sample.path, first, generated, identity, width)
    except (json.JSONDecodeError, KeyError, IndexError, TypeError) as error:
        raise DataError(f"{sample.path} is no file of lm-eval's samples: {error!r} at its first line") from error
    most = 0 if generated else pc.max(pc.list_value_length(found["filtered_resps"])).as_py()
    if most > width:
        # Some item has more options than the first one; each is a field to Arrow.
        found = _parse(sample.path, first, generated, identity, most)
    task, lang = named
    lines = pa.array(np.arange(len(found), dtype=np.int32))
    found = found.append_column("line", lines)
    notes: list[str] = []
    if "filter" in found.column_names:
        there = found["filter"].unique().to_pylist()
        chosen = ask.filter if ask.filter in there else there[0]
        if len(there) > 1:
            notes.append(f"{sample.task}: the filter {chosen} counts, of {', '.join(map(str, there))}")
            found = found.filter(pc.equal(found["filter"], chosen))
    found = found.combine_chunks()
    size = len(found)
    columns: dict[str, Any] = {
        "task": pa.repeat(task, size),
        "lang": pa.repeat(lang, size),
        "item": found["item"].cast(pa.string()),
        "file": pa.repeat(number, size),
        "line": found["line"],
    }
    if columns["item"].null_count:
        line = found["line"][pc.index(pc.is_null(columns["item"]), True).as_py()].as_py()
        raise DataError(f"{sample.path}:{line + 1}: the document has no id")
    columns |= (_generated if generated else _chosen)(found, config, first)
    return table(columns), notes


def _id_field(sample: Samples, first: Mapping[str, Any], ask: Ask) -> str:
    document = first["doc"]
    if ask.id == "doc_id":
        return "doc_id"
    for name in IDS if ask.id is None else (ask.id,):
        if name in document:
            return name
    wanted = "an id" if ask.id is None else f"a field {ask.id!r}"
    raise RequestError(
        f"{sample.path.name}: the documents have no {wanted.removeprefix('an ').removeprefix('a ')}; they have "
        f"{', '.join(sorted(document))}",
        "--id FIELD, or --id doc_id if the data sets of all languages are in one order",
    )


def _parse(path: Path, first: Mapping[str, Any], generated: bool, identity: str, width: int) -> pa.Table:
    """Parse the fields that are needed, with the types that the first line shows."""
    fields: list[pa.Field] = [pa.field("target", pa.infer_type([first["target"]]))]
    fields.append(pa.field("filtered_resps", pa.list_(pa.string() if generated else pa.list_(pa.string()))))
    if "filter" in first:
        fields.append(pa.field("filter", pa.string()))
    fields += [pa.field(m, pa.float64()) for m in ("acc", "acc_norm", "exact_match") if _number(first.get(m))]
    if identity == "doc_id":
        fields.append(pa.field("doc_id", pa.int64()))
    else:
        fields.append(pa.field("doc", pa.struct([pa.field(identity, pa.infer_type([first["doc"][identity]]))])))
    if generated:
        fields.append(pa.field("resps", pa.list_(pa.list_(pa.string()))))
        asked = pa.struct([pa.field("gen_args_0", pa.struct([pa.field("arg_0", pa.string())]))])
        fields.append(pa.field("arguments", asked))
    elif isinstance(first["arguments"], dict):
        one = pa.struct([pa.field("arg_1", pa.string())])
        fields.append(pa.field("arguments", pa.struct([pa.field(f"gen_args_{i}", one) for i in range(width)])))
    else:
        fields.append(pa.field("arguments", pa.list_(pa.list_(pa.string()))))
    how = pj.ParseOptions(explicit_schema=pa.schema(fields), unexpected_field_behavior="ignore")
    try:
        found = pj.read_json(path, pj.ReadOptions(block_size=_BLOCK), how)
    except pa.ArrowInvalid as error:
        raise DataError(f"{path} is damaged, or its lines differ in kind: {error}") from error
    column = found["doc_id"] if identity == "doc_id" else pc.struct_field(found["doc"], identity)
    return found.append_column("item", column)


def _number(value: object) -> bool:
    return isinstance(value, int | float)


def _generated(found: pa.Table, config: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, Any]:
    filtered = firsts(found["filtered_resps"].to_pylist())
    whole = firsts(r[0] if r else [] for r in found["resps"].to_pylist())
    target = found["target"].cast(pa.string())
    columns: dict[str, Any] = {"response": whole}
    if "exact_match" in found.column_names:
        columns |= {"logged": found["exact_match"]}
    asked = pc.struct_field(found["arguments"], [0, 0]).to_pylist()
    counts, gold = options.choose(target.to_pylist(), asked)
    if not gold.null_count:
        # The right answers are markers of options: so are the given ones, however the language writes them.
        _, chosen = options.choose(whole.to_pylist(), asked)
        return columns | {"options": counts, "gold": gold, "raw": chosen}
    columns |= {"answer": options.plain(filtered), "gold_answer": options.plain(target)}
    if "exact_match" in found.column_names:
        columns |= {"correct": pc.equal(found["exact_match"], 1.0)}
    return columns


def firsts(lists: Iterable[list[str] | None]) -> pa.Array:
    """Return the first text of each list, null where there is none."""
    return pa.array([each[0] if each else None for each in lists], pa.string())


def _chosen(found: pa.Table, config: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, Any]:
    responses = found["filtered_resps"].combine_chunks()
    counts = pc.list_value_length(responses).to_numpy()
    flat = responses.flatten()
    likelihoods = pc.list_element(flat, 0).cast(pa.float64()).to_numpy()
    if "acc_mutual_info" in first.get("metrics", first):
        # The second half is the likelihood of each choice without its question.
        counts = counts // 2
        starts = np.cumsum(2 * counts) - 2 * counts
        likelihoods = likelihoods[_ranges(starts, counts)]
    choices = _continuations(found["arguments"].combine_chunks(), counts, config.get("target_delimiter", " "))
    columns: dict[str, Any] = {"options": counts, "raw": best(likelihoods, counts)}
    if choices is not None:
        for name, length in (("chars", pc.utf8_length), ("bytes", pc.binary_length)):
            with np.errstate(divide="ignore", invalid="ignore"):
                columns[name] = best(likelihoods / length(choices).to_numpy(), counts)
    gold = _gold(found["target"].combine_chunks(), choices, counts)
    columns["gold"] = gold
    if "acc" in found.column_names:
        columns["logged"] = found["acc"]
        if gold.null_count:
            # Several right answers, or one that is no choice: lm-eval's own judgement stands.
            columns["correct"] = pc.equal(found["acc"], 1.0)
    if "acc_norm" in found.column_names:
        columns["logged_norm"] = found["acc_norm"]
    return columns


def _ranges(starts: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return ``starts[i], starts[i] + 1, …`` for each i, ``counts[i]`` of them."""
    ends = np.cumsum(counts)
    places: npt.NDArray[np.int64] = np.arange(ends[-1]) + np.repeat(starts - (ends - counts), counts)
    return places


def _continuations(arguments: pa.Array, counts: npt.NDArray[np.int64], delimiter: str) -> pa.Array | None:
    """Return the choices of all items in a row, without the delimiter; None where they are not what differs."""
    if pa.types.is_list(arguments.type):
        flat = pc.list_element(arguments.flatten(), 1)
        sizes = pc.list_value_length(arguments).to_numpy()
        texts = flat.take(pa.array(_ranges(np.cumsum(sizes) - sizes, counts)))
    else:
        width = int(counts.max())
        columns = [pc.struct_field(arguments, [i, 0]) for i in range(width)]
        order = np.arange(len(arguments) * width).reshape(width, -1).T
        there = np.arange(width)[None, :] < counts[:, None]
        texts = pa.concat_arrays(columns).take(pa.array(order[there]))
    if texts.null_count or not len(texts):
        return None
    starts = np.cumsum(counts) - counts
    firsts = texts.take(pa.array(np.repeat(starts, counts)))
    if pc.all(pc.equal(texts, firsts)).as_py():
        return None  # as in WinoGrande, where the context varies and the continuation is one
    if not delimiter:
        return texts
    begins = pc.starts_with(texts, pattern=delimiter)
    return pc.if_else(begins, pc.utf8_slice_codeunits(texts, len(delimiter)), texts)


def best(scores: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]) -> pa.Array:
    """Return the position of the largest score of each item, the first of equals; null where one is no number."""
    starts = np.cumsum(counts) - counts
    largest = np.maximum.reduceat(scores, starts)
    position = np.arange(len(scores)) - np.repeat(starts, counts)
    candidate = np.where(scores == np.repeat(largest, counts), position, len(scores))
    best = np.minimum.reduceat(candidate, starts)
    return pa.array(best.astype(np.int32), mask=np.isnan(largest))


def _gold(target: pa.Array, choices: pa.Array | None, counts: npt.NDArray[np.int64]) -> pa.Array:
    """Return the position of the right choice: lm-eval writes it as a number, or as the choice itself."""
    if not pa.types.is_string(target.type):
        return target.cast(pa.int32()) if pa.types.is_integer(target.type) else pa.nulls(len(target), pa.int32())
    number = pc.match_substring_regex(target, r"^\d{1,4}$")
    gold = pc.if_else(number, target, None).cast(pa.int32())
    if choices is not None and gold.null_count:
        same = pc.equal(choices, target.take(pa.array(np.repeat(np.arange(len(counts)), counts))))
        told = best(pc.fill_null(same, False).cast(pa.int8()).to_numpy().astype(float), counts)
        any_same = np.maximum.reduceat(same.cast(pa.int8()).to_numpy(), np.cumsum(counts) - counts) == 1
        gold = pc.if_else(pc.and_(pc.is_null(gold), pa.array(any_same)), told, gold)
    return pc.if_else(pc.less(gold, pa.array(counts.astype(np.int32))), gold, None)


def prompts(answers: Answers, rows: Sequence[int]) -> list[Prompt | None]:
    """Return what the model was asked in the given rows of the answers' table, read again from the log."""
    wanted: dict[int, dict[int, int]] = {}
    for place, row in enumerate(rows):
        file, line = (answers.table[name][row].as_py() for name in ("file", "line"))
        wanted.setdefault(file, {})[line] = place
    texts: list[Prompt | None] = [None] * len(rows)
    for file, lines in wanted.items():
        if file is None or not answers.files[file].endswith(".jsonl"):
            continue
        with Path(answers.files[file]).open("rb") as stream:
            for number, line in enumerate(stream):
                if number in lines:
                    texts[lines[number]] = _prompt(json.loads(line).get("arguments"))
    return texts


def _prompt(arguments: Any) -> Prompt | None:
    if not arguments:
        return None  # a table of answers in JSON Lines
    each = [list(a.values()) for a in arguments.values()] if isinstance(arguments, dict) else arguments
    choices = tuple(str(a[1]).strip() for a in each if isinstance(a[1], str))
    return Prompt(str(each[0][0]), choices)
