"""Parts in flight: as many at once as there are cores, or slots in the cluster, and memory for them.

A part depends on no other part; how many run at once, where, and in which order changes no byte. On one machine parts
run on threads (the native loops hold no lock), and beyond `THREADS` cores in processes of one thread each; on Ray each
part is a task, which the cluster places, and tries again on another node where one is lost.
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from glotmix.core import memory
from glotmix.core.errors import DataError

Made = TypeVar("Made")
Piece = TypeVar("Piece")

THREADS = 4
"""Cores that threads of one process keep busy; beyond, Python's own lock would cost more than processes do."""

PART_MEMORY = 400 * 2**20
"""Bytes that a part in flight takes, by measurement: its text, what is made of it, and what it is written through."""

SHARE = 0.5
"""Of the machine's memory, for parts in flight, where no other bound is given."""

_SWITCH = 0.0005
"""Seconds that a thread keeps Python's lock when another wants it: of the usual 5 ms, a core is idle as long."""

_LOOKS = 1.0
"""Seconds between two looks of a process whether the one that it works for is still there."""

_WORTH = 10.0
"""Seconds of work from which on processes are worth their start, which is some seconds of each."""

TRIES = 3
"""Further tries of a part whose node was lost."""

_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM", "NUMEXPR", "BLIS")}


@dataclass(frozen=True)
class Engine:
    """Where work runs.

    Args:
        runner: ``local``, or ``ray`` for the cluster that is connected.
        workers: cores that parts use on this machine; None for all.
        memory: bytes that parts in flight may take on this machine; None for `SHARE` of what there is.
    """

    runner: Literal["local", "ray"] = "local"
    workers: int | None = None
    memory: int | None = None

    @property
    def cores(self) -> int:
        """How many cores are used on this machine."""
        return self.workers or cores()

    def slots(self, part_memory: int = PART_MEMORY) -> int:
        """Return how many pieces of work may use a core of this machine each, so large as a part: one at least."""
        return self._room(self.cores, part_memory)

    def parts(self, part_memory: int = PART_MEMORY) -> int:
        """Return how many parts may be in flight on this machine: one at least.

        On threads one more than there are cores: while one part waits for Python's lock, another goes on.
        """
        return self._room(self.cores + (1 < self.cores <= THREADS), part_memory)

    def _room(self, wanted: int, part_memory: int) -> int:
        room = self.memory if self.memory is not None else int(SHARE * memory.total())
        return max(1, min(wanted, room // part_memory))


@dataclass(frozen=True)
class Place:
    """Where a part was made, and what that cost.

    Args:
        node: of the cluster; empty on this machine.
        cpu_seconds: of another process than this one.
    """

    node: str = ""
    cpu_seconds: float = 0.0


HERE = Place()

_ENGINE: list[Engine] = []


def use(engine: Engine) -> None:
    """Set where the parts of this process run from now on."""
    _ENGINE[:] = [engine]
    _threads.cache_clear()


def engine() -> Engine:
    """Return where they run: on all cores of this machine, if nothing else was said."""
    return _ENGINE[0] if _ENGINE else Engine()


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fly(
    make: Callable[[str], Made],
    names: Sequence[str],
    part_memory: int = PART_MEMORY,
    here: bool = False,
    one_by_one: bool = False,
    then: Callable[[str, Made], None] | None = None,
) -> Iterator[tuple[str, Made, Place]]:
    """Make parts, and yield each as it is finished: its name, what came of it, and where it was made.

    Args:
        make: makes a part by its name; called on several threads, processes or machines at once.
        names: of the parts.
        part_memory: bytes that one of them takes.
        here: whether they must be made in this process, because they share what it holds.
        one_by_one: whether each uses the whole machine, and in this process.
        then: what is left to do for a part that is made, and waits for the disk alone: on threads of one process the
            next part is made meanwhile.

    Raises:
        Exception: that of the first part, in the order of `names`, of those that failed. Parts that had begun are
            finished before; none is begun after a failure.
    """

    def whole(name: str) -> Made:
        made = make(name)
        if then:
            then(name, made)
        return made

    told = engine()
    if told.runner == "ray" and not here and not one_by_one:
        yield from _on_ray(whole, names, part_memory)
        return
    slots = 1 if one_by_one else min(told.parts(part_memory), len(names))
    if slots <= 1:
        for name in names:
            yield name, whole(name), HERE
    elif told.cores <= THREADS or here or len(names) < THREADS:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        with (
            threadpool_limits(limits=1),
            _switching(),
            ThreadPoolExecutor(slots, thread_name_prefix="part") as pool,
            ThreadPoolExecutor(slots, thread_name_prefix="disk") as disk,
        ):
            last = (lambda name, made: disk.submit(then, name, made)) if then else None
            for name, made in _finished(lambda name: pool.submit(make, name), names, slots, last):
                yield name, made, HERE
    else:
        yield from _in_processes(whole, names, slots)


@contextmanager
def _switching() -> Iterator[None]:
    """Let threads take turns at Python's lock more often than is usual."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def spread(function: Callable[[Piece], Made], pieces: Sequence[Piece]) -> list[Made]:
    """Return what a function makes of each piece of a part, in order: on the cores that this process may use.

    All parts in flight share these cores: they do not multiply.
    """
    workers = engine().cores
    if workers == 1 or len(pieces) == 1:
        return [function(piece) for piece in pieces]
    return list(_threads(workers).map(function, pieces))


def apart(make: Callable[[str], Made], names: Sequence[str]) -> Iterator[Made]:
    """Yield what a function makes of each name, in order: made in processes, where there is enough work for them.

    For work that is Python's own, so that threads would take turns at it. It depends on no other; the first is made
    here, and says how much there is.
    """
    rest = list(names)
    began = time.perf_counter()
    first = [make(rest.pop(0)) for _ in names[:1]]
    enough = (time.perf_counter() - began) * len(rest) > _WORTH
    yield from first
    slots = min(engine().slots(), len(rest))
    if slots < 2 or not enough:
        yield from map(make, rest)
        return
    made: dict[str, Made] = {}
    for name, one, _ in _in_processes(make, tuple(rest), slots):
        made[name] = one
        while rest and rest[0] in made:
            yield made.pop(rest.pop(0))


@lru_cache(maxsize=1)
def _threads(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="rows")


def _finished(
    begin: Callable[[str], "Future[Made]"],
    names: Sequence[str],
    slots: int,
    then: Callable[[str, Made], "Future[None]"] | None = None,
) -> Iterator[tuple[str, Made]]:
    """Keep so many parts in flight, and as many more in what comes then; yield them as they come."""
    waiting = iter(names)
    flying: dict[Future[Any], str] = {}
    landing: dict[str, Made] = {}
    failed: dict[str, BaseException] = {}
    try:
        while True:
            while not failed and len(flying) - len(landing) < slots and len(flying) < 2 * slots:
                if flying and not memory.room():
                    break
                if (name := next(waiting, None)) is None:
                    break
                flying[begin(name)] = name
            if not flying:
                break
            done, _ = wait(flying, return_when=FIRST_COMPLETED)
            for future in done:
                name = flying.pop(future)
                error = future.exception()
                if error is not None:
                    landing.pop(name, None)
                    failed[name] = error
                elif name in landing:
                    yield name, landing.pop(name)
                elif then:
                    landing[name] = future.result()
                    flying[then(name, landing[name])] = name
                else:
                    yield name, future.result()
    finally:
        for future in flying:
            future.cancel()
    if failed:
        raise next(failed[name] for name in names if name in failed)


def _in_processes(make: Callable[[str], Made], names: Sequence[str], slots: int) -> Iterator[tuple[str, Made, Place]]:
    """Make parts in processes of one thread each, that are kept for the next step."""
    import cloudpickle
    from loky import get_reusable_executor
    from loky.process_executor import TerminatedWorkerError

    pool = get_reusable_executor(slots, timeout=600, env=_ONE_THREAD, initializer=_end_with, initargs=(os.getpid(),))
    with tempfile.TemporaryDirectory(prefix="glotmix-") as folder:
        # What a step holds (a model, an index) is read once by each process, and not once for each part.
        path = Path(folder) / "make.pickle"
        path.write_bytes(cloudpickle.dumps(make))
        try:
            for name, (made, cpu) in _finished(lambda name: pool.submit(_made, str(path), name), names, slots):
                yield name, made, Place(cpu_seconds=cpu)
        except TerminatedWorkerError as error:
            raise DataError(
                f"a process that made a part was ended from outside, most likely for want of memory: {error}",
                "lower engine.memory or engine.workers, and run again: finished parts stay",
            ) from error


def _end_with(parent: int) -> None:
    """End this process soon after the one that it works for, which may be killed and say nothing."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOKS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _made(path: str, name: str) -> tuple[Any, float]:
    began = time.process_time()
    return _loaded(path)(name), time.process_time() - began


@lru_cache(maxsize=1)
def _loaded(path: str) -> Callable[[str], Any]:
    import cloudpickle
    import pyarrow as pa

    _alone(pa)
    make: Callable[[str], Any] = cloudpickle.loads(Path(path).read_bytes())
    return make


def _alone(pa: Any) -> None:
    """Make this process use one core: the others belong to other parts."""
    use(replace(Engine(), workers=1))
    pa.set_cpu_count(1)


def _on_ray(make: Callable[[str], Made], names: Sequence[str], part_memory: int) -> Iterator[tuple[str, Made, Place]]:
    """Make each part as a task of the cluster: Ray places it, and tries it again where a node is lost."""
    import pyarrow as pa
    import ray

    def task(held: Callable[[str], Made], name: str) -> tuple[Made, Place]:
        _alone(pa)
        began = time.process_time()
        made = held(name)
        return made, Place(str(ray.get_runtime_context().get_node_id()), time.process_time() - began)

    if not ray.is_initialized():
        ray.init()
    remote = ray.remote(max_retries=TRIES, num_cpus=1, memory=part_memory, scheduling_strategy="SPREAD")(task)
    held = ray.put(make)
    waiting = iter(names)
    flying: dict[Any, str] = {}
    failed: dict[str, BaseException] = {}
    while True:
        # Twice as many as there are slots: a node never waits for its next part, and a failure stops the rest.
        slots = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
        while not failed and len(flying) < slots and (name := next(waiting, None)) is not None:
            flying[remote.remote(held, name)] = name
        if not flying:
            break
        done, _ = ray.wait(list(flying), num_returns=1)
        for reference in done:
            name = flying.pop(reference)
            try:
                made, place = ray.get(reference)
            except ray.exceptions.RayTaskError as error:
                failed[name] = error.cause
            except ray.exceptions.RayError as error:
                failed[name] = DataError(f"{name}: the cluster lost this part {TRIES + 1} times: {error}", "run again")
            else:
                yield name, made, place
    if failed:
        raise next(failed[name] for name in names if name in failed)
