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

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import harness
from benchmarks.harness import Row
from glotmix.align import mine, pairs, sets, staged
from glotmix.core import record, table
from glotmix.core.files import digest_file
from glotmix.embed.static import shipped

NAME = "align"
FOLDER = harness.BENCH / "align"

ALL = 545
"""Documents of a language at most that make 100,000 of all languages of the crawl."""

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
    """Yield CPU minutes and memory of mining in all pairs of languages, by their number; the bytes after a kill."""
    rows = pq.read_table(harness.data("crawl.parquet"), columns=["lang", "text"])
    langs = sorted(set(rows["lang"].to_pylist()))
    each = 60 if small else 540
    seconds: dict[int, float] = {}
    for count in (3, 6) if small else (6, 12, 24, len(langs)):
        corpus, out = FOLDER / f"many-{count}", FOLDER / f"many-{count}-pairs"
        for old in (corpus, out):
            shutil.rmtree(old, ignore_errors=True)
        size = 0
        for lang in langs[:: len(langs) // count][:count]:
            texts = rows.filter(pc.equal(rows["lang"], lang))["text"][: each if count < len(langs) else ALL]
            ids = [f"{lang}-{n}" for n in range(len(texts))]
            made = pa.table({"id": ids, "text": texts, "lang": [lang] * len(ids), "source": ["s"] * len(ids)})
            table.write(made, corpus / lang / "s.parquet")
            size += len(ids)
        done = harness.measure([sys.executable, "-c", _RUN, corpus, out], env=_ENV)
        if done.exit:
            raise harness.BenchmarkError(f"mining failed:\n{done.output}")
        told = json.loads((out / record.RECORD).read_text("utf-8"))["notes"]["mined"]
        about = {"documents": size, "languages": count, "pairs_of_languages": count * (count - 1) // 2}
        about |= {"candidates": told["candidates"], "null": told["null"], "pairs": told["pairs"]}
        about |= {"wall_seconds": round(done.wall_seconds, 1)}
        seconds[count] = done.wall_seconds
        name = f"{count}_languages" if count < len(langs) else "100k"
        yield Row(NAME, f"pairs.cpu_minutes.{name}", done.cpu_seconds / 60, n=1, unit="min", settings=about)
        yield Row(NAME, f"pairs.peak_memory_mb.{name}", done.peak_mb, n=1, unit="MB", settings=about)
    killed_one = 6 if small else 12
    corpus, out, again = (FOLDER / f"many-{killed_one}{end}" for end in ("", "-pairs", "-again"))
    shutil.rmtree(again, ignore_errors=True)
    process = subprocess.Popen([sys.executable, "-c", _RUN, corpus, again], env={**os.environ, **_ENV})
    time.sleep(seconds[killed_one] / 2)
    process.send_signal(signal.SIGKILL)
    killed = process.wait() == -signal.SIGKILL
    subprocess.run([sys.executable, "-c", _RUN, corpus, again], env={**os.environ, **_ENV}, check=True)
    same = float(_digests(out) == _digests(again)) if killed else None
    about = {"killed_after_seconds": round(seconds[killed_one] / 2, 1)}
    yield Row(NAME, "pairs.same_after_kill", same, n=1, settings=about)


PARTS = {"pairs.cost": cost}
