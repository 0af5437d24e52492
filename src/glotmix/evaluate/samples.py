"""One file of lm-eval's samples: what each line answers, and what the log says of it.

Lines are parsed by Arrow with a schema of the few fields that are needed, so prompts are skipped, not built; where
values change their type from line to line, which Arrow does not take, by Python.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from glotmix.core import json_text
from glotmix.core.errors import DataError
from glotmix.evaluate import identity, judged, likelihoods, options
from glotmix.evaluate.answers import table
from glotmix.evaluate.runs import File

Head: TypeAlias = Mapping[str, Any]
_BLOCK = 1 << 24
"""Bytes that Arrow parses at once; a sample must fit into it."""
_LARGE = 1 << 26


@dataclass(frozen=True)
class Made:
    """The rows of one file. `metric` says what is right, with its `mean` over the file; `unscored` why nothing does."""

    table: pa.Table
    notes: list[str]
    metric: str | None
    mean: float | None
    unscored: str | None


def head(path: Path) -> Head:
    """Return the first sample of a file.

    Raises:
        DataError: if it is none.
    """
    with path.open("rb") as file:
        line = file.readline()
    if not line.strip():
        raise DataError(f"{path} is empty")
    try:
        first = json_text.loads(line)
        for name in ("doc", "target", "filtered_resps", "arguments"):
            first[name]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is no file of lm-eval's samples: {error!r} at its first line") from error
    return first  # type: ignore[no-any-return]


def rolling(first: Head, config: Mapping[str, Any]) -> bool:
    """Say whether a task measures the likelihood of whole texts: nothing follows them that was chosen or generated."""
    if config.get("output_type"):
        return bool(config["output_type"] == "loglikelihood_rolling")
    return all(len(each) < 2 for each in _arguments(first))


def _arguments(first: Head) -> list[Sequence[Any]]:
    given = first["arguments"]
    return [list(a.values()) for a in given.values()] if isinstance(given, dict) else list(given)


def _generated(first: Head, config: Mapping[str, Any]) -> bool:
    if config.get("output_type"):
        return str(config["output_type"]).startswith("generate")
    asked = _arguments(first)
    # What follows a prompt is a text that is scored, or how to generate.
    return not (asked and len(asked[0]) > 1 and isinstance(asked[0][1], str))


def filters(path: Path, first: Head, config: Mapping[str, Any]) -> list[str]:
    """Return the names of a file's filters, in the order in which they come.

    A large file of choices is not read for them: their one filter is ``none``.
    """
    if "filter" not in first:
        return []
    if first["filter"] == "none" and path.stat().st_size > _LARGE and not _generated(first, config):
        return ["none"]
    found = _arrow(path, [pa.field("filter", pa.string())])
    return [str(name) for name in found["filter"].drop_null().unique().to_pylist()]


def read(
    file: File,
    number: int,
    first: Head,
    wanted_id: str | Sequence[str] | None,
    filtered: str | None,
    metric: str | None,
    named: tuple[str, str],
) -> Made:
    """Read the samples of one file.

    Args:
        file: which.
        number: of the file among the answers' files.
        first: its first sample.
        wanted_id: see `lm_eval.Ask`.
        filtered: the filter that counts.
        metric: see `lm_eval.Ask`.
        named: task and language.

    Raises:
        DataError: if a line cannot be read, or an item has no id.
        RequestError: if the field of the id, or the metric, is not there.
    """
    config = file.run.config(file.task)
    generated = _generated(first, config)
    fields = identity.fields(file.path.name, first["doc"], wanted_id, position="doc_id")
    there = [name for name in judged.names(first) if isinstance(first.get(name), bool | int | float)]
    found = _parse(file.path, first, generated, fields, there)
    found = found.append_column("line", pa.array(np.arange(len(found), dtype=np.int32)))
    if filtered is not None and "filter" in found.column_names:
        found = found.filter(pc.equal(found["filter"], filtered))
    found = found.combine_chunks()
    size = len(found)
    columns: dict[str, Any] = {
        "task": pa.repeat(named[0], size),
        "lang": pa.repeat(named[1], size),
        "item": _items(file.path, found, fields),
        "file": pa.repeat(number, size),
        "line": found["line"],
    }
    judge = judged.pick(there, metric, file.path.name) or _only_binary(found, there)
    notes = []
    if judge is not None and metric is None and not judged.judges(judge):
        notes.append(f"{file.task}: the log's {judge} says what is right; --metric chooses another")
    unscored = None
    if generated:
        made, said = _open(found, file.task, named[1], _fallbacks(config))
        columns |= made
        notes += said
        if judge is None:
            measured = [name for name in judged.names(first) if judged.measures(name) or name not in there]
            if measured and "options" not in made:
                unscored = f"its answers are measured ({', '.join(measured)}), not right or wrong"
            elif "options" not in made:
                # Whether open answers are right is the log's decision: that texts are equal says nothing.
                del columns["gold_answer"]
                notes.append(f"{file.task}: the log does not say which answers are right ({_named(first)})")
    else:
        columns |= _chosen(found, config, first)
    if judge is not None:
        columns["logged"] = found[judge].cast(pa.float64())
    if "acc_norm" in there and not generated:
        columns["logged_norm"] = found["acc_norm"].cast(pa.float64())
    mean = None if judge is None or columns["logged"].null_count else pc.mean(columns["logged"]).as_py()
    return Made(table(columns), notes, judge, mean, unscored)


def _named(first: Head) -> str:
    return f"its metrics: {', '.join(judged.names(first)) or 'none'}; --metric NAME chooses one"


def _only_binary(found: pa.Table, there: Sequence[str]) -> str | None:
    """Return the only metric without a known name, if it is 0 or 1 for every item."""
    unknown = [name for name in there if not judged.measures(name)]
    if len(unknown) != 1:
        return None
    values = set(found[unknown[0]].cast(pa.float64()).unique().to_pylist())
    return unknown[0] if values <= {0.0, 1.0} else None


def _items(path: Path, found: pa.Table, fields: Sequence[str]) -> pa.Array:
    parts = [found["doc_id"]] if list(fields) == ["doc_id"] else [pc.struct_field(found["doc"], f) for f in fields]
    named = identity.joined(parts)
    if named.null_count:
        line = found["line"][pc.index(pc.is_null(named), True).as_py()].as_py()
        raise DataError(f"{path}:{line + 1}: the document has no id ({', '.join(fields)})")
    return named


def _parse(path: Path, first: Head, generated: bool, ids: Sequence[str], metrics: Sequence[str]) -> pa.Table:
    """Parse the fields that are needed, with the types that the first line shows."""
    fields = [pa.field("target", _scalar(first["target"]))]
    if generated:
        fields.append(pa.field("filtered_resps", _texts(first["filtered_resps"])))
        fields.append(pa.field("resps", _texts(first.get("resps", []))))
    else:
        fields.append(pa.field("filtered_resps", pa.list_(pa.list_(pa.string()))))
    if "filter" in first:
        fields.append(pa.field("filter", pa.string()))
    fields += [pa.field(m, pa.bool_() if isinstance(first[m], bool) else pa.float64()) for m in metrics]
    if list(ids) == ["doc_id"]:
        fields.append(pa.field("doc_id", pa.int64()))
    else:
        fields.append(pa.field("doc", pa.struct([pa.field(name, _scalar(first["doc"][name])) for name in ids])))
    width = len(first["arguments"])
    found = _arrow(path, [*fields, _asked(first, generated, width)])
    if not generated:
        most = pc.max(pc.list_value_length(found["filtered_resps"])).as_py() or 0
        if most > width and isinstance(first["arguments"], dict):
            # Some item has more options than the first one; each is a field to Arrow.
            found = _arrow(path, [*fields, _asked(first, generated, most)])
    return found


def _scalar(value: object) -> pa.DataType:
    """Return the type of a value that is text, a number or a list of such."""
    kind = pa.infer_type([value])
    return pa.string() if pa.types.is_null(kind) else kind


def _texts(value: object) -> pa.DataType:
    """Return the type of lists of texts, as deep as the first one is."""
    if isinstance(value, list):
        return pa.list_(_texts(value[0] if value else ""))
    return _scalar(value) if isinstance(value, int | float) else pa.string()


def _asked(first: Head, generated: bool, width: int) -> pa.Field:
    if not isinstance(first["arguments"], dict):
        inner = pa.string() if not generated else None
        return pa.field("arguments", pa.list_(pa.list_(inner))) if inner else pa.field("ignored", pa.string())
    if generated:
        one = pa.struct([pa.field("arg_0", pa.string())])
        return pa.field("arguments", pa.struct([pa.field("gen_args_0", one)]))
    one = pa.struct([pa.field("arg_1", pa.string())])
    return pa.field("arguments", pa.struct([pa.field(f"gen_args_{i}", one) for i in range(width)]))


def _arrow(path: Path, fields: Sequence[pa.Field]) -> pa.Table:
    schema = pa.schema(fields)
    # With two fields of one name Arrow's reader does not fail: the process ends.
    if twice := [name for name, count in Counter(schema.names).items() if count > 1]:
        raise DataError(f"{path}:1 is damaged: a metric is called {twice[0]}, as another field is")
    try:
        found = pj.read_json(
            path,
            pj.ReadOptions(block_size=_BLOCK),
            pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
        found.validate(full=True)
    except pa.ArrowInvalid as error:
        return _slowly(path, schema, error)
    return found


def _slowly(path: Path, schema: pa.Schema, why: Exception) -> pa.Table:
    """Parse lines whose values change their type: what should be text is written as text.

    Raises:
        DataError: naming the line, where it is no sample.
    """
    rows = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json_text.loads(line)
                rows.append({f.name: _coerced(row.get(f.name), f.type) for f in schema})
            except (ValueError, AttributeError, TypeError, KeyError) as error:
                raise DataError(f"{path}:{number} is damaged: {error}") from error
    try:
        return pa.Table.from_pylist(rows, schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"{path} is damaged, or its lines differ in kind: {error}") from why


def _coerced(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_string(kind):
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if pa.types.is_list(kind):
        return [_coerced(v, kind.value_type) for v in (value if isinstance(value, list) else [value])]
    if pa.types.is_struct(kind):
        return {f.name: _coerced(value.get(f.name), f.type) for f in kind}
    if pa.types.is_boolean(kind):
        return bool(value)
    return float(value) if pa.types.is_floating(kind) else value


def _fallbacks(config: Mapping[str, Any]) -> frozenset[str]:
    """Return what the task's filters write where they find nothing."""
    found = set()
    for each in config.get("filter_list") or ():
        for step in each.get("filter") or () if isinstance(each, Mapping) else ():
            if isinstance(step, Mapping) and isinstance(step.get("fallback"), str):
                found.add(step["fallback"].strip())
    return frozenset(found - {""})


def _open(found: pa.Table, task: str, lang: str, fallbacks: frozenset[str]) -> tuple[dict[str, Any], list[str]]:
    said, reasoned, unfinished = options.spoken(_firsts(found["filtered_resps"].to_pylist()))
    whole, thought, unended = options.spoken(_firsts(found["resps"].to_pylist()))
    if whole.null_count == len(whole):
        whole = said
    notes = []
    if reasoned or thought:
        never = max(unfinished, unended)
        notes.append(
            f"{task}: reasoning was taken away from {max(reasoned, thought)} of {len(found)} answers"
            + (f"; {never} never came to an answer" if never else "")
        )
    target = found["target"]
    if pa.types.is_list(target.type):
        # One of several right answers would do: none of them is the right one.
        single = pc.if_else(pc.equal(pc.list_value_length(target), 1), pc.list_element(target, 0), None)
        target = single if not target.null_count else pa.nulls(len(target), pa.string())
    target = target.cast(pa.string())
    columns: dict[str, Any] = {"response": whole}
    if "arguments" in found.column_names:
        prompts = pc.struct_field(found["arguments"], [0, 0]).to_pylist()
        counts, gold = options.choose(target.to_pylist(), prompts)
        if len(gold) and not gold.null_count:
            # The right answers are markers of options: so are the given ones, however the language writes them.
            return columns | {"options": counts, "gold": gold, "raw": _markers(said, whole, prompts)}, notes
    return columns | {"answer": options.plain(said, lang, fallbacks), "gold_answer": options.plain(target)}, notes


def _markers(said: pa.Array, whole: pa.Array, prompts: Sequence[str]) -> pa.Array:
    """Return the option that the filter found, and where that is none, the one that the whole answer names."""
    _, by_filter = options.choose(said.to_pylist(), prompts)
    _, by_answer = options.choose(whole.to_pylist(), prompts)
    return pc.coalesce(by_answer, by_filter)


def _firsts(lists: Iterable[Any]) -> list[str | None]:
    """Return the first text of each list, however deep; None where there is none."""
    return [_first(each) for each in lists]


def _first(value: Any) -> str | None:
    while isinstance(value, list):
        value = value[0] if value else None
    return value if value is None or isinstance(value, str) else str(value)


def _chosen(found: pa.Table, config: Mapping[str, Any], first: Head) -> dict[str, Any]:
    responses = found["filtered_resps"].combine_chunks()
    counts = pc.fill_null(pc.list_value_length(responses), 0).to_numpy().astype(np.int64)
    scores = _numbers(pc.list_element(responses.flatten(), 0))
    if "acc_mutual_info" in first.get("metrics", first):
        # The second half is the likelihood of each choice without its question.
        counts = counts // 2
        starts = np.cumsum(2 * counts) - 2 * counts
        scores = scores[likelihoods.ranges(starts, counts)]
    choices = likelihoods.continuations(found["arguments"].combine_chunks(), counts, _delimiter(config))
    columns: dict[str, Any] = {"options": counts, "raw": likelihoods.best(scores, counts)}
    if choices is not None:
        columns |= likelihoods.lengths(scores, choices, counts)
    columns["gold"] = likelihoods.gold(found["target"].combine_chunks(), choices, counts)
    return columns


def _delimiter(config: Mapping[str, Any]) -> str:
    given = config.get("target_delimiter", " ")
    return given if isinstance(given, str) else " "


def _numbers(texts: pa.Array) -> Any:
    """Return log-likelihoods as numbers; NaN where one is missing or is none."""
    try:
        return texts.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return np.array([_number(t) for t in texts.to_pylist()], float)


def _number(text: str | None) -> float:
    try:
        return float(text) if text is not None else float("nan")
    except ValueError:
        return float("nan")
