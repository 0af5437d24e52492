"""Lines of JSON to columns, without an object of Python for each line and text.

For blocks of lines as nearly all are: each an object, its texts sound. What the native loop cannot vouch for, it leaves
to `glotmix.corpus.jsonl`, which reads line by line, says what is wrong with which, and has the last word on all.
"""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core import json_text
from glotmix.corpus import columns
from glotmix.corpus.rows import Rows, as_id
from glotmix.corpus.sources import Column, Source
from glotmix.native import objects

_ABSENT, _PLAIN, _ESCAPED, _OTHER = objects.KINDS

_MORE = 8
"""Keys that a block may have beyond those of its first line."""

_MOST = 200


class _Key(NamedTuple):
    """The values of one key: see `objects.taken_apart`."""

    block: bytes
    kinds: NDArray[np.uint8]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    sizes: NDArray[np.int32]

    def texts(self) -> pa.Array:
        """Return the texts, null where a value is none.

        Raises:
            pa.ArrowInvalid: where one is not UTF-8.
        """
        offsets, data = objects.texts(self.block, self.kinds, self.starts, self.ends, self.sizes)
        there = (self.kinds == _PLAIN) | (self.kinds == _ESCAPED)
        mask = None if there.all() else pa.py_buffer(np.packbits(there, bitorder="little"))
        found = pa.Array.from_buffers(
            pa.string(), len(there), [mask, pa.py_buffer(offsets), pa.py_buffer(data)], int(np.sum(~there))
        )
        found.validate(full=True)
        return found

    def others(self) -> dict[int, Any]:
        """Return by row the values that are no texts.

        Raises:
            ValueError: where one is no JSON.
        """
        rows = np.flatnonzero(self.kinds == _OTHER).tolist()
        return {row: json_text.loads(self.block[self.starts[row] : self.ends[row]].decode()) for row in rows}

    def values(self) -> list[Any]:
        """Return the values as Python has them; the errors are those of `texts` and `others`."""
        found: list[Any] = self.texts().to_pylist()
        for row, value in self.others().items():
            found[row] = value
        return found


def rows(source: Source, block: bytes, first: int) -> Rows | None:
    """Return the rows of a block of lines, the same as `jsonl` makes of them; None where it must.

    Args:
        source: where they come from.
        block: whole lines.
        first: the number of the first.
    """
    lang = source.language
    paths = (source.columns.text, source.columns.id, lang.column if isinstance(lang, Column) else None)
    room = _room(block)
    if room is None or any("." in path for path in paths if path is not None):
        return None
    apart = objects.taken_apart(block, room)
    if apart is None:
        return None
    names, kinds, starts, ends, sizes, lines, begins, stops = apart
    try:
        keys = {
            name.decode(): _Key(block, kinds[:, k], starts[:, k], ends[:, k], sizes[:, k])
            for k, name in enumerate(names)
        }
        text = _texts(keys, paths[0], len(lines))
        spoken = None if paths[2] is None else _texts(keys, paths[2], len(lines))
        ids = _ids(keys, paths[1], len(lines))
        extras = {name: _column(key) for name, key in keys.items() if name not in source.consumed}
    except ValueError:
        return None
    if text is None or ids is None or (spoken is None and paths[2] is not None):
        return None
    return Rows(
        at=lines + first,
        text=text,
        ids=ids,
        lang=spoken,
        extras=extras,
        start=lambda row: block[begins[row] : stops[row]].decode(),
        read=block.count(b"\n") + (not block.endswith(b"\n")),
    )


def _room(block: bytes) -> int | None:
    """Return how many keys to make room for; None where the first line says that there is no sense in it."""
    try:
        first = json_text.loads(block[: block.find(b"\n") + 1 or None])
    except ValueError:
        return None
    return len(first) + _MORE if type(first) is dict and len(first) <= _MOST else None


def _texts(keys: dict[str, _Key], path: str | None, n: int) -> pa.Array | None:
    """Return a column of texts, null where there is none; None where there is something else."""
    if path not in keys:
        return pa.nulls(n, pa.string())
    return keys[path].texts() if all(value is None for value in keys[path].others().values()) else None


def _ids(keys: dict[str, _Key], path: str | None, n: int) -> pa.Array | None:
    """Return ids as `as_id` writes them; None where there is something that can be none."""
    if path not in keys:
        return pa.nulls(n, pa.string())
    others = keys[path].others()
    found = keys[path].texts()
    if not others:
        return pc.if_else(pc.equal(found, ""), None, found)
    if any(value is not None and as_id(value) is None for value in others.values()):
        return None
    return pa.array([as_id(value) for value in keys[path].values()], pa.string())


def _column(key: _Key) -> pa.Array:
    """Return a column as `columns.infer` makes it of the values."""
    return columns.infer(key.values()) if (key.kinds == _OTHER).any() else key.texts()
