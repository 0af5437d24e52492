"""Runs of `glotmix` as its users start it, killed or not, and what they leave, for comparing."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from benchmarks import harness

GLOTMIX = Path(sys.executable).with_name("glotmix")


_WITHOUT_PANDAS = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            raise ModuleNotFoundError("no pandas: as the core is installed", name=name)

sys.meta_path.insert(0, Hidden())
"""


def installed() -> dict[str, str]:
    """Return the environment of a run as `pip install glotmix` leaves it: bytecode compiled, and no pandas.

    PyArrow loads pandas where it is installed, which takes as long as a small run; glotmix does not install it.
    """
    folder = harness.BENCH / "core"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(_WITHOUT_PANDAS, "utf-8")
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(harness.BENCH / "bytecode"),
    }


def recipe(folder: Path, sources: Sequence[Path], settings: Mapping[str, object] | None = None) -> Path:
    """Write the recipe of the main path without a rater, for files with ``id, lang, text``; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "name": "pipeline",
        "corpus": {"sources": [{"name": "web", "path": [str(s) for s in sources], "language": {"column": "lang"}}]},
        "quality": None,
        "select": {"retain": "all"},
        **(settings or {}),
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
    return path


def command(path: Path, *overrides: str) -> list[str | Path]:
    """Return the command of the main path: everything up to the data set, without the report."""
    return [GLOTMIX, "export", path, *overrides, "--quiet"]


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that a run made, by its path in the run's folder.

    Left out are the records, which hold seconds: theirs is the digest of all but how long it took, and of the seal over
    it; and ``.glotmix``, where a run says who it is.
    """
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.parent.name != ".glotmix"):
        content = path.read_bytes()
        if path.name == "record.json":
            kept = {
                k: v for k, v in json.loads(content).items() if k not in ("seconds", "cpu_seconds", "nodes", "seal")
            }
            content = json.dumps(kept, sort_keys=True).encode()
        found[path.relative_to(folder).as_posix()] = hashlib.sha256(content).hexdigest()
    return found


def decisions(folder: Path) -> dict[str, tuple[bool, str | None, str]]:
    """Return for every document id whether it is kept, by which rule not, and its near-duplicate cluster."""
    ledger = _columns(folder / "ledger", ["id", "kept", "rule"])
    clusters = dict(_columns(folder / "signals" / "duplicates", ["id", "cluster"]))
    return {identity: (kept, rule, clusters[identity]) for identity, kept, rule in ledger}


def _columns(folder: Path, names: list[str]) -> Iterator[tuple]:
    for path in sorted(folder.glob("*.parquet")):
        table = pq.read_table(path, columns=names)
        yield from zip(*(table[n].to_pylist() for n in names), strict=True)


def killed(run: Sequence[str | Path], after: float, chance: random.Random) -> float | None:
    """Start a run and kill -9 its whole process group at a random moment before `after` seconds; return the moment.

    Returns None if the run was done before that.
    """
    moment = chance.uniform(0.05, 1.0) * after
    process = subprocess.Popen(
        [str(c) for c in run], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return moment
    return None


def finish(run: Sequence[str | Path]) -> float:
    """Run to the end and return the seconds.

    Raises:
        BenchmarkError: with the last words of a run that failed.
    """
    began = time.perf_counter()
    done = subprocess.run([str(c) for c in run], capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stderr + done.stdout)[-3000:]
        raise harness.BenchmarkError(f"{' '.join(map(str, run))} ended with {done.returncode}:\n{words}")
    return time.perf_counter() - began


def shared(left: Mapping[str, object], right: Mapping[str, object]) -> float:
    """Return the share of keys (of either) that have the same value in both."""
    keys: Iterable[str] = left.keys() | right.keys()
    missing = object()
    return sum(left.get(k, missing) == right.get(k, missing) for k in keys) / max(1, len(set(keys)))
