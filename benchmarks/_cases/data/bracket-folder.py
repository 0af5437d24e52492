from pathlib import Path

from benchmarks._cases.exported import Run, export, failed, kept


def check(folder: Path, run: Run) -> str | None:
    done = export(run, "corpus [v2]/recipe.yaml")
    count = len(kept(folder / "corpus [v2]"))
    return failed(done) or (None if count == 3 else f"{count} documents")
