from pathlib import Path

from benchmarks._cases.exported import Run, traceback


def check(folder: Path, run: Run) -> str | None:
    run(["sh", "make.sh"])
    for path in ("raw/*.jsonl", "raw"):
        done = run(["glotmix", "export", "recipe.yaml", f"corpus.sources.0.path={path}"])
        if done.returncode == 0:
            return f"{path}: exit 0"
        if traceback(done) or "raw/b.jsonl" not in done.stderr or "../gone.jsonl" not in done.stderr:
            return f"{path}: the error does not name the link and its target"
    return None
