"""Choices made from log-likelihoods: lists of several lengths, flat in one array, with how many each item has."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


def ranges(starts: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return ``starts[i], starts[i] + 1, …`` for each i, ``counts[i]`` of them."""
    ends = np.cumsum(counts)
    places: npt.NDArray[np.int64] = np.arange(ends[-1]) + np.repeat(starts - (ends - counts), counts)
    return places


def continuations(arguments: pa.Array, counts: npt.NDArray[np.int64], delimiter: str) -> pa.Array | None:
    """Return the choices of all items in a row, without the delimiter; None where they are not what differs."""
    if pa.types.is_list(arguments.type):
        flat = pc.list_element(arguments.flatten(), 1)
        sizes = pc.list_value_length(arguments).to_numpy()
        texts = flat.take(pa.array(ranges(np.cumsum(sizes) - sizes, counts)))
    else:
        width = int(counts.max())
        columns = [pc.struct_field(arguments, [i, 0]) for i in range(width)]
        order = np.arange(len(arguments) * width).reshape(width, -1).T
        there = np.arange(width)[None, :] < counts[:, None]
        texts = pa.concat_arrays(columns).take(pa.array(order[there]))
    if texts.null_count or not len(texts):
        return None
    starts = np.cumsum(counts) - counts
    firsts = texts.take(pa.array(np.repeat(starts, counts)))
    if pc.all(pc.equal(texts, firsts)).as_py():
        return None  # as in WinoGrande, where the context varies and the continuation is one
    if not delimiter:
        return texts
    begins = pc.starts_with(texts, pattern=delimiter)
    return pc.if_else(begins, pc.utf8_slice_codeunits(texts, len(delimiter)), texts)


def best(scores: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]) -> pa.Array:
    """Return the position of the largest score of each item, the first of equals.

    Null where one is no number, or there is none.
    """
    some = counts > 0
    own = counts[some]
    position = np.full(len(counts), -1, np.int32)
    if len(own):
        starts = np.cumsum(own) - own
        with np.errstate(invalid="ignore"):
            largest = np.maximum.reduceat(scores, starts)
        place = np.arange(len(scores)) - np.repeat(starts, own)
        candidate = np.where(scores == np.repeat(largest, own), place, len(scores))
        position[some] = np.where(np.isnan(largest), -1, np.minimum.reduceat(candidate, starts))
    return pa.array(position, mask=position < 0)


def lengths(scores: npt.NDArray[np.float64], texts: pa.Array, counts: npt.NDArray[np.int64]) -> dict[str, pa.Array]:
    """Return the best position of each item by score over length: in characters, and in bytes."""
    found = {}
    for name, length in (("chars", pc.utf8_length), ("bytes", pc.binary_length)):
        with np.errstate(divide="ignore", invalid="ignore"):
            found[name] = best(scores / length(texts).to_numpy(zero_copy_only=False), counts)
    return found


def gold(target: pa.Array, choices: pa.Array | None, counts: npt.NDArray[np.int64]) -> pa.Array:
    """Return the position of the right choice: lm-eval writes it as a number, or as the choice itself."""
    if not pa.types.is_string(target.type):
        whole = pa.types.is_integer(target.type)
        position = target.cast(pa.int32(), safe=False) if whole else pa.nulls(len(target), pa.int32())
        return pc.if_else(within(position, counts), position, None)
    number = pc.match_substring_regex(target, r"^\d{1,4}$")
    gold = pc.if_else(number, target, None).cast(pa.int32())
    if choices is not None and gold.null_count:
        same = pc.equal(choices, target.take(pa.array(np.repeat(np.arange(len(counts)), counts))))
        told = best(pc.fill_null(same, False).cast(pa.int8()).to_numpy().astype(float), counts)
        any_same = np.maximum.reduceat(same.cast(pa.int8()).to_numpy(), np.cumsum(counts) - counts) == 1
        gold = pc.if_else(pc.and_(pc.is_null(gold), pa.array(any_same)), told, gold)
    return pc.if_else(within(gold, counts), gold, None)


def within(position: pa.Array, counts: npt.NDArray[np.int64]) -> pa.Array:
    """Say which positions are one of so many."""
    return pc.and_(pc.greater_equal(position, 0), pc.less(position, pa.array(counts.astype(np.int32))))
