"""Know before you pay: what a recipe will take, step by step, from running it on small samples of its sources.

Each step is taken to cost `fixed + rate × documents`. Three samples are run: a small one first, which pays for what is
loaded once; then a quarter and the whole of the sample, whose difference is the rate. What a step reads beside the
corpus (anchors, runs, an evaluation set) is the same in all of them, and lies in the fixed part. A step that is cheaper
per document on large corpora than on small ones, or dearer, is not seen: the range is of the measurement alone.
"""

import math
import resource
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from glotmix.core import flight, record, table
from glotmix.core.errors import RequestError, blame
from glotmix.corpus import jsonl
from glotmix.corpus.sources import InputFile, Source, files
from glotmix.pipeline.run import Job

SAMPLE = 4_000
"""Documents of the largest sample: a run of seconds."""

FILES = 8
"""Files of a source that a sample is spread over."""

PROBE = 4 * 2**20
"""Bytes on disk of a file that its number of lines is told by."""

_FREE: Mapping[str, Any] = {
    "tokens": None, "max_epochs": None, "max_epochs_of": {}, "floors": {}, "ceilings": {}, "groups": {}
}  # fmt: skip
"""A mixture that every sample can have, and that costs as much to choose."""

_CODECS = ("gzip", "zstd", "bz2")

DOUBT = 0.15
"""What is sure of a rate at best; measurements of less than a second are less sure."""

TICK = 0.05
"""CPU-seconds that one measurement of a step errs by."""

EFFICIENCY = 0.85
"""Share of the cores that parts in flight keep busy."""


@dataclass(frozen=True)
class Step:
    """What one step is expected to take.

    Args:
        step: its name.
        fixed: CPU-seconds however many documents there are.
        rate: CPU-seconds per document.
        cpu: CPU-seconds for all documents.
        low: the least that is expected, CPU-seconds.
        high: the most.
        disk: bytes that it writes.
    """

    step: str
    fixed: float
    rate: float
    cpu: float
    low: float
    high: float
    disk: int


@dataclass(frozen=True)
class Estimate:
    """What a recipe is expected to take.

    Args:
        documents: of all sources.
        sampled: documents of the largest sample.
        steps: in the order of the work.
        memory: bytes of memory at most, on each machine.
        cores: cores of a machine.
        machines: machines of as many cores.
    """

    documents: int
    sampled: int
    steps: tuple[Step, ...]
    memory: int
    cores: int
    machines: int

    @property
    def seconds(self) -> float:
        """Wall time: what grows with the documents is spread over the cores, the rest is not."""
        spread = sum(s.rate for s in self.steps) * self.documents / (self.cores * self.machines * EFFICIENCY)
        return spread + sum(s.fixed for s in self.steps)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        total = {name: sum(getattr(s, name) for s in self.steps) for name in ("cpu", "low", "high", "disk")}
        return asdict(self) | {"steps": [asdict(s) for s in self.steps], "total": total, "seconds": self.seconds}


def estimate(
    job: Job, until: str | None = None, sample: int = SAMPLE, cores: int | None = None, machines: int = 1
) -> Estimate:
    """Run a recipe on samples of its sources, in a temporary folder, and say what all of it will take.

    Args:
        job: the recipe.
        until: the last step that is counted.
        sample: documents of the largest sample.
        cores: of each machine; None for those that the recipe uses here.
        machines: how many.

    Raises:
        RequestError: if a source is a data set on the Hub, which has no files to sample.
    """
    runs: list[tuple[int, dict[str, float]]] = []
    sizes: list[tuple[int, dict[str, int]]] = []
    documents = 0
    with tempfile.TemporaryDirectory(prefix="glotmix-estimate-") as scratch:
        for wanted in (sample // 8, sample // 4, sample):
            folder = Path(scratch) / str(wanted)
            made, shares = sampled(job, folder, wanted)
            small = Job(made, job.context.base)
            small.run(until)
            # What the records say: steps that are made in one pass have their own share of it there, and only there.
            cpu = {step.name: _cpu(small.folder / step.name) for step in small.upto(until)}
            found = record.read(small.folder / "corpus")
            assert found is not None
            runs.append((found.counts["documents"], cpu))
            documents = round(sum(n / shares[name] for name, n in read(found.notes).items()))
            sizes.append((found.counts["documents"], {step: _size(small.folder / step) for step in cpu}))
            shutil.rmtree(folder)
    told = flight.Engine(workers=cores or job.recipe.engine.workers, memory=job.recipe.engine.memory)
    steps = tuple(_step(name, runs, documents, _disk(name, sizes, documents)) for name in runs[-1][1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + told.parts() * flight.PART_MEMORY
    return Estimate(documents, runs[-1][0], steps, peak, told.cores, machines)


def _disk(name: str, sizes: Sequence[tuple[int, Mapping[str, int]]], documents: int) -> int:
    """Return the bytes of all documents: a rater or a page is hardly larger for more of them, shards are."""
    (few, less), (n, size) = ((held, mine[name]) for held, mine in sizes[-2:])
    rate = min(max(0.0, (size - less) / (n - few)), size / n) if n > few else size / n
    return round(size + rate * (documents - n))


def _step(name: str, runs: Sequence[tuple[int, Mapping[str, float]]], documents: int, disk: int) -> Step:
    """Fit a step's cost to its runs, the first of which paid for what is loaded once."""
    n, cpu = runs[-1][0], runs[-1][1][name]
    rate, fixed = cpu / n, 0.0
    if len(runs) > 1:
        few, less = runs[-2][0], runs[-2][1][name]
        # Neither part is negative, whatever the noise.
        rate = min(max(0.0, (cpu - less) / (n - few)), cpu / n) if n > few else cpu / n
        warm = cpu - rate * n
        fixed = warm + max(0.0, runs[0][1][name] - warm - rate * runs[0][0])
    expected = fixed + rate * documents
    doubt = math.hypot(DOUBT * expected, 2 * TICK * documents / n)
    return Step(name, fixed, rate, expected, max(0.0, expected - doubt), expected + doubt, disk)


def read(notes: Mapping[str, Any]) -> dict[str, int]:
    """Return the documents of each source, by the record of a corpus."""
    return {name: about["documents"] for name, about in notes["sources"].items()}


def sampled(job: Job, folder: Path, wanted: int) -> tuple[Any, dict[str, float]]:
    """Write samples of a recipe's sources; return the recipe that reads them, and the share of each source."""
    whole = {}
    for source in job.recipe.corpus.sources:
        if source.hub:
            raise RequestError(
                f"source '{source.name}' is a data set on the Hub: it cannot be estimated from a sample of its files",
                "fetch it (huggingface-cli download) and name the files",
            )
        whole[source.name] = files(source, job.context.base)
    size = {name: sum(f.size for f in found) for name, found in whole.items()}
    total = max(1, sum(size.values()))
    shares, sources = {}, []
    for source in job.recipe.corpus.sources:
        mine = max(1, round(wanted * size[source.name] / total))
        at = folder / "in" / source.name
        shares[source.name] = _sample(source, whole[source.name], at, mine)
        sources.append(source.model_copy(update={"path": (str(at),)}))
    corpus = job.recipe.corpus.model_copy(update={"sources": tuple(sources)})
    engine = job.recipe.engine.model_copy(update={"runner": "local"})
    # The budget and the limits are of the whole: a sample, which may lack languages, could not keep them.
    mix = job.recipe.mix.model_copy(update=_FREE)
    recipe = job.recipe.model_copy(
        update={"corpus": corpus, "engine": engine, "mix": mix, "output": str(folder / "out")}
    )
    return recipe, shares


def _sample(source: Source, found: Sequence[InputFile], folder: Path, wanted: int) -> float:
    """Write about so many documents of a source, spread over its files; return what share of its bytes they are."""
    folder.mkdir(parents=True)
    step = max(1, len(found) // FILES)
    chosen = found[::step][:FILES]
    each = max(1, math.ceil(wanted / len(chosen)))
    taken = 0.0
    for number, file in enumerate(chosen):
        taken += file.size * _head(file, folder / f"{number:03d}-{file.path.name}", each)
    return taken / max(1, sum(f.size for f in found))


def _head(file: InputFile, path: Path, wanted: int) -> float:
    """Write the first documents of a file; return their share of it. A format that cannot be cut is taken whole."""
    if file.kind == "parquet":
        with blame(file.path, what="Parquet file"):
            held = pq.ParquetFile(file.path)
            batches = list(islice(held.iter_batches(batch_size=wanted), 1))
        total = held.metadata.num_rows
        if batches:
            table.write(pa.Table.from_batches(batches), path)
        return min(wanted, total) / total if total else 1.0
    if file.kind == "jsonl":
        lines = list(islice(_lines(file), wanted))
        with pa.output_stream(str(path), compression=file.codec) if file.codec else path.open("wb") as sink:
            sink.write(b"".join(lines))
        return min(1.0, len(lines) / max(1.0, _density(file) * file.size))
    shutil.copyfile(file.path, path)
    return 1.0


def _lines(file: InputFile) -> Iterator[bytes]:
    for block, _ in jsonl.blocks(file, 0, None):
        yield from block.splitlines(keepends=True)


def _density(file: InputFile) -> float:
    """Return lines per byte on disk, from the beginning of a file; exact where it is small."""
    with file.path.open("rb") as raw:
        plain = file.codec not in _CODECS
        stream = raw if plain else pa.CompressedInputStream(raw, file.codec)
        lines = 0
        while raw.tell() < PROBE and (data := stream.read(2**20)):
            lines += data.count(b"\n")
        return lines / max(1, raw.tell())


def _cpu(folder: Path) -> float:
    found = record.read(folder)
    return 0.0 if found is None else found.cpu_seconds


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
