"""Texts cut into units, lines and paragraphs: the arrays around `glotmix.native.text`.

A *unit* is a word where words are separated, and a letter with its marks where they are not: a run of letters, marks
and digits, in which an apostrophe between letters or a decimal point between digits may stand (as in Unicode standard
annex 29, but a full stop or colon between letters separates), except that a letter of a script written without spaces
(Han, kana, Thai, Lao, Khmer, Burmese …) is a unit of its own. What a character is decides, not the language, so the
Latin name in a Chinese text is one unit. Characters without appearance (category Cf) are as if they were not there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.native import text
from glotmix.native.arrays import buffers
from glotmix.native.codepoints import codepoints

ENDS = {";": 1, ":": 2, "፡፡": 3}
"""Signs that end a sentence in some languages and mean something else in others, as the native loop numbers them."""


class Stream(NamedTuple):
    """The pieces of n texts, end to end.

    ``starts`` (n + 1,) int64 is where those of each text begin; ``hashes`` (uint64) and ``chars`` (int32, characters)
    have one entry per piece, and room beyond the last.
    """

    starts: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    chars: NDArray[np.int32]


@dataclass(frozen=True)
class Profile:
    """What the loop must know of a language.

    Args:
        scripts: ISO 15924 codes (of Unicode's scripts) that it is written in; letters of others are foreign.
        short_units: a line of fewer units is short.
        end: a key of `ENDS`, or None.
        stop_words: hashes of its stop words (see `hashes_of`); may be empty.
    """

    scripts: frozenset[str]
    short_units: int = 5
    end: str | None = None
    stop_words: frozenset[int] = frozenset()


class Profiles:
    """Profiles, packed as arrays; made once per set of languages."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        names = codepoints().script_names
        common = {"Zyyy", "Zinh"}
        self.native = np.zeros((len(profiles), 256), np.uint8)
        for row, profile in enumerate(profiles):
            self.native[row, : len(names)] = [name in profile.scripts or name in common for name in names]
        self.short_units = np.array([p.short_units for p in profiles], np.int32)
        self.ends = np.array([ENDS[p.end] if p.end else 0 for p in profiles], np.int32)
        # The languages' words share one table: each language's hashes are made its own by a salt.
        salts = [(2 * i + 1) * 0xD1342543DE82EF95 % 2**64 if p.stop_words else 0 for i, p in enumerate(profiles)]
        self.salts = np.array(salts, np.uint64)
        self.stop_table = _hash_set([h ^ s for p, s in zip(profiles, salts, strict=True) for h in p.stop_words])


def scan(
    texts: pa.Array, profile: NDArray[np.int32], profiles: Profiles
) -> tuple[dict[str, NDArray[np.int64]], Stream, Stream, Stream]:
    """Count what stands in each text, and cut it.

    Args:
        texts: n strings, without nulls.
        profile: (n,) int32, the language of each, a position in `profiles`.
        profiles: of the languages.

    Returns:
        counts by the names of `glotmix.native.text.FIELDS`, each (n,) int64; units; lines; paragraphs.
    """
    offsets, data = buffers(texts)
    n = len(texts)
    room = (int(offsets[-1] - offsets[0]) + n) // 2 + 1
    units, lines, paragraphs = (
        Stream(np.zeros(n + 1, np.int64), np.empty(room, np.uint64), np.empty(room, np.int32)) for _ in range(3)
    )
    out = np.zeros((n, len(text.FIELDS)), np.int64)
    kinds, scripts, _ = codepoints()
    text.scan(
        offsets, data, kinds, scripts, profile, profiles.native, profiles.short_units, profiles.ends,
        profiles.salts, profiles.stop_table, out, units, lines, paragraphs,
    )  # fmt: skip
    return dict(zip(text.FIELDS, out.T, strict=True)), units, lines, paragraphs


def hashes_of(words: Sequence[str]) -> list[int]:
    """Return the hash that each word has as a unit; words that are not exactly one unit are left out."""
    n = len(words)
    _, units, _, _ = scan(pa.array(words, pa.string()), np.zeros(n, np.int32), Profiles([Profile(frozenset())]))
    single = np.flatnonzero(np.diff(units.starts) == 1)
    return [int(h) for h in units.hashes[units.starts[:-1][single]]]


def _hash_set(values: Sequence[int]) -> NDArray[np.uint64]:
    table = np.zeros(max(2, 1 << (4 * len(values)).bit_length()), np.uint64)
    mask = len(table) - 1
    for value in values:
        slot = value & mask
        while table[slot] and int(table[slot]) != value:
            slot = (slot + 1) & mask
        table[slot] = value
    return table
