"""The signal `duplicates`: which documents say nearly the same, and in how many sources they stand.

Candidates come from the bands of the signatures; candidate pairs are checked by their exact or estimated Jaccard
similarity; clusters are the connected components of what is left. The result depends on no order of documents, no
shards, no number of workers, no engine. docs/duplicates.md has the reasons and the figures.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glotmix.core import table
from glotmix.core.record import Counts, Output
from glotmix.core.section import RecipeKey
from glotmix.core.step import Column, StepSpec
from glotmix.signals import candidates, selftest
from glotmix.signals.aligned import aligned
from glotmix.signals.clusters import DuplicatesConfig, Engine, clusters, fitting, match
from glotmix.signals.clusters_in_memory import find
from glotmix.signals.origins import Ancestry, Independence
from glotmix.signals.refine import standard_error
from glotmix.signals.signatures import curve

if TYPE_CHECKING:
    import daft

__all__ = ["SCHEMA", "VERSION", "DuplicatesConfig", "make"]

VERSION = 2

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("cluster", pa.string()),
        pa.field("cluster_size", pa.int32()),
        pa.field("content", pa.int64()),
        pa.field("sources", pa.int32()),
    ]
)
"""The columns of the signal: ``cluster`` is the smallest id of the near-duplicate cluster, ``content`` a hash of the
folded text (equal: an exact duplicate), ``sources`` the number of independent sources in the cluster."""

_SCRATCH = ".scratch"


def make(
    output: Output,
    signatures: Path,
    corpus: Path,
    config: DuplicatesConfig,
    derived_from: Ancestry | None = None,
    engine: Engine | None = None,
) -> Counts:
    """Write the signal: ``id, cluster, cluster_size, content, sources``, in the order and parts of the signatures.

    Args:
        output: the signal under construction.
        signatures: the finished signatures of `corpus`.
        corpus: the corpus; its texts are read only to verify, and only those of candidates are kept in hand.
        config: bands, rows and shingle must be those of the signatures.
        derived_from: source → the sources that it was made from; such do not count as independent.
        engine: ``memory`` or ``queries`` (out of core, or on Ray); by default what fits. The result is the same.

    Returns:
        ``documents``, ``clusters`` (of two and more), ``duplicates`` (documents beyond the first of each
        cluster), ``exact`` (those with the text of another), ``candidates`` (documents with a partner to be
        checked), ``pairs_compared``, ``pairs_linked``, ``pairs_skipped`` (at most, by `refine.CAP`).

    Raises:
        DataError: if the signatures are not those of the corpus or of the configuration.

    The record's notes hold the curve of the bands, the standard error of estimates, the findings of the self-test, and
    ``warnings``.
    """
    files = table.shards(signatures)
    total = match(signatures, files, corpus, config)
    chosen = engine or fitting(total)
    scratch = output.path / _SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)
    count, sample = Independence(derived_from or {}), selftest.chosen(corpus, config.selftest)
    if chosen == "memory":
        found = find(files, corpus, config, count, sample["node"].to_numpy(), scratch)
        counts, texts = found.counts, found.also
        counts |= _write(output, files, lambda number: found.facts)
    else:
        labels, counts = clusters(files, corpus, config, scratch)
        counts |= _summary(labels, files)
        counts |= _write(output, files, _lookup(_facts(labels, files, corpus, count), files, scratch))
        texts = selftest.texts(corpus, sample)
    findings = selftest.run(sample, texts, config)
    shutil.rmtree(scratch, ignore_errors=True)
    output.notes["chance of becoming candidates, by similarity"] = dict(curve(config))
    if config.verify == "estimated":
        output.notes["standard error of an estimate at the threshold"] = standard_error(config, config.threshold)
    output.notes["self-test"] = [f.as_json() for f in findings]
    output.notes["warnings"] = [*selftest.warnings(findings, config)]
    return counts


def _summary(clusters: "daft.DataFrame", files: list[Path]) -> Counts:
    from daft import col, lit

    sizes = clusters.groupby("label").agg(col("node").count().alias("size")).where(col("size") > lit(1))
    texts = table.scan(files, ["id", "content"]).select(candidates.node_of("id").alias("node"), col("content"))
    crowded = clusters.join(sizes, on="label", how="semi").join(texts, on="node")
    documents, groups = crowded.count_rows(), sizes.count_rows()
    different = crowded.select("label", "content").distinct().count_rows()
    return {"clusters": groups, "duplicates": documents - groups, "exact": documents - different}


def _facts(clusters: "daft.DataFrame", files: list[Path], corpus: Path, count: Independence) -> "daft.DataFrame":
    """Return ``node, cluster, cluster_size, sources`` of the documents in clusters of two and more."""
    from daft import col, lit

    def independent(sources: pa.Array) -> pa.Array:
        return pa.array([count(s) for s in sources.to_pylist()], pa.int32())

    named = table.scan(table.shards(corpus), ["id", "source"]).with_column("node", candidates.node_of("id"))
    named = named.join(clusters, on="node")
    grouped = named.groupby("label").agg(
        col("id").min().alias("cluster"),
        col("id").count().alias("cluster_size"),
        col("source").list_agg_distinct().alias("held"),
    )
    sources = table.batch(independent, pa.int32())(col("held")).alias("sources")
    grouped = grouped.where(col("cluster_size") > lit(1)).select("label", "cluster", "cluster_size", sources)
    return clusters.join(grouped, on="label").select("node", "cluster", "cluster_size", "sources")


def _lookup(facts: "daft.DataFrame", files: list[Path], scratch: Path) -> Callable[[int], pa.Table]:
    """Return the function from the number of a part to the facts of its documents, sorted by node."""
    from daft import col, lit

    parts = None
    for number, file in enumerate(files):
        part = table.scan([file], ["id"]).select(candidates.node_of("id").alias("node"), lit(number).alias("part"))
        parts = part if parts is None else parts.concat(part)
    assert parts is not None
    folder = scratch / "facts"
    facts.join(parts, on="node").write_parquet(str(folder.absolute()), partition_cols=["part"], write_mode="overwrite")
    empty = table.collect(facts.where(col("node").is_null()))

    def read(number: int) -> pa.Table:
        found = sorted((folder / f"part={number}").glob("*.parquet"))
        return table.read(found, empty.column_names).sort_by("node") if found else empty

    return read


def _write(output: Output, files: list[Path], facts_of: Callable[[int], pa.Table]) -> Counts:
    def part(number: int, folder: Path) -> Counts:
        rows = pq.read_table(files[number], columns=["id", "content"], partitioning=None)
        ids = rows["id"].combine_chunks()
        found = aligned(facts_of(number), ids)
        columns = {
            "id": ids,
            "cluster": pc.coalesce(found["cluster"].cast(pa.string()), ids),
            "cluster_size": pc.fill_null(found["cluster_size"].cast(pa.int32()), 1),
            "content": rows["content"],
            "sources": pc.fill_null(found["sources"], 1),
        }
        table.write(pa.table(columns, schema=SCHEMA), folder / files[number].name)
        return {"documents": len(ids)}

    return output.each({f.stem: n for n, f in enumerate(files)}, part, here=True)


RECIPE = RecipeKey("signals.duplicates", DuplicatesConfig, DuplicatesConfig(), place=27)

STEPS = StepSpec(
    name="signals/duplicates",
    code=(__name__,),
    make=lambda context, output: make(
        output,
        context.step_dir("signals/signatures"),
        context.corpus,
        context.recipe.signals.duplicates,
        context.derived_from,
    ),
    needs=lambda context: (*context.corpus_steps, "signals/signatures"),
    config=lambda context: (
        context.recipe.signals.duplicates.model_dump(mode="json") | {"derived_from": context.derived_from}
    ),
    per_document=True,
    columns=(
        Column("cluster", "string", "the smallest id of the document's near-duplicate cluster; null for none"),
        Column("cluster_size", "int32", "documents of the cluster, this one included", "documents"),
        Column("content", "int64", "a hash of the folded text: equal for exact copies"),
        Column("sources", "int32", "independent sources that hold the document or a near-duplicate", "sources"),
    ),
    meaning="near-duplicate clusters and exact copies",
    place=33,
)
