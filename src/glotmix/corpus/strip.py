"""Take repeated lines out of a corpus: a new corpus beside the old one, and a record of every line that went."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from glotmix.core import table
from glotmix.core.record import Counts, Output
from glotmix.core.visible import is_blank
from glotmix.native import folding
from glotmix.native.arrays import buffers
from glotmix.native.lines import lines

VERSION = 3

REMOVED = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("begin", pa.int64()),
        pa.field("line", pa.string()),
    ]
)
"""``removed/…``: each line that was taken out, with its line break: the document, the byte of its old text at which it
began, the line. Put back in the order of `begin`, they give the old text."""


def make(output: Output, corpus: Path, boilerplate: Path, letters: int) -> Counts:
    """Write the corpus again, shard by shard, without the lines that ``lines.parquet`` lists for their source.

    A document that would have no text left keeps all of it: a text is shortened, never lost.

    Args:
        output: the new corpus: shards of the same names below ``documents/``, and ``removed/``.
        corpus: the old one.
        boilerplate: the finished signal `boilerplate`.
        letters: of its configuration: shorter lines were not counted.

    Returns:
        ``documents``, ``changed``, ``lines`` and ``bytes`` taken out, ``spared`` (documents that are nothing but
        repeated lines).
    """
    listed = table.read([boilerplate / "lines.parquet"], ["source", "hash"])
    known: dict[str, list[int]] = {}
    for row in listed.to_pylist():
        known.setdefault(row["source"], []).append(row["hash"])
    hashes = {source: np.array(held, np.int64) for source, held in known.items()}

    def shard(file: Path, folder: Path) -> Counts:
        documents = pq.read_table(file, partitioning=None)
        changed, removed, counts = stripped(documents, hashes, letters)
        place = file.relative_to(corpus)
        table.write(changed, folder / "documents" / place)
        table.write(removed, folder / "removed" / place)
        return counts

    files = table.shards(corpus)
    return output.each({str(f.relative_to(corpus)).replace("/", "+"): f for f in files}, shard)


def stripped(
    documents: pa.Table, hashes: "dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]]", letters: int
) -> tuple[pa.Table, pa.Table, Counts]:
    """Return documents without the lines whose hashes are given for their source, what was taken out, and counts."""
    texts = documents["text"].combine_chunks()
    offsets, data = buffers(texts)
    starts, found, begins, ends = lines(offsets, data, *folding.table(), letters)
    new: dict[int, str] = {}
    gone: dict[str, list[object]] = {name: [] for name in REMOVED.names}
    counts = {"documents": documents.num_rows, "changed": 0, "lines": 0, "bytes": 0, "spared": 0}
    sources = documents["source"].combine_chunks().dictionary_encode()
    owner = np.repeat(np.arange(len(texts)), np.diff(starts))
    marked = np.zeros(len(found), dtype=bool)
    for code, source in enumerate(sources.dictionary.to_pylist()):
        mine = np.isin(owner, np.flatnonzero(sources.indices.to_numpy() == code))
        marked[mine] = np.isin(found[mine], hashes.get(source, np.empty(0, np.int64)))
    for doc in np.unique(owner[marked]).tolist():
        here = np.flatnonzero(marked[starts[doc] : starts[doc + 1]]) + starts[doc]
        whole = data[offsets[doc] : offsets[doc + 1]].tobytes()
        # A line goes with its line break.
        cuts = [(int(begins[i]), min(int(ends[i]) + 1, len(whole))) for i in here]
        kept, at = [], 0
        for begin, end in cuts:
            kept.append(whole[at:begin])
            at = end
        rest = b"".join([*kept, whole[at:]]).decode()
        if is_blank(rest):
            counts["spared"] += 1
            continue
        new[doc] = rest
        counts["changed"] += 1
        counts["lines"] += len(cuts)
        counts["bytes"] += sum(end - begin for begin, end in cuts)
        for begin, end in cuts:
            for name, value in zip(
                REMOVED.names, (documents["id"][doc].as_py(), begin, whole[begin:end].decode()), strict=True
            ):
                gone[name].append(value)
    column = documents.column_names.index("text")
    replaced = pa.array([new.get(i, t) for i, t in enumerate(texts.to_pylist())], pa.string())
    return documents.set_column(column, documents.schema.field("text"), replaced), pa.table(gone, REMOVED), counts
