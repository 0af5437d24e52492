"""Before any work: nothing of the user's stands where a step writes, and no step writes where an input lies."""

import json
import os
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from glob import has_magic
from pathlib import Path

from glotmix.core import files, identity, json_text, owned
from glotmix.core.context import RunContext
from glotmix.core.errors import RequestError
from glotmix.core.files import FileDigest
from glotmix.core.lock import FOLDER

_PAGES = "pages.json"
"""Beside the lock: the digests of the pages that glotmix put beside its folders."""


def refuse(work: RunContext, steps: Iterable[str]) -> None:
    """Refuse a plan that would write over what is not glotmix's, or into what it reads; all of it is said at once.

    Raises:
        RequestError: naming the folders, and what to type.
        DataError: for a record that is damaged.
    """
    folders = {step: work.step_dir(step) for step in steps}
    owned.refuse(folders)
    found = [told for source in work.recipe.corpus.sources if not source.hub for path in source.path
             if (told := _source(work, source.name, path, folders))]  # fmt: skip
    found += [
        f"signals.cross_corpus_duplicates.{name} reads {folder}, where the step {step} writes"
        for name, folder in work.recipe.signals.cross_corpus_duplicates.signatures.items()
        if (step := _written(_real(work.path(folder)), folders))
    ]
    _say(found)


def refuse_inputs(work: RunContext, identities: Iterable[identity.Identity]) -> None:
    """Refuse inputs that lie where a step writes.

    Raises:
        RequestError: naming the files.
    """
    wanted = list(identities)
    folders = {one.step: work.step_dir(one.step) for one in wanted}
    given = {d.path: one.step for one in wanted for d in one.inputs.values() if isinstance(d, FileDigest)}
    _say([f"{reader} reads {path}, and {step} writes there" for path, reader in given.items()
          if (step := _written(_real(path), folders))])  # fmt: skip


def page(work: RunContext) -> Path:
    """Return where the report is put, beside the folders of the steps."""
    return work.folder / "report.html"


def put_page(work: RunContext) -> None:
    """Put a copy of the report beside the outputs.

    Raises:
        RequestError: if a file stands there that is not glotmix's.
    """
    made = work.step_dir("report") / "report.html"
    if not made.is_file() or (page(work).is_file() and files.sha256(page(work)) == files.sha256(made)):
        return
    refuse_page(work)
    notes = work.folder / FOLDER / _PAGES
    wanted = files.sha256(made)
    # Noted before it is there, so that a run killed in between knows its own page again.
    files.write_text(notes, json.dumps([*_known(notes), wanted]))
    files.write_bytes(page(work), made.read_bytes())
    files.write_text(notes, json.dumps([wanted]))


def refuse_page(work: RunContext) -> None:
    """Refuse to write the report over a file that is not glotmix's own.

    Raises:
        RequestError: naming it.
    """
    at = page(work)
    if at.is_symlink() or (at.exists() and not is_page(work)):
        _say([f"{at} was not made by glotmix, or was changed since; the report would be written over it"])


def is_page(work: RunContext) -> bool:
    """Whether the report beside the outputs is as glotmix wrote it."""
    at = page(work)
    return at.is_file() and files.sha256(at) in _known(work.folder / FOLDER / _PAGES)


def _known(notes: Path) -> list[str]:
    try:
        return [str(one) for one in json_text.loads(notes.read_bytes())]
    except (OSError, ValueError, TypeError):
        return []


def _say(found: list[str]) -> None:
    if found:
        raise RequestError(
            "nothing was done:\n" + "\n".join(f"  {told}" for told in found[:20]),
            "name a folder of its own for what is made: output=FOLDER",
        )


def _source(work: RunContext, name: str, given: str, folders: Mapping[str, Path]) -> str | None:
    """Say how a source and the folders that are written meet; None if they do not."""
    path = Path(os.path.normpath(files.placed(work.base.absolute(), given)))
    fixed = path
    while has_magic(str(fixed)):
        fixed = fixed.parent
    pattern = path.relative_to(fixed).parts
    root = _real(fixed)
    if root in (Path.home().resolve(), Path(root.anchor)) and (not pattern or pattern[0] == "**"):
        return f"source '{name}' reads all of {root}: name a folder or files within"
    if not pattern and (inside := _written(root, folders)):
        return f"source '{name}' reads {given}, where the step {inside} writes"
    for step, folder in folders.items():
        real = _real(folder)
        if real.is_relative_to(root) and _reaches(pattern, real.relative_to(root).parts):
            return f"source '{name}' reads {given}, and {folder}, where the step {step} writes, lies within"
    return None


def _reaches(pattern: tuple[str, ...], folder: tuple[str, ...]) -> bool:
    """Whether a glob, or a whole folder where there is no glob, can find something within a folder below its root."""
    if not pattern:
        return not any(part.startswith((".", "_")) for part in folder)
    if pattern[0] == "**" or not folder:
        return True
    return len(pattern) > 1 and fnmatch(folder[0], pattern[0]) and _reaches(pattern[1:], folder[1:])


def _written(path: Path, folders: Mapping[str, Path]) -> str | None:
    """Return the step in whose folder a path lies."""
    for step, folder in folders.items():
        if any(path.is_relative_to(_real(at)) for at in (folder, identity.building(folder))):
            return step
    return None


def _real(path: Path) -> Path:
    return path.resolve()
