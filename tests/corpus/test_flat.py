"""Lines of JSON that are taken apart natively give what Python makes of them, or are left to it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmix.corpus import flat, jsonl
from glotmix.corpus.sources import Source

TEXTS = [
    "Plain words.",
    "Ça «va» — ё ῶ",
    "مرحبا بكم",
    "שלום\tלך",
    "सड़क\nपर",
    "বাংলা",
    "สวัสดี",
    "မြန်မာ",
    "汉语，漢語",
    "かな",
    "한국어",
    "አማርኛ",
    "🙂" * 9,
    'say "a\\b" / \x7f\x08\x0c\r',
    "\u0000",
    "",
]
SOURCE = Source(name="web", path=["a.jsonl"], language={"column": "lang"})


def both(block: bytes, source: Source = SOURCE):
    """What the native loop makes of a block, and what Python does."""
    return flat.rows(source, block, 7), jsonl.as_rows(source, *jsonl.objects(block, 7))


def assert_equal(found, expected):
    assert found.at.tolist() == expected.at.tolist()
    assert found.read == expected.read
    assert not expected.rejects
    assert found.text.equals(expected.text) and found.ids.equals(expected.ids)
    assert (found.lang is None) == (expected.lang is None)
    assert found.lang is None or found.lang.equals(expected.lang)
    assert list(found.extras) == list(expected.extras)
    for name, column in found.extras.items():
        same = expected.extras[name]
        # NaN is not equal to itself, and is written all the same.
        assert column.type == same.type and repr(column.to_pylist()) == repr(same.to_pylist()), name
    assert [found.start(i) for i in range(len(found.at))] == [expected.start(i) for i in range(len(expected.at))]


@pytest.mark.parametrize("ascii_only", [False, True])
def test_texts_of_every_script_with_and_without_escapes(ascii_only):
    lines = [
        json.dumps({"id": n, "lang": "fra_Latn", "text": text, "url": text * n}, ensure_ascii=ascii_only)
        for n, text in enumerate(TEXTS * 3)
    ]
    found, expected = both(("\n".join(lines) + "\n").encode())
    assert_equal(found, expected)
    assert found.text.to_pylist() == TEXTS * 3


def test_other_values_missing_keys_and_blank_lines():
    block = (
        b'{"id":"a","text":"x","lang":"fra_Latn","meta":{"n":[1,2,{"q":"}]"}]},"score":1}\r\n\n'
        b' { "text" : "y" , "lang" : null , "score" : -2.5e-3 , "more" : [ true , null ] } \n'
        b'\t\n{}\n{"text":null,"id":7.0,"\\u006d":1,"score":12345678901234567890123}\n'
        b'{"id":"","text":"z","NaN":NaN}'
    )
    found, expected = both(block.replace(b'"\\u006d":1,', b""))
    assert_equal(found, expected)
    assert found.text.to_pylist() == ["x", "y", None, None, "z"]
    # Keys with escapes are Python's.
    assert both(block)[0] is None


@pytest.mark.parametrize(
    "line",
    [
        b"[]", b"{", b'{"text":"a"', b'{"text":"a"}x', b'{"text":"a",}', b'{"text" "a"}', b'{"text":}', b'{"text":01}',
        b'{"text":"a\nb"}', b'{"text":"a\x01"}', b'{"text":"\\x"}', b'{"text":"\\u12g4"}', b'{"text":"\\ud800"}',
        b'{"text":"\\ud800\\u0041"}', b'{"text":"\\udc00"}', b'{"text":"\xff"}', b'{"text":"\xed\xa0\x80"}',
        b'{"t\xff":"a"}', b'{"text":"a","text":"b"}', b'{"text":["a"]}', b'{"text":1}', b'{"id":true}', b'{"lang":1}',
        b'{"x":' + b"[" * 99 + b"]" * 99 + b"}", b'\xef\xbb\xbf{"text":"a"}', b"\x0b", b'{"x":tru}', b'{"x":1 2}',
        b'{"x":[1}', b'{"x":"\xc3"}', b'{"x":[1]]}', b'{"text":"a"} {"text":"b"}', b"null",
    ],
)  # fmt: skip
def test_what_is_unusual_is_left_to_python(line):
    assert flat.rows(SOURCE, b'{"text":"a"}\n' + line + b"\n", 1) is None


def test_columns_inside_objects_are_left_to_python():
    within = SOURCE.model_copy(update={"columns": SOURCE.columns.model_copy(update={"text": "a.text"})})
    assert flat.rows(within, b'{"a":{"text":"x"}}\n', 1) is None
    assert flat.rows(SOURCE, "\n".join(json.dumps({f"k{n}": "v"}) for n in range(20)).encode(), 1) is None


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.fixed_dictionaries(
    {"text": st.text() | st.none()},
    optional={
        "id": st.text(max_size=5) | st.integers() | st.floats(allow_nan=False),
        "lang": st.sampled_from(["fra_Latn", "zh", None]),
        "é": JSON_VALUES,
        "more": JSON_VALUES,
    },
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(OBJECTS, st.booleans(), st.sampled_from(["", " ", "\r", "\n", "\n \n"])), min_size=1))
def test_any_block_of_objects_is_what_python_makes_of_it(given_rows):
    lines = [json.dumps(row, ensure_ascii=escaped) + end for row, escaped, end in given_rows]
    found, expected = both("\n".join(lines).encode("utf-8", "surrogatepass"))
    if found is not None:
        assert_equal(found, expected)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from('{}[]:,"\\ \t\r\nutxe1-.é'), max_size=40))
def test_any_bytes_are_what_python_makes_of_them(noise):
    found, expected = both(('{"text":"a","x":"b"}\n' + noise).encode())
    if found is not None:
        assert_equal(found, expected)
