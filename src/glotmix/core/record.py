"""An output is a folder with one record, written last, by rename.

The record holds an *identity*: everything that changes the result (the step, its version, its configuration,
the fingerprints of its inputs) and nothing else (no paths, no number of workers). Present and equal: the
output is reused. Present and different: it is rebuilt, and the changed fields are named. Interrupted: the
unfinished folder beside it is taken up again, part by part, and ends as the same bytes.
"""

import dataclasses
import json
import platform
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from glotmix.core import files, flight, owned
from glotmix.core.errors import DataError, GlotmixError
from glotmix.core.files import FileDigest, digest_file
from glotmix.core.identity import (
    DAMAGED,
    HALF,
    IDENTITY,
    JSON,
    RECORD,
    Counts,
    Identity,
    Record,
    building,
    canonical,
    changed_fields,
    digest,
    read,
    written,
)

__all__ = [
    "JSON",
    "RECORD",
    "Counts",
    "Identity",
    "Output",
    "Record",
    "Silent",
    "Watcher",
    "build",
    "canonical",
    "changed_fields",
    "damage",
    "digest",
    "digest_file",
    "read",
    "require",
    "state_of",
    "verify",
]

Unit = TypeVar("Unit")

_PROGRESS = ".progress"
_LIBRARIES = ("glotmix", "daft", "pyarrow", "numpy", "scikit-learn")


class Watcher(Protocol):
    """What a step tells of its progress; the command line draws it, a library user may ignore it."""

    def begin(self, step: str, state: str, detail: str) -> None:
        """A step begins; `state` is one of ``new``, ``changed``, ``damaged``, ``resumed``, ``reused``."""

    def advance(self, step: str, done: int, total: int, rows: int) -> None:
        """`done` of `total` parts are finished; `rows` more documents went through."""

    def end(self, step: str, seconds: float) -> None:
        """A step ended, its record is written."""


class Silent:
    """A watcher that says nothing."""

    def begin(self, step: str, state: str, detail: str) -> None:
        """Say nothing."""

    def advance(self, step: str, done: int, total: int, rows: int) -> None:
        """Say nothing."""

    def end(self, step: str, seconds: float) -> None:
        """Say nothing."""


def state_of(folder: Path, identity: Identity) -> tuple[str, list[str]]:
    """Say what building `folder` would mean, and why.

    Returns:
        ``reused``, ``changed`` (with the fields), ``damaged`` (with the files), ``resumed`` or ``new``.
    """
    found = read(folder)
    same = found is not None and found.fingerprint == identity.fingerprint
    wrong = damage(folder, found) if found is not None and same else {}
    if same and not wrong:
        return "reused", []
    if _taken_up(building(folder), identity):
        return "resumed", []
    if found is None:
        return "new", []
    if same:
        return "damaged", [f"{name} {what}" for name, what in wrong.items()]
    return "changed", changed_fields(found.identity, identity.as_json())


def damage(folder: Path, found: Record) -> dict[str, str]:
    """Return what is wrong with the files of an output: those that are gone, resized, rewritten, or found damaged.

    Names and sizes are compared, and the content of files that were written to after the record: see `verify` for all.
    """
    try:
        suspected = json.loads((folder / DAMAGED).read_bytes())
    except (OSError, ValueError):
        suspected = []
    return files.harm(folder, found.files, written(folder), suspected if isinstance(suspected, list) else [])


def verify(folder: Path, told: Callable[[str, int], None] = lambda name, size: None) -> dict[str, str]:
    """Compare the content of every file of an output with its record, and keep in mind what is wrong.

    Args:
        folder: a finished output.
        told: called with the name and size of each file that was read.

    Returns:
        what is wrong, by file. `state_of` calls such an output ``damaged`` from then on.
    """
    found = read(folder)
    if found is None:
        return {}
    wrong = files.harm(folder, found.files, written(folder), None, told)
    if wrong:
        files.write_text(folder / DAMAGED, json.dumps(list(wrong), ensure_ascii=False))
    else:
        (folder / DAMAGED).unlink(missing_ok=True)
    return wrong


def _taken_up(unfinished: Path, identity: Identity) -> bool:
    """Whether what stands unfinished is to become this, from inputs that nobody has touched since it was begun."""
    found = read(unfinished)
    if found is not None:
        return found.fingerprint == identity.fingerprint
    path = unfinished / IDENTITY
    return path.is_file() and path.read_bytes() == _identity_text(identity).encode()


class Output:
    """An output under construction: a folder beside the final one, filled part by part.

    A part is finished when its marker stands in ``.progress``; its files were moved into place before that, so
    a killed run loses at most the part it was in.

    Args:
        folder: where it is filled.
        step: whose it is.
        watcher: told of the progress.
        inputs: the names of the inputs that its identity holds; empty where nothing was hashed.
    """

    def __init__(self, folder: Path, step: str, watcher: Watcher, inputs: Collection[str] = ()) -> None:
        self.path = folder
        self.step = step
        self.inputs = inputs
        self.notes: dict[str, JSON] = {}
        self.nodes: Counts = {}
        self.cpu_seconds = 0.0
        self._watcher = watcher

    def missing(self, names: Iterable[str]) -> list[str]:
        """Return the names of the parts that are not made yet."""
        return [name for name in names if not (self.path / _PROGRESS / f"{name}.json").is_file()]

    def each(
        self,
        units: Mapping[str, Unit],
        make: Callable[[Unit, Path], Counts],
        rows: str = "documents",
        here: bool = False,
        one_by_one: bool = False,
    ) -> Counts:
        """Make every part once, many at once, and return the sum of all their counts.

        Where a part fails, those that had begun are finished and stay, none is begun any more, and its error is raised.

        Args:
            units: what to make each part from, by the part's name (a plain file name).
            make: writes the part's files into the empty folder it is given, and returns its counts; called on several
                threads, in several processes or on several machines at once.
            rows: the count that the progress display follows.
            here: whether the parts share what this process holds, and must be made in it.
            one_by_one: whether a part uses the whole machine by itself.
        """
        markers = self.path / _PROGRESS
        markers.mkdir(parents=True, exist_ok=True)
        missing = set(self.missing(units))
        done = 0
        counted: dict[str, Counts] = {}

        def finished(name: str, counts: Counts) -> None:
            nonlocal done
            done += 1
            counted[name] = counts
            self._watcher.advance(self.step, done, len(units), counts.get(rows, 0))

        for name in units:
            if name not in missing:
                finished(name, json.loads((markers / f"{name}.json").read_text("utf-8")))
        part = _Part(self.path, {n: units[n] for n in units if n in missing}, make)
        for name, counts, place in flight.fly(part, list(part.units), here=here, one_by_one=one_by_one):
            self.cpu_seconds += place.cpu_seconds
            if place.node:
                self.nodes[place.node] = self.nodes.get(place.node, 0) + 1
            finished(name, counts)
        total: Counts = {}
        for name in units:
            for key, value in counted[name].items():
                total[key] = total.get(key, 0) + value
        return total


@dataclass(frozen=True)
class _Part(Generic[Unit]):
    """How a part of an output is made, wherever that is: its files first, its marker last."""

    folder: Path
    units: dict[str, Unit]
    make: Callable[[Unit, Path], Counts]

    def __call__(self, name: str) -> Counts:
        markers = self.folder / _PROGRESS
        scratch = markers / f"{name}.scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        counts = self.make(self.units[name], scratch)
        files.settle(scratch, self.folder)
        shutil.rmtree(scratch)
        files.write_text(markers / f"{name}.json", json.dumps(counts))
        return counts


def build(
    folder: Path,
    identity: Identity,
    make: Callable[[Output], Counts],
    watcher: Watcher | None = None,
    may_be_empty: bool = False,
) -> Record:
    """Return the record of `folder`, making it first where it is absent, unfinished or of another identity.

    Args:
        folder: where the output belongs.
        identity: everything that changes the result.
        make: fills the output and returns its counts.
        watcher: told of the progress.
        may_be_empty: otherwise counts that are all zero are an error: nothing ends empty in silence.

    Raises:
        DataError: if the result is empty, or an input changes while it is read.
        RequestError: if something stands in the folder that is not glotmix's.
    """
    watch: Watcher = watcher or Silent()
    owned.refuse({identity.step: folder})
    state, detail = state_of(folder, identity)
    watch.begin(identity.step, state, "; ".join(detail))
    old = read(folder)
    if state == "reused":
        assert old is not None
        owned.tidy(folder)
        watch.end(identity.step, 0.0)
        return old
    owned.refuse_strangers([folder])
    unfinished = building(folder)
    record = read(unfinished) if state == "resumed" else None
    if record is None:
        if state != "resumed":
            _begin(unfinished, identity)
        record = _make(unfinished, identity, make, watch, may_be_empty)
        warnings = []
        if old is not None:
            warnings += [f"{kept} was not as glotmix wrote it, and is kept" for kept in owned.set_aside(folder, old)]
            if old.fingerprint == record.fingerprint and old.files != record.files:
                # Another version of a library, or a step that is not repeatable.
                warnings.append(f"{identity.step} was damaged, and was made again with other bytes than before")
        record = _warned(record, warnings)
        files.write_text(unfinished / RECORD, record.as_text())
    # After the record: a run that is killed in between only has this left to do.
    shutil.rmtree(unfinished / _PROGRESS, ignore_errors=True)
    for name in (IDENTITY, *HALF):
        (unfinished / name).unlink(missing_ok=True)
    owned.replace(folder, unfinished)
    watch.end(identity.step, record.seconds)
    return record


def _begin(unfinished: Path, identity: Identity) -> None:
    """Make the folder of an unfinished output, which says what it is to become."""
    owned.discard(unfinished)
    fresh = [at for at in (unfinished, *unfinished.parents) if not at.exists()]
    unfinished.mkdir(parents=True, exist_ok=True)
    files.write_text(unfinished / IDENTITY, _identity_text(identity))
    for at in fresh:
        files.sync_folder(at.parent)


def _warned(record: Record, warnings: list[str]) -> Record:
    before = record.notes.get("warnings", [])
    if not warnings or not isinstance(before, list):
        return record
    return dataclasses.replace(record, notes=record.notes | {"warnings": [*before, *warnings]})


def _make(
    unfinished: Path, identity: Identity, make: Callable[[Output], Counts], watch: Watcher, may_be_empty: bool
) -> Record:
    """Fill an unfinished output, and return the record that it deserves; on disk when this returns."""
    given = [one for one in identity.inputs.values() if isinstance(one, FileDigest)]
    began, cpu = time.monotonic(), time.process_time()
    output = Output(unfinished, identity.step, watch, identity.inputs)
    try:
        counts = make(output)
    except Exception:
        # An input that somebody writes to is what to say of it, not what came of that.
        _hold(given)
        raise
    _hold(given)
    if not may_be_empty and not any(counts.values()):
        raise DataError(f"{identity.step} came out empty: every count is zero ({counts})")
    files.sync(unfinished)
    beside = (IDENTITY, *HALF)
    names = (n for n, _ in files.listing(unfinished) if n not in beside and not n.startswith(f"{_PROGRESS}/"))
    made = files.marks(unfinished, names)
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu + output.cpu_seconds
    return Record(
        identity.as_json(), identity.fingerprint, counts, output.notes, seconds, _versions(), made, output.nodes, cpu
    )


def _hold(given: Iterable[FileDigest]) -> None:
    for one in given:
        one.hold()


def require(folder: Path, made_by: str) -> Record:
    """Return the record of an output that another step must have made.

    Raises:
        GlotmixError: naming the command that makes it.
    """
    found = read(folder)
    if found is None:
        raise GlotmixError(f"{folder} is not there or not finished", f"glotmix {made_by}")
    return found


def _identity_text(identity: Identity) -> str:
    read = {name: d.stamp for name, d in identity.inputs.items() if isinstance(d, FileDigest)}
    return json.dumps({"identity": identity.as_json(), "read": read}, ensure_ascii=False, indent=1)


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: installed_version(name) for name in _LIBRARIES}
