from pathlib import Path

from benchmarks._cases.exported import Run, export, failed, ledger


def check(folder: Path, run: Run) -> str | None:
    done = export(run)
    if failed(done):
        return failed(done)
    wrong = {name: row["evidence"] for name, row in ledger(folder).items() if row["rule"] == "language"}
    if wrong:
        return f"dropped as another language: {wrong}"
    return None if any(row["kept"] for row in ledger(folder).values()) else "nothing is kept"
