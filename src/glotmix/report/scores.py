"""Histograms of every score, per language: the same bins for all languages, so that they compare."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core import table
from glotmix.report.figures import pairs, parts

BINS = 32
"""Bins of a histogram, about: their width is a round number."""

_WIDE = 50
"""Values from 1 upwards (lengths, counts) that span more than this factor are binned by their logarithm."""


_RULES = {"quality": ("quality", "budget"), "identify": ("identify",)}
"""Rules on the scores of a signal whose names are not the signal's and the column's."""

_BETWEEN = "\x1f"
_OF_LEDGER = ("lang", "kept", "failed")

_LOG_GAMMA = math.log1p(0.02 / 0.99)
_ZERO, _OFFSET = 1e-9, 100_000
"""Of sketches: what is not told from 0, and what parts the buckets of positive values from those of negative ones."""


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
    files = parts(folder)
    schema = pq.read_schema(files[0])
    numeric = [f for f in schema if pa.types.is_floating(f.type) or pa.types.is_integer(f.type)]
    whole = {f.name: pa.types.is_integer(f.type) for f in numeric}
    scales = _scales(ledger, files, whole, lines)
    cells = _cells(ledger, files, signal, scales)
    return [Histogram(signal, name, scales[name], cells[name], tuple(lines.get(name, ()))) for name in scales]


def _values(rows: pa.Table, column: str) -> NDArray[np.float64]:
    """Return a column in 64 bits, with NaN for what is missing."""
    return np.asarray(rows[column].to_numpy(), np.float64)


@dataclass
class _Sketch:
    """How the values of one language are spread: the ends, and how many there are of each size, to one per cent.

    The sketch of Masson, Rim and Lee (DDSketch, arXiv 1908.10693): a value's bucket is ⌈log_γ x⌉ with
    γ = (1 + α) / (1 − α), and stands for 2 γ^bucket / (γ + 1), which is at most α·x off. Sketches of parts add up.
    """

    low: float = math.inf
    high: float = -math.inf
    counts: Counter[int] = field(default_factory=Counter)

    def add(self, values: NDArray[np.float64]) -> None:
        """Take (k,) more values in, one at least."""
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        size = np.abs(values)
        there = size > _ZERO
        bucket = np.zeros(len(values), np.int64)
        at = np.ceil(np.log(size[there]) / _LOG_GAMMA).astype(np.int64) + _OFFSET
        bucket[there] = np.where(values[there] < 0, -at, at)
        found, counts = np.unique(bucket, return_counts=True)
        self.counts.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))

    def quantile(self, share: float) -> float:
        """Return the value below which so much of all lies, within what was seen."""
        rank, before = int(share * (self.counts.total() - 1)), 0
        for bucket in sorted(self.counts):
            before += self.counts[bucket]
            if before > rank:
                break
        value = 0.0 if not bucket else 2 * math.exp((abs(bucket) - _OFFSET) * _LOG_GAMMA) / (1 + math.exp(_LOG_GAMMA))
        return min(max(math.copysign(value, bucket), self.low), self.high)


def _scales(
    ledger: Path, files: Sequence[Path], whole: dict[str, bool], lines: dict[str, list[Cutoff]]
) -> dict[str, Scale]:
    """Choose bins that show the 1st to the 99th percentile of every language, and every threshold."""
    seen: dict[str, dict[str, _Sketch]] = {name: {} for name in whole}
    for told, rows in pairs(ledger, files, _OF_LEDGER, [*whole]):
        langs = told["lang"].combine_chunks().dictionary_encode()
        code = langs.indices.to_numpy()
        for name in whole:
            values = _values(rows, name)
            for at, lang in enumerate(langs.dictionary.to_pylist()):
                mine = values[(code == at) & ~np.isnan(values)]
                if len(mine):
                    seen[name].setdefault(lang, _Sketch()).add(mine)
    scales = {}
    for name, integer in whole.items():
        if seen[name]:
            drawn = [line.value for line in lines.get(name, ()) if line.value is not None]
            # The percentiles are approximate: rounded outwards.
            low = min([*(one.quantile(0.01) for one in seen[name].values()), *drawn])
            high = max([*(one.quantile(0.99) for one in seen[name].values()), *drawn])
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
    ledger: Path, files: Sequence[Path], signal: str, scales: dict[str, Scale]
) -> dict[str, dict[tuple[str, int], tuple[int, int, int]]]:
    """Count the documents of each score by language, bin and fate."""
    cells: dict[str, dict[tuple[str, int], NDArray[np.int64]]] = {name: {} for name in scales}
    for told, rows in pairs(ledger, files, _OF_LEDGER, [*scales]):
        langs = told["lang"].combine_chunks().dictionary_encode()
        code, kept = langs.indices.to_numpy().astype(np.int64), told["kept"].to_numpy()
        failed = pc.binary_join(told["failed"].combine_chunks(), _BETWEEN).dictionary_encode()
        for name, scale in scales.items():
            values = _values(rows, name)
            fails = np.array([_fails(signal, name, _BETWEEN + one) for one in failed.dictionary.to_pylist()], bool)
            # 0 for a kept document, 1 for one that fails a rule on this score, 2 for one dropped for other reasons.
            fate = np.where(kept, 0, np.where(fails[failed.indices.to_numpy()], 1, 2))
            there = ~np.isnan(values)
            place = (code[there] * scale.bins + _bin(values[there], scale)) * 3 + fate[there]
            counts = np.bincount(place, minlength=len(langs.dictionary) * scale.bins * 3).reshape(-1, scale.bins, 3)
            for lang, number in np.argwhere(counts.any(axis=2)).tolist():
                key = langs.dictionary[lang].as_py(), number
                cells[name][key] = cells[name].get(key, 0) + counts[lang, number]
    return {
        name: {key: (int(one[0]), int(one[1]), int(one[2])) for key, one in sorted(mine.items())}
        for name, mine in cells.items()
    }


def _bin(values: NDArray[np.float64], scale: Scale) -> NDArray[np.int64]:
    if scale.log:
        values = np.log10(np.clip(values, scale.edge(0), scale.edge(scale.bins)))
    # The small addition keeps a value that stands on an edge, such as 0.3 in 32 bits, in the bin that begins there.
    at = np.floor((values - scale.low) / scale.step + 1e-6)
    return np.asarray(np.clip(at, 0, scale.bins - 1), np.int64)


def _fails(signal: str, column: str, failed: str) -> bool:
    """Say whether a rule on this score is among those that a document fails."""
    # A rule is called by signal and column, or as the column is.
    return any(_BETWEEN + rule in failed for rule in _RULES.get(signal, (f"{signal}.{column}.", column)))
