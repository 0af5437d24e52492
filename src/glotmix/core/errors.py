"""Errors that say what was asked, what is possible, which input is to blame, and what to type.

Exit codes of the command line: 2 for a wrong request (recipe, flag, language), 3 for data that cannot be
used, 4 for a missing optional dependency, 5 where another run writes to the same output, 6 where memory is short, 130
and 143 where it was stopped; 1 is left to errors that glotmix did not foresee.
"""

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says of a disk that is full, and of a user's part of it."""


class GlotmixError(Exception):
    """The base of every error that glotmix raises on purpose.

    Args:
        message: what was asked and why it cannot be done, naming the input to blame.
        fix: what to type or change, in the imperative; printed on a line of its own.
    """

    exit_code = 1

    def __init__(self, message: str, fix: str | None = None) -> None:
        super().__init__(message if fix is None else f"{message}\n  → {fix}")
        self.message = message
        self.fix = fix


class RequestError(GlotmixError):
    """The request itself is wrong: a recipe, a setting, a flag, a language code."""

    exit_code = 2


class DataError(GlotmixError):
    """The data cannot be used: unreadable, clashing, empty, or short."""

    exit_code = 3


class MissingExtraError(GlotmixError):
    """An optional dependency is not installed.

    Args:
        wanted: what needs it, as a user would name it.
        extra: the extra of glotmix that brings it.
    """

    exit_code = 4

    def __init__(self, wanted: str, extra: str) -> None:
        super().__init__(f"{wanted} needs the extra '{extra}'", f"pip install 'glotmix[{extra}]'")


class BusyError(GlotmixError):
    """Another run writes to the same output."""

    exit_code = 5


class MemoryShortError(GlotmixError):
    """The machine, or `engine.memory`, has no memory left for what was asked."""

    exit_code = 6


@contextmanager
def blame(path: Path | str, fix: str | None = None, what: str = "such file") -> Iterator[None]:
    """Say of a file whatever goes wrong while nothing but it is read.

    Within stands only what reads one file of a user's, or makes something of it alone: a file may hold anything, and
    no list of exceptions is as long as what libraries raise at it (some panic, past all that Python calls exceptions).

    Args:
        path: the file.
        fix: what to type or change.
        what: it should be.

    Raises:
        DataError: naming the file, for every error that is not glotmix's own.
    """
    try:
        yield
    except (GlotmixError, MemoryError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}", fix) from error
    except BaseException as error:
        told = str(error).partition("\n")[0][:200]
        raise DataError(f"{path} is damaged, or is no {what}: {type(error).__name__}: {told}", fix) from error


@contextmanager
def spoken(folder: Path | None = None) -> Iterator[None]:
    """Make a sentence of what the system refuses: a disk that is full, a folder that cannot be written, a long name.

    Args:
        folder: where the work writes: the system names no file of a disk that is full.

    Raises:
        DataError: for every `OSError`, naming its file.
    """
    try:
        yield
    except OSError as error:
        full = error.errno in _FULL
        name = str(error.filename or (full and folder) or "the system")
        fix = "free space there, and run again: finished parts stay" if full else None
        raise DataError(f"{name if len(name) <= 300 else name[:300] + '…'}: {error.strerror or error}", fix) from error


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x' or 'y'?)`` for the known words nearest to `word`, or an empty string.

    >>> did_you_mean("quantil", ["quantile", "tokens"])
    " (did you mean 'quantile'?)"
    """
    near = get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f" (did you mean {' or '.join(repr(n) for n in near)}?)" if near else ""
