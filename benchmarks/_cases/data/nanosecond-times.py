import json
from pathlib import Path

import pyarrow.parquet as pq
from benchmarks._cases.exported import Run, export, failed, lines


def check(folder: Path, run: Run) -> str | None:
    done = export(run)
    if failed(done):
        return failed(done)
    told = [json.loads(line) for line in lines(folder)]
    if [row["crawled"] for row in told] != ["2023-11-14T22:13:20.123456789", "1970-01-01T00:00:00.000000001"]:
        return f"times are written as {[row['crawled'] for row in told]}"
    if [float(row["took"]) for row in told] != [1e-9, 2e-9]:
        return f"durations are written as {[row['took'] for row in told]}"
    (file,) = (folder / "out/dataset").glob("*/*.parquet")
    given, found = pq.read_table(folder / "a.parquet"), pq.ParquetFile(file).read()
    same = all(given[name].combine_chunks().equals(found[name].combine_chunks()) for name in given.column_names)
    return None if same else "Parquet does not keep the values"
