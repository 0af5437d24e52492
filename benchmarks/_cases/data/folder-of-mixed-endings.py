from pathlib import Path

from benchmarks._cases.exported import Run, export, failed, notes


def check(folder: Path, run: Run) -> str | None:
    done = export(run)
    if failed(done):
        return failed(done)
    source = notes(folder)["sources"]["web"]
    passed = source.get("passed_over", {})
    if not passed:
        return None if source["documents"] == 5 else f"{source['documents']} documents, and no word on the others"
    if sum(passed.values()) + source["files"] != 4 or not passed.keys() <= {".jsonl.bz2", ".json.gz", ".jsonl.xz"}:
        return f"the record says {passed}"
    told = " ".join((done.stdout + done.stderr).split())
    return None if "passed over" in told and next(iter(passed)) in told else "the terminal does not say so"
