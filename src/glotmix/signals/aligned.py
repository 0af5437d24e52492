"""Facts about some documents, brought into the order of all."""

import numpy as np
import pyarrow as pa

from glotmix.signals.signatures import nodes


def aligned(facts: pa.Table, ids: pa.Array) -> pa.Table:
    """Return the facts of each id, row for row as `ids`; nulls where there are none.

    Args:
        facts: sorted by ``node`` (the hash of an id, int64, each at most once), and other columns.
        ids: (n,) strings.
    """
    known, own = facts["node"].to_numpy(), nodes(ids)
    if not len(known):
        return facts.take(pa.nulls(len(own), pa.int64()))
    at = np.searchsorted(known, own)
    at[at == len(known)] = 0
    return facts.take(pa.array(at, mask=known[at] != own))
