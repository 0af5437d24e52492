"""What a static embedder looks at: words and character n-grams, in every script.

A text is brought to NFKC; then, character by character, case is folded, digits of all scripts become ASCII, Arabic
letters that keyboards interchange become one, and points and vowel signs that writers of Arabic and Hebrew may leave
out vanish. What is neither letter, mark nor number ends a run. A run in a script that is written with spaces is a word:
its features are the word as a whole and its n-grams, with a mark at either end, as fastText has them (Bojanowski et
al. 2017, arXiv 1607.04606). A run in a script without spaces (Thai, Khmer, Burmese, Chinese, Japanese) gives n-grams
alone, short ones where a character is a word or nearly one, longer ones where it is a letter.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple
from unicodedata import normalize

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.native import arrays, codepoints, folding, ngrams

VERSION = 1

_INTERCHANGED = {0x064A: 0x06CC, 0x0649: 0x06CC, 0x0643: 0x06A9}
"""Arabic yeh, alef maksura and kaf become the Persian forms: keyboards interchange them within one language."""
"""Of the rules below: a model is of use with the rules that it was trained with."""

INSIDE, UNSPACED, INHERITS, SKIPPED = 1, 2, 4, 8
LEAST_SHIFT, MOST_SHIFT = 8, 12
MOST = 15
"""Longest n-gram that the tables can name."""

ALPHABET = (3, 5)
"""Shortest and longest n-grams of scripts whose characters are sounds, written with spaces."""
SYLLABLES = (1, 4)
"""Of Hangul, Ethiopic and other syllabaries."""
IDEOGRAPHS = (1, 4)
"""Of Han, kana and Yi."""
UNSPACED_ALPHABET = (2, 8)
"""Of scripts whose characters are sounds and whose words are not separated."""

_SYLLABARIES = frozenset({"Hang", "Ethi", "Cher", "Cans", "Vaii"})
_IDEOGRAPHS = frozenset({"Hani", "Hira", "Kana", "Bopo", "Yiii", "Tang", "Nshu"})
_OPTIONAL = ((0x0591, 0x05C7), (0x0610, 0x061A), (0x064B, 0x065F), (0x0670, 0x0670), (0x06D6, 0x06ED), (0x08CA, 0x08FF))
_NOTHING = ((0x0640, 0x0640), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))


class Tables(NamedTuple):
    """`folded` (0x110000,) uint32: what each code point becomes; `marks` (0x110000,) uint16: what it is."""

    folded: NDArray[np.uint32]
    marks: NDArray[np.uint16]


@cache
def tables() -> Tables:
    """Return the tables, made from the tables of `glotmix.native` on first use (some milliseconds)."""
    kinds, scripts, names = codepoints.codepoints()
    kind = kinds & codepoints.KIND
    letter = np.isin(kind, (codepoints.LETTER, codepoints.UPPER, codepoints.LOWER))
    mark, number = kind == codepoints.MARK, kind == codepoints.NUMBER
    marks = np.where(letter | mark | number, INSIDE, 0)
    marks[mark | number] |= INHERITS
    # A character of an unspaced script is a unit whatever its kind; `INHERITS` matters inside a run only.
    unspaced = np.isin(scripts, [i for i, name in enumerate(names) if name in codepoints.UNSPACED_SCRIPTS])
    marks[(unspaced | ((kinds & codepoints.UNSPACED) > 0)) & (letter | mark | number)] |= UNSPACED
    marks[kind == codepoints.FORMAT] = SKIPPED
    for low, high in (*_OPTIONAL, *_NOTHING):
        marks[low : high + 1] = SKIPPED
    least, most = np.full(0x110000, ALPHABET[0]), np.full(0x110000, ALPHABET[1])
    for which, (low, high) in (
        ((marks & UNSPACED) > 0, UNSPACED_ALPHABET),
        (np.isin(scripts, [i for i, name in enumerate(names) if name in _SYLLABARIES]), SYLLABLES),
        (np.isin(scripts, [i for i, name in enumerate(names) if name in _IDEOGRAPHS]), IDEOGRAPHS),
        # The prolonged sound mark of kana and its kin, whose script property is "common".
        (~unspaced & ((kinds & codepoints.UNSPACED) > 0), IDEOGRAPHS),
    ):
        least[which], most[which] = low, high
    marks = marks | least << LEAST_SHIFT | most << MOST_SHIFT

    folded = np.arange(0x110000, dtype=np.uint32)
    for code in [*np.flatnonzero(kind == codepoints.UPPER).tolist(), ord("ς")]:
        lower = chr(code).casefold()
        folded[code] = ord(lower[0])
    values = folding.table().stage2.reshape(-1, 256)[folding.table().stage1].ravel()
    digit = (values & folding.DIGIT > 0) & (values & (folding.POOL | folding.HANGUL) == 0)
    folded[digit] = values[digit] & folding.CODE_MASK
    for code, other in _INTERCHANGED.items():
        folded[code] = other
    found = Tables(folded, marks.astype(np.uint16))
    for table in found:
        table.setflags(write=False)
    return found


def normal(texts: Sequence[str] | pa.Array) -> pa.Array:
    """Return the texts in NFKC, as Arrow strings. (Arrow's own `utf8_normalize` leaves them decomposed.)"""
    strings = texts.to_pylist() if isinstance(texts, pa.Array | pa.ChunkedArray) else texts
    return pa.array([normalize("NFKC", text) for text in strings], pa.large_string())


def cut(texts: pa.Array, chars: int) -> pa.Array:
    """Return the first characters of each text."""
    strings = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    return pc.utf8_slice_codeunits(strings.cast(pa.large_string()), 0, chars)


def hashes(texts: Sequence[str] | pa.Array) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Return where the features of each text start, (n + 1,) int64, and their keys, uint32.

    >>> starts, keys = hashes(["to be", "be"])
    >>> starts.tolist(), keys[3:6].tolist() == keys[6:].tolist()
    ([0, 6, 9], True)
    """
    starts, found = ngrams.features(*arrays.buffers(normal(texts)), *tables())
    return starts, ngrams.keys_of(found)
