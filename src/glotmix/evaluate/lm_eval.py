"""Reading lm-eval's logs (0.4.x): ``results_*.json`` and, for each task, ``samples_*.jsonl``.

The results say whose the samples are and how they were asked (`runs`); the samples hold the answers (`samples`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from glotmix.core import json_text
from glotmix.core.errors import DataError, RequestError, blame, did_you_mean
from glotmix.evaluate import judged, names, runs, samples
from glotmix.evaluate.answers import Answers
from glotmix.evaluate.runs import File

_SAMPLES = re.compile(r"samples_(?P<task>.+)_(?P<when>\d{4}-\d\d-\d\dT[\d:.\-]+)\.jsonl")


@dataclass(frozen=True)
class Ask:
    """How to read a log.

    Args:
        id: the field of the documents that names an item in every language, or several that do together, with commas
            between them or as several; None for the first of the usual names that is there. ``doc_id`` is lm-eval's
            position in the data set: only if asked for.
        languages: languages by the name of the task, where the name does not tell.
        filter: of several filters of a generated answer, the one that counts; None for the first that all languages
            of a task have.
        metric: of several metrics, the one that says what is right; None to choose by their names.
    """

    id: str | Sequence[str] | None = None
    languages: Mapping[str, str] = field(default_factory=dict)
    filter: str | None = None
    metric: str | None = None


@dataclass(frozen=True)
class Prompt:
    """What a model was asked: the text, and the choices that were scored after it (none where it generated)."""

    text: str
    choices: tuple[str, ...]


def find(paths: Sequence[Path]) -> list[File]:
    """Return the files of samples in folders (or the files themselves), the newest of each task, sorted by task.

    Raises:
        DataError: if there are none, or more than one model's, or a task was asked in more than one way.
    """
    return _newest(paths)[0]


def _newest(paths: Sequence[Path]) -> tuple[list[File], list[str]]:
    files = []
    told: dict[Path, Mapping[str, runs.Run]] = {}
    for given in paths:
        there = sorted(given.rglob("samples_*.jsonl")) if given.is_dir() else [given]
        if not there:
            raise DataError(f"there is no samples_*.jsonl in {given}", "run lm_eval with --log_samples --output_path")
        for path in there:
            matched = _SAMPLES.fullmatch(path.name)
            task, when = (matched["task"], matched["when"]) if matched else (path.stem.removeprefix("samples_"), "")
            if path.parent not in told:
                told[path.parent] = runs.read(path.parent)
            files.append(File(path, task, when, path.parent, runs.of(told[path.parent], when, task)))
    unique = list({f.path.resolve(): f for f in files}.values())
    return runs.newest(unique, "samples_*_{}*.jsonl")


def read(paths: Sequence[Path], ask: Ask | None = None) -> Answers:
    """Read a model's answers.

    Args:
        paths: folders with a log, or files of samples.
        ask: how.

    Raises:
        DataError: if a file cannot be read, or names the line where something lacks, or runs cannot be told apart.
        RequestError: if items have no id, a task no language, or a filter or metric that was asked for is not there.
    """
    ask = ask or Ask()
    files, notes = _newest(paths)
    of_task = names.assign([f.task for f in files], ask.languages)
    heads = {f.path: samples.head(f.path) for f in files}
    rolling = [f.task for f in files if samples.rolling(heads[f.path], f.run.config(f.task))]
    if rolling:
        notes.append(
            f"{', '.join(sorted(rolling))}: likelihoods of whole texts (perplexity), no choices, no answers: left out"
        )
    kept = [f for f in files if f.task not in rolling]
    if not kept:
        raise DataError(
            f"{', '.join(sorted(rolling))}: perplexity alone, nothing is chosen or answered",
            "a log with multiple choice or generated answers",
        )
    filters, said = _filters(kept, of_task, heads, ask.filter)
    notes += said
    tables, metrics, conditions, unscored = [], {}, {}, {}
    for number, file in enumerate(kept):
        which = of_task[file.task]
        with blame(file.path):
            made = samples.read(file, number, heads[file.path], ask.id, filters[file.path], ask.metric, which)
        tables.append(made.table)
        notes += made.notes + _stated(file, made, filters[file.path])
        conditions[which] = file.run.conditions(file.task)
        if made.metric is not None:
            metrics[which] = made.metric
        if made.unscored is not None:
            unscored[which[0]] = made.unscored
    notes += runs.differences(conditions) + judged.differences(metrics)
    notes += runs.dates({f.path: (of_task[f.task], f.when) for f in kept})
    model = next((f.run.model for f in kept if f.run.model), kept[0].folder.name)
    return Answers(
        model, pa.concat_tables(tables), tuple(str(f.path) for f in kept), tuple(dict.fromkeys(notes)),
        metrics, conditions, unscored,
    )  # fmt: skip


def _filters(
    files: Sequence[File], of_task: Mapping[str, tuple[str, str]], heads: Mapping[Path, Any], wanted: str | None
) -> tuple[dict[Path, str | None], list[str]]:
    """Choose the filter that counts in each file: one that all languages of its task have."""
    there = {f.path: samples.filters(f.path, heads[f.path], f.run.config(f.task)) for f in files}
    every = sorted({name for found in there.values() for name in found})
    if wanted is not None and wanted not in every:
        raise RequestError(
            f"there is no filter {wanted!r} in the log{did_you_mean(wanted, every)}",
            f"--filtered, one of {', '.join(every)}",
        )
    chosen: dict[Path, str | None] = {}
    notes = []
    for task in sorted({of_task[f.task][0] for f in files}):
        own = [f for f in files if of_task[f.task][0] == task]
        common = [name for name in there[own[0].path] if all(name in there[f.path] for f in own)]
        several = list(dict.fromkeys(name for f in own for name in there[f.path]))
        if wanted is not None and wanted in several and wanted not in common:
            lacking = ", ".join(of_task[f.task][1] for f in own if wanted not in there[f.path])
            raise RequestError(
                f"{task}: {lacking} has no filter {wanted!r}",
                f"--filtered, one of {', '.join(common) or 'none in common'}",
            )
        if not common and several:
            said = "; ".join(f"{of_task[f.task][1]}: {', '.join(there[f.path])}" for f in own)
            raise DataError(
                f"{task}: the languages have no filter in common ({said})",
                "name the files of languages that have one in common",
            )
        name = wanted if wanted in common else (common[0] if common else None)
        chosen |= dict.fromkeys((f.path for f in own), name)
        if len(several) > 1:
            other = next(n for n in several if n != name)
            notes.append(
                f"{task}: the filter {name} counts, of {', '.join(several)}; --filtered {other} chooses another"
            )
        elif wanted is not None and several and wanted not in several:
            notes.append(f"{task}: the filter {several[0]} counts, its only one: there is no {wanted}")
    return chosen, notes


def _stated(file: File, made: samples.Made, filtered: str | None) -> list[str]:
    """Say where the mean that the results state is not that of the samples."""
    if made.metric is None:
        return []
    stated = file.run.result(file.task, made.metric, filtered)
    if stated is None or made.mean is None or abs(stated - made.mean) <= runs.ROUNDING:
        return []
    return [
        f"{file.task}: the results state {made.metric} {stated:.4g}, the {len(made.table):,} samples have "
        f"{made.mean:.4g}: the samples count"
    ]


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
                    texts[lines[number]] = _prompt(json_text.loads(line).get("arguments"))
    return texts


def _prompt(arguments: Any) -> Prompt | None:
    if not arguments:
        return None  # a table of answers in JSON Lines
    each = [list(a.values()) for a in arguments.values()] if isinstance(arguments, dict) else arguments
    choices = tuple(str(a[1]).strip() for a in each if len(a) > 1 and isinstance(a[1], str))
    return Prompt(str(each[0][0]), choices)
