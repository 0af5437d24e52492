"""The signal `contamination`: which documents hold items of evaluation sets, with the passages shown.

An item counts as held where a document has at least `share` of its shingles: 40 letters each, about eight words of
English, after PaLM (arXiv 2204.02311, section 8: 70 % of an item's 8-grams). Items too short for one are searched by
shingles of 20 letters; still shorter ones cannot be told from chance and are listed as not searched.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from glotmix.core import table
from glotmix.core.context import RunContext
from glotmix.core.record import Counts, Output, digest_file
from glotmix.core.rules import LedgerView, Rule, RuleHits
from glotmix.core.section import RecipeKey, Section, as_tuple
from glotmix.core.step import Column, StepSpec
from glotmix.native import folding, overlap, shingles
from glotmix.native.arrays import buffers
from glotmix.signals import evaluation_items
from glotmix.signals.annotate import annotated, paged, parts

VERSION = 3

TEMPLATE = 50
"""A shingle of more items than this is their template ("Which of the following …"): it is not searched for."""

EXCERPT = 300
"""Characters of a passage that are shown."""

MATCHES = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("set", pa.string()),
        pa.field("item", pa.string()),
        pa.field("share", pa.float32()),
        pa.field("excerpt", pa.string()),
    ]
)
"""``matches/part-00000.parquet``: every item found in a document, the share of its shingles, the passage."""

ITEMS = pa.schema(
    [
        pa.field("set", pa.string()),
        pa.field("item", pa.string()),
        pa.field("letters", pa.int64()),
        pa.field("searched", pa.bool_()),
        pa.field("documents", pa.int64()),
    ]
)
"""``items.parquet``: every item, its length in letters, whether it was searched, how many documents hold it."""

_FOUND = pa.list_(
    pa.struct([pa.field("number", pa.int64()), pa.field("share", pa.float32()), pa.field("excerpt", pa.string())])
)


class ContaminationConfig(BaseModel):
    """What counts as held."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shingle: int = Field(40, ge=10, description="letters per shingle")
    short: int = Field(20, ge=10, description="letters per shingle for items that are shorter than one")
    share: float = Field(0.7, gt=0, le=1, description="share of an item's shingles that a document must have")


class Index(NamedTuple):
    """Shingles of one width and the items that have them.

    `cells` is the hash table; `hashes` (m,) uint64 sorted, those of shingle i belong to the items
    ``items[starts[i]:starts[i + 1]]``; `sizes` (n,) int64 has the shingles of every item.
    """

    width: int
    cells: NDArray[np.uint64]
    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64]
    items: NDArray[np.int64]
    sizes: NDArray[np.int64]


def make(output: Output, corpus: Path, items: pa.Table, config: ContaminationConfig) -> Counts:
    """Write the signal: ``id, items (int32: how many are held)``, besides `MATCHES` and `ITEMS`.

    Args:
        output: the signal under construction.
        corpus: the corpus.
        items: ``set, item, text``, as `evaluation_items.read_items` gives them.
        config: what counts.

    Returns:
        ``documents``, ``contaminated`` (documents that hold an item), ``items``, ``searched``, ``held`` (items).
    """
    letters, searched, indices = index(items["text"].combine_chunks(), config)
    search = searcher(indices, config.share)

    def part(files: list[Path], folder: Path) -> Counts:
        name = folder.name.removesuffix(".scratch")
        documents = table.read(files, ["id", "text"]).combine_chunks()
        rows = pa.table({"id": documents["id"], "found": annotated(documents, ["text"], search, _FOUND)})
        counts = pc.list_value_length(rows["found"]).cast(pa.int32())
        table.write(paged(pa.table({"id": rows["id"], "items": counts}), files), folder / f"{name}.parquet")
        found = pc.list_flatten(rows["found"]).combine_chunks()
        chosen = items.select(["set", "item"]).take(found.field("number"))
        matches = {
            "id": rows["id"].take(pc.list_parent_indices(rows["found"])),
            "set": chosen["set"],
            "item": chosen["item"],
            "share": found.field("share"),
            "excerpt": found.field("excerpt"),
        }
        table.write(pa.table(matches, MATCHES), folder / "matches" / f"{name}.parquet")
        return {"documents": rows.num_rows, "contaminated": pc.sum(pc.greater(counts, 0)).as_py() or 0}

    counts = output.each(parts(corpus), part)
    matches = table.read(sorted((output.path / "matches").glob("*.parquet")), ["set", "item"])
    held = matches.group_by(["set", "item"]).aggregate([([], "count_all")])
    by_item = {(r["set"], r["item"]): r["count_all"] for r in held.to_pylist()}
    every = items.select(["set", "item"])
    documents = [by_item.get((s, i), 0) for s, i in zip(*(c.to_pylist() for c in every.columns), strict=True)]
    listed = pa.table([*every.columns, letters, searched, documents], schema=ITEMS)
    table.write(listed, output.path / "items.parquet")
    return counts | {"items": items.num_rows, "searched": int(searched.sum()), "held": len(by_item)}


def index(texts: pa.Array, config: ContaminationConfig) -> tuple[NDArray[np.int64], NDArray[np.bool_], list[Index]]:
    """Return the length of each of n items in letters, whether it can be searched, and an index for each width."""
    offsets, data = buffers(texts)
    letters = np.zeros(len(texts), np.int64)
    overlap.weigh(offsets, data, *folding.table(), letters)
    searched = np.zeros(len(texts), dtype=bool)
    indices = []
    bounds = ((config.shingle, None), (min(config.short, config.shingle), config.shingle))
    for width, below in bounds:
        mine = np.flatnonzero((letters >= width) & (letters < below if below else True))
        made = _index(texts.take(pa.array(mine)), mine, len(texts), width)
        if made is not None:
            searched |= made.sizes > 0
            indices.append(made)
    return letters, searched, indices


def _index(texts: pa.Array, numbers: NDArray[np.int64], total: int, width: int) -> Index | None:
    if not len(texts):
        return None
    offsets, data = buffers(texts)
    starts, hashes = shingles.shingle_sets(offsets, data, *folding.table(), width, True)
    owners = np.repeat(numbers, np.diff(starts))
    order = np.argsort(hashes, kind="stable")
    hashes, owners = hashes[order], owners[order]
    _, times = np.unique(hashes, return_counts=True)
    rare = times <= TEMPLATE
    kept = np.bincount(owners[np.repeat(rare, times)], minlength=total)
    # An item that is mostly template could be found by its remaining few letters anywhere.
    rest = 2 * kept[owners] < np.bincount(owners, minlength=total)[owners]
    keep = np.repeat(rare, times) & ~rest
    hashes, owners = hashes[keep], owners[keep]
    if not len(hashes):
        return None
    known, first, times = np.unique(hashes, return_index=True, return_counts=True)
    ends = np.append(first, len(owners)).astype(np.int64)
    return Index(width, overlap.table_of(known), known, ends, owners, np.bincount(owners, minlength=total))


def searcher(indices: Sequence[Index], share: float) -> Callable[[pa.Array], pa.Array]:
    """Return the function from (n,) texts to the items that each holds: ``number, share, excerpt`` of each."""

    def call(texts: pa.Array) -> pa.Array:
        offsets, data = buffers(texts)
        found: list[list[dict[str, object]]] = [[] for _ in range(len(texts))]
        for one in indices:
            docs, hashes, begins, ends = overlap.find(offsets, data, *folding.table(), one.width, one.cells)
            for doc, number, part, places in _held(one, docs, hashes, share):
                text = data[offsets[doc] : offsets[doc + 1]].tobytes()
                passage = _passage(text, begins[places], ends[places])
                found[doc].append({"number": number, "share": part, "excerpt": passage})
        for row in found:
            row.sort(key=lambda f: (-f["share"], f["number"]))  # type: ignore[operator]
        return pa.array(found, _FOUND)

    return call


def _held(
    one: Index, docs: NDArray[np.int64], hashes: NDArray[np.uint64], share: float
) -> "Sequence[tuple[int, int, float, NDArray[np.int64]]]":
    """Return text, item, share of its shingles, and the places, of the items that texts hold."""
    if not len(docs):
        return []
    which = np.searchsorted(one.hashes, hashes)
    times = one.starts[which + 1] - one.starts[which]
    place = np.repeat(np.arange(len(docs)), times)
    at = np.arange(len(place)) - np.repeat(np.cumsum(times) - times, times) + one.starts[which][place]
    triples = np.stack([docs[place], one.items[at], which[place]])
    distinct = np.unique(triples, axis=1)
    pairs, count = np.unique(distinct[:2], axis=1, return_counts=True)
    enough = count >= share * one.sizes[pairs[1]] - 1e-9
    result = []
    for (doc, number), held in zip(pairs[:, enough].T.tolist(), count[enough].tolist(), strict=True):
        mine = place[(triples[0] == doc) & (triples[1] == number)]
        result.append((doc, number, held / int(one.sizes[number]), mine))
    return result


def _passage(text: bytes, begins: NDArray[np.int64], ends: NDArray[np.int64]) -> str:
    """Return the stretch of a text with the most places in it, from the first one's begin to the last one's end."""
    order = np.argsort(begins, kind="stable")
    begins, ends = begins[order], ends[order]
    runs = np.split(np.arange(len(begins)), np.flatnonzero(begins[1:] > ends[:-1]) + 1)
    best = max(runs, key=len)
    first, last = int(begins[best[0]]), int(ends[best].max())
    # `last` is where the last letter begins: its own bytes, and the marks on it, follow.
    tail = text[last:].decode("utf-8", "ignore")[:1]
    passage = text[first:last].decode("utf-8") + tail
    return passage if len(passage) <= EXCERPT else passage[:EXCERPT] + "…"


class EvaluationSet(Section):
    """An evaluation set that the data must not hold."""

    name: str = Field(min_length=1)
    path: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(
        description="Parquet, JSON lines or a JSON array"
    )
    columns: tuple[str, ...] = Field(
        min_length=1,
        description="columns of text, or of lists and objects of texts, such as question and choices",
    )
    id: str | None = Field(None, description="column that names the items; by default they are numbered")


class ContaminationSection(ContaminationConfig):
    """Evaluation items in the documents."""

    sets: tuple[EvaluationSet, ...] = Field((), description="evaluation sets to look for")


def _make(context: RunContext, output: Output) -> Counts:
    section = context.recipe.signals.contamination
    items = [evaluation_items.read_items(s.name, context.paths(s.path), s.columns, s.id) for s in section.sets]
    return make(output, context.corpus, pa.concat_tables(items), section)


def _inputs(context: RunContext) -> dict[str, str]:
    return {
        f"{s.name} {n}": digest_file(path)
        for s in context.recipe.signals.contamination.sets
        for n, path in enumerate(context.paths(s.path))
    }


def _hits(view: LedgerView) -> list[RuleHits]:
    items = view.signal("signals/contamination")["items"].to_numpy()
    rows = np.flatnonzero(items)
    evidence = [f"holds {items[row]} evaluation items (signals/contamination/matches)" for row in rows]
    return [RuleHits("contamination", rows, evidence)]


RECIPE = RecipeKey("signals.contamination", ContaminationSection, ContaminationSection(), place=23)

STEPS = StepSpec(
    name="signals/contamination",
    code=(__name__,),
    make=_make,
    wanted=lambda context: bool(context.recipe.signals.contamination.sets),
    config=lambda context: context.recipe.signals.contamination.model_dump(
        mode="json", exclude={"sets": {"__all__": {"path"}}}
    ),
    inputs=_inputs,
    per_document=True,
    columns=(Column("items", "int64", "evaluation items that the document holds", "items"),),
    rules=(Rule("contamination", _hits, place=20, meaning="the document holds an evaluation item"),),
    meaning="evaluation items that documents hold, with the passages",
    place=40,
)
