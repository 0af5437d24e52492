"""Texts that nobody can see are no documents, in whatever characters they say nothing."""

import json
import unicodedata

import pyarrow as pa
import pytest

from glotmix.core import record, table
from glotmix.core.visible import is_blank, visible
from glotmix.corpus import read
from glotmix.corpus.sources import Source
from glotmix.signals.answers import empty

BLANK = {
    "nothing": "",
    "spaces": " \t\u00a0\u2003\u3000\u1680\u202f\r\n\u2028\u2029\u0085",
    "zero width": "\u200b\u200c\u200d\u2060\ufeff",
    "marks of order": "\u200e\u200f\u061c\u202a\u202e\u2066\u2069",
    "soft hyphens": "\u00ad \u00ad",
    "fillers": "\u3164\u115f\u1160\uffa0",
    "blank of braille": "\u2800 \u2800",
    "selectors": "\ufe0f\ufe00\U000e0100\u180b",
    "invisible signs": "\u2061\u2062\u2063\u034f",
    "tags": "\U000e0041\U000e007f",
    "controls": "\x00\x01\x1f\x7f\x9f",
    "no object": "\ufffc",
    "Khmer": "\u17b4\u17b5",
    "Mongolian": "\u180e",
    "music": "\U0001d159\U0001d173",
}
SEEN = [
    "a",
    "Ж",
    "ع",
    "א",
    "ि",
    "ক",
    "ก",
    "င",
    "字",
    "あ",
    "ᄀ",
    "가",
    "ሀ",
    "1",
    "!",
    "…",
    "🙂",
    "\u0600",
    "\u08e2",
    "\u2801",
    "\u0301",
]


@pytest.mark.parametrize("name", BLANK)
def test_what_cannot_be_seen(name):
    text = BLANK[name]
    assert visible(pa.array([text])).to_pylist() == [False]
    assert is_blank(text) and empty(text)
    for sign in SEEN:
        assert visible(pa.array([text * 3 + sign + text])).to_pylist() == [True], (name, sign)


def test_every_letter_number_and_sign_is_seen():
    seen = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) in
            ("Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl", "No", "Po", "Ps", "Pe", "Pd", "Sm", "Sc", "Mc")]  # fmt: skip
    said = dict(zip(seen, visible(pa.array(seen)).to_pylist(), strict=True))
    assert [f"{ord(c):04X}" for c, can in said.items() if not can] == ["115F", "1160", "3164", "FFA0"]


def test_blank_texts_stand_in_quarantine_from_lines_and_parquet_and_conversations(tmp_path):
    rows = [{"text": text} for text in [*BLANK.values(), "ᠮᠣᠩᠭᠣᠯ", "\u200bক"]]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    table.write(pa.Table.from_pylist(rows), tmp_path / "b.parquet")
    said = [{"instruction": row["text"], "output": "ok"} for row in rows]
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, said)), "utf-8")
    for path, more, reason in (
        ("a.jsonl", {}, "empty text"),
        ("b.parquet", {}, "empty text"),
        ("c.jsonl", {"shape": "alpaca"}, "empty instruction"),
    ):
        source = Source.model_validate({"name": "web", "path": path, "language": "mon_Mong"} | more)
        identity = record.Identity("corpus", read.VERSION, source.identity)
        made = record.build(
            tmp_path / path[0], identity, lambda o, s=source: read.make(o, [s], tmp_path, None, 1000, 1.0)
        )
        assert made.counts["documents"] == 2
        assert made.notes["sources"]["web"]["quarantined"] == {reason: len(BLANK)}
