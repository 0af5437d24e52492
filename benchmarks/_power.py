"""What a power cut would leave: what was synced, held against every marker and record as it is put in place.

A file survives if its content was synced after its last change, and its name, and those of the folders above it, were
synced after they came to be. This is what POSIX promises; that many file systems do better is not relied on.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Trace:
    """Watches `os.fsync` and renames in this process.

    `vouched` counts the files that a marker or a record vouched for, `lost` names those that a power cut would take.
    """

    def __init__(self) -> None:
        self.vouched = 0
        self.lost: list[str] = []
        self.markers = 0
        self.syncs = 0
        self._content: dict[int, int] = {}
        self._names: dict[int, set[str]] = {}

    def sync(self, handle: int) -> None:
        """Note what a sync brings to the disk."""
        found = os.fstat(handle)
        self.syncs += 1
        if stat.S_ISDIR(found.st_mode):
            self._names[found.st_ino] = set(os.listdir(handle))
        else:
            self._content[found.st_ino] = found.st_mtime_ns

    def moved(self, to: Path) -> None:
        """Hold a marker, or an output that gets its final name, against what is on the disk."""
        if to.suffix == ".json" and to.parent.name == ".progress":
            self._check(to.parent.parent, {to})
        elif to.name == "record.json":
            self._check(to.parent, {to})
        elif (to / "record.json").is_file() and not to.name.startswith("."):
            self._check(to, set())

    def _check(self, folder: Path, but: set[Path]) -> None:
        self.markers += 1
        for at, folders, names in os.walk(folder):
            # What is not finished, and so vouched for by nobody, stands in scratch folders.
            folders[:] = [name for name in folders if not name.endswith(".scratch")]
            for name in names:
                file = path = Path(at, name)
                if path in but or name.endswith(".tmp"):
                    continue
                self.vouched += 1
                found = path.stat()
                safe = self._content.get(found.st_ino) == found.st_mtime_ns
                while safe and path != folder:
                    safe = path.name in self._names.get(path.parent.stat().st_ino, ())
                    path = path.parent
                if not safe:
                    self.lost.append(str(file))


@contextmanager
def traced() -> Iterator[Trace]:
    """Watch everything that is done within."""
    trace = Trace()
    fsync, replace, rename = os.fsync, os.replace, os.rename

    def synced(handle: int) -> None:
        fsync(handle)
        trace.sync(handle)

    def replaced(source: os.PathLike[str], to: os.PathLike[str], **named: int) -> None:
        replace(source, to, **named)
        trace.moved(Path(to))

    def renamed(source: os.PathLike[str], to: os.PathLike[str], **named: int) -> None:
        rename(source, to, **named)
        trace.moved(Path(to))

    os.fsync, os.replace, os.rename = synced, replaced, renamed
    try:
        yield trace
    finally:
        os.fsync, os.replace, os.rename = fsync, replace, rename
