"""Documents as tokens: what models read of cells and of sets of documents, and what is measured on held-out ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glotmix.combine.documents import Document
from glotmix.core.conversation import BLANK
from glotmix.core.errors import DataError
from glotmix.mix.accounting import Array
from glotmix.proxy import bits
from glotmix.proxy.model import Weights
from glotmix.proxy.size import Shape
from glotmix.proxy.texts import Ids, Texts, passage, starts
from glotmix.proxy.tokenizer import Pieces

Bears = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Row:
    """Documents in a row: tokens, and which of them bear loss; (n,) each. Each document is followed by the end."""

    ids: Ids
    bears: Bears

    def __len__(self) -> int:
        return len(self.ids)


def encoded(documents: Sequence[Document], pieces: Pieces) -> list[Row]:
    """Return the tokens of every document, without the end."""
    if not documents:
        return []
    lang = documents[0].lang
    asked = pieces.encode([f"{one.asked}{BLANK}" if one.asked else "" for one in documents], lang)
    said = pieces.encode([one.text for one in documents], lang)
    return [
        Row(np.concatenate([a, b]).astype(np.int32), np.repeat([False, True], [len(a), len(b)]))
        for a, b in zip(asked, said, strict=True)
    ]


def joined(rows: Sequence[Row], end: int) -> Row:
    """Return documents as one row."""
    ids = [part for row in rows for part in (row.ids, np.array([end], np.int32))]
    bears = [part for row in rows for part in (row.bears, np.array([True]))]
    return Row(np.concatenate(ids).astype(np.int32), np.concatenate(bears))


class Reading:
    """What K models read: windows of several rows (`glotmix.proxy.ensemble.Reading`)."""

    def __init__(
        self, rows: Mapping[str, Row], shares: Array, windows: int, context: int, seeds: Sequence[int]
    ) -> None:
        """Say who reads what.

        Args:
            rows: cells, or sets of documents, by name.
            shares: of the windows, (K, rows).
            windows: that each model reads.
            context: tokens per window.
            seeds: of the order, one a model. A row's windows are read in an order of their own, none twice before all
                were read.

        Raises:
            DataError: if a row that is wanted has not one window.
        """
        names = tuple(rows)
        for at, name in enumerate(names):
            if len(rows[name]) < context + 1 and shares[:, at].any():
                raise DataError(f"{name} has {len(rows[name])} tokens, and a window needs {context + 1}")
        texts = Texts(names, 0, 0, {name: rows[name].ids for name in names}, {}, {})
        everything = [np.inf] * len(names)
        offsets = np.cumsum([0, *(len(rows[name]) for name in names)])[:-1]
        found = [
            starts(texts, share.tolist(), windows, context, seed, everything)
            for share, seed in zip(shares, seeds, strict=True)
        ]
        self._starts = np.stack([offsets[w[:, 0]] + w[:, 1] for w in found])
        self._ids = np.concatenate([rows[name].ids for name in names])
        self._bears = np.concatenate([rows[name].bears for name in names])
        self._masked = not bool(self._bears.all())
        self._span = np.arange(context + 1)

    def batch(self, step: int, size: int, models: slice = slice(None)) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return inputs, targets and which of these bear loss, shape (K, size, T) each; None where all do."""
        at = self._starts[models, step * size : (step + 1) * size][..., None] + self._span
        ids = torch.from_numpy(self._ids[at].astype(np.int64))
        counts = torch.from_numpy(self._bears[at[..., 1:]]) if self._masked else None
        return ids[..., :-1], ids[..., 1:], counts


@dataclass(frozen=True, eq=False)
class Asked:
    """Held-out documents, ready to be measured.

    Args:
        documents: tokens of each, without the end.
        sizes: (n,) UTF-8 bytes of what is measured of each: its text, not what was asked.
    """

    documents: Sequence[Row]
    sizes: NDArray[np.int64]

    def bits(self, weights: Weights, shape: Shape, end: int) -> Array:
        """Return the bits of every document under every model, (K, n)."""
        return bits.by_document(
            weights, shape, [row.ids for row in self.documents], end, counted=[row.bears for row in self.documents]
        )


def asked(documents: Sequence[Document], pieces: Pieces, most: int, each: int) -> Asked:
    """Take held-out documents, those of least hash first, until there are bytes enough.

    Args:
        documents: in the order of their hash.
        pieces: the tokenizer.
        most: bytes in all, about.
        each: bytes of one that are measured: a passage.
    """
    taken: list[Document] = []
    for one in documents:
        if most <= 0:
            break
        # Of what was asked only the end is read: a window is short.
        before = one.asked.encode()[-each:].decode("utf-8", "ignore")
        taken.append(Document(one.id, one.lang, one.group, passage(one.text, each), before))
        most -= len(taken[-1].text.encode())
    return Asked(encoded(taken, pieces), np.array([len(one.text.encode()) for one in taken], np.int64))
