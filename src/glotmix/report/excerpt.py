"""Excerpts of documents, fit to be shown: cut between graphemes, controls made visible, language tagged.

A text from the web may hold anything: a cut inside a letter, a bell, an override that turns the page's direction.
"""

import unicodedata
from functools import lru_cache

_ZWJ = "\u200d"
_JOINS_LEFT = frozenset("\u200c\u200d\u0e33\u0eb3\uff9e\uff9f")
"""Not marks by category, and still part of the letter before (Grapheme_Extend and SpacingMark of UAX #29)."""


def cut(text: str, limit: int, lines: int = 10) -> tuple[str, int]:
    """Return the beginning of a text, cut between graphemes, and how many characters are left.

    Args:
        text: the text.
        limit: characters to show at most.
        lines: lines to show at most.

    >>> cut("ก็กำกำ", 5)
    ('ก็กำ', 2)
    >>> cut("short", 10)
    ('short', 0)
    >>> cut("one\\ntwo\\nthree", 100, lines=2)
    ('one\\ntwo', 6)
    """
    head = "\n".join(text[: limit + 1].split("\n", lines)[:lines])
    if len(head) <= limit:
        return head, len(text) - len(head)
    at = limit
    while at > 0 and _inside(text, at):
        at -= 1
    if at == 0:  # one grapheme longer than the limit: hostile text, cut it where it was asked
        at = limit
    return text[:at], len(text) - at


def graphemes(text: str) -> list[str]:
    """Return what a reader sees as the letters of a text (UAX #29; in doubt, two of them stay together).

    >>> [len(letter) for letter in graphemes("\\u0e01\\u0e33a\\u0301\\u1112\\u1161\\u11ab")]
    [2, 2, 3]
    """
    starts = [0, *(at for at in range(1, len(text)) if not _inside(text, at))] if text else []
    return [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=False)]


def _inside(text: str, at: int) -> bool:
    """Say whether a cut before ``text[at]`` would split a grapheme (UAX #29; in doubt, it would)."""
    before, after = text[at - 1], text[at]
    if before == "\r" and after == "\n":
        return True
    if after in _JOINS_LEFT or unicodedata.category(after) in ("Mn", "Me", "Mc") or _modifies(after):
        return True
    # After a virama the next consonant is part of the same conjunct (rule GB9c); after a joiner, of the same emoji.
    if before == _ZWJ or unicodedata.combining(before) == 9:
        return True
    # Arabic signs that stand before and over the digits of a number (property Prepend).
    if unicodedata.category(before) == "Cf" and unicodedata.bidirectional(before) == "AN":
        return True
    if _regional(before) and _regional(after):
        run = at
        while run > 0 and _regional(text[run - 1]):
            run -= 1
        return (at - run) % 2 == 1
    return _one_syllable(before, after)


def _modifies(char: str) -> bool:
    """Skin tones and the tags of flags: they change the emoji before them."""
    return "\U0001f3fb" <= char <= "\U0001f3ff" or "\U000e0020" <= char <= "\U000e007f"


def _regional(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _one_syllable(before: str, after: str) -> bool:
    """Hangul: leading consonants, vowels and trailing consonants that make one syllable (rules GB6 to GB8)."""
    left, right = _hangul(before), _hangul(after)
    return (left, right) in {
        ("L", "L"), ("L", "V"), ("L", "LV"), ("L", "LVT"), ("LV", "V"), ("LV", "T"), ("V", "V"), ("V", "T"),
        ("LVT", "T"), ("T", "T"),
    }  # fmt: skip


def _hangul(char: str) -> str:
    code = ord(char)
    if 0x1100 <= code <= 0x115F or 0xA960 <= code <= 0xA97C:
        return "L"
    if 0x1160 <= code <= 0x11A7 or 0xD7B0 <= code <= 0xD7C6:
        return "V"
    if 0x11A8 <= code <= 0x11FF or 0xD7CB <= code <= 0xD7FB:
        return "T"
    if 0xAC00 <= code <= 0xD7A3:
        return "LV" if (code - 0xAC00) % 28 == 0 else "LVT"
    return ""


def visible(text: str) -> str:
    """Return the text with control characters as pictures, fit for HTML: new lines and tabs stay.

    >>> visible("a\\x00b\\x07\\r\\n")
    'a␀b␇\\n'
    """
    return "".join(_shown(c) for c in text.replace("\r\n", "\n"))


def _shown(char: str) -> str:
    code = ord(char)
    if char in "\n\t":
        return char
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    # C1 controls, lone surrogates and non-characters cannot stand in an HTML file.
    if 0x80 <= code < 0xA0 or 0xD800 <= code < 0xE000 or 0xFDD0 <= code < 0xFDF0 or code & 0xFFFE == 0xFFFE:
        return "\ufffd"
    return char


@lru_cache(maxsize=4096)
def tag(code: str) -> str:
    """Return the BCP 47 tag of a language for HTML's ``lang``: it chooses the shapes of Han characters.

    Browsers know the macro-language of Chinese only, and Korean in its usual mix of scripts needs no script.

    >>> tag("cmn_Hans"), tag("arb_Arab"), tag("fra_Latn"), tag("kor_Hang")
    ('zh-Hans', 'ar', 'fr', 'ko')
    """
    given = code.replace("_Hang", "_Kore").replace("_", "-")
    import langcodes

    return str(langcodes.get(given).prefer_macrolanguage().simplify_script())
