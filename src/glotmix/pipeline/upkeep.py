"""What becomes of outputs after they were made: looked through for damage, and removed again."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from glotmix.core import files, identity, lock, owned, record
from glotmix.core.errors import DataError, RequestError, did_you_mean
from glotmix.core.files import Removed
from glotmix.pipeline import guard
from glotmix.pipeline.run import Job

_DEPTH = ("*", "*/*", "*/*/*")
"""Where the folders of steps lie below an output: ``corpus``, ``signals/identify``, ``signals/embed/NAME``."""


def found(folder: Path) -> tuple[list[str], list[str]]:
    """Return the steps that an output holds, finished or not, whether a recipe still has them or not.

    Those whose record cannot be read, since it was changed or is of another version of glotmix, stand apart.
    """
    steps, unread = set(), set()
    for pattern in _DEPTH:
        for path in folder.glob(f"{pattern}/{identity.RECORD}"):
            name = path.parent.relative_to(folder).as_posix()
            try:
                held = None if path.parent.name.startswith(".") else record.read(path.parent)
            except DataError:
                unread.add(name)
                continue
            if held is not None and held.identity.get("step") == name:
                steps.add(name)
        for path in folder.glob(f"{pattern}/{identity.IDENTITY}"):
            name = path.parent.name.removeprefix(".").removesuffix(".building")
            if path.parent == identity.building(path.parent.with_name(name)):
                steps.add(path.parent.with_name(name).relative_to(folder).as_posix())
    return sorted(steps - unread), sorted(unread)


def check(
    job: Job,
    until: str | None = None,
    begin: Callable[[str, Mapping[str, int]], None] = lambda step, sizes: None,
    told: Callable[[str, int], None] = lambda name, size: None,
) -> list[dict[str, Any]]:
    """Compare the content of every file of a recipe's outputs with what was written.

    What is damaged is kept in mind: the next run makes it again, and only that.

    Args:
        job: the recipe.
        until: the last step that is looked at; see `Job.upto`.
        begin: called with each step and the sizes of its files, before they are read.
        told: called with the name and size of every file that was read.

    Returns:
        for each finished step ``{step, files, bytes, damaged}``, the last what is wrong, by file.
    """
    rows: list[dict[str, Any]] = []
    for step in job.upto(until):
        folder = job.folder / step.name
        try:
            held = record.read(folder)
        except DataError:
            wrong = {identity.RECORD: "was changed, or is of another version of glotmix"}
            rows.append({"step": step.name, "files": 0, "bytes": 0, "damaged": wrong})
            continue
        if held is None:
            continue
        begin(step.name, {name: mark.size for name, mark in held.files.items()})
        wrong = record.verify(folder, told)
        size = sum(mark.size for mark in held.files.values())
        rows.append({"step": step.name, "files": len(held.files), "bytes": size, "damaged": wrong})
    return rows


def clean(job: Job, step: str | None = None, dry: bool = False) -> dict[str, Any]:
    """Remove what glotmix made, finished or not, and nothing else.

    Args:
        job: the recipe.
        step: a step, or a folder of steps such as ``signals``; None for all that the output holds.
        dry: remove nothing, only count.

    Returns:
        ``{steps, files, bytes, kept, unread}``: files that stay because glotmix did not make them as they are, and
        folders that stay because their record cannot be read.

    Raises:
        RequestError: if the output holds no such step.
        BusyError: if a run writes there.
    """
    if not job.folder.is_dir():
        return {"steps": [], "files": 0, "bytes": 0, "kept": [], "unread": []}
    there = found(job.folder)
    steps, unread = ([n for n in some if step is None or n == step or n.startswith(f"{step}/")] for some in there)
    if step is not None and not steps and not unread:
        raise RequestError(f"{job.folder} holds no step {step!r}" + did_you_mean(step, [*there[0], *there[1]]))
    with lock.held(job.folder):
        done = [owned.clean(job.folder / name, dry) for name in steps]
        if step in (None, "report") and guard.is_page(job.context):
            page = guard.page(job.context)
            done.append(Removed(1, page.stat().st_size, ()))
            if not dry:
                page.unlink()
        if not dry:
            _tidy(job.folder, whole=step is None and not unread)
    kept = [name for one in done for name in one.kept]
    if step is None:
        aside = [p for p in job.folder.rglob(".*.changed-*") if p.is_dir()]
        kept += [str(p / name) for p in aside for name, _ in files.listing(p)]
    if not dry and step is None:
        _vacate(job.folder, job.context.base)
    left = [str(job.folder / name) for name in unread]
    count, size = sum(d.files for d in done), sum(d.bytes for d in done)
    return {"steps": steps, "files": count, "bytes": size, "kept": kept, "unread": left}


def _tidy(folder: Path, whole: bool) -> None:
    """Remove the folders that this left empty."""
    if whole:
        shutil.rmtree(folder / lock.FOLDER)
    for at, _, _ in sorted(os.walk(folder), reverse=True):
        path = Path(at)
        if path != folder and path.name != lock.FOLDER and path.name in {"signals", "instructions", "embed"}:
            _drop_empty(path)


def _vacate(folder: Path, base: Path) -> None:
    """Remove an output that holds nothing any more."""
    if folder.resolve() != base.resolve() and not folder.is_symlink():
        _drop_empty(folder)


def _drop_empty(path: Path) -> None:
    if not any(path.iterdir()):
        path.rmdir()
