"""What a clean install of the core weighs, and how fast it starts: packages, megabytes, seconds to the first word."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks import harness
from benchmarks.harness import Row

PACKAGES, MEGABYTES, SECONDS = 45, 700, 0.5
"""The limits that the project holds itself to."""
RUNS = 15


def run(small: bool) -> Iterable[Row]:
    """Install the commit that is checked out, without extras, into an environment made for it, and look at it."""
    folder = harness.BENCH / "install"
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    before, weight_before = harness.installed(python), weight(folder)
    source = checkout(folder / "source")
    command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", "constraints.txt", "."]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    if done.returncode:
        raise harness.BenchmarkError(f"the core cannot be installed:\n{done.stderr[-2000:]}")
    shutil.rmtree(source)
    packages, weighed = harness.installed(python), weight(folder)
    told = {
        "command": "pip install -c constraints.txt .",
        "limit": PACKAGES,
        "there before": sorted(before),
        "installed": {name: version for name, version in sorted(packages.items()) if name not in before},
    }
    yield Row("install", "packages", len(packages) - len(before), unit="packages beside pip's own", settings=told)
    yield Row("install", "packages.all", len(packages), unit="packages", settings={"limit": PACKAGES})
    told = {"limit": MEGABYTES, "byte code": "as pip leaves it, compiled"}
    yield Row("install", "megabytes", (weighed - weight_before) / 1e6, unit="MB beside pip's own", settings=told)
    yield Row("install", "megabytes.all", weighed / 1e6, unit="MB", settings=told)
    yield from starts(folder, 3 if small else RUNS)


def checkout(folder: Path) -> Path:
    """Copy what is committed into a folder: nothing that an earlier build left behind is installed."""
    folder.mkdir()
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=harness.ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
    return folder


def weight(folder: Path) -> int:
    """Return the bytes of all files in a folder, links not followed."""
    return sum(p.lstat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


def starts(folder: Path, runs: int) -> Iterable[Row]:
    """Yield how long the help and the import take once the files are in the page cache."""
    commands = {
        "seconds.help": [folder / "bin" / "glotmix", "--help"],
        "seconds.import": [folder / "bin" / "python", "-c", "import glotmix"],
    }
    for metric, command in commands.items():
        seconds = []
        for _ in range(runs + 1):
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, cwd=harness.BENCH)
            seconds.append(time.perf_counter() - began)
        low, high = harness.interval(seconds[1:], np.median)
        yield Row(
            "install", metric, float(np.median(seconds[1:])), low, high, runs, "s, median", settings={"limit": SECONDS}
        )


if __name__ == "__main__":
    harness.main("install", run)
