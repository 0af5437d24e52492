"""The quality signal: a rater's score of every document, its rank within its language, and a score that compares.

Scores of one rater still differ from language to language by more than quality; ranks within a language compare if one
takes all languages to be equally good; calibrated scores compare where parallel documents say how. The rater and the
calibration come from outside, as functions.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core import table
from glotmix.core.errors import DataError
from glotmix.core.record import Counts, Output
from glotmix.signals.annotate import annotated, parts

VERSION = 3

SAMPLE = 10_000
"""Documents per language that are enough to know what is usual in it (a quantile is then within 1 % of the truth)."""

SAMPLE_VECTORS = 1_000
"""And to know its mean vector (within a thirtieth of a standard deviation)."""

QUANTILE_STEPS = 256
"""Quantiles that are remembered of a language's scores."""


@dataclass(frozen=True)
class Signals:
    """What a rater reads.

    Args:
        heuristics: the signal of that name; None where it reads none.
        vectors: embedder → folder of its signal, with a column ``embedding``.
        seen: a signal of what a finished rater reads beside them; None for nothing.
    """

    heuristics: Path | None
    vectors: Mapping[str, Path] = field(default_factory=dict)
    seen: Path | None = None


class Scale(Protocol):
    """A calibration of scores across languages."""

    def apply(self, lang: str, scores: NDArray[np.floating]) -> NDArray[np.float64] | None:
        """Return comparable scores, or None for a language that it knows nothing of."""


def make(
    output: Output,
    signals: Signals,
    corpus: Path,
    rate: Callable[[pa.Table], NDArray[np.float32]],
    scale: Scale | None = None,
) -> Counts:
    """Write the signal: ``id``, ``score`` (what `rate` says), ``quantile`` and ``calibrated``.

    The quantile is the document's mid-rank among all documents of its language, (rank − ½) / n with ranks from 1 and
    ties at their mean: between 0 and 1, 0.5 on average, whatever the language. The calibrated score is the scale's;
    a language that it knows nothing of falls back to its quantiles: the document's rank becomes the score that this
    rank has in the languages that are known, on average. All null without a scale. Nothing depends on how the corpus
    is cut into shards.

    Args:
        output: the signal under construction.
        signals: what the rater reads.
        corpus: the corpus.
        rate: from a table of `lang` and the columns of `signals` to (rows,) scores, one document at a time: a
            score must not depend on the other rows.
        scale: makes scores comparable.

    Returns:
        ``{"documents": n}``.

    Raises:
        DataError: if the signals do not belong to the corpus, or a score is not a number.
    """
    units = parts(corpus)

    def score(part: str, folder: Path) -> Counts:
        rows = _part(signals, part, units[part])
        scores = _scored(rows, rate)
        if not np.isfinite(scores).all():
            raise DataError(f"{part}: the rater gave scores that are no numbers")
        found = pa.table({"id": rows["id"], "lang": rows["lang"], "score": scores})
        table.write(found, folder / "scores" / f"{part}.parquet")
        return {"scored": rows.num_rows}

    output.each({f"score-{p}": p for p in units}, score, rows="scored")
    scored = output.path / "scores"
    # Not before a part needs them: a run that was killed while it cleaned up has nothing left to rank.
    ranks = cache(lambda: _Ranks(scored, list(units), scale))
    if output.missing(units):
        ranks()

    def rank(part: str, folder: Path) -> Counts:
        rows = pq.read_table(scored / f"{part}.parquet")
        quantile, calibrated = ranks().of(part)
        none = np.isnan(calibrated)
        columns = {"score": rows["score"], "quantile": quantile, "calibrated": pa.array(calibrated, mask=none)}
        table.write(pa.table({"id": rows["id"], **columns}), folder / f"{part}.parquet")
        return {"documents": rows.num_rows}

    counts = output.each({p: p for p in units}, rank, here=True)
    shutil.rmtree(scored, ignore_errors=True)
    return counts


def _scored(rows: pa.Table, rate: Callable[[pa.Table], NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return (rows,) scores, in batches on all cores."""
    names = [name for name in rows.column_names if name != "id"]

    def scores(*columns: pa.Array) -> pa.Array:
        found = np.asarray(rate(pa.table(dict(zip(names, columns, strict=True)))), np.float32)
        if found.shape != (len(columns[0]),):
            raise DataError(f"the rater gave {found.shape} scores of {len(columns[0])} documents")
        return pa.array(found, pa.float32())

    return np.asarray(annotated(rows, names, scores, pa.float32()).to_numpy(), np.float32)


@dataclass(frozen=True)
class Seen:
    """What a finished signal says of its languages.

    Args:
        quantiles: language → (k,) scores at equal steps of rank, k at most `QUANTILE_STEPS`.
        typical: (`QUANTILE_STEPS`,) calibrated scores at equal steps of rank, mean over the scale's languages.
        fallen: languages that fell back to their quantiles.
    """

    quantiles: dict[str, NDArray[np.float64]]
    typical: NDArray[np.float64]
    fallen: tuple[str, ...]


def seen(folder: Path, corpus: Path, scale: Scale | None) -> Seen:
    """Return what a finished signal says of its languages, for documents that come later."""
    langs, scores = [], []
    for part, shards in parts(corpus).items():
        langs.append(table.read(shards, ["lang"])["lang"].combine_chunks())
        scores.append(pq.read_table(folder / f"{part}.parquet", columns=["score"])["score"].to_numpy())
    codes, names = _coded(langs)
    return _seen(np.concatenate(scores), codes, names, scale)


def _seen(score: NDArray[np.float32], code: NDArray[np.int32], names: list[str], scale: Scale | None) -> Seen:
    quantiles, known, fallen = {}, [], []
    for number, lang in enumerate(names):
        own = np.sort(score[code == number].astype(np.float64))
        quantiles[lang] = _steps(own) if len(own) > QUANTILE_STEPS else own
        if scale is not None:
            found = scale.apply(lang, own)
            if found is None:
                fallen.append(lang)
            else:
                known.append(_steps(np.sort(found)))
    return Seen(quantiles, np.mean(known, axis=0) if known else np.zeros(0), tuple(sorted(fallen)))


def _steps(ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    at = (np.arange(QUANTILE_STEPS) + 0.5) / QUANTILE_STEPS * len(ordered) - 0.5
    return np.asarray(np.interp(at, np.arange(len(ordered)), ordered), np.float64)


def _coded(langs: list[pa.Array]) -> tuple[NDArray[np.int32], list[str]]:
    """Return a number per document, and the languages in the order of their codes."""
    names = sorted({lang for part in langs for lang in pc.unique(part).to_pylist()})
    known = pa.array(names, pa.string())
    return np.concatenate([pc.index_in(part, known).to_numpy() for part in langs]).astype(np.int32), names


class _Ranks:
    """Mid-ranks within languages over all parts, and calibrated scores; holds 12 bytes per document."""

    def __init__(self, scored: Path, names: list[str], scale: Scale | None) -> None:
        from scipy.stats import rankdata

        scores, langs, self._starts = [], [], {}
        at = 0
        for name in names:
            rows = pq.read_table(scored / f"{name}.parquet", columns=["lang", "score"])
            langs.append(rows["lang"].combine_chunks())
            scores.append(rows["score"].to_numpy())
            self._starts[name] = (at, at + rows.num_rows)
            at += rows.num_rows
        score = np.concatenate(scores)
        code, known = _coded(langs)
        del scores, langs
        self._quantiles = np.empty(at, np.float32)
        self._calibrated = np.full(at, np.nan, np.float32)
        typical = _seen(score, code, known, scale).typical
        for number, lang in enumerate(known):
            mine = np.flatnonzero(code == number)
            quantile = (rankdata(score[mine]) - 0.5) / len(mine)
            self._quantiles[mine] = quantile
            if len(typical):
                assert scale is not None
                found = scale.apply(lang, score[mine])
                steps = (np.arange(QUANTILE_STEPS) + 0.5) / QUANTILE_STEPS
                self._calibrated[mine] = np.interp(quantile, steps, typical) if found is None else found

    def of(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the quantiles and the calibrated scores (NaN for none) of a part's documents."""
        mine = slice(*self._starts[name])
        return self._quantiles[mine], self._calibrated[mine]


def sample(signals: Signals, corpus: Path, per_language: int = SAMPLE) -> pa.Table:
    """Draw documents of each language: `lang` and the columns of the signals.

    Those with the smallest hashes of their ids: the same ones in any order and any cut of the corpus.

    Raises:
        DataError: if a signal does not belong to the corpus.
    """
    held: pa.Table | None = None
    for rows in _parts(signals, corpus):
        keys = [int.from_bytes(blake2b(i.encode(), digest_size=8).digest(), "little") for i in rows["id"].to_pylist()]
        more = rows.append_column("key", pa.array(keys, pa.uint64()))
        held = _smallest(more if held is None else pa.concat_tables([held, more]), per_language)
    if held is None:
        raise DataError(f"{corpus} holds no documents")
    return held.drop_columns(["id", "key"])


def _smallest(rows: pa.Table, count: int) -> pa.Table:
    # Sorted by its keys alone: vectors are moved once.
    order = pc.sort_indices(
        rows.select(["lang", "key", "id"]),
        sort_keys=[("lang", "ascending"), ("key", "ascending"), ("id", "ascending")],
    ).to_numpy()
    langs = rows["lang"].combine_chunks().dictionary_encode().indices.to_numpy()[order]
    first = np.flatnonzero(np.r_[True, langs[1:] != langs[:-1]]) if len(langs) else np.zeros(0, np.int64)
    rank = np.arange(len(langs)) - np.repeat(first, np.diff(np.r_[first, len(langs)]))
    return rows.take(pa.array(order[rank < count]))


def _parts(signals: Signals, corpus: Path) -> Iterator[pa.Table]:
    for part, shards in parts(corpus).items():
        yield _part(signals, part, shards)


def _part(signals: Signals, part: str, shards: list[Path]) -> pa.Table:
    """Return one part of the signals with the language of each document."""
    documents = table.read(shards, ["id", "lang"])
    rows = {"id": documents["id"], "lang": documents["lang"]}
    for folder in (signals.heuristics, signals.seen):
        if folder is None:
            continue
        found = _signal(folder, part, documents)
        rows |= {name: found[name] for name in found.column_names if name != "id"}
    for name, folder in signals.vectors.items():
        rows[name] = _signal(folder, part, documents)["embedding"]
    return pa.table(rows)


def _signal(folder: Path, part: str, documents: pa.Table) -> pa.Table:
    path = folder / f"{part}.parquet"
    fix = f"delete {folder} and run again"
    if not path.is_file():
        raise DataError(f"{folder} has no {part}: it does not belong to this corpus", fix)
    rows = pq.read_table(path)
    if not rows["id"].combine_chunks().equals(documents["id"].combine_chunks()):
        raise DataError(f"{path}: its documents are not those of the corpus, or in another order", fix)
    return rows
