"""Agreement between sources: who holds the same documents, and how much would be left if some had to agree.

The number of independent sources of each document is a column of the signal `duplicates`; these are the tables to
judge it by. After MixMinMatch (arXiv 2512.18834), with three differences: pairs within a source are linked as well
(near-duplicates cannot survive in the matched set), sources that were made from others do not count twice, and the
member that is kept is the best, not any.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from glotmix.core import table
from glotmix.core.record import Counts, Output
from glotmix.core.step import StepSpec
from glotmix.signals.origins import Ancestry, origins

if TYPE_CHECKING:
    import daft

VERSION = 2

OVERLAP = pa.schema(
    [
        pa.field("lang", pa.string()),
        pa.field("source", pa.string()),
        pa.field("other", pa.string()),
        pa.field("independent", pa.bool_()),
        pa.field("documents", pa.int64()),
        pa.field("bytes", pa.int64()),
        pa.field("of_documents", pa.int64()),
        pa.field("of_bytes", pa.int64()),
    ]
)
"""``overlap.parquet``: of the documents of `source`, those that `other` holds too (on the diagonal: those that `source`
holds more than once), out of how many. Each source stands beside itself and beside those that share something with it:
all pairs of thousands of sources would be millions of rows that say nothing."""

LEVELS = pa.schema(
    [
        pa.field("lang", pa.string()),
        pa.field("sources", pa.int32()),
        pa.field("documents", pa.int64()),
        pa.field("bytes", pa.int64()),
        pa.field("clusters", pa.int64()),
        pa.field("cluster_bytes", pa.int64()),
    ]
)
"""``levels.parquet``: documents by their number of independent sources; `clusters` counts each once, and
`cluster_bytes` adds up their longest members: what a rule of so many sources would leave."""


def make(output: Output, corpus: Path, duplicates: Path, derived_from: Ancestry | None = None) -> Counts:
    """Write ``overlap.parquet`` and ``levels.parquet``.

    Args:
        output: the output under construction.
        corpus: the corpus.
        duplicates: its finished signal.
        derived_from: source → the sources that it was made from.

    Returns:
        ``documents``, and how many of them are held by two and more independent sources (``agreeing``).
    """
    documents = _documents(corpus, duplicates).collect()
    grid = _overlap(documents, derived_from or {})
    table.write(grid, output.path / "overlap.parquet")
    levels = _levels(documents)
    table.write(levels, output.path / "levels.parquet")
    agreeing = sum(
        n for n, k in zip(levels["documents"].to_pylist(), levels["sources"].to_pylist(), strict=True) if k > 1
    )
    return {"documents": documents.count_rows(), "agreeing": agreeing}


def _documents(corpus: Path, duplicates: Path) -> "daft.DataFrame":
    """Return ``cluster, sources, lang, source, bytes``."""
    from daft import col

    texts = table.scan(table.shards(corpus), ["id", "lang", "source", "text"])
    texts = texts.select("id", "lang", "source", col("text").length_bytes().cast("int64").alias("bytes"))
    found = table.scan(table.shards(duplicates), ["id", "cluster", "sources"])
    return texts.join(found, on="id").select("cluster", "sources", "lang", "source", "bytes")


def _overlap(documents: "daft.DataFrame", derived_from: Ancestry) -> pa.Table:
    from daft import col, lit

    totals = documents.groupby("lang", "source").agg(
        col("bytes").count().alias("of_documents"), col("bytes").sum().alias("of_bytes")
    )
    held = documents.groupby("cluster", "source").agg(col("bytes").count().alias("times"))
    held = held.select(col("cluster"), col("source").alias("other"), col("times"))
    both = documents.join(held, on="cluster").where((col("source") != col("other")) | (col("times") > lit(1)))
    shared = both.groupby("lang", "source", "other").agg(
        col("bytes").count().alias("documents"), col("bytes").sum().alias("bytes")
    )
    found = {(r["lang"], r["source"], r["other"]): r for r in table.collect(shared).to_pylist()}
    of = {(r["lang"], r["source"]): r for r in table.collect(totals).to_pylist()}
    roots = {source: origins(source, derived_from) for _, source in of}
    # Another source may hold the document under another language: the pair stands there all the same.
    beside: dict[tuple[str, str], set[str]] = {pair: {pair[1]} for pair in of}
    for lang, source, other in found:
        beside[lang, source].add(other)
    rows = []
    for lang, source in sorted(of):
        for other in sorted(beside[lang, source]):
            pair = found.get((lang, source, other), {"documents": 0, "bytes": 0})
            rows.append(
                {
                    "lang": lang,
                    "source": source,
                    "other": other,
                    "independent": not roots[source] & roots[other],
                    "documents": pair["documents"],
                    "bytes": pair["bytes"],
                    "of_documents": of[lang, source]["of_documents"],
                    "of_bytes": of[lang, source]["of_bytes"],
                }
            )
    return pa.Table.from_pylist(rows, OVERLAP)


def _levels(documents: "daft.DataFrame") -> pa.Table:
    from daft import col

    clusters = documents.groupby("lang", "sources", "cluster").agg(
        col("bytes").count().alias("documents"), col("bytes").sum().alias("bytes"), col("bytes").max().alias("longest")
    )
    levels = clusters.groupby("lang", "sources").agg(
        col("documents").sum(),
        col("bytes").sum(),
        col("cluster").count().alias("clusters"),
        col("longest").sum().alias("cluster_bytes"),
    )
    found = table.collect(levels).sort_by([("lang", "ascending"), ("sources", "ascending")])
    return found.select(LEVELS.names).cast(LEVELS)


STEPS = StepSpec(
    name="source_overlap",
    code=(__name__,),
    make=lambda context, output: make(
        output, context.corpus, context.step_dir("signals/duplicates"), context.derived_from
    ),
    needs=lambda context: (*context.corpus_steps, "signals/duplicates"),
    config=lambda context: {"derived_from": context.derived_from},
    reported=True,
    meaning="how much of each other sources hold (MixMinMatch)",
    place=34,
)
