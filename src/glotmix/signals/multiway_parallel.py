"""The signal `multiway_parallel`: in how many languages the sentences of a document stand.

Text that stands in many languages is mostly machine-translated ("A Shocking Amount of the Web is Machine Translated",
arXiv 2401.05749): quality falls with the width of a row of mutual translations. Within a language recurrence over
sources is a good sign, across languages a bad one: `source_overlap` and `multiway_parallel` are two signals. Rows in
languages with few resources are wider (8.55 languages on average against 3.95 in the largest ten), so the signal is
ranked within each language; an uncalibrated rule would delete the small ones.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from glotmix.core import table
from glotmix.core.context import RunContext
from glotmix.core.errors import DataError, blame
from glotmix.core.record import Counts, Output, digest_file
from glotmix.core.section import RecipeKey, Section, as_tuple
from glotmix.core.step import StepSpec
from glotmix.signals.aligned import aligned
from glotmix.signals.annotate import parts
from glotmix.signals.candidates import node_of

VERSION = 2

WIDE = 3
"""Languages from which on a row is multi-way."""

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("sentences", pa.int32()),
        pa.field("width", pa.float32()),
        pa.field("widest", pa.int32()),
        pa.field("multiway", pa.float32()),
        pa.field("quantile", pa.float32()),
    ]
)
"""The columns of the signal: how many of a document's `sentences` stand in a group; the mean and the largest width of
these; the share that is `multiway` (three languages and more); `quantile`, the rank of `width` within the language
(0 to 1, ties in the middle). All but `sentences` are null where no sentence stands in a group."""


def rows_of_pairs(pairs: Iterable[tuple[str, str, str, str]]) -> list[dict[str, str]]:
    """Merge mined pairs greedily into rows of mutual translations, as section 3 of arXiv 2401.05749 describes.

    Neither sentence seen: a new row; one seen: the other joins its row; both seen: nothing. Reconstructed from the
    description.

    Args:
        pairs: ``(lang, sentence, lang, sentence)``, the most certain first.

    Returns:
        rows: language → sentence. Where a row holds a language already, the sentence that came first stays.

    >>> rows = rows_of_pairs([("a", "1", "b", "2"), ("b", "2", "c", "3"), ("d", "4", "e", "5"), ("a", "1", "d", "4")])
    >>> [len(row) for row in rows]
    [3, 2]
    """
    rows: list[dict[str, str]] = []
    row_of: dict[tuple[str, str], int] = {}
    for lang, sentence, other_lang, other in pairs:
        one, two = (lang, sentence), (other_lang, other)
        known, also = row_of.get(one), row_of.get(two)
        if known is not None and also is not None:
            continue
        row = next((r for r in (known, also) if r is not None), len(rows))
        if row == len(rows):
            rows.append({})
        for member in (one, two):
            row_of.setdefault(member, row)
            rows[row].setdefault(*member)
    return rows


def make(output: Output, corpus: Path, groups: list[Path]) -> Counts:
    """Write the signal, in the order of the corpus.

    Args:
        output: the signal under construction.
        corpus: the corpus.
        groups: Parquet files, one row a sentence: ``group`` (what its translations share), ``lang``, ``id`` (of the
            document that it stands in; null for sentences outside the corpus, which count for the width all the same).

    Raises:
        DataError: if a column is missing, or no sentence stands in a document of the corpus.
    """
    from daft import col, lit

    for path in groups:
        with blame(path, what="Parquet file"):
            names = pq.read_schema(path).names
        if missing := [name for name in ("group", "lang", "id") if name not in names]:
            raise DataError(f"{path} has no column '{missing[0]}'", "group, lang, id")
    sentences = table.scan(groups)
    widths = sentences.groupby("group").agg(col("lang").count_distinct().cast("int64").alias("width"))
    with blame(" or ".join(map(str, groups)), what="Parquet file"):
        placed = sentences.where(col("id").not_null()).join(widths, on="group").collect()
    documents = table.scan(table.shards(corpus), ["id", "lang"])
    measured = placed.groupby("id").agg(
        col("width").count().alias("sentences"),
        col("width").mean().alias("mean"),
        col("width").max().alias("widest"),
        (col("width") >= lit(WIDE)).cast("int64").sum().alias("wide"),
    )
    facts = table.collect(measured.join(documents, on="id").with_column("node", node_of("id")))
    if not facts.num_rows:
        raise DataError(
            f"no sentence of {groups[0]} stands in a document of the corpus: are its ids those of {corpus}?"
        )
    facts = facts.append_column("quantile", pa.array(_quantiles(facts["lang"], facts["mean"].to_numpy())))
    facts = facts.sort_by("node")

    def part(files: list[Path], folder: Path) -> Counts:
        ids = table.read(files, ["id"])["id"].combine_chunks()
        found = aligned(facts, ids)
        columns = {
            "id": ids,
            "sentences": pc.fill_null(found["sentences"].cast(pa.int32()), 0),
            "width": found["mean"].cast(pa.float32()),
            "widest": found["widest"].cast(pa.int32()),
            "multiway": pc.divide(found["wide"].cast(pa.float64()), found["sentences"].cast(pa.float64())),
            "quantile": found["quantile"],
        }
        rows = pa.table({f.name: columns[f.name].cast(f.type) for f in SCHEMA}, schema=SCHEMA)
        table.write(rows, folder / f"{folder.name.removesuffix('.scratch')}.parquet")
        return {"documents": len(ids), "placed": len(ids) - found["mean"].null_count}

    return output.each(parts(corpus), part)


def _quantiles(langs: pa.ChunkedArray, values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the rank of each value within its language, (n,) in 0 to 1: (below + half of the equal) / n."""
    codes = langs.combine_chunks().dictionary_encode().indices.to_numpy()
    out = np.empty(len(values), np.float32)
    for code in np.unique(codes):
        mine = np.flatnonzero(codes == code)
        ranked = np.sort(values[mine])
        below, upto = (np.searchsorted(ranked, values[mine], side) for side in ("left", "right"))
        out[mine] = (below + upto) / (2 * len(mine))
    return out


class MultiwaySection(Section):
    """In how many languages a document's sentences stand."""

    groups: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(
        (), description="Parquet files of sentence groups: group, lang, id"
    )


def _groups(context: RunContext) -> list[Path]:
    return context.paths(context.recipe.signals.multiway_parallel.groups)


RECIPE = RecipeKey(
    "signals.multiway_parallel",
    MultiwaySection,
    MultiwaySection(),
    place=25,
    renamed=(("signals.width", "signals.multiway_parallel"),),
)

STEPS = StepSpec(
    name="signals/multiway_parallel",
    code=(__name__,),
    make=lambda context, output: make(output, context.corpus, _groups(context)),
    wanted=lambda context: bool(context.recipe.signals.multiway_parallel.groups),
    inputs=lambda context: {f"groups {n}": digest_file(path) for n, path in enumerate(_groups(context))},
    per_document=True,
    meaning="in how many languages a document's sentences stand",
    place=42,
)
