"""How a text is put together: whether it begins and ends as texts do, repeats itself, and keeps to its matter.

The heuristics count characters, units and lines; these columns look at sentences and where they stand. Nothing is
learned and no vectors are needed: sentences are near if they share n-grams of letters that others lack, which finds
names and words of the matter in every script. What is usual differs by language (a translation is longer, a script
without signs ends no sentence), so a rater holds the columns against their language.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.core.record import Counts, Output
from glotmix.core.sentences import cut, ends
from glotmix.signals.annotate import annotate

VERSION = 1

COLUMNS = {
    "form_ends": "1 if the last line ends as a sentence does; null in scripts without such signs",
    "form_opens": "1 if the first line ends as a sentence does, as a headline does not; null likewise",
    "form_size": "logarithm of the characters",
    "form_sentences": "logarithm of the sentences",
    "form_again": "share of sentences that stood before",
    "form_first": "logarithm of the first sentence's length over the mean",
    "form_near": "mean likeness of adjacent sentences",
    "form_order": "the same less the mean likeness of all others",
    "form_news": "correlation of a sentence's place with the share of its n-grams that are new: a text brings up first "
    "what it goes on about",
}
"""Every column of the signal, in order. The last three are null for fewer than four sentences."""

RETURNS = pa.struct([pa.field(name, pa.float32()) for name in COLUMNS])

GRAM = 5
"""Letters of the n-grams that sentences share, and of scripts in which a sign is a syllable or a word:"""
DENSE = {"Hans": 2, "Hant": 2, "Jpan": 2, "Hang": 2, "Kore": 2}

_PRIME = np.uint64(0x9E3779B97F4A7C15)


def make(output: Output, corpus: Path) -> Counts:
    """Write the signal of a corpus: ``id`` and `COLUMNS`."""
    return annotate(output, corpus, ["text", "lang"], measure, RETURNS)


def measure(texts: pa.Array, langs: pa.Array) -> pa.StructArray:
    """Measure texts.

    Args:
        texts: n strings, without nulls.
        langs: n canonical codes.

    Returns:
        n structs with the fields of `COLUMNS`.
    """
    rows = [_form(text, lang) for text, lang in zip(texts.to_pylist(), langs.to_pylist(), strict=True)]
    found = np.array(rows, np.float32).reshape(len(rows), len(COLUMNS))
    columns = [pa.array(column, mask=np.isnan(column)) for column in found.T]
    return pa.StructArray.from_arrays(columns, fields=list(RETURNS))


def _form(text: str, lang: str) -> list[float]:
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        return [np.nan] * len(COLUMNS)
    sentences = cut(text, lang)
    sizes = np.array([len(sentence.encode()) for sentence in sentences], float)
    last, first = (ends(line, lang) for line in (lines[-1], lines[0]))
    return [
        np.nan if last is None else float(last),
        np.nan if first is None else float(first),
        float(np.log(len(text))),
        float(np.log(len(sentences))),
        1 - len(set(sentences)) / len(sentences),
        float(np.log(sizes[0] / sizes.mean())),
        *(_cohesion(sentences, DENSE.get(lang.rpartition("_")[2], GRAM)) if len(sentences) > 3 else [np.nan] * 3),
    ]


def _cohesion(sentences: list[str], gram: int) -> list[float]:
    """Return likeness of neighbours, that less likeness of others, and how new matter falls off.

    A sentence is the set of its n-grams, weighed by log(n / sentences that hold them); likeness is the weight of what
    two share over the geometric mean of their weights.
    """
    n = len(sentences)
    grams = [_grams(sentence, gram) for sentence in sentences]
    every, code = np.unique(np.concatenate(grams), return_inverse=True)
    row = np.repeat(np.arange(n), [len(g) for g in grams])
    held = np.zeros((n, len(every)), np.float32)
    held[row, code] = 1
    weight = np.log(n / held.sum(axis=0))
    shared = (held * weight) @ held.T
    size = np.sqrt(np.maximum(np.diag(shared), 1e-9))
    likeness = shared / np.outer(size, size)
    near = float(np.diag(likeness, 1).mean())
    far = float(likeness[np.triu_indices(n, 2)].mean())
    # The first sentence that holds an n-gram brings it up.
    fresh = np.bincount(held.argmax(axis=0), minlength=n) / np.maximum(held.sum(axis=1), 1)
    place = np.arange(n)
    news = float(np.corrcoef(place, fresh)[0, 1]) if fresh.std() > 1e-9 else 0.0
    return [near, near - far, news]


def _grams(sentence: str, gram: int) -> NDArray[np.uint64]:
    """Return the distinct n-grams of a sentence, as hashes; a short sentence is one n-gram."""
    points = np.frombuffer(sentence.lower().encode("utf-32-le"), np.uint32).astype(np.uint64)
    many = max(len(points) - gram + 1, 1)
    found = np.zeros(many, np.uint64)
    for at in range(min(gram, len(points))):
        found = (found ^ points[at : at + many]) * _PRIME
        found ^= found >> np.uint64(29)
    return np.unique(found)
