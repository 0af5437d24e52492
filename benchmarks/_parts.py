"""Benchmarks in parts: any of them alone (`--only NAME`), and a run that was stopped goes on (`--resume`).

The rows of a finished part are kept in .bench/parts/. They are taken up again only by the same commit, without changes
beside it, and the same size of run: no file of results is of two commits.
"""

import json
import resource
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks import harness
from benchmarks.harness import BenchmarkError, Row

Part = Callable[[bool], Iterable[Row]]


def main(name: str, parts: Mapping[str, Part]) -> None:
    """Run a benchmark as a command, part by part; like `harness.main`, with `--only` and `--resume`.

    The file of results says in its environment how long each part took (seconds of this process and of those that it
    waited for), and which parts it does not hold.

    Args:
        name: the benchmark's name; every row must carry it.
        parts: by their names, in their order; each is given whether the run is a small one.
    """
    parser = harness.parser(name)
    parser.add_argument("--only", nargs="+", choices=list(parts), metavar="PART", help=f"of {', '.join(parts)}")
    parser.add_argument("--resume", action="store_true", help="take up the parts that this commit finished before")
    arguments = parser.parse_args()
    facts = harness.environment(name, arguments.small)
    held: dict[str, list[Row]] = {}
    spent: dict[str, float] = {}
    for part, measure in parts.items():
        path = harness.BENCH / "parts" / f"{name}.{part}.json"
        wanted = arguments.only is None or part in arguments.only
        done = _kept(path, facts) if arguments.resume or not wanted else None
        if done is None and not wanted:
            continue
        if done is None:
            try:
                done = _measured(name, part, measure, arguments.small)
            except BenchmarkError as error:
                print(f"{name}: {error}", file=sys.stderr)
                raise SystemExit(3) from None
            harness.write(path, [replace(facts, settings={**facts.settings, "cpu_seconds": done[1]}), *done[0]])
        held[part], spent[part] = done
    rows = [row for some in held.values() for row in some]
    harness.show(name, rows)
    if arguments.json is not None:
        told: dict[str, object] = {"cpu_seconds": spent}
        if missing := [part for part in parts if part not in held]:
            told["parts_not_run"] = missing
        harness.write(arguments.json, [replace(facts, settings={**facts.settings, **told}), *rows])


def _measured(name: str, part: str, measure: Part, small: bool) -> tuple[list[Row], float]:
    began = _cpu()
    rows = harness.taken(name, measure(small))
    seconds = round(_cpu() - began, 1)
    print(f"── {part}: {seconds:,.1f} CPU-seconds", file=sys.stderr, flush=True)
    return rows, seconds


def _kept(path: Path, facts: Row) -> tuple[list[Row], float] | None:
    """Return the rows of a part that this very commit finished before, and what they cost."""
    if facts.settings["uncommitted"] or not path.is_file():
        return None
    try:
        before, *rows = harness.read(path)
    except (json.JSONDecodeError, TypeError, ValueError):
        return None
    same = all(before.settings.get(key) == facts.settings[key] for key in ("commit", "uncommitted", "small"))
    return (rows, float(str(before.settings["cpu_seconds"]))) if same else None


def _cpu() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)
