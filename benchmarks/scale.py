"""What grows with the corpus: decisions beyond memory, parts on a cluster of several nodes, and what a run foretells.

Decisions are made on signals made up for as many documents, so that ten million of them fit on a small machine.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks import _corpus, _many, _parts, _ray, _runs, _s3, harness
from benchmarks.harness import Cost, Row
from glotmix.pipeline import costs
from glotmix.signals import annotate

SIZES, SMALL_SIZES = (1_000_000, 3_000_000, 10_000_000), (20_000, 60_000, 200_000)
RATED, SMALL_RATED = (1_000_000, 3_000_000), (20_000, 60_000)
EQUAL, SMALL_EQUAL = 300_000, 20_000
MEMORY_MB, TIMES, GROWTH = 3000, 1.5, 1.1
"""What the project holds itself to: peak memory, that of the largest over that of the smallest, growth of CPU time."""

RETAIN = {"share": "the best share by a rater", "lose": "what a rater does not call unnatural"}
"""How a recipe with a rater chooses: `select.retain`."""

TIMES_THE_SAMPLE, MEASURABLE = 4, 0.3
"""Documents of the corpus for each of the sample; CPU-seconds that a step must take for its error to say anything."""

row = partial(Row, "scale")


def decide(sizes: Sequence[int], equal: int) -> Iterator[Row]:
    """Yield memory and growth of the decisions, and whether both ways of deciding give the same bytes."""
    costs = {}
    for documents in sizes:
        costs[documents] = _decided(_signals(documents), "parts")[0]
        yield _peak(f"decide.peak_memory_mb.{documents}", documents, costs[documents])
        shutil.rmtree(_folder(documents))
    exponent = harness.growth(sizes, [costs[n].cpu_seconds for n in sizes])
    yield row("decide.growth_exponent", exponent, n=len(sizes), settings={"sizes": sizes, "limit": GROWTH})
    same = []
    for retain in (None, *RETAIN):
        folder = _signals(equal, retain is not None)
        digests = {_decided(folder, way, retain)[1] for way in ("memory", "parts")}
        same.append(len(digests) == 1)
        shutil.rmtree(folder)
    told = {"documents": equal, "recipes": ["no rater", *RETAIN.values()]}
    yield row("decide.equal_bytes", sum(same) / len(same), n=len(same), unit="share of recipes", settings=told)


def decide_rated(sizes: Sequence[int]) -> Iterator[Row]:
    """Yield memory of the decisions where a rater chooses among the documents that all rules let pass."""
    for documents in sizes:
        folder = _signals(documents, rated=True)
        for retain, name in {"share": "rated", "lose": "rated_lose"}.items():
            cost = _decided(folder, "parts", retain)[0]
            yield _peak(f"decide.{name}.peak_memory_mb.{documents}", documents, cost, {"retain": RETAIN[retain]})
        shutil.rmtree(folder)


def _peak(metric: str, documents: int, cost: Cost, told: Mapping[str, object] | None = None) -> Row:
    spent = {"cpu_seconds": cost.cpu_seconds, "wall_seconds": cost.wall_seconds, "workers": 2}
    limits = {"limit": MEMORY_MB, "limit, times the smallest": TIMES}
    return row(metric, cost.peak_mb, n=documents, unit="MB", settings=spent | limits | dict(told or {}))


def on_ray(documents: int, nodes: int = 3) -> Iterator[Row]:
    """Yield on how many nodes of a cluster parts were made, and whether the bytes are those of one machine."""
    folder = harness.BENCH / "scale" / "ray"
    shutil.rmtree(folder, ignore_errors=True)
    recipe = _runs.recipe(folder, [_corpus.make(documents)])
    _runs.finish([*_runs.command(recipe), "output=alone"])
    expected = _runs.digests(folder / "alone")
    told: dict[str, dict[str, object]] = {}
    for how in ("ray", "node", "driver"):
        shutil.rmtree(folder / "ray", ignore_errors=True)
        command = [_ray.python(), "-m", "benchmarks._ray_nodes", recipe, nodes, *([how] if how != "ray" else [])]
        environment = os.environ | _ray.ENVIRONMENT
        done = subprocess.run(
            [str(c) for c in command], cwd=harness.ROOT, env=environment, capture_output=True, text=True, check=False
        )
        made = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {"exit": done.returncode}
        if made["exit"]:
            raise harness.BenchmarkError(f"the recipe on Ray ended with {made['exit']}:\n{done.stderr[-3000:]}")
        told[how] = made | {"equal": _runs.shared(_runs.digests(folder / "ray"), expected)}
    settings = {"documents": documents, "nodes": nodes, "of": "node processes of one machine"}
    parts = told["ray"]["parts"]
    assert isinstance(parts, list)
    yield row("ray.nodes_used", len(parts), n=nodes, unit="nodes", settings=settings | {"parts of each": parts})
    unit = "share of files"
    yield row("ray.equal_bytes", told["ray"]["equal"], n=len(expected), unit=unit, settings=settings)
    for how in ("node", "driver"):
        killed = told[how]["equal"] if told[how]["killed"] else None
        yield row(f"ray.{how}_killed.equal_bytes", killed, n=len(expected), unit=unit, settings=settings | told[how])


def in_a_store(documents: int) -> Iterator[Row]:
    """Yield whether a run from and to an S3 server (moto's, on loopback) leaves the bytes of a disk, faults or none."""
    folder = harness.BENCH / "scale" / "s3"
    shutil.rmtree(folder, ignore_errors=True)
    corpus = _corpus.make(documents)
    _runs.finish(_runs.command(_runs.recipe(folder, [corpus])))
    expected = {k: v for k, v in _runs.digests(folder / "out").items() if k.endswith(".parquet")}
    survived: dict[str, bool] = {}
    with _s3.served() as (store, environment):
        store.client.create_bucket(Bucket="data")
        for path in sorted(corpus.glob("*.zst")):
            store.client.put_object(Bucket="data", Key=f"raw/{path.name}", Body=path.read_bytes())
        recipe = _runs.recipe(folder / "far", [Path("raw")])
        recipe.write_text(recipe.read_text("utf-8").replace("- raw", "- s3://data/raw"), "utf-8")
        faults = {"none": None} | _s3.passing() | _s3.refusing()
        for number, (name, fault) in enumerate(faults.items()):
            store.fault = fault
            far = f"runs/{number}"
            command = [str(c) for c in [*_runs.command(recipe), f"output=s3://data/{far}"]]
            told = os.environ | environment | {"GLOTMIX_CACHE": str(folder / "cache" / str(number))}
            done = subprocess.run(command, env=told, capture_output=True, text=True, check=False)
            store.fault = None
            made = {k.removeprefix(f"{far}/"): v for k, v in store.content("data").items() if k.startswith(f"{far}/")}
            digests = {k: hashlib.sha256(v).hexdigest() for k, v in made.items() if k.endswith(".parquet")}
            words = done.stdout + done.stderr
            # A fault that stays must end in words that help; no fault may show a key.
            clear = done.returncode == 3 and "credentials in the environment" in words.replace("\n", " ")
            secret = _s3.SECRET in words or any(_s3.SECRET.encode() in v for v in made.values())
            survived[name] = not secret and (digests == expected or (name in _s3.refusing() and clear))
            shutil.rmtree(folder / "cache" / str(number), ignore_errors=True)
    same = survived.pop("none")
    told = {"documents": documents, "server": "moto"}
    yield row("s3.equal_bytes", float(same), n=len(expected), unit="share of runs", settings=told)
    lost = {"failed": [name for name, well in survived.items() if not well]}
    share = sum(survived.values()) / len(survived)
    yield row("s3.faults_survived", share, n=len(survived), unit="share of faults", settings=told | lost)


def estimate(sample: int) -> Iterator[Row]:
    """Yield by how much a run's cost was foretold wrong, step by step, on a corpus of several times the sample."""
    folder = harness.BENCH / "scale" / "estimate"
    shutil.rmtree(folder, ignore_errors=True)
    documents = TIMES_THE_SAMPLE * sample
    command = [_runs.GLOTMIX, "run", _runs.recipe(folder, [_corpus.make(documents)]), "--quiet"]
    _runs.finish([*command, "--estimate", "--sample", str(sample)])
    _runs.finish(command)
    rows = costs.compared(folder / "out")
    told = {"documents": documents, "sample": sample, "limit": 0.3}
    expected, took = (sum(r[name] for r in rows) for name in ("expected", "took"))
    yield row("estimate.error.all", expected / took - 1, n=documents, settings=told | {"cpu_seconds": took})
    for r in rows:
        settings = told | {"cpu_seconds": r["took"], "expected": r["expected"], "low": r["low"], "high": r["high"]}
        step = r["step"].replace("/", ".")
        # Of a step of a tenth of a second the clock itself errs by more.
        error = r["ratio"] - 1 if r["took"] >= MEASURABLE else None
        yield row(f"estimate.error.{step}", error, n=documents, settings=settings | {"measurable from": MEASURABLE})


def _folder(documents: int) -> Path:
    return harness.BENCH / "scale" / str(documents)


def _signals(documents: int, rated: bool = False) -> Path:
    annotate.GROUP_BYTES = _many.PART_BYTES
    folder = _folder(documents)
    _many.make(folder / "out", documents, rated)
    return folder


def _decided(folder: Path, way: str, retain: str | None = None) -> tuple[Cost, str]:
    command = [sys.executable, "-m", "benchmarks._decide", folder / "out", way, *([retain] if retain else [])]
    cost = harness.measure(command)
    if cost.exit:
        raise harness.BenchmarkError(f"deciding {way} ended with {cost.exit}:\n{cost.output}")
    return cost, str(json.loads(cost.output.splitlines()[-1])["digest"])


PARTS: dict[str, _parts.Part] = {
    "decide": lambda small: decide(SMALL_SIZES if small else SIZES, SMALL_EQUAL if small else EQUAL),
    "rated": lambda small: decide_rated(SMALL_RATED if small else RATED),
    "ray": lambda small: on_ray(1_000 if small else 20_000),
    "store": lambda small: in_a_store(1_000),
    "estimate": lambda small: estimate(1_000 if small else 20_000),
}

if __name__ == "__main__":
    _parts.main("scale", PARTS)
