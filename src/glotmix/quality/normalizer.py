"""What is usual in each language, for every feature that a rater sees: measured columns and embedders' vectors.

Measured columns are held against their language's distribution (`features.Statistics`). Of vectors the language's mean
is taken away: in most embedders a text's language moves its vector more than its quality does, and the mean is what all
its documents share.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.core.errors import DataError
from glotmix.quality import features
from glotmix.quality.features import MIN_DOCUMENTS, POOLED, Matrix, Statistics
from glotmix.quality.names import Against, Normalise
from glotmix.quality.reference import SIZE, Referenced, shipped

_GRAIN = 2.0**24
"""Vectors are rounded to multiples of 1/`_GRAIN` (as half precision is, below 1) and their squares likewise: sums of
up to 2²⁹ of them are exact in double precision, and so in any order the same."""


def is_vector(kind: pa.DataType) -> bool:
    """Say whether a column of this type holds vectors."""
    return bool(pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind))


def names(table: pa.Table) -> tuple[str, ...]:
    """Return the columns that can be features: numbers, then vectors; how long a text is is none."""
    return (*(n for n in features.names(table) if n != SIZE), *(f.name for f in table.schema if is_vector(f.type)))


def vectors(table: pa.Table, name: str) -> NDArray[np.float32]:
    """Return a column of vectors as (rows, width).

    Raises:
        DataError: if it is not there, holds nulls, or vectors of different widths.
    """
    if name not in table.column_names:
        raise DataError(f"the vectors of {name} are missing", f"signals.embed must hold {name}")
    column = table[name].combine_chunks()
    if column.null_count:
        raise DataError(f"{column.null_count} documents have no vector of {name}", f"make signals/embed/{name} again")
    if not pa.types.is_fixed_size_list(column.type):
        wide = len(column[0]) if len(column) else 0
        if any(len(v) != wide for v in column):
            raise DataError(f"the vectors of {name} are not of one width")
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, np.float32).reshape(len(column), -1 if len(column) else 0)


@dataclass(frozen=True)
class LanguageMeans:
    """The mean vector of each language, of each script and of all.

    Args:
        levels: k names, sorted: languages (``fra_Latn``), scripts (``Latn``), and all (``""``).
        n: (k,) documents.
        mean: (k, width).
        scale: how far a number is from its language's mean, root mean square over documents and dimensions: one for
            all, so that angles stay what they were.
    """

    levels: tuple[str, ...]
    n: NDArray[np.int64]
    mean: Matrix
    scale: float

    def apply(self, found: NDArray[np.float32], langs: Sequence[str]) -> Matrix:
        """Return (n, width) vectors less their language's mean, over the scale; a zero vector (no evidence) stays zero.

        A language with fewer than `features.MIN_DOCUMENTS` documents is held against its script, or all.
        """
        names_, codes = np.unique(np.asarray(langs, object), return_inverse=True)
        at = np.array([self._level(name) for name in names_], np.int64)
        seen = np.any(found != 0, axis=1)
        return np.where(seen[:, None], (found - self.mean[at[codes]]) / self.scale, 0.0)

    def _level(self, lang: str) -> int:
        for name in (lang, lang.rpartition("_")[2]):
            if name in self.levels and self.n[self.levels.index(name)] >= MIN_DOCUMENTS:
                return self.levels.index(name)
        return self.levels.index(POOLED)

    @classmethod
    def fit(cls, found: NDArray[np.float32], langs: Sequence[str]) -> "LanguageMeans":
        """Learn the means from vectors of documents; zero vectors do not count."""
        seen = np.any(found != 0, axis=1)
        kept = np.rint(found[seen].astype(np.float64) * _GRAIN) / _GRAIN
        own = [lang for lang, known in zip(langs, seen.tolist(), strict=True) if known]
        levels = sorted({POOLED, *own, *(lang.rpartition("_")[2] for lang in own)})
        n, mean = np.zeros(len(levels), np.int64), np.zeros((len(levels), found.shape[1]))
        scripts = [lang.rpartition("_")[2] for lang in own]
        spread, count = 0.0, 0
        for at, level in enumerate(levels):
            of = scripts if "_" not in level else own
            rows = np.arange(len(own)) if level == POOLED else np.flatnonzero(np.array([o == level for o in of]))
            n[at] = len(rows)
            if len(rows) == 0:
                continue
            mean[at] = kept[rows].sum(axis=0) / len(rows)
            if "_" in level:
                squares = np.rint((kept[rows] - mean[at]) ** 2 * _GRAIN) / _GRAIN
                spread, count = spread + float(squares.sum()), count + squares.size
        return cls(tuple(levels), n, mean, float(np.sqrt(spread / count)) if spread > 0 else 1.0)


@dataclass(frozen=True)
class LanguageNormalizer:
    """What is usual for all features of a rater.

    Args:
        structure: for the measured columns; None where the rater sees none.
        centres: for each embedder, by its name.
    """

    structure: Statistics | Referenced | None
    centres: Mapping[str, LanguageMeans]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a table of documents must have."""
        own = self.structure
        size = (SIZE,) if isinstance(own, Referenced) else ()
        return (*size, *(own.columns if own else ()), *self.centres)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the numbers that a rater is given: the measured columns, then ``static.0``, ``static.1`` …"""
        wide = [f"{name}.{i}" for name, centre in self.centres.items() for i in range(centre.mean.shape[1])]
        return (*(self.structure.columns if self.structure else ()), *wide)

    def apply(self, table: pa.Table, how: Normalise) -> Matrix:
        """Return (rows, len(names)) features of a table of `lang` and the columns; NaN is missing.

        Vectors know two ways: as they are (``none``), and less their language's mean (any other).
        """
        parts = [] if self.structure is None else [self.structure.apply(table, how)]
        langs = table["lang"].to_pylist()
        for name, centre in self.centres.items():
            found = vectors(table, name)
            if len(found) and found.shape[1] != centre.mean.shape[1]:
                raise DataError(f"the vectors of {name} have {found.shape[1]} numbers, not {centre.mean.shape[1]}")
            found = found.reshape(len(langs), centre.mean.shape[1])
            parts.append(found.astype(np.float64) if how == "none" else centre.apply(found, langs))
        return np.concatenate(parts, axis=1)


def fit(table: pa.Table, columns: Sequence[str], against: Against = "corpus") -> LanguageNormalizer:
    """Learn what is usual from a table of `lang` and the columns.

    Args:
        table: documents.
        columns: the features.
        against: ``reference`` holds measured columns against the reference that ships, which must have them, and learns
            of the documents only what vectors need.

    Raises:
        DataError: if there is no document, or no feature.
    """
    if not columns:
        raise DataError("a rater needs features", "quality.features=[structure]")
    wide = [c for c in columns if c in table.column_names and is_vector(table[c].type)]
    narrow = [c for c in columns if c not in wide]
    langs = table["lang"].to_pylist()
    structure: Statistics | Referenced | None = None
    if narrow and against == "reference":
        if missing := [c for c in narrow if c not in shipped().columns]:
            raise DataError(f"the reference holds nothing of {', '.join(missing)}", "quality.against=corpus")
        structure = Referenced(tuple(narrow))
    elif narrow:
        structure = features.fit(table, narrow)
    return LanguageNormalizer(structure, {c: LanguageMeans.fit(vectors(table, c), langs) for c in wide})
