"""From documents to cells: clusters of meaning in each language, taken apart by source, small ones joined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from glotmix.combine.documents import Document
from glotmix.core.errors import DataError
from glotmix.embed.protocol import Embedder
from glotmix.mix.accounting import Array
from glotmix.select import diversify

Vectors: TypeAlias = NDArray[np.float32]
CHARS = 2000
"""Characters of a document that are embedded."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One cell.

    Args:
        name: language, group and number of its cluster.
        lang: canonical code.
        group: source, band or column.
        cluster: number within the language.
        members: positions of its documents, in the order in which they are read.
        centre: mean direction of its documents, centred on the language, length one.
        spread: mean cosine of its documents with it.
    """

    name: str
    lang: str
    group: str
    cluster: int
    members: tuple[int, ...]
    centre: Array
    spread: float


def vectors(documents: Sequence[Document], embedder: Embedder) -> Vectors:
    """Return the meaning of every document, centred on its language, length one, shape (n, w).

    Not centred, two texts of a language are alike because they are of it.
    """
    found = embedder.embed([one.whole[:CHARS] for one in documents]).astype(np.float32)
    langs = np.array([one.lang for one in documents])
    for lang in np.unique(langs):
        mine = langs == lang
        found[mine] -= found[mine].mean(axis=0)
    norm = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found / np.where(norm > 0, norm, 1), np.float32)


FEWEST = 4
"""Cells of a language of which one chooses, at the least."""


def cells(
    documents: Sequence[Document], meaning: Vectors, count: int, least: int, seed: int, fewest: int = FEWEST
) -> list[Cell]:
    """Make the cells of one language.

    Args:
        documents: of it, that may be chosen.
        meaning: (n, w) their `vectors`.
        count: cells wanted, about.
        least: bytes that a cell must hold; a smaller one joins the nearest cell of its group.
        seed: of the clusters.
        fewest: cells that there must be.

    Raises:
        DataError: if there is text for fewer cells.
    """
    sizes = np.array([one.size for one in documents])
    groups = sorted({one.group for one in documents})
    held: list[tuple[str, int, list[int]]] = []
    # As many clusters as give the wanted number of cells: joined cells are made up for.
    clusters = max(1, round(count / len(groups)))
    for _ in range(6):
        labels = diversify.cluster(meaning, clusters, seed)
        held = []
        for group in groups:
            mine = {k: [] for k in range(clusters)}  # type: dict[int, list[int]]
            for at, one in enumerate(documents):
                if one.group == group:
                    mine[int(labels[at])].append(at)
            held += [(group, k, rows) for k, rows in _joined(mine, meaning, sizes, least).items()]
        if len(held) >= 0.85 * count or clusters >= 2 * count:
            break
        clusters = max(clusters + 1, round(clusters * count / max(len(held), 1)))
    if len(held) < fewest:
        raise DataError(
            f"{documents[0].lang} has text for {len(held)} cells of {least:,} bytes: {sizes.sum():,} bytes in all",
            "more text, or fewer tokens",
        )
    lang = documents[0].lang
    return [_cell(lang, group, k, rows, meaning) for group, k, rows in held]


def _joined(
    parts: Mapping[int, list[int]], meaning: Vectors, sizes: NDArray[np.int64], least: int
) -> dict[int, list[int]]:
    left = {k: rows for k, rows in parts.items() if rows}
    while len(left) > 1:
        small = min(left, key=lambda k: (sizes[left[k]].sum(), k))
        if sizes[left[small]].sum() >= least:
            break
        mean = {k: meaning[rows].mean(axis=0) for k, rows in left.items()}
        near = max((k for k in left if k != small), key=lambda k: (float(mean[k] @ mean[small]), -k))
        left[near] = sorted(left[near] + left.pop(small))
    return {k: rows for k, rows in left.items() if sizes[rows].sum() >= least}


def _cell(lang: str, group: str, cluster: int, rows: list[int], meaning: Vectors) -> Cell:
    mean = meaning[rows].astype(np.float64).mean(axis=0)
    length = float(np.linalg.norm(mean))
    name = " ".join(part for part in (lang, group, f"{cluster:02d}") if part)
    return Cell(name, lang, group, cluster, tuple(rows), mean / length if length > 0 else mean, length)
