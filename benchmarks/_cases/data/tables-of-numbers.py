from pathlib import Path

from benchmarks._cases.exported import Run, export, failed, ledger


def check(folder: Path, run: Run) -> str | None:
    done = export(run)
    rows = ledger(folder)
    lost = [name for name in ("jan", "feb", "sum", "compare") if not rows[name]["kept"]]
    return failed(done) or (f"dropped: {', '.join(lost)}" if lost else None)
