"""Files of tokens as trainers read them: ``.ds`` for datatrove and nanotron, Megatron's ``.bin``, NumPy, Parquet.

Each writer takes the documents of one shard in order, as flat arrays, and writes the same bytes for the same tokens.
Layouts were taken from the readers: `datatrove.utils.dataset`, Megatron's `core/datasets/indexed_dataset.py`.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core import registry
from glotmix.core.errors import GlotmixError

Writer: TypeAlias = "Callable[[Path, NDArray[np.uint32], NDArray[np.int64], int, int | None], None]"
"""From a path without ending, (t,) tokens, (d,) ends of documents in them, the size of the vocabulary and the length of
sequences (None for documents) to files."""


@dataclass(frozen=True)
class Packing:
    """A form of token files, as a module declares it under the top-level name ``PACKING``.

    Args:
        name: what the recipe calls it, in ``export.tokens.formats``.
        write: writes one shard: the same bytes for the same tokens.
        version: raised when it would write the same tokens differently.
    """

    name: str
    write: Writer
    version: int = 1


MEGATRON = "_text_document"
"""What Megatron's own tool puts behind the names of its files."""

_MAGIC = b"MMIDIDX\x00\x00"
_INT32, _UINT16 = 4, 8
"""Megatron's codes of types."""


def datatrove(
    path: Path, tokens: NDArray[np.uint32], ends: NDArray[np.int64], vocabulary: int, length: int | None
) -> None:
    """Write ``.ds`` (tokens), ``.ds.index`` (uint64, where documents end, in tokens) and ``.ds.metadata``."""
    size = 4 if vocabulary > 2**16 else 2
    name = path.with_name(path.name + ".ds")
    tokens.astype("<u4" if size == 4 else "<u2").tofile(name)
    ends.astype("<u8").tofile(path.with_name(path.name + ".ds.index"))
    about = f"Unknown Tokenizer|{size}\n{len(tokens)}\n{len(tokens)} tokens"
    path.with_name(path.name + ".ds.metadata").write_text(about, "utf-8")


def megatron(
    path: Path, tokens: NDArray[np.uint32], ends: NDArray[np.int64], vocabulary: int, length: int | None
) -> None:
    """Write ``_text_document.bin`` and ``.idx``: one sequence a document, as `preprocess_data.py` does."""
    code, kind = (_UINT16, np.dtype("<u2")) if vocabulary < 65_500 else (_INT32, np.dtype("<i4"))
    stem = path.name + MEGATRON
    tokens.astype(kind).tofile(path.with_name(stem + ".bin"))
    lengths = np.diff(ends, prepend=0)
    with path.with_name(stem + ".idx").open("wb") as index:
        index.write(_MAGIC + struct.pack("<QBQQ", 1, code, len(ends), len(ends) + 1))
        index.write(lengths.astype("<i4").tobytes())
        index.write(((ends - lengths) * kind.itemsize).astype("<i8").tobytes())
        index.write(np.arange(len(ends) + 1, dtype="<i8").tobytes())


def numpy(path: Path, tokens: NDArray[np.uint32], ends: NDArray[np.int64], vocabulary: int, length: int | None) -> None:
    """Write ``.npy``: (t,) tokens and ``.ends.npy``, (d,) ends of documents; or (s, length) tokens, packed."""
    kind = np.dtype("<u4" if vocabulary > 2**16 else "<u2")
    if length is None:
        np.save(path.with_name(path.name + ".npy"), tokens.astype(kind))
        np.save(path.with_name(path.name + ".ends.npy"), ends.astype("<i8"))
    else:
        np.save(path.with_name(path.name + ".npy"), packed(tokens, length).astype(kind))


def parquet(
    path: Path, tokens: NDArray[np.uint32], ends: NDArray[np.int64], vocabulary: int, length: int | None
) -> None:
    """Write ``.parquet`` with the column ``input_ids``, a list of int32 a row: a document, or a packed sequence."""
    if length is not None:
        tokens = packed(tokens, length).reshape(-1)
        ends = np.arange(length, len(tokens) + 1, length, dtype=np.int64)
    offsets = pa.array(np.concatenate([[0], ends]), pa.int64())
    lists = pa.LargeListArray.from_arrays(offsets, pa.array(tokens.astype(np.int32))).cast(pa.list_(pa.int32()))
    table = pa.table({"input_ids": lists})
    pq.write_table(table, path.with_name(path.name + ".parquet"), compression="zstd", row_group_size=4_096)


def packed(tokens: NDArray[np.uint32], length: int) -> NDArray[np.uint32]:
    """Return (s, length) tokens, the documents one behind the other; what fills no sequence at the end is left out.

    >>> packed(np.arange(7, dtype=np.uint32), 3).tolist()
    [[0, 1, 2], [3, 4, 5]]
    """
    whole = len(tokens) // length * length
    return tokens[:whole].reshape(-1, length)


PACKING = (
    Packing("datatrove", datatrove),
    Packing("megatron", megatron),
    Packing("numpy", numpy),
    Packing("parquet", parquet),
)


@cache
def packings() -> dict[str, Packing]:
    """Return every form of token files by name: those of this file, and those of other packages.

    Raises:
        GlotmixError: if two have one name.
    """
    found: list[Packing] = list(registry.declared("PACKING"))
    names = [one.name for one in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise GlotmixError(f"two packings are called {twice}", "uninstall one of the packages that bring them")
    return dict(zip(names, found, strict=True))
