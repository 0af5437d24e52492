"""Files as they lie on disk: what one held when it was read, what a folder holds, and when it survives a power cut."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from glotmix.core.errors import DataError, RequestError

JUNK = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""What file managers leave in any folder that somebody looked into: nobody's, and never missed."""

_THREADS = 8
"""Files that are hashed or synced at once: a disk answers several as fast as one."""


class Stamp(NamedTuple):
    """What of a file changes when it does: bytes, and nanoseconds of its last change by content and by anything."""

    size: int
    modified: int
    changed: int


class FileMark(NamedTuple):
    """What a record holds of a file: bytes, and the SHA-256 (hexadecimal) of its content."""

    size: int
    sha256: str


def stamp_of(path: Path) -> Stamp:
    """Return the stamp of a file, through links."""
    found = path.stat()
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class FileDigest(str):
    """The SHA-256 (hexadecimal) of a file that knows which file it is of, and how that stood when it was hashed."""

    __slots__ = ("path", "stamp")
    path: Path
    stamp: Stamp

    @classmethod
    def of(cls, path: Path, stamp: Stamp, digest: str) -> "FileDigest":
        """Make one."""
        made = cls(digest)
        made.path, made.stamp = path, stamp
        return made

    def __add__(self, more: str) -> "FileDigest":
        """Return it with something added, such as how the file is read; it still is of that file."""
        return FileDigest.of(self.path, self.stamp, str(self) + more)

    def hold(self) -> None:
        """Check that the file still is what was hashed.

        Raises:
            DataError: naming the file.
        """
        try:
            if stamp_of(self.path) == self.stamp:
                return
        except OSError as error:
            raise DataError(f"{self.path} is gone while it was being read: {error.strerror}", _AGAIN) from error
        raise _changes(self.path)


_AGAIN = "wait until nobody writes to it (a download, an export), then run the same command again"
_HASHED: dict[tuple[Path, Stamp], FileDigest] = {}


def digest_file(path: Path) -> FileDigest:
    """Return the SHA-256 (hexadecimal) of a file's bytes; one that has not changed is read once per process.

    Raises:
        DataError: if it changes meanwhile.
    """
    before = stamp_of(path)
    known = _HASHED.get((path, before))
    if known is not None:
        return known
    found = FileDigest.of(path, before, sha256(path))
    found.hold()
    _HASHED[path, before] = found
    return found


def sha256(path: Path) -> str:
    """Return the SHA-256 (hexadecimal) of a file's bytes, read now."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _changes(path: Path) -> DataError:
    return DataError(f"{path} changes while it is being read; nothing of it was recorded", _AGAIN)


def listing(folder: Path, below: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Yield everything below a folder that is no folder: its path (with ``/``) and what the system says of it.

    A link is not followed.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from listing(Path(entry.path), f"{below}{entry.name}/")
            else:
                yield below + entry.name, entry.stat(follow_symlinks=False)


def marks(folder: Path, names: Iterable[str]) -> dict[str, FileMark]:
    """Hash files of a folder, several at once; the result is sorted by name."""

    def one(name: str) -> FileMark:
        path = folder / name
        return FileMark(path.stat().st_size, sha256(path))

    wanted = sorted(names)
    with ThreadPoolExecutor(_THREADS) as pool:
        return dict(zip(wanted, pool.map(one, wanted), strict=True))


def harm(
    folder: Path,
    files: Mapping[str, FileMark],
    since: int,
    suspected: Iterable[str] | None = (),
    told: Callable[[str, int], None] = lambda name, size: None,
) -> dict[str, str]:
    """Say what became of files that a record lists: ``is gone``, ``has 12 bytes, not 14``, ``holds other bytes``.

    Names and sizes are compared, and the content of files that were written to after the record was.

    Args:
        folder: the output.
        files: what its record lists.
        since: when the record was written, in nanoseconds.
        suspected: names whose content is compared in any case; None for all.
        told: called with the name and size of each file that was hashed.
    """
    there = dict(listing(folder))
    found: dict[str, str] = {}
    to_hash = set(files) if suspected is None else set(suspected) & set(files)
    for name, mark in files.items():
        entry = there.get(name)
        if entry is None or not stat.S_ISREG(entry.st_mode):
            found[name] = "is gone"
        elif entry.st_size != mark.size:
            found[name] = f"has {entry.st_size:,} bytes, not {mark.size:,}"
        elif entry.st_mtime_ns > since:
            to_hash.add(name)

    def one(name: str) -> tuple[str, str | None]:
        try:
            wrong = None if sha256(folder / name) == files[name].sha256 else "holds other bytes than were written"
        except OSError as error:
            wrong = f"cannot be read: {error.strerror}"
        told(name, files[name].size)
        return name, wrong

    with ThreadPoolExecutor(_THREADS) as pool:
        hashed = pool.map(one, sorted(to_hash - found.keys()))
        found |= {name: wrong for name, wrong in hashed if wrong is not None}
    return dict(sorted(found.items()))


def sync(folder: Path) -> None:
    """Bring everything below a folder onto the disk, and its names with it: files first, then folders from below."""
    names, folders = [], [folder]
    for at in folders:
        for entry in os.scandir(at):
            if entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                names.append(Path(entry.path))
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(sync_file, names))
    for at in reversed(folders):
        sync_folder(at)


def sync_file(path: Path) -> None:
    """Bring the content of a file onto the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    """Bring the names in a folder onto the disk, where the system can."""
    if os.name == "posix":
        sync_file(path)


def settle(scratch: Path, folder: Path) -> None:
    """Move every file below `scratch` to its place below `folder`, on disk before this returns."""
    found = sorted(p for p in scratch.rglob("*") if p.is_file())
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(sync_file, found))
    filled = {folder}
    for file in found:
        target = folder / file.relative_to(scratch)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.replace(target)
        filled.update(p for p in target.parents if p.is_relative_to(folder))
    for at in sorted(filled, reverse=True):
        sync_folder(at)


def write_text(path: Path, text: str) -> None:
    """Write a small file whole or not at all, and on disk before this returns, its name included."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes, as `write_text`."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


@contextmanager
def prepared(folder: Path) -> Iterator[None]:
    """Make a folder before the work that fills it, so that nothing is done where nothing can be written.

    Work that is refused leaves no empty folder.
    """
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # the first that is not empty, and those above it, stay
            for path in new:
                path.rmdir()
        raise


def placed(base: Path, given: str) -> Path:
    """Return a path that a user wrote, ``~`` resolved, as seen from a folder.

    Raises:
        RequestError: for the home folder of somebody that nobody knows.
    """
    try:
        return base / Path(given).expanduser()
    except RuntimeError as error:
        raise RequestError(f"{given}: there is no such home folder", "write the path out") from error


@dataclass(frozen=True)
class Removed:
    """What removing came to: how many files and bytes went, and which stay because they are not glotmix's."""

    files: int
    bytes: int
    kept: tuple[str, ...]


def remove(folder: Path, names: Iterable[str], last: str, dry: bool = False) -> Removed:
    """Remove the named files of a folder, `last` after all others, and the folders that this leaves empty.

    Args:
        folder: where they lie; it goes too, if nothing is left in it.
        names: what to remove, as `listing` names it; what is not there is passed over.
        last: the file that says whose the folder is.
        dry: remove nothing, only count.
    """
    there = dict(listing(folder))
    wanted = set(names) - {last}
    mine = [n for n in there if n != last and (n in wanted or n.rsplit("/", 1)[-1] in JUNK)]
    mine += [last] if last in there else []
    if not dry:
        for name in mine:
            (folder / name).unlink()
        for at, _, _ in sorted(os.walk(folder), reverse=True):
            if not any(os.scandir(at)):
                Path(at).rmdir()
    return Removed(len(mine), sum(there[n].st_size for n in mine), tuple(sorted(there.keys() - set(mine))))
