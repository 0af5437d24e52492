"""The form of an answer, and what it shares with its instruction: numbers beside their meaning.

M-DaQ (arXiv 2509.15549) looks at embeddings alone. These columns are ours: all of them can be counted in any language
(`measure` counts in the units that the language has), and each is held against the other documents of its own language,
so that a Thai answer is not short because Thai has no spaces. docs/instructions.md says what they add.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.native import folding, shingles
from glotmix.native.arrays import buffers

Measure: TypeAlias = Callable[[pa.Array, pa.Array], pa.StructArray]
"""From texts and their languages to one struct of numbers each, such as `glotmix.signals.heuristics.measure`."""

SHINGLE = 5
"""Letters of a shingle by which an answer and its instruction are compared."""

OPENING = 80
"""Characters of an answer that count as its beginning."""

MIN_DOCUMENTS = 50
"""With fewer documents, a language is held against all of them."""

_LOG = ("units", "lines", "mean_line_length", "mean_sentence_length")
_AS_IS = (
    "punctuation_share", "digit_share", "letter_share", "capital_word_share", "bullet_line_share",
    "terminal_line_share", "unique_unit_share", "unit_entropy", "compression_ratio", "symbol_share",
)  # fmt: skip

COLUMNS = (
    *(f"log_{name}" for name in _LOG),
    *_AS_IS,
    "log_blank_lines",
    "log_colons",
    "log_quotes",
    "log_ratio",
    "shared_of_answer",
    "shared_of_instruction",
    "shared_of_opening",
)
"""``log_ratio`` is the length of the answer over that of the instruction; ``shared_of_…`` the share of the shingles of
the one that the other has too, ``shared_of_opening`` of the answer's first letters."""

Matrix: TypeAlias = NDArray[np.float64]


def columns(instructions: pa.Array, responses: pa.Array, langs: pa.Array, measure: Measure) -> Matrix:
    """Return (n, len(COLUMNS)) numbers, NaN where a column does not apply to a language or text.

    Args:
        instructions: n texts.
        responses: n texts.
        langs: n codes.
        measure: counts units, lines and shares.
    """
    measured = measure(responses, langs)
    found = {f.name: i for i, f in enumerate(measured.type)}

    def numbers(struct: pa.StructArray, name: str) -> Matrix:
        values = struct.field(found[name]).cast(pa.float64())
        return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)

    rows = [np.log1p(numbers(measured, name)) for name in _LOG] + [numbers(measured, name) for name in _AS_IS]
    for pattern in (r"\n\s*\n", r"[:：։፡᠄]", r"[\"“”„«»「」『』']"):
        counts = pc.count_substring_regex(responses, pattern).cast(pa.float64())
        rows.append(np.log1p(np.asarray(counts.to_numpy(zero_copy_only=False), np.float64)))
    asked = np.log1p(numbers(measure(instructions, langs), "units"))
    rows.append(rows[0] - asked)
    rows += _shared(instructions, responses)
    return np.stack(rows, axis=1)


def _shared(instructions: pa.Array, responses: pa.Array) -> list[Matrix]:
    sets = [_shingles(t) for t in (instructions, responses, pc.utf8_slice_codeunits(responses, 0, OPENING))]
    out = np.full((3, len(responses)), np.nan)
    for row, (asked, answer, opening) in enumerate(zip(*sets, strict=True)):
        if len(asked) and len(answer):
            both = len(np.intersect1d(asked, answer, assume_unique=True))
            out[:2, row] = both / len(answer), both / len(asked)
        if len(asked) and len(opening):
            out[2, row] = len(np.intersect1d(asked, opening, assume_unique=True)) / len(opening)
    return list(out)


def _shingles(texts: pa.Array) -> list[NDArray[np.uint64]]:
    offsets, data = buffers(texts)
    starts, hashes = shingles.shingle_sets(offsets, data, *folding.table(), SHINGLE, True)
    return [hashes[starts[i] : starts[i + 1]] for i in range(len(texts))]


def usual(values: Matrix, langs: NDArray[np.str_]) -> dict[str, tuple[Matrix, Matrix]]:
    """Return mean and standard deviation of every column, per language with enough documents, and of all (``""``)."""
    groups = {"": np.ones(len(langs), bool)} | {str(lang): langs == lang for lang in np.unique(langs)}
    found = {}
    for lang, mine in groups.items():
        if lang and mine.sum() < MIN_DOCUMENTS:
            continue
        kept = values[mine]
        known = ~np.isnan(kept)
        n = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, kept, 0).sum(axis=0) / n
        sd = np.sqrt((np.where(known, kept - mean, 0) ** 2).sum(axis=0) / n)
        found[lang] = (mean, np.where(sd > 1e-9, sd, 1.0))
    return found


def standard(values: Matrix, langs: NDArray[np.str_], against: dict[str, tuple[Matrix, Matrix]]) -> NDArray[np.float32]:
    """Return columns in standard deviations of their language, at most 4 either way; what does not apply is 0."""
    out = np.empty(values.shape)
    for lang in np.unique(langs):
        mine = langs == lang
        mean, sd = against.get(str(lang), against[""])
        out[mine] = (values[mine] - mean) / sd
    return np.nan_to_num(np.clip(out, -4, 4), nan=0.0).astype(np.float32)
