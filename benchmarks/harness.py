"""What every benchmark shares: rows, the command line, data, peers in environments of their own, measuring.

A benchmark is a module with `run(small: bool) -> Iterable[Row]` and, at its end,
`if __name__ == "__main__": harness.main("NAME", run)`. A module whose name starts with `_` is a helper of one.
"""

import argparse
import contextlib
import ctypes
import hashlib
import json
import math
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / ".bench"
"""Everything that benchmarks make: environments of peers, corpora, outputs. Safe to delete."""
RESULTS = Path(__file__).resolve().parent / "results"
DATA = ROOT.parent / "shared" / "data"
"""Real data, beside the repository; benchmarks/README.md says what each file is and where it comes from."""

_METRIC = re.compile(r"[a-z0-9][\w@+-]*(\.[\w@+-]+)*")
_PR_SET_CHILD_SUBREAPER = 36


class BenchmarkError(Exception):
    """The benchmark cannot run here (exit code 3): data or a peer is missing."""


@dataclass(frozen=True)
class Row:
    """One measured number.

    Args:
        benchmark: the module's name.
        metric: dots go from general to particular: ``throughput.docs_per_cpu_second.20000``.
        value: the number; None where there is none (never 0 for a missing one).
        low: lower end of the 95 % interval, None where there is no interval.
        high: its upper end.
        n: how many observations the value comes from (documents, runs, languages: `settings` says which).
        unit: of `value`, `low` and `high`.
        settings: everything else that one needs to repeat or to judge it.

    Raises:
        ValueError: for NaN or infinity (a missing value is None) and for a metric that is no dotted name.
    """

    benchmark: str
    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    unit: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _METRIC.fullmatch(self.metric):
            raise ValueError(f"{self.metric!r} is no metric name: lower case parts with dots between them")
        for name in ("value", "low", "high"):
            given = getattr(self, name)
            if given is not None:
                if not math.isfinite(given):
                    raise ValueError(f"{self.metric}: {name} is {given}; a missing value is None")
                object.__setattr__(self, name, given if isinstance(given, int) else float(given))


# ---------------------------------------------------------------------------------------------- command line


def main(name: str, run: Callable[[bool], Iterable[Row]]) -> None:
    """Run one benchmark as a command: print its table, write its rows.

    Args:
        name: the benchmark's name; every row must carry it.
        run: given whether the run is a small one (minutes, not for the record), yields the rows.
    """
    arguments = parser(name).parse_args()
    facts = environment(name, arguments.small)
    try:
        rows = taken(name, run(arguments.small))
    except BenchmarkError as error:
        print(f"{name}: {error}", file=sys.stderr)
        raise SystemExit(3) from None
    show(name, rows)
    if arguments.json is not None:
        write(arguments.json, [facts, *rows])


def parser(name: str) -> argparse.ArgumentParser:
    """Return what every benchmark's command line takes."""
    made = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=sys.modules["__main__"].__doc__)
    made.add_argument("--small", action="store_true", help="a quick run that proves that the benchmark works")
    made.add_argument("--json", type=Path, metavar="FILE", help="where the rows go")
    return made


def taken(name: str, rows: Iterable[Row]) -> list[Row]:
    """Take a benchmark's rows, which must carry its name, and say each as it comes."""
    found = []
    for row in rows:
        if row.benchmark != name:
            raise ValueError(f"{row.metric} says that it belongs to {row.benchmark!r}, not to {name!r}")
        found.append(row)
        print(f"{row.metric}: {shown(row.value)} {row.unit or ''}", file=sys.stderr, flush=True)
    return found


def show(name: str, rows: Sequence[Row]) -> None:
    """Print the table of a benchmark."""
    # A pipe has no width of its own: wide enough for the longest name.
    Console(width=None if sys.stdout.isatty() else 160).print(as_table(name, rows))


def environment(name: str, small: bool = False) -> Row:
    """Return the row that opens every file of results: where, when and at which commit it was measured."""
    libraries = ("glotmix", "daft", "pyarrow", "numpy", "scipy", "scikit-learn", "lightgbm", "py3langid")
    return Row(
        name,
        "environment",
        None,
        settings={
            "commit": _git("rev-parse", "HEAD"),
            "uncommitted": _git("status", "--porcelain", "--untracked-files=no") not in ("", None),
            "measured": time.strftime("%Y-%m-%d", time.gmtime()),
            "small": small,
            "cores": len(os.sched_getaffinity(0)),
            "processor": _processor(),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
            "versions": {library: _version(library) for library in libraries},
        },
    )


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as a JSON list, one row a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(asdict(row), ensure_ascii=False, allow_nan=False) for row in rows]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n", "utf-8")


def read(path: Path) -> list[Row]:
    """Read the rows that `write` wrote."""
    return [Row(**row) for row in json.loads(path.read_text("utf-8"))]


def as_table(name: str, rows: Iterable[Row]) -> Table:
    """Return the rows as a table for the terminal."""
    table = Table(title=name, title_justify="left")
    table.add_column("metric", overflow="fold")
    for column in ("value", "95 % interval", "n"):
        table.add_column(column, justify="right")
    table.add_column("unit")
    for row in rows:
        table.add_row(row.metric, shown(row.value), between(row), "" if row.n is None else f"{row.n:,}", row.unit or "")
    return table


def shown(value: float | None) -> str:
    """Return a number as a reader wants it: four figures, thousands apart, a dash for a missing one.

    >>> [shown(v) for v in (None, 0, 3, 0.123456, 1234567.8, 12.5)]
    ['–', '0', '3', '0.1235', '1,234,568', '12.5']
    """
    if value is None:
        return "–"
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def between(row: Row) -> str:
    """Return the interval of a row, or nothing."""
    return "" if row.low is None and row.high is None else f"{shown(row.low)} … {shown(row.high)}"


# -------------------------------------------------------------------------------------------- data and peers


def data(name: str) -> Path:
    """Return the path of a data file, such as ``crawl.parquet``.

    Raises:
        BenchmarkError: naming the file and where it was looked for.
    """
    path = DATA / name
    if not path.exists():
        raise BenchmarkError(
            f"the data file {name} is missing: it is looked for in {os.path.relpath(DATA, ROOT)} beside the "
            "repository; benchmarks/README.md says what it is and where it comes from"
        )
    return path


def peer(name: str, requirements: Sequence[str]) -> Path:
    """Return the Python of a peer's own environment, made once under ``.bench/`` from the package registry.

    Args:
        name: of the environment; other requirements make another one.
        requirements: as pip takes them; pin them, so that the figures can be repeated.

    Raises:
        BenchmarkError: with pip's last words, if it cannot be installed.
    """
    mark = hashlib.sha256("\n".join([platform.python_version(), *requirements]).encode()).hexdigest()[:8]
    folder = BENCH / "peers" / f"{name}-{mark}"
    python = folder / "bin" / "python"
    if (folder / "ready").is_file():
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", folder], check=True)
    pip = [*_pip(python), "install", "-q", *requirements]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"the peer {name} cannot be installed ({' '.join(requirements)}):\n{done.stderr[-2000:]}")
    (folder / "ready").write_text("\n".join(requirements), "utf-8")
    return python


def installed(python: Path) -> dict[str, str]:
    """Return the packages of an environment: name → version."""
    done = subprocess.run([*_pip(python), "list", "--format=json"], capture_output=True, text=True, check=True)
    return {package["name"].lower(): package["version"] for package in json.loads(done.stdout)}


def _pip(python: Path) -> list[str | Path]:
    # This environment's pip works on the other one: there pip itself is no package of the peer's.
    return [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]


# ------------------------------------------------------------------------------------------------ measuring


@dataclass(frozen=True)
class Cost:
    """What a command cost, its whole process tree together.

    `cpu_seconds` is user and system time. `peak_mb` is the larger of two numbers: the greatest resident memory of
    any single process (the high-water mark of its own memory: what `wait4` tells has that of the process which forked
    it in it), and the greatest sum over the tree at one moment. Both are looked at ten times a second: what happens in
    a process's last tenth is missed, and pages that processes share count once for each. In MB of 10⁶ bytes. `output`
    is the end of what it printed, both streams.
    """

    cpu_seconds: float
    wall_seconds: float
    peak_mb: float
    exit: int
    output: str


def measure(command: Sequence[str | Path], cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> Cost:
    """Run a command and return what its process tree cost. Not for use from two threads at once.

    The time of grandchildren counts even where their parent dies first: this process adopts orphans (Linux's
    child subreaper) and waits for them. Not counted: the children of a process that ignores SIGCHLD, since the
    kernel then forgets their time. Orphans still alive 10 s after the command ended are killed.

    Args:
        command: program and arguments.
        cwd: the folder it runs in.
        env: variables added to (or replacing) those of this process.
    """
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    log = BENCH / f"measure-{os.getpid()}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    cpu, largest, together = 0.0, 0, 0
    before = set(_descendants(os.getpid()))
    began = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(c) for c in command],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        status, deadline, wall = None, math.inf, 0.0
        mine: list[int] = []
        looked = -math.inf
        while True:
            # To look for children costs a core a hundredth of its time: once a second, but in the first and at the end.
            now = time.monotonic()
            if status is not None or now - began < 1 or now - looked > 1:
                mine, looked = [p for p in _descendants(os.getpid()) if p not in before], now
            tree = [_resident(p) for p in mine]
            together = max(together, sum(now for now, _ in tree))
            largest = max([largest, *(most for _, most in tree)])
            try:
                gone, code, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if gone:
                cpu += usage.ru_utime + usage.ru_stime
                if gone == process.pid:
                    status = os.waitstatus_to_exitcode(code)
                    process.returncode = status
                    wall = time.monotonic() - began
                    deadline = time.monotonic() + 10
                continue
            if status is not None and not mine:
                # Other children of this process are none of the command's.
                break
            if time.monotonic() > deadline:
                for orphan in mine:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(orphan, 9)
            time.sleep(0.1 if status is None else 0.005)
    output = log.read_bytes()[-4000:].decode("utf-8", "replace")
    log.unlink()
    assert status is not None
    return Cost(cpu, wall, max(largest, together) / 1e6, status, output)


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it ended while it was looked at
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _resident(process: int) -> tuple[int, int]:
    """Return the resident bytes of a process, now and at most."""
    try:
        told = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
        return int(told["VmRSS"].split()[0]) * 1024, int(told["VmHWM"].split()[0]) * 1024
    except (OSError, KeyError):
        # It ended, or is a zombie: no memory left.
        return 0, 0


def _git(*arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


# ------------------------------------------------------------------------------------------------ statistics


def interval(
    values: Sequence[float],
    statistic: Callable[..., float] = np.mean,
    seed: int = 0,
    draws: int = 10_000,
) -> tuple[float | None, float | None]:
    """Return the 95 % percentile bootstrap interval of a statistic; two Nones for fewer than two values.

    `statistic` takes ``axis`` as numpy's do (`np.mean`, `np.median`).
    """
    if len(values) < 2:
        return None, None
    sample = (np.asarray(values, dtype=float),)
    found = stats.bootstrap(
        sample, statistic, n_resamples=draws, method="percentile", rng=np.random.default_rng(seed)
    ).confidence_interval
    return float(found.low), float(found.high)


def growth(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return the exponent b of the least-squares fit of cost = a·n^b (a line through the logarithms).

    >>> round(growth([1000, 2000, 4000], [3.0, 6.0, 12.0]), 6)
    1.0
    """
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])
