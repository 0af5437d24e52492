"""The property table of the native loops: what each of the 0x110000 code points is, as two arrays to index by it.

Made from ``data/unicode.tsv`` (one fixed version of the Unicode Character Database, not the `unicodedata` of the
Python that runs), on first use, and kept.
"""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BROKEN, SPACE, BREAK, LETTER, UPPER, LOWER, MARK, NUMBER, PUNCTUATION, SYMBOL, FORMAT = range(11)
"""The kinds, in the low four bits of `Codepoints.kinds`.

``BROKEN`` is what no clean text holds: controls, unassigned, private and surrogate code points, U+FFFD. ``BREAK``
ends a line (Unicode standard annex 14, class BK and its kin); ``LETTER`` has no case."""

KIND = 0x0F
UNSPACED = 0x10
"""A letter of a script that is written without spaces: a unit of its own."""
TERMINAL = 0x20
"""Ends a sentence, in the script that it belongs to."""
CLOSER = 0x40
"""A quotation mark or closing bracket: may stand between the end of a sentence and the end of its line."""
BULLET = 0x80
"""Begins an item of a list, wherever it begins a line."""
JOINS_LETTERS = 0x100
"""Inside a word where a letter stands on both sides (Unicode standard annex 29, rules WB6 and WB7)."""
JOINS_NUMBERS = 0x200
"""Inside a number where a digit stands on both sides (rules WB11 and WB12)."""
BYTE_TAIL = 0x400
"""What the second or a later byte of UTF-8 looks like when it is read as Windows-1252 or Latin-1."""
BYTE_SECOND = 0x800
"""A ``BYTE_TAIL`` that no clean text sets right after a ``BYTE_HEAD``: no letter, no quotation mark, dash or space."""
BYTE_HEAD_2, BYTE_HEAD_3 = 0x1000, 0x2000
"""What the first byte of a sequence of two or three bytes looks like, where such a letter is common in mangled text."""

_KINDS = (
    {"Ll": LOWER, "Lm": LETTER, "Lo": LETTER, "Lt": UPPER, "Lu": UPPER, "Cf": FORMAT}
    | dict.fromkeys(("Mc", "Me", "Mn"), MARK)
    | dict.fromkeys(("Nd", "Nl", "No"), NUMBER)
    | dict.fromkeys(("Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps"), PUNCTUATION)
    | dict.fromkeys(("Sc", "Sk", "Sm", "So"), SYMBOL)
    | dict.fromkeys(("Zl", "Zp", "Zs"), SPACE)
    | dict.fromkeys(("Cc", "Co", "Cs"), BROKEN)
)

UNSPACED_SCRIPTS = frozenset(
    {"Hani", "Hira", "Kana", "Bopo", "Yiii", "Tang", "Nshu", "Thai", "Laoo", "Khmr", "Mymr"}
    | {"Tale", "Talu", "Lana", "Tavt", "Ahom", "Java", "Bali"}
)
"""Scripts whose texts do not separate words. (Tibetan is not one of these: its tsheg separates syllables, so that
runs of letters are syllables there.)"""

_MORE_TERMINALS = (
    "\u037e"  # Greek question mark, where it is not written as a semicolon
    "\u0e5a\u0e5b"  # Thai angkhankhu, khomut
    "\u0f0d\u0f0e\u0f0f\u0f10\u0f11"  # Tibetan shad and its kin
    "\u17d4\u17d5\u17da"  # Khmer khan, bariyoosan, koomuut
)
"""Ends of sentences that Unicode 15.0 lists as Terminal_Punctuation but not as Sentence_Terminal."""

_MORE_UNSPACED = "ー\uff70〆"
"""Kana and Han letters in all but the script property, which calls them common."""

_BREAKS = "\n\v\f\r\u0085\u2028\u2029"
_BULLETS = "•‣⁃◦∙·・●○◘◙■□▪▫▶►▸▹▷◆◇◈★☆✓✔✦✧✪✱❖➔➜➢➤➥⦁⦿￭⁌⁍"
_JOINS_LETTERS = "'’·\u2027\u055a\u055b\u055c\u055e\u05f3\u05f4"
_JOINS_NUMBERS = ".,'’\u066b\u066c"
_TAILS = "".join(bytes([b]).decode("cp1252", "ignore") for b in range(0x80, 0xC0)) + "".join(
    map(chr, range(0x80, 0xA0))
)
_SECONDS = "".join(c for c in _TAILS if not c.isalpha() and c not in "\xa0«»‘’‚“”„‹›–—…") + "ƒ"
_HEADS_2 = "ÂÃÎÏÐÑØÙ"
_HEADS_3 = "âãàáäåæçèéêëìíîï"


class Codepoints(NamedTuple):
    """Arrays over all code points, read-only.

    ``kinds`` is (0x110000,) uint16, kind and flags; ``scripts`` is (0x110000,) uint8, positions in
    ``script_names`` (ISO 15924 codes; ``Zyyy`` common and ``Zinh`` inherited first).
    """

    kinds: NDArray[np.uint16]
    scripts: NDArray[np.uint8]
    script_names: tuple[str, ...]


@cache
def codepoints() -> Codepoints:
    """Return the table, reading it on first use (some milliseconds)."""
    kinds = np.full(0x110000, BROKEN, np.uint16)
    scripts = np.zeros(0x110000, np.uint8)
    numbers = {"Zyyy": 0, "Zinh": 1}
    text = (files("glotmix") / "data/unicode.tsv").read_text("utf-8")
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        first, last, category, script, *ends = line.split("\t")
        span = slice(int(first, 16), int(last, 16) + 1)
        kind = _KINDS[category]
        if script in UNSPACED_SCRIPTS and kind == LETTER:
            kind |= UNSPACED
        if ends:
            kind |= TERMINAL
        if category in ("Pe", "Pf", "Pi"):
            kind |= CLOSER
        kinds[span] = kind
        scripts[span] = numbers.setdefault(script, len(numbers))
    kinds[ord("\ufffd")] = BROKEN
    kinds[ord("\t")] = SPACE
    kinds[_points(_BREAKS)] = BREAK
    for characters, flag in (
        (_MORE_TERMINALS, TERMINAL),
        (_MORE_UNSPACED, UNSPACED),
        ("\"'", CLOSER),
        (_BULLETS, BULLET),
        (_JOINS_LETTERS, JOINS_LETTERS),
        (_JOINS_NUMBERS, JOINS_NUMBERS),
        (_TAILS, BYTE_TAIL),
        (_SECONDS, BYTE_SECOND),
        (_HEADS_2, BYTE_HEAD_2),
        (_HEADS_3, BYTE_HEAD_3),
    ):
        kinds[_points(characters)] |= flag
    kinds.setflags(write=False)
    scripts.setflags(write=False)
    return Codepoints(kinds, scripts, tuple(numbers))


def _points(characters: str) -> list[int]:
    return sorted({ord(c) for c in characters})
