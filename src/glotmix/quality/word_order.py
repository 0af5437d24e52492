"""Whether words stand where words stand: what a model of each language's word order says of a text.

Perplexity under a model of a language's unlabelled text is CCNet's measure of quality (Wenzek et al. 2020, arXiv
1911.00359). Here the model is small, a bigram model of word classes (Brown et al. 1992): a frequent word is a class of
its own, any other is the class of its last three letters and its case, which carries the grammar of most languages. And
a text is held against itself: what its order says is the information that neighbours carry of each other, less the same
with the words shuffled. So a rare subject does not count as a fault. Where words are not separated, runs of letters
take their place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from glotmix.core.language import parse

VERSION = 1

COLUMNS = ("links", "order")
"""Mean log₂ P(class | class before) / P(class), and that less the same of the shuffled words. NaN for fewer than eight
words, and in languages without a model."""

FREQUENT = 300
"""Words that are classes of their own."""
RUN = 3
"""Letters that are a word where words are not separated."""
MOST = 500
"""Words of a text that are looked at, from its beginning."""
LEAST = 8
LEAST_KNOWN = 2_000
"""Words that a language's unlabelled texts must have: with fewer there is no model."""
PRIOR = 3.0
"""Weight of P(class) in P(class | class before), in observations (a Dirichlet prior)."""


@dataclass(frozen=True)
class Order:
    """The model of one language; words, classes and pairs of classes are known by 32-bit hashes.

    Args:
        frequent: (k,) sorted.
        classes: (c,) sorted.
        counts: (c,) how often each class was seen.
        pairs: (p,) sorted.
        pair_counts: (p,).
    """

    frequent: NDArray[np.uint32]
    classes: NDArray[np.uint32]
    counts: NDArray[np.int64]
    pairs: NDArray[np.uint32]
    pair_counts: NDArray[np.int64]

    def measure(self, words: Sequence[str]) -> list[float]:
        """Return the `COLUMNS` of a text's words."""
        if len(words) < LEAST:
            return [np.nan] * len(COLUMNS)
        classes = _classes(words, self.frequent)
        # The same shuffle for the same number of words: a text's numbers depend on it alone.
        mixed = classes[np.random.default_rng(len(classes)).permutation(len(classes))]
        links = self._links(classes)
        return [links, links - self._links(mixed)]

    def _links(self, classes: NDArray[np.uint32]) -> float:
        total = self.counts.sum()
        each = _look_up(classes, self.classes, self.counts)
        alone = (each[1:] + 0.5) / (total + 0.5 * len(self.classes))
        both = _look_up(_paired(classes), self.pairs, self.pair_counts)
        return float(np.mean(np.log2((both + PRIOR * alone) / (each[:-1] + PRIOR) / alone)))


def learn(texts: Sequence[str], lang: str) -> Order | None:
    """Learn the word order of a language from its texts; None if they are too few.

    The same for the same texts in any order.
    """
    each = [words(text, lang, None) for text in texts]
    every, many = np.unique(_hashes([word for text in each for word in text]), return_counts=True)
    if many.sum() < LEAST_KNOWN:
        return None
    frequent = np.sort(every[np.lexsort((every, -many))[:FREQUENT]])
    classes = [_classes(text, frequent) for text in each]
    known, counts = np.unique(np.concatenate(classes), return_counts=True)
    pairs, pair_counts = np.unique(np.concatenate([_paired(c) for c in classes]), return_counts=True)
    return Order(frequent, known, counts, pairs, pair_counts)


@dataclass(frozen=True)
class Wording:
    """The models of several languages, by code."""

    orders: dict[str, Order]

    def measure(self, texts: Sequence[str], langs: Sequence[str]) -> NDArray[np.float64]:
        """Return (texts, columns) of `COLUMNS`."""
        found = np.full((len(texts), len(COLUMNS)), np.nan)
        for at, (text, lang) in enumerate(zip(texts, langs, strict=True)):
            if lang in self.orders:
                found[at] = self.orders[lang].measure(words(text, lang))
        return found

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the models as named arrays."""
        return {f"{lang}.{name}": value for lang, one in self.orders.items() for name, value in vars(one).items()}

    @classmethod
    def of(cls, held: Mapping[str, NDArray[Any]]) -> "Wording":
        """Return the models from what `tensors` gave."""
        parts: dict[str, dict[str, NDArray[Any]]] = {}
        for name, value in held.items():
            lang, _, part = name.partition(".")
            parts.setdefault(lang, {})[part] = value
        return cls({lang: Order(**own) for lang, own in sorted(parts.items())})

    @classmethod
    def fit(cls, texts: Sequence[str], langs: Sequence[str]) -> "Wording":
        """Learn the languages that have enough text."""
        own: dict[str, list[str]] = {}
        for text, lang in zip(texts, langs, strict=True):
            own.setdefault(lang, []).append(text)
        found = {lang: learn(mine, lang) for lang, mine in sorted(own.items())}
        return cls({lang: one for lang, one in found.items() if one is not None})


def words(text: str, lang: str, most: int | None = MOST) -> list[str]:
    """Return the words of a text, in runs of `RUN` letters where they are not separated.

    >>> words("Sie geht heim.", "deu_Latn"), words("市场八点开门", "zho_Hans")
    (['Sie', 'geht', 'heim.'], ['市场八', '点开门'])
    """
    if _spaced(lang):
        return text.split()[:most]
    runs = [line[at : at + RUN] for line in text.split("\n") for at in range(0, len(line), RUN)]
    return runs[:most]


@lru_cache(maxsize=1024)
def _spaced(lang: str) -> bool:
    return parse(lang).spaced


def _classes(words: Sequence[str], frequent: NDArray[np.uint32]) -> NDArray[np.uint32]:
    own = _hashes(words)
    others = _hashes([("U" if word[:1].isupper() else "l") + word.lower()[-3:] for word in words])
    return np.where(np.isin(own, frequent), own, others)


def _paired(classes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    both = classes[:-1].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + classes[1:]
    both = (both ^ (both >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    return np.asarray(both >> np.uint64(32), np.uint32)


def _hashes(words: Sequence[str]) -> NDArray[np.uint32]:
    return np.array([_hash(word) for word in words], np.uint32)


@lru_cache(maxsize=2**18)
def _hash(word: str) -> int:
    return crc32(word.encode())


def _look_up(wanted: NDArray[np.uint32], keys: NDArray[np.uint32], values: NDArray[np.int64]) -> NDArray[np.float64]:
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], 0).astype(float)
