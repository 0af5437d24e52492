"""XCOPA and MGSM from the shared data as items that glotmix and lm-eval read, and runs of lm-eval over them."""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from benchmarks import harness

LM_EVAL = ("-c", "constraints.txt", "lm-eval[hf]==0.4.13", "tokenizers>=0.21")
"""Of the environment that runs lm-eval: see `harness.peer`."""
LIGHTEVAL = ("-c", "constraints.txt", "lighteval==0.13.0")
"""Of the environment whose classes write lighteval's details."""


def xcopa(path: Path, items: int | None = None) -> None:
    """Write XCOPA (CC BY 4.0; 11 languages) as one table of aligned two-choice items."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for row in pq.read_table(harness.data("aligned/xcopa.parquet")).to_pylist():
            if items is None or row["idx"] < items:
                item = {
                    "lang": row["lang"],
                    "_id": f"xcopa-{row['idx']:03d}",
                    "prompt": row["premise"],
                    "choices": [row["choice1"], row["choice2"]],
                    "label": row["label"],
                }
                file.write(json.dumps(item, ensure_ascii=False) + "\n")


def mgsm(folder: Path, items: int) -> list[str]:
    """Write generate-until tasks for MGSM (CC BY 4.0; 11 languages); return their names."""
    rows = pq.read_table(harness.data("aligned/mgsm.parquet")).to_pylist()
    names = []
    for lang in sorted({row["lang"] for row in rows}):
        name = f"mgsm_open_{lang}"
        data = folder / "items" / f"{name}.jsonl"
        data.parent.mkdir(parents=True, exist_ok=True)
        kept = [{"id": r["i"], "question": r["question"], "answer": r["answer"]} for r in rows if r["lang"] == lang]
        data.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in kept[:items]), "utf-8")
        task = {
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(data.resolve())}},
            "test_split": "test",
            "output_type": "generate_until",
            "doc_to_text": "{{question}}\n",
            "doc_to_target": "{{answer}}",
            "generation_kwargs": {"until": ["\n\n"], "max_gen_toks": 24, "do_sample": False},
            "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(task, allow_unicode=True), "utf-8")
        names.append(name)
    return names


def lm_eval(python: Path, model: Path, tasks: Sequence[str], include: Path, out: Path, batch: int = 16) -> None:
    """Run lm-eval on the CPU, offline, and keep its samples.

    Raises:
        BenchmarkError: with its last words, if it fails.
    """
    command = [python, "-m", "lm_eval", "--model", "hf", "--model_args", f"pretrained={model},dtype=float32"]
    command += ["--tasks", ",".join(tasks), "--include_path", include, "--output_path", out, "--log_samples"]
    command += ["--device", "cpu", "--batch_size", str(batch)]
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    home = {"HF_HOME": str(harness.BENCH / "evaluate" / "hf"), "TOKENIZERS_PARALLELISM": "false"}
    cost = harness.measure(command, env=offline | home)
    if cost.exit:
        raise harness.BenchmarkError(f"lm-eval failed:\n{cost.output}")


def tiny(python: Path, folder: Path, sentences: int = 600) -> None:
    """Train the tiny model on the first sentences of NTREX (CC BY-SA 4.0) in 19 languages.

    Raises:
        BenchmarkError: with its last words, if it fails.
    """
    langs = [
        "eng",
        "est",
        "ind",
        "ita",
        "swa",
        "tam",
        "tha",
        "tur",
        "vie",
        "zho-CN",
        "deu",
        "fra",
        "rus",
        "spa",
        "jpn",
        "ben",
        "tel",
        "fij",
        "mri",
    ]
    rows = pq.read_table(harness.data("ntrex.parquet"), columns=["lang", "i", "text"]).to_pylist()
    kept = [row for row in rows if row["lang"] in langs and row["i"] < sentences]
    # Languages in turn, so that every batch has many.
    kept.sort(key=lambda row: (row["i"], row["lang"]))
    text = folder.with_suffix(".txt")
    text.parent.mkdir(parents=True, exist_ok=True)
    text.write_text("".join(row["text"] + "\n" for row in kept), "utf-8")
    cost = harness.measure([python, harness.ROOT / "benchmarks" / "_tiny_lm.py", text, folder])
    if cost.exit:
        raise harness.BenchmarkError(f"the tiny model could not be trained:\n{cost.output}")
