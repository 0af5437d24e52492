"""Outputs that can be trusted: kills, a power cut, damage, a user's files, inputs that change, locks, fuzz, growth.

All of it takes hours on two cores: ``--only kills fuzz`` measures some parts. ``RELIABILITY_TRIES=100000`` says how
many files fuzz damages, ``RELIABILITY_SEED=7`` with which seed: one whose faults were mended proves nothing any more.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import yaml
from scipy import stats

from benchmarks import _fuzz, _fuzz_targets, _growth, _parts, _power, _runs, harness
from benchmarks import _placements as world
from benchmarks.harness import Row
from glotmix.core import files, flight, identity, lock, record
from glotmix.core.errors import BusyError, DataError, GlotmixError
from glotmix.pipeline import recipe
from glotmix.pipeline.run import Job
from glotmix.proxy.need import installed

NAME = "reliability"


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    harness.BENCH.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=harness.BENCH) as at:
        yield Path(at)


def _whole(folder: Path) -> Path:
    """Return a folder with a finished run."""
    whole = folder / "whole"
    world.source(whole / "raw" / "a.jsonl", 60)
    world.recipe(whole)
    job(whole).run()
    return whole


def job(folder: Path, *overrides: str) -> Job:
    """Return the job of a folder's recipe."""
    return Job(recipe.load(folder / "recipe.yaml", overrides), folder)


def share(metric: str, held: list[bool], **settings: object) -> Row:
    """Return a share of cases with Wilson's interval."""
    if not held:
        return Row(NAME, metric, None, n=0, unit="share", settings=settings)
    found = stats.binomtest(sum(held), len(held)).proportion_ci(method="wilson")
    return Row(NAME, metric, sum(held) / len(held), found.low, found.high, len(held), "share", settings)


def _user_files(at: Path) -> Row:
    whole, folder = _whole(at), at / "users"
    lost = []
    for placed in world.PLACEMENTS:
        shutil.rmtree(folder, ignore_errors=True)
        if placed.after:
            shutil.copytree(whole, folder)
        else:
            world.source(folder / "raw" / "a.jsonl", 20)
        before = {path: path.read_bytes() for path in placed.put(folder)}
        world.recipe(folder, placed.path, placed.output)
        with contextlib.suppress(GlotmixError):
            job(folder, *(["corpus.max_chars=90000"] if placed.after else [])).run()
        there = {(folder / n).read_bytes() for n, _ in files.listing(folder) if (folder / n).is_file()}
        lost += [placed.name] * (not set(before.values()) <= there)
    told = {"placements": [placed.name for placed in world.PLACEMENTS], "lost": lost}
    return Row(NAME, "user_files.lost", len(lost), n=len(world.PLACEMENTS), unit="placements", settings=told)


def _inputs(folder: Path, times: int) -> Row:
    from glotmix.corpus import read

    make, held = read.make, []
    for name, change in world.CHANGES.items():
        for time_ in range(times):
            shutil.rmtree(folder, ignore_errors=True)
            path = world.source(folder / "raw" / "a.jsonl", 20 + 30 * time_)
            world.recipe(folder)

            def late(*given: object, **named: object) -> object:
                change(path)  # noqa: B023
                return make(*given, **named)

            read.make = late
            try:
                job(folder).run("corpus")
                noticed = False
            except DataError as error:
                noticed = ("b.jsonl" if name == "another came" else "a.jsonl") in str(error)
            finally:
                read.make = make
            held.append(noticed and record.read(folder / "out" / "corpus") is None)
    return share("inputs.changed_noticed", held, changes=list(world.CHANGES), moment="after hashing, before reading")


def _damage(at: Path) -> Iterator[Row]:
    whole, folder = _whole(at), at / "damage"
    held: list[bool] = []
    beyond: list[int] = []
    steps = [step.name for step in job(whole).steps]
    for step in steps:
        for kind in ("flip", "truncate", "delete"):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(whole, folder)
            out = folder / "out" / step
            path = max((out / n for n, _ in files.listing(out) if n != identity.RECORD), key=lambda p: p.stat().st_size)
            if kind == "flip":
                noticed = True
                if path.suffix == ".parquet":
                    # Within a page, so that reading must notice it too.
                    world.flip(path, _within_a_page(path))
                    noticed = _unreadable(path)
                else:
                    world.flip(path)
                noticed &= bool(record.verify(out))
            else:
                if kind == "truncate":
                    os.truncate(path, path.stat().st_size // 2)
                else:
                    path.unlink()
                noticed = True
            found = {row["step"]: row["state"] for row in job(folder).plan()}
            held.append(noticed and found[step] == "damaged")
            before = {s: (folder / "out" / s / identity.RECORD).stat().st_mtime_ns for s in steps}
            job(folder).run()
            made = {s for s in steps if (folder / "out" / s / identity.RECORD).stat().st_mtime_ns != before[s]}
            beyond.append(len(made - {step}))
            held[-1] &= step in made
    told = {"steps": steps, "kinds": ["flip", "truncate", "delete"], "file": "the largest of the step"}
    yield share("damage.noticed", held, **told)
    yield Row(NAME, "damage.rebuilt_steps_beyond_need", sum(beyond), n=len(beyond), unit="steps", settings=told)


def _unreadable(path: Path) -> bool:
    try:
        pq.read_table(path, page_checksum_verification=True, partitioning=None)
    except OSError:
        return True
    return False


def _within_a_page(path: Path) -> int:
    """Return the place of a byte of a column's data: the last but one of its largest chunk."""
    group = pq.read_metadata(path).row_group(0)
    chunk = max((group.column(i) for i in range(group.num_columns)), key=lambda c: c.total_compressed_size)
    start: int = chunk.dictionary_page_offset or chunk.data_page_offset
    return start + int(chunk.total_compressed_size) - 2


def _power_cut(folder: Path) -> Row:
    world.source(folder / "raw" / "a.jsonl", 200)
    world.recipe(folder)
    before = flight.engine()
    flight.use(flight.Engine(workers=1))
    try:
        with _power.traced() as trace:
            job(folder).run()
    finally:
        flight.use(before)
    told = {"markers and records": trace.markers, "syncs": trace.syncs, "lost": trace.lost[:10], "by": "traced calls"}
    return Row(NAME, "power.order", 1 - len(trace.lost) / trace.vouched, n=trace.vouched, unit="share", settings=told)


def _locks(at: Path, tries: int) -> Row:
    folder = at / "lock"
    shutil.copytree(_whole(at), folder)
    program = "import pathlib, sys; from glotmix.core import lock\nwith lock.held(pathlib.Path(sys.argv[1])):\n input()"
    held = []
    words = [sys.executable, "-c", program, str(folder / "out")]
    for _ in range(tries):
        with subprocess.Popen(words, stdin=subprocess.PIPE, text=True) as process:
            while not (folder / "out" / lock.FOLDER / "holder.json").is_file():
                time.sleep(0.01)
            try:
                job(folder).run()
                held.append(False)
            except BusyError as error:
                held.append(f"process {process.pid} on " in str(error))
            process.communicate("\n")
    return share("lock.refused", held, said="host, process and since when")


def _reuse(folder: Path) -> Row:
    def make(output: record.Output) -> record.Counts:
        for n in range(10_000):
            path = output.path / f"{n % 100:02d}" / f"{n}.bin"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"%d" % n)
        return {"documents": 10_000}

    one = identity.Identity("x", 1)
    cost = _growth.timed(lambda: record.build(folder / "x", one, make))
    spent = sorted(_growth.cpu(lambda: record.state_of(folder / "x", one)) for _ in range(21))
    told = {"files": 10_000, "bytes each": 4, "clock": "CPU", "made and synced in seconds": round(cost, 2)}
    return Row(NAME, "reuse.seconds.10000_files", statistics.median(spent), spent[1], spent[-2], len(spent), "s", told)


SHARES = {"documents": 0.01, "raters": 0.05}
"""Of the tries of fuzz, for what takes long to read; the others share the rest."""


def _fuzzed(folder: Path, tries: int) -> Iterator[Row]:
    logs = harness.ROOT / "tests" / "data" / "lm_eval"
    targets = _fuzz_targets.targets(logs if logs.is_dir() else None)
    rest = (1 - sum(SHARES.values())) / (len(targets) - len(SHARES))
    seed = int(os.environ.get("RELIABILITY_SEED", "0"))
    total = foreign = 0
    told: dict[str, object] = {"seed": seed}
    for target in targets:
        found = _fuzz.run(target, folder, round(tries * SHARES.get(target.name, rest)), seed)
        total += found.tries
        foreign += sum((found.foreign or {}).values())
        told[target.name] = {"tries": found.tries, "refused": found.refused, "foreign": found.foreign or {}}
        print(f"  {target.name}: {told[target.name]}", file=sys.stderr, flush=True)
    yield Row(NAME, "fuzz.foreign_exceptions", foreign, n=total, unit="files and settings", settings=told)


def _kills(folder: Path, chains: int) -> Iterator[Row]:
    """Kill a run in each of its steps in turn, then let it end: the same bytes as those that nothing disturbed."""
    # What a script starts in the background ignores SIGINT, and so would all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    more: dict[str, object] = {"quality": {"head": "logistic", "audits": 1}}
    more["settings"] = {"default": {"identify": {"on_mismatch": "keep"}}}
    if installed():
        proxies = {
            "parameters": 1e5,
            "vocabulary": 300,
            "tokens": 2000,
            "held_out": 0.2,
            "held_bytes": 1000,
            "runs": 24,
        }
        more |= {"mix": {"method": "law", "laws": ["own_share"], "bootstrap": 2, "next_runs": 0, "proxies": proxies}}
    alone = folder / "alone"
    _varied(alone / "raw" / "a.jsonl", 400)
    world.recipe(alone)
    settings = yaml.safe_load((alone / "recipe.yaml").read_text("utf-8")) | more
    (alone / "recipe.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
    took = _spans([_runs.GLOTMIX, "run", alone / "recipe.yaml"])
    expected = _runs.digests(alone / "out")
    steps = [step.name for step in job(alone).steps]
    chance = random.Random(5)
    signals = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    kills: list[dict[str, object]] = []
    equal: list[bool] = []
    commands = {"select": "ledger", "export": "dataset", "report": "report"}
    for chain in range(chains):
        for command in ("run", *commands):
            at = folder / f"{chain}-{command}"
            shutil.copytree(alone / "raw", at / "raw")
            shutil.copyfile(alone / "recipe.yaml", at / "recipe.yaml")
            wanted = steps if command == "run" else [commands[command]]
            if command != "run":
                # By itself: everything before it is there.
                shutil.copytree(alone / "out", at / "out")
                for step in steps[steps.index(wanted[0]) :]:
                    shutil.rmtree(at / "out" / step)
            mine = 0
            for step in wanted:
                sent = signals[(chain + len(kills)) % 3]
                if _killed_in(step, [_runs.GLOTMIX, command, at / "recipe.yaml"], sent, chance.random() * took[step]):
                    kills.append({"command": command, "step": step, "signal": sent.name})
                    mine += 1
            _runs.finish([_runs.GLOTMIX, "run", at / "recipe.yaml", "-q"])
            same = _runs.digests(at / "out") == expected
            equal += [same] * mine
            shutil.rmtree(at)
    told = {"steps": steps, "killed in": sorted({str(k["step"]) for k in kills}), "chains": chains,
            "signals": {s.name: sum(k["signal"] == s.name for k in kills) for s in signals},
            "proxies": installed(), "documents": 400}  # fmt: skip
    yield share("kills.equal_bytes", equal, **told)


def _varied(path: Path, number: int) -> None:
    """Write documents that are no duplicates: words of the languages that have spaces, drawn at random."""
    langs = [lang for lang, text in world.TEXTS.items() if len(text.split()) > 8]
    chance = random.Random(11)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for n in range(number):
            lang = langs[n % len(langs)]
            text = " ".join(chance.choices(world.TEXTS[lang].split(), k=80))
            file.write(json.dumps({"id": f"d{n}", "lang": lang, "text": f"{text} {n}."}, ensure_ascii=False) + "\n")


def _spans(words: list[str | Path]) -> dict[str, float]:
    """Let a run end, and return how many seconds lay between the first and the last word of each step."""
    began: dict[str, float] = {}
    took: dict[str, float] = {}
    with _started(words) as process:
        assert process.stderr is not None
        for line in process.stderr:
            step, *said = line.split()
            if said[:1] == ["begins"]:
                began[step] = time.perf_counter()
            elif said[:1] == ["done"]:
                took[step] = time.perf_counter() - began[step]
    if process.returncode not in (0, 2, 3):
        raise RuntimeError(f"a run that nothing disturbed ended with {process.returncode}")
    return took


def _killed_in(step: str, words: list[str | Path], sent: signal.Signals, after: float) -> bool:
    """Start a run and stop it some seconds after a step has begun; return whether it was stopped within that step."""
    ended = threading.Event()
    with _started(words) as process:
        assert process.stderr is not None

        def stop() -> None:
            # Children too, as a terminal or a scheduler does.
            if not ended.wait(after) and process.poll() is None:
                os.killpg(process.pid, sent)

        killer = threading.Thread(target=stop)
        for line in process.stderr:
            if line.startswith(f"{step} ") and line.rstrip().endswith("begins"):
                killer.start()
            elif line.startswith(f"{step} ") and " done in " in line:
                ended.set()
                os.killpg(process.pid, signal.SIGKILL)
        if killer.ident is not None:
            killer.join()
    return not ended.is_set() and process.returncode not in (0, 2, 3)


def _started(words: list[str | Path]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [str(w) for w in words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def _grows(kind: str, folder: Path, small: bool) -> Row:
    _, few, many = _growth.KINDS[kind]
    sizes = few if small else many
    try:
        spent = [_growth.seconds(kind, size, folder) for size in sizes]
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        return Row(NAME, f"growth.{kind}", None, n=len(sizes), unit="exponent", settings={"why": str(error)[:300]})
    told = {"sizes": list(sizes), "cpu seconds": [round(s, 2) for s in spent], "between": "the two largest",
            "up to": "ledger"}  # fmt: skip
    return Row(NAME, f"growth.{kind}", _growth.exponent(sizes, spent), n=len(sizes), unit="exponent", settings=told)


def _part(measure: Callable[[Path, bool], Row | Iterable[Row]]) -> _parts.Part:
    """Return a part that measures in a folder of its own."""

    def part(small: bool) -> Iterator[Row]:
        with _folder() as at:
            found = measure(at, small)
            yield from [found] if isinstance(found, Row) else found

    return part


def _tries(small: bool) -> int:
    return int(os.environ.get("RELIABILITY_TRIES", "2000" if small else "52000"))


PARTS: dict[str, _parts.Part] = {
    "user_files": _part(lambda at, _: _user_files(at)),
    "inputs": _part(lambda at, small: _inputs(at / "inputs", 1 if small else 4)),
    "damage": _part(lambda at, _: _damage(at)),
    "power": _part(lambda at, _: _power_cut(at / "power")),
    "lock": _part(lambda at, _: _locks(at, 20)),
    "reuse": _part(lambda at, _: _reuse(at / "reuse")),
    "fuzz": _part(lambda at, small: _fuzzed(at / "fuzz", _tries(small))),
    "kills": _part(lambda at, small: _kills(at / "kills", 1 if small else 4)),
} | {f"growth.{kind}": _part(lambda at, small, kind=kind: _grows(kind, at / "growth", small)) for kind in _growth.KINDS}

if __name__ == "__main__":
    _parts.main(NAME, PARTS)
