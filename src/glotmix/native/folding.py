"""The folding table: what each Unicode character becomes before texts are compared.

One character at a time: NFKC_Casefold (Unicode standard, section 3.13) without its recomposition, then optional
marks are dropped, digits become one class, and everything that is neither letter, mark nor number vanishes. The
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

INTERCHANGED = {0x064A: 0x06CC, 0x0649: 0x06CC, 0x0643: 0x06A9}
"""Arabic yeh, alef maksura and kaf become the Persian forms: keyboards interchange them within one language."""

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

    >>> fold("É"), fold("ß"), fold("Ⅳ"), fold("१"), fold("ि"), fold("ﻻ"), fold("!"), fold("が")
    ('e', 'ss', 'iv', '1', 'ि', 'لا', '', 'か')
    """
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
    return "".join(filter(None, map(_kept, folded)))


def _kept(char: str) -> str:
    code = ord(char)
    if any(low <= code <= high for low, high, _ in OPTIONAL_MARKS):
        return ""
    digit = unicodedata.digit(char, None)
    if digit is not None:
        return str(digit)
    return chr(INTERCHANGED.get(code, code)) if unicodedata.category(char)[0] in "LMN" else ""


def build() -> Table:
    """Make the table from this Python's `unicodedata`."""
    pool: list[int] = []
    values = np.zeros(0x110000, np.uint32)
    for code in range(0x110000):
        char = chr(code)
        if 0xAC00 <= code <= 0xD7A3:
            values[code] = HANGUL
        elif unicodedata.category(char) not in ("Cs", "Co", "Cn", "Cc"):
            units = [_value(c) for c in fold(char)]
            if len(units) == 1:
                values[code] = units[0]
            elif units:
                values[code] = POOL | len(pool)
                pool += [len(units), *units]
    blocks, stage1 = np.unique(values.reshape(-1, 256), axis=0, return_inverse=True)
    return Table(stage1.astype(np.uint16).ravel(), blocks.astype(np.uint32).ravel(), np.array(pool, np.uint32))


def _value(char: str) -> int:
    code = ord(char)
    number = unicodedata.category(char)[0] == "N"
    return code | weight(code) << WEIGHT_SHIFT | (DIGIT if number else 0)


def main() -> None:
    """Write the table to the file named on the command line."""
    np.savez_compressed(Path(sys.argv[1]), **build()._asdict())


if __name__ == "__main__":
    main()
