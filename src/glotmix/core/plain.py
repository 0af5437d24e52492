"""Text of others', shown as what it is: control and direction characters are spelled out, and obeyed by nobody.

A file name, a column or a setting may hold an escape sequence of the terminal, a line break, or one of Unicode's marks
that turn the direction of what follows (CVE-2021-42574). A reader must see them.
"""

import re

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_OBEYED = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_BIDI}\u2028\u2029\ufeff\ud800-\udfff]")


def shown(text: str) -> str:
    r"""Spell out what a terminal or a page would obey, line breaks and tabulators aside.

    >>> shown("a\x1b[2Jb\u202ec")
    'a\\x1b[2Jb\\u202ec'
    """
    return _OBEYED.sub(lambda found: _spelled(found[0]), text)


def line(text: str) -> str:
    r"""Spell out these, and line breaks and tabulators, so that a text stays one line.

    >>> line("one\ntwo")
    'one\\ntwo'
    """
    return shown(text).replace("\n", "\\n").replace("\t", "\\t")


def _spelled(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
