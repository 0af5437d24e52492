"""Letters that Unicode has in more than one form: texts are read in the usual one, and stay as they are."""

import re
import unicodedata
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core import remote, unpacked
from glotmix.native.arrays import buffers
from glotmix.native.automaton import careful, pairs_of
from glotmix.native.overlap import table_of


def plain(texts: pa.Array) -> pa.Array:
    """Return the texts as py3langid reads them: capitals made lower case, letters in their usual forms, NFC."""
    wide = texts.cast(pa.large_string())
    change = np.zeros(len(wide), np.uint8)
    offsets, data = buffers(wide)
    classes, marks, pairs = _letters()
    careful(offsets, data, classes, marks, pairs, change)
    if not change.any():
        return wide
    mask = pa.array(change.astype(bool))
    # Python's own functions: Arrow's utf8_normalize (25.0) decomposes where NFC is asked for.
    usual = [unshaped(text) for text in wide.filter(mask).to_pylist()]
    changed = [unicodedata.normalize("NFC", t.lower() if t.isupper() else t) for t in usual]
    return pc.replace_with_mask(wide, mask, pa.array(changed, pa.large_string()))


_POINTS = re.compile("[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u0652\u0670]+")
"""The vowels of Hebrew and Arabic, and their accents: written in prayers, poems and books for children."""

POINTED = ("Arab", "Aran", "Hebr")
"""Scripts whose vowels are marks that most texts leave out."""


def as_read(
    texts: "pa.Array | pa.ChunkedArray", where: NDArray[np.bool_], pointed: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], pa.Array]:
    """Return which texts are written otherwise than most are, (k,) positions, and how these are read.

    They are read in NFC, and those in Hebrew and Arabic without the vowels that most texts leave out.

    Args:
        texts: n strings.
        where: (n,) which of them to look at.
        pointed: (n,) which of them are in a script of `POINTED`.

    >>> found, texts = as_read(pa.array(["a\u0301", "á", "שָׁלוֹם"]), np.ones(3, bool), np.array([False, False, True]))
    >>> found.tolist(), texts.to_pylist()
    ([0, 2], ['á', 'שלום'])
    """
    rows = np.flatnonzero(where)
    texts = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    held = texts.take(pa.array(rows)).cast(pa.large_string())
    change = np.zeros(len(rows), np.uint8)
    classes, marks, pairs = _letters()
    careful(*buffers(held), classes, marks, pairs, change)
    some = np.flatnonzero((change > 0) | pointed[rows])
    before = held.take(pa.array(some)).to_pylist()
    after = [unicodedata.normalize("NFC", text) for text in before]
    after = [_POINTS.sub("", t) if p else t for t, p in zip(after, pointed[rows[some]].tolist(), strict=True)]
    other = np.array([a != b for a, b in zip(before, after, strict=True)], bool)
    return rows[some[other]], pa.array([t for t, o in zip(after, other, strict=True) if o], texts.type)


_SHAPES = (
    (0xFB00, 0xFE00),  # ligatures of Latin and Armenian, Hebrew with points, Arabic as it is printed
    (0xFE70, 0xFEFD),  # Arabic as it is printed
    (0xFF21, 0xFF3B), (0xFF41, 0xFF5B),  # wide Latin
    (0xFF66, 0xFFDD),  # narrow Katakana and Hangul
    (0x1D400, 0x1D800),  # letters of formulas, which stand for bold and italics
)  # fmt: skip
"""Letters in shapes that Unicode has for old encodings: no model of languages has learned them. Wide punctuation is
Chinese's and Japanese's own, and stays."""

_SHAPED = re.compile("[" + "".join(f"{chr(first)}-{chr(last - 1)}" for first, last in _SHAPES) + "]+")


def unshaped(text: str) -> str:
    """Return a text with the usual letters for those in another shape.

    >>> unshaped("ﻣﺮﺣﺒﺎ，Ｗｏｒｌｄ ｶﾞｰﾄﾞ")
    'مرحبا，World ガード'
    """
    return _SHAPED.sub(lambda run: unicodedata.normalize("NFKC", run[0]), text)


_ASSIGNED = ((0x80, 0x3400), (0xA640, 0xAC00), (0xF900, 0x20000), (0x2F800, 0x2FA20))
"""Where characters stand that have case, join others, or are not in NFC by themselves."""


@cache
def _letters() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint64]]:
    """Return the classes, combining classes and pairs that `careful` takes, made once a machine."""
    folder = remote.cache() / "models" / f"letters-3-{unicodedata.unidata_version}"
    found = unpacked.mapped(folder, ("classes", "marks", "pairs"))
    if found is None:
        classes, marks, pairs = _classified()
        found = {"classes": classes, "marks": marks, "pairs": pairs}
        unpacked.keep(folder, found)
    return found["classes"], found["marks"], found["pairs"]


def _classified() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint64]]:
    classes, marks = np.zeros(0x110000, np.uint8), np.zeros(0x110000, np.uint8)
    joined: list[tuple[int, int]] = []
    # The second and third letters of Hangul syllables join the first; the rest of what joins stands in decompositions.
    classes[0x1161:0x1176] = classes[0x11A8:0x11C3] = 1
    classes[ord("A") : ord("Z") + 1] = 2
    classes[ord("a") : ord("z") + 1] = 4
    for first, last in _ASSIGNED:
        for point in range(first, last):
            char = chr(point)
            if char.islower() or char.istitle():
                classes[point] |= 4 if not char.isupper() else 2
            elif char.isupper():
                classes[point] |= 2
            parts = unicodedata.decomposition(char)
            if parts:
                if not unicodedata.is_normalized("NFC", char):
                    classes[point] |= 1
                if not parts.startswith("<") and " " in parts:
                    classes[point] |= 32
                    head, tail = (int(part, 16) for part in parts.split())
                    # Some are taken apart, and never put together: Devanagari's letters with a dot.
                    if unicodedata.normalize("NFC", chr(head) + chr(tail)) == char:
                        classes[tail] |= 8
                        joined.append((head, tail))
            marks[point] = unicodedata.combining(char)
            classes[point] |= 16 * (marks[point] > 0)
    for first, last in _SHAPES:
        classes[first:last] |= 1
    return classes, marks, table_of(pairs_of(*np.array(joined, np.uint32).T.copy()))
