from pathlib import Path

from benchmarks._cases.exported import Run, export, failed, ledger


def check(folder: Path, run: Run) -> str | None:
    done = export(run)
    if failed(done):
        return failed(done)
    rules = {name: row["rule"] for name, row in ledger(folder).items()}
    return None if rules == {"leak": "contamination", "clean": None} else f"dropped by {rules}"
