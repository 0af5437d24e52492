"""Memory: how much there is, how much is left, and a watch that ends a command before the system kills it.

Linux says what is left; elsewhere there is no watch, and `left` is None.
"""

import _thread
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

HOLD = 0.10
"""Of all memory: with less left, no further part is begun while others are in flight."""

END = 0.02
"""Of all memory: with less left, the command ends. What comes next would be the system's own choice, by SIGKILL."""

_EVERY = 0.2
_TIMES = 3
"""Seconds between two looks, and how many looks in a row must find too little."""

_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat", "inactive_file"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        "/sys/fs/cgroup/memory/memory.stat",
        "total_inactive_file",
    ),
)
"""Of a control group, version 2 and 1: its limit, what it uses, and what of that the system takes back when it must."""

_short = threading.Event()


@cache
def total() -> int:
    """Return the bytes of memory that this process may use: the machine's, or those of its control group."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [limit for group in _GROUPS if (limit := _number(group[0])) is not None]
    return min([there, *limits])


def left() -> int | None:
    """Return the bytes that are left of the machine's memory, or of the control group's; None where nobody says."""
    found = _field("/proc/meminfo", "MemAvailable:")
    if found is None:
        return None
    room = found * 1024
    for limit, used, stat, reclaimable in _GROUPS:
        most, now = _number(limit), _number(used)
        if most is not None and now is not None:
            room = min(room, most - now + (_field(stat, reclaimable) or 0))
    return max(room, 0)


def room() -> bool:
    """Say whether there is room for another part beside those in flight."""
    free = left()
    return free is None or free >= HOLD * total()


def short() -> bool:
    """Say whether the watch has ended this command."""
    return _short.is_set()


@contextmanager
def watched() -> Iterator[None]:
    """Watch memory while a command runs, and interrupt its main thread, as SIGTERM does, where too little is left.

    Not as Ctrl-C does: a shell starts what runs in the background with SIGINT ignored. SIGTERM's handler must raise.
    """
    done = threading.Event()
    _short.clear()

    def watch() -> None:
        found = 0
        while not done.wait(_EVERY):
            free = left()
            if free is None:
                return
            found = found + 1 if free < END * total() else 0
            if found == _TIMES:
                _short.set()
                _thread.interrupt_main(signal.SIGTERM)
                return

    thread = threading.Thread(target=watch, name="memory", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()


def _number(path: str) -> int | None:
    try:
        told = Path(path).read_text("utf-8").strip()
    except OSError:
        return None
    return int(told) if told.isdigit() else None


def _field(path: str, name: str) -> int | None:
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.split(maxsplit=1)[:1] == [name]), None)
