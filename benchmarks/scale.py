"""What grows with the corpus: decisions beyond memory, parts on a cluster of several nodes, and what a run foretells.

Decisions are made on signals made up for as many documents, so that ten million of them fit on a small machine.
"""

import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks import _many, harness
from benchmarks.harness import Cost, Row
from glotmix.signals import annotate

SIZES, SMALL_SIZES = (1_000_000, 3_000_000, 10_000_000), (20_000, 60_000, 200_000)
EQUAL, SMALL_EQUAL = 300_000, 20_000
MEMORY_MB, TIMES, GROWTH = 3000, 1.5, 1.1
"""What the project holds itself to: peak memory, that of the largest over that of the smallest, growth of CPU time."""

row = partial(Row, "scale")


def run(small: bool) -> Iterable[Row]:
    """Measure all of it."""
    yield from decide(SMALL_SIZES if small else SIZES, SMALL_EQUAL if small else EQUAL)


def decide(sizes: Sequence[int], equal: int) -> Iterator[Row]:
    """Yield memory and growth of the decisions, and whether both ways of deciding give the same bytes."""
    costs = {}
    for documents in sizes:
        costs[documents] = _decided(_signals(documents), "parts")[0]
        told = {"cpu_seconds": costs[documents].cpu_seconds, "wall_seconds": costs[documents].wall_seconds}
        yield row(
            f"decide.peak_memory_mb.{documents}",
            costs[documents].peak_mb,
            n=documents,
            unit="MB",
            settings=told | {"workers": 2, "limit": MEMORY_MB, "limit, times the smallest": TIMES},
        )
        shutil.rmtree(_folder(documents))
    exponent = harness.growth(sizes, [costs[n].cpu_seconds for n in sizes])
    yield row("decide.growth_exponent", exponent, n=len(sizes), settings={"sizes": sizes, "limit": GROWTH})
    same = []
    for rated in (False, True):
        folder = _signals(equal, rated)
        digests = {_decided(folder, way, rated)[1] for way in ("memory", "parts")}
        same.append(len(digests) == 1)
        shutil.rmtree(folder)
    told = {"documents": equal, "recipes": ["no rater", "the best share by a rater"]}
    yield row("decide.equal_bytes", sum(same) / len(same), n=len(same), unit="share of recipes", settings=told)


def _folder(documents: int) -> Path:
    return harness.BENCH / "scale" / str(documents)


def _signals(documents: int, rated: bool = False) -> Path:
    annotate.GROUP_BYTES = _many.PART_BYTES
    folder = _folder(documents)
    _many.make(folder / "out", documents, rated)
    return folder


def _decided(folder: Path, way: str, rated: bool = False) -> tuple[Cost, str]:
    command = [sys.executable, "-m", "benchmarks._decide", folder / "out", way, *(["rated"] if rated else [])]
    cost = harness.measure(command)
    if cost.exit:
        raise harness.BenchmarkError(f"deciding {way} ended with {cost.exit}:\n{cost.output}")
    return cost, str(json.loads(cost.output.splitlines()[-1])["digest"])


if __name__ == "__main__":
    harness.main("scale", run)
