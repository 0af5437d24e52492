"""lm-eval tasks for aligned items, in the names and modes of MuBench (arXiv 2506.19468; dataset aialt/MuBench).

A task is named ``{dataset}_{mode}_{lang}``. The modes, with the names that MuBench's files have:

- ``en_template``: English words around the item, options marked with letters, the letter is scored;
- ``local_template``: the same in the item's language (`words`), where markers are localised: ``الخيار A:``;
- ``cloze`` (MuBench's ``lighteval``): the prompt is continued with each choice, the likeliest continuation wins;
- ``mixed`` (MuBench's ``mix_lighteval_N``): cloze, each choice in one of the prompt's language, English, and others, at
  most N of which are not English.

The paper gives the modes, not the wording of its prompts nor how it draws the languages: both are our reconstruction.
"""

import csv
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import yaml

from glotmix.core import language, utf8
from glotmix.core.errors import RequestError
from glotmix.evaluate.items import Aligned, Item, write

Mode: TypeAlias = Literal["en_template", "local_template", "cloze", "mixed"]
Words: TypeAlias = Mapping[str, tuple[str, str, str]]
"""By canonical language: the words for question, option and answer."""

MODES: tuple[Mode, ...] = ("en_template", "local_template", "cloze", "mixed")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ENGLISH = "eng_Latn"


def words(path: Path | None = None) -> Words:
    """Read the words of prompts: ours (no fluent speaker has judged them), with those of a file of yours over them.

    Args:
        path: a TSV file with the columns ``lang, question, option, answer``.

    Raises:
        RequestError: if a column is missing or a language unknown.
    """
    if path is not None and not path.is_file():
        raise RequestError(f"there is no file {path}", "a TSV of lang, question, option, answer")
    told = _words((files("glotmix") / "data" / "prompts.tsv").read_text("utf-8"), "prompts.tsv")
    return told if path is None else told | _words(utf8.text(path), str(path))


def _words(text: str, origin: str) -> dict[str, tuple[str, str, str]]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    rows = csv.DictReader(lines, delimiter="\t")
    for column in ("lang", "question", "option", "answer"):
        if column not in (rows.fieldnames or ()):
            raise RequestError(f"{origin}: there is no column {column!r}", "lang, question, option, answer, with tabs")
    return {language.parse(r["lang"]).code: (r["question"], r["option"], r["answer"]) for r in rows}


def task_name(dataset: str, mode: Mode, lang: str, others: int = 2) -> str:
    """Return MuBench's name of a task.

    >>> task_name("MMLUDataset", "cloze", "fr"), task_name("MMLUDataset", "mixed", "fr")
    ('MMLUDataset_lighteval_fr', 'MMLUDataset_mix_lighteval_2_fr')
    """
    part = {"cloze": "lighteval", "mixed": f"mix_lighteval_{others}"}.get(mode, mode)
    return f"{dataset}_{part}_{lang}"


def make(
    aligned: Aligned,
    dataset: str,
    folder: Path,
    modes: Sequence[Mode] = MODES,
    localised: Words | None = None,
    others: int = 2,
    seed: int = 0,
) -> list[str]:
    """Write a task for each mode and language, a group for each mode, and the items; return the names of the tasks.

    lm-eval looks for the items where they lie now: run this again after the folder has moved.

    Args:
        aligned: see `items.read`.
        dataset: the first part of each name, such as ``XCOPADataset``.
        folder: what ``lm_eval --include_path`` is given.
        modes: which.
        localised: see `words`.
        others: in mode mixed, the most languages that are not English.
        seed: of the draw of languages.

    Raises:
        RequestError: if a mode is unknown, or a language has no words for its local template.
    """
    localised = words() if localised is None else localised
    codes = {lang: language.parse(lang).code for lang in aligned.languages}
    unknown = [mode for mode in modes if mode not in MODES]
    if unknown:
        raise RequestError(f"unknown mode {unknown[0]!r}", f"one of {', '.join(MODES)}")
    mute = [codes[lang] for lang in codes if codes[lang] not in localised]
    if "local_template" in modes and mute:
        raise RequestError(
            f"the words of a local template are not known for {', '.join(mute)}",
            "--words FILE.tsv with lang, question, option, answer; or leave the mode local_template out",
        )
    made: list[str] = []
    for mode in modes:
        names = []
        for lang in aligned.languages:
            name = task_name(dataset, mode, lang, others)
            items = _items(aligned, mode, lang, codes, localised, others, seed)
            data = folder / "items" / f"{name}.jsonl"
            write(items, data)
            _yaml(folder / f"{name}.yaml", _task(name, mode, data, codes[lang]))
            names.append(name)
        group = names[0].removesuffix(f"_{next(iter(aligned.languages))}")
        means = [{"metric": metric, "weight_by_size": False} for metric in _metrics(mode)]
        _yaml(folder / f"_{group}.yaml", {"group": group, "task": names, "aggregate_metric_list": means})
        made += names
    return made


def _items(
    aligned: Aligned, mode: Mode, lang: str, codes: Mapping[str, str], localised: Words, others: int, seed: int
) -> list[Item]:
    own = aligned.languages[lang]
    if mode == "cloze":
        return list(own)
    if mode == "mixed":
        return _mixed(aligned, lang, codes, others, seed)
    question, option, answer = localised[ENGLISH if mode == "en_template" else codes[lang]]
    return [
        Item(
            item.id,
            "\n".join(
                [
                    f"{question}: {item.prompt}",
                    *(f"{option} {letter}: {choice}" for letter, choice in zip(LETTERS, item.choices, strict=False)),
                    f"{answer}:",
                ]
            ),
            tuple(LETTERS[: len(item.choices)]),
            item.label,
        )
        for item in own
    ]


def _mixed(aligned: Aligned, lang: str, codes: Mapping[str, str], others: int, seed: int) -> list[Item]:
    english = [other for other in codes if codes[other] == ENGLISH]
    foreign = [other for other in codes if other != lang and other not in english]
    made = []
    for number, item in enumerate(aligned.languages[lang]):
        # The draw hangs on the item alone, so that it is the same in every language's file.
        rng = np.random.default_rng([seed, number])
        room = others - (lang not in english)
        drawn = rng.permutation(len(foreign))[: max(0, room)]
        pool = [lang, *(e for e in english if e != lang), *(foreign[d] for d in drawn)]
        picked = rng.integers(len(pool), size=len(item.choices))
        choices = tuple(aligned.languages[pool[p]][number].choices[c] for c, p in enumerate(picked))
        made.append(Item(item.id, item.prompt, choices, item.label))
    return made


def _metrics(mode: Mode) -> list[str]:
    return ["acc", "acc_norm"] if mode in ("cloze", "mixed") else ["acc"]


def _task(name: str, mode: Mode, data: Path, code: str) -> dict[str, Any]:
    spaced = language.parse(code).spaced or mode in ("en_template", "local_template")
    return {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data.resolve())}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{prompt}}",
        "doc_to_choice": "{{choices}}",
        "doc_to_target": "label",
        # Where no white space stands between words, none stands before a continuation.
        "target_delimiter": " " if spaced else "",
        "num_fewshot": 0,
        "metric_list": [{"metric": m, "aggregation": "mean", "higher_is_better": True} for m in _metrics(mode)],
        "metadata": {"version": 1, "language": code, "mode": mode},
    }


def _yaml(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(content), allow_unicode=True, sort_keys=False), "utf-8")
