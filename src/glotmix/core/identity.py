"""What an output says of itself: the identity that it was made under, what came of it, and every file of it.

The identity is everything that changes the result (the step, its version, its configuration, the fingerprints of its
inputs) and nothing else (no paths, no number of workers).
"""

import hashlib
import json
import math
import shlex
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from glotmix.core import json_text
from glotmix.core.errors import DataError
from glotmix.core.files import FileMark

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
Counts: TypeAlias = dict[str, int]

RECORD = "record.json"
"""The file that is written last, and says that an output is finished and glotmix's."""

IDENTITY = "identity.json"
"""What an unfinished output is to become."""

DAMAGED = ".damaged.json"
"""Files of a finished output whose content was found to be wrong."""

HALF = frozenset(f".{name}.tmp" for name in (RECORD, IDENTITY, DAMAGED))
"""What is left of these by a run that was killed while it wrote them."""


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
    keeping (warnings, evidence). `seconds`, `cpu_seconds`, `versions` and `nodes` (how many parts each node of a
    cluster made) say how it was made and are no part of its identity.
    `files` are all files of the output, by their path in it (with ``/``), each with its size and SHA-256.
    """

    identity: dict[str, JSON]
    fingerprint: str
    counts: Counts
    notes: dict[str, JSON]
    seconds: float
    versions: dict[str, str]
    files: dict[str, FileMark]
    nodes: Counts = field(default_factory=dict)
    cpu_seconds: float = 0.0

    def as_text(self) -> str:
        """Return the record as JSON text, with a seal over all of it."""
        held = {name: value for name, value in vars(self).items() if name != "nodes" or value}
        return json.dumps(held | {"seal": _seal(held)}, ensure_ascii=False, indent=1)


def read(folder: Path) -> Record | None:
    """Return the record of a finished output, or None where there is none.

    Raises:
        DataError: if it is not what was written.
    """
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        held = json_text.loads(path.read_bytes())
        if held.pop("seal") != _seal(held):
            raise ValueError("its seal does not fit")
        held["files"] = {name: FileMark(*mark) for name, mark in held["files"].items()}
        return Record(**held)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        of_another = isinstance(error, KeyError | TypeError | AttributeError)
        why = "it was changed, or is of another version of glotmix" if of_another else str(error)
        raise DataError(
            f"{path} is damaged: {why}; without it nobody can say which files are glotmix's", unread([folder])
        ) from error


def unread(folders: Iterable[Path]) -> str:
    """Say what to do about outputs whose records cannot be read."""
    return f"take out what is yours, then: {shlex.join(['rm', '-r', *map(str, folders)])}"


def _seal(held: Mapping[str, Any]) -> str:
    """Return the SHA-256 of everything that a record holds, so that no change of it goes unnoticed."""
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()


def written(folder: Path) -> int:
    """Return when an output's record was written, in nanoseconds."""
    return (folder / RECORD).stat().st_mtime_ns


def building(folder: Path) -> Path:
    """Return where an output stands until it is finished."""
    return folder.with_name(f".{folder.name}.building")


def retired(folder: Path) -> Path:
    """Return where an output stands for the moment in which another takes its place."""
    return folder.with_name(f".{folder.name}.old")


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
