"""Values of Arrow columns as JSON data: every digit of every time, whatever Python's own types can hold.

Times are in ISO 8601 (`2023-11-14T22:13:20.123456789`), years beyond 9999 and before 1 with their sign; durations are
seconds, as a number down to microseconds and as text in nanoseconds; bytes are base 64, decimals text, a map is a list
of ``{key, value}``. JSON has no word for what is no number: see `plain` and `spelled`.
"""

import base64
import datetime
import decimal
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_EPOCH = datetime.datetime(1970, 1, 1)
_LISTS: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)


def plain(array: "pa.Array | pa.ChunkedArray", finite: bool = False) -> list[Any]:
    """Return the values of an Arrow array as JSON data.

    Args:
        array: n values of any type.
        finite: null stands for NaN and the infinities, which JSON cannot write.

    >>> plain(pa.array([1, None], pa.timestamp("ns"))), plain(pa.array([1.5, float("nan")]), finite=True)
    (['1970-01-01T00:00:00.000000001', None], [1.5, None])
    >>> plain(pa.array([[("a", 1), ("a", 2)]], pa.map_(pa.string(), pa.int8())))
    [[{'key': 'a', 'value': 1}, {'key': 'a', 'value': 2}]]
    """
    if isinstance(array, pa.ChunkedArray):
        return [value for chunk in array.chunks for value in plain(chunk, finite)]
    kind, t = array.type, pa.types
    if isinstance(array, pa.ExtensionArray):
        return plain(array.storage, finite)
    if t.is_dictionary(kind):
        return plain(array.dictionary_decode(), finite)
    if t.is_run_end_encoded(kind):
        return plain(pc.run_end_decode(array), finite)
    if t.is_struct(kind):
        names = [kind.field(i).name for i in range(kind.num_fields)]
        fields = [plain(field, finite) for field in array.flatten()]
        missing = array.is_null().to_pylist()
        rows = zip(*fields, strict=True) if fields else iter([()] * len(array))
        return [None if gone else dict(zip(names, row, strict=True)) for gone, row in zip(missing, rows, strict=True)]
    if t.is_map(kind):
        return plain(array.cast(as_list(kind)), finite)
    if any(test(kind) for test in _LISTS):
        inner = iter(plain(array.flatten(), finite))
        lengths = pc.list_value_length(array).to_pylist()
        return [None if n is None else [next(inner) for _ in range(n)] for n in lengths]
    if t.is_timestamp(kind) or t.is_date(kind):
        return _moments(array)
    if t.is_time(kind):
        per = _PER_SECOND[kind.unit]
        return [None if v is None else _clock(v, per) for v in _numbers(array, 32 if kind.bit_width == 32 else 64)]
    if t.is_duration(kind):
        per = _PER_SECOND[kind.unit]
        return [None if v is None else _seconds(v, per) for v in _numbers(array)]
    if finite and t.is_floating(kind):
        return [None if v is None or not math.isfinite(v) else v for v in map(plain_value, array.to_pylist())]
    return [plain_value(v) for v in array.to_pylist()]


def as_list(kind: pa.MapType) -> pa.ListType:
    """Return the type of a map as a list of its pairs: every reader knows it, and repeated keys keep their values."""
    return pa.list_(pa.struct([pa.field("key", kind.key_type), pa.field("value", kind.item_type)]))


def spelled(value: float) -> str:
    """Return what is no number as text: ``NaN``, ``Infinity``, ``-Infinity``."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _numbers(array: pa.Array, bits: int = 64) -> list[int | None]:
    numbers: list[int | None] = array.view(pa.int32() if bits == 32 else pa.int64()).to_pylist()
    return numbers


def _moments(array: pa.Array) -> list[str | None]:
    kind = array.type
    if pa.types.is_date(kind):
        days = kind == pa.date32()
        return [None if v is None else _date(v if days else v // 86_400_000) for v in _numbers(array, kind.bit_width)]
    zone = None
    if kind.tz is not None:
        try:
            zone = pa.lib.string_to_tzinfo(kind.tz)
            _EPOCH.replace(tzinfo=datetime.UTC).astimezone(zone)
        except (pa.ArrowException, LookupError, ValueError, OSError):
            # The moment is known all the same.
            zone = datetime.UTC
    per = _PER_SECOND[kind.unit]
    return [None if v is None else _moment(v, per, zone) for v in _numbers(array)]


def _moment(value: int, per: int, zone: datetime.tzinfo | None) -> str:
    second, rest = divmod(value, per)
    nanoseconds = rest * (10**9 // per)
    offset = ""
    try:
        moment = _EPOCH + datetime.timedelta(seconds=second)
        if zone is not None:
            moment = moment.replace(tzinfo=datetime.UTC).astimezone(zone)
        text = moment.isoformat()
        text, offset = text[:19], text[19:]
    except OverflowError:
        text = _signed(str(np.datetime64(second, "s")))
        offset = "" if zone is None else "+00:00"
    return text + _fraction(nanoseconds) + offset


def _date(days: int) -> str:
    return _signed(str(np.datetime64(days, "D")))


def _signed(text: str) -> str:
    """Return a date of numpy's as ISO 8601 has it: four digits of the year, and a sign before any other year."""
    sign, year, rest = re.fullmatch(r"(-?)(\d+)(.*)", text).groups()  # type: ignore[union-attr]
    return f"{sign or '+' * (len(year) > 4)}{year:0>4}{rest}"


def _clock(value: int, per: int) -> str:
    second, rest = divmod(value, per)
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}" + _fraction(rest * (10**9 // per))


def _fraction(nanoseconds: int) -> str:
    if not nanoseconds:
        return ""
    return f".{nanoseconds // 1000:06}" if nanoseconds % 1000 == 0 else f".{nanoseconds:09}"


def _seconds(value: int, per: int) -> float | str:
    return value / per if per < 10**9 else format(decimal.Decimal(value).scaleb(-9), "f")


def plain_value(value: Any) -> Any:
    """Return one Python value as JSON data, as exactly as Python's own types hold it."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return base64.b64encode(value).decode()
        case decimal.Decimal():
            return str(value)
        case tuple() | list():
            return [plain_value(v) for v in value]
        case dict():
            return {k: plain_value(v) for k, v in value.items()}
        case np.floating():
            return float(value)
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            return value.total_seconds()
    return str(value)
