"""The self-test of the signal `duplicates`: what would it have found of duplicates that are known?

Documents of the corpus itself, some of every script, are copied with a known share of their text replaced, and the
whole search runs on originals and copies together, in the configuration of the run. Recall counts the pairs whose
exact similarity is at least the threshold; precision the pairs that were put into one cluster.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core import table
from glotmix.core.record import JSON
from glotmix.native import folding, link, shingles
from glotmix.native.arrays import buffers
from glotmix.signals.candidates import joined, node_of, stars
from glotmix.signals.clusters import DuplicatesConfig
from glotmix.signals.refine import verified
from glotmix.signals.signatures import band, nodes, sign

EDITS = (0.0, 0.01, 0.02, 0.05, 0.1)
"""Shares of the text that are replaced; at 0 only case, spaces and punctuation change."""

RUN = 30
"""Letters that are replaced at one place: a name, a date, a line of a template."""

SHORTEST = 200
"""Characters: in a shorter document the smallest share is less than two letters."""


class Finding(NamedTuple):
    """What the self-test found for one script: counts of pairs; shares with 95 % Wilson intervals.

    Of `near` pairs of a document and its copy (or of two documents) with the similarity, `found` were put together;
    of `linked` pairs that were put together, `right` have the similarity. A share of no pairs is None. `by_edit` has
    for each share of replaced text: copies, those that are near, those that were found.
    """

    script: str
    documents: int
    near: int
    found: int
    linked: int
    right: int
    by_edit: dict[str, list[int]]

    def as_json(self) -> dict[str, JSON]:
        """Return plain data with recall, precision and their intervals."""
        return {
            **{name: value for name, value in self._asdict().items() if name != "by_edit"},
            "by_edit": {rate: list(counts) for rate, counts in self.by_edit.items()},
            "recall": share(self.found, self.near),
            "recall_interval": wilson(self.found, self.near),
            "precision": share(self.right, self.linked),
            "precision_interval": wilson(self.right, self.linked),
        }


def share(hits: int, of: int) -> float | None:
    """Return hits / of, or None for no observation."""
    return hits / of if of else None


def wilson(hits: int, of: int) -> list[JSON] | None:
    """Return the 95 % Wilson interval of a share (Wilson 1927), or None for no observation.

    >>> [round(v, 3) for v in wilson(95, 100)]
    [0.888, 0.978]
    """
    if not of:
        return None
    z = 1.959963984540054
    centre, spread = hits + z * z / 2, z * (hits * (of - hits) / of + z * z / 4) ** 0.5
    return [max(0.0, (centre - spread) / (of + z * z)), min(1.0, (centre + spread) / (of + z * z))]


def run(sample: pa.Table, texts: pa.Table, config: DuplicatesConfig) -> list[Finding]:
    """Test the search on documents of a corpus; one finding for each script that has any long enough.

    Args:
        sample: see `chosen`.
        texts: ``node, text`` of these documents.
        config: the configuration that is tested.
    """
    rows = texts.join(sample, "node").sort_by([("script", "ascending"), ("node", "ascending")])
    rows = rows.filter(pc.greater_equal(pc.utf8_length(rows["text"]), SHORTEST))
    if not rows.num_rows:
        return []
    mixed = _with_copies(rows)
    return list(_findings(mixed, _labels(mixed, config), config))


def _labels(mixed: pa.Table, config: DuplicatesConfig) -> NDArray[np.int64]:
    """Return the cluster of each document, (n,) int64, as the search finds them."""
    text, own = mixed["text"].combine_chunks(), nodes(mixed["id"])
    signed = sign(config)(text)
    names = [field.name for field in signed.type]
    keys = [signed.field(band(b)) for b in range(config.bands)]
    labels = joined(len(own), (stars(key.to_numpy()) for key in keys))
    if config.verify == "off":
        return labels
    crowded = np.flatnonzero(np.bincount(labels, minlength=len(own))[labels] > 1)
    evidence = pa.table({"node": own, "text": text, **dict(zip(names, signed.flatten(), strict=True))})
    checked, linked = verified(evidence.take(pa.array(crowded)), config.verify, config, config.threshold)
    at = np.argsort(own)
    found = own.copy()
    ordered = linked.to_numpy()
    found[at[np.searchsorted(own[at], ordered)]] = ordered[checked.labels]
    return found


def chosen(corpus: Path, size: int) -> pa.Table:
    """Return ``node, script`` of the documents that the self-test takes: the first of each script by hash of id.

    Args:
        corpus: the corpus.
        size: documents of each script at most.
    """
    held: dict[str, pa.Table] = {}
    empty = pa.table({"node": pa.array([], pa.int64()), "script": pa.array([], pa.string())})
    for file in table.shards(corpus) if size else ():
        known = pq.read_table(file, columns=["id", "lang"], partitioning=None)
        langs = known["lang"].combine_chunks().dictionary_encode()
        hashes, codes = nodes(known["id"]), langs.indices.to_numpy()
        for code, lang in enumerate(langs.dictionary.to_pylist()):
            script = lang.rpartition("_")[2]
            rows = np.flatnonzero(codes == code)
            rows = rows[np.argsort(hashes[rows], kind="stable")[:size]]
            new = pa.table({"node": hashes[rows], "script": pa.array([script] * len(rows), pa.string())})
            held[script] = pa.concat_tables([held.get(script, empty), new]).sort_by("node").slice(0, size)
    return pa.concat_tables([empty, *held.values()]).sort_by("node")


def texts(corpus: Path, sample: pa.Table) -> pa.Table:
    """Return ``node, text`` of the documents of a sample, by a query over the corpus."""
    import daft

    documents = table.scan(table.shards(corpus), ["id", "text"]).with_column("node", node_of("id"))
    found = documents.join(daft.from_arrow(sample.select(["node"])), on="node", how="semi")
    return table.collect(found.select("node", "text"))


def _with_copies(sample: pa.Table) -> pa.Table:
    """Return the sample and one copy of each document, with the next of the `EDITS` each."""
    rows = sample.to_pylist()
    ids, texts = [f"o/{n}" for n in range(len(rows))], [r["text"] for r in rows]
    scripts = [r["script"] for r in rows]
    for n, row in enumerate(rows):
        # What is put in comes from another document of the same script: letters that belong there.
        other = next((r["text"] for r in rows[n + 1 :] + rows[:n] if r["script"] == row["script"]), row["text"][::-1])
        texts.append(edited(row["text"], other, EDITS[n % len(EDITS)], np.random.default_rng(n)))
        ids.append(f"c/{n}")
    return pa.table({"id": ids, "text": texts, "script": scripts * 2})


def edited(text: str, other: str, rate: float, rng: np.random.Generator) -> str:
    """Return a text with a share of its characters replaced by as many of another text, `RUN` at a place.

    The case is turned around and punctuation added besides: neither must count.
    """
    letters = list(text.swapcase() if len(text.swapcase()) == len(text) else text)
    left = round(rate * len(letters))
    # Places of their own for all runs: none is overwritten by the next.
    places = rng.permutation(max(1, len(letters) // (2 * RUN)))
    for place in places[: -(-left // RUN)]:
        size = min(RUN, left)
        at = int(place) * 2 * RUN
        begin = int(rng.integers(0, max(1, len(other) - size)))
        letters[at : at + size] = list(other[begin : begin + size])
        left -= size
    return " -- ".join(["", "".join(letters), ""])


def _findings(mixed: pa.Table, labels: NDArray[np.int64], config: DuplicatesConfig) -> Iterator[Finding]:
    texts = mixed["text"].combine_chunks()
    scripts = np.array(mixed["script"].to_pylist())
    half = len(labels) // 2
    _, groups = np.unique(labels, return_inverse=True)
    order = np.argsort(groups, kind="stable")
    together = {
        pair
        for members in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
        for pair in combinations(sorted(members.tolist()), 2)
    }
    pairs = sorted(together | {(n, n + half) for n in range(half)})
    similar = _similarity(texts, pairs, config) >= config.threshold
    linked = np.array([p in together for p in pairs])
    first, second = np.array(pairs).T
    copied = second == first + half
    of = scripts[first]
    for script in np.unique(scripts).tolist():
        mine = of == script
        near, put = mine & similar, mine & linked
        both = int((near & put).sum())
        by_edit = {}
        for step, rate in enumerate(EDITS):
            copies = mine & copied & (first % len(EDITS) == step)
            by_edit[f"{rate:g}"] = [int(x.sum()) for x in (copies, copies & similar, copies & linked)]
        documents = int((scripts == script).sum()) // 2
        yield Finding(script, documents, int(near.sum()), both, int(put.sum()), both, by_edit)


def _similarity(texts: pa.Array, pairs: Sequence[tuple[int, int]], config: DuplicatesConfig) -> NDArray[np.float64]:
    starts, data = buffers(texts)
    sets = shingles.shingle_sets(starts, data, *folding.table(), config.shingle)
    out = np.empty(len(pairs))
    left, right = (np.array([p[side] for p in pairs], np.int64) for side in (0, 1))
    link.jaccard(*sets, left, right, out)
    return out


def warnings(findings: Sequence[Finding], config: DuplicatesConfig) -> list[str]:
    """Return a sentence for each script whose recall is under the floor."""
    return [
        f"self-test of duplicates: in {f.script}, {f.found} of {f.near} known pairs at a similarity of "
        f"{config.threshold:g} and more were found, a share under {config.recall_floor:g}: "
        "give signals.duplicates more bands, or fewer rows"
        for f in findings
        if f.near and f.found / f.near < config.recall_floor
    ]
