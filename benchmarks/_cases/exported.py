"""What an export left behind, for the checks of cases."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Run = Callable[[Sequence[str]], "CompletedProcess[str]"]


def export(run: Run, recipe: str = "recipe.yaml") -> "CompletedProcess[str]":
    """Run ``glotmix export`` on a recipe."""
    return run(["glotmix", "export", recipe])


def kept(folder: Path) -> list[dict[str, Any]]:
    """Return the documents of the data set."""
    files = sorted((folder / "out/dataset").glob("*/*.parquet"))
    return [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]


def lines(folder: Path) -> list[str]:
    """Return the lines of the data set's JSON lines."""
    found: list[str] = []
    for file in sorted((folder / "out/dataset").glob("*/*.jsonl.zst")):
        with pa.input_stream(str(file), compression="zstd") as stream:
            found += stream.read().decode().splitlines()
    return found


def ledger(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the ledger's row of each document, by its id."""
    files = sorted((folder / "out/ledger").glob("part-*.parquet"))
    return {row["id"]: row for file in files for row in pq.ParquetFile(file).read().to_pylist()}


def notes(folder: Path, step: str = "corpus") -> dict[str, Any]:
    """Return the notes of a step's record."""
    found: dict[str, Any] = json.loads((folder / "out" / step / "record.json").read_text("utf-8"))["notes"]
    return found


def quarantined(folder: Path) -> list[dict[str, Any]]:
    """Return the rows in quarantine."""
    files = sorted((folder / "out/corpus/quarantine").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def failed(done: "CompletedProcess[str]") -> str | None:
    """Say what a command that should have gone well said instead."""
    if done.returncode == 0:
        return None
    told = done.stderr.strip().splitlines()
    return f"exit {done.returncode}: {told[-1] if told else 'not a word'}"


def traceback(done: "CompletedProcess[str]") -> bool:
    """Say whether a command ended in a traceback."""
    return "Traceback (most recent call last)" in done.stderr
