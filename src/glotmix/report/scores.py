"""Histograms of every score, per language: the same bins for all languages, so that they compare."""

import functools
import math
import operator
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from glotmix.core import table
from glotmix.report.figures import parts

if TYPE_CHECKING:
    import daft

BINS = 32
"""Bins of a histogram, about: their width is a round number."""

_WIDE = 50
"""Values from 1 upwards (lengths, counts) that span more than this factor are binned by their logarithm."""


_RULES = {"quality": ("quality", "budget"), "identify": ("identify",)}
"""Rules on the scores of a signal whose names are not the signal's and the column's."""

_BETWEEN = "\x1f"


@dataclass(frozen=True)
class Scale:
    """Equal bins over the values, or over their decimal logarithms.

    Args:
        low: the left edge of the first bin (its logarithm where `log`).
        step: width of a bin.
        bins: how many.
        log: whether values are binned by their logarithm.
    """

    low: float
    step: float
    bins: int
    log: bool

    def edge(self, number: int) -> float:
        """Return the left edge of bin `number`, in the unit of the values."""
        at = self.low + number * self.step
        return 10.0**at if self.log else at

    def inside(self, value: float) -> float:
        """Return the value, or the nearer end of the scale where it lies beyond."""
        return min(max(value, self.edge(0)), self.edge(self.bins))


@dataclass(frozen=True)
class Cutoff:
    """A threshold of one language.

    Args:
        lang: language.
        side: ``low`` (smaller values are dropped) or ``high``.
        value: the threshold, None where the rule is off.
        origin: where it came from, in words.
        documents: how many documents it was derived from.
    """

    lang: str
    side: str
    value: float | None
    origin: str
    documents: int | None


@dataclass(frozen=True)
class Histogram:
    """One score of all languages.

    Args:
        signal: the signal that the score belongs to.
        column: its column there.
        scale: the bins; values beyond them are counted in the outermost.
        cells: (language, bin) → documents kept, documents that fail a rule on this score, other dropped documents.
        lines: the thresholds on this column.
    """

    signal: str
    column: str
    scale: Scale
    cells: dict[tuple[str, int], tuple[int, int, int]]
    lines: tuple[Cutoff, ...]

    def measured(self) -> dict[str, int]:
        """Return how many documents of each language have this score."""
        counts: dict[str, int] = defaultdict(int)
        for (lang, _), documents in self.cells.items():
            counts[lang] += sum(documents)
        return dict(counts)


def lines_of(thresholds: Path | None) -> dict[str, list[Cutoff]]:
    """Return the thresholds by column, sorted by language and side."""
    found: dict[str, list[Cutoff]] = defaultdict(list)
    if thresholds is not None:
        for row in table.read([thresholds]).to_pylist():
            found[row["column"]].append(Cutoff(row["lang"], row["side"], row["value"], row["origin"], row.get("n")))
    return {column: sorted(lines, key=lambda x: (x.lang, x.side)) for column, lines in sorted(found.items())}


def histograms(ledger: Path, signal: str, folder: Path, lines: dict[str, list[Cutoff]]) -> list[Histogram]:
    """Return a histogram for each score of a signal, in the order of its columns; a column without any value has none.

    Args:
        ledger: tells the language of a document, whether it was kept, and what it fails.
        signal: name of the signal, such as ``heuristics``.
        folder: the signal.
        lines: thresholds by column.
    """
    from daft import col, lit
    from daft.functions import list_join

    files = parts(folder)
    schema = pq.read_schema(files[0])
    numeric = [f for f in schema if pa.types.is_floating(f.type) or pa.types.is_integer(f.type)]
    whole = {f.name: pa.types.is_integer(f.type) for f in numeric}
    documents = (
        table.scan(parts(ledger), ["id", "lang", "kept", "failed"])
        .with_column("failed", lit(_BETWEEN) + list_join(col("failed"), _BETWEEN))
        .join(table.scan(files, ["id", *whole]), on="id")
        .select("lang", "kept", "failed", *(_value(name).alias(name) for name in whole))
        .collect()
    )
    scales = _scales(documents, whole, lines)
    cells = _cells(documents, signal, scales) if scales else {}
    return [Histogram(signal, name, scales[name], cells[name], tuple(lines.get(name, ()))) for name in scales]


def _value(column: str) -> "daft.Expression":
    """Return a column in 64 bits, with null for what is no number."""
    from daft import DataType, col, lit
    from daft.functions import is_nan, when

    value = col(column).cast(DataType.float64())
    return when(is_nan(value), lit(None)).otherwise(value)


def _scales(documents: "daft.DataFrame", whole: dict[str, bool], lines: dict[str, list[Cutoff]]) -> dict[str, Scale]:
    """Choose bins that show the 1st to the 99th percentile of every language, and every threshold."""
    from daft import col
    from daft.functions import approx_percentiles

    ends = table.collect(
        documents.groupby("lang").agg(
            *(approx_percentiles(col(name), [0.01, 0.99]).alias(f"ends {name}") for name in whole),
            *(col(name).min().alias(f"least {name}") for name in whole),
            *(col(name).max().alias(f"most {name}") for name in whole),
        )
    ).to_pylist()
    scales = {}
    for name, integer in whole.items():
        seen = [e for e in ends if e[f"least {name}"] is not None]
        if seen:
            drawn = [line.value for line in lines.get(name, ()) if line.value is not None]
            # The percentiles are approximate: kept within what was seen, then rounded outwards.
            low = min([*(max(e[f"ends {name}"][0], e[f"least {name}"]) for e in seen), *drawn])
            high = max([*(min(e[f"ends {name}"][1], e[f"most {name}"]) for e in seen), *drawn])
            scales[name] = scale_of(low, high, integer)
    return scales


def scale_of(low: float, high: float, whole: bool = False) -> Scale:
    """Return about `BINS` bins of a round width from `low` to `high`.

    >>> scale_of(0.0, 0.31)
    Scale(low=0.0, step=0.01, bins=32, log=False)
    >>> scale_of(80, 90_000, whole=True)
    Scale(low=1.9, step=0.1, bins=31, log=True)
    """
    log = low >= 1 and high / low > _WIDE
    if log:
        low, high = math.log10(low), math.log10(high)
    step = _round_up((high - low) / BINS) if high > low else 1.0
    if whole and not log:
        step = max(1.0, step)
    first = math.floor(low / step + 1e-9)
    bins = max(1, math.floor(high / step + 1e-9) + 1 - first)
    return Scale(round(first * step, 12), step, bins, log)


def _round_up(step: float) -> float:
    """Return the smallest of 1, 2, 2.5, 5 times a power of ten that is at least `step`, up to a tenth."""
    power = 10.0 ** math.floor(math.log10(step))
    factor = next((f for f in (1, 2, 2.5, 5) if step <= 1.1 * f * power), 10)
    return float(f"{factor * power:.6g}")


def _cells(
    documents: "daft.DataFrame", signal: str, scales: dict[str, Scale]
) -> dict[str, dict[tuple[str, int], tuple[int, int, int]]]:
    """Count the documents of each score by language, bin and fate: one query, whatever the number of scores."""
    from daft import col, lit

    places = [(_bin(col(name), scale) * lit(3) + _fate(signal, name)).alias(name) for name, scale in scales.items()]
    rows = table.collect(
        documents.select(col("lang"), *places)
        .unpivot(["lang"], list(scales), variable_name="column", value_name="place")
        .where(col("place").not_null())
        .groupby("lang", "column", "place")
        .agg(col("place").count().alias("n"))
    ).to_pylist()
    cells: dict[str, dict[tuple[str, int], list[int]]] = {name: defaultdict(lambda: [0, 0, 0]) for name in scales}
    for row in rows:
        number, fate = divmod(row["place"], 3)
        cells[row["column"]][row["lang"], number][fate] += row["n"]
    return {
        name: {key: (kept, here, other) for key, (kept, here, other) in sorted(mine.items())}
        for name, mine in cells.items()
    }


def _bin(value: "daft.Expression", scale: Scale) -> "daft.Expression":
    from daft import DataType, lit
    from daft.functions import log10

    if scale.log:
        value = log10(value.clip(lit(scale.edge(0)), lit(scale.edge(scale.bins))))
    # The small addition keeps a value that stands on an edge, such as 0.3 in 32 bits, in the bin that begins there.
    at = ((value - lit(scale.low)) / lit(scale.step) + lit(1e-6)).floor()
    return at.clip(lit(0.0), lit(float(scale.bins - 1))).cast(DataType.int32())


def _fate(signal: str, column: str) -> "daft.Expression":
    """Return 0 for a kept document, 1 for one that fails a rule on this score, 2 for one dropped for other reasons."""
    from daft import DataType, col, lit
    from daft.functions import contains, when

    # A rule is called by signal and column, or as the column is.
    rules = _RULES.get(signal, (f"{signal}.{column}.", column))
    here = functools.reduce(operator.or_, (contains(col("failed"), _BETWEEN + rule) for rule in rules))
    return when(col("kept"), lit(0)).when(here, lit(1)).otherwise(lit(2)).cast(DataType.int32())
