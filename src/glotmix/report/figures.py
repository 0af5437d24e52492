"""The counts of the report: queries over the ledger and the signals that return small tables.

Everything is a count of documents, so the order of rows and files changes nothing. Languages stand in one order
on the whole page: by documents read, then by code.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from glotmix.core import table

STAGES = (
    "license",
    "contamination",
    "cross_corpus_duplicates",
    "identify",
    "instructions",
    "heuristics",
    "duplicates",
    "source_overlap",
    "domain",
    "quality",
    "budget",
    "selection",
)
"""The funnel's order. A rule belongs to the stage that its name begins with."""

FEW = 5
"""Fewer documents than this are no finding: cells of them are pale, and a rule that decides fewer is folded away."""

_BETWEEN = "\x1f"


def parts(folder: Path) -> list[Path]:
    """Return the parts of a ledger or a signal (other tables, such as the thresholds, may stand beside them)."""
    return sorted(folder.glob("part-*.parquet"))


def pairs(
    ledger: Path, files: Sequence[Path], of_ledger: Sequence[str], of_signal: Sequence[str]
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Yield columns of the ledger, and of a signal, of the same documents in the same order, one part at a time.

    Args:
        ledger: the ledger.
        files: the parts of the signal.
        of_ledger: columns of the one.
        of_signal: columns of the other.
    """
    whole = None
    for file in files:
        rows, mine = table.read([file], ["id", *of_signal]), ledger / file.name
        told = table.read([mine], ["id", *of_ledger]) if mine.is_file() else None
        if told is None or not told["id"].equals(rows["id"]):
            # Parts that were cut otherwise.
            whole = table.read(parts(ledger), ["id", *of_ledger]) if whole is None else whole
            at = pc.index_in(rows["id"], value_set=whole["id"].combine_chunks())
            told, rows = whole.take(at.drop_null()), rows.filter(at.is_valid())
        yield told, rows


def stage(rule: str) -> str:
    """Return the stage of a rule: ``heuristics.digit_share.high`` → ``heuristics``."""
    return rule.split(".", 1)[0]


def in_order(stages: Iterable[str]) -> list[str]:
    """Sort stages as documents pass through them; unknown ones come last, by name."""
    return sorted(set(stages), key=lambda s: (STAGES.index(s) if s in STAGES else len(STAGES), s))


@dataclass(frozen=True)
class Way:
    """One way through the rules, and how many documents went it.

    Args:
        lang: declared language.
        source: where they came from.
        rule: the rule that dropped them, None where they were kept.
        failed: every rule that they fail, sorted.
        documents: how many.
        size: their bytes of text.
    """

    lang: str
    source: str
    rule: str | None
    failed: tuple[str, ...]
    documents: int
    size: int


def ways(ledger: Path) -> list[Way]:
    """Count the documents of a ledger by language, source, deciding rule and all failed rules."""
    from daft import col
    from daft.functions import list_join

    frame = table.scan(parts(ledger), ["id", "lang", "source", "rule", "failed", "bytes"])
    grouped = (
        frame.with_column("failed", list_join(col("failed"), _BETWEEN))
        .groupby("lang", "source", "rule", "failed")
        .agg(col("id").count().alias("documents"), col("bytes").sum().alias("size"))
    )
    rows = [
        Way(**row | {"failed": tuple(sorted(filter(None, row["failed"].split(_BETWEEN))))})
        for row in table.collect(grouped).to_pylist()
    ]
    return sorted(rows, key=lambda w: (w.lang, w.source, w.rule or "", w.failed))


@dataclass
class Funnel:
    """What came in, what each stage took away, what was kept; of one language, one source, or all.

    Args:
        key: the language, the source, or ``all``.
        read: documents that were read.
        kept: documents that were kept.
        read_bytes: bytes of text read.
        kept_bytes: bytes of text kept.
        dropped: documents by the stage that dropped them.
    """

    key: str
    read: int = 0
    kept: int = 0
    read_bytes: int = 0
    kept_bytes: int = 0
    dropped: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, way: Way) -> None:
        """Count the documents of one way."""
        self.read += way.documents
        self.read_bytes += way.size
        if way.rule is None:
            self.kept += way.documents
            self.kept_bytes += way.size
        else:
            self.dropped[stage(way.rule)] += way.documents


def funnels(found: Iterable[Way], key: Callable[[Way], str]) -> list[Funnel]:
    """Return a funnel for each key, the largest first, equal ones by key."""
    made: dict[str, Funnel] = {}
    for way in found:
        made.setdefault(key(way), Funnel(key(way))).add(way)
    return sorted(made.values(), key=lambda f: (-f.read, f.key))


@dataclass(frozen=True)
class Kept:
    """What was kept of each language in each source.

    Args:
        sources: the columns, the largest first.
        rows: (language, its funnels by source, its funnel over all sources), the largest first.
    """

    sources: tuple[str, ...]
    rows: tuple[tuple[str, dict[str, Funnel], Funnel], ...]


def kept(found: Iterable[Way]) -> Kept:
    """Return the table language × source."""
    found = list(found)
    cells: dict[str, dict[str, Funnel]] = defaultdict(dict)
    for way in found:
        cells[way.lang].setdefault(way.source, Funnel(way.source)).add(way)
    sources = tuple(funnel.key for funnel in funnels(found, lambda way: way.source))
    whole = funnels(found, lambda way: way.lang)
    return Kept(sources, tuple((funnel.key, cells[funnel.key], funnel) for funnel in whole))


@dataclass(frozen=True)
class Rule:
    """What one rule did.

    Args:
        name: the rule.
        credited: documents that it dropped, being the first that they failed.
        alone: documents that fail this rule and no other: without it they would be kept.
        together: documents that fail this rule and others too.
        size: bytes of the documents that fail this rule and no other: what it costs.
        languages: documents that fail it, by language.
    """

    name: str
    credited: int
    alone: int
    together: int
    size: int
    languages: dict[str, int]

    @property
    def decides(self) -> bool:
        """Whether without it more than a handful of documents would be kept."""
        return self.alone >= FEW

    @property
    def failing(self) -> int:
        """Documents that fail the rule, alone or together with others."""
        return self.alone + self.together


def rules(found: Iterable[Way]) -> list[Rule]:
    """Return every rule that any document fails, in the order of the funnel, those that fail most first."""
    credited: dict[str, int] = defaultdict(int)
    alone: dict[str, int] = defaultdict(int)
    together: dict[str, int] = defaultdict(int)
    size: dict[str, int] = defaultdict(int)
    languages: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for way in found:
        if way.rule is not None:
            credited[way.rule] += way.documents
        for name in way.failed:
            (alone if len(way.failed) == 1 else together)[name] += way.documents
            size[name] += way.size if len(way.failed) == 1 else 0
            languages[name][way.lang] += way.documents
    made = [
        Rule(name, credited[name], alone[name], together[name], size[name], dict(sorted(languages[name].items())))
        for name in credited.keys() | languages.keys()
    ]
    order = {s: n for n, s in enumerate(in_order(stage(r.name) for r in made))}
    return sorted(made, key=lambda r: (order[stage(r.name)], -r.failing, r.name))


def stands_out(failing: int, documents: int, share: float) -> float:
    """Say how far a language stands from what all languages together would give, from -1 (a quarter) to 1 (four times).

    `log2((f + 4) / (n p + 4)) / 2`, clipped: the four pseudo-counts keep a few documents from shouting.

    >>> stands_out(10, 100, 0.1), round(stands_out(40, 100, 0.1), 2), round(stands_out(1, 2, 0.1), 2)
    (0.0, 0.83, 0.13)
    """
    return max(-1.0, min(1.0, math.log2((failing + 4) / (documents * share + 4)) / 2))


def overlaps(found: Iterable[Way]) -> dict[tuple[str, str], int]:
    """Count the documents that fail both of two rules, for every ordered pair that any document fails."""
    both: dict[tuple[str, str], int] = defaultdict(int)
    for way in found:
        for one in way.failed:
            for other in way.failed:
                if one != other:
                    both[one, other] += way.documents
    return dict(sorted(both.items()))


@dataclass(frozen=True)
class Identified:
    """How the declared language of documents compares with the language that they were identified as.

    Args:
        lang: declared language.
        agree: documents identified as compatible.
        differ: documents identified as another language.
        unknown: documents of which the model cannot say, since it does not know the declared language.
        seen: the other languages that were seen, most frequent first.
    """

    lang: str
    agree: int
    differ: int
    unknown: int
    seen: tuple[tuple[str, int], ...]

    @property
    def documents(self) -> int:
        """How many there are."""
        return self.agree + self.differ + self.unknown


def identified(ledger: Path, identify: Path) -> list[Identified]:
    """Compare declared and identified languages."""
    counts: dict[str, dict[bool | None, int]] = defaultdict(lambda: defaultdict(int))
    seen: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for told, rows in pairs(ledger, parts(identify), ["lang"], ["label", "agrees"]):
        by = (
            rows.append_column("lang", told["lang"])
            .group_by(["lang", "label", "agrees"])
            .aggregate([([], "count_all")])
        )
        for row in by.to_pylist():
            counts[row["lang"]][row["agrees"]] += row["count_all"]
            if row["agrees"] is not True:
                seen[row["lang"]][row["label"] or "nothing"] += row["count_all"]
    made = [
        Identified(
            lang, n[True], n[False], n[None], tuple(sorted(seen[lang].items(), key=lambda pair: (-pair[1], pair[0])))
        )
        for lang, n in counts.items()
    ]
    return sorted(made, key=lambda i: (-i.documents, i.lang))


def cluster_sizes(duplicates: Path) -> list[tuple[int, int]]:
    """Return (size, how many clusters have it) for clusters of two and more, by size."""
    from daft import col, lit

    # A cluster is named after its smallest id, so exactly one member carries its own name.
    frame = (
        table.scan(parts(duplicates), ["id", "cluster", "cluster_size"])
        .where((col("cluster_size") > lit(1)) & (col("id") == col("cluster")))
        .groupby("cluster_size")
        .agg(col("id").count().alias("n"))
    )
    return sorted((r["cluster_size"], r["n"]) for r in table.collect(frame).to_pylist())


@dataclass(frozen=True)
class Clustered:
    """The duplicates of one language: documents in clusters, and what was dropped of them."""

    lang: str
    clustered: int
    exact: int
    near: int


def clustered(ledger: Path, duplicates: Path) -> list[Clustered]:
    """Count, per language, the documents in clusters of two and more and those dropped as duplicates."""
    counts: dict[str, Counter[str | None]] = defaultdict(Counter)
    for told, rows in pairs(ledger, parts(duplicates), ["lang", "rule"], ["cluster_size"]):
        crowded = told.filter(pc.greater(rows["cluster_size"], 1))
        for row in crowded.group_by(["lang", "rule"]).aggregate([([], "count_all")]).to_pylist():
            counts[row["lang"]][row["rule"]] += row["count_all"]
    rows_of = [Clustered(lang, n.total(), n["duplicates.exact"], n["duplicates.near"]) for lang, n in counts.items()]
    return sorted(rows_of, key=lambda c: (-c.clustered, c.lang))
