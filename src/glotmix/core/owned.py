"""Whose a folder is: glotmix writes and removes only where its record, or its unfinished work, stands.

Everything else that is not empty is the user's, and refused before any work is done.
"""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from glotmix.core import files, identity
from glotmix.core.errors import DataError, RequestError
from glotmix.core.files import JUNK, Removed
from glotmix.core.identity import DAMAGED, HALF, IDENTITY, RECORD, Record, building, read, retired, written

_SHOWN = 3


def strangers(folder: Path, found: Record | None) -> list[str]:
    """Return the files of an output that its record does not list: somebody else put them there."""
    if not folder.is_dir():
        return []
    known = HALF | (set(found.files) | {RECORD, DAMAGED} if found is not None else set())
    return sorted(n for n, _ in files.listing(folder) if n not in known and n.rsplit("/", 1)[-1] not in JUNK)


def trouble(step: str, folder: Path) -> str | None:
    """Say why a step may not write to a folder; None if it may, because it is new, empty, or the step's own."""
    for above in folder.parents:
        if above.exists() or above.is_symlink():
            if not above.is_dir():
                return f"{above} is a file, and {step} needs a folder there"
            break
    for at, mark in ((folder, RECORD), (building(folder), IDENTITY), (retired(folder), RECORD)):
        if at.is_symlink():
            return f"{at} is a link, and {step} would replace it by a folder"
        if at.exists() and not at.is_dir():
            return f"{at} is a file, and {step} would replace it by a folder"
        if at.is_dir() and not (at / mark).is_file() and not (at / RECORD).is_file():
            there = strangers(at, None)
            if there:
                return f"{at} holds {listed(there)} and was not made by glotmix; {step} would replace it"
    found = read(folder)
    if found is None:
        return None
    if found.identity.get("step") != step:
        return f"{folder} holds the step {found.identity.get('step')}, and {step} would replace it"
    tables = [n for n in strangers(folder, found) if n.endswith(".parquet")]
    if tables:
        return f"{folder} holds {listed(tables)}, which glotmix did not write and would read as part of {step}"
    return None


def refuse(folders: Mapping[str, Path]) -> None:
    """Refuse to begin where a step's folder is somebody else's; all of them are named at once.

    Args:
        folders: by the step that writes there.

    Raises:
        RequestError: naming the folders and what they hold.
        DataError: for records that cannot be read.
    """
    found: list[str] = []
    unread: dict[Path, DataError] = {}
    for step, folder in folders.items():
        try:
            if (told := trouble(step, folder)) is not None:
                found.append(told)
        except DataError as error:
            unread[folder] = error
    if len(unread) > 1:
        raise DataError(
            "nothing was done:\n" + "\n".join(f"  {error.message}" for error in unread.values()),
            identity.unread(unread),
        )
    for alone in unread.values():
        raise alone
    if found:
        raise RequestError(
            "nothing was done:\n" + "\n".join(f"  {told}" for told in found),
            "move what is yours elsewhere, or name another folder: output=FOLDER",
        )


def refuse_strangers(folders: Iterable[Path]) -> None:
    """Refuse to make outputs again that hold files of somebody else's.

    Raises:
        RequestError: naming the folders and the files.
    """
    found = [f"{folder} holds {listed(there)}" for folder in folders if (there := strangers(folder, read(folder)))]
    if found:
        raise RequestError(
            "nothing was done; what is to be made again holds files that glotmix did not make:\n"
            + "\n".join(f"  {told}" for told in found),
            "move them elsewhere",
        )


def edited(folder: Path, found: Record) -> list[str]:
    """Return the files of an output that were written to after its record was, and are not what it lists."""
    wrong = files.harm(folder, found.files, written(folder))
    there = dict(files.listing(folder))
    return [n for n in wrong if n in there and there[n].st_size]


def set_aside(folder: Path, found: Record) -> list[Path]:
    """Move what somebody changed of an output out of the way, before another takes its place; return where to."""
    changed = edited(folder, found) if folder.is_dir() else []
    if not changed:
        return []
    number = 1
    while (place := folder.with_name(f".{folder.name}.changed-{number}")).exists():
        number += 1
    for name in changed:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).replace(place / name)
    return [place / name for name in changed]


def replace(folder: Path, by: Path) -> None:
    """Put a finished folder in the place of an output.

    A reader never sees a half-written or half-deleted folder under the final name.

    Args:
        folder: the output's place: free, empty, or an output of glotmix.
        by: the new one, beside it.

    Raises:
        RequestError: if the old output holds files that glotmix did not make.
    """
    old = retired(folder)
    tidy(folder)
    if folder.exists():
        refuse_strangers([folder])
        folder.rename(old)
    by.rename(folder)
    files.sync_folder(folder.parent)
    tidy(folder)


def clean(folder: Path, dry: bool = False) -> Removed:
    """Remove an output: what its record lists and nothing has changed, the record, and unfinished work beside it."""
    count = size = 0
    kept: list[str] = []
    for at in (folder, retired(folder)):
        found = read(at)
        if found is not None:
            changed = set(edited(at, found))
            gone = files.remove(at, [*(n for n in found.files if n not in changed), DAMAGED, *HALF], RECORD, dry)
            count, size = count + gone.files, size + gone.bytes
            kept += [f"{at / name}" for name in gone.kept]
    unfinished = building(folder)
    if (unfinished / IDENTITY).is_file() or (unfinished / RECORD).is_file():
        there = dict(files.listing(unfinished))
        count, size = count + len(there), size + sum(entry.st_size for entry in there.values())
        if not dry:
            discard(unfinished)
    return Removed(count, size, tuple(kept))


def discard(unfinished: Path) -> None:
    """Remove an unfinished output; what says that it is glotmix's goes last, so that it still does after a kill."""
    if unfinished.is_dir():
        last = IDENTITY if (unfinished / IDENTITY).is_file() else RECORD
        files.remove(unfinished, [name for name, _ in files.listing(unfinished)], last)


def listed(names: list[str]) -> str:
    """Name a few of several files: ``a.txt, b.txt and 7 more``."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def tidy(folder: Path) -> None:
    """Remove what stood in an output's place before, whose record says what is glotmix's; what is not stays.

    Raises:
        DataError: naming what stays.
    """
    old = retired(folder)
    if not old.exists():
        return
    found = read(old)
    if found is not None:
        kept = files.remove(old, [*found.files, DAMAGED, *HALF], RECORD).kept
    else:
        kept = tuple(strangers(old, None))
        if not kept:
            shutil.rmtree(old)
    if kept:
        raise DataError(f"{old} holds files that glotmix did not make: {listed(list(kept))}", "move them elsewhere")
