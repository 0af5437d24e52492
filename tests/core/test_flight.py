"""Parts in flight: really at once, bounded by memory, and what becomes of a part that fails."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from glotmix.core import flight
from glotmix.core.errors import DataError
from glotmix.core.flight import Engine
from glotmix.core.record import Counts, Identity, Output, Silent, build

IDENTITY = Identity("signals/x", 1)
NAMES = [f"part-{n}" for n in range(6)]


@pytest.fixture
def on():
    """Set the engine for a test."""
    yield lambda **told: flight.use(Engine(**told))
    flight.use(Engine())


def test_as_many_parts_as_workers_are_made_at_once(on):
    on(workers=3)
    # Each waits for two others: with fewer in flight the barrier breaks.
    together = threading.Barrier(3, timeout=30)

    def make(name: str) -> str:
        together.wait()
        return name.upper()

    assert {name: made for name, made, _ in flight.fly(make, NAMES)} == {name: name.upper() for name in NAMES}


def test_one_part_more_than_cores_goes_on_while_another_waits_and_turns_are_shorter_only_then(on):
    on(workers=2)
    usual = sys.getswitchinterval()
    together = threading.Barrier(3, timeout=30)

    def make(name: str) -> float:
        together.wait()
        return sys.getswitchinterval()

    assert {held < usual for _, held, _ in flight.fly(make, NAMES)} == {True}
    assert sys.getswitchinterval() == usual


def test_memory_bounds_the_parts_in_flight(on):
    assert Engine(workers=8, memory=10).slots(4) == 2
    assert Engine(workers=8, memory=3).slots(4) == 1
    assert Engine(workers=2, memory=10**6).slots(4) == 2
    assert Engine(workers=2, memory=10**6).parts(4) == 3, "one more than cores"
    assert Engine(workers=2, memory=8).parts(4) == 2, "where there is memory for it"
    assert Engine(workers=1, memory=10**6).parts(4) == 1
    assert Engine(workers=flight.THREADS + 1, memory=10**6).parts(4) == flight.THREADS + 1, "in processes none waits"
    assert 1 <= Engine().slots() <= flight.cores()
    on(workers=4, memory=flight.PART_MEMORY)
    flying, most = 0, 0
    lock = threading.Lock()

    def make(name: str) -> None:
        nonlocal flying, most
        with lock:
            flying += 1
            most = max(most, flying)
        with lock:
            flying -= 1

    list(flight.fly(make, NAMES))
    assert most == 1


def test_a_part_that_uses_the_whole_machine_flies_alone(on):
    on(workers=4)
    main = threading.get_ident()
    seen = [made for _, made, _ in flight.fly(lambda name: threading.get_ident(), NAMES, one_by_one=True)]
    assert set(seen) == {main}


def test_the_first_part_that_fails_stops_the_run_and_the_finished_ones_stay(on, tmp_path: Path):
    on(workers=2)
    begun, both = [], threading.Barrier(2, timeout=30)

    def step(fails: bool):
        def one(name: str, folder: Path) -> Counts:
            begun.append(name)
            if fails and name in NAMES[:2]:
                both.wait()
                if name == NAMES[0]:
                    raise DataError("this part cannot be made")
            (folder / name).write_text(name)
            return {"documents": 1}

        return lambda output: output.each({name: name for name in NAMES}, one)

    with pytest.raises(DataError, match="this part cannot be made"):
        build(tmp_path / "x", IDENTITY, step(True))
    assert NAMES[0] in begun and NAMES[1] in begun and NAMES[-1] not in begun
    before, begun[:] = list(begun), []
    made = build(tmp_path / "x", IDENTITY, step(False))
    assert made.counts == {"documents": len(NAMES)}
    assert NAMES[0] in begun and NAMES[1] not in begun
    assert sorted(begun + before) == sorted([NAMES[0], *NAMES])


def test_the_next_parts_are_made_while_others_wait_for_the_disk(on):
    on(workers=2)
    # Two parts wait for the disk until two further ones are in the making.
    all_four = threading.Barrier(4, timeout=30)
    landed = []

    def make(name: str) -> str:
        if name in NAMES[2:4]:
            all_four.wait()
        return name

    def then(name: str, made: str) -> None:
        assert made == name
        if name in NAMES[:2]:
            all_four.wait()
        landed.append(name)

    assert sorted(name for name, _, _ in flight.fly(make, NAMES, then=then)) == sorted(NAMES)
    assert sorted(landed) == sorted(NAMES)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_part_that_cannot_be_brought_onto_the_disk_fails_and_those_behind_it_are_not_begun(on, workers):
    on(workers=workers)
    begun, seen = [], []
    names = [f"part-{n:02d}" for n in range(20)]

    def then(name: str, made: None) -> None:
        if name == names[0]:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        for name, _, _ in flight.fly(begun.append, names, then=then):
            seen.append(name)
    assert names[0] not in seen and names[-1] not in begun


def test_of_several_errors_the_first_part_s_is_raised(on):
    on(workers=3)
    together = threading.Barrier(3, timeout=30)

    def make(name: str) -> None:
        together.wait()
        raise DataError(f"{name} failed")

    with pytest.raises(DataError, match="part-0 failed"):
        list(flight.fly(make, NAMES[:3]))


def test_progress_counts_each_part_once_whatever_the_order(on, tmp_path: Path):
    on(workers=3)
    told: list[tuple[int, int, int]] = []

    class Watcher(Silent):
        def advance(self, step: str, done: int, total: int, rows: int) -> None:
            told.append((done, total, rows))

    def part(n: int, folder: Path) -> Counts:
        return {"documents": n + 1}

    output = Output(tmp_path, "x", Watcher())
    assert output.each({f"p{n}": n for n in range(5)}, part) == {"documents": 15}
    assert [t[:2] for t in told] == [(n, 5) for n in range(1, 6)]
    assert sum(rows for *_, rows in told) == 15


def test_pieces_of_a_part_keep_their_order_and_share_the_cores(on):
    on(workers=3)
    together = threading.Barrier(3, timeout=30)

    def function(n: int) -> tuple[int, int]:
        together.wait()
        return n, threading.get_ident()

    found = flight.spread(function, range(9))
    assert [n for n, _ in found] == list(range(9))
    assert len({thread for _, thread in found}) == 3
    on(workers=1)
    assert flight.spread(lambda n: threading.get_ident(), range(3)) == [threading.get_ident()] * 3


def test_many_cores_get_processes_of_one_core_each(on, tmp_path: Path):
    on(workers=flight.THREADS + 1, memory=2 * flight.PART_MEMORY)
    (tmp_path / "fatal").touch()
    names, driver = [f"part-{n:02d}" for n in range(12)], os.getpid()

    def step(output: Output) -> Counts:
        def one(name: str, folder: Path) -> Counts:
            if name == names[3] and (tmp_path / "fatal").exists():
                os.kill(os.getpid(), signal.SIGKILL)
            (folder / name).write_text(name)
            return {"documents": 1, "cores": flight.engine().cores, "here": int(os.getpid() == driver)}

        return output.each({name: name for name in names}, one)

    with pytest.raises(DataError, match=r"want of memory(?s:.*)engine\.memory.*run again"):
        build(tmp_path / "x", IDENTITY, step)
    (tmp_path / "fatal").unlink()
    made = build(tmp_path / "x", IDENTITY, step)
    assert made.counts == {"documents": 12, "cores": 12, "here": 0}
    assert sorted(p.name for p in (tmp_path / "x").glob("part-*")) == names


@pytest.mark.parametrize("worth", [0.0, 1e9])
def test_what_is_apart_is_made_in_order_whether_processes_are_worth_it_or_not(on, monkeypatch, worth):
    on(workers=2)
    monkeypatch.setattr(flight, "_WORTH", worth)
    made = list(flight.apart(lambda name: (name.upper(), os.getpid()), NAMES))
    assert [name for name, _ in made] == [name.upper() for name in NAMES]
    elsewhere = {pid for _, pid in made} - {os.getpid()}
    assert bool(elsewhere) is (worth == 0)
    assert made[0][1] == os.getpid(), "the first says how much work there is"


def test_of_what_is_apart_the_first_that_fails_is_raised(on, monkeypatch):
    on(workers=2)
    monkeypatch.setattr(flight, "_WORTH", 0.0)

    def make(name: str) -> str:
        if name in NAMES[2:]:
            raise DataError(f"{name} failed")
        return name

    with pytest.raises(DataError, match=f"{NAMES[2]} failed"):
        list(flight.apart(make, NAMES))


_SLEEPERS = """
import os, sys, time
from glotmix.core import flight
flight.use(flight.Engine(workers=2))
flight._WORTH = 0.0
def make(name):
    if name:
        open(f"{sys.argv[1]}/{os.getpid()}", "w").close()
        time.sleep(600)
list(flight.apart(make, ["", "a", "b"]))
"""


def test_processes_end_with_the_one_that_they_work_for_when_it_is_killed(tmp_path):
    started = subprocess.Popen([sys.executable, "-c", _SLEEPERS, str(tmp_path)], stdout=subprocess.DEVNULL)

    def within(seconds: float, holds: Callable[[], bool]) -> bool:
        until = time.monotonic() + seconds
        while not holds() and time.monotonic() < until:
            time.sleep(0.1)
        return holds()

    assert within(60, lambda: len(list(tmp_path.iterdir())) == 2)
    workers = [int(path.name) for path in tmp_path.iterdir()]
    started.kill()
    started.wait()

    def lives(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True

    assert within(30, lambda: not any(map(lives, workers)))
