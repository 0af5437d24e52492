"""Documents to read: what each rule dropped, what stands on the line, what the largest clusters hold.

Examples are drawn by a hash of their id: blind to what they say, and the same whatever the order of the files.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glotmix.core import table
from glotmix.report.excerpt import cut, visible
from glotmix.report.figures import parts

PER_RULE = 8
"""Examples of what one rule dropped, as many languages among them as there are."""

BORDERLINE = 160
"""Borderline documents in all, about: shared out evenly among languages, and between kept and dropped."""

CLUSTERS = 12
"""Largest clusters of duplicates that are shown."""

CHARACTERS = 480
"""Length of an excerpt."""

_RETENTION = ["quality", "budget"]
"""The rules that draw a line through the quality of a language, the last ones of the funnel."""

_COLUMNS = ("id", "lang", "source", "kept", "rule", "evidence", "duplicate_of", "failed")


@dataclass(frozen=True)
class Example:
    """A document to read.

    Args:
        id: its id.
        lang: declared language.
        source: where it came from.
        kept: whether it was kept.
        rule: the rule that dropped it, or None.
        evidence: what the rule saw, or None.
        also: the other rules that it fails.
        margin: signed distance to the line of retention, in quantiles, or None.
        text: its beginning.
        more: how many characters follow.
    """

    id: str
    lang: str
    source: str
    kept: bool
    rule: str | None
    evidence: str | None
    also: tuple[str, ...]
    margin: float | None
    text: str
    more: int


@dataclass(frozen=True)
class Cluster:
    """A cluster of duplicates: its size, where its members come from, and two of them to compare."""

    name: str
    size: int
    langs: tuple[tuple[str, int], ...]
    sources: tuple[tuple[str, int], ...]
    members: tuple[Example, ...]


def dropped(ledger: Path) -> dict[str, list[dict[str, Any]]]:
    """Draw documents that each rule dropped: those that fail the fewest rules first, one language after the other."""
    from daft import Window, col, lit
    from daft.functions import hash as hash_of
    from daft.functions import list_count, row_number

    order = Window().partition_by("rule", "lang").order_by("failures", "key", "id")
    rows = table.collect(
        _ledger(ledger)
        .where(~col("kept"))
        .with_column("failures", list_count(col("failed")))
        .with_column("key", hash_of(col("id")))
        .with_column("turn", row_number().over(order))
        .where(col("turn") <= lit(PER_RULE))
    )
    rows = rows.sort_by([(c, "ascending") for c in ("rule", "turn", "failures", "key", "id")])
    drawn: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows.to_pylist():
        if len(drawn[row["rule"]]) < PER_RULE:
            drawn[row["rule"]].append(row)
    return dict(drawn)


def borderline(ledger: Path, order: Sequence[str]) -> list[dict[str, Any]]:
    """Return the documents nearest to the line that retention drew in their language, on both sides of it.

    The nearest kept and the nearest dropped one of each language come first, then the second nearest of each.
    Documents that a rule before it dropped are not among them: no line of quality decided those.

    Args:
        ledger: the ledger.
        order: the languages, in the order of the page.
    """
    from daft import Window, col, lit
    from daft.functions import row_number

    each = min(4, max(1, BORDERLINE // (2 * len(order))))
    nearest = Window().partition_by("lang", "kept").order_by("distance", "id")
    rows = table.collect(
        _ledger(ledger)
        .where(col("margin").not_null() & (col("kept") | col("rule").is_in(_RETENTION)))
        .with_column("distance", col("margin").abs())
        .with_column("turn", row_number().over(nearest))
        .where(col("turn") <= lit(each))
    )
    place = {lang: number for number, lang in enumerate(order)}
    return sorted(rows.to_pylist(), key=lambda r: (r["turn"], place[r["lang"]], not r["kept"]))


def largest_clusters(ledger: Path, duplicates: Path) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Return the largest clusters, each with its composition and two of its members' ledger rows.

    The two are the one that stands for the others and, if there is one, a near duplicate, otherwise an exact one.
    """
    from daft import Window, col, lit
    from daft.functions import row_number, when

    found = table.scan(parts(duplicates), ["id", "cluster", "cluster_size"]).where(col("cluster_size") > lit(1))
    names = table.collect(
        found.where(col("id") == col("cluster")).sort(["cluster_size", "id"], desc=[True, False]).limit(CLUSTERS)
    )["cluster"].to_pylist()
    if not names:
        return []
    rule = col("rule")
    # Duplicates are decided before quality: what quality dropped had been kept for its cluster.
    stands = rule.is_null() | rule.is_in(_RETENTION)
    members = (
        _ledger(ledger)
        .join(found.where(col("cluster").is_in(names)), on="id")
        .with_column(
            "place",
            when(stands, lit(0))
            .when(rule == lit("duplicates.near"), lit(1))
            .when(rule == lit("duplicates.exact"), lit(2))
            .otherwise(lit(3)),
        )
        .collect()
    )
    groups = table.collect(members.groupby("cluster", "lang", "source").agg(col("id").count().alias("n"))).to_pylist()
    order = Window().partition_by("cluster").order_by("place", "id")
    first = table.collect(members.with_column("turn", row_number().over(order)).where(col("turn") <= lit(2)))
    shown = first.sort_by([("cluster", "ascending"), ("turn", "ascending")]).to_pylist()
    return [
        (
            {
                "name": name,
                "size": sum(g["n"] for g in groups if g["cluster"] == name),
                "langs": _sum(groups, name, "lang"),
                "sources": _sum(groups, name, "source"),
            },
            [row for row in shown if row["cluster"] == name],
        )
        for name in names
    ]


def texts(corpus: Path, ids: Iterable[str]) -> dict[str, str]:
    """Return the texts of some documents; only row groups that hold one of them are read whole."""
    wanted = pa.array(sorted(set(ids)), pa.string())
    found: dict[str, str] = {}
    for path in table.shards(corpus) if len(wanted) else []:
        file = pq.ParquetFile(path)
        for group in range(file.metadata.num_row_groups):
            mask = pc.is_in(file.read_row_group(group, ["id"])["id"], value_set=wanted)
            if pc.any(mask).as_py():
                rows = file.read_row_group(group, ["id", "text"]).filter(mask)
                found.update(zip(rows["id"].to_pylist(), rows["text"].to_pylist(), strict=True))
    return found


def example(row: Mapping[str, Any], known: Mapping[str, str]) -> Example:
    """Make an example of a row of the ledger and the texts of `texts`."""
    text, more = cut(known[row["id"]], CHARACTERS)
    also = tuple(sorted(r for r in row["failed"] if r != row["rule"]))
    evidence = None if row["evidence"] is None else visible(row["evidence"])
    # Where a rule before quality dropped it, its distance to the line of quality decided nothing.
    margin = row["margin"] if row["rule"] in (None, *_RETENTION) else None
    return Example(
        row["id"], row["lang"], row["source"], row["kept"], row["rule"], evidence, also, margin, visible(text).strip(),
        more,
    )  # fmt: skip


def _ledger(folder: Path) -> Any:
    return table.scan(parts(folder), [*_COLUMNS, "margin"])


def _sum(groups: list[dict[str, Any]], cluster: str, key: str) -> tuple[tuple[str, int], ...]:
    counts: dict[str, int] = defaultdict(int)
    for group in groups:
        if group["cluster"] == cluster:
            counts[group[key]] += group["n"]
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
