"""The reference: what is usual for each heuristic in a language, at a length, in text that is not the user's own.

A document's features are held against it, so its score is its own: the same alone, in its source, and beside any other
source. It ships (``data/reference.parquet``, made by ``scripts/usual_text.py`` from web excerpts in 186 languages and
edited text in 122), as middle, spread and quantiles of every column, per language and per length. A language that it
lacks is held against its script's languages together, then against all.

The middle is the mean of the three quartiles and the spread that of the middle eighty per cent: a fifth of a language's
web pages can be junk, and what is usual must not be.

Between two lengths everything goes in a straight line over the logarithm of the characters; shorter and longer
documents are seen as at the first and the last length. Where a language had too few long documents, its value at the
nearest length that it has is moved by what the languages that have both do, on average.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core.errors import DataError
from glotmix.core.record import digest_file
from glotmix.quality.features import Matrix, numeric
from glotmix.quality.lengths import KNOTS
from glotmix.quality.names import Against, Normalise

AT = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99)
"""Quantiles that are held."""
LEAST = 25
"""Documents of a language at a length for which its own values are taken."""
POOLED = ""
SIZE = "chars"
"""The column that says how long a document is."""

_FAR = 4.0
_EIGHTY_PERCENT = 2 * 1.2815515655446004
_LOG = np.log(np.array(KNOTS, float))


@dataclass(frozen=True)
class Reference:
    """What is usual, per level (a language, a script, or ``""`` for all), length and column.

    Args:
        columns: d names of heuristics.
        levels: k names, sorted.
        n: (k, `KNOTS`) documents; 0 where the values were carried over from other lengths.
        middle: (k, `KNOTS`, d) mean of the quartiles.
        spread: (k, `KNOTS`, d) standard deviation of normal values with the same middle eighty per cent; no less than
            a third of the values' own.
        quantiles: (k, `KNOTS`, d, `AT`).
    """

    columns: tuple[str, ...]
    levels: tuple[str, ...]
    n: NDArray[np.int64]
    middle: NDArray[np.float64]
    spread: NDArray[np.float64]
    quantiles: NDArray[np.float64]

    def level_of(self, lang: str) -> str:
        """Return what a language is held against: itself, its script's languages, or all."""
        return next((name for name in (lang, _script(lang)) if name in self._positions), POOLED)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: at for at, name in enumerate(self.levels)}

    @cached_property
    def within(self) -> NDArray[np.float64]:
        """(`KNOTS`, d) root mean square over languages of a column's spread."""
        langs = [at for at, level in enumerate(self.levels) if "_" in level]
        return np.sqrt(_mean(self.spread[langs] ** 2))

    def apply(self, table: pa.Table, columns: Sequence[str]) -> Matrix:
        """Return (rows, columns) values of a table of ``lang``, ``chars`` and the columns, held against the reference.

        As ``shared`` in `names.Normalise`: (x - middle) / s, where s is the spread within languages, no further than a
        factor of two from the language's own; at most 4 either way; NaN stays NaN.

        Raises:
            DataError: if a column is missing.
        """
        values = numeric(table, columns)
        mine = [self._column(name) for name in columns]
        for lang, rows in _by_language(table["lang"]).items():
            level = self._positions[self.level_of(lang)]
            at, part = _between(numeric(table.select([SIZE]).take(pa.array(rows)), [SIZE])[:, 0])
            middle, spread, within = (
                _line(held[:, mine], at, part) for held in (self.middle[level], self.spread[level], self.within)
            )
            scale = np.clip(within, spread / 2, spread * 2)
            # What is constant in a language says nothing there, whatever its value.
            said = scale > 1e-9 * np.maximum(np.abs(middle), 1e-6)
            apart = np.divide(values[rows] - middle, scale, out=np.zeros_like(middle), where=said)
            values[rows] = np.where(np.isnan(values[rows]) | np.isnan(middle), np.nan, np.clip(apart, -_FAR, _FAR))
        return values

    def bounds(self, lang: str, chars: NDArray[np.floating], column: str, q: float) -> NDArray[np.float64]:
        """Return (n,) values at quantile `q` (one of `AT`) of a column in documents of these lengths; NaN: unknown."""
        level = self._positions[self.level_of(lang)]
        at, part = _between(np.asarray(chars, np.float64))
        held = self.quantiles[level, :, self._column(column), AT.index(q)]
        return np.asarray(_line(held[:, None], at, part)[:, 0], np.float64)

    def spreads(self, lang: str, chars: NDArray[np.floating], column: str) -> NDArray[np.float64]:
        """Return (n,) spreads of a column in documents of these lengths; NaN: unknown."""
        level = self._positions[self.level_of(lang)]
        at, part = _between(np.asarray(chars, np.float64))
        return np.asarray(_line(self.spread[level, :, self._column(column)][:, None], at, part)[:, 0], np.float64)

    def _column(self, name: str) -> int:
        if name not in self.columns:
            raise DataError(f"the reference holds nothing of the column {name}", f"it has {', '.join(self.columns)}")
        return self.columns.index(name)

    def write(self, path: Path) -> None:
        """Write it as one Parquet file: a row per level and length."""
        d = len(self.columns)
        flat = {
            "middle": self.middle,
            "spread": self.spread,
            "quantiles": self.quantiles.reshape(*self.middle.shape[:2], -1),
        }
        rows = {
            "level": pa.array(np.repeat(np.array(self.levels, object), len(KNOTS))),
            "n": pa.array(self.n.ravel().astype(np.int32)),
        }
        for name, held in flat.items():
            wide = held.shape[-1]
            # Half precision has three digits: more than a few hundred documents tell.
            short = pa.array(np.clip(held, -65_000, 65_000).astype(np.float16).ravel())
            rows[name] = pa.FixedSizeListArray.from_arrays(short, wide)
        about = {"columns": ",".join(self.columns), "knots": ",".join(map(str, KNOTS)), "at": ",".join(map(str, AT))}
        assert all(d * k == rows[n].type.list_size for n, k in (("middle", 1), ("quantiles", len(AT))))
        pq.write_table(pa.table(rows).replace_schema_metadata(about), path, compression="zstd", compression_level=19)

    @classmethod
    def read(cls, path: Path) -> "Reference":
        """Read what `write` wrote.

        Raises:
            DataError: if it was made for other lengths or quantiles.
        """
        rows = pq.read_table(path)
        about = {k.decode(): v.decode() for k, v in (rows.schema.metadata or {}).items()}
        if about.get("knots") != ",".join(map(str, KNOTS)) or about.get("at") != ",".join(map(str, AT)):
            raise DataError(f"{path} was made for other lengths or quantiles", "python scripts/usual_text.py DATA")
        columns = tuple(about["columns"].split(","))
        levels = tuple(dict.fromkeys(rows["level"].to_pylist()))
        shape = (len(levels), len(KNOTS))
        middle, spread, quantiles = (
            rows[n].combine_chunks().flatten().to_numpy().astype(np.float64) for n in ("middle", "spread", "quantiles")
        )
        return cls(
            columns,
            levels,
            rows["n"].to_numpy().astype(np.int64).reshape(shape),
            middle.reshape(*shape, len(columns)),
            spread.reshape(*shape, len(columns)),
            quantiles.reshape(*shape, len(columns), len(AT)),
        )


FILE = Path(str(files("glotmix") / "data" / "reference.parquet"))
SAMPLE = Path(str(files("glotmix") / "data" / "reference_web.parquet"))
"""Features of some web excerpts of each language, held against the reference: what a rater makes of them says how high
its scores of a language's ordinary pages are."""
EDITED = Path(str(files("glotmix") / "data" / "reference_edited.parquet"))
"""The same of edited text (news, health, essays, stories): good documents of forms that anchors lack."""


def digests(against: Against) -> list[str]:
    """Return what identifies the files that ship, where a rater uses them."""
    return [digest_file(path) for path in (FILE, SAMPLE, EDITED)] if against == "reference" else []


@cache
def shipped() -> Reference:
    """Return the reference that comes with glotmix, read once."""
    return Reference.read(FILE)


@cache
def sample(path: Path = SAMPLE) -> tuple[NDArray[np.object_], tuple[str, ...], Matrix]:
    """Return the languages, the columns, and (n, columns) features of `SAMPLE` or `EDITED`."""
    rows = pq.read_table(path)
    names = tuple(n for n in rows.column_names if n != "lang")
    held = np.stack([rows[n].to_numpy().astype(np.float64) for n in names], axis=1)
    return np.asarray(rows["lang"].to_pylist(), object), names, held


@dataclass(frozen=True)
class Referenced:
    """Columns that are held against the reference that ships: takes the place of `features.Statistics` in a rater.

    Args:
        columns: d names of heuristics.
    """

    columns: tuple[str, ...]

    def apply(self, table: pa.Table, how: Normalise) -> Matrix:
        """Return (rows, columns) of a table of ``lang``, ``chars`` and the columns; ``none``: as they are."""
        return numeric(table, self.columns) if how == "none" else shipped().apply(table, self.columns)


def fit(table: pa.Table, columns: Sequence[str], least: int = LEAST) -> Reference:
    """Learn a reference from ``lang``, ``chars`` and the columns; each document counts at its nearest length.

    A script, and all, hold what their languages do on average: every language counts once.

    Raises:
        DataError: if no language has `least` documents at any length.
    """
    values = numeric(table, columns)
    knot = np.abs(np.log(np.maximum(numeric(table, [SIZE]), 1)) - _LOG).argmin(axis=1)
    by = _by_language(table["lang"])
    count = {lang: np.bincount(knot[rows], minlength=len(KNOTS)) for lang, rows in by.items()}
    langs = sorted(lang for lang, n in count.items() if n.max() >= least)
    if not langs:
        raise DataError(f"no language has {least} documents at any length")
    shape = (len(langs), len(KNOTS), len(columns))
    middle, spread, quantiles = np.full(shape, np.nan), np.full(shape, np.nan), np.full((*shape, len(AT)), np.nan)
    n = np.array([np.where(count[lang] >= least, count[lang], 0) for lang in langs])
    for row, lang in enumerate(langs):
        for k in np.flatnonzero(n[row]):
            own = values[by[lang][knot[by[lang]] == k]]
            for column in range(len(columns)):
                found = np.sort(own[:, column][~np.isnan(own[:, column])])
                if len(found) >= least / 2:
                    quantiles[row, k, column] = held = np.quantile(found, AT)
                    middle[row, k, column] = held[[AT.index(q) for q in (0.25, 0.5, 0.75)]].mean()
                    wide = (held[AT.index(0.9)] - held[AT.index(0.1)]) / _EIGHTY_PERCENT
                    spread[row, k, column] = max(wide, found.std() / 3)
    stacked = np.concatenate([middle[..., None], spread[..., None], quantiles], axis=-1)
    _carry(stacked)
    groups = {s: [i for i, lang in enumerate(langs) if _script(lang) == s] for s in {_script(one) for one in langs}}
    groups |= {lang: [i] for i, lang in enumerate(langs)} | {POOLED: list(range(len(langs)))}
    levels = tuple(sorted(groups))
    held = np.stack([_mean(stacked[groups[level]]) for level in levels])
    number = np.stack([n[groups[level]].sum(axis=0) for level in levels])
    return Reference(tuple(columns), levels, number, held[..., 0], held[..., 1], held[..., 2:])


def _mean(held: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over languages of what is known; NaN where nothing is."""
    known = ~np.isnan(held)
    total = np.where(known, held, 0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


def _carry(held: NDArray[np.float64]) -> None:
    """Fill gaps over lengths, from the middle outwards: the neighbour's value, moved by the others' mean step.

    Args:
        held: (languages, `KNOTS`, columns, numbers), NaN for gaps.
    """
    middle = KNOTS.index(1_000)
    for to in (*range(middle + 1, len(KNOTS)), *range(middle - 1, -1, -1)):
        back = to - 1 if to > middle else to + 1
        step = held[:, to] - held[:, back]
        known = ~np.isnan(step)
        typical = np.where(known, step, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        moved = held[:, back] + typical
        # A spread stays positive.
        moved[..., 1] = np.maximum(moved[..., 1], held[:, back, :, 1] / 4)
        held[:, to] = np.where(np.isnan(held[:, to]), moved, held[:, to])


def _between(chars: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the length below each document (a position in `KNOTS`) and how far it is on the way to the next."""
    at = np.interp(np.log(np.maximum(chars, 1)), _LOG, np.arange(len(KNOTS)))
    low = np.minimum(at.astype(np.int64), len(KNOTS) - 2)
    return low, at - low


def _line(held: NDArray[np.float64], at: NDArray[np.int64], part: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(held[at] * (1 - part)[:, None] + held[at + 1] * part[:, None], np.float64)


def _by_language(langs: pa.ChunkedArray) -> dict[str, NDArray[np.int64]]:
    names, code = np.unique(np.asarray(langs.to_pylist(), object), return_inverse=True)
    order = np.argsort(code, kind="stable")
    ends = np.cumsum(np.bincount(code, minlength=len(names)))
    return {n: order[a:b] for n, a, b in zip(names.tolist(), [0, *ends[:-1].tolist()], ends.tolist(), strict=True)}


def _script(lang: str) -> str:
    return lang.rpartition("_")[2]
