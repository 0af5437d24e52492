"""To the Hugging Face Hub: a finished data set, file by file, so that what was sent once is not sent again.

What is there already is told by its hash. Files go in commits of at most 50 files and 2 GB. The card goes last: a data
set whose page says what it holds does hold it.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from glotmix.core.errors import DataError, MissingExtraError, RequestError
from glotmix.core.record import RECORD

_FILES, _BYTES = 50, 2 * 10**9
_LAST = ("README.md",)
_OURS = re.compile(r"(?:dropped/)?[a-z]{3}_[A-Z][a-z]{3}/(?:train|dropped)-(?:.+-)?\d{5,}-of-\d{5,}\.[a-z.]+")
"""The name of a file of documents, as `glotmix.corpus.write` gives them."""


def push(folder: Path, name: str, private: bool = True, endpoint: str | None = None) -> dict[str, int]:
    """Send a finished data set to the Hub.

    The token is the environment's (``HF_TOKEN``), or that of ``hf auth login``.

    Args:
        folder: the data set; its record and hidden files stay here.
        name: ``owner/name`` of the data set; made if it is not there.
        private: whether one that is made is private. One that is there stays as it is.
        endpoint: of another Hub.

    Returns:
        ``sent``, ``there`` (files that were there already), ``bytes`` sent, and ``earlier`` (files of an
        earlier data set that are there: the new card does not load them, and nothing is deleted).

    Raises:
        MissingExtraError: if `huggingface_hub` is not installed.
        RequestError: for a name that is none, or if the Hub refuses.
        DataError: if there is no finished data set.
    """
    try:
        from huggingface_hub import CommitOperationAdd, HfApi
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError as error:
        raise MissingExtraError("pushing to the Hub", "push") from error
    if name.count("/") != 1 or not all(name.split("/")):
        raise RequestError(f"'{name}' is no name of a data set on the Hub", "owner/name")
    if not (folder / RECORD).is_file():
        raise DataError(f"there is no finished data set in {folder}", "glotmix export RECIPE")
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and _sent(p.relative_to(folder))]
    api = HfApi(endpoint=endpoint)
    counts = {"sent": 0, "there": 0, "bytes": 0, "earlier": 0}
    try:
        api.create_repo(name, repo_type="dataset", private=private, exist_ok=True)
        held = {
            f.path: f for f in api.list_repo_tree(name, repo_type="dataset", recursive=True) if hasattr(f, "blob_id")
        }
        ours = {path.relative_to(folder).as_posix() for path in files}
        counts["earlier"] = sum(_OURS.fullmatch(path) is not None for path in held.keys() - ours)
        missing = []
        for path in files:
            if _same(path, held.get(path.relative_to(folder).as_posix())):
                counts["there"] += 1
            else:
                missing.append(path)
        for batch in _batches(missing):
            names = [p.relative_to(folder).as_posix() for p in batch]
            api.create_commit(
                name,
                [CommitOperationAdd(n, p) for n, p in zip(names, batch, strict=True)],
                commit_message=f"{names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else ""),
                repo_type="dataset",
            )
            counts["sent"] += len(batch)
            counts["bytes"] += sum(p.stat().st_size for p in batch)
    except HFValidationError as error:
        raise RequestError(f"'{name}' is no name of a data set on the Hub: {error}", "owner/name") from error
    except HfHubHTTPError as error:
        raise RequestError(
            f"the Hub refuses to take {name}: {error}",
            "set HF_TOKEN to a token that may write; what was sent is not sent again",
        ) from error
    except Exception as error:  # of whatever library the transport is: httpx, requests
        raise RequestError(
            f"the Hub cannot be reached to take {name}: {type(error).__name__}: {error}",
            "look after the network, and run the same command again: what was sent is not sent again",
        ) from error
    return counts


def _sent(path: Path) -> bool:
    return path.name != RECORD and not any(part.startswith(".") for part in path.parts)


def _batches(files: Iterable[Path]) -> Iterator[list[Path]]:
    held: list[Path] = []
    size = 0
    last = []
    for path in files:
        if path.name in _LAST:
            last.append(path)
            continue
        if held and (len(held) == _FILES or size + path.stat().st_size > _BYTES):
            yield held
            held, size = [], 0
        held.append(path)
        size += path.stat().st_size
    if held:
        yield held
    if last:
        yield last


def _same(path: Path, there: Any) -> bool:
    """Whether a file of the Hub is this one: by SHA-256 where it is large there, else by git's own hash."""
    if there is None or there.size != path.stat().st_size:
        return False
    digest = hashlib.sha256() if there.lfs else hashlib.sha1(b"blob %d\0" % there.size, usedforsecurity=False)
    with path.open("rb") as file:
        while data := file.read(2**20):
            digest.update(data)
    return digest.hexdigest() == str(there.lfs.sha256 if there.lfs else there.blob_id)
