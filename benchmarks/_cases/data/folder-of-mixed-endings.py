from pathlib import Path

from benchmarks._cases.exported import Run, export, failed, kept, notes


def check(folder: Path, run: Run) -> str | None:
    done = export(run)
    if failed(done):
        return failed(done)
    if len(kept(folder)) > 2:
        return None if len(kept(folder)) == 5 else f"{len(kept(folder))} documents"
    passed = notes(folder)["sources"]["web"].get("passed_over", {})
    if sum(passed.values()) != 3 or not {".jsonl.bz2", ".json.gz", ".jsonl.xz"} <= passed.keys():
        return f"the record says {passed}"
    told = " ".join((done.stdout + done.stderr).split())
    return None if "3 files" in told and ".jsonl.bz2" in told else "the terminal does not say so"
