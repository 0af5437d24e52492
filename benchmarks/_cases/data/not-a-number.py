import json
import math
from pathlib import Path

from benchmarks._cases.exported import Run, export, failed, kept, lines


def check(folder: Path, run: Run) -> str | None:
    done = export(run)
    if failed(done):
        return failed(done)
    bare: list[str] = []
    told = [json.loads(line, parse_constant=bare.append) for line in lines(folder)]
    if bare or len(told) != 2:
        return f"{len(told)} lines with {bare}, which is no JSON"
    scores = {row["perplexity"] for row in kept(folder)}
    nan = any(math.isnan(row["score"]) for row in kept(folder))
    return None if scores == {math.inf, -math.inf} and nan else "Parquet does not keep the values"
