"""The whole of deduplication in one process, for `benchmarks.duplicates` to measure: read, sign, cluster, write.

`python -m benchmarks._dedup RAW OUT [--workers N] [--runner ray] [--engine queries] [--shards N] [--selftest N]`: RAW
holds Parquet files with ``id, lang, text``; OUT gets a folder for each step and ``deduplicated/``. Prints one line of
JSON: CPU and wall seconds of each step, and what was found.
"""

import argparse
import hashlib
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glotmix.core import record, table
from glotmix.core.record import Counts, Identity
from glotmix.select.representatives import representatives
from glotmix.signals import duplicates, signatures
from glotmix.signals.duplicates import DuplicatesConfig


def main() -> None:
    """Run the steps and say what each cost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("raw", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--runner", default="local")
    parser.add_argument("--engine")
    parser.add_argument("--shards", type=int, default=0, help="cut the corpus anew into so many; 0: read as it is")
    parser.add_argument("--selftest", type=int, default=60)
    given = parser.parse_args()
    if given.runner == "ray":
        import ray

        # More than one worker even on a small machine, and an object store that leaves room for others.
        ray.init(num_cpus=4, object_store_memory=800_000_000, include_dashboard=False, log_to_driver=False)
    table.start(given.runner, given.workers, oversubscribe=True)
    config = DuplicatesConfig(selftest=given.selftest)
    out, steps = given.out, {}
    corpus = out / "corpus"

    def timed(name: str, work: Callable[[], Counts]) -> Counts:
        began, used = time.monotonic(), cpu()
        counts = work()
        steps[name] = {"wall": round(time.monotonic() - began, 2), "cpu": round(cpu() - used, 2)}
        return counts

    def step(name: str, make: Callable[[record.Output], Counts]) -> Callable[[], Counts]:
        return lambda: record.build(out / name, Identity(name, 1), make).counts

    if given.shards:
        reading = timed("read", lambda: recut(given.raw, corpus, given.shards))
    else:
        reading = timed("read", step("corpus", lambda output: read(output, given.raw)))
    timed("sign", step("signatures", lambda output: signatures.make(output, corpus, config.signature)))
    counts = timed(
        "cluster",
        step(
            "duplicates",
            lambda output: duplicates.make(output, out / "signatures", corpus, config, engine=given.engine),
        ),
    )
    kept = timed("write", lambda: write(corpus, out))
    found = table.read(table.shards(out / "duplicates"), ["id", "cluster", "sources"]).sort_by("id")
    digest = hashlib.sha256(json.dumps(found.to_pydict()).encode()).hexdigest()
    print(json.dumps({"steps": steps, "read": reading, "counts": counts | kept, "digest": digest}))


def cpu() -> float:
    """Return this process's CPU seconds so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def read(output: record.Output, raw: Path) -> Counts:
    """Read raw files as a recipe would."""
    from glotmix.corpus.read import make
    from glotmix.corpus.sources import Source

    source = Source.model_validate({"name": "web", "path": str(raw / "*.parquet"), "language": {"column": "lang"}})
    return make(output, [source], raw, None, 1_000_000)


def recut(raw: Path, corpus: Path, shards: int) -> Counts:
    """Put the documents into so many shards, in an order of their own for each number."""
    rows = table.read(table.shards(raw))
    rows = rows.append_column("source", pa.array(["web"] * rows.num_rows))
    hashed = [hashlib.sha256(f"{shards}/{i}".encode()).digest() for i in rows["id"].to_pylist()]
    rows = rows.take(pa.array(sorted(range(rows.num_rows), key=hashed.__getitem__)))
    size = -(-rows.num_rows // shards)
    for n in range(shards):
        table.write(rows.slice(n * size, size), corpus / f"web-{n:05d}.parquet")
    return {"documents": rows.num_rows}


def write(corpus: Path, out: Path) -> Counts:
    """Write the corpus without the documents that another stands for: the longest of each cluster stays."""
    from daft import col, lit

    found = table.scan(table.shards(out / "duplicates"), ["id", "cluster", "cluster_size"])
    texts = table.scan(table.shards(corpus), ["id", "text"]).select(
        col("id"), col("text").length_bytes().alias("bytes")
    )
    crowded = found.where(col("cluster_size") > lit(1)).join(texts, on="id")
    chosen = representatives(table.collect(crowded), [("bytes", "descending")])
    dropped = chosen.filter(pc.invert(chosen["kept"]))["id"].combine_chunks()
    kept = 0
    for file in table.shards(corpus):
        documents = pq.read_table(file, partitioning=None)
        documents = documents.filter(pc.invert(pc.is_in(documents["id"], dropped)))
        table.write(documents, out / "deduplicated" / file.relative_to(corpus))
        kept += documents.num_rows
    return {"kept": kept, "dropped": len(dropped)}


if __name__ == "__main__":
    main()
