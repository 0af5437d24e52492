from pathlib import Path

from benchmarks._cases.exported import Run, export, failed, kept


def check(folder: Path, run: Run) -> str | None:
    done = export(run)
    found = [row["lang"] for row in kept(folder)]
    return failed(done) or (None if found == ["eng_Latn"] * 2 else f"the documents' languages are {found}")
