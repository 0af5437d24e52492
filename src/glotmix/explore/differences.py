"""Two texts beside each other: what both have, and what only one has.

Lines are compared first, then, within lines that differ, words where the language separates them and letters where it
does not: a letter is what a reader sees as one, so that no mark is torn from it.
"""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import groupby

from glotmix.core.language import parse
from glotmix.report.excerpt import graphemes, visible

SAME, LEFT, RIGHT = "same", "left", "right"

LONGEST = 20_000
"""Characters of each text that are compared; the rest is said to be there."""

_PIECES = 4_000
"""Words or letters of a hunk that are compared one by one; larger hunks differ as a whole."""
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_WORDS = re.compile(r"\s+|[^\s]+")

Segment = tuple[str, str]


def differences(left: str, right: str, lang: str) -> list[Segment]:
    """Return the segments of both texts, in order: ``(same | left | right, text)``.

    The segments that are not ``right`` are the left text again, and those that are not ``left`` the right one, both
    as far as `LONGEST`.

    >>> differences("one two\\nsame", "one three\\nsame", "eng_Latn")
    [('same', 'one '), ('left', 'two'), ('right', 'three'), ('same', '\\nsame')]
    """
    spaced = parse(lang).spaced
    one, other = (_LINES.findall(text[:LONGEST]) for text in (left, right))
    found: list[Segment] = []
    for same, mine, theirs in _hunks(one, other):
        if same:
            found.append((SAME, "".join(mine)))
            continue
        pieces = [_pieces("".join(side), spaced) for side in (mine, theirs)]
        if max(map(len, pieces)) > _PIECES:
            found += [(LEFT, "".join(mine)), (RIGHT, "".join(theirs))]
            continue
        for alike, a, b in _hunks(*pieces):
            found += [(SAME, "".join(a))] if alike else [(LEFT, "".join(a)), (RIGHT, "".join(b))]
    return [(kind, visible(text)) for kind, text in _joined(found)]


def _pieces(text: str, spaced: bool) -> list[str]:
    return _WORDS.findall(text) if spaced else graphemes(text)


def _hunks(one: Sequence[str], other: Sequence[str]) -> Iterator[tuple[bool, Sequence[str], Sequence[str]]]:
    for kind, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        yield kind == "equal", one[a:b], other[c:d]


def _joined(segments: list[Segment]) -> Iterator[Segment]:
    """Yield segments with neighbours of a kind as one, and nothing empty."""
    full = [s for s in segments if s[1]]
    for same, run in groupby(full, key=lambda s: s[0] == SAME):
        held = list(run)
        for kind in (SAME,) if same else (LEFT, RIGHT):
            text = "".join(t for k, t in held if k == kind)
            if text:
                yield kind, text
