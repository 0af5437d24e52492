"""The signal `semantic_duplicates`: clusters of documents of one language whose vectors are nearly the same.

After SemDeDup (Abbas et al. 2023, arXiv 2303.09540): the vectors of a language are put into groups by k-means, within
a group all pairs are compared, and those whose cosine is at least `threshold` belong together. In two ways this is a
reconstruction of ours: clusters are connected components, and nothing is dropped, since what the same matter in other
words is worth depends on the embedder. Documents of different languages are never compared: translations are what
`multiway_parallel` is about.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from glotmix.core import table
from glotmix.core.context import RunContext
from glotmix.core.errors import RequestError
from glotmix.core.record import Counts, Output
from glotmix.core.section import RecipeKey, Section
from glotmix.core.step import Column, StepSpec
from glotmix.signals.annotate import parts
from glotmix.signals.embed import EmbedConfig, configured, read

VERSION = 1

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("semantic_cluster", pa.string()),
        pa.field("semantic_cluster_size", pa.int32()),
        pa.field("nearest", pa.float32()),
    ]
)

_GROUP = 2_000
_ROWS = 1_024


class SemanticDuplicatesSection(Section):
    """Documents that say the same in other words, by their vectors: null for not looking."""

    embedder: str | None = Field(None, description="one of signals.embed by its name; null for the first")
    threshold: float = Field(0.95, gt=0, le=1, description="the cosine from which two documents belong together")
    seed: int = Field(0, description="of the groups within which documents are compared")


def make(output: Output, corpus: Path, vectors: Path, threshold: float, seed: int = 0) -> Counts:
    """Write the signal, in the order of the corpus.

    Vectors of one language are in memory at once (two bytes a number).

    Returns:
        ``documents``, ``clusters`` (of two and more), ``duplicates`` (documents beyond the first of each cluster).
    """
    units = parts(corpus)
    where: dict[str, list[str]] = {}
    for files in units.values():
        held = table.read(files, ["id", "lang"])
        for id_, lang in zip(held["id"].to_pylist(), held["lang"].to_pylist(), strict=True):
            where.setdefault(lang, []).append(id_)
    facts: dict[str, tuple[str, int, float]] = {}
    clusters = duplicates = 0
    for ids in where.values():
        label, nearest = clustered(read(vectors, ids)[1], threshold, seed)
        sizes = np.bincount(label)
        clusters += int((sizes > 1).sum())
        duplicates += int((sizes[sizes > 1] - 1).sum())
        smallest = ["" for _ in sizes]
        for id_, own in sorted(zip(ids, label.tolist(), strict=True), reverse=True):
            smallest[own] = id_
        for id_, own, near in zip(ids, label.tolist(), nearest.tolist(), strict=True):
            facts[id_] = smallest[own], int(sizes[own]), near

    def part(files: list[Path], folder: Path) -> Counts:
        ids = table.read(files, ["id"])["id"].to_pylist()
        rows = [facts[id_] for id_ in ids]
        columns = [ids, *([row[i] for row in rows] for i in range(3))]
        arrays = [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
        table.write(pa.table(arrays, schema=SCHEMA), folder / f"{folder.name.removesuffix('.scratch')}.parquet")
        return {"documents": len(ids)}

    return output.each(units, part, here=True) | {"clusters": clusters, "duplicates": duplicates}


def clustered(
    vectors: NDArray[np.float16], threshold: float, seed: int = 0
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return clusters of vectors, and the cosine of each with the nearest other of its group.

    Args:
        vectors: (n, width), at length one; those of length zero stand alone.
        threshold: the cosine that joins two.
        seed: of k-means.

    Returns:
        (n,) number of the cluster and (n,) nearest cosine (0 for one alone in its group).
    """
    # Here and not above: the recipe's steps are declared in every run, and scipy takes a tenth of a second.
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(vectors)
    nearest = np.zeros(n, np.float32)
    pairs: list[NDArray[np.int64]] = [np.zeros((2, 0), np.int64)]
    for rows in _groups(vectors, seed):
        held = vectors[rows].astype(np.float32)
        for start in range(0, len(rows), _ROWS):
            cosines = held[start : start + _ROWS] @ held.T
            own = np.arange(len(cosines))
            cosines[own, own + start] = -1
            nearest[rows[start : start + _ROWS]] = np.maximum(cosines.max(axis=1, initial=0), 0)
            # The products of float16 numbers are off by a thousandth at most.
            one, other = np.nonzero(cosines >= threshold - 1e-3)
            pairs.append(np.stack([rows[one + start], rows[other]]))
    joined = np.concatenate(pairs, axis=1)
    graph = coo_matrix((np.ones(joined.shape[1], np.int8), (joined[0], joined[1])), (n, n))
    label: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return label, nearest


def _groups(vectors: NDArray[np.float16], seed: int) -> list[NDArray[np.int64]]:
    if len(vectors) <= 2 * _GROUP:
        return [np.arange(len(vectors))]
    from sklearn.cluster import MiniBatchKMeans

    many = -(-len(vectors) // _GROUP)
    rng = np.random.default_rng(seed)
    sample = vectors[np.sort(rng.permutation(len(vectors))[: 256 * many])].astype(np.float32)
    model = MiniBatchKMeans(many, random_state=seed, batch_size=4_096, n_init=1, max_iter=20).fit(sample)
    group = np.concatenate(
        [model.predict(vectors[i : i + 65_536].astype(np.float32)) for i in range(0, len(vectors), 65_536)]
    )
    order = np.argsort(group, kind="stable")
    return np.split(order, np.cumsum(np.bincount(group, minlength=many))[:-1])


def _embedder(context: RunContext) -> EmbedConfig:
    name = context.recipe.signals.semantic_duplicates.embedder
    known: tuple[EmbedConfig, ...] = context.recipe.signals.embed
    found = (known[0] if known else None) if name is None else configured(context.recipe, name)
    if found is None:
        raise RequestError(
            f"signals.semantic_duplicates compares vectors of {name or 'an embedder'}, and signals.embed has none",
            "signals.embed=static",
        )
    return found


def _make(context: RunContext, output: Output) -> Counts:
    section = context.recipe.signals.semantic_duplicates
    vectors = context.step_dir(_embedder(context).signal)
    return make(output, context.corpus, vectors, section.threshold, section.seed)


RECIPE = RecipeKey(
    "signals.semantic_duplicates",
    SemanticDuplicatesSection | None,
    None,
    "documents of one language that say the same in other words; null for not looking",
    place=29,
)

STEPS = StepSpec(
    name="signals/semantic_duplicates",
    code=(__name__,),
    make=_make,
    wanted=lambda context: context.recipe.signals.semantic_duplicates is not None,
    needs=lambda context: (*context.corpus_steps, _embedder(context).signal),
    config=lambda context: context.recipe.signals.semantic_duplicates.model_dump(mode="json", exclude={"embedder"}),
    per_document=True,
    columns=(
        Column("semantic_cluster", "string", "the smallest id of the documents that its vector lies among"),
        Column("semantic_cluster_size", "int32", "documents of the cluster, this one included", "documents"),
        Column("nearest", "float32", "the cosine with the nearest document of its group and language", "cosine"),
    ),
    meaning="clusters of documents that say the same in other words",
    place=44,
)
