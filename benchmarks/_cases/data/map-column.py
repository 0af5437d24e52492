from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks._cases.exported import Run, export, failed, kept


def check(folder: Path, run: Run) -> str | None:
    done = export(run)
    if failed(done):
        return failed(done)
    if {"x", "y"} - set(str(kept(folder))):
        return "of a repeated key one value is lost"
    if find_spec("datasets") is None:
        # Without the loader at hand: it has no maps.
        file = next((folder / "out/dataset").glob("*/*.parquet"))
        kind = pq.ParquetFile(file).schema_arrow.field("headers").type
        return f"a column of type {kind}" if pa.types.is_map(kind) else None
    load = (
        "import sys, datasets; d = datasets.load_dataset(sys.argv[1], 'eng_Latn', split='train', cache_dir='cache');"
        "print(len(d), [r['headers'] for r in d])"
    )
    done = run(["python", "-c", load, str(folder / "out/dataset")])
    return failed(done) or (None if done.stdout.startswith("2 ") else f"it loads as {done.stdout}")
