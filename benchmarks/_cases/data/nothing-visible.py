from pathlib import Path

from benchmarks._cases.exported import Run, export, failed, kept, quarantined


def check(folder: Path, run: Run) -> str | None:
    done = export(run)
    if failed(done):
        return failed(done)
    if [row["id"] for row in kept(folder)] != ["e"]:
        return f"documents: {[row['id'] for row in kept(folder)]}"
    reasons = [row["reason"] for row in quarantined(folder)]
    return None if reasons == ["empty text"] * 4 else f"in quarantine as {reasons}"
