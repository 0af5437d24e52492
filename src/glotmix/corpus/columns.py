"""The columns that documents bring along: their types found, brought together, and never bent.

Files of one source, and blocks of one file, may disagree about a column: whole numbers here and fractions there, an
object with other fields, text where a number was. What can be brought to one type without the loss of a digit is;
any other column is kept as JSON text. The outcome depends on the values alone, not on where files or blocks end.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glotmix.corpus.values import as_list, plain, spelled

JSON = pa.json_(pa.string())
"""The type, while reading, of a column whose values have no common type: JSON text. At rest it is plain text."""

MAX_FIELDS = 256
"""An object with more different fields than this is a map in disguise: it is kept as JSON text."""

MAX_DEPTH = 32
"""A type that is nested deeper is kept as JSON text: Arrow's own files end at 64, some readers of Parquet before."""

_EXACT = 2**53
Where = TypeVar("Where")


def infer(values: list[Any]) -> pa.Array:
    """Make an Arrow array of JSON values, as JSON text where they have no common type.

    Raises:
        UnicodeEncodeError: if a text in it holds a lone surrogate.

    >>> infer([1, None, 2.5]).to_pylist(), infer([1, "a", {"b": None, "c": 2.0}]).to_pylist()
    ([1.0, None, 2.5], ['1', '"a"', '{"c":2}'])
    """
    try:
        kind = pa.infer_type(values)
        if _holdable(kind) and not (pa.types.is_nested(kind) and any(_counts_truth(v, kind) for v in values)):
            return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        pass
    texts = [None if v is None else canonical_text(v) for v in values]
    return pa.ExtensionArray.from_storage(JSON, pa.array(texts, pa.string()))


def _counts_truth(value: Any, kind: pa.DataType) -> bool:
    """Say whether a truth value stands where the type has a number: Arrow would make 0 of a false within a list."""
    if isinstance(value, bool):
        return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
    if isinstance(value, list) and pa.types.is_list(kind):
        return any(_counts_truth(one, kind.value_type) for one in value)
    if isinstance(value, dict) and pa.types.is_struct(kind):
        return any(_counts_truth(value.get(field.name), field.type) for field in kind)
    return False


def portable(array: pa.Array) -> pa.Array:
    """Return an array in a type that every step can store and read, at any depth, without loss."""
    kind = _type(array.type)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if kind == array.type:
        return array
    if kind != JSON and _holds(array.type, lambda k: pa.types.is_list_view(k) or pa.types.is_large_list_view(k)):
        # Arrow's cast of list views leaves the offsets of the list one short where a list is missing.
        return _laid(array, kind)
    return _to_json(array) if kind == JSON else array.cast(kind)


def _laid(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return an array that may hold list views in a type without, list by list."""
    if pa.types.is_list(kind) and not pa.types.is_map(array.type):
        lengths = pc.list_value_length(array).fill_null(0).to_numpy()
        offsets = pa.array(np.append(0, np.cumsum(lengths)), pa.int32())
        inner = _laid(array.flatten(), kind.value_type)
        return pa.ListArray.from_arrays(offsets, inner, type=kind, mask=array.is_null())
    if pa.types.is_struct(kind):
        fields = [_laid(field, kind.field(i).type) for i, field in enumerate(array.flatten())]
        return pa.StructArray.from_arrays(fields, fields=list(kind), mask=array.is_null())
    return array.cast(kind)


def text_for_bytes(array: pa.Array) -> tuple[pa.Array, list[int]]:
    """Return bytes at any depth as the UTF-8 that they are, and the rows where they are none (null there).

    Some writers of Parquet do not mark text as text.
    """
    if not _holds(array.type, pa.types.is_binary):
        return array, []
    kind = _with_text(array.type)
    try:
        return array.cast(kind), []
    except pa.ArrowInvalid:
        parts: list[pa.Array] = []
        broken = []
        for row in range(len(array)):
            try:
                parts.append(pa.concat_arrays([array.slice(row, 1)]).cast(kind))
            except pa.ArrowInvalid:
                parts.append(pa.nulls(1, kind))
                broken.append(row)
        return pa.concat_arrays(parts), broken


def _with_text(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_binary(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(_with_text(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(f.name, _with_text(f.type)) for f in kind])
    return kind


def unify(kinds: Iterable[pa.DataType]) -> pa.DataType:
    """Return the one type that values of all these types fit, `JSON` where there is none.

    >>> unify([pa.int64(), pa.float64()]), unify([pa.int64(), pa.string()]) == JSON
    (DataType(double), True)
    """
    kinds = list(dict.fromkeys(kinds))
    if JSON in kinds:
        return JSON
    try:
        merged = pa.unify_schemas([pa.schema([pa.field("x", k)]) for k in kinds], promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return JSON
    kind = merged.field(0).type
    # Arrow would take decimals to floating point, which rounds without a word.
    rounds = any(_holds(k, pa.types.is_decimal) for k in kinds) and _holds(kind, pa.types.is_floating)
    if not _holdable(kind) or (rounds and len(kinds) > 1):
        return JSON
    return _type(kind)


def conform(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return an array in a type that `unify` gave.

    Raises:
        pa.ArrowInvalid: if a value would change.
    """
    if array.type == kind:
        return array
    return _to_json(array) if kind == JSON else array.cast(kind, safe=True)


def merge(arrays: list[pa.Array]) -> pa.ChunkedArray:
    """Put arrays one after the other, in a type that fits all of their values."""
    kind = settled({i: a.type for i, a in enumerate(arrays)}, arrays.__getitem__)
    return pa.chunked_array([conform(a, kind) for a in arrays], kind)


def settled(kinds: Mapping[Where, pa.DataType], load: Callable[[Where], pa.Array]) -> pa.DataType:
    """Return the type that fits all values of a column that stands in several places.

    Args:
        kinds: its type in each place.
        load: returns its values in one place; called only where values, not types, decide (numbers beyond 2^53
            among fractions, for instance).
    """
    kind = unify(kinds.values())
    if kind == JSON:
        return JSON
    for where, here in kinds.items():
        if _may_lose(here, kind):
            try:
                conform(load(where), kind)
            except pa.ArrowInvalid:
                return JSON
    return kind


def at_rest(kind: pa.DataType) -> pa.DataType:
    """Return the type of a column in the corpus: JSON text is text, and so is what Parquet cannot hold."""
    return JSON if _holds(kind, lambda k: pa.types.is_struct(k) and k.num_fields == 0) else kind


def stored(array: pa.Array) -> pa.Array:
    """Return JSON text as plain text, and any other array as it is."""
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def _to_json(array: pa.Array) -> pa.Array:
    if array.type == JSON:
        return array
    texts = [None if v is None else canonical_text(v) for v in plain(array)]
    return pa.ExtensionArray.from_storage(JSON, pa.array(texts, pa.string()))


def canonical_text(value: Any) -> str:
    """Return JSON data as text, the same for values that differ only by the type of the column that they stood in."""
    return json.dumps(_canonical(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _canonical(value: Any) -> Any:
    """Undo what a typed column does to a value (1 becomes 1.0, a missing field null), so that JSON text does not
    depend on whether the value stood in one; and write what is no number as text, for JSON cannot."""
    match value:
        case dict():
            return {k: _canonical(v) for k, v in value.items() if v is not None}
        case list():
            return [_canonical(v) for v in value]
        case float() if not math.isfinite(value):
            return spelled(value)
        case float() if value.is_integer() and abs(value) <= _EXACT and (value or math.copysign(1, value) > 0):
            return int(value)
    return value


def _type(kind: pa.DataType) -> pa.DataType:
    t = pa.types
    if _deep(kind) or _holds(kind, lambda k: t.is_decimal256(k) or t.is_union(k) or t.is_interval(k)):
        return JSON
    return _portable(kind)


def _portable(kind: pa.DataType) -> pa.DataType:
    t = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return kind if kind == JSON else _portable(kind.storage_type)
    if t.is_large_string(kind) or t.is_string_view(kind):
        return pa.string()
    if t.is_large_binary(kind) or t.is_binary_view(kind) or t.is_fixed_size_binary(kind):
        return pa.binary()
    if t.is_dictionary(kind) or t.is_run_end_encoded(kind):
        return _portable(kind.value_type)
    if t.is_struct(kind):
        return pa.struct([pa.field(f.name, _portable(f.type)) for f in kind])
    if t.is_map(kind):
        # Loaders of the Hub have no maps.
        return _portable(as_list(kind))
    if t.is_decimal32(kind) or t.is_decimal64(kind):
        return pa.decimal128(kind.precision, kind.scale)
    # A missing list of fixed size comes back from Parquet as an error (a list of no items).
    if (
        t.is_fixed_size_list(kind)
        or t.is_list(kind)
        or t.is_large_list(kind)
        or t.is_list_view(kind)
        or t.is_large_list_view(kind)
    ):
        return pa.list_(_portable(kind.value_type))
    if t.is_time32(kind):
        return pa.time64("us")
    if t.is_date64(kind):
        return pa.timestamp("ms")
    if t.is_timestamp(kind) and kind.unit == "s":
        return pa.timestamp("ms", kind.tz)
    if t.is_duration(kind) and kind.unit == "s":
        return pa.duration("ms")
    return kind


def _inner(kind: pa.DataType) -> list[pa.DataType]:
    if isinstance(kind, pa.BaseExtensionType):
        return []
    return [kind.field(i).type for i in range(kind.num_fields)]


def _holds(kind: pa.DataType, test: Callable[[pa.DataType], bool]) -> bool:
    return test(kind) or any(_holds(k, test) for k in _inner(kind))


def _holdable(kind: pa.DataType) -> bool:
    return not _deep(kind) and not _holds(kind, lambda k: pa.types.is_struct(k) and k.num_fields > MAX_FIELDS)


def _deep(kind: pa.DataType) -> bool:
    level = [kind]
    for _ in range(MAX_DEPTH):
        level = [inner for k in level for inner in _inner(k)]
        if not level:
            return False
    return True


def _may_lose(here: pa.DataType, kind: pa.DataType) -> bool:
    """Say whether a cast might change a value, and not only add fields."""
    if here == kind or pa.types.is_null(here):
        return False
    if pa.types.is_struct(here) and pa.types.is_struct(kind):
        return any(_may_lose(f.type, kind.field(f.name).type) for f in here)
    if pa.types.is_list(here) and pa.types.is_list(kind):
        return _may_lose(here.value_type, kind.value_type)
    return True
