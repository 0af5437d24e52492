"""Which hits of derived rules count: those that are unusual by more than the user's own corpus.

A quantile line always drops something, however clean the corpus. So a document that lies beyond a *derived* line falls
only if its value is also beyond what the reference holds for its language and its length; if the text is long enough
for the column to mean anything; if it is beyond both by more than a hair; and if no rater of the recipe sees the
column: a rater weighs all its columns at once and finds half as much again at the same cost of good text
(docs/log.md). A line that the recipe gives as a number holds as it is given.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.core.language import parse
from glotmix.core.rules import RuleHits

VERSION = 1

HAIR = 0.1
"""Of the column's spread in the language: a document beyond a line by less is borderline, and kept."""

NEEDS = 50
"""Words (or as many letters as stand for them) that columns of repetition, order and compression need."""
_OF_LENGTH = ("top_", "duplicate_5", "duplicate_6", "duplicate_7", "duplicate_8", "duplicate_9", "duplicate_10",
              "unit_entropy", "compression_ratio", "unique_unit_share", "stop_word_share", "short_word_share",
              "mean_sentence_length", "longest_sentence")  # fmt: skip
_PREFIX = "heuristics."


class Reference(Protocol):
    """What is usual: see `glotmix.quality.reference.Reference`."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that it holds."""

    def bounds(self, lang: str, chars: NDArray[np.floating], column: str, q: float) -> NDArray[np.float64]:
        """Return values at a quantile for documents of these lengths."""

    def spreads(self, lang: str, chars: NDArray[np.floating], column: str) -> NDArray[np.float64]:
        """Return the column's spread in documents of these lengths."""


def judge(
    found: Sequence[RuleHits],
    measured: pa.Table,
    lines: pa.Table,
    reference: Reference,
    grain: Mapping[str, int],
    rated: Collection[str] = (),
) -> list[RuleHits]:
    """Return which of the hits count, and after each those within a hair of it, which drop nothing.

    Args:
        found: hits of rules, positions in `measured`.
        measured: ``lang``, ``chars``, ``units`` and the rules' columns.
        lines: as `thresholds.derive` returns: ``lang, column, side, value, origin``.
        reference: what is usual.
        grain: script → units that stand for a word, where it is not one.
        rated: columns that a rater sees.
    """
    given = {
        (row["lang"], row["column"], row["side"]): (row["value"], row["origin"].startswith("given by"))
        for row in lines.to_pylist()
    }
    langs = measured["lang"].combine_chunks()
    hits: list[RuleHits] = []
    for one in found:
        column, _, side = one.rule.removeprefix(_PREFIX).rpartition(".")
        if column not in reference.columns:
            hits.append(one)
            continue
        counts, near = np.zeros(len(one.rows), bool), np.zeros(len(one.rows), bool)
        names = np.asarray(langs.take(pa.array(one.rows)).to_pylist(), object)
        for lang in sorted(set(names)):
            mine = np.flatnonzero(names == lang)
            value, fixed = given[lang, column, side]
            if fixed:
                counts[mine] = True
            elif column not in rated and value:
                rows = one.rows[mine]
                beyond = far(measured, rows, lang, column, side, value, reference, grain)
                counts[mine] = beyond > HAIR
                near[mine] = (beyond > 0) & (beyond <= HAIR)
        if counts.any():
            evidence = [text for text, keep in zip(one.evidence, counts.tolist(), strict=True) if keep]
            hits.append(RuleHits(one.rule, one.rows[counts], evidence))
        if near.any():
            hits.append(RuleHits(one.rule, one.rows[near], [""] * int(near.sum()), drops=False))
    return hits


def far(
    measured: pa.Table, rows: NDArray[np.int64], lang: str, column: str, side: str, line: float,
    reference: Reference, grain: Mapping[str, int],
) -> NDArray[np.float64]:  # fmt: skip
    """Return how far beyond both lines documents lie, in spreads of the column; 0 and less: not."""
    mine = measured.select(list(dict.fromkeys(["chars", "units", column]))).take(pa.array(rows))
    chars, units, value = (mine[n].to_numpy().astype(np.float64) for n in ("chars", "units", column))
    bound = reference.bounds(lang, chars, column, 0.99 if side == "high" else 0.01)
    spread = np.maximum(reference.spreads(lang, chars, column), 1e-9)
    beyond = np.minimum(value - line, value - bound) if side == "high" else np.minimum(line - value, bound - value)
    enough = units >= NEEDS * grain.get(parse(lang).script, 1)
    if column.startswith(_OF_LENGTH):
        beyond = np.where(enough, beyond, -1.0)
    return np.asarray(np.where(np.isnan(bound), 0.0, beyond / spread), np.float64)
