from pathlib import Path

from benchmarks._cases.exported import Run, export, failed, kept


def check(folder: Path, run: Run) -> str | None:
    run(["sh", "make.sh"])
    done = export(run)
    return failed(done) or (None if len(kept(folder)) == 3 else f"{len(kept(folder))} documents")
