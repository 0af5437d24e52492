"""Connected components as Daft queries, for graphs that do not fit into memory or lie on a cluster.

The alternating algorithm of Kiveris, Lattanzi, Mirrokni, Rastogi, Vassilvitskii, "Connected Components in MapReduce
and Beyond" (SoCC 2014): large stars and small stars, until every node hangs on the smallest of its component.
"""

from typing import TYPE_CHECKING

from glotmix.core.errors import GlotmixError

if TYPE_CHECKING:
    import daft

ROWS_PER_PARTITION = 1_000_000
"""Rows of the graph (16 bytes each) that a partition on Ray should have."""

ROUNDS = 64
"""Rounds after which something is wrong: the paper proves O(log² n), and conjectures O(log n)."""


def components(edges: "daft.DataFrame") -> "daft.DataFrame":
    """Return ``node, label`` (int64): each node of the graph and the smallest node of its component.

    Args:
        edges: ``node, hub`` (int64), in any order and direction, repeats allowed; no node to itself.
    """
    from daft import col

    edges = gathered(gathered(edges).distinct())
    for _ in range(ROUNDS):
        edges = gathered(_small_star(gathered(_large_star(edges))))
        if _is_star(edges):
            roots = edges.select(col("hub").alias("node"), col("hub").alias("label")).distinct()
            return edges.select(col("node"), col("hub").alias("label")).concat(roots)
    raise GlotmixError(f"connected components did not settle in {ROUNDS} rounds")


def gathered(frame: "daft.DataFrame") -> "daft.DataFrame":
    """Return the table computed, and on Ray in no more partitions than its rows deserve.

    Concatenations and joins there add up or keep the partitions of what goes in, and a shuffle costs their square.
    """
    import daft

    frame = frame.collect()
    if daft.get_or_infer_runner_type() != "ray":
        return frame
    return frame.into_partitions(frame.count_rows() // ROWS_PER_PARTITION + 1).collect()


def _large_star(edges: "daft.DataFrame") -> "daft.DataFrame":
    """Connect every neighbour that is larger than a node to the smallest of the node and its neighbours."""
    from daft import col
    from daft.functions import when

    both = edges.concat(edges.select(col("hub").alias("node"), col("node").alias("hub")))
    least = gathered(both.groupby("node").agg(col("hub").min().alias("least")))
    least = least.select("node", when(col("least") < col("node"), col("least")).otherwise(col("node")).alias("least"))
    joined = both.join(least, on="node").where(col("hub") > col("node"))
    return joined.select(col("hub").alias("node"), col("least").alias("hub")).distinct()


def _small_star(edges: "daft.DataFrame") -> "daft.DataFrame":
    """Connect a node and its smaller neighbours to the smallest of these. `edges` lead from larger to smaller."""
    from daft import col

    least = gathered(edges.groupby("node").agg(col("hub").min().alias("least")))
    others = edges.join(least, on="node").where(col("hub") != col("least"))
    moved = others.select(col("hub").alias("node"), col("least").alias("hub"))
    return moved.concat(least.select(col("node"), col("least").alias("hub"))).distinct()


def _is_star(edges: "daft.DataFrame") -> bool:
    """Say whether every node has one edge, and no hub hangs on another."""
    from daft import col

    once = edges.count_rows() == edges.select("node").distinct().count_rows()
    return once and edges.join(edges.select(col("hub").alias("node")), on="node", how="semi").count_rows() == 0
