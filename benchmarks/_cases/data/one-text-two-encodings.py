from pathlib import Path

from benchmarks._cases.exported import Run, export, failed, ledger


def check(folder: Path, run: Run) -> str | None:
    done = export(run)
    if failed(done):
        return failed(done)
    kept = dict.fromkeys(("mal_Mlym", "uzn_Latn"), 0)
    for name, row in ledger(folder).items():
        if row["kept"]:
            kept[row["lang"]] += 1
        elif not row["rule"].startswith("duplicates."):
            return f"{name} is dropped by {row['rule']}"
    return None if set(kept.values()) == {1} else f"documents kept: {kept}"
