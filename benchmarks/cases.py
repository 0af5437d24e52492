"""Faults that users of such tools have met, each a small input with what should come of it: the share that comes right.

A case is a folder of `../shared/cases/{model,data}`: inputs, the command or recipe to run on them, and `EXPECT.md`:
what is given, what should come out, and which public report it follows. Its check is
`benchmarks/_cases/{model,data}/NAME.py` with one function

    check(folder: Path, run: Run) -> str | None

given a copy of the case to work in, and what runs a command there. It returns None where all is right, else what is
wrong in a sentence. A case without a check is wrong, and so is one whose check fails on the way.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import harness
from benchmarks.harness import BenchmarkError, Row

NAME = "cases"
CASES = harness.ROOT.parent / "shared" / "cases"
CHECKS = Path(__file__).resolve().parent / "_cases"
SIDES = ("model", "data")
SECONDS = 300
"""How long one command may take: cases are small, so more than that is a fault of its own."""

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]
Check = Callable[[Path, Run], str | None]


@dataclass(frozen=True)
class Outcome:
    """What came of a case: `wrong` is None where all is right."""

    side: str
    name: str
    wrong: str | None


def run(small: bool) -> Iterable[Row]:
    """Run every case; yield the share that comes right, of all and of each side, and each case by its name."""
    outcomes = list(tried(CASES, CHECKS))
    for side in ("", *SIDES):
        some = [o for o in outcomes if side in ("", o.side)]
        if some:
            metric = "cases.right" + (f".{side}" if side else "")
            right = sum(o.wrong is None for o in some)
            wrong = {o.name: o.wrong for o in some if o.wrong is not None}
            yield Row(NAME, metric, right / len(some), n=len(some), unit="share", settings={"wrong": wrong})
    for each in outcomes:
        settings = {} if each.wrong is None else {"wrong": each.wrong}
        yield Row(NAME, f"case.{each.side}.{each.name}", int(each.wrong is None), n=1, unit="right", settings=settings)


def tried(cases: Path, checks: Path) -> Iterator[Outcome]:
    """Try every case in a copy of its own.

    Raises:
        BenchmarkError: if there are no cases.
    """
    folders = sorted((side, folder) for side in SIDES for folder in cases.glob(f"{side}/*/"))
    if not folders:
        where = os.path.relpath(cases, harness.ROOT)
        raise BenchmarkError(f"the cases are missing: they are looked for in {where} beside the repository")
    for side, folder in folders:
        check = found(checks / side / f"{folder.name}.py")
        if check is None:
            yield Outcome(side, folder.name, "it has no check")
            continue
        with tempfile.TemporaryDirectory(prefix="glotmix-case-") as scratch:
            # One level down, so that a case may link to what lies beside it without leaving the scratch folder.
            copy = Path(scratch) / folder.name
            shutil.copytree(folder, copy, symlinks=True)
            yield Outcome(side, folder.name, judged(check, copy))


def found(path: Path) -> Check | None:
    """Return the check of a case, None where it has none. Names may hold dashes, so it is no import by name."""
    if not path.is_file():
        return None
    spec = importlib.util.spec_from_file_location(f"case_{path.stem.replace('-', '_')}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    check: Check = module.check
    return check


def judged(check: Check, folder: Path) -> str | None:
    """Return what a check finds wrong; a check that fails on the way has found something, too."""
    try:
        return check(folder, runner(folder))
    except Exception as error:  # a check may trip over anything that is not as it should be
        return f"the check failed: {type(error).__name__}: {error}"


def runner(folder: Path) -> Run:
    """Return what runs a command in a folder, as a list of words; `glotmix` is this environment's."""
    programs = {"glotmix": [sys.executable, "-m", "glotmix"], "python": [sys.executable]}

    def run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        program, *rest = command
        return subprocess.run(
            [*programs.get(program, [program]), *rest],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
            check=False,
        )

    return run


if __name__ == "__main__":
    harness.main(NAME, run)
