"""CPU seconds of a whole run (without rater and report) as one thing grows and the rest stays: documents, sources, …"""

import itertools
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import yaml

from benchmarks import _placements as world
from glotmix.core import language
from glotmix.core.errors import GlotmixError

PROGRAM = """
import resource, sys
from pathlib import Path
from glotmix.pipeline import recipe, run
job = run.Job(recipe.load(Path(sys.argv[1])), Path(sys.argv[1]).parent)
before = resource.getrusage(resource.RUSAGE_SELF)
job.run("ledger")
after = resource.getrusage(resource.RUSAGE_SELF)
print(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
"""

WORDS = [word for text in world.TEXTS.values() for word in text.split()]


def text(chance: random.Random, words: int) -> str:
    """Return words in ten scripts, drawn at random, and a number that no other text has."""
    return " ".join(chance.choices(WORDS, k=words)) + f" {chance.random()}"


def _documents(n: int, chance: random.Random) -> Iterator[tuple[str, dict[str, object]]]:
    for i in range(n):
        yield "raw", {"id": f"d{i}", "lang": "eng_Latn", "text": text(chance, 60)}


def _sources(n: int, chance: random.Random) -> Iterator[tuple[str, dict[str, object]]]:
    for i in range(4 * n):
        yield f"raw{i % n}", {"id": f"d{i}", "lang": "eng_Latn", "text": text(chance, 60)}


def _languages(n: int, chance: random.Random) -> Iterator[tuple[str, dict[str, object]]]:
    codes = itertools.islice(_codes(), n)
    for number, code in enumerate(codes):
        for i in range(4):
            yield "raw", {"id": f"d{number}-{i}", "lang": code, "text": text(chance, 60)}


def _files(n: int, chance: random.Random) -> Iterator[tuple[str, dict[str, object]]]:
    for i in range(n):
        yield f"raw/{i}", {"id": f"d{i}", "lang": "eng_Latn", "text": text(chance, 60)}


def _cluster(n: int, chance: random.Random) -> Iterator[tuple[str, dict[str, object]]]:
    words = chance.choices(WORDS, k=120)
    for i in range(n):
        mine = words.copy()
        mine[chance.randrange(len(mine))] = str(i)
        yield "raw", {"id": f"d{i}", "lang": "eng_Latn", "text": " ".join(mine)}


def _length(n: int, chance: random.Random) -> Iterator[tuple[str, dict[str, object]]]:
    for i in range(3):
        yield "raw", {"id": f"d{i}", "lang": "eng_Latn", "text": text(chance, 60)}
    lines: list[str] = []
    held = 0
    while held < n:
        lines.append(text(chance, 40))
        held += len(lines[-1].encode()) + 1
    yield "raw", {"id": "long", "lang": "eng_Latn", "text": "\n".join(lines)}


def _codes() -> Iterator[str]:
    import langcodes

    for letters in itertools.product("abcdefghijklmnopqrstuvwxyz", repeat=3):
        code = f"{''.join(letters)}_Latn"
        if langcodes.tag_is_valid(code[:3]):
            try:
                if language.parse(code).code == code:
                    yield code
            except GlotmixError:
                continue


KINDS: dict[str, tuple[Callable[..., Iterator[tuple[str, dict[str, object]]]], tuple[int, ...], tuple[int, ...]]] = {
    "documents": (_documents, (1_000, 4_000, 16_000), (10_000, 50_000, 250_000)),
    "sources": (_sources, (50, 200, 800), (50, 500, 5_000)),
    "languages": (_languages, (50, 200, 800), (50, 500, 5_000)),
    "files": (_files, (200, 1_000, 5_000), (200, 2_000, 20_000)),
    "cluster": (_cluster, (1_000, 4_000, 16_000), (1_000, 10_000, 100_000)),
    "document_length": (_length, (500_000, 2_000_000, 8_000_000), (500_000, 5_000_000, 50_000_000)),
}
"""What grows: how its documents are made, and the sizes of a small run and of a whole one."""


def seconds(kind: str, size: int, folder: Path) -> float:
    """Return the CPU seconds of one run.

    Raises:
        RuntimeError: with the last words of a run that failed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    chance = random.Random(f"{kind} {size}")
    held: dict[str, list[str]] = {}
    for name, document in KINDS[kind][0](size, chance):
        held.setdefault(name, []).append(json.dumps(document, ensure_ascii=False) + "\n")
    for name, lines in held.items():
        path = folder / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines), "utf-8")
    names = [name for name in held if "/" not in name] or ["raw"]
    sources = [{"name": n, "path": f"{n}.jsonl" if n in held else n, "language": {"column": "lang"}} for n in names]
    content = {
        "name": "growth",
        "quality": None,
        "select": {"retain": "all"},
        "signals": {"duplicates": {"selftest": False}},
        # Words of ten scripts are no language: only duplicates are decided on.
        "settings": {"default": {"identify": {"on_mismatch": "keep"}}},
        "corpus": {"sources": sources, "max_chars": 10**9},
    }
    recipe = folder / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(content), "utf-8")
    words = [sys.executable, "-c", PROGRAM, str(recipe)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=3600)
    shutil.rmtree(folder, ignore_errors=True)
    if done.returncode:
        raise RuntimeError(f"{kind} {size}: {done.stderr[-500:]}")
    return float(done.stdout)


def exponent(sizes: tuple[int, ...], spent: list[float]) -> float:
    """Return the slope between the two largest sizes, log over log: what small sizes cost anyway is left out."""
    return float(np.log(spent[-1] / spent[-2]) / np.log(sizes[-1] / sizes[-2]))


def timed(act: Callable[[], object]) -> float:
    """Return the wall seconds that something takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def cpu(act: Callable[[], object]) -> float:
    """Return the CPU seconds that something takes."""
    began = time.process_time()
    act()
    return time.process_time() - began
