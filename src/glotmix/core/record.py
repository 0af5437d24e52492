"""An output is a folder with one record, written last, by rename.

The record holds an *identity*: everything that changes the result (the step, its version, its configuration,
the fingerprints of its inputs) and nothing else (no paths, no number of workers). Present and equal: the
output is reused. Present and different: it is rebuilt, and the changed fields are named. Interrupted: the
unfinished folder beside it is taken up again, part by part, and ends as the same bytes.
"""

import hashlib
import json
import math
import os
import platform
import shutil
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Generic, Protocol, TypeAlias, TypeVar

from glotmix.core import flight
from glotmix.core.errors import DataError, GlotmixError

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
Counts: TypeAlias = dict[str, int]
Unit = TypeVar("Unit")

RECORD = "record.json"
_PROGRESS = ".progress"
_LIBRARIES = ("glotmix", "daft", "pyarrow", "numpy", "scikit-learn")


class Watcher(Protocol):
    """What a step tells of its progress; the command line draws it, a library user may ignore it."""

    def begin(self, step: str, state: str, detail: str) -> None:
        """A step begins; `state` is one of ``new``, ``changed``, ``resumed``, ``reused``."""

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


def canonical(value: object) -> JSON:
    """Return `value` as plain JSON data in one canonical form.

    Raises:
        TypeError: for anything without one (a path, a set, NaN, an object): a fingerprint that guesses is worse
            than none.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            if not math.isfinite(value):
                raise TypeError(f"{value} has no canonical form")
            return value
        case Mapping():
            if not all(isinstance(k, str) for k in value):
                raise TypeError(f"only text can be a key: {list(value)}")
            return {k: canonical(value[k]) for k in sorted(value)}
        case list() | tuple():
            return [canonical(v) for v in value]
    raise TypeError(f"{type(value).__name__} has no canonical form: {value!r}")


def digest(value: object) -> str:
    """Return the SHA-256 (hexadecimal) of the canonical JSON of `value`."""
    text = json.dumps(canonical(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def digest_file(path: Path) -> str:
    """Return the SHA-256 (hexadecimal) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Identity:
    """Everything that changes a result.

    Args:
        step: the step's name, such as ``signals/heuristics``.
        version: raised by hand whenever the step's code changes its result.
        config: the part of the recipe that the step reads.
        inputs: fingerprint of each input, by name.
    """

    step: str
    version: int
    config: Mapping[str, object] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, JSON]:
        """Return the identity as plain data."""
        return {
            "step": self.step,
            "version": self.version,
            "config": canonical(dict(self.config)),
            "inputs": canonical(dict(self.inputs)),
        }

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical identity."""
        return digest(self.as_json())


@dataclass(frozen=True)
class Record:
    """What a finished output says of itself.

    `counts` are whole numbers about the result (documents, bytes, dropped, …); `notes` anything else worth
    keeping (warnings, evidence). `seconds`, `versions` and `nodes` (how many parts each node of a cluster made) say how
    it was made and are no part of its identity.
    """

    identity: dict[str, JSON]
    fingerprint: str
    counts: Counts
    notes: dict[str, JSON]
    seconds: float
    versions: dict[str, str]
    nodes: Counts = field(default_factory=dict)


def read(folder: Path) -> Record | None:
    """Return the record of a finished output, or None where there is none."""
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        return Record(**json.loads(path.read_text("utf-8")))
    except (json.JSONDecodeError, TypeError) as error:
        raise DataError(f"{path} is damaged: {error}", f"delete {folder} and run again") from error


def changed_fields(old: Mapping[str, JSON], new: Mapping[str, JSON]) -> list[str]:
    """Name the fields in which two identities differ, with both values: ``config.bands: 14 → 20``."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    missing = object()
    return [
        f"{name}: {_short(before.get(name, missing))} → {_short(after.get(name, missing))}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name, missing) != after.get(name, missing)
    ]


def _leaves(value: "JSON | Mapping[str, JSON]", at: str = "") -> Iterable[tuple[str, Hashable]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{at}.{key}" if at else key)
    else:
        yield at, json.dumps(value, ensure_ascii=False)


def _short(value: object) -> str:
    if not isinstance(value, str):
        return "(absent)"
    plain = value.strip('"')
    if len(plain) == 64 and all(c in "0123456789abcdef" for c in plain):
        return plain[:8]
    return plain if len(plain) <= 60 else plain[:57] + "…"


def state_of(folder: Path, identity: Identity) -> tuple[str, list[str]]:
    """Say what building `folder` would mean: ``reused``, ``changed`` (with the fields), ``resumed`` or ``new``."""
    found = read(folder)
    if found is not None and found.fingerprint == identity.fingerprint:
        return "reused", []
    unfinished = _building(folder) / "identity.json"
    if unfinished.is_file() and unfinished.read_text("utf-8") == _identity_text(identity):
        return "resumed", []
    if found is not None:
        return "changed", changed_fields(found.identity, identity.as_json())
    return "new", []


class Output:
    """An output under construction: a folder beside the final one, filled part by part.

    A part is finished when its marker stands in ``.progress``; its files were moved into place before that, so
    a killed run loses at most the part it was in.
    """

    def __init__(self, folder: Path, step: str, watcher: Watcher) -> None:
        self.path = folder
        self.step = step
        self.notes: dict[str, JSON] = {}
        self.nodes: Counts = {}
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
        for name, counts, node in flight.fly(part, list(part.units), here=here, one_by_one=one_by_one):
            if node:
                self.nodes[node] = self.nodes.get(node, 0) + 1
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
        for file in sorted(p for p in scratch.rglob("*") if p.is_file()):
            target = self.folder / file.relative_to(scratch)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
        shutil.rmtree(scratch)
        _write_text(markers / f"{name}.json", json.dumps(counts))
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
        DataError: if the result is empty.
    """
    watch: Watcher = watcher or Silent()
    state, detail = state_of(folder, identity)
    watch.begin(identity.step, state, "; ".join(detail))
    if state == "reused":
        found = read(folder)
        assert found is not None
        watch.end(identity.step, 0.0)
        return found
    building = _building(folder)
    if state != "resumed":
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        _write_text(building / "identity.json", _identity_text(identity))
    began = time.monotonic()
    output = Output(building, identity.step, watch)
    counts = make(output)
    if not may_be_empty and not any(counts.values()):
        raise DataError(f"{identity.step} came out empty: every count is zero ({counts})")
    record = Record(
        identity.as_json(),
        identity.fingerprint,
        counts,
        output.notes,
        time.monotonic() - began,
        _versions(),
        output.nodes,
    )
    shutil.rmtree(building / _PROGRESS, ignore_errors=True)
    (building / "identity.json").unlink()
    told = {name: value for name, value in vars(record).items() if name != "nodes" or value}
    _write_text(building / RECORD, json.dumps(told, ensure_ascii=False, indent=1))
    if folder.exists():
        # Set aside by rename first: a reader never sees a half-deleted folder under the final name.
        old = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        building.rename(folder)
        shutil.rmtree(old)
    else:
        building.rename(folder)
    watch.end(identity.step, record.seconds)
    return record


def require(folder: Path, made_by: str) -> Record:
    """Return the record of an output that another step must have made.

    Raises:
        GlotmixError: naming the command that makes it.
    """
    found = read(folder)
    if found is None:
        raise GlotmixError(f"{folder} is not there or not finished", f"glotmix {made_by}")
    return found


def _building(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.building")


def _identity_text(identity: Identity) -> str:
    return json.dumps(identity.as_json(), ensure_ascii=False, indent=1)


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: installed_version(name) for name in _LIBRARIES}


def _write_text(path: Path, text: str) -> None:
    """Write a small file whole or not at all, and make it last through a power cut."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
