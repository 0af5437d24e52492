import json
from pathlib import Path

import pyarrow.parquet as pq
from benchmarks._cases.exported import Run, export, failed, kept, lines


def check(folder: Path, run: Run) -> str | None:
    done = export(run)
    if failed(done):
        return failed(done)
    for file in sorted((folder / "out/dataset").glob("*/*.parquet")):
        names = pq.ParquetFile(file).schema_arrow.names
        if len(set(names)) < len(names):
            return f"columns of one name: {names}"
    told = [json.loads(line) for line in lines(folder)]
    if kept(folder) != told:
        return "JSON lines and Parquet differ"
    given = [json.loads(line) for line in (folder / "a.jsonl").read_text("utf-8").splitlines()]
    by_text = {row["text"]: row for row in given}
    for row in told:
        theirs = by_text[row["text"]]
        if any(row[name] != theirs.get(name) for name in ("cluster_size", "glotmix_cluster_size")):
            return f"a value of the user's was changed: {row}"
    return None if any(2 in row.values() for row in told) else "our own count is missing"
