"""What parallel text is dropped for, unit by unit, each drop with its reason.

A version of a unit is judged against the unit's pivot: the version in the language that most units have. So a unit of
many languages loses a bad version, and is itself dropped only where fewer than two are left.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from glotmix.align.packing import Unit
from glotmix.core import language
from glotmix.signals import confusions, language_id
from glotmix.signals.identifiers import Identifier

VERSION = 2

LENGTHS = 30
"""Units of two languages from which on their own usual ratio of lengths is known; else 1, spread 0.35."""

RATIO = 3.5
"""Deviations (of the middle, scaled as a normal's) that a length may be away from what is usual."""

LEAST_SPREAD = 0.25
"""Spread of the logarithm of lengths that is granted to all: units of one length prove nothing of the next."""

COPIED = 0.6
"""Part of the five-letter shingles of a text that may stand in its source."""

SURE = 0.8
"""Certainty with which a text must read as another language to be dropped for it."""

SHARED = 0.5
"""Part of the numbers of two digits and more, and of the addresses, of both versions together, that both must have."""

_NUMBER = re.compile(r"\d(?:[\d.,٫٬'’\u00a0\u202f ](?=\d)|\d)*")
# An address ends at a bracket, and at the first sign that is not of ASCII: many scripts put no space behind it.
_ADDRESS = re.compile(r"(?:https?://|www\.)[!#-'*-;=?-Z\\^-~]+|[\w.+-]+@[\w-]+\.[\w.]+", re.IGNORECASE | re.ASCII)
_MONTH = re.compile(r"(?<!\d)\d{1,2}\s?[月월]")

REASONS = {
    "empty": "no letter is left",
    "no key": "nothing says whose translation it is",
    "same language": "another version of the unit is in this language, and comes before",
    "length ratio": "far longer or shorter than is usual between the two languages",
    "copied": "most of it stands in the other version",
    "numbers": "the numbers are others",
    "addresses": "the addresses of the web or of mail are others",
    "language": "it reads as another language than it should",
    "score": "below the line that keeps the stated precision",
    "duplicate": "the same versions came before",
    "evaluation": "it, or a translation of it, holds an item of an evaluation set",
    "alone": "no other version of the unit is left",
}
"""Every reason that a version may be dropped for."""


@dataclass(frozen=True)
class Usual:
    """The usual logarithm of the ratio of lengths from one language to another, in characters, and its spread."""

    middle: float
    spread: float


def pivots(units: Sequence[Unit]) -> list[str]:
    """Return the pivot of each unit: its language that most units have; of equals the first by code."""
    held = Counter(lang for unit in units for lang in unit.versions)
    return [min(unit.versions, key=lambda lang: (-held[lang], lang)) for unit in units]


def usual(units: Sequence[Unit], mains: Sequence[str]) -> dict[tuple[str, str], Usual]:
    """Return what is usual between pivot and language, learned from the units: a median and a spread."""
    ratios: dict[tuple[str, str], list[float]] = {}
    for unit, main in zip(units, mains, strict=True):
        base = _length(unit.versions[main])
        for lang, text in unit.versions.items():
            if lang != main:
                ratios.setdefault((main, lang), []).append(np.log(_length(text) / base))
    found = {}
    for pair, values in ratios.items():
        middle = float(np.median(values)) if len(values) >= LENGTHS else 0.0
        spread = 1.4826 * float(np.median(np.abs(np.array(values) - middle))) if len(values) >= LENGTHS else 0.35
        found[pair] = Usual(middle, max(spread, LEAST_SPREAD))
    return found


def _length(text: str) -> int:
    # Characters of Chinese hold more than letters do, and so on: the median of the two languages says how much.
    return max(1, len(text.strip()))


def judge(units: Sequence[Unit], identifier: Identifier | None) -> list[dict[str, str]]:
    """Return for each unit the languages whose versions are dropped, with the reasons (of `REASONS`).

    Args:
        units: what is judged; what is usual is learned from them.
        identifier: of languages; None for not looking.
    """
    mains = pivots(units)
    known = usual(units, mains)
    wrong = misread(units, identifier) if identifier is not None else {}
    seen: set[tuple[tuple[str, str], ...]] = set()
    dropped: list[dict[str, str]] = []
    for number, (unit, main) in enumerate(zip(units, mains, strict=True)):
        key = tuple(sorted((lang, text.strip()) for lang, text in unit.versions.items()))
        if key in seen:
            dropped.append(dict.fromkeys(unit.versions, "duplicate"))
            continue
        seen.add(key)
        found: dict[str, str] = {}
        for lang, text in unit.versions.items():
            if not any(char.isalpha() for char in text):
                found[lang] = "empty"
            elif (number, lang) in wrong:
                found[lang] = "language"
        if main not in found:
            for lang, text in unit.versions.items():
                if lang != main and lang not in found:
                    reason = _compared(unit.versions[main], text, known[main, lang])
                    found |= {lang: reason} if reason else {}
        dropped.append(left_alone(unit.versions, found))
    return dropped


def left_alone(versions: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str]:
    """Return the drops of a unit with those that they leave alone."""
    rest = [lang for lang in versions if lang not in found]
    return {**found, **({rest[0]: "alone"} if len(rest) == 1 else {})}


def _compared(source: str, text: str, usually: Usual) -> str | None:
    off = abs(np.log(_length(text) / _length(source)) - usually.middle)
    # A word may be twice as long as its translation; a paragraph hardly.
    granted = usually.spread * np.sqrt(1 + 6 / min(_length(text), _length(source)))
    if off > RATIO * granted:
        return "length ratio"
    if copied(source, text) > COPIED:
        return "copied"
    for reason, found in (("addresses", addresses), ("numbers", amounts)):
        one, other = found(source), found(text)
        both = sum((one & other).values())
        if both < SHARED * (sum(one.values()) + sum(other.values()) - both):
            return reason
    return None


def amounts(text: str) -> Counter[str]:
    """Return the numbers of a text as they compare across languages: without the zeros at their ends, and no months.

    Languages count in other steps (380,000 is 38 times ten thousand), and name months by numbers or by words.

    >>> amounts("380,000 in October") == amounts("10月に38万") == Counter(["38"])
    True
    """
    found: Counter[str] = Counter()
    for digits, times in numbers(_MONTH.sub(" ", text)).items():
        if digits := digits.strip("0"):
            found[digits] += times
    return found


def numbers(text: str) -> Counter[str]:
    """Return the numbers of two digits and more, in whatever digits: one digit is often spelled out in a translation.

    >>> sorted(numbers("In 1999, ٢٠٠٠ and 3 of 1.250,5"))
    ['12505', '1999', '2000']
    """
    found: Counter[str] = Counter()
    for match in _NUMBER.finditer(_ADDRESS.sub(" ", text)):
        digits = "".join(
            str(unicodedata.digit(c)) for c in match[0] if c.isdigit() and unicodedata.digit(c, None) is not None
        )
        if len(digits) > 1:
            found[digits] += 1
    return found


def agreement(mine: Set[str], theirs: Set[str]) -> float:
    """Return the part of the numbers of two texts, each counted once, that both have; one is added to both counts.

    >>> agreement({"1999", "2004"}, {"1999", "2004"}), agreement(set(), set()), agreement({"1999"}, {"2004"})
    (1.0, 1.0, 0.3333333333333333)
    """
    return (len(mine & theirs) + 1) / (len(mine | theirs) + 1)


def addresses(text: str) -> Counter[str]:
    """Return addresses of the web and of mail.

    >>> sorted(addresses("see https://a.example/b. or mail me@c.example"))
    ['https://a.example/b', 'me@c.example']
    """
    return Counter(match[0].rstrip(".,;:!?*_}").lower() for match in _ADDRESS.finditer(text))


def copied(source: str, text: str) -> float:
    """Return the part of a text's five-letter shingles that stand in its source too, case aside.

    >>> copied("Hello World", "hello world"), copied("Good morning", "Guten Morgen")
    (1.0, 0.0)
    """
    one, other = ({t[i : i + 5] for i in range(max(1, len(t) - 4))} for t in (_folded(source), _folded(text)))
    return len(one & other) / len(other) if other else 0.0


def _folded(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalpha() or unicodedata.category(char)[0] == "M")


def misread(units: Sequence[Unit], identifier: Identifier) -> set[tuple[int, str]]:
    """Return the unit and language of every version that surely reads as a language that its own cannot be."""
    places = [(number, lang) for number, unit in enumerate(units) for lang in unit.versions]
    texts = pa.array([units[number].versions[lang] for number, lang in places], pa.string())
    declared = pa.array([lang for _, lang in places], pa.string())
    read = language_id.identify(texts, declared, identifier, language_id.MAX_CHARS)
    agrees = read.field("agrees").to_pylist()
    sure = np.nan_to_num(read.field("score").to_numpy(zero_copy_only=False).astype(np.float64))
    labels = read.field("label").to_pylist()
    wrong = set()
    for place, fits, certain, label in zip(places, agrees, sure.tolist(), labels, strict=True):
        if fits is False and certain >= SURE and label is not None and not _kin(label, place[1]):
            wrong.add(place)
    return wrong


def _kin(label: str, lang: str) -> bool:
    """Say whether one is likely taken for the other: both of one macrolanguage, or of those that nobody tells apart."""
    if not confusions.apart(lang, label):
        return True
    one, other = (language.macro(code.partition("_")[0]) or code.partition("_")[0] for code in (label, lang))
    return one == other
