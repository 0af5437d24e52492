"""Bad documents drawn from the corpus itself: any of it, or the hard ones (Q3, arXiv 2604.20549).

Of a crawl most documents are worse than the best that people chose, so a uniform draw serves as "bad" (FineWeb2-HQ).
Much of it is so bad that telling it apart teaches little: Q3 takes those between the 50th and the 75th percentile of a
first rater's scores, per language (per language is our reading), and trains again from scratch.
"""

from collections.abc import Mapping, Set
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core import table
from glotmix.quality.anchors import SCHEMA, hashes

LOW, HIGH = 0.5, 0.75
POOL = 4
"""Documents that are scored for each one that Q3 draws: its band holds a quarter of them."""


def draw(corpus: Path, wanted: Mapping[str, int], avoid: Set[str], seed: int) -> pa.Table:
    """Draw documents of the corpus, in a random order that depends on their texts and the seed alone.

    Args:
        corpus: folder of shards, read one at a time.
        wanted: language → documents; the languages that the corpus does not have are passed over.
        avoid: texts that are not drawn: the good documents.
        seed: of the draw.

    Returns:
        `anchors.SCHEMA`, labelled bad, sorted by language and then by the random order; of equal texts the first.
    """
    held: dict[str, pa.Table] = {}
    for shard in table.shards(corpus):
        rows = table.read([shard], ["text", "lang", "source"]).combine_chunks()
        for lang in pc.unique(rows["lang"]).to_pylist():
            if lang not in wanted:
                continue
            mine = rows.filter(pc.equal(rows["lang"], lang))
            mine = mine.append_column("key", pa.array(hashes(mine["text"], seed), pa.uint64()))
            both = pa.concat_tables([held[lang], mine]) if lang in held else mine
            both = both.sort_by([("key", "ascending"), ("text", "ascending"), ("source", "ascending")])
            # Equal texts are neighbours now, and one stands for all.
            texts = both["text"].to_pylist()
            fresh = [
                at for at, t in enumerate(texts) if t not in avoid and t.strip() and (at == 0 or t != texts[at - 1])
            ]
            held[lang] = both.take(pa.array(fresh[: wanted[lang]], pa.int64()))
    found = [held[lang] for lang in sorted(held)]
    rows = pa.concat_tables(found) if found else pa.table({n: pa.array([], pa.string()) for n in SCHEMA.names[:2]})
    return pa.table(
        {
            "text": rows["text"],
            "lang": rows["lang"],
            "label": pa.array([False] * rows.num_rows),
            "group": pa.nulls(rows.num_rows, pa.string()),
            "source": rows["source"] if "source" in rows.column_names else pa.nulls(rows.num_rows, pa.string()),
        },
        schema=SCHEMA,
    )


def band(scores: NDArray[np.floating], langs: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Return (n,) booleans: the documents from the 50th to the 75th percentile of their language's scores.

    By mid-rank, (rank − ½) / n, so that ties fall on one side together.

    >>> band(np.arange(8.0), np.array(["fra_Latn"] * 8)).tolist()
    [False, False, False, False, True, True, False, False]
    """

    from scipy.stats import rankdata

    inside = np.zeros(len(scores), bool)
    for lang in set(langs):
        mine = langs == lang
        at = (rankdata(scores[mine]) - 0.5) / mine.sum()
        inside[mine] = (at >= LOW) & (at < HIGH)
    return inside


def first(langs: NDArray[np.object_], wanted: Mapping[str, int]) -> NDArray[np.bool_]:
    """Return (n,) booleans: the first so many documents of each language."""
    taken = np.zeros(len(langs), bool)
    for lang, count in wanted.items():
        taken[np.flatnonzero(langs == lang)[:count]] = True
    return taken
