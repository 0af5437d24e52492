"""Near-duplicate clusters of a corpus whose hashes fit into memory: those of the queries, without an engine's cost."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core import flight, table
from glotmix.core.errors import DataError
from glotmix.core.record import Counts
from glotmix.signals import candidates, refine
from glotmix.signals.aligned import aligned
from glotmix.signals.clusters import DuplicatesConfig
from glotmix.signals.evidence import Deal, deal, dealt
from glotmix.signals.origins import Independence
from glotmix.signals.signatures import band, nodes

SHARES = 32
"""Shares of the candidates that are checked apart, at least: whichever cores are free take the next."""

Labels = tuple[NDArray[np.int64], NDArray[np.int64]]
"""The node of each document that has a candidate, increasing, and the smallest node of its cluster: two (m,) int64."""


@dataclass(frozen=True)
class Found:
    """What there is to say of a corpus.

    Args:
        facts: ``node, cluster, cluster_size, sources`` of the documents in clusters of two and more, sorted by node.
        counts: see `glotmix.signals.duplicates.make`.
        also: the texts of the documents that were asked for besides: ``node, text``.
    """

    facts: pa.Table
    counts: Counts
    also: pa.Table


def find(
    files: Sequence[Path],
    corpus: Path,
    config: DuplicatesConfig,
    count: Independence,
    also: NDArray[np.int64],
    scratch: Path,
) -> Found:
    """Find the clusters of a corpus.

    Args:
        files: its signatures.
        corpus: the corpus, its shards in the order of the signatures.
        config: what counts as a near-duplicate.
        count: how many independent sources some sources are.
        also: nodes of documents whose texts are wanted, too, increasing: so that texts are read once for both.
        scratch: a folder to work in.

    Raises:
        DataError: if the corpus is not the one that was signed, or two of its ids are the same.
    """
    members = candidates.in_memory(files, config.bands).sort_by("node")
    node, label = members["node"].to_numpy(), members["label"].to_numpy()
    if len(node) > 1 and not (node[1:] > node[:-1]).all():
        raise _unfit(corpus)
    counts: Counts = {"candidates": len(node)}
    exact = config.verify == "exact"
    shards = table.shards(corpus)
    parts = 0
    if config.verify != "off" and len(node):
        parts = max(_weight(files, node) // refine.PARTITION_SHINGLES + 1, min(SHARES, len(node)))
    dealt_to = Deal(node, np.abs(label) % max(parts, 1), parts)
    sampled = Deal(also, np.zeros(len(also), np.int64), 1)
    folder = scratch / "evidence"
    deal(shards, ["text"], [*([dealt_to] if exact else []), sampled], folder)
    texts = dealt(folder, parts if exact else 0, parts + 1 if exact else 1).combine_chunks()
    if parts:
        held = folder
        if not exact:
            held = scratch / "signatures"
            deal(files, ["sketch", *(band(b) for b in range(config.bands))], [dealt_to], held)
        (node, label), tally = _checked(held, dealt_to.partition, parts + exact, config)
        if not np.array_equal(node, dealt_to.wanted):
            raise _unfit(corpus)
        counts |= tally
        shutil.rmtree(held)
    shutil.rmtree(folder, ignore_errors=True)
    facts, summary = _facts((node, label), files, shards, count)
    return Found(facts, counts | summary, texts)


def _unfit(corpus: Path) -> DataError:
    return DataError(f"{corpus} is not the corpus that was signed, or two of its ids are the same")


def _weight(files: Sequence[Path], node: NDArray[np.int64]) -> int:
    """Return how many shingles the candidates have together."""

    def one(file: Path) -> int:
        rows = pq.read_table(file, columns=["id", "shingles"], partitioning=None)
        own = nodes(rows["id"])
        at = np.searchsorted(node, own)
        at[at == len(node)] = 0
        return int(rows["shingles"].to_numpy()[node[at] == own].sum())

    return sum(flight.spread(one, files))


def _checked(folder: Path, share: NDArray[np.int64], batches: int, config: DuplicatesConfig) -> tuple[Labels, Counts]:
    """Return the clusters of all partitions, and counts of pairs; `share` has the partition of each candidate."""
    assert config.verify != "off"
    verify = config.verify

    def one(number: int) -> tuple[refine.Checked, NDArray[np.int64]]:
        rows = dealt(folder, number, batches)
        checked, own = refine.verified(rows, verify, config, config.threshold)
        return checked, own.to_numpy()

    # By the label's hash some share may have no candidate at all.
    found = flight.spread(one, np.unique(share).tolist())
    node = np.concatenate([own for _, own in found])
    label = np.concatenate([own[checked.labels] for checked, own in found])
    order = np.argsort(node)
    tally = {f"pairs_{n}": sum(int(getattr(c, n)) for c, _ in found) for n in ("compared", "linked", "skipped")}
    return (node[order], label[order]), tally


def _facts(
    labels: Labels, files: Sequence[Path], shards: Sequence[Path], count: Independence
) -> tuple[pa.Table, Counts]:
    """Return the facts of the documents in clusters of two and more, and counts of them."""
    node, label = labels
    _, cluster, size = np.unique(label, return_inverse=True, return_counts=True)
    crowded = size[cluster] > 1
    held = pa.table({"node": node[crowded], "label": label[crowded]})
    texts = pa.concat_tables(flight.spread(partial(_with_label, held, "content"), files))
    sources = pa.concat_tables(flight.spread(partial(_with_label, held, "source"), shards))
    documents, groups = held.num_rows, int((size > 1).sum())
    different = texts.group_by(["label", "content"]).aggregate([]).num_rows
    summary = {"clusters": groups, "duplicates": documents - groups, "exact": documents - different}
    named = sources.group_by("label").aggregate([("id", "min"), ("id", "count"), ("source", "distinct")])
    columns = {
        "cluster": named["id_min"],
        "cluster_size": named["id_count"].cast(pa.int32()),
        "sources": pa.array([count(s) for s in named["source_distinct"].to_pylist()], pa.int32()),
    }
    facts = pa.table(columns).take(pc.index_in(held["label"], named["label"]))
    return facts.add_column(0, "node", held["node"]), summary


def _with_label(held: pa.Table, column: str, file: Path) -> pa.Table:
    """Return ``id``, a column and ``label`` of the documents of a file that `held` has."""
    rows = pq.read_table(file, columns=["id", column], partitioning=None)
    label = aligned(held, rows["id"].combine_chunks())["label"]
    return rows.append_column("label", label).filter(pc.is_valid(label))
