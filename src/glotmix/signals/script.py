"""The script that a text is written in, by the Unicode script of its characters.

Characters that any script may hold (digits, punctuation, marks, emoji) do not count. A character counts as many
letters as it stands for: 3 for a Chinese character, 2 for kana, a Hangul or an Ethiopic syllable, 1 otherwise, so that
a Chinese text with English names in it is Chinese. Chinese characters, kana and bopomofo are one writing: Japanese
where at least a twentieth of it is kana; otherwise traditional or simplified Chinese, whichever has more of the
characters that only it holds (``data/han.tsv``, from Unihan), and ``Hani`` where neither has more.
"""

from collections.abc import Collection
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.native.arrays import buffers
from glotmix.native.codepoints import codepoints
from glotmix.native.scripts import count_scripts

UNDETERMINED = "Zyyy"
"""The script of a text without letters."""

KANA_SHARE = 0.05
"""Of Chinese characters and kana together, the share of kana from which a text is Japanese. It lies in a wide gap: 99
of 100 Japanese web pages have more than 0.24, 99 of 100 Chinese ones less than 0.03 (docs/language.md)."""

HANGUL_SHARE = 0.05
"""Of Hangul and Chinese characters together, the share of Hangul from which a Korean text is in Hangul: older
newspapers and laws write most nouns in Chinese characters."""

OWN_SHARE = 0.25
"""The share of a text's letters from which a language's own script is that of the text, though another has more."""

_HAN = ("Hani", "Hans", "Hant", "Jpan")
_LETTERS = {"Hani": 3, "Hira": 2, "Kana": 2, "Bopo": 2, "Hang": 2, "Ethi": 2, "Yiii": 3}
_CHINESE = ("Hani", "Hans", "Hant", "Bopo")
_KANA = ("Hira", "Kana")


class Counted(NamedTuple):
    """How much of each script n texts hold.

    ``letters`` is (n, k) int64, with Chinese characters and kana as one script (``Hani``); ``kana`` (n,) is their part
    of it; ``best`` (n,) the column of most letters, in its form (Jpan, Hans, Hant), ``chinese`` (n,) the form of the
    Chinese characters alone; ``names`` are the k columns.
    """

    letters: NDArray[np.int64]
    kana: NDArray[np.int64]
    best: NDArray[np.int64]
    chinese: NDArray[np.int64]
    names: list[str]

    @property
    def dominant(self) -> pa.Array:
        """The ISO 15924 code of each text's script."""
        return self.named(self.best)

    @property
    def written(self) -> NDArray[np.bool_]:
        """Which texts hold a letter."""
        found: NDArray[np.bool_] = self.best != _positions()[UNDETERMINED]
        return found

    def has(self, script: str) -> NDArray[np.bool_]:
        """Return which texts hold a letter of a script (``Hani`` stands for all Chinese characters and kana)."""
        found: NDArray[np.bool_] = self.letters[:, _positions()[script]] > 0
        return found

    def of_language(self, scripts: Collection[str], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the script of some texts, a position in `names`, given that their language is written in `scripts`.

        That is the one of most letters, unless the language's own has a fair share: a Korean text may have more
        Chinese characters than Hangul, a Chinese one a name in kana, a Russian one more Latin letters than Cyrillic.
        """
        at = _positions()
        found, chinese = self.best[rows].copy(), self.chinese[rows]
        letters, kana = self.letters[rows], self.kana[rows]
        han, hangul = letters[:, at["Hani"]], letters[:, at["Hang"]]
        if not {"Hani", "Hans", "Hant"}.isdisjoint(scripts):
            named = (found == at["Jpan"]) & (2 * kana < han)
            found[named] = chinese[named]
        if "Hang" in scripts:
            mixed = np.isin(found, [at[s] for s in _HAN]) & (hangul >= HANGUL_SHARE * (han + hangul)) & (hangul > 0)
            found[mixed] = at["Hang"]
        foreign = ~np.isin(found, [at[s] for s in scripts if s in at])
        for script in sorted(s for s in scripts if s in at):
            own = han if script in _HAN else letters[:, at[script]]
            fair = foreign & (own > 0) & (own >= OWN_SHARE * letters.sum(axis=1))
            found[fair] = chinese[fair] if script in ("Hani", "Hans", "Hant") else at[script]
        return found

    def named(self, codes: NDArray[np.int64]) -> pa.Array:
        """Return the ISO 15924 codes of positions in `names`."""
        return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(self.names)).cast(pa.string())


def dominant_script(texts: pa.Array, max_chars: int = 2**62) -> pa.Array:
    """Return the ISO 15924 code of each text's script, as an Arrow array of strings.

    Args:
        texts: n strings, no nulls.
        max_chars: how many characters at the beginning of each are looked at.

    >>> dominant_script(pa.array(["Ça va ?", "Київ", "日本の首都", "汉语", "漢語", "中文", "42 🙂"])).to_pylist()
    ['Latn', 'Cyrl', 'Jpan', 'Hans', 'Hant', 'Hani', 'Zyyy']
    """
    return count(texts, max_chars).dominant


def count(texts: pa.Array, max_chars: int = 2**62) -> Counted:
    """Count the letters of each script in n texts; see `dominant_script`."""
    offsets, data = buffers(texts)
    classes, weights, names = _classes()
    counts = np.zeros((len(texts), len(names)), np.int64)
    count_scripts(offsets, data, classes, weights, max_chars, counts)
    at = _positions()
    kana = counts[:, [at[s] for s in _KANA]].sum(axis=1)
    chinese = counts[:, [at[s] for s in _CHINESE]].sum(axis=1)
    simplified, traditional = counts[:, at["Hans"]].copy(), counts[:, at["Hant"]].copy()
    counts[:, [at[s] for s in (*_KANA, *_CHINESE)]] = 0
    counts[:, at["Hani"]] = kana + chinese
    best = counts.argmax(axis=1)
    form = np.full(len(best), at["Hani"])
    form[simplified > traditional] = at["Hans"]
    form[simplified < traditional] = at["Hant"]
    han = best == at["Hani"]
    best[han] = form[han]
    best[han & (kana >= KANA_SHARE * (kana + chinese))] = at["Jpan"]
    best[~counts.any(axis=1)] = at[UNDETERMINED]
    return Counted(counts, kana, best, form, names)


@cache
def _positions() -> dict[str, int]:
    return {name: i for i, name in enumerate(_classes()[2])}


@cache
def _classes() -> tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]:
    """Return the class of each code point, the letters that one of each class stands for, and the classes' names."""
    _, scripts, known = codepoints()
    names = [*known, "Hans", "Hant", "Jpan"]
    classes = scripts.copy()
    for line in (files("glotmix") / "data/han.tsv").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            name, characters = line.split("\t")
            classes[[ord(c) for c in characters]] = names.index(name)
    letters = dict.fromkeys(names, 1) | _LETTERS | {"Hans": 3, "Hant": 3} | dict.fromkeys(("Zyyy", "Zinh", "Zzzz"), 0)
    return classes, np.array([letters[name] for name in names], np.int64), names
