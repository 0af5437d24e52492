"""The folding table: what each Unicode character becomes before texts are compared.

One character at a time: NFKC_Casefold (Unicode standard, section 3.13) without its recomposition, then optional
marks are dropped, digits become one class, and everything that is neither letter, mark nor number vanishes. That is
what near-duplicates are found by. Whether two texts are the *same* is asked of what was left out as well: marks, signs
(currencies, relations, pictures) and numbers, each at its place; of punctuation and white space it is not. The
table ships as a file (`python -m glotmix.native.folding FILE` writes it) so that a text folds the same on every
Python, whatever Unicode version its `unicodedata` has.
"""

import sys
import unicodedata
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CODE_BITS = 21
CODE_MASK = (1 << CODE_BITS) - 1
WEIGHT_SHIFT = CODE_BITS
DIGIT = 1 << 24
MARK = 1 << 25
INNER = 1 << 26
SIGN = 1 << 27
HANGUL = 1 << 30
POOL = 1 << 31

OPTIONAL_MARKS = (
    (0x0300, 0x036F, "diacritics of Latin, Greek and Cyrillic"),
    (0x0483, 0x0489, "Cyrillic titlo and its kin"),
    (0x0591, 0x05C7, "Hebrew points and accents"),
    (0x0610, 0x061A, "Arabic honorifics and small vowels"),
    (0x064B, 0x065F, "Arabic vowel points"),
    (0x0670, 0x0670, "Arabic superscript alef"),
    (0x06D6, 0x06ED, "Quranic marks"),
    (0x0730, 0x074A, "Syriac points"),
    (0x08CA, 0x08FF, "Arabic extended marks"),
    (0x093C, 0x093C, "Devanagari nukta"),
    (0x09BC, 0x09BC, "Bengali nukta"),
    (0x0A3C, 0x0A3C, "Gurmukhi nukta"),
    (0x0ABC, 0x0ABC, "Gujarati nukta"),
    (0x0B3C, 0x0B3C, "Oriya nukta"),
    (0x0640, 0x0640, "Arabic tatweel"),
    (0x1AB0, 0x1AFF, "diacritics extended"),
    (0x1DC0, 0x1DFF, "diacritics supplement"),
    (0x20D0, 0x20FF, "diacritics for symbols"),
    (0x3099, 0x309A, "kana voicing marks"),
    (0xFE00, 0xFE0F, "variation selectors"),
    (0xFE20, 0xFE2F, "half marks"),
    (0xE0100, 0xE01EF, "variation selectors"),
)
"""Marks that writers of one language set or leave out, and that NFC and NFD place differently: dropped. All other
marks (the vowel signs, viramas and tones of the Indic scripts, Thai, Lao, Khmer, Burmese, Tibetan) are letters in all
but name, and stay."""

INTERCHANGED = {
    "\u064a": "\u06cc", "\u0649": "\u06cc", "\u0643": "\u06a9",
    "\u06c1": "\u0647", "\u06be": "\u0647", "\u06d5": "\u0647", "\u06c3": "\u0629",
    "ı": "i", "ӏ": "i",
}  # fmt: skip
"""Letters that keyboards of one language interchange, for nearness: Arabic yeh, alef maksura, kaf and the forms of heh;
the i without a dot (the capital of both is I in most programs); the palochka of the Caucasus, which is typed as a Latin
I."""

TELLING = frozenset("\u0649\u06be\u06d5ı")
"""Those of them that tell words apart where they are used (Urdu heh and aspiration, Kurdish e, Turkish ı): for sameness
they are themselves."""

_VIRAMA = {
    "\u09ce": "\u09a4\u09cd", "\u0c5d": "\u0c28\u0c4d", "\u0cdd": "\u0ca8\u0ccd", "\u0d4e": "\u0d30\u0d4d",
    "\u0d54": "\u0d2e\u0d4d", "\u0d55": "\u0d2f\u0d4d", "\u0d56": "\u0d34\u0d4d", "\u0d7a": "\u0d23\u0d4d",
    "\u0d7b": "\u0d28\u0d4d", "\u0d7c": "\u0d30\u0d4d", "\u0d7d": "\u0d32\u0d4d", "\u0d7e": "\u0d33\u0d4d",
    "\u0d7f": "\u0d15\u0d4d",
}  # fmt: skip
_VOWELS = {
    "\u0906": "\u0905\u093e", "\u0911": "\u0905\u0949", "\u0912": "\u0905\u094a", "\u0913": "\u0905\u094b",
    "\u0914": "\u0905\u094c", "\u0986": "\u0985\u09be", "\u0a86": "\u0a85\u0abe", "\u0a91": "\u0a85\u0ac9",
    "\u0a93": "\u0a85\u0acb", "\u0a94": "\u0a85\u0acc", "\u0b06": "\u0b05\u0b3e", "\u0e41": "\u0e40\u0e40",
    "\u0ec1": "\u0ec0\u0ec0", "\u17a3": "\u17a2", "\u17a4": "\u17a2\u17b6", "\u05f0": "\u05d5\u05d5",
    "\u05f1": "\u05d5\u05d9", "\u05f2": "\u05d9\u05d9",
}  # fmt: skip
SPELLED = _VIRAMA | _VOWELS
"""Characters that are also spelled by several, which look the same and of which no normal form knows: the chillu of
Malayalam, khanda ta and other dead consonants with the virama and a joiner; vowels of Devanagari, Bengali, Gujarati
and Oriya of their parts (Unicode standard, tables 12-1 and after: "do not use"); two e of Thai and Lao for one ae;
ligatures of Yiddish."""

APOSTROPHE = "\u2019"
APOSTROPHES = frozenset("ʹʺʻʼʽʾʿˈˊˋˮꞋꞌʹ" + "ːˑ" + "ǀǁǂǃ")
"""Letters that are typed with signs of punctuation: apostrophes (Uzbek, Ukrainian, Hawaiian …), the sign of length, the
clicks. For nearness they are dropped as those are; for sameness they count."""

QUOTES = frozenset("'`´‘’‛′＇׳՚")
"""Punctuation that stands for an apostrophe where it has letters on both sides."""

_TONES = frozenset(map(chr, [*range(0x2E5, 0x2EC), *range(0xA700, 0xA717)]))
"""Tone letters, which Unicode counts among the modifiers."""

_SAME_MARK = {"\u0326": "\u0327"}
"""Marks that old fonts and encodings interchange: the comma below of Romanian and the cedilla."""

_NO_MARKS = frozenset(map(chr, [0x640, 0x34F, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]))
"""Optional marks that change nothing for the reader."""

_UNSEEN = frozenset("\u17b4\u17b5\u115f\u1160\u3164\uffa0")
"""Letters and marks that nobody sees."""

WEIGHTS = (
    (0x1200, 0x139F, 2, "Ethiopic"),
    (0x2D80, 0x2DDF, 2, "Ethiopic extended"),
    (0x13A0, 0x13FF, 2, "Cherokee"),
    (0xAB70, 0xABBF, 2, "Cherokee supplement"),
    (0x1400, 0x167F, 2, "Canadian syllabics"),
    (0x3040, 0x30FF, 2, "kana"),
    (0x31F0, 0x31FF, 2, "kana phonetic extensions"),
    (0x3100, 0x312F, 1, "bopomofo"),
    (0x3400, 0x4DBF, 3, "ideographs A"),
    (0x4E00, 0x9FFF, 3, "ideographs"),
    (0xA000, 0xA4CF, 3, "Yi"),
    (0xA500, 0xA63F, 2, "Vai"),
    (0xF900, 0xFAFF, 3, "compatibility ideographs"),
    (0x20000, 0x3FFFF, 3, "ideographs B and later"),
)
"""How many letters of an alphabet a character is worth, where not one (measured: see docs/duplicates.md)."""


class Table(NamedTuple):
    """The two-stage table and its expansions.

    `stage1` (0x1100,) uint16: block of 256 characters → row of `stage2`, (rows × 256,) uint32. A value is 0
    (dropped) or a code point with its weight at `WEIGHT_SHIFT` and `DIGIT`; `HANGUL` marks a syllable that the
    loop takes apart; `POOL` an index into `pool`, where the length stands first and the values after it.
    """

    stage1: NDArray[np.uint16]
    stage2: NDArray[np.uint32]
    pool: NDArray[np.uint32]


@cache
def table() -> Table:
    """Return the table that ships with glotmix."""
    with files("glotmix").joinpath("data/folding.npz").open("rb") as file, np.load(file) as arrays:
        return Table(arrays["stage1"], arrays["stage2"], arrays["pool"])


def weight(code: int) -> int:
    """Return how many letters of an alphabet a folded character is worth."""
    return next((w for low, high, w, _ in WEIGHTS if low <= code <= high), 1)


def fold(char: str) -> str:
    """Return what one character becomes: nothing, or one or more characters (decimal digits as ``0`` to ``9``).

    >>> fold("É"), fold("ß"), fold("Ⅳ"), fold("१"), fold("ि"), fold("ﻻ"), fold("!"), fold("が"), fold("ൽ")
    ('e', 'ss', 'iv', '1', 'ि', 'لا', '', 'か', 'ല്')
    """
    return "".join(text for kind, text in parts(char) if kind in (0, DIGIT))


def parts(char: str) -> list[tuple[int, str]]:
    """Return what one character holds, each with its kind: 0 for a letter, `DIGIT`, and for sameness alone `MARK`,
    `SIGN` and `INNER` (an apostrophe, where it stands within a word).

    >>> parts("é") == [(0, "e"), (MARK, "\u0301")], parts("€") == [(SIGN, "€")], parts("!")
    (True, True, [])
    """
    if char in QUOTES:
        return [(INNER, APOSTROPHE)]
    if unicodedata.category(char) == "Sk":
        # The others stand for nothing but a mark that was left alone.
        return [(SIGN, char)] if char in _TONES else []
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
    return [part for one in folded for inner in SPELLED.get(one, one) for part in _parts(inner)]


def _parts(char: str) -> list[tuple[int, str]]:
    code, category = ord(char), unicodedata.category(char)
    if char in _UNSEEN or char in _NO_MARKS:
        return []
    if char in APOSTROPHES:
        return [(MARK, APOSTROPHE if char not in "ːˑǀǁǂǃ" else char)]
    if any(low <= code <= high for low, high, _ in OPTIONAL_MARKS):
        return [(MARK, _SAME_MARK.get(char, char))] if category[0] == "M" else []
    digit = unicodedata.digit(char, None)
    if digit is not None:
        return [(DIGIT, str(digit))]
    if category[0] == "N":
        return [(DIGIT, char)]
    if category[0] in "LM":
        return [(0, INTERCHANGED.get(char, char)), *([(MARK, char)] if char in TELLING else [])]
    return [(SIGN, char)] if category in ("Sm", "Sc", "So") else []


def build() -> Table:
    """Make the table from this Python's `unicodedata`."""
    pool: list[int] = []
    values = np.zeros(0x110000, np.uint32)
    for code in range(0x110000):
        char = chr(code)
        if 0xAC00 <= code <= 0xD7A3:
            values[code] = HANGUL
        elif unicodedata.category(char) not in ("Cs", "Co", "Cn", "Cc"):
            units = [_value(kind, text) for kind, text in parts(char)]
            if len(units) == 1:
                values[code] = units[0]
            elif units:
                values[code] = POOL | len(pool)
                pool += [len(units), *units]
    blocks, stage1 = np.unique(values.reshape(-1, 256), axis=0, return_inverse=True)
    return Table(stage1.astype(np.uint16).ravel(), blocks.astype(np.uint32).ravel(), np.array(pool, np.uint32))


def _value(kind: int, char: str) -> int:
    code = ord(char)
    return code | kind | (0 if kind in (MARK, SIGN, INNER) else weight(code) << WEIGHT_SHIFT)


def main() -> None:
    """Write the table to the file named on the command line."""
    np.savez_compressed(Path(sys.argv[1]), **build()._asdict())


if __name__ == "__main__":
    main()
