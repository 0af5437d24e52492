from pathlib import Path

from benchmarks._cases.exported import Run, export, failed, ledger


def check(folder: Path, run: Run) -> str | None:
    done = export(run)
    if failed(done):
        return failed(done)
    rows = ledger(folder)
    same = {frozenset({name, row["duplicate_of"]}) for name, row in rows.items() if row["rule"] == "duplicates.exact"}
    said = {name for name, row in rows.items() if "same text" in (row["evidence"] or "")}
    if same != {frozenset({"ghost", "copy"})} or not said <= {"ghost", "copy"}:
        return f"called the same text: {sorted(map(sorted, same))}"
    return None
