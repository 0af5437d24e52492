"""Whether a similarity means the same in every script: one edit, made to the same news in 128 languages."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import harness
from glotmix.core.language import parse
from glotmix.native import folding, link, overlap, shingles
from glotmix.native.arrays import buffers

BLOCK = 12
"""Sentences of a document; one of them is exchanged for another."""


def same_edit(width: int, every: int) -> Iterator[tuple[str, list[float], list[float], list[float]]]:
    """Yield for each script, per language: letters of a sentence relative to English; similarity after the edit, mean
    over documents, of our shingles and of 5-grams of white-space words.

    Args:
        width: letters per shingle.
        every: use one block in so many.
    """
    rows = pq.read_table(harness.data("ntrex.parquet"), columns=["lang", "i", "text"])
    letters: dict[str, float] = {}
    similarity: dict[str, float] = {}
    by_words: dict[str, float] = {}
    for lang in pc.unique(rows["lang"]).to_pylist():
        texts = rows.filter(pc.equal(rows["lang"], lang)).sort_by("i")["text"].to_pylist()
        offsets, data = buffers(pa.array(texts))
        weight = np.empty(len(texts), np.int64)
        overlap.weigh(offsets, data, *folding.table(), weight)
        letters[lang] = float(weight.mean())
        pairs = []
        for begin in range(0, len(texts) - 2 * BLOCK, BLOCK * every):
            block = texts[begin : begin + BLOCK]
            at = begin // BLOCK % BLOCK
            pairs += [" ".join(block), " ".join([*block[:at], texts[begin + BLOCK], *block[at + 1 :]])]
        offsets, data = buffers(pa.array(pairs))
        sets = shingles.shingle_sets(offsets, data, *folding.table(), width)
        out = np.empty(len(pairs) // 2)
        link.jaccard(*sets, np.arange(0, len(pairs), 2), np.arange(1, len(pairs), 2), out)
        similarity[lang] = float(out.mean())
        by_words[lang] = float(np.mean([_words(a, b) for a, b in zip(pairs[::2], pairs[1::2], strict=True)]))
    scripts = defaultdict(list)
    for lang in letters:
        scripts[parse(lang).script].append(lang)
    for script, langs in sorted(scripts.items()):
        sizes = [letters[x] / letters["eng"] for x in langs]
        yield script, sizes, [similarity[x] for x in langs], [by_words[x] for x in langs]


def _words(left: str, right: str) -> float:
    one, two = (frozenset(_grams(t.lower().split())) for t in (left, right))
    return len(one & two) / len(one | two)


def _grams(words: list[str]) -> Iterator[tuple[str, ...]]:
    return (tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4)))
