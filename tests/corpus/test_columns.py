"""Columns that documents bring along: one type for all their values, wherever blocks and files end."""

import datetime
import decimal
import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmix.core import table
from glotmix.corpus import columns, values

NUMBERS = st.integers(-(2**70), 2**70) | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
ALIKE = st.one_of(
    st.lists(NUMBERS | st.none(), min_size=1, max_size=8),
    st.lists(st.dictionaries(st.sampled_from("ab"), NUMBERS | st.none()), min_size=1, max_size=8),
    st.lists(st.lists(NUMBERS, max_size=2) | st.none(), min_size=1, max_size=8),
    st.lists(VALUES, min_size=1, max_size=8),
)


def bare(value: object) -> object:
    """A value without what a typed column may add or change: missing fields, and 1 as 1.0."""
    return json.loads(columns.canonical_text(value))


def as_read(array: pa.Array | pa.ChunkedArray) -> list[object]:
    if array.type == columns.JSON:
        return [None if v is None else json.loads(v) for v in array.to_pylist()]
    return [bare(v) for v in array.to_pylist()]


@settings(max_examples=150, deadline=None)
@given(values=ALIKE, data=st.data())
def test_values_survive_and_do_not_depend_on_where_blocks_end(values, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=3)))
    blocks = [values[a:b] for a, b in zip([0, *cuts], [*cuts, len(values)], strict=True)]
    merged = columns.merge([columns.infer(b) for b in blocks])
    whole = columns.infer(values)
    assert as_read(merged) == [bare(v) for v in values]
    assert as_read(whole) == [bare(v) for v in values]
    assert (merged.type == columns.JSON) == (whole.type == columns.JSON)
    if whole.type == columns.JSON:
        assert merged.to_pylist() == whole.to_pylist()


@settings(max_examples=80, deadline=None)
@given(values=st.lists(VALUES, min_size=2, max_size=6), data=st.data())
def test_the_common_type_does_not_depend_on_the_order_of_files(values, data):
    order = data.draw(st.permutations(range(len(values))))
    arrays = [columns.infer([v]) for v in values]
    straight = columns.settled(dict(enumerate(a.type for a in arrays)), arrays.__getitem__)
    turned = columns.settled({i: arrays[i].type for i in order}, arrays.__getitem__)
    assert (straight == columns.JSON) == (turned == columns.JSON)
    for array in arrays:
        assert as_read(columns.conform(array, straight)) == as_read(columns.conform(array, turned))


def test_whole_numbers_beyond_double_precision_are_never_rounded():
    merged = columns.merge([pa.array([2**53 + 1]), pa.array([0.5])])
    assert merged.type == columns.JSON
    assert merged.to_pylist() == ["9007199254740993", "0.5"]


def test_decimals_are_not_taken_to_floating_point():
    exact = pa.array([decimal.Decimal("0.1")], pa.decimal128(5, 1))
    assert columns.merge([exact, pa.array([0.1])]).to_pylist() == ['"0.1"', "0.1"]


def test_an_object_with_too_many_fields_is_kept_as_text():
    wide = [{f"k{i}": i} for i in range(columns.MAX_FIELDS + 1)]
    assert columns.infer(wide).type == columns.JSON
    halves = columns.merge([columns.infer(wide[:200]), columns.infer(wide[200:])])
    assert halves.type == columns.JSON
    assert halves.to_pylist() == columns.infer(wide).to_pylist()


ODD = {
    "null": pa.nulls(2),
    "list of null": pa.array([[], None], pa.list_(pa.null())),
    "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int8())),
    "time32": pa.array([datetime.time(1), None], pa.time32("s")),
    "date64": pa.array([datetime.date(2020, 1, 2), None], pa.date64()),
    "seconds": pa.array([datetime.datetime(2020, 1, 2), None], pa.timestamp("s", "Europe/Paris")),
    "duration": pa.array([datetime.timedelta(1), None], pa.duration("s")),
    "decimal256": pa.array([decimal.Decimal("1.5"), None], pa.decimal256(60, 2)),
    "half": pa.array([1.5, None], pa.float16()),
    "fixed list": pa.array([[1, 2], None], pa.list_(pa.int8(), 2)),
    "list view": pa.array([[1], None], pa.list_view(pa.int8())),
    "string view": pa.array(["a", None], pa.string_view()),
    "dictionary": pa.array(["a", None]).dictionary_encode(),
    "nested dictionary": pa.array([["a"], None], pa.list_(pa.dictionary(pa.int32(), pa.string()))),
    "binary": pa.array([b"\xff", None]),
    "uint64": pa.array([2**64 - 1, None], pa.uint64()),
    "empty struct": pa.array([{}, None]),
    "deep": pa.array([{"a": [{"b": {"c": None}}]}, None]),
    "large": pa.array([["a"], None], pa.large_list(pa.large_string())),
}


@pytest.mark.parametrize("name", ODD)
def test_every_type_can_be_stored_and_read_back_by_the_engine(name, tmp_path: Path):
    array = columns.portable(ODD[name])
    array = columns.stored(columns.conform(array, columns.at_rest(columns.unify([array.type]))))
    path = tmp_path / "x.parquet"
    table.write(pa.table({"id": ["a", "b"], "x": array}), path)
    assert table.read([path])["x"].to_pylist() == array.to_pylist()
    assert table.collect(table.scan([path], ["id"]))["id"].to_pylist() == ["a", "b"]
    given, kept = ODD[name].to_pylist(), array.to_pylist()
    if name in ("decimal256", "empty struct"):
        assert kept == [json.dumps(values.plain(ODD[name])[0]), None]
    elif name == "map":
        assert kept == [[{"key": "k", "value": 1}], None]
    elif name == "date64":
        assert kept == [datetime.datetime(2020, 1, 2), None]
    else:
        assert kept == given
