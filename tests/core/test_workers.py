"""The engine's workers: how many may be asked for, and that nothing depends on them."""

import json
import os
import subprocess
import sys
from pathlib import Path

from duplicates_world import documents
from glotmix.core import table

ROOT = Path(__file__).parents[2]


def test_workers_and_shards_make_no_difference(tmp_path: Path):
    """In processes of their own: the engine is set up once in each."""
    table.write(documents().select(["id", "text", "lang"]), tmp_path / "raw" / "all.parquet")
    told = set()
    for workers, shards in ((1, 1), (2, 16), (4, 3)):
        options = ["--workers", str(workers), "--shards", str(shards), "--selftest", "0"]
        command = [sys.executable, "-m", "benchmarks._dedup", tmp_path / "raw", tmp_path / f"out-{workers}", *options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        assert found["counts"]["duplicates"] > 100
        told.add((found["digest"], found["counts"]["pairs_linked"], found["counts"]["kept"]))
    assert len(told) == 1


def test_more_workers_than_cores_are_an_error_unless_asked_for():
    many = (os.cpu_count() or 1) + 2

    def start(options: str) -> subprocess.CompletedProcess[str]:
        code = (
            f"import daft; from glotmix.core import table; table.start({options}); print(daft.from_pydict(dict(a=[7])))"
        )
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    refused = start(f"workers={many}")
    assert refused.returncode and f"{many} workers were asked for" in refused.stderr
    allowed = start(f"workers={many}, oversubscribe=True")
    assert not allowed.returncode and "a" in allowed.stdout
