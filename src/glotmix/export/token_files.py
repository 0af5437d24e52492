"""Files of tokens as trainers read them: ``.ds`` for datatrove and nanotron, Megatron's ``.bin``, NumPy, Parquet.

Each writer takes a `Shard`, documents in order as flat arrays, and writes the same bytes for the same tokens.
Layouts were taken from the readers: `datatrove.utils.dataset`, Megatron's `core/datasets/indexed_dataset.py`.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core import registry
from glotmix.core.errors import RequestError


@dataclass(frozen=True)
class Shard:
    """The documents of one shard, one behind the other.

    Args:
        tokens: (t,) ids, uint16 where the vocabulary has room in it, else uint32; each document's end among them.
        ends: (d,) int64, where each document ends in `tokens`.
        vocabulary: how many ids there are.
        length: of the sequences to pack into; None for one sequence a document.
        loss: (t,) bool, whether the trainer counts the loss of predicting this token; None for all of them.
        labels: (t,) int32, what is to be predicted in the place of each token, `NO_LOSS` where nothing is; None for the
            tokens themselves, where `loss` says so.
        parts: (t,) int32, the number of the text, within its document, that each token belongs to: a window of training
            may hold several that should not see one another; −1 for what only fills it up. None for one text each.
    """

    tokens: NDArray[np.unsignedinteger[Any]]
    ends: NDArray[np.int64]
    vocabulary: int
    length: int | None = None
    loss: NDArray[np.bool_] | None = None
    labels: NDArray[np.int32] | None = None
    parts: NDArray[np.int32] | None = None


Writer: TypeAlias = "Callable[[Path, Shard], None]"
"""From a path without ending and a shard to files."""


@dataclass(frozen=True)
class Packing:
    """A form of token files, as a module declares it under the top-level name ``PACKING``.

    Args:
        name: what the recipe calls it, in ``export.tokens.formats``.
        writer: writes one shard: the same bytes for the same tokens. Call `write`.
        version: raised when it would write the same tokens differently.
        masks: whether its files can say which tokens bear loss.
        labels: whether they can say that another token than the one that stands there is to be predicted.
        packs: whether they heed `Shard.length`.
    """

    name: str
    writer: Writer
    version: int = 1
    masks: bool = False
    labels: bool = False
    packs: bool = True

    def write(self, path: Path, shard: Shard) -> None:
        """Write a shard.

        Raises:
            RequestError: if the shard says which tokens bear loss, or has labels, and files of this form cannot.
        """
        if shard.loss is not None and not self.masks:
            able = ", ".join(name for name, one in packings().items() if one.masks)
            raise RequestError(
                f"files of the form {self.name} cannot say which tokens bear loss, and a trainer would count them all",
                f"one of the forms {able}",
            )
        if shard.labels is not None and not self.labels:
            able = ", ".join(name for name, one in packings().items() if one.labels)
            raise RequestError(
                f"files of the form {self.name} have no labels of their own: a trainer would take the tokens for them",
                f"one of the forms {able}",
            )
        self.writer(path, shard)


def token_type(vocabulary: int) -> np.dtype[Any]:
    """Return the type of tokens in files: uint16 where every id has room in it.

    >>> token_type(65_536), token_type(65_537)
    (dtype('uint16'), dtype('uint32'))
    """
    return np.dtype("<u2" if vocabulary <= 2**16 else "<u4")


MEGATRON = "_text_document"
"""What Megatron's own tool puts behind the names of its files."""

_MAGIC = b"MMIDIDX\x00\x00"
_INT32, _UINT16 = 4, 8
"""Megatron's codes of types."""

NO_LOSS = -100
"""The label of a token that bears no loss, in PyTorch's cross-entropy and so in Hugging Face's trainers."""


def _datatrove(path: Path, shard: Shard) -> None:
    """Write ``.ds`` (tokens), ``.ds.index`` (uint64, where documents end, in tokens), ``.ds.metadata``.

    With a mask also ``.ds.loss``, a byte a token, 1 where it bears loss.
    """
    kind = token_type(shard.vocabulary)
    name = path.name + ".ds"
    count = len(shard.tokens)
    shard.tokens.astype(kind, copy=False).tofile(path.with_name(name))
    shard.ends.astype("<u8", copy=False).tofile(path.with_name(name + ".index"))
    if shard.loss is not None:
        shard.loss.astype("u1", copy=False).tofile(path.with_name(name + ".loss"))
    about = f"Unknown Tokenizer|{kind.itemsize}\n{count}\n{count} tokens"
    path.with_name(name + ".metadata").write_text(about, "utf-8")


def _megatron(path: Path, shard: Shard) -> None:
    """Write ``_text_document.bin`` and ``.idx``: one sequence a document, as `preprocess_data.py` does."""
    code, kind = (_UINT16, np.dtype("<u2")) if shard.vocabulary < 65_500 else (_INT32, np.dtype("<i4"))
    stem = path.name + MEGATRON
    ends = shard.ends
    shard.tokens.astype(kind, copy=False).tofile(path.with_name(stem + ".bin"))
    lengths = np.diff(ends, prepend=0)
    with path.with_name(stem + ".idx").open("wb") as index:
        index.write(_MAGIC + struct.pack("<QBQQ", 1, code, len(ends), len(ends) + 1))
        index.write(lengths.astype("<i4").tobytes())
        index.write(((ends - lengths) * kind.itemsize).astype("<i8").tobytes())
        index.write(np.arange(len(ends) + 1, dtype="<i8").tobytes())


def _numpy(path: Path, shard: Shard) -> None:
    """Write ``.npy``: (t,) tokens and ``.ends.npy``, (d,) ends of documents; or (s, length) tokens, packed.

    With a mask also ``.loss.npy``, bool, of the shape of the tokens.
    """
    tokens, loss = shard.tokens.astype(token_type(shard.vocabulary), copy=False), shard.loss
    if shard.length is None:
        np.save(path.with_name(path.name + ".ends.npy"), shard.ends.astype("<i8", copy=False))
    else:
        tokens = packed(tokens, shard.length)
        loss = None if loss is None else packed(loss, shard.length)
    np.save(path.with_name(path.name + ".npy"), tokens)
    if loss is not None:
        np.save(path.with_name(path.name + ".loss.npy"), loss)


def _parquet(path: Path, shard: Shard) -> None:
    """Write ``.parquet`` with the column ``input_ids``, a list of int32 a row: a document, or a packed sequence.

    With a mask also ``labels``: the tokens themselves (a model of Hugging Face's shifts them), `NO_LOSS` where masked.
    With several texts a row also ``document``, their numbers, and ``position_ids``, which begin anew with each.
    """
    tokens, ends, loss = shard.tokens.astype(np.int32), shard.ends, shard.loss
    if shard.length is not None:
        whole = len(tokens) // shard.length * shard.length
        tokens, loss = tokens[:whole], None if loss is None else loss[:whole]
        ends = np.arange(shard.length, whole + 1, shard.length, dtype=np.int64)
    offsets = pa.array(np.concatenate([[0], ends]), pa.int64())

    def lists(values: NDArray[np.int32]) -> pa.ListArray:
        return pa.LargeListArray.from_arrays(offsets, pa.array(values)).cast(pa.list_(pa.int32()))

    columns = {"input_ids": lists(tokens)}
    if shard.labels is not None:
        columns["labels"] = lists(shard.labels[: len(tokens)])
    elif loss is not None:
        columns["labels"] = lists(np.where(loss, tokens, np.int32(NO_LOSS)))
    if shard.parts is not None:
        numbers = shard.parts[: len(tokens)]
        starts = np.flatnonzero(np.diff(numbers, prepend=-2) != 0)
        starts = np.union1d(starts, offsets.to_numpy()[:-1]).astype(np.int64)
        lengths = np.diff(np.append(starts, len(tokens)))
        columns["position_ids"] = lists((np.arange(len(tokens)) - np.repeat(starts, lengths)).astype(np.int32))
        columns["document"] = lists(numbers)
    table = pa.table(columns)
    pq.write_table(table, path.with_name(path.name + ".parquet"), compression="zstd", row_group_size=4_096)


T = TypeVar("T", bound=np.generic)


def packed(values: NDArray[T], length: int) -> NDArray[T]:
    """Return (s, length) values, the documents one behind the other; what fills no sequence at the end is left out.

    >>> packed(np.arange(7, dtype=np.uint32), 3).tolist()
    [[0, 1, 2], [3, 4, 5]]
    """
    whole = len(values) // length * length
    return values[:whole].reshape(-1, length)


PACKING = (
    Packing("datatrove", _datatrove, masks=True, packs=False),
    Packing("megatron", _megatron, packs=False),
    Packing("numpy", _numpy, masks=True),
    Packing("parquet", _parquet, masks=True, labels=True),
)


@cache
def packings() -> dict[str, Packing]:
    """Return every form of token files by name: those of this file, and those of other packages.

    Raises:
        GlotmixError: if two have one name.
    """
    return registry.by_name("PACKING", "packings")
