"""Shingles by their definition, in plain Python: what the native loops are tested against."""

import re
import unicodedata
from functools import cache

from glotmix.native import folding


@cache
def folded(char: str) -> str:
    if "\uac00" <= char <= "\ud7a3":
        return unicodedata.normalize("NFD", char)
    return folding.fold(char)


def is_number(char: str) -> bool:
    return unicodedata.category(char)[0] == "N"


def slow_fold(text: str) -> str:
    """The same by way of Python's own tables: characters folded one by one, runs of numbers as one zero."""
    if (figures := _figures(text)) is not None:
        return figures
    units: list[str] = []
    number = False
    for char in "".join(map(folded, text)):
        if not (is_number(char) and number):
            units.append("0" if is_number(char) else char)
        number = is_number(char)
    return "".join(units) or text


def _figures(text: str) -> str | None:
    """A text of numbers, with its digits and signs and each stretch of white space as one space; None for another."""
    found = "".join(map(folded, text))
    digits = sum(map(is_number, found))
    if digits <= sum(folding.weight(ord(c)) for c in found if not is_number(c)):
        return None
    units = []
    for char in text:
        kinds = [] if "\uac00" <= char <= "\ud7a3" else folding.parts(char)
        if kinds:
            units += [part for kind, part in kinds if kind != folding.MARK]
        elif folded(char):
            units.append(folded(char))
        elif char.isspace():
            units.append(" ")
        elif unicodedata.category(char) not in ("Cf", "Cc", "Mn", "Me", "Lo"):
            units.append(char)
    return re.sub(" +", " ", "".join(units).removeprefix(" "))


def slow_shingles(text: str, width: int = 20) -> set[str]:
    """The shingles of a text by their definition: from every end back to where the weight reaches the width."""
    units = slow_fold(text)
    weights = [folding.weight(ord(c)) for c in units]
    found = set()
    for end in range(1, len(units) + 1):
        total, begin = 0, end
        while begin > 0 and total < width:
            begin -= 1
            total += weights[begin]
        if total >= width:
            found.add(units[begin:end])
    return found or {units}
