"""The quality signal: a rater's score of every document, and its rank within its language.

Scores of one rater still differ from language to language by more than quality; ranks within a language compare.
The rater itself comes from outside, as a function from a table of `lang` and the heuristics to scores.
"""

import shutil
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.stats import rankdata

from glotmix import table
from glotmix.errors import DataError
from glotmix.record import Counts, Output
from glotmix.signals.annotate import parts

VERSION = 1

SAMPLE = 10_000
"""Documents per language that are enough to know what is usual in it (a quantile is then within 1 % of the truth)."""


def make(output: Output, heuristics: Path, corpus: Path, rate: Callable[[pa.Table], NDArray[np.float32]]) -> Counts:
    """Write the signal: ``id``, ``score`` (what `rate` says) and ``quantile``.

    The quantile is the document's mid-rank among all documents of its language, (rank − ½) / n with ranks from 1 and
    ties at their mean: between 0 and 1, 0.5 on average, whatever the language. It depends on the scores alone, not on
    how the corpus is cut into shards.

    Args:
        output: the signal under construction.
        heuristics: the signal that the rater reads.
        corpus: the corpus.
        rate: from a table of `lang` and the columns of `heuristics` to (rows,) scores, one document at a time: a
            score must not depend on the other rows.

    Returns:
        ``{"documents": n}``.

    Raises:
        DataError: if the signal does not belong to the corpus, or a score is not a number.
    """
    units = parts(corpus)

    def score(part: str, folder: Path) -> Counts:
        rows = _part(heuristics, part, units[part])
        scores = np.asarray(rate(rows.drop_columns(["id"])), np.float32)
        if scores.shape != (rows.num_rows,) or not np.isfinite(scores).all():
            raise DataError(f"{part}: the rater gave {scores.shape} scores, or such that are no numbers")
        found = pa.table({"id": rows["id"], "lang": rows["lang"], "score": scores})
        table.write(found, folder / "scores" / f"{part}.parquet")
        return {"scored": rows.num_rows}

    output.each({f"score-{p}": p for p in units}, score, rows="scored")
    scored = output.path / "scores"
    # Not before a part needs them: a run that was killed while it cleaned up has nothing left to rank.
    ranks = cache(lambda: _Ranks(scored, list(units)))

    def rank(part: str, folder: Path) -> Counts:
        rows = pq.read_table(scored / f"{part}.parquet")
        found = pa.table({"id": rows["id"], "score": rows["score"], "quantile": ranks().of(part)})
        table.write(found, folder / f"{part}.parquet")
        return {"documents": rows.num_rows}

    counts = output.each({p: p for p in units}, rank)
    shutil.rmtree(scored, ignore_errors=True)
    return counts


class _Ranks:
    """Mid-ranks within languages over all parts; holds 8 bytes per document."""

    def __init__(self, scored: Path, names: list[str]) -> None:
        scores, codes, self._starts = [], [], {}
        numbers: dict[str, int] = {}
        at = 0
        for name in names:
            rows = pq.read_table(scored / f"{name}.parquet", columns=["lang", "score"])
            langs = rows["lang"].combine_chunks().dictionary_encode()
            own = np.array([numbers.setdefault(lang, len(numbers)) for lang in langs.dictionary.to_pylist()], np.int32)
            codes.append(own[langs.indices.to_numpy()])
            scores.append(rows["score"].to_numpy())
            self._starts[name] = (at, at + rows.num_rows)
            at += rows.num_rows
        score, code = np.concatenate(scores), np.concatenate(codes)
        del scores, codes
        self._quantiles = np.empty(at, np.float32)
        for number in range(len(numbers)):
            mine = np.flatnonzero(code == number)
            self._quantiles[mine] = (rankdata(score[mine]) - 0.5) / len(mine)

    def of(self, name: str) -> NDArray[np.float32]:
        """Return the quantiles of a part's documents."""
        return self._quantiles[slice(*self._starts[name])]


def sample(heuristics: Path, corpus: Path, per_language: int = SAMPLE) -> pa.Table:
    """Draw documents of each language: `lang` and the columns of the heuristics.

    Those with the smallest hashes of their ids: the same ones in any order and any cut of the corpus.

    Raises:
        DataError: if the signal does not belong to the corpus.
    """
    held: pa.Table | None = None
    for rows in _parts(heuristics, corpus):
        keys = [int.from_bytes(blake2b(i.encode(), digest_size=8).digest(), "little") for i in rows["id"].to_pylist()]
        more = rows.append_column("key", pa.array(keys, pa.uint64()))
        held = _smallest(more if held is None else pa.concat_tables([held, more]), per_language)
    if held is None:
        raise DataError(f"{corpus} holds no documents")
    return held.drop_columns(["id", "key"])


def _smallest(rows: pa.Table, count: int) -> pa.Table:
    rows = rows.sort_by([("lang", "ascending"), ("key", "ascending"), ("id", "ascending")])
    langs = rows["lang"].combine_chunks().dictionary_encode().indices.to_numpy()
    first = np.flatnonzero(np.r_[True, langs[1:] != langs[:-1]]) if len(langs) else np.zeros(0, np.int64)
    rank = np.arange(len(langs)) - np.repeat(first, np.diff(np.r_[first, len(langs)]))
    return rows.filter(pa.array(rank < count))


def _parts(heuristics: Path, corpus: Path) -> Iterator[pa.Table]:
    for part, shards in parts(corpus).items():
        yield _part(heuristics, part, shards)


def _part(heuristics: Path, part: str, shards: list[Path]) -> pa.Table:
    """Return one part of the heuristics with the language of each document."""
    path = heuristics / f"{part}.parquet"
    fix = f"delete {heuristics} and run again"
    if not path.is_file():
        raise DataError(f"{heuristics} has no {part}: it does not belong to this corpus", fix)
    rows = pq.read_table(path)
    documents = table.read(shards, ["id", "lang"])
    if not rows["id"].combine_chunks().equals(documents["id"].combine_chunks()):
        raise DataError(f"{path}: its documents are not those of the corpus, or in another order", fix)
    return rows.append_column("lang", documents["lang"])
