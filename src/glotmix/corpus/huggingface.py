"""Data sets of the Hugging Face Hub, streamed; behind the extra ``hub``.

A path reads ``hf://owner/name``, with ``@revision`` if need be, and ``?config=NAME&split=train``. The revision is
resolved to a commit once, and that commit is what is read and what stands in the fingerprint.
"""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import pyarrow as pa

from glotmix.core.errors import DataError, GlotmixError, MissingExtraError, RequestError
from glotmix.corpus.sources import HUB, Source

ROWS = 1_000
"""Rows that are fetched at once."""

_OPTIONS = ("config", "split")


@dataclass(frozen=True)
class Dataset:
    """A data set, pinned to a commit."""

    name: str
    revision: str
    config: str | None
    split: str

    def __str__(self) -> str:
        return f"{HUB}{self.name}@{self.revision}?config={self.config or ''}&split={self.split}"


def pinned(source: Source) -> Dataset:
    """Return the data set that a source names, at the commit that its revision means now.

    Raises:
        RequestError: if the path cannot be read.
        MissingExtraError: without the extra ``hub``.
        DataError: if the Hub does not have it.
    """
    path = source.path[0].removeprefix(HUB)
    place, _, query = path.partition("?")
    name, _, revision = place.partition("@")
    options = dict(parse_qsl(query, keep_blank_values=True))
    unknown = [k for k in options if k not in _OPTIONS]
    if name.count("/") > 1 or not name.strip("/") or unknown:
        what = f"unknown option '{unknown[0]}'" if unknown else f"'{name}' is no name of a data set"
        raise RequestError(
            f"source '{source.name}': {source.path[0]}: {what}", "hf://owner/name[@revision][?config=NAME&split=train]"
        )
    commit = _commit(source.name, name, revision or None)
    return Dataset(name, commit, options.get("config") or None, options.get("split", "train"))


def shards(source: Source, dataset: Dataset) -> int:
    """Return in how many parts the data set can be read, each on its own."""
    stream = _stream(source, dataset)
    return int(getattr(stream, "num_shards", None) or getattr(stream, "n_shards", None) or 1)


def tables(source: Source, dataset: Dataset, shard: int, of: int) -> Iterator[pa.Table]:
    """Stream one part of the data set as tables of at most `ROWS` rows."""
    stream = _stream(source, dataset)
    part = stream.shard(num_shards=of, index=shard) if of > 1 else stream
    batches = iter(part.with_format("arrow").iter(batch_size=ROWS))
    while True:
        try:
            batch = next(batches, None)
        except Exception as error:  # a network that fails in the middle: each library has errors of its own
            raise _failed(source.name, dataset.name, error) from error
        if batch is None:
            return
        yield pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch


def _library(name: str, source: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(f"source '{source}' (a Hugging Face data set)", "hub") from error


@cache
def _commit(source: str, name: str, revision: str | None) -> str:
    # Cached, so that the commit in the fingerprint is the commit that is read.
    hub = _library("huggingface_hub", source)
    try:
        return str(hub.HfApi().dataset_info(name, revision=revision).sha)
    except Exception as error:
        raise _failed(source, name, error) from error


def _stream(source: Source, dataset: Dataset) -> Any:
    library = _library("datasets", source.name)
    try:
        return library.load_dataset(
            dataset.name, dataset.config, split=dataset.split, revision=dataset.revision, streaming=True
        )
    except Exception as error:
        raise _failed(source.name, dataset.name, error) from error


def _failed(source: str, name: str, error: Exception) -> GlotmixError:
    return DataError(
        f"source '{source}': the Hugging Face data set '{name}' cannot be read: {type(error).__name__}: {error}",
        "check its name, config, split and revision; log in with `hf auth login` if it is gated",
    )
