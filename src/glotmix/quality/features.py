"""Features that compare across languages: each column of a document against its own language's distribution.

A digit share of 4 % is much in Persian prose and little in English listings; a rater that is trained on one language
and applied to another must see "much for this language", not 4 %. `Statistics` holds, per language, script and over
all, what is usual for every column; `apply` turns values into scores against it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core.errors import DataError
from glotmix.quality.names import Normalise

MIN_DOCUMENTS = 50
"""With fewer documents that have a value, a column is held against its script's distribution, then against all's."""


@cache
def _steps() -> NDArray[np.float64]:
    """Return quantiles at equal steps of the normal distribution: the tails, where bad documents are, seen finely."""
    from scipy.special import ndtr

    return np.asarray(np.r_[0.0, ndtr(np.linspace(-3.0, 3.0, 61)), 1.0], np.float64)


_FAR, _FARTHEST_NORMAL = 8.0, 3.5
_EIGHTY_PERCENT = 2 * 1.2815515655446004
POOLED = ""

Matrix: TypeAlias = NDArray[np.float64]


def numeric(features: pa.Table, columns: Sequence[str]) -> Matrix:
    """Return columns of a table as (rows, columns) float64; null is NaN.

    Raises:
        DataError: for a column that is not there or not numeric, or an infinite value.
    """
    if missing := [c for c in columns if c not in features.column_names]:
        raise DataError(f"the features lack {', '.join(missing)}: they have {', '.join(features.column_names)}")
    matrix = np.empty((features.num_rows, len(columns)))
    for at, name in enumerate(columns):
        column = features[name]
        kind = column.type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            raise DataError(f"the feature {name} is {kind}: only numbers can be rated")
        matrix[:, at] = column.cast(pa.float64()).to_numpy() if not pa.types.is_boolean(kind) else _of_bool(column)
        if np.isinf(matrix[:, at]).any():
            raise DataError(f"the feature {name} is infinite in {int(np.isinf(matrix[:, at]).sum())} documents")
    return matrix


def _of_bool(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.asarray(column.cast(pa.int8()).cast(pa.float64()).to_numpy())


def names(features: pa.Table) -> tuple[str, ...]:
    """Return the columns that can be features: all numeric ones, in their order (`id` and `lang` are none)."""
    return tuple(
        f.name
        for f in features.schema
        if pa.types.is_integer(f.type) or pa.types.is_floating(f.type) or pa.types.is_boolean(f.type)
    )


@dataclass(frozen=True)
class Statistics:
    """What is usual for each column, per level: a language (``fra_Latn``), a script (``Latn``), or all (``""``).

    Args:
        columns: d names.
        levels: k names, sorted.
        n: (k, d) documents that have a value.
        mean: (k, d).
        sd: (k, d) standard deviation (of the population), NaN for no documents.
        quantiles: (k, d, 63) from minimum to maximum, at equal steps of the normal distribution.
        min_documents: a level with fewer is passed over, column by column.
    """

    columns: tuple[str, ...]
    levels: tuple[str, ...]
    n: NDArray[np.int64]
    mean: Matrix
    sd: Matrix
    quantiles: NDArray[np.float64]
    min_documents: int = MIN_DOCUMENTS

    def level_of(self, lang: str) -> NDArray[np.int64]:
        """Return (d,) positions in `levels`: the language itself, its script or all, whichever is large enough.

        A column that no level has enough of is held against all documents.
        """
        chosen = np.full(len(self.columns), self.levels.index(POOLED))
        for name in (_script(lang), lang):
            if name in self.levels:
                at = self.levels.index(name)
                chosen = np.where(self.n[at] >= self.min_documents, at, chosen)
        return chosen

    def apply(self, features: pa.Table, how: Normalise) -> Matrix:
        """Return (rows, columns) scores of a table of `lang` and the columns; NaN stays NaN."""
        values = numeric(features, self.columns)
        if how == "none":
            return values
        langs, row_lang = _factors(features["lang"])
        for number, lang in enumerate(langs):
            rows = np.flatnonzero(row_lang == number)
            levels = self.level_of(lang)
            for column, level in enumerate(levels):
                values[rows, column] = self._score(values[rows, column], int(level), column, how)
        return values

    @cached_property
    def within(self) -> NDArray[np.float64]:
        """(d,) root mean square, over languages that are large enough, of a column's sd; over all where none is."""
        enough = (self.n >= self.min_documents) & np.array(["_" in level for level in self.levels])[:, None]
        total = np.where(enough, self.sd**2, 0.0).sum(axis=0)
        count = enough.sum(axis=0)
        pooled = self.sd[self.levels.index(POOLED)]
        return np.asarray(np.where(count > 0, np.sqrt(total / np.maximum(count, 1)), pooled), np.float64)

    def _score(self, x: NDArray[np.float64], level: int, column: int, how: Normalise) -> NDArray[np.float64]:
        from scipy.special import ndtri

        if self.n[level, column] == 0:
            return np.full_like(x, np.nan)
        quantiles = self.quantiles[level, column]
        if how == "normal":
            # Rank from below and from above, so that a value that many documents share gets their middle rank.
            rank = (np.interp(x, quantiles, _steps()) - np.interp(-x, -quantiles[::-1], -_steps()[::-1])) / 2
            return np.where(np.isnan(x), np.nan, np.clip(ndtri(rank), -_FARTHEST_NORMAL, _FARTHEST_NORMAL))
        centre, scale = self.mean[level, column], self.sd[level, column]
        # A constant column says nothing in this language, whatever its value.
        if not scale > 1e-9 * abs(centre):
            return np.where(np.isnan(x), np.nan, 0.0)
        if how == "robust":
            low, middle, high = np.interp([0.1, 0.5, 0.9], _steps(), quantiles)
            if high > low:
                centre, scale = middle, (high - low) / _EIGHTY_PERCENT
        if how == "shared":
            scale = np.clip(self.within[column], scale / 2, scale * 2)
        return np.asarray(np.clip((x - centre) / scale, -_FAR, _FAR), np.float64)

    def write(self, path: Path) -> None:
        """Write the statistics as one Parquet file."""
        wide = len(self.columns)
        rows = pa.table(
            {
                "level": pa.array([lv for lv in self.levels for _ in range(wide)]),
                "column": pa.array(list(self.columns) * len(self.levels)),
                "n": self.n.ravel(),
                "mean": self.mean.ravel(),
                "sd": self.sd.ravel(),
                "min_documents": np.full(self.n.size, self.min_documents),
                "quantiles": pa.FixedSizeListArray.from_arrays(pa.array(self.quantiles.ravel()), len(_steps())).cast(
                    pa.list_(pa.float64())
                ),
            }
        )
        pq.write_table(rows, path.absolute(), compression="zstd")

    @classmethod
    def read(cls, path: Path) -> "Statistics":
        """Read what `write` wrote."""
        rows = pq.read_table(path)
        names_, levels = rows["column"].to_pylist(), rows["level"].to_pylist()
        columns = tuple(dict.fromkeys(names_))
        shape = (len(levels) // len(columns), len(columns))
        return cls(
            columns,
            tuple(dict.fromkeys(levels)),
            rows["n"].to_numpy().reshape(shape),
            rows["mean"].to_numpy().reshape(shape),
            rows["sd"].to_numpy().reshape(shape),
            rows["quantiles"].combine_chunks().flatten().to_numpy().reshape(*shape, len(_steps())),
            int(rows["min_documents"][0].as_py()),
        )


def fit(features: pa.Table, columns: Sequence[str], min_documents: int = MIN_DOCUMENTS) -> Statistics:
    """Learn what is usual in each language, script and over all, from a table of `lang` and the columns.

    Over scripts and over all every document counts once: draw as many of each language for languages to count alike.

    Raises:
        DataError: if there is no document.
    """
    if features.num_rows == 0:
        raise DataError("there is no document to learn a language's distribution from")
    langs, row_lang = _factors(features["lang"])
    members: dict[str, list[int]] = {POOLED: list(range(len(langs)))}
    for number, lang in enumerate(langs):
        members.setdefault(lang, []).append(number)
        members.setdefault(_script(lang), []).append(number)
    levels = tuple(sorted(members))
    rows = [np.flatnonzero(np.isin(row_lang, members[level])) for level in levels]
    shape = (len(levels), len(columns))
    n, mean, sd = np.zeros(shape, np.int64), np.full(shape, np.nan), np.full(shape, np.nan)
    quantiles = np.full((*shape, len(_steps())), np.nan)
    for column, name in enumerate(columns):
        values = numeric(features, [name])[:, 0]
        for at, mine in enumerate(rows):
            # Sorted, so that sums (and the last bits of every score) do not depend on the order of the rows.
            found = np.sort(values[mine])
            found = found[~np.isnan(found)]
            n[at, column] = len(found)
            if len(found):
                mean[at, column], sd[at, column] = found.mean(), found.std()
                quantiles[at, column] = np.quantile(found, _steps())
    return Statistics(tuple(columns), levels, n, mean, sd, quantiles, min_documents)


def _factors(langs: pa.ChunkedArray) -> tuple[list[str], NDArray[np.int64]]:
    found, row_lang = np.unique(np.asarray(langs.to_pylist(), object), return_inverse=True)
    return found.tolist(), row_lang


def _script(lang: str) -> str:
    return lang.rpartition("_")[2]
