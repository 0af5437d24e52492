"""The heuristics against a slow, plain reading of the same definitions (tests/heuristics_reference.py)."""

import math
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmix.core.language import parse
from glotmix.core.record import Identity, build
from glotmix.core.settings import resolve
from glotmix.native import codepoints, text
from glotmix.signals import heuristics, pieces
from heuristics_reference import measure as reference

SENTENCES = pq.read_table(Path(__file__).parents[1] / "data/sentences.parquet")
REAL = ["eng_Latn", "rus_Cyrl", "ell_Grek", "arb_Arab", "heb_Hebr", "hin_Deva", "ben_Beng", "tha_Thai", "mya_Mymr",
        "zho_Hans", "jpn_Jpan", "kor_Hang", "tir_Ethi", "khm_Khmr", "tam_Taml"]  # fmt: skip
LANGUAGES = [*REAL, "bod_Tibt", "hye_Armn", "fra_Latn"]
LETTERS = {
    "eng_Latn": "abcthe ANDÉßﬁ", "rus_Cyrl": "привитяЁ И", "ell_Grek": "καιτοΣώ;", "arb_Arab": "منفيعلى؟،ـ",
    "heb_Hebr": "של את־״", "hin_Deva": "केमेंहै।ि्", "ben_Beng": "ওকরেএই।", "tha_Thai": "การที่เป็นๆ",
    "mya_Mymr": "မြန်မာ။၊", "zho_Hans": "的一在有中。，！々", "jpn_Jpan": "のいしを漢カー。ｶ", "kor_Hang": "수이있는.",
    "tir_Ethi": "ነውላይ፡።", "khm_Khmr": "ខ្មែរ។", "tam_Taml": "ஒருஎன்று", "bod_Tibt": "བོད་ཡིག།",
    "hye_Armn": "ևմեջ՞:։Ա", "fra_Latn": "l’été dàÀ",
}  # fmt: skip
PIECES = [
    "...", "…", "……", "\r\n", "\n\n", " - ", "http://a.example/x", "www.example.org", "WWW.x", "me@mail.example.com",
    "@home", "{x}", "lorem ipsum", "Lorem Ipsum", "JavaScript", "caf\u0065\u0301", "Ã©", "â€™", "été »", "3.14",
    "。!a", "1,000", "e.g.", "rock'n'roll", "90's", "#tag", "• a", "- b", "* c", "-d", "👩‍👩‍👧", "🇫🇷", "a\u200db",
    "(end.)", "\"so!\" ", "?!", "readMore", "McDonald", "::", "፡፡", "==========", "a a a a ",
    "one two three four five six ", "\u2028", "\u2029", "red, blue, green, ", "ab، cd،ef،", "赤、青，", "ab፣ ",
    "Home About Us Contact ", "Home ", "WORD ", "dogs' Home ", ",,",
]  # fmt: skip
SINGLES = list(" \t\n\r\v\f\x85\u00a0\u3000.!?…,;:'’\"()[]«»-|>*+#@%&/\\=_~°€+<$^`") + list(
    "0123456789٣५½\u200b\u200d\ufeff\ufffd\x00\x1c\ue000\ufe0f\u0301•★❤"
)


def mixed(code: str) -> st.SearchStrategy[str]:
    parts = st.sampled_from(list(LETTERS[code]) * 3 + SINGLES + PIECES + list("abЖ漢ก"))
    return st.lists(parts, max_size=120).map("".join)


def assert_as_the_reference(texts: list[str], code: str) -> None:
    found = heuristics.measure(pa.array(texts, pa.string()), pa.array([code] * len(texts))).to_pylist()
    stops = frozenset(heuristics.stop_words().get(code, ()))
    for one, row in zip(texts, found, strict=True):
        expected = reference(one, parse(code).script, stops)
        assert list(row) == list(expected)
        wrong = {
            key: (row[key], value)
            for key, value in expected.items()
            if (row[key] is None) != (value is None)
            or (value is not None and not math.isclose(row[key], value, rel_tol=1e-6, abs_tol=1e-6))
        }
        assert not wrong, (one, wrong)


@pytest.mark.parametrize("code", REAL)
def test_real_text_in_every_script(code: str) -> None:
    sentences = SENTENCES.filter(pc.equal(SENTENCES["lang"], code))["text"].to_pylist()
    texts = ["\n".join(sentences[i : i + 6]) for i in range(0, 90, 6)] + [" ".join(sentences[90:110])]
    texts += [texts[0] + "\r\n\r\n" + texts[1] + "\r\n\r\n" + texts[0], sentences[0], sentences[1] * 3]
    assert_as_the_reference(texts, code)


@pytest.mark.parametrize("code", LANGUAGES)
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_random_text(code: str, data: st.DataObject) -> None:
    assert_as_the_reference([data.draw(mixed(code))], code)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(LANGUAGES), st.integers(1, 3), st.lists(st.integers(0, 5), max_size=120))
def test_repetition_of_few_units(code: str, width: int, choice: list[int]) -> None:
    joint = " " if parse(code).spaced else ""
    letters = [c for c in LETTERS[code] if unicodedata.category(c).startswith("L")]
    words = [c * width for c in letters[:4]] + ["7", "x"]
    assert_as_the_reference([joint.join(words[i % len(words)] for i in choice)], code)


@pytest.mark.parametrize(
    "one", ["", " ", "\n\n", ".", "a", "\u0301", "\u200b", "-", "\ufffd", "漢", "a" * 5000, "\r\n" * 3]
)
def test_edges(one: str) -> None:
    for code in ("eng_Latn", "tha_Thai", "zho_Hans"):
        assert_as_the_reference([one, "between", one], code)


@pytest.mark.parametrize("code", ["eng_Latn", "zho_Hans", "tir_Ethi", "ell_Grek", "hye_Armn"])
def test_corners(code: str) -> None:
    corners = [
        "d'Or readMore McDonald iPhone A1b",
        "。!a 好。!好",
        "a\u2029b\u2028b",
        "https://www.a.example www.b.example xwww.c",
        "end.” (end.) end.», end…” ...)",
        "ናብ፡፡ a፡b :: a: b; c",
        "# ... …… .... #",
        "Ã© Ã, â€™ â€x ãã à»¿ â€\u0153so â€\u201c",
        "a\u0301 \u0301 2\u0301'",
        "x'\u0301y",
        "90's 's 1,5 1, ,5",
        "- a\n-a\n•a\n * b\n+\tc\n-",
        "one two\n\none two\n\n\none two\n three",
        "The THE the tHe and And",
        "a" * 300 + " " + "ab" * 300,
        "\r\r\n\n a\r\nb\rc",
        "Start with a rather long one here that ends in apples, pears, red plums, figs , quinces, and no more",
        "a, b, c, d; e, f, g, h, i, j. k, l, m, n, o, p\nq, r",
        "x" * 26 + ", a, b, c, d, " + "y" * 26 + ", e, f, g, h, i, j,",
        "Home About Us  Our Team, New York City and The Big Old Apple Tree House",
        "small beginnings",
        "• Small",
        " “small”",
        "1 Small",
        "that that that with with 2013 2013 a a a a a naïve naïve",
        "{{x}} } lorem  ipsum LOREM IPSUM javascripts",
    ]
    assert_as_the_reference(corners, code)


def test_units() -> None:
    cut = {
        "Don’t stop, it's 3.14 or 1,000.": ["Don’t", "stop", "it's", "3.14", "or", "1,000"],
        "naïve cafe\u0301 x-ray": ["naïve", "cafe\u0301", "x", "ray"],
        "हिन्दी में": ["हिन्दी", "में"],
        "می\u200cخواهم": ["می\u200cخواهم"],
        "漢字かな ABC漢": ["漢", "字", "か", "な", "ABC", "漢"],
        "ที่นี่": ["ที่", "นี่"],
        "བོད་ཡིག": ["བོད", "ཡིག"],
        "2023年5月": ["2023", "年", "5", "月"],
    }
    for whole, parts in cut.items():
        profiles = pieces.Profiles([pieces.Profile(frozenset())])
        _, units, _, _ = pieces.scan(pa.array([whole]), np.zeros(1, np.int32), profiles)
        assert list(units.hashes[: units.starts[1]]) == [h for p in parts for h in pieces.hashes_of([p])], whole


def test_native_constants_are_those_of_the_table() -> None:
    table = codepoints
    assert text.KINDS == (
        table.BROKEN, table.SPACE, table.BREAK, table.LETTER, table.UPPER, table.LOWER, table.MARK, table.NUMBER,
        table.PUNCTUATION, table.SYMBOL, table.FORMAT,
    )  # fmt: skip
    flags = "UNSPACED TERMINAL CLOSER BULLET JOINS_LETTERS JOINS_NUMBERS BYTE_TAIL BYTE_SECOND BYTE_HEAD_2 BYTE_HEAD_3"
    assert tuple(getattr(codepoints, f) for f in flags.split()) == text.FLAGS


@pytest.mark.parametrize("code", REAL)
def test_mangled_text_is_broken_and_clean_text_is_not(code: str) -> None:
    sentences = SENTENCES.filter(pc.equal(SENTENCES["lang"], code))["text"].to_pylist()
    clean = " ".join(sentences)
    mangled = "".join(chr(b) if 0x80 <= b < 0xA0 else bytes([b]).decode("cp1252") for b in clean.encode()[:20_000])
    found = heuristics.measure(pa.array([clean, mangled]), pa.array([code] * 2)).field("broken_share").to_pylist()
    assert found[0] < 1e-4
    if code != "eng_Latn":
        assert found[1] > 0.1


def test_shares_lie_between_zero_and_one_and_order_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    table = SENTENCES.take(rng.permutation(SENTENCES.num_rows))
    found = heuristics.measure(table["text"], table["lang"])
    for name, column in heuristics.COLUMNS.items():
        values = found.field(name).drop_null().to_numpy()
        assert values.size, name
        assert values.min() >= 0, name
        if name.endswith("_share"):
            assert values.max() <= 1, name
        assert found.field(name).type == column.dtype
    straight = heuristics.measure(SENTENCES["text"], SENTENCES["lang"])
    order = pc.sort_indices(
        pa.table({"text": table["text"], "lang": table["lang"]}), [("lang", "ascending"), ("text", "ascending")]
    )
    other = pc.sort_indices(SENTENCES, [("lang", "ascending"), ("text", "ascending")])
    assert found.take(order).equals(straight.take(other))


def test_a_slice_is_measured_as_a_whole_array_is() -> None:
    whole = heuristics.measure(SENTENCES["text"].combine_chunks(), SENTENCES["lang"].combine_chunks())
    part = heuristics.measure(
        SENTENCES["text"].combine_chunks()[1000:1100], SENTENCES["lang"].combine_chunks()[1000:1100]
    )
    assert part.equals(whole[1000:1100])


def test_every_stop_word_is_one_unit() -> None:
    for code, words in heuristics.stop_words().items():
        assert parse(code).code == code
        assert len(pieces.hashes_of(words)) == len(words) >= 5, code
        assert len(set(words)) == len(words)


def test_the_signal_of_a_corpus(tmp_path: Path) -> None:
    (tmp_path / "corpus/x").mkdir(parents=True)
    table = SENTENCES.slice(0, 700)
    ids = pa.array([f"d{i}" for i in range(700)])
    for n in range(2):
        rows = pa.table({"id": ids, "text": table["text"], "lang": table["lang"]}).slice(350 * n, 350)
        pq.write_table(rows, tmp_path / f"corpus/x/{n}.parquet")
    build(tmp_path / "out", Identity("signals/heuristics", 1), lambda o: heuristics.make(o, tmp_path / "corpus"))
    written = pq.read_table(tmp_path / "out/part-00000.parquet")
    assert written.column_names == ["id", *heuristics.COLUMNS]
    assert written["id"].to_pylist() == ids.to_pylist()
    direct = heuristics.measure(table["text"], table["lang"])
    assert all(written[name].combine_chunks().equals(direct.field(name)) for name in heuristics.COLUMNS)


def test_the_page_lists_every_column_as_it_is_with_its_default_lines() -> None:
    page = (Path(__file__).parents[2] / "docs/heuristics.md").read_text("utf-8")
    resolved = resolve({}, parse("fra"))
    for name, column in heuristics.COLUMNS.items():
        bounds = [(sign, resolved[f"heuristics.{name}.{side}"].value) for side, sign in (("low", "<"), ("high", ">"))]
        drawn = ", ".join(f"{sign} {v['quantile']:g}" for sign, v in bounds if isinstance(v, dict))
        cells = (f"`{name}`", column.meaning, column.rule, column.suspicious or "", column.needs or "", drawn)
        assert f"| {' | '.join(cells)} |" in page, name


@pytest.mark.parametrize("code", ["kor_Hang", "jpn_Jpan", "ell_Grek", "rus_Cyrl", "arb_Arab"])
def test_letters_written_as_two_count_as_one(code: str) -> None:
    of = SENTENCES.filter(pc.equal(SENTENCES["lang"], code))["text"].to_pylist()
    texts = [unicodedata.normalize("NFC", " ".join(of[i : i + 8])) for i in range(0, 40, 8)]
    apart = [unicodedata.normalize("NFD", one) for one in texts]
    changed = [a != b for a, b in zip(texts, apart, strict=True)]
    # One that is as it should be stands beside them, and is not touched.
    both = [heuristics.measure(pa.array([*t, "ok"]), pa.array([code] * (len(t) + 1))) for t in (texts, apart)]
    assert sum(changed) >= 3
    for name in heuristics.COLUMNS:
        if name != "bytes":
            assert both[0].field(name).equals(both[1].field(name)), name
    assert both[1].field("bytes").to_pylist()[:-1] == [len(one.encode()) for one in apart]


@pytest.mark.parametrize(("code", "first", "last", "points"), [
    ("arb_Arab", 0x621, 0x64A, "\u064e\u0650\u064f\u0652"), ("heb_Hebr", 0x5D0, 0x5EA, "\u05b8\u05b7\u05b4\u05b6"),
])  # fmt: skip
def test_vowels_that_most_texts_leave_out_change_nothing(code: str, first: int, last: int, points: str) -> None:
    of = SENTENCES.filter(pc.equal(SENTENCES["lang"], code))["text"].to_pylist()
    texts = [unicodedata.normalize("NFC", " ".join(of[i : i + 8])) for i in range(0, 40, 8)]
    texts = ["".join(c for c in one if unicodedata.category(c) != "Mn") for one in texts]
    pointed = ["".join(c + points[i % 4] * (first <= ord(c) <= last) for i, c in enumerate(one)) for one in texts]
    both = [heuristics.measure(pa.array(t), pa.array([code] * len(t))) for t in (texts, pointed)]
    for name in heuristics.COLUMNS:
        if name != "bytes":
            assert both[0].field(name).equals(both[1].field(name)), name
