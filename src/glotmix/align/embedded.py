"""Documents of a part of the work, cut into sentences and embedded once, however many candidates they stand in."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glotmix.align import filters, sentences
from glotmix.align.documents import Ints
from glotmix.align.sentences import Sentences
from glotmix.align.staged import read_texts
from glotmix.embed.protocol import Embedder

HELD_BYTES = 64 * 2**20
"""Of vectors that are held; with more, all are forgotten, whatever machine this is: a part has the same bytes."""


@dataclass(frozen=True)
class Document:
    """What alignments ask of a document.

    Args:
        sentences: cut and embedded.
        numbers: those of its text.
    """

    sentences: Sentences
    numbers: frozenset[str]


class Documents:
    """Documents by their language and place: the same one stands among the candidates of many other languages.

    Args:
        staged: where the texts lie.
        embedder: of sentences.
    """

    def __init__(self, staged: Path, embedder: Embedder) -> None:
        self._staged, self._embedder = staged, embedder
        self._held: dict[tuple[str, int], Document] = {}
        self._bytes = 0

    def of(self, lang: str, places: Ints) -> list[Document]:
        """Return the documents of a language at these places, (n,), in their order."""
        if self._bytes > HELD_BYTES:
            self._held.clear()
            self._bytes = 0
        new = [place for place in np.unique(places).tolist() if (lang, place) not in self._held]
        if new:
            texts = read_texts(self._staged, lang, np.array(new, np.int64))
            cut = sentences.sentences(texts, lang, self._embedder)
            for place, text, one in zip(new, texts, cut, strict=True):
                self._held[lang, place] = Document(one, frozenset(filters.numbers(text)))
                self._bytes += one.single.nbytes + one.double.nbytes
        return [self._held[lang, place] for place in places.tolist()]
