"""The signal `cross_corpus_duplicates`: documents that stand in corpora made before, by their signatures alone.

The texts of the earlier corpora are not read, so nearness is estimated: with 112 minima the standard error at a
similarity of 0.8 is 0.038. In each bucket a new document is compared with one earlier document, the smallest by hash
of id; buckets of other bands lead to others.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from glotmix.core import record, table
from glotmix.core.context import RunContext
from glotmix.core.errors import RequestError
from glotmix.core.record import Counts, Output
from glotmix.core.rules import LedgerView, Rule, RuleHits
from glotmix.core.section import RecipeKey
from glotmix.core.step import Column, StepSpec
from glotmix.native import link
from glotmix.signals.aligned import aligned
from glotmix.signals.candidates import node_of
from glotmix.signals.signatures import VERSION as SIGNED
from glotmix.signals.signatures import SignatureConfig, band, unpack

if TYPE_CHECKING:
    import daft

VERSION = 2

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("earlier", pa.string()),
        pa.field("corpus", pa.string()),
        pa.field("similarity", pa.float32()),
        pa.field("same", pa.bool_()),
    ]
)
"""The columns of the signal: the nearest earlier document and its corpus, the estimated similarity, whether its folded
text is the `same`; null where no earlier document is near."""


class CrossCorpusConfig(BaseModel):
    """What counts as already there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: float = Field(0.8, gt=0, le=1, description="the estimated Jaccard similarity from which on it counts")


def make(
    output: Output,
    signatures: Path,
    earlier: Mapping[str, Path],
    config: CrossCorpusConfig,
    signature: SignatureConfig,
) -> Counts:
    """Write the signal, in the order and parts of the signatures.

    Args:
        output: the signal under construction.
        signatures: finished signatures of the new corpus.
        earlier: finished signatures of earlier corpora, by a name for each.
        config: what counts.
        signature: how the new corpus was signed; the earlier ones must have been signed alike.

    Returns:
        ``documents``, ``earlier`` (those that are near an earlier one) and ``same``.

    Raises:
        RequestError: naming an earlier corpus that was signed otherwise, and in which fields.
    """
    for name, folder in earlier.items():
        _alike(name, folder, signature)
    files = table.shards(signatures)
    found = [_near(files, name, table.shards(folder), config, signature) for name, folder in earlier.items()]
    best = _best(found)

    def part(number: int, folder: Path) -> Counts:
        ids = pq.read_table(files[number], columns=["id"], partitioning=None)["id"].combine_chunks()
        rows = aligned(best, ids).select(SCHEMA.names[1:])
        table.write(rows.add_column(0, "id", ids).cast(SCHEMA), folder / files[number].name)
        same = int(np.sum(rows["same"].fill_null(False).to_numpy()))
        return {"documents": len(ids), "earlier": len(ids) - rows["earlier"].null_count, "same": same}

    return output.each({f.stem: n for n, f in enumerate(files)}, part, here=True)


def _alike(name: str, folder: Path, signature: SignatureConfig) -> None:
    made = record.require(folder, "signals")
    if made.identity["version"] != SIGNED:
        raise RequestError(
            f"the earlier corpus '{name}' ({folder}) was signed by another version of glotmix "
            f"({made.identity['version']}, now {SIGNED}): its texts were folded otherwise",
            "sign the earlier corpus again: glotmix signals RECIPE",
        )
    ours = record.canonical(signature.model_dump(mode="json"))
    theirs = made.identity["config"]
    if theirs != ours:
        assert isinstance(theirs, dict) and isinstance(ours, dict)
        changes = "; ".join(record.changed_fields(theirs, ours))
        raise RequestError(
            f"the earlier corpus '{name}' ({folder}) was signed otherwise: {changes}",
            f"sign the new corpus alike: {', '.join(f'signals.duplicates.{k}={v}' for k, v in theirs.items())}",
        )


def _near(
    files: list[Path], name: str, before: list[Path], config: CrossCorpusConfig, signature: SignatureConfig
) -> "daft.DataFrame":
    """Return ``node, earlier, corpus, similarity, same`` of the pairs that are near enough."""
    from daft import col, lit

    bands = [band(b) for b in range(signature.bands)]
    new = table.scan(files).with_column("node", node_of("id")).exclude("id")
    old = table.scan(before).with_column("old", node_of("id"))
    pairs = None
    for name_ in bands:
        hubs = old.select(col(name_), col("old")).groupby(name_).agg(col("old").min())
        met = new.select(col(name_), col("node")).join(hubs, on=name_).select("node", "old")
        pairs = met if pairs is None else pairs.concat(met)
    assert pairs is not None
    left = new.select("node", "content", "sketch")
    right = old.select("old", col("id").alias("earlier"), col("content").alias("c"), col("sketch").alias("s"))
    joined = pairs.distinct().join(left, on="node").join(right, on="old")
    similarity = table.batch(_estimates, pa.float32())(col("sketch"), col("s"))
    rows = joined.select(
        "node",
        "earlier",
        lit(name).alias("corpus"),
        similarity.alias("similarity"),
        (col("content") == col("c")).alias("same"),
    )
    return rows.where((col("similarity") >= lit(config.threshold)) | col("same"))


def _estimates(left: pa.Array, right: pa.Array) -> pa.Array:
    n = len(left)
    out = np.empty(n)
    if n:
        rows = np.concatenate([unpack(left), unpack(right)])
        link.estimate(rows, np.arange(n), np.arange(n, 2 * n), out)
    return pa.array(out.astype(np.float32))


def _best(found: "list[daft.DataFrame]") -> pa.Table:
    """Return the nearest earlier document of each node, sorted by node: the same, then the most similar, then by id."""
    rows = pa.concat_tables([table.collect(f) for f in found])
    order = [("node", "ascending"), ("same", "descending"), ("similarity", "descending")]
    rows = rows.sort_by([*order, ("corpus", "ascending"), ("earlier", "ascending")])
    own = rows["node"].to_numpy()
    first = np.ones(len(own), dtype=bool)
    first[1:] = own[1:] != own[:-1]
    return rows.filter(pa.array(first))


class CrossCorpusSection(CrossCorpusConfig):
    """Documents that corpora made before hold already."""

    signatures: dict[str, str] = Field(
        default_factory=dict, description="name → folder of signals/signatures of a corpus made before"
    )


def _before(context: RunContext) -> dict[str, Path]:
    return {
        name: context.path(folder) for name, folder in context.recipe.signals.cross_corpus_duplicates.signatures.items()
    }


def _make(context: RunContext, output: Output) -> Counts:
    section = context.recipe.signals
    signatures = context.step_dir("signals/signatures")
    return make(output, signatures, _before(context), section.cross_corpus_duplicates, section.duplicates.signature)


def _hits(view: LedgerView) -> list[RuleHits]:
    before = view.signal("signals/cross_corpus_duplicates")
    rows = np.flatnonzero(before["earlier"].is_valid().to_numpy(zero_copy_only=False))
    evidence = [
        f"stands in {r['corpus']} as {r['earlier']} (similarity {r['similarity']:.2f}, same text: {r['same']})"
        for r in before.take(pa.array(rows)).to_pylist()
    ]
    return [RuleHits("cross_corpus_duplicates", rows, evidence)]


RECIPE = RecipeKey(
    "signals.cross_corpus_duplicates",
    CrossCorpusSection,
    CrossCorpusSection(),
    place=24,
    renamed=(("signals.earlier", "signals.cross_corpus_duplicates"),),
)

STEPS = StepSpec(
    name="signals/cross_corpus_duplicates",
    code=(__name__,),
    make=_make,
    wanted=lambda context: bool(context.recipe.signals.cross_corpus_duplicates.signatures),
    needs=lambda context: ("signals/signatures",),
    config=lambda context: {"threshold": context.recipe.signals.cross_corpus_duplicates.threshold},
    inputs=lambda context: {
        name: record.require(folder, "signals RECIPE").fingerprint for name, folder in _before(context).items()
    },
    per_document=True,
    columns=(
        Column("earlier", "string", "the nearest document of a corpus made before; null for none"),
        Column("corpus", "string", "that corpus"),
        Column("similarity", "float32", "the estimated Jaccard similarity"),
        Column("same", "bool", "whether the folded texts are equal"),
    ),
    rules=(Rule("cross_corpus_duplicates", _hits, place=30, meaning="a corpus made before holds it already"),),
    meaning="documents that corpora made before hold already",
    place=41,
)
