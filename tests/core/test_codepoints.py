"""The property table against Python's own `unicodedata`, an independent reading of the same standard."""

import unicodedata

import numpy as np
import pytest

from glotmix.native import codepoints as table

GROUPS = {
    "Lu": table.UPPER, "Lt": table.UPPER, "Ll": table.LOWER, "Lo": table.LETTER, "Lm": table.LETTER,
    "M": table.MARK, "N": table.NUMBER, "P": table.PUNCTUATION, "S": table.SYMBOL, "Z": table.SPACE,
    "Cf": table.FORMAT, "C": table.BROKEN,
}  # fmt: skip
LINES = "\n\v\f\r\x85\u2028\u2029"
EXCEPTIONS = {0xFFFD, 0x09, *map(ord, LINES)}


def test_every_assigned_code_point_has_the_kind_of_its_category() -> None:
    kinds = table.codepoints().kinds & table.KIND
    wrong = []
    for point in range(0x110000):
        category = unicodedata.category(chr(point))
        if category != "Cn" and point not in EXCEPTIONS:
            expected = GROUPS.get(category, GROUPS.get(category[0]))
            if kinds[point] != expected:
                wrong.append(hex(point))
    assert not wrong


def test_lines_break_where_python_breaks_them_except_at_the_information_separators() -> None:
    kinds = table.codepoints().kinds & table.KIND
    breaks = {chr(c) for c in np.flatnonzero(kinds == table.BREAK)}
    assert breaks == set(LINES)
    assert all(len(f"a{c}b".splitlines()) == 2 for c in breaks)
    spaces = {chr(c) for c in np.flatnonzero(kinds == table.SPACE)} | breaks
    assert spaces == {chr(c) for c in range(0x110000) if chr(c).isspace()} - set("\x1c\x1d\x1e\x1f")


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("Latn", "déjàvuß"), ("Cyrl", "приветђ"), ("Grek", "γειάΏ"), ("Arab", "سلامگ"), ("Hebr", "שלום"),
        ("Deva", "नमस्ते"), ("Beng", "বাংলা"), ("Thai", "สวัสดี"), ("Mymr", "မြန်မာ"), ("Hani", "汉語々"),
        ("Hira", "ひらがな"), ("Kana", "カタカナ"), ("Hang", "한국어"), ("Ethi", "አማርኛ"), ("Tibt", "བོད"),
    ],
)  # fmt: skip
def test_scripts(script: str, text: str) -> None:
    found = table.codepoints()
    assert {found.script_names[found.scripts[ord(c)]] for c in text} == {script}


@pytest.mark.parametrize("mark", "।॥؟۔።፧。！？།၊။.!?։๚។᱾")
def test_ends_of_sentences(mark: str) -> None:
    assert table.codepoints().kinds[ord(mark)] & table.TERMINAL


def test_what_does_not_end_a_sentence() -> None:
    kinds = table.codepoints().kinds
    assert not any(kinds[ord(c)] & table.TERMINAL for c in ",、،፣:;…-")


def test_letters_that_stand_alone() -> None:
    kinds = table.codepoints().kinds
    assert all(kinds[ord(c)] & table.UNSPACED for c in "漢ひカーไทยລາວខ")
    assert not any(kinds[ord(c)] & table.UNSPACED for c in "aяشא한አབ५")
