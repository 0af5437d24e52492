"""Burmese in Zawgyi, a font's encoding that puts other letters on Unicode's code points: told, and made Unicode.

Most Burmese that crawls found before 2020 is in it: 503 of the 600 documents of our sample of HPLT v2, and NTREX-128's
Burmese. Read as Unicode its letters stand in a wrong order and are the wrong ones. It is told by Google's detector
(`myanmartools`, a Markov chain over code points), and converted by the rules of `paraencoder`.
"""

import re
from functools import cache
from typing import Any

import pyarrow as pa

SURE = 0.95
"""The probability from which a text is converted."""

_LETTER = re.compile(b"\xe1[\x80-\x82]")
"""The first two bytes of the letters of the Myanmar block."""


def unicoded(texts: pa.Array) -> tuple[pa.Array, dict[int, float]]:
    """Return texts in Unicode, and the probability of those that were Zawgyi by their position.

    >>> texts, were = unicoded(pa.array(["ျမန္မာနိုင္ငံ", "မြန်မာနိုင်ငံ", "Burma"]))
    >>> texts.to_pylist(), list(were)
    (['မြန်မာနိုင်ငံ', 'မြန်မာနိုင်ငံ', 'Burma'], [0])
    """
    data = texts.buffers()[2]
    if data is None or not _myanmar(data):
        return texts, {}
    from para.convert import zg_to_unicode

    found = texts.to_pylist()
    were: dict[int, float] = {}
    for row, text in enumerate(found):
        if text is None or not any("\u1000" <= c <= "\u109f" for c in text):
            continue
        sure = float(_detector().get_zawgyi_probability(text))
        if sure >= SURE:
            were[row] = sure
            found[row] = zg_to_unicode(text, normalize=False, force=True)
    return (pa.array(found, pa.string()), were) if were else (texts, {})


def _myanmar(data: pa.Buffer) -> bool:
    """Whether any letter of the Myanmar block is among UTF-8 bytes: nearly all texts hold none, and pass at once."""
    return _LETTER.search(memoryview(data)) is not None


@cache
def _detector() -> Any:
    from myanmartools import ZawgyiDetector

    return ZawgyiDetector()
