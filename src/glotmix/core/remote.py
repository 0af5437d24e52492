"""Object storage: what a recipe names as ``s3://``, ``gs://`` or ``abfs://`` is fetched, and outputs are put there.

Inputs are fetched into a cache once, by size and time of change, and are from then on local files: their fingerprints
are those of their content, wherever they lie. An output is made in a local folder; as soon as a step is finished its
files are sent, its record last. A store has no rename, and needs none: a folder without a record is not there.

Credentials come from the environment, as each store's own tools take them; none is ever part of an address.
"""

import fnmatch
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from glotmix.core import files, json_text
from glotmix.core.errors import DataError, RequestError
from glotmix.core.identity import RECORD

Made = TypeVar("Made")

SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss", "az")

TRIES = 6
"""Attempts of a request that a store answers with an error of its own, each after a longer wait."""

SECONDS = 60
"""That a store has to answer a request."""

_AT_ONCE = 8
_MARK = ".remote.json"
_SECRETS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_STORAGE_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
)
_ADDRESS = re.compile(r"(?P<scheme>[a-z0-9]+)://(?P<rest>.*)")


def is_remote(name: str) -> bool:
    """Say whether a path is an address of object storage.

    >>> is_remote("s3://bucket/crawl"), is_remote("data/crawl"), is_remote("hf://owner/name")
    (True, False, False)
    """
    found = _ADDRESS.fullmatch(name)
    return found is not None and found["scheme"] in SCHEMES


def cache() -> Path:
    """Return the folder that inputs are fetched into: ``GLOTMIX_CACHE``, or ``glotmix`` in the user's cache."""
    given = os.environ.get("GLOTMIX_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(given) if given else Path(home) / "glotmix"


def mirror(address: str) -> Path:
    """Return the local folder in which an output that belongs to an address is made."""
    return cache() / "outputs" / _short(address.rstrip("/"))


def fetched(address: str, at: Path | None = None) -> Path:
    """Fetch a file, a folder, or what a pattern matches; return where it lies now, as a path of the same kind.

    Args:
        address: such as ``s3://bucket/crawl/*.jsonl.zst``.
        at: the folder that it is fetched into; a place in the cache by default.

    Raises:
        DataError: if there is nothing, or the store refuses or does not answer, in its own words.
        RequestError: if the address holds credentials.
    """
    root, pattern = _split(address)
    with _told(address):
        system, path = _open(root)
        found = _below(system, path, pattern)
    if not found:
        raise DataError(f"there is nothing at {address}", "name other files: patterns are *, ? and [abc]")
    folder = at or cache() / "inputs" / _short(root)
    with _told(address), ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda info: _fetch(system, info, folder / _name(info, path)), found))
    if pattern:
        return folder / pattern
    return folder / _name(found[0], path) if found[0].path == path else folder


def push(folder: Path, address: str) -> None:
    """Put a finished output at an address: its record is taken away first, if another is there, and sent last."""
    with _told(address):
        system, path = _open(address)
        record = (folder / RECORD).read_bytes()
        if _content(system, f"{path}/{RECORD}") == record:
            return
        _delete(system, f"{path}/{RECORD}")
        listed = [name for name, _ in files.listing(folder) if name != RECORD]
        stale = {_name(info, path) for info in _below(system, path, "")} - set(listed)
        for name in stale:
            _delete(system, f"{path}/{name}")
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda name: _send(system, folder / name, f"{path}/{name}"), listed))
        _send(system, folder / RECORD, f"{path}/{RECORD}")


def pull(address: str, folder: Path) -> bool:
    """Fetch a finished output that is not here; return whether there is one. Its record comes last here, too."""
    with _told(address):
        system, path = _open(address)
        record = _content(system, f"{path}/{RECORD}")
    if record is None:
        return False
    wanted = json_text.loads(record)["files"]
    held = folder.with_name(f".{folder.name}.fetched")
    fetched(address, held)
    for name, (size, _) in wanted.items():
        if not (held / name).is_file() or (held / name).stat().st_size != size:
            raise DataError(f"{address} is damaged: {name} is not as its record says", f"delete {address}")
    for mark in held.rglob(f"*{_MARK}"):
        mark.unlink()
    (held / RECORD).touch()
    folder.parent.mkdir(parents=True, exist_ok=True)
    held.rename(folder)
    return True


def record_of(address: str) -> dict[str, Any] | None:
    """Return the record of an output at an address, None where there is none."""
    with _told(address):
        system, path = _open(address)
        found = _content(system, f"{path}/{RECORD}")
    return None if found is None else dict(json_text.loads(found))


def _short(address: str) -> str:
    """Name a folder for an address: its last word, and a digest."""
    word = re.sub(r"[^\w.-]", "_", address.rsplit("/", 1)[-1])[:40]
    return f"{word}-{hashlib.sha256(address.encode()).hexdigest()[:16]}"


def _split(address: str) -> tuple[str, str]:
    """Return the part of an address before any pattern, and the pattern."""
    scheme, _, rest = address.partition("://")
    if "@" in rest.split("/", 1)[0] and scheme == "s3":
        raise RequestError(
            f"an address of {scheme}:// holds a key: it would stand in every record",
            "take it out, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    words = rest.split("/")
    at = next((i for i, word in enumerate(words) if any(c in word for c in "*?[")), len(words))
    return f"{scheme}://{'/'.join(words[:at])}".rstrip("/"), "/".join(words[at:])


def _open(address: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path in it."""
    from pyarrow import fs

    scheme, _, rest = _split(address)[0].partition("://")
    if scheme == "s3":
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        return (
            fs.S3FileSystem(
                region=region,
                endpoint_override=os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"),
                request_timeout=SECONDS,
                connect_timeout=SECONDS / 4,
                retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=TRIES),
            ),
            rest,
        )
    system, path = fs.FileSystem.from_uri(address.replace("az://", "abfs://", 1))
    return system, str(path)


def _below(system: Any, path: str, pattern: str) -> list[Any]:
    """Return the files at or below a path, those that a pattern matches, sorted."""
    from pyarrow import fs

    info = system.get_file_info(path)
    if info.type == fs.FileType.File:
        return [info]
    found = system.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True))
    held = [i for i in found if i.type == fs.FileType.File]
    if pattern:
        depth = pattern.count("/")
        held = [
            i
            for i in held
            if "**" in pattern
            or (_name(i, path).count("/") == depth and fnmatch.fnmatchcase(_name(i, path), pattern))
            or fnmatch.fnmatchcase(_name(i, path), f"{pattern}/*")
        ]
    return sorted(held, key=lambda i: str(i.path))


def _name(info: Any, path: str) -> str:
    """Return the name of a file below a path; its own where it is the path."""
    return str(info.path).removeprefix(path).lstrip("/") or str(info.path).rsplit("/", 1)[-1]


def _fetch(system: Any, info: Any, target: Path) -> None:
    """Fetch a file, unless it is here as it is there; it appears whole or not at all."""
    mark = target.with_name(f".{target.name}{_MARK}")
    told = json.dumps({"size": info.size, "changed": info.mtime_ns})
    if target.is_file() and target.stat().st_size == info.size and mark.is_file() and mark.read_text("utf-8") == told:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")

    def copy() -> None:
        # As it is: Arrow would take the compression off that a name tells of.
        with system.open_input_stream(info.path, compression=None) as source, part.open("wb") as sink:
            shutil.copyfileobj(source, sink, 2**22)
        if part.stat().st_size != info.size:
            raise OSError(f"{info.path} ended after {part.stat().st_size:,} of {info.size:,} bytes")

    _again(copy)
    part.replace(target)
    mark.write_text(told, "utf-8")


def _send(system: Any, file: Path, path: str) -> None:
    size = file.stat().st_size

    def copy() -> None:
        with file.open("rb") as source, system.open_output_stream(path, compression=None) as sink:
            shutil.copyfileobj(source, sink, 2**22)
        if system.get_file_info(path).size != size:
            raise OSError(f"{path} is not as long as what was sent")

    _again(copy)


def _content(system: Any, path: str) -> bytes | None:
    from pyarrow import fs

    if system.get_file_info(path).type != fs.FileType.File:
        return None

    def read() -> bytes:
        with system.open_input_stream(path, compression=None) as source:
            return bytes(source.read())

    return _again(read)


def _delete(system: Any, path: str) -> None:
    from pyarrow import fs

    if system.get_file_info(path).type == fs.FileType.File:
        system.delete_file(path)


def _again(do: Callable[[], Made], tries: int = 3) -> Made:
    """Do something that a broken connection may end in the middle, a few times; what is refused is not asked again."""
    for left in reversed(range(tries)):
        try:
            return do()
        except PermissionError:
            raise
        except OSError as error:
            if not left or any(word in str(error) for word in ("ACCESS_DENIED", "ExpiredToken", "NO_SUCH", "403")):
                raise
    raise AssertionError


@contextmanager
def _told(address: str) -> Iterator[None]:
    """Make an error of the store one of ours: what was asked, its words without anything secret, what to do."""
    try:
        yield
    except (OSError, ValueError) as error:
        words = str(error)
        for name in _SECRETS:
            value = os.environ.get(name)
            if value:
                words = words.replace(value, f"({name})")
        refused = any(word in words for word in ("ACCESS_DENIED", "Expired", "403", "InvalidAccessKeyId", "Forbidden"))
        fix = (
            "check the credentials in the environment: they are missing, have expired, or do not reach this far"
            if refused
            else "run the same command again: what is finished stays"
        )
        raise DataError(f"{address} cannot be reached: {words}", fix) from None
