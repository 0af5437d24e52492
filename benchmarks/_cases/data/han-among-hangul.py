from pathlib import Path

import pyarrow.parquet as pq
from benchmarks._cases.exported import Run, export, failed, kept, notes


def check(folder: Path, run: Run) -> str | None:
    done = export(run)
    if failed(done):
        return failed(done)
    found = {row["id"]: row["lang"] for row in kept(folder)}
    if found != {"mixed": "kor_Hang", "plain": "kor_Hang", "shop": "zho_Hant"}:
        return f"languages: {found}"
    # With the language declared, neither contradicts it.
    declared = run(["glotmix", "export", "recipe.yaml", "output=declared", "corpus.sources.0.language=kor_Hang"])
    if failed(declared):
        return failed(declared)
    signal = folder / "declared/signals/identify"
    rows = [row for file in sorted(signal.glob("part-*.parquet")) for row in pq.ParquetFile(file).read().to_pylist()]
    against = [row["id"] for row in rows if row["agrees"] is False]
    return None if against == ["shop"] and notes(folder) else f"contradict Korean: {against}"
