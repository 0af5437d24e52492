"""Looking into folders: every file that a path means, by whatever links it is reached, once.

One rule for a folder and for a pattern, on every version of Python (whose own `rglob` and `glob` differ in what they do
with links): links are followed, but not back into a folder that they lie in; a link that leads nowhere is an error.
Only what the recipe writes is a pattern: the folders above stand for themselves, whatever signs their names hold.
"""

import os
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from glob import has_magic
from pathlib import Path

from glotmix.core.errors import DataError, did_you_mean
from glotmix.core.files import placed


class Look:
    """What is met on the way through folders.

    Args:
        who: begins every error.
    """

    def __init__(self, who: str) -> None:
        self.who = who
        self.cut: set[Path] = set()
        """Links to a folder that they lie in, which are not followed: there would be no end."""

    def matches(self, base: Path, given: str) -> set[Path]:
        """Return the files and folders that a pattern matches: ``*``, ``?``, ``[…]``, and ``**`` for any folders.

        Args:
            base: where a relative pattern starts; no pattern itself.
            given: the pattern as it is written.
        """
        start, parts = base.absolute(), Path(given).parts
        if given.startswith("~"):
            start, parts = placed(Path(), parts[0]), parts[1:]
        elif Path(given).is_absolute():
            start, parts = Path(parts[0]), parts[1:]
        return set(self._fit(start, parts, frozenset()))

    def inside(self, folder: Path) -> list[Path]:
        """Return all files in a folder, sorted."""
        return sorted(self._files(folder, frozenset()))

    def _fit(self, at: Path, parts: tuple[str, ...], above: frozenset[Path]) -> Iterator[Path]:
        if not parts:
            yield at
            return
        if not at.is_dir():
            return
        head, rest = parts[0], parts[1:]
        if head == "**":
            below = above or _above(at)
            yield from self._fit(at, rest, below)
            for path in self._entries(at):
                if path.name.startswith("."):
                    continue
                if path.is_dir():
                    real = path.resolve()
                    if real in below:
                        self.cut.add(path)
                    else:
                        yield from self._fit(path, parts, below | {real})
                elif not rest:
                    yield path
        elif has_magic(head):
            for path in self._entries(at, head):
                if fnmatchcase(path.name, head) and (head.startswith(".") or not path.name.startswith(".")):
                    yield from self._fit(path, rest, above)
        elif os.path.lexists(at / head):
            self.check(at / head)
            yield from self._fit(at / head, rest, above)

    def _files(self, at: Path, above: frozenset[Path]) -> Iterator[Path]:
        below = above or _above(at)
        for path in self._entries(at):
            if path.is_dir():
                real = path.resolve()
                if real in below:
                    self.cut.add(path)
                else:
                    yield from self._files(path, below | {real})
            elif path.is_file():
                yield path

    def _entries(self, folder: Path, like: str = "*") -> list[Path]:
        """Return what a folder holds that is there; hidden links that lead nowhere are those of editors and tools."""
        try:
            found = sorted(folder.iterdir())
        except OSError as error:
            raise DataError(f"{self.who}: the folder {folder} cannot be read: {error.strerror}") from error
        for path in found:
            if not hidden(Path(path.name)) and fnmatchcase(path.name, like):
                self.check(path)
        return [path for path in found if path.exists()]

    def check(self, path: Path) -> None:
        """Refuse a link that leads nowhere."""
        if path.is_symlink() and not path.exists():
            raise DataError(
                f"{self.who}: {path} is a link to {path.readlink()}, and nothing is there",
                "fetch or mount what it points to, or delete the link",
            )


def _above(folder: Path) -> frozenset[Path]:
    real = folder.resolve()
    return frozenset({real, *real.parents})


def once(paths: Iterable[Path]) -> tuple[list[Path], dict[Path, Path]]:
    """Return each file once, sorted by path, and the ways to a file that stands there already: path → file.

    Of several ways to one file that with the fewest links gives its name.
    """
    ways: dict[Path, list[Path]] = {}
    for path in paths:
        ways.setdefault(path.resolve(), []).append(path)
    again: dict[Path, Path] = {}
    found = []
    for several in ways.values():
        best = min(several, key=_links) if len(several) > 1 else several[0]
        found.append(best)
        again |= {path: best for path in several if path != best}
    return sorted(found, key=Path.as_posix), again


def _links(path: Path) -> tuple[int, str]:
    return sum(p.is_symlink() for p in (path, *path.parents)), path.as_posix()


def hidden(path: Path) -> bool:
    """Say whether a name in a path begins as those do that are no data: ``.git``, ``_SUCCESS``."""
    return any(part.startswith((".", "_")) for part in path.parts)


def legible(path: Path) -> str:
    """Return a path as text; bytes of names that are not UTF-8 as ``\\xff``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def instead(base: Path, given: str) -> str:
    """Say what stands where a path should be: near names, or the folder that is missing."""
    path = placed(base, given).absolute()
    folder = path.parent
    # What the recipe wrote as a pattern is no name; above it every name is one.
    while not folder.is_dir() and has_magic(folder.name):
        folder = folder.parent
    if not folder.is_dir():
        while not folder.parent.is_dir():
            folder = folder.parent
        return f": there is no folder {folder}"
    names = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    hint = did_you_mean(path.name, names)
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return hint or f"; {folder} holds {shown or 'nothing'}"
