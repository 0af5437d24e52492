"""One run at a time: a lock on an output, which the system lets go of when its process ends, however it ends."""

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from glotmix.core import json_text
from glotmix.core.errors import BusyError

FOLDER = ".glotmix"
"""Beside the outputs: who writes them, and what else glotmix wrote there."""


@contextmanager
def held(output: Path, wait: bool = False, beside: bool = False) -> Iterator[None]:
    """Hold an output while it is written.

    Args:
        output: the folder of everything that a recipe makes; it is made where it is absent.
        wait: wait until another run is done, instead of refusing.
        beside: the folder is one output, which a rename puts in its place: the lock stands in the folder above.

    Raises:
        BusyError: if another run writes there; it says which.
    """
    place = output.parent / FOLDER / output.name if beside else output / FOLDER
    place.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place / "lock", timeout=-1 if wait else 0)
    holder = place / "holder.json"
    try:
        lock.acquire()
    except Timeout:
        raise BusyError(f"{output} is being written by {_who(holder)}", "wait for it, or add --wait") from None
    try:
        told = {"host": platform.node(), "process": os.getpid(), "since": time.time()}
        holder.write_text(json.dumps(told), "utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _who(holder: Path) -> str:
    try:
        told = json_text.loads(holder.read_text("utf-8"))
        since = datetime.fromtimestamp(told["since"]).astimezone().isoformat(" ", "seconds")
        return f"process {told['process']} on {told['host']}, since {since}"
    except (OSError, ValueError, KeyError, TypeError):
        # It has just begun, or just ended.
        return "another run"
