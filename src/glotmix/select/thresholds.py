"""Thresholds of the heuristics, per language: given, or derived from the user's own documents by a quantile rule.

The rule, for the line on the high side at quantile q over the n documents of a language that have the column (the low
side is its mirror image):

    value = x_(k), the k-th smallest, k = ⌈q·n⌉;        a document fails if its own value is > x_(k)

(Hyndman and Fan 1996, definition 1). A line is always a value that occurs, and never drops it: of n documents at most
(1 − q)·n fail, whatever their distribution, and a spike at the edge (most documents have no curly bracket) fails never.

A language with fewer documents than `min_documents` gives no line of its own. It borrows the *loosest* line of the
languages in its script that have enough (at least `DONORS`), so that it loses only what every one of them would lose;
and nothing at all where more than `UNLIKE` of its own documents would fail: then it is unlike them in that column.
Pooled or normalised (median, MAD) lines were tried and drop several per cent of a language: docs/heuristics.md.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.core.errors import DataError
from glotmix.core.language import parse
from glotmix.core.rules import RuleHits
from glotmix.core.settings import Setting

VERSION = 1
DONORS = 5
"""Languages of a script that must have a line before another borrows the loosest of theirs."""
UNLIKE = 0.1
"""A borrowed line that more than this share of a language's documents fail is not drawn."""

SCHEMA = pa.schema(
    [
        pa.field("lang", pa.string(), nullable=False),
        pa.field("column", pa.string(), nullable=False),
        pa.field("side", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("n", pa.int32(), nullable=False),
    ]
)
"""``side`` is ``low`` or ``high``; ``value`` null where no line is drawn; ``n`` documents that have the column."""

Side = Literal["low", "high"]
_PREFIX = "heuristics."


@dataclass(frozen=True)
class Cutoff:
    """One threshold: documents of `lang` beyond `value` on `side` fail; None for no line."""

    lang: str
    column: str
    side: Side
    value: float | None
    origin: str
    n: int


def derive(table: pa.Table, settings: Mapping[str, Mapping[str, Setting]], min_documents: int = 100) -> pa.Table:
    """Draw the lines of every language in the table.

    Args:
        table: ``lang`` and the columns of the heuristics; rows in any order.
        settings: each language's resolved settings (`core.settings.resolve`); those under ``heuristics.`` count, as
            ``heuristics.<column>.low`` and ``.high``: a number, ``{"quantile": q}``, or None for no line.
        min_documents: a language with fewer documents that have a column borrows.

    Returns:
        a table of `SCHEMA`, by language, then in the order of the settings; sides that are off are left out.

    Raises:
        DataError: if the table lacks a column that a setting names.
    """
    langs, rows = _by_language(table)

    def present(column: str) -> dict[str, Ordered]:
        values = numbers(table, column)
        return {lang: np.sort(v[~np.isnan(v)]) for lang, v in ((lang, values[rows[lang]]) for lang in langs)}

    return drawn(langs, present, settings, min_documents)


def drawn(
    langs: Sequence[str],
    present: "Callable[[str], Mapping[str, Ordered]]",
    settings: Mapping[str, Mapping[str, Setting]],
    min_documents: int,
) -> pa.Table:
    """Draw the lines of some languages: `derive`, where their values are not one table.

    Args:
        langs: the languages, sorted.
        present: from a column to each language's values in rising order, without missing ones.
        settings: as of `derive`.
        min_documents: likewise.
    """
    wanted: dict[tuple[str, Side], dict[str, Setting]] = {}
    for lang in langs:
        for key, setting in settings[lang].items():
            if key.startswith(_PREFIX) and setting.value is not None:
                wanted.setdefault(_parts(key), {})[lang] = setting
    order = {part: i for i, part in enumerate(wanted)}
    lines: list[Cutoff] = []
    for column in dict.fromkeys(column for column, _ in wanted):
        ordered = present(column)
        for side in ("low", "high"):
            lines += _one_side(column, side, ordered, wanted.get((column, side), {}), min_documents)
    lines.sort(key=lambda line: (line.lang, order[line.column, line.side]))
    return pa.Table.from_pylist([line.__dict__ for line in lines], schema=SCHEMA)


def failures(table: pa.Table, thresholds: pa.Table) -> list[RuleHits]:
    """Find the documents beyond a line.

    Args:
        table: ``lang`` and the columns that the thresholds name.
        thresholds: as `derive` returns.

    Returns:
        for each rule ``heuristics.<column>.<side>``, in the order of the thresholds, the positions of the documents
        that fail it and the evidence for each, such as ``mean word length 23.1 > 14.2 (quantile 0.99 of 812 documents
        of fra_Latn)``; rules that no document fails are left out.
    """
    codes = table["lang"].combine_chunks().dictionary_encode()
    where = codes.indices.to_numpy()
    position = {lang: i for i, lang in enumerate(codes.dictionary.to_pylist())}
    rules: dict[tuple[str, Side], list[Cutoff]] = {}
    for row in thresholds.to_pylist():
        if row["value"] is not None:
            # In the order of all languages' lines, whichever of them these documents are of.
            lines = rules.setdefault((row["column"], row["side"]), [])
            if row["lang"] in position:
                lines.append(Cutoff(**row))
    found = []
    for (column, side), lines in rules.items():
        values = numbers(table, column)
        limits = np.full(len(position), np.nan, values.dtype)
        for line in lines:
            limits[position[line.lang]] = line.value
        limit = limits[where]
        failing = np.flatnonzero(_beyond(values, limit, side))
        if failing.size:
            origins = {position[line.lang]: line.origin for line in lines}
            name, sign = column.replace("_", " "), "<" if side == "low" else ">"
            evidence = [
                f"{name} {_shown(v, bound)} {sign} {_shown(bound, v)} ({origins[lang]})"
                for v, bound, lang in zip(
                    values[failing].tolist(), limit[failing].tolist(), where[failing].tolist(), strict=True
                )
            ]
            found.append(RuleHits(f"{_PREFIX}{column}.{side}", failing.astype(np.int64), evidence))
    return found


@dataclass(frozen=True)
class Few:
    """Of a language's many values in rising order, those that its lines are drawn at.

    Args:
        size: how many values there are.
        at: position → value.
    """

    size: int
    at: Mapping[int, float]

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, position: int) -> float:
        return self.at[position]


Ordered: TypeAlias = "NDArray[np.float64] | Few"


def few(ordered: NDArray[np.float64], column: str, settings: Mapping[str, Setting], min_documents: int) -> Ordered:
    """Return what `drawn` needs of a language's values: all of them where the language is small and may borrow."""
    n = len(ordered)
    if n < max(1, min_documents):
        return ordered
    at = {}
    for side in ("low", "high"):
        setting = settings.get(f"{_PREFIX}{column}.{side}")
        if setting is not None and isinstance(setting.value, dict):
            position = _position(n, side, setting.value["quantile"])
            at[position] = float(ordered[position])
    return Few(n, at)


def quantile_line(ordered: "Ordered", side: Side, q: float) -> float:
    """Return the line at quantile `q` of sorted values (at least one): see the module.

    >>> values = np.arange(1.0, 101.0)
    >>> quantile_line(values, "high", 0.99), quantile_line(values, "low", 0.01)
    (99.0, 2.0)
    """
    return float(ordered[_position(len(ordered), side, q)])


def _position(n: int, side: str, q: float) -> int:
    # 0.07 * 100 is a little more than 7; nine digits are more than any quantile is written with.
    at = round(q * n, 9)
    k = math.ceil(at) - 1 if side == "high" else math.floor(at)
    return min(max(k, 0), n - 1)


def _one_side(
    column: str,
    side: Side,
    present: "Mapping[str, Ordered]",
    wanted: Mapping[str, Setting],
    min_documents: int,
) -> list[Cutoff]:
    """Draw the lines of one column on one side."""
    own: dict[str, float] = {}
    for lang, setting in wanted.items():
        if isinstance(setting.value, dict) and len(present[lang]) >= max(1, min_documents):
            own[lang] = quantile_line(present[lang], side, setting.value["quantile"])
    lines = []
    for lang, setting in wanted.items():
        ordered = present[lang]
        n = len(ordered)
        value: float | None
        if not isinstance(setting.value, dict):
            # Checked when the settings were read: a number.
            value, origin = float(setting.value), f"given by {setting.origin}"  # type: ignore[arg-type]
        elif lang in own:
            value, origin = own[lang], f"quantile {setting.value['quantile']:g} of {n} documents of {lang}"
        elif n == 0:
            value, origin = None, f"no line: no document of {lang} has this column"
        else:
            assert isinstance(ordered, np.ndarray), "a language that borrows is small"
            value, origin = _borrowed(lang, side, ordered, own)
            origin += f"; {lang} has {n} documents with this column and {min_documents} are needed"
        lines.append(Cutoff(lang, column, side, value, origin, n))
    return lines


def _borrowed(
    lang: str, side: Side, ordered: NDArray[np.float64], own: Mapping[str, float]
) -> tuple[float | None, str]:
    """Return the loosest line of the other languages in the script, and its origin."""
    script = parse(lang).script
    donors = {other: value for other, value in own.items() if parse(other).script == script}
    if len(donors) < DONORS:
        return None, f"no line: {len(donors)} languages in {script} have one and {DONORS} are needed to borrow"
    loosest = min(donors, key=lambda other: (donors[other] if side == "low" else -donors[other], other))
    value = donors[loosest]
    failing = int(_beyond(ordered, np.full(len(ordered), value), side).sum())
    if failing > UNLIKE * len(ordered):
        return None, f"no line: {failing} documents would fail the loosest of {len(donors)} languages in {script}"
    return value, f"the loosest of {len(donors)} languages in {script} ({loosest})"


def _beyond(values: NDArray[np.float64], limit: NDArray[np.float64], side: Side) -> NDArray[np.bool_]:
    """Say which values lie beyond their limit; neither a missing value nor a missing limit does."""
    return values < limit if side == "low" else values > limit


def _parts(key: str) -> tuple[str, Side]:
    column, _, side = key.removeprefix(_PREFIX).rpartition(".")
    if side not in ("low", "high"):
        raise DataError(f"settings.{key}: a heuristic has the sides 'low' and 'high'")
    return column, "low" if side == "low" else "high"


def _by_language(table: pa.Table) -> tuple[list[str], dict[str, NDArray[np.int64]]]:
    """Return the languages, sorted, and the rows of each."""
    codes = table["lang"].combine_chunks().dictionary_encode()
    names = codes.dictionary.to_pylist()
    order = np.argsort(codes.indices.to_numpy(), kind="stable")
    ends = np.cumsum(np.bincount(codes.indices.to_numpy(), minlength=len(names)))
    rows = {name: order[begin:end] for name, begin, end in zip(names, [0, *ends[:-1]], ends, strict=True)}
    return sorted(rows), rows


def numbers(table: pa.Table, column: str) -> NDArray[np.float64]:
    """Return a column with NaN for null: as float32 where it is stored so (a given 0.3 then equals a stored 0.3)."""
    if column not in table.column_names:
        raise DataError(
            f"there is a threshold for '{column}', and no such column in the heuristics",
            f"one of {', '.join(c for c in table.column_names if c not in ('id', 'lang'))}",
        )
    values: NDArray[np.float64] = table[column].to_numpy()
    return values if values.dtype == np.float32 else values.astype(np.float64)


def _shown(value: float, other: float) -> str:
    """Write a number with three digits, or as many as tell it from the other."""
    if value == int(value):
        return f"{value:.0f}"
    for digits in (3, 5, 7):
        one, two = _written(value, digits), _written(other, digits)
        if one != two:
            return one
    return repr(value)


@lru_cache(maxsize=1024)
def _written(value: float, digits: int) -> str:
    """Write a number with so many digits: a document's is asked for twice, a line's for every document beyond it."""
    return np.format_float_positional(value, digits, fractional=False, trim="-")
