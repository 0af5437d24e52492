"""Logs of lm-eval in miniature, as 0.4.x writes them: samples and results of one run."""

import json
from pathlib import Path
from typing import Any

WHEN = "2026-02-03T10-00-00.000000"


def chosen(number: int, gold: int, taken: int, options: int = 2, **more: Any) -> dict[str, Any]:
    """Return a sample of a question with options, of which one is the likeliest."""
    scores = [["-1.0" if at == taken else f"-{at + 2}.5", "False"] for at in range(options)]
    return {
        "doc_id": number,
        "doc": {"id": f"q{number}"},
        "target": str(gold),
        "arguments": {f"gen_args_{at}": {"arg_0": "?", "arg_1": f" {'abcdef'[at] * 2}"} for at in range(options)},
        "resps": [[score] for score in scores],
        "filtered_resps": scores,
        "filter": "none",
        "metrics": ["acc"],
        "acc": float(gold == taken),
    } | more


def generated(number: int, target: str, reply: str, found: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a sample of a generated answer, and what the filter found in it."""
    return {
        "doc_id": number,
        "doc": {"id": f"q{number}"},
        "target": target,
        "arguments": {"gen_args_0": {"arg_0": "?", "arg_1": {"until": ["\n"], "do_sample": False}}},
        "resps": [[reply]],
        "filtered_resps": [reply if found is None else found],
        "filter": "none",
        "metrics": ["exact_match"],
        "exact_match": 0.0,
    } | more


def write(
    folder: Path, tasks: dict[str, list[dict[str, Any]]], when: str = WHEN, alone: bool = False, **told: Any
) -> Path:
    """Write the samples of tasks and, unless they are to stand alone, the results of the run; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for task, rows in tasks.items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"samples_{task}_{when}.jsonl").write_text(lines, "utf-8")
    if not alone:
        said = {"results": {}, "configs": {task: {"task": task} for task in tasks}, "model_name": "tiny"} | told
        (folder / f"results_{when}.json").write_text(json.dumps(said), "utf-8")
    return folder
