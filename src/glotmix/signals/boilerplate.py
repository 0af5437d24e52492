"""The signal `boilerplate`: lines that many documents of one source repeat (menus, notices, footers).

Lines are compared by their folded letters, numbers as one class, so "Page 3 of 12" repeats "page 4 of 12". The
signal finds and counts; whether such lines are removed is asked for elsewhere (`glotmix.corpus.strip`), since it
changes texts.
"""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from glotmix.core import table
from glotmix.core.context import RunContext
from glotmix.core.record import Counts, Output
from glotmix.core.section import RecipeKey
from glotmix.core.step import Column, StepSpec
from glotmix.native import folding
from glotmix.native.arrays import buffers
from glotmix.native.lines import lines
from glotmix.signals.annotate import parts

if TYPE_CHECKING:
    import daft

VERSION = 2

LINES = pa.schema(
    [
        pa.field("source", pa.string()),
        pa.field("hash", pa.int64()),
        pa.field("documents", pa.int64()),
        pa.field("of_documents", pa.int64()),
        pa.field("bytes", pa.int64()),
        pa.field("line", pa.string()),
    ]
)
"""``lines.parquet``: each repeated line of a source: in how many documents out of how many, the bytes of all its
occurrences, and how it reads in the document with the smallest id."""

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("lines", pa.int32()),
        pa.field("repeated", pa.int32()),
        pa.field("repeated_bytes", pa.int64()),
        pa.field("repeated_share", pa.float32()),
    ]
)
"""The columns of the signal: lines of at least `letters` letters, those of them that are boilerplate of the source,
their bytes, and the share of the text's bytes."""

SHOWN = 300
"""Characters of a line that ``lines.parquet`` shows."""

_PER_PARTITION = 20_000_000
_SCRATCH = ".scratch"
_EXAMPLES = "examples"
_FOUND = pa.list_(pa.struct([pa.field("hash", pa.int64()), pa.field("bytes", pa.int64())]))


class BoilerplateConfig(BaseModel):
    """What counts as boilerplate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    documents: int = Field(10, ge=2, description="documents of a source that must hold a line")
    share: float = Field(0.001, ge=0, le=1, description="share of the source's documents that must hold it as well")
    letters: int = Field(10, ge=1, description="letters that a line must have to be counted")


def make(output: Output, corpus: Path, config: BoilerplateConfig) -> Counts:
    """Write the signal, in the order of the corpus, and ``lines.parquet``.

    Returns:
        ``documents``, ``affected`` (documents with a repeated line), ``repeated_lines`` (different ones),
        ``repeated_bytes`` (of all their occurrences).
    """
    scratch = output.path / _SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)
    repeated = _repeated(corpus, config, scratch)
    shutil.rmtree(scratch, ignore_errors=True)
    known = _by_source(repeated)

    def part(files: list[Path], folder: Path) -> Counts:
        rows, examples = _marked(table.read(files, ["id", "text", "source"]), known, config.letters)
        name = folder.name.removesuffix(".scratch")
        table.write(rows, folder / f"{name}.parquet")
        table.write(examples, folder / _EXAMPLES / f"{name}.parquet")
        return {"documents": rows.num_rows, "affected": pc.sum(pc.greater(rows["repeated"], 0)).as_py() or 0}

    units = parts(corpus)
    counts = output.each(units, part)
    made, examples = output.path / "lines.parquet", sorted((output.path / _EXAMPLES).glob("*.parquet"))
    if len(examples) == len(units):
        listed = _with_examples(repeated, examples)
        table.write(listed, made)
    else:
        # The examples go after the table is written: where some are gone, a run was killed in between.
        listed = table.read([made])
    shutil.rmtree(output.path / _EXAMPLES, ignore_errors=True)
    return counts | {"repeated_lines": listed.num_rows, "repeated_bytes": pc.sum(listed["bytes"]).as_py() or 0}


def _repeated(corpus: Path, config: BoilerplateConfig, scratch: Path) -> pa.Table:
    """Return ``source, hash, documents, of_documents, bytes`` of the lines that are repeated enough."""
    from daft import col, lit

    def hashed(texts: pa.Array) -> pa.Array:
        positions, data = buffers(texts)
        starts, hashes, begins, ends = lines(positions, data, *folding.table(), config.letters)
        # A line that one document repeats counts for one document, with the bytes of all.
        owner = np.repeat(np.arange(len(texts)), np.diff(starts))
        pairs, which = np.unique(np.stack([owner, hashes]), axis=1, return_inverse=True)
        size = np.bincount(which.ravel(), weights=ends - begins, minlength=pairs.shape[1]).astype(np.int64)
        offsets = np.searchsorted(pairs[0], np.arange(len(texts) + 1)).astype(np.int32)
        values = pa.StructArray.from_arrays([pa.array(pairs[1]), pa.array(size)], ["hash", "bytes"])
        return pa.ListArray.from_arrays(pa.array(offsets), values)

    found = table.scan(table.shards(corpus), ["source", "text"])
    exploded = found.select(col("source"), table.batch(hashed, _FOUND)(col("text")).alias("line")).explode("line")
    exploded = exploded.where(col("line").not_null())
    flat = exploded.select(
        col("source"), col("line").get("hash").alias("hash"), col("line").get("bytes").alias("bytes")
    )
    size = sum(file.stat().st_size for file in table.shards(corpus))
    # A line is about fifty bytes of compressed text: one partition until memory would not hold the groups.
    many = size // (50 * _PER_PARTITION) + 1
    if many == 1:
        groups = [flat]
    else:
        numbered = flat.with_column("partition", col("hash").abs() % lit(many))
        numbered.write_parquet(
            str((scratch / "lines").absolute()), partition_cols=["partition"], write_mode="overwrite"
        )
        groups = [table.scan(sorted(f.glob("*.parquet"))) for f in sorted((scratch / "lines").iterdir()) if f.is_dir()]
    of = {r["source"]: r["n"] for r in table.collect(_sizes(found)).to_pylist()}
    least = {source: max(config.documents, config.share * n) for source, n in of.items()}
    kept = []
    for group in groups:
        counted = group.groupby("source", "hash").agg(col("bytes").count().alias("documents"), col("bytes").sum())
        rows = table.collect(counted.where(col("documents") >= lit(config.documents)))
        enough = [n >= least[s] for s, n in zip(rows["source"].to_pylist(), rows["documents"].to_pylist(), strict=True)]
        kept.append(rows.filter(pa.array(enough, pa.bool_())))
    repeated = pa.concat_tables(kept)
    return repeated.append_column("of_documents", pa.array([of[s] for s in repeated["source"].to_pylist()], pa.int64()))


def _sizes(found: "daft.DataFrame") -> "daft.DataFrame":
    from daft import col

    return found.groupby("source").agg(col("text").count().alias("n"))


def _by_source(repeated: pa.Table) -> dict[str, NDArray[np.int64]]:
    names = np.array(repeated["source"].to_pylist(), dtype=object)
    hashes = repeated["hash"].to_numpy()
    return {name: hashes[names == name] for name in set(names.tolist())}


def _marked(documents: pa.Table, known: dict[str, NDArray[np.int64]], letters: int) -> tuple[pa.Table, pa.Table]:
    """Return the signal's rows for some documents, and ``source, hash, id, line``: an example of each repeated line."""
    offsets, data = buffers(documents["text"].combine_chunks())
    starts, hashes, begins, ends = lines(offsets, data, *folding.table(), letters)
    n = documents.num_rows
    owner = np.repeat(np.arange(n), np.diff(starts))
    sources = documents["source"].combine_chunks().dictionary_encode()
    source = sources.indices.to_numpy()[owner]
    marked = np.zeros(len(owner), dtype=bool)
    for code, name in enumerate(sources.dictionary.to_pylist()):
        mine = source == code
        marked[mine] = np.isin(hashes[mine], known.get(name, np.empty(0, np.int64)))
    size = np.bincount(owner[marked], weights=(ends - begins)[marked], minlength=n).astype(np.int64)
    columns = {
        "id": documents["id"],
        "lines": np.diff(starts).astype(np.int32),
        "repeated": np.bincount(owner[marked], minlength=n).astype(np.int32),
        "repeated_bytes": size,
        "repeated_share": (size / np.maximum(1, np.diff(offsets))).astype(np.float32),
    }
    # The example is the line as it stands in the document with the smallest id: the same whatever the shards.
    rank = np.empty(n, np.int64)
    rank[pc.sort_indices(documents["id"]).to_numpy()] = np.arange(n)
    at = np.flatnonzero(marked)
    at = at[np.lexsort((begins[at], rank[owner[at]], hashes[at], source[at]))]
    first = np.ones(len(at), dtype=bool)
    first[1:] = (hashes[at][1:] != hashes[at][:-1]) | (source[at][1:] != source[at][:-1])
    at = at[first]
    text = [
        data[offsets[o] + b : offsets[o] + e].tobytes().decode()
        for o, b, e in zip(owner[at], begins[at], ends[at], strict=True)
    ]
    examples = {
        "source": sources.dictionary.take(pa.array(source[at])).cast(pa.string()),
        "hash": hashes[at],
        "id": documents["id"].take(pa.array(owner[at])).cast(pa.string()),
        "line": pa.array([t.strip()[:SHOWN] for t in text], pa.string()),
    }
    return pa.table(columns, schema=SCHEMA), pa.table(examples)


def _with_examples(repeated: pa.Table, files: list[Path]) -> pa.Table:
    found = (
        table.read(files).sort_by("id").group_by(["source", "hash"], use_threads=False).aggregate([("line", "first")])
    )
    shown = {(r["source"], r["hash"]): r["line_first"] for r in found.to_pylist()}
    line = [shown[s, h] for s, h in zip(repeated["source"].to_pylist(), repeated["hash"].to_pylist(), strict=True)]
    listed = repeated.append_column("line", pa.array(line, pa.string())).select(LINES.names).cast(LINES)
    order = [("source", "ascending"), ("documents", "descending"), ("line", "ascending"), ("hash", "ascending")]
    return listed.sort_by(order)


class BoilerplateSection(BoilerplateConfig):
    """Lines that many documents of one source repeat."""

    remove: bool = Field(False, description="take them out of the texts; what went is recorded in clean/removed")


def of_read(context: RunContext) -> tuple[str, ...]:
    """The corpus as it was read: what is taken out is found in it."""
    return ("corpus",)


RECIPE = RecipeKey(
    "signals.boilerplate", BoilerplateSection | None, BoilerplateSection(), "null for not looking", place=22
)

STEPS = StepSpec(
    name="signals/boilerplate",
    code=(__name__,),
    make=lambda context, output: make(output, context.step_dir("corpus"), context.recipe.signals.boilerplate),
    wanted=lambda context: context.recipe.signals.boilerplate is not None,
    needs=of_read,
    config=lambda context: context.recipe.signals.boilerplate.model_dump(mode="json", exclude={"remove"}),
    columns=(
        Column("source", "string", "the source whose documents repeat the line"),
        Column("documents", "int64", "documents that hold the line", "documents"),
        Column("line", "string", "the line as it is met most often"),
    ),
    reported=True,
    meaning="lines that many documents of one source repeat",
    place=20,
)
