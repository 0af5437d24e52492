"""Values at the edges of their types: every digit, whatever Python's own types can hold, and JSON that is JSON."""

import datetime
import decimal
import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmix.core import record, table
from glotmix.core.errors import DataError
from glotmix.corpus import columns, read, reshape, write
from glotmix.corpus.sources import Source
from glotmix.corpus.values import plain

MOMENTS = st.datetimes(min_value=datetime.datetime(1, 1, 3), max_value=datetime.datetime(9999, 12, 29))


@settings(max_examples=100, deadline=None)
@given(moments=st.lists(MOMENTS | st.none(), max_size=4), zone=st.sampled_from([None, "UTC", "+05:45", "Asia/Tehran"]))
def test_times_that_python_holds_are_written_as_python_does(moments, zone):
    array = pa.array(moments, pa.timestamp("us", zone))
    assert plain(array) == [None if v is None else v.isoformat() for v in array.to_pylist()]
    for kind, of in ((pa.time64("us"), "time"), (pa.date32(), "date")):
        parts = [None if m is None else getattr(m, of)() for m in moments]
        assert plain(pa.array(parts, kind)) == [None if v is None else v.isoformat() for v in parts]
    spans = [None if m is None else m - datetime.datetime(2000, 1, 1) for m in moments]
    assert plain(pa.array(spans, pa.duration("us"))) == [None if s is None else s.total_seconds() for s in spans]


NANO = 1_700_000_000_123_456_789


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        (pa.timestamp("ns"), NANO, "2023-11-14T22:13:20.123456789"),
        (pa.timestamp("ns"), -1, "1969-12-31T23:59:59.999999999"),
        (pa.timestamp("ns"), -(2**63) + 1, "1677-09-21T00:12:43.145224193"),
        (pa.timestamp("ns", "Asia/Kathmandu"), NANO, "2023-11-15T03:58:20.123456789+05:45"),
        (pa.timestamp("us", "Mars/Olympus_Mons"), 10**6, "1970-01-01T00:00:01+00:00"),
        (pa.timestamp("ms"), 10**15, "+33658-09-27T01:46:40"),
        (pa.timestamp("s"), -62_167_219_201, "-0001-12-31T23:59:59"),
        (pa.timestamp("s", "America/Lima"), 10**12, "+33658-09-27T01:46:40+00:00"),
        (pa.date32(), 10**7, "+29349-01-26"),
        (pa.date32(), -(10**6), "-0768-02-04"),
        (pa.time64("ns"), 86_399_999_999_999, "23:59:59.999999999"),
        (pa.time32("ms"), 1, "00:00:00.001000"),
        (pa.duration("ns"), 1, "0.000000001"),
        (pa.duration("ns"), -NANO, "-1700000000.123456789"),
        (pa.duration("s"), 2**53, 2**53),
        (pa.duration("ms"), 10**17 + 500, 10**14 + 0.5),
    ],
)
def test_times_that_python_does_not_hold_keep_every_digit(kind, value, written):
    array = pa.array([value, None], pa.int32() if kind.bit_width == 32 else pa.int64()).view(kind)
    assert plain(array) == [written, None]
    # At any depth, in any wrapping.
    for wrapped in (
        pa.ListArray.from_arrays([0, 1, 2], array),
        pa.FixedSizeListArray.from_arrays(array, 1),
        pa.StructArray.from_arrays([array], ["x"]),
        pa.MapArray.from_arrays([0, 1, 2], pa.array(["k", "k"]), array),
    ):
        told = json.dumps(plain(wrapped))
        assert json.dumps(written) in told and "null" in told
        kept = columns.portable(wrapped)
        assert json.loads(json.dumps(plain(kept))) == json.loads(told)
        text = columns.conform(kept, columns.JSON)
        assert json.dumps(written) in text[0].as_py()


@pytest.mark.parametrize("kind", ["list_view", "large_list_view"])
def test_list_views_are_laid_out_as_lists(kind):
    inner = pa.array([1, NANO, 3], pa.timestamp("ns"))
    offsets, sizes = ([1, 0, 0], [2, 0, 1])
    views = {"list_view": pa.ListViewArray, "large_list_view": pa.LargeListViewArray}[kind]
    array = views.from_arrays(offsets, sizes, inner, mask=pa.array([False, True, False]))
    deep = pa.StructArray.from_arrays([array], ["a"])
    kept = columns.portable(deep)
    assert kept.type == pa.struct([("a", pa.list_(pa.timestamp("ns")))])
    first, second = plain(inner)[1], plain(inner)[2]
    assert plain(kept) == [{"a": [first, second]}, {"a": None}, {"a": [plain(inner)[0]]}]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.none() | st.lists(st.none() | st.dictionaries(st.sampled_from("ab"), st.integers(0, 9))), max_size=5)
)
def test_nested_values_are_those_of_arrow(rows):
    array = pa.array(rows, pa.list_(pa.struct([("a", pa.int64()), ("b", pa.int64())])))
    assert plain(array) == array.to_pylist()
    assert plain(array.slice(1)) == array.to_pylist()[1:]
    assert plain(pa.chunked_array([array, array.slice(2)])) == array.to_pylist() + array.to_pylist()[2:]


def test_what_is_no_number_is_null_in_lines_and_text_in_json_text():
    array = pa.array([1.5, math.nan, math.inf, -math.inf, None])
    nested = pa.StructArray.from_arrays([array, array.cast(pa.float16())], ["a", "b"])
    assert [r["a"] for r in plain(nested, finite=True)] == [1.5, None, None, None, None]
    assert [r["b"] for r in plain(nested, finite=True)] == [1.5, None, None, None, None]
    mixed = columns.infer([math.nan, "x", [math.inf], {"k": -math.inf}])
    assert [json.loads(v, parse_constant=pytest.fail) for v in mixed.to_pylist()] == [
        "NaN", "x", ["Infinity"], {"k": "-Infinity"}
    ]  # fmt: skip


def corpus(base: Path, **more: Any) -> record.Record:
    source = Source.model_validate({"name": "web", "path": "a.*", "language": "swh_Latn"} | more)
    identity = record.Identity("corpus", read.VERSION, source.identity, read.fingerprints([source], base))
    return record.build(base / "corpus", identity, lambda o: read.make(o, [source], base, None, 10_000, 1.0))


def documents(base: Path) -> pa.Table:
    return table.read(table.shards(base / "corpus"))


def quarantined(base: Path) -> list[dict[str, Any]]:
    files = sorted((base / "corpus/quarantine").glob("*.jsonl"))
    return [json.loads(line) for f in files for line in f.read_text("utf-8").splitlines()]


def nested(levels: int, leaf: Any = 1) -> Any:
    value = leaf
    for level in range(levels):
        value = {"k": value} if level % 2 else [value]
    return value


@pytest.mark.parametrize("levels", [31, 32, 33, 62, 63, 64, 65, 150, 199])
def test_a_deep_value_is_kept_as_it_is_or_as_json_text(tmp_path, levels):
    deep = nested(levels)
    rows = [{"text": "Habari za asubuhi.", "meta": deep}, {"text": "Karibu sana.", "meta": None}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    assert corpus(tmp_path).counts["documents"] == 2
    found = documents(tmp_path)["meta"].to_pylist()[0]
    assert (json.loads(found) if isinstance(found, str) else found) == deep
    if levels > columns.MAX_DEPTH:
        assert isinstance(found, str)


@pytest.mark.parametrize("levels", [201, 400, 700, 985])
def test_a_row_beyond_all_depth_is_quarantined_alone(tmp_path, levels):
    # Written by hand: Python's own writer gives up before its reader does.
    deep = '{"k":' * levels + "1" + "}" * levels
    lines = ['{"text": "Moja."}', f'{{"text": "Mbili.", "meta": {deep}}}', '{"text": "Tatu."}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines), "utf-8")
    assert corpus(tmp_path).counts["documents"] == 2
    assert [(q["line"], q["reason"], q["detail"]) for q in quarantined(tmp_path)] == [
        (2, "malformed JSON", "nested too deeply")
    ]


@pytest.mark.parametrize("levels", [201, 500])
def test_a_deep_row_of_instruction_data_is_quarantined_alone(tmp_path, levels):
    deep = '{"k":' * levels + "1" + "}" * levels
    rows = ['{"instruction": "Taja mji.", "output": "Tanga."}', f'{{"instruction": "a", "output": "b", "m": {deep}}}']
    (tmp_path / "a.jsonl").write_text("\n".join(rows), "utf-8")
    assert corpus(tmp_path, shape="auto").counts["documents"] == 1
    (tmp_path / "a.jsonl").rename(tmp_path / "a.json")
    (tmp_path / "a.json").write_text(f"[{','.join(rows)}]", "utf-8")
    assert corpus(tmp_path, shape="auto").counts["documents"] == 1
    assert [q["detail"] for q in quarantined(tmp_path)] == ["nested too deeply"]


def test_a_deep_type_of_parquet_is_kept_as_json_text(tmp_path):
    array = pa.array(["leaf", None])
    for level in range(40):
        array = pa.StructArray.from_arrays([array], ["k"]) if level % 2 else pa.ListArray.from_arrays([0, 1, 2], array)
    pq.write_table(pa.table({"text": ["Moja.", "Mbili."], "deep": array}), tmp_path / "a.parquet")
    corpus(tmp_path)
    assert documents(tmp_path).schema.field("deep").type == pa.string()
    assert "leaf" in documents(tmp_path)["deep"][0].as_py()


def test_deep_values_are_json_text_from_the_first_moment():
    assert columns.infer([nested(columns.MAX_DEPTH)]).type == columns.JSON
    assert columns.infer([nested(columns.MAX_DEPTH - 1)]).type != columns.JSON
    array = pa.array(["leaf"])
    for _ in range(columns.MAX_DEPTH - 1):
        array = pa.StructArray.from_arrays([array], ["k"])
    assert columns.portable(array).type == array.type
    assert columns.portable(pa.StructArray.from_arrays([array], ["k"])).type == columns.JSON


def test_maps_become_lists_of_pairs_that_keep_repeated_keys(tmp_path):
    kind = pa.map_(pa.string(), pa.map_(pa.string(), pa.int8()))
    rows = [[("a", [("x", 1)]), ("a", [("x", 2), ("y", None)])], None, []]
    pq.write_table(pa.table({"text": ["Moja.", "Mbili.", "Tatu."], "m": pa.array(rows, kind)}), tmp_path / "a.parquet")
    corpus(tmp_path)
    assert documents(tmp_path)["m"].to_pylist() == [
        [
            {"key": "a", "value": [{"key": "x", "value": 1}]},
            {"key": "a", "value": [{"key": "x", "value": 2}, {"key": "y", "value": None}]},
        ],
        None,
        [],
    ]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
        pa.array([[[("k", 1)]]], pa.list_(pa.map_(pa.string(), pa.int64()))),
        pa.array([decimal.Decimal("1.5")], pa.decimal32(5, 1)),
        pa.array([decimal.Decimal("1.5")], pa.decimal64(15, 1)),
        pa.array([b"ab"], pa.binary(2)),
        pa.array([{"x": [("k", [1])]}], pa.struct([("x", pa.map_(pa.string(), pa.large_list(pa.int8())))])),
    ],
)
def test_no_column_has_a_type_that_the_loader_of_the_card_lacks(array, tmp_path):
    def all_types(kind: pa.DataType) -> list[pa.DataType]:
        return [kind, *(k for i in range(kind.num_fields) for k in all_types(kind.field(i).type))]

    for kind in all_types(columns.portable(array).type):
        t = pa.types
        assert not (t.is_map(kind) or t.is_decimal32(kind) or t.is_decimal64(kind) or t.is_fixed_size_binary(kind)), (
            kind
        )
    import datasets

    table.write(pa.table({"text": ["Moja."], "x": columns.portable(array)}), tmp_path / "d/train.parquet")
    loaded = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "d/train.parquet"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded[0]["text"] == "Moja."


BYTES = pa.binary()


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.dictionary(pa.int32(), pa.binary())])
def test_bytes_are_text_in_ids_and_labels_too(tmp_path, kind):
    rows = {
        "text": [b"Moja.", "Mbili ж.".encode(), b"Tatu."],
        "id": [b"a", "ж".encode(), None],
        "meta": [b"sw", b"swh", b"sw"],
    }
    arrays = {n: pa.array(v, BYTES).cast(kind) for n, v in rows.items()}
    arrays["meta"] = pa.StructArray.from_arrays([arrays["meta"].cast(BYTES)], ["lang"])
    pq.write_table(pa.table(arrays), tmp_path / "a.parquet")
    assert corpus(tmp_path, language={"column": "meta.lang"}).counts["documents"] == 3
    found = documents(tmp_path)
    assert found["id"].to_pylist()[:2] == ["a", "ж"] and found["id"].to_pylist()[2].startswith("web-")
    assert set(found["lang"].to_pylist()) == {"swh_Latn"}


def test_bytes_that_are_no_text_and_labels_that_are_none_are_quarantined_with_the_column(tmp_path):
    rows = {"text": [b"Moja.", b"Mbili.", b"Tatu."], "id": [b"a", b"\xff", b"c"], "lang": [b"sw", b"sw", b"\xc3("]}
    pq.write_table(pa.table({n: pa.array(v, BYTES) for n, v in rows.items()}), tmp_path / "a.parquet")
    assert corpus(tmp_path, language={"column": "lang"}).counts["documents"] == 1
    assert [(q["row"], q["reason"], q["detail"]) for q in quarantined(tmp_path)] == [
        (1, "invalid UTF-8", "in column 'id'"),
        (2, "invalid UTF-8", "in column 'lang'"),
    ]
    pq.write_table(pa.table({"text": ["Moja.", "Mbili."], "lang": [1, None]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"1 × language is not text, such as a.parquet, row 0 .column 'lang' is int64."):
        corpus(tmp_path, language={"column": "lang"})


def test_conversations_of_bytes_are_text_and_pictures_beside_them_stay_bytes(tmp_path):
    turn = pa.struct([("role", BYTES), ("content", BYTES)])
    said = [[{"role": b"user", "content": "Habari ж?".encode()}, {"role": b"assistant", "content": b"Nzuri."}]]
    broken = [[{"role": b"user", "content": b"\xff"}, {"role": b"assistant", "content": b"Nzuri."}]]
    pq.write_table(
        pa.table({"messages": pa.array(said + broken, pa.list_(turn)), "picture": pa.array([b"\x89PNG", b"GIF"])}),
        tmp_path / "a.parquet",
    )
    corpus(tmp_path, shape="auto")
    (found,) = documents(tmp_path).to_pylist()
    assert [t["content"] for t in found["messages"]] == ["Habari ж?", "Nzuri."]
    assert found["picture"] == "iVBORw=="
    assert [(q["row"], q["reason"]) for q in quarantined(tmp_path)] == [(1, "invalid UTF-8")]


def test_conversations_are_written_with_every_digit_as_json_and_without_loss_of_a_field(tmp_path):
    said = [[{"role": "user", "content": "Habari?"}, {"role": "assistant", "content": "Nzuri."}]]
    rows = {
        "id": ["a"], "messages": said, "score": [math.nan], "output": ["theirs"], "output_original": ["too"],
        "at": pa.array([NANO], pa.timestamp("ns")),
    }  # fmt: skip
    pq.write_table(pa.table(rows), tmp_path / "a.parquet")
    corpus(tmp_path, shape="auto")
    found = documents(tmp_path)
    reshape.write(found, "alpaca", tmp_path / "out.jsonl")
    row = json.loads((tmp_path / "out.jsonl").read_text("utf-8"), parse_constant=pytest.fail)
    assert (row["instruction"], row["output"]) == ("Habari?", "Nzuri.")
    assert (row["output_original_original"], row["output_original"]) == ("theirs", "too")
    assert row["at"] == "2023-11-14T22:13:20.123456789"
    assert row.get("score") is None


def test_columns_called_as_ours_were_renamed_are_all_there():
    schema = {"cluster_size", "glotmix_cluster_size", "glotmix_glotmix_cluster_size", "rule"}
    named = write.named(["cluster_size", "weight"], schema)
    assert named == {"cluster_size": "glotmix_glotmix_glotmix_cluster_size", "weight": "weight"}
    # A name of ours that was renamed may meet another of ours.
    assert len(set(write.named(["a", "glotmix_a"], {"a"}).values()) | {"a"}) == 3
