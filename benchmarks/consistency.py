"""Consistency across languages: coverage and bias over simulated worlds, MuBench's relations, a run of lm-eval, speed.

python -m benchmarks.consistency [--small] --json FILE
"""

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import _aligned, _worlds, harness
from benchmarks.harness import Row
from glotmix.evaluate import answers, items, names, published, reading, tasks
from glotmix.evaluate.scores import score

NAME = "consistency"
FOLDER = harness.BENCH / "evaluate"
LANGS = [
    "eng",
    "fra",
    "deu",
    "rus",
    "zho_Hans",
    "jpn",
    "arb",
    "hin",
    "ben",
    "tha",
    "swh",
    "tur",
    "vie",
    "tel",
    "spa",
    "ita",
    "est",
    "ind",
    "tam",
    "por",
]


def run(small: bool) -> Iterator[Row]:
    """Yield all rows."""
    yield from worlds(50 if small else 1000, 300)
    yield from relations(500 if small else 5000)
    yield from speed(20_000 if small else 1_000_000)
    yield from lm_eval(40 if small else 500)


def worlds(number: int, size: int) -> Iterable[Row]:
    """Simulate models of known consistency: how often intervals hold the truth, and how far estimates are off.

    Figures of one world hang together, so intervals are over the means of worlds.
    """
    held: dict[str, list[list[bool]]] = {}
    errors: dict[str, list[list[float]]] = {}
    undefined = 0
    for world in range(number):
        rng = np.random.default_rng([2506, world])
        joint = _worlds.law(rng)
        exact = _worlds.truth(joint)
        told = _worlds.found(score(_worlds.sample(joint, size, rng), "eng_Latn", listed=0, seed=world).as_dict())
        kinds = {"", *map(_worlds.kind, told)}
        for kind in sorted(kinds):
            held.setdefault(kind, []).append([])
            errors.setdefault(kind, []).append([])
        for name, figure in told.items():
            if figure["value"] is None or figure["low"] is None:
                undefined += 1
                continue
            kind = _worlds.kind(name)
            inside, off = figure["low"] <= exact[name] <= figure["high"], figure["value"] - exact[name]
            for k in (kind, ""):
                held[k][-1].append(inside)
            errors[kind][-1].append(off)
            if "rel" not in kind:
                # A ratio that is large where a model is hardly ever right would hide all others.
                errors[""][-1].append(off)
    settings = {"worlds": number, "items": size, "languages": len(_worlds.LANGS), "undefined": undefined}
    for metric, every, unit in (("coverage", held, "share"), ("bias", errors, "difference")):
        for kind, each in every.items():
            means = [float(np.mean(world)) for world in each if world]
            half = float(1.96 * np.std(means, ddof=1) / np.sqrt(len(means)))
            mean = float(np.mean(means))
            name = f"{metric}.{kind}".rstrip(".")
            yield Row(NAME, name, mean, mean - half, mean + half, len(means), unit, settings)


def relations(size: int) -> Iterable[Row]:
    """Recompute what MuBench's published numbers say, and score a model that has gemma-3-1b's on MNLI."""
    for model, task, options, acc, mlc in (
        ("gemma-3-1b", "mnli", 3, 0.327, 0.862),
        ("gpt-4o", "mmlu", 4, 0.700, 0.684),
        ("gpt-4o", "arc_easy", 4, 0.936, 0.903),
    ):
        told = published.relation(acc, mlc, options)
        given = {"accuracy": acc, "mlc": mlc, "options": options, "source": "arXiv 2506.19468, all pairs"}
        where = f"{task}.{model}"
        yield Row(NAME, f"published.rel_mlc.{where}", told.rel, unit="ratio", settings=given)
        yield Row(NAME, f"published.same_wrong_at_least.{where}", told.same_wrong, unit="share", settings=given)
        yield Row(NAME, f"published.degenerate.{where}", int(told.degenerate), unit="flag", settings=given)
    share = published.relation(0.327, 0.862, 3).majority
    assert share is not None
    # Answers that say nothing of the item, with the share of one answer that gives MLC 0.862; MNLI's classes are even.
    rng = np.random.default_rng(0)
    langs = len(LANGS)
    gold = rng.integers(3, size=size)
    choice = rng.choice(3, size=(langs, size), p=[share, (1 - share) / 2, (1 - share) / 2])
    columns = {
        "task": ["mnli"] * size * langs,
        "lang": [lang for lang in LANGS for _ in range(size)],
        "item": [str(i) for i in range(size)] * langs,
        "options": [3] * size * langs,
        "gold": np.tile(gold, langs),
        "raw": choice.ravel(),
    }
    (scored,) = score(answers.Answers("like gemma-3-1b", answers.table(columns)), listed=0).tasks
    settings = {"items": size, "languages": langs, "majority_share": share, "simulated": True}
    for metric, figure in (("degenerate.kappa", scored.all.kappa), ("degenerate.mlc", scored.all.mlc)):
        yield Row(NAME, metric, figure.value, figure.low, figure.high, scored.all.pairs, "share", settings)
    flagged = sum(each.degenerate for each in scored.languages)
    yield Row(NAME, "degenerate.flagged", flagged / langs, n=langs, unit="share", settings=settings)


def speed(rows: int) -> Iterable[Row]:
    """Time the whole command on a table, and on logs of lm-eval, of that many item-language rows."""
    each = rows // len(LANGS)
    rng = np.random.default_rng(0)
    gold = rng.integers(4, size=each)
    choice = np.where(rng.random((len(LANGS), each)) < 0.6, gold, rng.integers(4, size=(len(LANGS), each)))
    folder = FOLDER / "million"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    table = pa.table(
        {
            "item": [f"item-{i}" for i in range(each)] * len(LANGS),
            "language": [lang for lang in LANGS for _ in range(each)],
            "choice": choice.ravel(),
            "gold": np.tile(gold, len(LANGS)),
        }
    )
    pq.write_table(table, folder / "quiz.parquet")
    del table
    yield from _timed("", folder / "quiz.parquet", each)
    logs = folder / "logs"
    logs.mkdir()
    for lang, chosen in zip(LANGS, choice, strict=True):
        _log(logs / f"samples_quiz_{lang}_2025-01-01T00-00-00.jsonl", gold, chosen)
    size = sum(path.stat().st_size for path in logs.iterdir())
    yield from _timed(".lm_eval", logs, each, log_mb=round(size / 1e6))
    shutil.rmtree(folder)


def _log(path: Path, gold: np.ndarray, chosen: np.ndarray) -> None:
    """Write samples in the shape of lm-eval 0.4.13, with prompts of about 300 characters."""
    prompt = "Which of these is it, after all that was said and done before? " * 5
    arguments = {f"gen_args_{k}": {"arg_0": prompt, "arg_1": f" choice number {k}"} for k in range(4)}
    shared = json.dumps(arguments)
    with path.open("w", encoding="utf-8") as file:
        for number, (right, took) in enumerate(zip(gold.tolist(), chosen.tolist(), strict=True)):
            resps = json.dumps([[str(-12.345678 - (k != took)), "False"] for k in range(4)])
            acc = float(right == took)
            file.write(
                f'{{"doc_id": {number}, "doc": {{"_id": "item-{number}", "prompt": "{prompt}", "label": {right}}}, '
                f'"target": "{right}", "arguments": {shared}, "filtered_resps": {resps}, "filter": "none", '
                f'"metrics": ["acc"], "acc": {acc}}}\n'
            )


def _timed(name: str, path: Path, items_each: int, **more: object) -> Iterable[Row]:
    command = [sys.executable, "-m", "glotmix", "eval", "scores", path, "--pivot", "eng_Latn", "--json"]
    load = os.getloadavg()[0]
    cost = harness.measure(command)
    if cost.exit:
        raise harness.BenchmarkError(f"glotmix eval scores failed:\n{cost.output}")
    settings = {"items": items_each, "languages": len(LANGS), "wall_seconds": round(cost.wall_seconds, 2)}
    settings |= {"load_average": round(load, 1), "command": "glotmix eval scores … --pivot eng_Latn --json", **more}
    n = items_each * len(LANGS)
    yield Row(NAME, f"seconds.1m{name}", cost.cpu_seconds * 1e6 / n, n=n, unit="CPU-s", settings=settings)
    yield Row(NAME, f"memory_mb.1m{name}", cost.peak_mb, n=n, unit="MB", settings=settings)


def lm_eval(each: int) -> Iterable[Row]:
    """Run lm-eval on XCOPA with a tiny model and compare every accuracy of one glotmix command with lm-eval's own."""
    python = harness.peer("lm-eval", _aligned.LM_EVAL)
    model = FOLDER / "tiny"
    if not (model / "model.safetensors").is_file():
        _aligned.tiny(python, model)
    folder = FOLDER / f"run-{each}"
    shutil.rmtree(folder, ignore_errors=True)
    _aligned.xcopa(folder / "xcopa.jsonl", each)
    made = tasks.make(items.read(folder / "xcopa.jsonl"), "XCOPADataset", folder / "tasks", ["cloze"])
    _aligned.lm_eval(python, model, made, folder / "tasks", folder / "logs", batch=64)
    (told,) = (json.loads(path.read_text("utf-8")) for path in folder.glob("logs/*/results_*.json"))
    found = score(reading.read([folder / "logs"]), listed=0).tasks[0]
    equal, compared = 0, 0
    for name, metrics in told["results"].items():
        if name not in made:
            continue
        lang = names.split(name)[1]
        (own,) = (o for o in found.languages if o.lang == lang)
        for figure, metric in ((own.raw, "acc,none"), (own.chars, "acc_norm,none")):
            assert figure is not None
            compared += 1
            equal += figure.value == metrics[metric]
    settings = {
        "lm_eval": told["lm_eval_version"],
        "items": found.items,
        "languages": len(found.languages),
        "model": "two-layer Llama, byte-level BPE of 2,048 pieces, trained for 60 steps (benchmarks/_tiny_lm.py)",
        "data": "XCOPA test, cloze",
    }
    yield Row(NAME, "lm_eval.equal", equal / compared, n=compared, unit="share", settings=settings)
    for metric, figure in (("mlc", found.all.mlc), ("kappa", found.all.kappa)):
        yield Row(NAME, f"lm_eval.{metric}", figure.value, figure.low, figure.high, found.all.pairs, "share", settings)
    moved = [abs(o.bytes.value - o.chars.value) for o in found.languages if o.bytes and o.chars]
    yield Row(NAME, "lm_eval.bytes_against_chars.largest", max(moved), n=len(moved), unit="share", settings=settings)


if __name__ == "__main__":
    harness.main(NAME, run)
