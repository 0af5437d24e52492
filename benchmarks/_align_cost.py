"""What mining costs by the number of documents and of pairs of languages, and its bytes after a kill."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scipy.optimize import nnls

from benchmarks import harness
from benchmarks.harness import Row
from glotmix.align import mine, pairs, sets, staged
from glotmix.core import record, table
from glotmix.core.files import digest_file
from glotmix.embed.static import shipped

NAME = "align"
FOLDER = harness.BENCH / "align"

_RUN = """
import sys
from pathlib import Path
from benchmarks._align_cost import whole
whole(Path(sys.argv[1]), Path(sys.argv[2]))
"""


_ENV = {"PYTHONPATH": f"{harness.ROOT / 'src'}{os.pathsep}{harness.ROOT}"}


def whole(corpus: Path, to: Path) -> None:
    def make(output: record.Output) -> record.Counts:
        found = mine.make(output, corpus, None, shipped(), staged.Mining())
        return pairs.write(output, sets.mined(found, {}), None, None)

    record.build(to, record.Identity("align/pairs", pairs.VERSION), make, may_be_empty=True)


def _digests(folder: Path) -> dict[str, str]:
    return {p.name: digest_file(p) for p in sorted(folder.rglob("*.parquet"))}


def cost(small: bool) -> Iterator[Row]:
    """Yield CPU minutes and memory of mining in all pairs of languages, by their number; the bytes after a kill.

    The cost of 100,000 documents in 186 languages is carried: a part that grows with the documents, and one that grows
    with the pairs of languages, fitted to what was measured.
    """
    rows = pq.read_table(harness.data("crawl.parquet"), columns=["lang", "text"])
    langs = sorted(set(rows["lang"].to_pylist()))
    each = 60 if small else 540
    spent: list[tuple[int, int, float, float]] = []
    for count in (3, 6) if small else (6, 12, 24):
        corpus, out = FOLDER / f"many-{count}", FOLDER / f"many-{count}-pairs"
        for old in (corpus, out):
            shutil.rmtree(old, ignore_errors=True)
        size = 0
        for lang in langs[:: len(langs) // count][:count]:
            texts = rows.filter(pc.equal(rows["lang"], lang))["text"][:each]
            ids = [f"{lang}-{n}" for n in range(len(texts))]
            made = pa.table({"id": ids, "text": texts, "lang": [lang] * len(ids), "source": ["s"] * len(ids)})
            table.write(made, corpus / lang / "s.parquet")
            size += len(ids)
        done = harness.measure([sys.executable, "-c", _RUN, corpus, out], env=_ENV)
        if done.exit:
            raise harness.BenchmarkError(f"mining failed:\n{done.output}")
        told = json.loads((out / record.RECORD).read_text("utf-8"))["notes"]["mined"]
        spent.append((size, count * (count - 1) // 2, done.cpu_seconds / 60, done.peak_mb))
        about = {"documents": size, "languages": count, "pairs_of_languages": spent[-1][1]}
        about |= {"candidates": told["candidates"], "null": told["null"], "pairs": told["pairs"]}
        about |= {"wall_seconds": round(done.wall_seconds, 1)}
        yield Row(NAME, f"pairs.cpu_minutes.{count}_languages", spent[-1][2], n=1, unit="min", settings=about)
        yield Row(NAME, f"pairs.peak_memory_mb.{count}_languages", done.peak_mb, n=1, unit="MB", settings=about)
    yield from _carried(spent)
    corpus, out, again = (FOLDER / f"many-{2 * (3 if small else 6)}{end}" for end in ("", "-pairs", "-again"))
    shutil.rmtree(again, ignore_errors=True)
    process = subprocess.Popen([sys.executable, "-c", _RUN, corpus, again], env={**os.environ, **_ENV})
    time.sleep(done.wall_seconds / 4)
    process.send_signal(signal.SIGKILL)
    killed = process.wait() == -signal.SIGKILL
    subprocess.run([sys.executable, "-c", _RUN, corpus, again], env={**os.environ, **_ENV}, check=True)
    same = float(_digests(out) == _digests(again)) if killed else None
    about = {"killed_after_seconds": round(done.wall_seconds / 4, 1)}
    yield Row(NAME, "pairs.same_after_kill", same, n=1, settings=about)


def _carried(spent: list[tuple[int, int, float, float]]) -> Iterator[Row]:
    """Yield what 100,000 documents in 186 languages would cost."""
    documents, pairs_of, minutes, memory = np.array(spent).T
    fitted, _ = nnls(np.stack([documents, pairs_of], axis=1), minutes)
    wanted = 100_000, 186 * 185 // 2
    about: dict[str, object] = {
        "carried": "from the sizes above, least squares: a · documents + b · pairs of languages"
    }
    about["bound"] = "from above: past 500 pairs of languages the null grows no more"
    about |= {"minutes_per_1000_documents": round(1_000 * fitted[0], 4)}
    about |= {"minutes_per_1000_pairs_of_languages": round(1_000 * fitted[1], 4)}
    yield Row(NAME, "pairs.cpu_minutes.100k", float(fitted @ wanted), unit="min", settings=about)
    line = np.polyfit(documents, memory, 1)
    about = {"carried": "from the sizes above, by a line through the documents"}
    yield Row(NAME, "pairs.peak_memory_mb.100k", float(np.polyval(line, wanted[0])), unit="MB", settings=about)


PARTS = {"pairs.cost": cost}
