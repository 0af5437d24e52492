"""What each kind of score would keep: the same number of documents, by one line over all languages, or one in each."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core.record import JSON

WAYS: Mapping[str, str] = {"score": "quality", "quantile": "quantile", "calibrated": "calibrated"}
"""Kind of score → column of the ledger."""


def would_keep(documents: pa.Table, alive: NDArray[np.bool_], total: int) -> "dict[str, JSON]":
    """Return how many documents of each language and source the `total` best would be, by each kind of score.

    Args:
        documents: ``id, lang, source`` and the columns of `WAYS`.
        alive: (n,) booleans; only these compete.
        total: documents that are kept.

    Returns:
        ``lang`` and ``source`` → rows of ``name``, ``of`` and a count for each kind of score that there is; sorted by
        name. Ties are broken by id.
    """
    mine = documents.filter(pa.array(alive))
    kept: dict[str, NDArray[np.bool_]] = {}
    for way, column in WAYS.items():
        if mine[column].null_count:
            continue
        order = pc.sort_indices(mine.select([column, "id"]), sort_keys=[(column, "descending"), ("id", "ascending")])
        kept[way] = np.zeros(mine.num_rows, bool)
        kept[way][order.to_numpy()[:total]] = True
    found: dict[str, JSON] = {}
    for side in ("lang", "source"):
        encoded = mine[side].combine_chunks().dictionary_encode()
        names, codes = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
        of = np.bincount(codes, minlength=len(names))
        counts = {way: np.bincount(codes[held], minlength=len(names)) for way, held in kept.items()}
        rows: dict[str, JSON] = {
            name: {"name": name, "of": int(of[at]), **{way: int(n[at]) for way, n in counts.items()}}
            for at, name in enumerate(names)
        }
        found[side] = [rows[name] for name in sorted(rows)]
    return found
