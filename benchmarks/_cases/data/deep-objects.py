import json
from pathlib import Path

from benchmarks._cases.exported import Run, export, failed, kept, quarantined, traceback


def check(folder: Path, run: Run) -> str | None:
    done = export(run)
    if traceback(done):
        return "a traceback"
    if failed(done):
        return failed(done)
    found = {row["text"]: row for row in kept(folder)}
    if len(found) == 1:
        return None if len(quarantined(folder)) == 1 else "a document is lost"
    (meta,) = [row["meta"] for row in found.values() if row["meta"] is not None]
    return None if "leaf" in (meta if isinstance(meta, str) else json.dumps(meta)) else "its metadata is lost"
