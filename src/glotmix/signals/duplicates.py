"""The signal `duplicates`: which documents say nearly the same, and in how many sources they stand.

Candidates come from the bands of the signatures; candidate pairs are checked by their exact or estimated Jaccard
similarity; clusters are the connected components of what is left. The result depends on no order of documents, no
shards, no number of workers. docs/duplicates.md has the reasons and the figures.
"""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import Field

from glotmix import table
from glotmix.errors import DataError
from glotmix.record import Counts, Output
from glotmix.signals import candidates, refine
from glotmix.signals.signatures import SignatureConfig, band, curve, nodes

VERSION = 1

_SPILL = ".spill"


class DuplicatesConfig(SignatureConfig):
    """What counts as a near-duplicate."""

    verify: Literal["off", "estimated", "exact"] = Field(
        "exact",
        description="off: every candidate is a duplicate; estimated: by the signatures alone; exact: by the texts",
    )
    threshold: float = Field(0.8, gt=0, le=1, description="the Jaccard similarity that makes a near-duplicate")

    @property
    def signature(self) -> SignatureConfig:
        """The part that changes a signature."""
        return SignatureConfig(bands=self.bands, rows=self.rows, shingle=self.shingle)


class Documents(NamedTuple):
    """What clustering knows of n documents, in the order of the corpus.

    `files` are the parts of the signatures; `nodes` (n,) int64 are hashes of the ids; `content` (n,) int64 of the
    texts; `shingles` (n,) int64 counts; `source` (n,) int64 numbers of independent sources.
    """

    files: list[Path]
    nodes: NDArray[np.int64]
    content: NDArray[np.int64]
    shingles: NDArray[np.int64]
    source: NDArray[np.int64]


def make(
    output: Output,
    signatures: Path,
    corpus: Path,
    config: DuplicatesConfig,
    derived_from: Mapping[str, str] | None = None,
) -> Counts:
    """Write the signal: ``id, cluster, cluster_size, content, sources``, in the order and parts of the signatures.

    Args:
        output: the signal under construction.
        signatures: the finished signatures of `corpus`.
        corpus: the corpus; its texts are read only to verify, and only those of candidates.
        config: bands, rows and shingle must be those of the signatures.
        derived_from: source → the source that it was made from; such sources count as one.

    Returns:
        ``documents``, ``clusters`` (of two and more), ``duplicates`` (documents beyond the first of each
        cluster), ``exact`` (those with the text of another), ``candidates`` (documents with a partner to be
        checked), ``pairs_compared``, ``pairs_linked``, ``pairs_skipped`` (at most, by `refine.CAP`).

    Raises:
        DataError: if the signatures are not those of the corpus or of the configuration.
    """
    documents = load(signatures, corpus, config, derived_from or {})
    groups = candidates.in_memory(documents.files, config.bands, documents.nodes)
    involved = np.bincount(groups)[groups] > 1
    counts: Counts = {"candidates": int(involved.sum())}
    if config.verify == "off":
        labels = groups
    else:
        labels = np.arange(len(groups), dtype=np.int64)
        rows = np.flatnonzero(involved)
        for mine, checked in _checked(output, corpus, documents, config, rows, groups[rows]):
            labels[mine] = mine[checked.labels]
            for name in ("compared", "linked", "skipped"):
                counts[f"pairs_{name}"] = counts.get(f"pairs_{name}", 0) + int(getattr(checked, name))
    shutil.rmtree(output.path / _SPILL, ignore_errors=True)
    output.notes["chance of becoming candidates, by similarity"] = dict(curve(config))
    return counts | _write(output, documents, labels)


def load(signatures: Path, corpus: Path, config: SignatureConfig, derived_from: Mapping[str, str]) -> Documents:
    """Return what clustering needs of all documents, and check that signatures and corpus belong together."""
    files = table.shards(signatures)
    if not files:
        raise DataError(f"{signatures} holds no signatures", "glotmix signals")
    known = [n for n in pq.read_schema(files[0]).names if n.startswith("band_")]
    if known != [band(b) for b in range(config.bands)]:
        raise DataError(f"{signatures} has {len(known)} bands, and {config.bands} are asked for", "glotmix signals")
    own = nodes(table.read(files, ["id"])["id"])
    if len(np.unique(own)) != len(own):
        raise DataError(f"{signatures}: two ids have one hash; ids must be unique")
    shards = table.shards(corpus)
    source = table.read(shards, ["source"])["source"].combine_chunks().dictionary_encode()
    if len(source) != len(own):
        raise DataError(f"{signatures} has {len(own):,} documents, {corpus} has {len(source):,}", "glotmix signals")
    roots = [root(name, derived_from) for name in source.dictionary.to_pylist()]
    number = {name: i for i, name in enumerate(sorted(set(roots)))}
    independent = np.array([number[r] for r in roots], np.int64)[source.indices.to_numpy()]
    return Documents(files, own, candidates.column(files, "content"), candidates.column(files, "shingles"), independent)


def root(source: str, derived_from: Mapping[str, str]) -> str:
    """Return the source at the end of the chain of `derived_from`.

    >>> root("c", {"c": "b", "b": "a"})
    'a'

    Raises:
        DataError: if the chain is a circle.
    """
    seen = [source]
    while seen[-1] in derived_from:
        seen.append(derived_from[seen[-1]])
        if seen[-1] in seen[:-1]:
            raise DataError(f"derived_from goes in a circle: {' → '.join(seen)}", "remove one of these")
    return seen[-1]


def _checked(
    output: Output,
    corpus: Path,
    documents: Documents,
    config: DuplicatesConfig,
    rows: NDArray[np.int64],
    groups: NDArray[np.int64],
) -> Iterator[tuple[NDArray[np.int64], refine.Checked]]:
    """Yield partitions of the candidates: the rows of their documents, by hash of id, and their clusters."""
    parts = int(documents.shingles[rows].sum()) // refine.PARTITION_SHINGLES + 1
    partition = groups % parts
    if config.verify == "exact":
        folder = output.path / _SPILL
        refine.spill(corpus, pa.table({"node": documents.nodes[rows], "partition": partition}), folder)
    for number in range(parts):
        mine = rows[partition == number]
        if not len(mine):
            continue
        mine = mine[np.argsort(documents.nodes[mine])]
        if config.verify == "exact":
            found = refine.spilled(folder, number)
            if not np.array_equal(found["node"].to_numpy(), documents.nodes[mine]):
                raise DataError(f"{corpus} is not the corpus that was signed", "glotmix signals")
            yield mine, refine.exact(found["text"].combine_chunks(), config, config.threshold)
        else:
            yield mine, refine.estimated(*_sketches(documents.files, config, mine), config.threshold)


def _sketches(
    files: list[Path], config: SignatureConfig, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    taken = pa.array(rows)
    keys = np.stack([candidates.column(files, band(b))[rows] for b in range(config.bands)], axis=1)
    bins = config.bands * config.rows
    sketch = table.read(files, ["sketch"])["sketch"].take(taken).combine_chunks()
    return np.ascontiguousarray(keys), np.frombuffer(b"".join(sketch.to_pylist()), np.uint8).reshape(-1, bins)


def _write(output: Output, documents: Documents, labels: NDArray[np.int64]) -> Counts:
    _, labels = np.unique(labels, return_inverse=True)
    size = np.bincount(labels)
    crowded = np.flatnonzero(size[labels] > 1)
    pairs = np.unique(np.stack([labels[crowded], documents.source[crowded]]), axis=1)
    sources = np.ones(len(size), np.int64)
    sources[np.unique(labels[crowded])] = np.bincount(pairs[0], minlength=len(size))[np.unique(labels[crowded])]
    smallest = _smallest(documents.files, labels, crowded, len(size))
    starts = np.cumsum([0] + [pq.read_metadata(f).num_rows for f in documents.files])

    def part(number: int, folder: Path) -> Counts:
        file = documents.files[number]
        rows = slice(starts[number], starts[number + 1])
        ids = pq.read_table(file, columns=["id"], partitioning=None)["id"].combine_chunks()
        mine = labels[rows]
        alone = pa.array(size[mine] == 1)
        columns = {
            "id": ids,
            "cluster": pc.if_else(alone, ids, smallest.take(pa.array(mine))),
            "cluster_size": pa.array(size[mine].astype(np.int32)),
            "content": pa.array(documents.content[rows]),
            "sources": pa.array(sources[mine].astype(np.int32)),
        }
        table.write(pa.table(columns), folder / file.name)
        return {"documents": len(ids)}

    counts = output.each({f.stem: n for n, f in enumerate(documents.files)}, part)
    inside = np.unique(np.stack([labels[crowded], documents.content[crowded]]), axis=1).shape[1]
    clusters = int((size > 1).sum())
    return counts | {
        "clusters": clusters,
        "duplicates": len(crowded) - clusters,
        "exact": len(crowded) - inside,
    }


def _smallest(files: list[Path], labels: NDArray[np.int64], crowded: NDArray[np.int64], clusters: int) -> pa.Array:
    """Return the smallest id of each cluster of two and more; null for the others."""
    ids = table.read(files, ["id"])["id"].take(pa.array(crowded))
    first = pa.table({"label": labels[crowded], "id": ids}).group_by("label").aggregate([("id", "min")])
    place = np.full(clusters, -1, np.int64)
    place[first["label"].to_numpy()] = np.arange(first.num_rows)
    return first["id_min"].combine_chunks().take(pa.array(place, mask=place < 0))
