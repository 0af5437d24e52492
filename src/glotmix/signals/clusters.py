"""From signatures to the clusters of near-duplicates, as a graph of hashes of ids."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import pyarrow.parquet as pq
from pydantic import BeforeValidator, Field

from glotmix.core import flight, table
from glotmix.core.errors import DataError
from glotmix.core.record import Counts
from glotmix.signals import candidates, refine
from glotmix.signals.components import gathered
from glotmix.signals.signatures import SignatureConfig, band

if TYPE_CHECKING:
    import daft

Engine = Literal["memory", "queries"]

IN_MEMORY = 20_000_000
"""Documents up to which clusters are found in memory: about 200 bytes each."""


def _word(value: object) -> object:
    """Return ``off`` for the False that YAML 1.1 makes of it."""
    return "off" if value is False else value


class DuplicatesConfig(SignatureConfig):
    """What counts as a near-duplicate."""

    verify: Annotated[Literal["off", "estimated", "exact"], BeforeValidator(_word)] = Field(
        "exact",
        description="off: every candidate is a duplicate; estimated: by the signatures alone; exact: by the texts",
    )
    threshold: float = Field(0.8, gt=0, le=1, description="the Jaccard similarity that makes a near-duplicate")
    selftest: int = Field(60, ge=0, description="documents of each script that every run tests itself on; 0 for none")
    recall_floor: float = Field(0.9, ge=0, le=1, description="a self-test whose recall is lower warns of it")

    @property
    def signature(self) -> SignatureConfig:
        """The part that changes a signature."""
        return SignatureConfig(bands=self.bands, rows=self.rows, shingle=self.shingle)


def fitting(documents: int) -> Engine:
    """Return the engine for a number of documents, here: on a cluster, or beyond what memory holds, queries."""
    return "memory" if documents <= IN_MEMORY and flight.engine().runner != "ray" else "queries"


def match(signatures: Path, files: list[Path], corpus: Path, config: SignatureConfig) -> int:
    """Check that signatures, corpus and configuration belong together; return the number of documents."""
    if not files:
        raise DataError(f"{signatures} holds no signatures", "glotmix signals")
    known = [n for n in pq.read_schema(files[0]).names if n.startswith("band_")]
    if known != [band(b) for b in range(config.bands)]:
        raise DataError(f"{signatures} has {len(known)} bands, and {config.bands} are asked for", "glotmix signals")
    total: int = sum(pq.read_metadata(f).num_rows for f in files)
    there = sum(pq.read_metadata(f).num_rows for f in table.shards(corpus))
    if total != there:
        raise DataError(f"{signatures} has {total:,} documents, {corpus} has {there:,}", "glotmix signals")
    return total


def clusters(
    files: list[Path], corpus: Path, config: DuplicatesConfig, scratch: Path
) -> tuple["daft.DataFrame", Counts]:
    """Return ``node, label`` of the documents that had candidates, and counts, by queries."""
    members = gathered(candidates.as_queries(files, config.bands))
    counts: Counts = {"candidates": members.count_rows()}
    if config.verify == "off" or not counts["candidates"]:
        return members, counts
    if config.verify == "exact":
        evidence = table.scan(table.shards(corpus), ["id", "text"])
    else:
        evidence = table.scan(files, ["id", "sketch", *(band(b) for b in range(config.bands))])
    sized = table.scan(files, ["id", "shingles"]).with_column("node", candidates.node_of("id"))
    weight = table.collect(sized.join(members, on="node", how="semi").sum("shingles"))["shingles"][0].as_py()
    parts = int(weight) // refine.PARTITION_SHINGLES + 1
    clusters, tally = refine.check(
        members, evidence, config.verify, config, config.threshold, parts, scratch / "evidence"
    )
    clusters = gathered(clusters)
    shutil.rmtree(scratch / "evidence")
    if clusters.count_rows() != counts["candidates"]:
        raise DataError(f"{corpus} is not the corpus that was signed, or two of its ids are the same")
    return clusters, counts | tally
