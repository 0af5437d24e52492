"""Runs of an evaluation under one path, told apart by what they say themselves: whose answers, asked how, and when.

A harness leaves run after run in one folder. Answers of one model, asked in one way, may stand in one row of figures;
anything else is refused, with what differs, or told beside the figures.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from glotmix.core import json_text
from glotmix.core.errors import DataError

Conditions: TypeAlias = Mapping[str, str]
"""How a task was asked, by the names that its log has: ``num_fewshot``, ``chat_template``, ``limit`` …"""

ASKED = ("num_fewshot", "prompt", "chat_template", "system_instruction", "fewshot_as_multiturn", "output_type")
"""Conditions that make it another question: runs that differ in one of them are never mixed."""
_OF_A_LANGUAGE = ("prompt", "version")
"""Conditions that may differ between languages: prompts are translated."""
_WEIGHTS = ("revision", "subfolder", "peft", "delta", "lora_local_path", "gguf_file", "load_in_4bit", "load_in_8bit",
            "quantization", "autogptq", "gptqmodel")  # fmt: skip
"""Arguments that make it another model."""
_PROMPT = ("description", "doc_to_text", "doc_to_choice", "target_delimiter", "fewshot_delimiter")
ROUNDING = 1e-4
"""How far the mean that results state may be from that of the answers."""
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


@dataclass(frozen=True)
class Run:
    """What one file of results says (lm-eval's ``results_*.json``); nothing where there is none."""

    when: str
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> str | None:
        """The model's name, with what else makes it another one."""
        name = self.told.get("model_name") or self._config.get("model")
        if not name:
            return None
        arguments = self._config.get("model_args") or {}
        if isinstance(arguments, str):
            arguments = dict(a.split("=", 1) for a in arguments.split(",") if "=" in a)
        if not isinstance(arguments, Mapping):
            arguments = {}
        more = [f"{key}={arguments[key]}" for key in _WEIGHTS if arguments.get(key) not in (None, "", False, "False")]
        return " ".join([str(name), *more])

    @property
    def _config(self) -> Mapping[str, Any]:
        return self._section("config")

    def _section(self, name: str) -> Mapping[str, Any]:
        found = self.told.get(name)
        return found if isinstance(found, Mapping) else {}

    def config(self, task: str) -> Mapping[str, Any]:
        """Return the configuration of a task."""
        found = self._section("configs").get(task)
        return found if isinstance(found, Mapping) else {}

    def result(self, task: str, metric: str, filtered: str | None) -> float | None:
        """Return the mean of a metric that the results state for a task."""
        stated = self._section("results").get(task)
        value = stated.get(f"{metric},{filtered or 'none'}", stated.get(metric)) if isinstance(stated, dict) else None
        return float(value) if isinstance(value, int | float) else None

    def conditions(self, task: str) -> Conditions:
        """Return how a task was asked, as far as the results say it."""
        config = self.config(task)
        shots = self._section("n-shot").get(task, config.get("num_fewshot"))
        generation = config.get("generation_kwargs")
        if isinstance(generation, Mapping):
            # What ends an answer is written in the language of the prompt.
            generation = {key: generation[key] for key in sorted(generation) if key != "until"}
        said: dict[str, Any] = {
            "num_fewshot": shots,
            "output_type": config.get("output_type"),
            "generation_kwargs": generation,
            "repeats": config.get("repeats"),
            "version": self._section("versions").get(task),
            "prompt": [_ADDRESS.sub("", str(config[key])) for key in _PROMPT if config.get(key)],
            "chat_template": self.told.get("chat_template_sha") or self.told.get("chat_template"),
            "system_instruction": self.told.get("system_instruction_sha") or self.told.get("system_instruction"),
            "fewshot_as_multiturn": self.told.get("fewshot_as_multiturn"),
            "limit": self._config.get("limit"),
            "model_dtype": self._config.get("model_dtype"),
            "model_sha": self._config.get("model_sha"),
        }
        return {
            key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for key, value in said.items()
            if value is not None and value is not False and value not in ("", [], {})
        }


def read(folder: Path) -> dict[str, Run]:
    """Return the runs whose results stand in a folder, by their dates.

    Raises:
        DataError: if a file is no JSON object.
    """
    found = {}
    for path in sorted(folder.glob("results_*.json")):
        try:
            told = json_text.loads(path.read_bytes())
        except ValueError as error:
            raise DataError(f"{path} is damaged: {error}", "delete it: the samples can be read without it") from error
        if not isinstance(told, dict):
            raise DataError(f"{path} holds no object", "delete it: the samples can be read without it")
        when = path.stem.removeprefix("results_")
        found[when] = Run(when, told)
    return found


def of(runs: Mapping[str, Run], when: str, task: str) -> Run:
    """Return the run of a date; where it left no results, the newest other one that knows the task."""
    if when in runs:
        return runs[when]
    return next((runs[w] for w in sorted(runs, reverse=True) if runs[w].config(task)), Run(when))


@dataclass(frozen=True)
class File:
    """One file of answers: to which task, of which date, and the folder of its model."""

    path: Path
    task: str
    when: str
    folder: Path
    run: Run


def newest(files: Sequence[File], pattern: str) -> tuple[list[File], list[str]]:
    """Return the newest file of each task, sorted by task, and what was passed over for it.

    Args:
        files: of all runs.
        pattern: how files of one date are named in a shell: ``samples_*_{}*.jsonl``.

    Raises:
        DataError: if they are of more than one model, or a task was asked in more than one way.
    """
    _one_model(files)
    chosen: dict[str, File] = {}
    older: dict[str, list[File]] = {}
    for file in sorted(files, key=lambda f: (f.when, str(f.path))):
        if file.task in chosen:
            older.setdefault(file.task, []).append(chosen[file.task])
        chosen[file.task] = file
    for task, others in sorted(older.items()):
        _asked_alike(task, [*others, chosen[task]], pattern)
    notes = []
    if older:
        dates = sorted({f.when for others in older.values() for f in others})
        kept = sorted({chosen[task].when for task in older})
        named = ", ".join(sorted(older)[:5]) + (" …" if len(older) > 5 else "")
        notes.append(
            f"{len(older)} tasks ({named}) were run more than once: the newest counts ({_dates(kept)}), "
            f"not {_dates(dates)}"
        )
    return [chosen[task] for task in sorted(chosen)], notes


def _one_model(files: Sequence[File]) -> None:
    by_model: dict[str, set[str]] = {}
    nameless: set[str] = set()
    for file in files:
        if file.run.model is None:
            nameless.add(str(file.folder))
        else:
            by_model.setdefault(file.run.model, set()).add(str(file.folder))
    # A folder that says whose it is says so for its other files, too.
    nameless -= set().union(*by_model.values()) if by_model else set()
    if len(by_model) > 1:
        said = "; ".join(f"{model} in {', '.join(sorted(where))}" for model, where in sorted(by_model.items()))
        raise DataError(
            f"the answers are of {len(by_model)} models: {said}",
            "name the folder or the files of one; `glotmix eval compare` takes two",
        )
    folders = sorted(nameless | set().union(*by_model.values())) if nameless else []
    if len(folders) > 1:
        raise DataError(
            f"the answers stand in {len(folders)} folders, which are different models': {', '.join(folders[:5])}",
            "name one of them; `glotmix eval compare` takes two",
        )


def _asked_alike(task: str, files: Sequence[File], pattern: str) -> None:
    told = [f.run.conditions(task) for f in files]
    differ = [key for key in ASKED if len({t.get(key) for t in told}) > 1]
    if differ:
        said = "; ".join(
            ", ".join(f"{key} {_short(t.get(key))}" for key in differ) + f" in {f.path}"
            for f, t in zip(files, told, strict=True)
        )
        where = files[-1].path.parent / pattern.format(files[-1].when[:10])
        raise DataError(f"{task} was asked in different ways: {said}", f"name the files of one run: {where}")


def differences(told: Mapping[tuple[str, str], Conditions]) -> list[str]:
    """Return a sentence for each condition in which languages of one task differ.

    Args:
        told: conditions by task and language.
    """
    found = []
    for task in sorted({task for task, _ in told}):
        # A run that left no word of itself is not said to differ.
        of_task = {lang: conditions for (t, lang), conditions in told.items() if t == task and conditions}
        keys = sorted({key for conditions in of_task.values() for key in conditions})
        for key in (k for k in keys if k not in _OF_A_LANGUAGE):
            values = {lang: conditions.get(key) for lang, conditions in of_task.items()}
            if len(set(values.values())) > 1:
                found.append(f"{task}: the languages differ in {key}: {_by_value(values)}")
    return found


def dates(files: Mapping[Path, tuple[tuple[str, str], str]]) -> list[str]:
    """Say where languages of one task were run on different days, which a log may or may not mean.

    Args:
        files: by their paths, task and language, and the date.
    """
    found = []
    for task in sorted({task for (task, _), _ in files.values()}):
        days: dict[str, list[str]] = {}
        for (of, lang), when in files.values():
            if of == task:
                days.setdefault(when[:10], []).append(lang)
        if len(days) > 1:
            said = "; ".join(f"{day or 'no date'}: {', '.join(sorted(langs))}" for day, langs in sorted(days.items()))
            found.append(f"{task}: the languages were run on different days ({said})")
    return found


def between(
    names: tuple[str, str], first: Mapping[tuple[str, str], Conditions], second: Mapping[tuple[str, str], Conditions]
) -> list[str]:
    """Return a sentence for each condition in which two models were asked differently, prompts included."""
    found: dict[str, list[str]] = {}
    for which in sorted(first.keys() & second.keys()):
        one, two = first[which], second[which]
        for key in sorted(set(one) | set(two)):
            if key not in ("model_sha", "model_dtype") and one.get(key) != two.get(key):
                said = f"{key} ({names[0]}: {_short(one.get(key))}, {names[1]}: {_short(two.get(key))})"
                found.setdefault(said, []).append(" in ".join(which))
    return [f"the models were asked differently: {said}: {', '.join(where[:5])}" for said, where in found.items()]


def _by_value(values: Mapping[str, str | None]) -> str:
    langs: dict[str | None, list[str]] = {}
    for lang, value in sorted(values.items()):
        langs.setdefault(value, []).append(lang)
    return "; ".join(f"{_short(value)} in {', '.join(where)}" for value, where in langs.items())


def _short(value: str | None) -> str:
    if value is None:
        return "not set"
    return value if len(value) <= 60 else f"{value[:57]}…"


def _dates(dates: Iterable[str]) -> str:
    every = [date or "no date" for date in dates]
    return ", ".join(every[:3]) + (" …" if len(every) > 3 else "")
