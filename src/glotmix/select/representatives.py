"""Which member of a duplicate cluster stands for the others."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glotmix.core.errors import RequestError, did_you_mean

Order = Literal["ascending", "descending"]


def representatives(documents: pa.Table, by: Sequence[tuple[str, Order]]) -> pa.Table:
    """Choose the member of each cluster that is kept: the first in the given order, by id where all else is equal.

    Args:
        documents: ``id, cluster`` and the columns of `by`; a document that does not compete is not in it.
        by: columns to sort by, the most important first, such as ``[("quality", "descending")]``; nulls come last.

    Returns:
        ``id, kept (bool), duplicate_of (string)``, row for row as `documents`; ``duplicate_of`` is the kept member
        of the cluster, null for the kept one itself.

    >>> documents = pa.table({"id": ["a", "b", "c"], "cluster": ["a", "a", "c"], "quality": [0.1, 0.7, None]})
    >>> representatives(documents, [("quality", "descending")]).to_pylist()[0]
    {'id': 'a', 'kept': False, 'duplicate_of': 'b'}
    """
    for name, _ in by:
        if name not in documents.column_names:
            raise RequestError(
                f"documents cannot be sorted by '{name}'{did_you_mean(name, documents.column_names)}",
                f"one of: {', '.join(documents.column_names)}",
            )
    cluster = documents["cluster"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    keys = [("__cluster", "ascending"), *by, ("id", "ascending")]
    ranked = pc.sort_indices(
        documents.select(list(dict.fromkeys(["id", *(n for n, _ in by)]))).append_column(
            "__cluster", pa.array(cluster)
        ),
        sort_keys=keys,
    ).to_numpy()
    leading = np.ones(len(ranked), dtype=bool)
    leading[1:] = cluster[ranked][1:] != cluster[ranked][:-1]
    best = np.zeros(int(cluster.max(initial=-1)) + 1, np.int64)
    best[cluster[ranked[leading]]] = ranked[leading]
    kept = best[cluster] == np.arange(len(cluster))
    partner = documents["id"].take(pa.array(best[cluster], mask=kept))
    return pa.table({"id": documents["id"], "kept": pa.array(kept), "duplicate_of": partner})
