"""Reading into the corpus and writing the data set: documents per CPU-second and peak memory, beside datatrove's.

Every figure is of a process of its own, less the CPU-seconds of the same process with 100 documents (start-up); the
rate with start-up stands in the settings.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import _corpus, harness
from benchmarks.harness import Cost, Row
from benchmarks.pipeline import DATATROVE, EMPTY
from glotmix.select import ledger

SIZE, SMALL_SIZE = 200_000, 4_000

row = partial(Row, "corpus")

READ = """
import sys
from pathlib import Path
from glotmix.core import record
from glotmix.corpus import read
from glotmix.corpus.sources import Source
path, out, ids = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] or None
told = {"path": str(path), "language": {"column": "lang"}, "columns": {"id": ids}}
source = Source.model_validate({"name": "web"} | told)
inputs = read.fingerprints([source], path)
make = lambda output: read.make(output, [source], path, None, 1_000_000)
record.build(out, record.Identity("corpus", read.VERSION, source.identity, inputs), make)
"""
WRITE = """
import sys
from pathlib import Path
from glotmix.core import record
from glotmix.corpus import write
corpus, ledger, out, formats = *map(Path, sys.argv[1:4]), sys.argv[4].split(",")
record.build(out, record.Identity("dataset", 1), lambda output: write.make(output, corpus, ledger, formats))
"""
PEER = """
import sys
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader, ParquetReader
from datatrove.pipeline.writers import JsonlWriter, ParquetWriter
kind, source, out, target = sys.argv[1:5]
reader = ParquetReader(source) if kind == "parquet" else JsonlReader(source, glob_pattern="*.jsonl*")
name = "${lang}/${rank}"
writer = (
    ParquetWriter(out, output_filename=name + ".parquet", compression="zstd")
    if target == "parquet"
    else JsonlWriter(out, output_filename=name + ".jsonl.zst", compression="zstd")
)
LocalPipelineExecutor([reader, writer], tasks=1, workers=1, logging_dir=out + "/logs").run()
"""


def run(small: bool) -> Iterable[Row]:
    """Measure reading in three formats, without ids, and writing in two; then datatrove reading and writing."""
    size = SMALL_SIZE if small else SIZE
    base = harness.BENCH / "corpus"
    shutil.rmtree(base, ignore_errors=True)
    inputs = {n: {kind: base / f"in-{n}" / kind for kind in ("jsonl", "zst", "parquet")} for n in (EMPTY, size)}
    for n in inputs:
        _apart(_inputs, n, base / f"in-{n}")
    for name, (kind, ids) in {
        "jsonl": ("jsonl", "id"),
        "jsonl_zst": ("zst", "id"),
        "parquet": ("parquet", "id"),
        "jsonl.without_ids": ("jsonl", ""),
    }.items():
        costs = {n: _measure(READ, inputs[n][kind], _fresh(base / f"{kind}{ids}-{n}"), ids) for n in inputs}
        yield from _rows(f"read.{name}", size, costs)
    for n in inputs:
        _apart(_ledger, base / f"jsonlid-{n}", base / f"ledger-{n}")
    for formats in ("parquet", "jsonl.zst"):
        costs = {
            n: _measure(WRITE, base / f"jsonlid-{n}", base / f"ledger-{n}", _fresh(base / f"dataset-{n}"), formats)
            for n in inputs
        }
        yield from _rows(f"write.{formats.replace('.', '_')}", size, costs)
    yield from _datatrove(size, inputs, base)


def _apart(function: Callable[..., None], first: int | Path, second: Path) -> None:
    """Call a function in a process of its own: what is measured here is forked from this one, with all its memory."""
    call = f"corpus.{function.__name__}({first!r}, {second!r})"
    code = f"from pathlib import Path, PosixPath; from benchmarks import corpus; {call}"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=harness.ROOT)


def _inputs(documents: int, folder: Path) -> None:
    """Write the corpus of the other benchmarks in three formats, with a nested column."""
    folders = {kind: folder / kind for kind in ("jsonl", "zst", "parquet")}
    for path in folders.values():
        path.mkdir(parents=True)
    for file in sorted(_corpus.make(documents).glob("*.jsonl.zst")):
        with pa.input_stream(file, compression="zstd") as stream:
            rows = [json.loads(line) for line in stream.read().splitlines()]
        for number, found in enumerate(rows):
            found["metadata"] = {"url": f"https://example.org/{file.name}/{number}", "depth": number % 9}
        name = file.name.partition(".")[0]
        lines = "".join(json.dumps(found, ensure_ascii=False) + "\n" for found in rows).encode()
        (folders["jsonl"] / f"{name}.jsonl").write_bytes(lines)
        with pa.output_stream(folders["zst"] / f"{name}.jsonl.zst", compression="zstd") as stream:
            stream.write(lines)
        pq.write_table(pa.Table.from_pylist(rows), folders["parquet"] / f"{name}.parquet", compression="zstd")


def _ledger(corpus: Path, folder: Path) -> None:
    """Write a ledger that keeps seven documents of ten."""
    folder.mkdir()
    for number, file in enumerate(sorted(corpus.rglob("*.parquet"))):
        rows = pq.read_table(file, columns=["id", "lang", "source", "text"], partitioning=None).to_pylist()
        usual = {"cluster_size": 1, "sources": 1, "borderline": [], "quality": 0.5, "quantile": 0.5, "weight": 1.0}
        kept = usual | {"kept": True, "failed": []}
        gone = usual | {
            "kept": False, "failed": ["quality"], "rule": "quality", "evidence": "quantile 0.1 below 0.3",
        }  # fmt: skip
        for i, each in enumerate(rows):
            size = len(each.pop("text").encode())
            each.update({"bytes": size, "chars": size} | (kept if i % 10 < 7 else gone))
        # What a row does not say is null.
        pq.write_table(pa.Table.from_pylist(rows, ledger.SCHEMA), folder / f"part-{number:05d}.parquet")


def _fresh(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    return path


def _measure(code: str, *arguments: object, python: str | Path = sys.executable) -> Cost:
    cost = harness.measure([python, "-c", code, *map(str, arguments)], env={"PYTHONWARNINGS": "ignore"})
    if cost.exit:
        raise harness.BenchmarkError(f"it ended with {cost.exit}:\n{cost.output}")
    return cost


def _rows(name: str, size: int, costs: dict[int, Cost], **told: object) -> Iterator[Row]:
    whole, start = costs[size], costs[EMPTY]
    told |= json.loads((_corpus.make(size) / "made.json").read_text("utf-8"))
    told |= {"cpu_seconds": whole.cpu_seconds, "startup_cpu_seconds": start.cpu_seconds}
    told |= {"wall_seconds": whole.wall_seconds, "with_startup": size / whole.cpu_seconds}
    rate = size / max(whole.cpu_seconds - start.cpu_seconds, 1e-3)
    yield row(f"docs_per_cpu_second.{name}", rate, n=size, unit="docs/CPU-s", settings=told)
    yield row(f"peak_memory_mb.{name}", whole.peak_mb, n=size, unit="MB", settings=told)


def _datatrove(size: int, inputs: dict[int, dict[str, Path]], base: Path) -> Iterator[Row]:
    """Read and write with datatrove: one pass from raw files to files per language, without checks of any kind."""
    python = harness.peer("datatrove", DATATROVE)
    version = harness.installed(python)["datatrove"]
    for kind, target in (("jsonl", "parquet"), ("parquet", "parquet"), ("jsonl", "jsonl.zst")):
        costs = {
            n: _measure(PEER, kind, inputs[n][kind], _fresh(base / f"peer-{n}"), target, python=python) for n in inputs
        }
        name = f"datatrove.{kind}_to_{target.replace('.', '_')}"
        yield from _rows(name, size, costs, version=version, does="reads and writes in one pass, checks nothing")


if __name__ == "__main__":
    harness.main("corpus", run)
