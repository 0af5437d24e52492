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
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version as installed_version
from pathlib import Path

from glotmix.core import files, json_text, owned
from glotmix.core.errors import DataError, RequestError
from glotmix.core.files import FileDigest, FileMark, digest_file
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
from glotmix.core.output import PROGRESS, Output, Silent, Watcher, share_of

__all__ = [
    "JSON",
    "RECORD",
    "Counts",
    "Identity",
    "Output",
    "Record",
    "Silent",
    "Wanted",
    "Watcher",
    "build",
    "build_together",
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

_LIBRARIES = ("glotmix", "daft", "pyarrow", "numpy", "scikit-learn")


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
        suspected = json_text.loads((folder / DAMAGED).read_bytes())
    except (OSError, ValueError):
        suspected = []
    return files.harm(folder, found.files, written(folder), suspected if isinstance(suspected, list) else [])


def verify(folder: Path, told: Callable[[str, int], None] = lambda name, size: None) -> dict[str, str]:
    """Compare the content of every file of an output with its record, and keep in mind what is wrong.

    Args:
        folder: a finished output.
        told: called with the name and size of each file that was read.

    Returns:
        what is wrong, by file. `state_of` calls such an output ``damaged`` from then on, where a note of it can be
        written beside.
    """
    found = read(folder)
    if found is None:
        return {}
    wrong = files.harm(folder, found.files, written(folder), None, told)
    with suppress(OSError):  # an archive that cannot be written to can be looked at
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


@dataclass(frozen=True)
class Wanted:
    """An output that is asked for.

    Args:
        folder: where it belongs.
        identity: everything that changes the result.
        may_be_empty: otherwise counts that are all zero are an error: nothing ends empty in silence.
    """

    folder: Path
    identity: Identity
    may_be_empty: bool = False


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
    wanted = Wanted(folder, identity, may_be_empty)
    return build_together([wanted], lambda outputs: [make(output) for output in outputs], watcher)[0]


def build_together(
    wanted: Sequence[Wanted], make: Callable[[list[Output]], list[Counts]], watcher: Watcher | None = None
) -> list[Record]:
    """Return the records of several outputs, making those that are not there in one go; see `build`.

    Each has its own record, the same as if it was made alone; one that is there is left as it is.

    Args:
        wanted: the outputs; none is made from another.
        make: fills the outputs that it is given, and returns the counts of each.
        watcher: told of the progress.
    """
    watch: Watcher = watcher or Silent()
    opened = [_opened(one, watch) for one in wanted]
    made = _make([one.wanted for one in opened if one.record is None], make, watch)
    return [one.record if one.reused and one.record else _closed(one, made, watch) for one in opened]


@dataclass(frozen=True)
class _Opened:
    """An output that was looked at: `record` is there where it is reused, or where only its folder must be named."""

    wanted: Wanted
    old: Record | None
    record: Record | None = None
    reused: bool = False


def _opened(wanted: Wanted, watch: Watcher) -> _Opened:
    """Look at what stands in an output's place, and make ready the folder that it is filled in."""
    folder, identity = wanted.folder, wanted.identity
    owned.refuse({identity.step: folder})
    state, detail = state_of(folder, identity)
    watch.begin(identity.step, state, "; ".join(detail))
    old = read(folder)
    if state == "reused":
        owned.tidy(folder)
        watch.end(identity.step, 0.0)
        return _Opened(wanted, old, old, reused=True)
    owned.refuse_strangers([folder])
    unfinished = building(folder)
    if state != "resumed":
        _begin(unfinished, identity)
    return _Opened(wanted, old, read(unfinished) if state == "resumed" else None)


def _closed(one: _Opened, made: Mapping[str, Record], watch: Watcher) -> Record:
    """Write the record of an output, and put it in its place."""
    folder, step = one.wanted.folder, one.wanted.identity.step
    unfinished, record = building(folder), one.record
    if record is None:
        record = made[step]
        warnings = []
        if one.old is not None:
            kept = owned.set_aside(folder, one.old)
            warnings += [f"{path} was not as glotmix wrote it, and is kept" for path in kept]
            if one.old.fingerprint == record.fingerprint and one.old.files != record.files:
                # Another version of a library, or a step that is not repeatable.
                warnings.append(f"{step} was damaged, and was made again with other bytes than before")
        record = _warned(record, warnings)
        files.write_text(unfinished / RECORD, record.as_text())
    # After the record: a run that is killed in between only has this left to do.
    shutil.rmtree(unfinished / PROGRESS, ignore_errors=True)
    for name in (IDENTITY, *HALF):
        (unfinished / name).unlink(missing_ok=True)
    owned.replace(folder, unfinished)
    watch.end(step, record.seconds)
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


def _make(wanted: Sequence[Wanted], make: Callable[[list[Output]], list[Counts]], watch: Watcher) -> dict[str, Record]:
    """Fill unfinished outputs, and return the records that they deserve, by step; on disk when this returns."""
    if not wanted:
        return {}
    identities = [one.identity for one in wanted]
    given = [d for identity in identities for d in identity.inputs.values() if isinstance(d, FileDigest)]
    clock = _Clock()
    outputs = [Output(building(one.folder), one.identity.step, watch, one.identity.inputs) for one in wanted]
    try:
        counts = make(outputs)
    except Exception:
        # An input that somebody writes to is what to say of it, not what came of that.
        _hold(given)
        raise
    _hold(given)
    seconds, cpu = clock.split()
    weights = [output.weight for output in outputs]
    records = {}
    for one, output, found in zip(wanted, outputs, counts, strict=True):
        if not one.may_be_empty and not any(found.values()):
            raise DataError(f"{one.identity.step} came out empty: every count is zero ({found})")
        made = _marks(output.path)
        share = share_of(output.weight, weights)
        own, own_cpu = clock.split()
        records[one.identity.step] = Record(
            one.identity.as_json(),
            one.identity.fingerprint,
            found,
            output.notes,
            seconds * share + own,
            dict(_versions()),
            made,
            output.nodes,
            cpu * share + output.cpu_seconds + own_cpu,
        )
    return records


class _Clock:
    """Seconds, and CPU-seconds of this process, from one look at it to the next."""

    def __init__(self) -> None:
        self._at = time.monotonic(), time.process_time()

    def split(self) -> tuple[float, float]:
        before, self._at = self._at, (time.monotonic(), time.process_time())
        return self._at[0] - before[0], self._at[1] - before[1]


def _marks(unfinished: Path) -> dict[str, FileMark]:
    """Return the size and digest of each file that was made, all of them on disk."""
    files.sync(unfinished)
    beside = (IDENTITY, *HALF)
    names = (n for n, _ in files.listing(unfinished) if n not in beside and not n.startswith(f"{PROGRESS}/"))
    return files.marks(unfinished, names)


def _hold(given: Iterable[FileDigest]) -> None:
    for one in given:
        one.hold()


def require(folder: Path, made_by: str) -> Record:
    """Return the record of an output that another step must have made.

    Raises:
        RequestError: naming the command that makes it.
    """
    found = read(folder)
    if found is None:
        raise RequestError(f"{folder} is not there or not finished", f"glotmix {made_by}")
    return found


def _identity_text(identity: Identity) -> str:
    read = {name: d.stamp for name, d in identity.inputs.items() if isinstance(d, FileDigest)}
    return json.dumps({"identity": identity.as_json(), "read": read}, ensure_ascii=False, indent=1)


@cache
def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: installed_version(name) for name in _LIBRARIES}
