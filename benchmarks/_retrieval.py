"""Translations found among others: the test sets, and rows of accuracies per language and per group of languages."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import harness
from benchmarks.harness import Row
from glotmix.core.errors import GlotmixError
from glotmix.core.language import Language, parse
from glotmix.embed.contrast import hits
from glotmix.embed.protocol import Embedder
from glotmix.embed.static import shipped
from glotmix.embed.use import LANGUAGES
from glotmix.evaluate.intervals import wilson

NAME = "embedding"
POOL = 500
LEAST = 100
"""Languages with fewer pairs are left out."""
TICO_BLOCK = 100
DRAWS = 2_000
NEIGHBOURS = 10
SETS = ("tatoeba", "ntrex", "tico19")
SMALL = ("deu", "tam", "fin")

TAUGHT = frozenset(parse(code).code.partition("_")[0] for code in LANGUAGES)
"""The teacher's languages by their codes of three letters; English, the other side of all pairs, is one of the 16."""

Pairs = dict[str, tuple[list[str], list[str]]]


@cache
def pairs_of(name: str, part: str, small: bool) -> Pairs:
    """Return the pairs of a set.

    Args:
        name: of `SETS`.
        part: ``test`` or ``dev`` of the sets that the embedder was trained on; Tatoeba is a test as a whole.
        small: three languages of Tatoeba, and nothing else.
    """
    if name == "tatoeba":
        rows = pq.read_table(harness.data("tatoeba.parquet"))
        found = pooled(rows["lang"].to_pylist(), rows["text"].to_pylist(), rows["eng"].to_pylist())
        return {lang: sides for lang, sides in found.items() if not small or lang in SMALL}
    if small:
        return {}
    rows, held = pq.read_table(harness.data(f"{name}.parquet")), shipped().about["held_out"][part][name]
    if name == "ntrex":
        return aligned(rows.filter(pc.is_in(rows["doc"], pa.array(held))), "eng")
    blocks = {int(block.removeprefix("block-")) for block in held}
    return aligned(rows.filter(pa.array([i // TICO_BLOCK in blocks for i in rows["i"].to_pylist()])), "en")


def aligned(rows: pa.Table, pivot: str) -> Pairs:
    """Return pairs with the English sentences of the same number; English in other spellings is no language here."""
    english = {r["i"]: r["text"] for r in rows.filter(pc.equal(rows["lang"], pivot)).to_pylist()}
    kept = [r for r in rows.to_pylist() if not r["lang"].startswith(pivot) and r["i"] in english]
    return pooled([r["lang"] for r in kept], [r["text"] for r in kept], [english[r["i"]] for r in kept])


def pooled(langs: list[str], texts: list[str], english: list[str]) -> Pairs:
    """Return the first `POOL` pairs of each language whose sides are new, of languages with `LEAST` or more."""
    found: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for lang, text, eng in zip(langs, texts, english, strict=True):
        one, other = found.setdefault(lang, ({}, {}))
        if len(one) < POOL and text not in one and eng not in other:
            one[text] = other[eng] = None
    return {lang: (list(one), list(other)) for lang, (one, other) in sorted(found.items()) if len(one) >= LEAST}


@cache
def trained_on() -> frozenset[str]:
    """Return the languages of NTREX and TICO-19: those whose sentences were in training."""
    found = set()
    for name in ("ntrex", "tico19"):
        codes = pc.unique(pq.read_table(harness.data(f"{name}.parquet"), columns=["lang"])["lang"]).to_pylist()
        found |= {lang.code.partition("_")[0] for code in codes if (lang := known(code)) is not None}
    return frozenset(found)


@cache
def known(code: str) -> Language | None:
    """Return the language of a data set's code; None for a code of several, such as Tatoeba's ``ber``."""
    try:
        return parse(code)
    except GlotmixError:
        return None


def taught(pairs: Pairs) -> Pairs:
    """Return the teacher's languages alone."""
    return {code: sides for code, sides in pairs.items() if _three(code) in TAUGHT}


def _three(code: str) -> str:
    lang = known(code)
    return "" if lang is None else lang.code.partition("_")[0]


def groups(name: str, langs: Sequence[str]) -> dict[str, list[str]]:
    """Return the groups whose means are told: nothing in them depends on a result."""
    found = {"mean": list(langs), "mean.teacher16": [lang for lang in langs if _three(lang) in TAUGHT]}
    if name == "tatoeba":
        found["mean.sentences"] = [lang for lang in langs if _three(lang) in trained_on()]
    for code in langs:
        lang = known(code)
        if lang is not None:
            found.setdefault(f"script.{lang.script}", []).append(code)
    return {group: members for group, members in found.items() if members}


def retrieval(
    name: str, pairs: Pairs, model: Embedder, suffix: str = "", each: bool = True, only: str | None = None
) -> Iterator[Row]:
    """Yield the accuracies of one model on one set, per language (if `each`), script and group, with intervals.

    `only` names the one group that is told.
    """
    scores: dict[str, NDArray[np.float64]] = {}
    corrected: dict[str, float] = {}
    for lang, (texts, english) in pairs.items():
        one, other = model.embed(texts), model.embed(english)
        there, back = hits(one, other)
        scores[lang], corrected[lang] = (there + back.astype(np.float64)) / 2, csls(one, other)
        low, high = wilson(scores[lang].sum(), len(texts))
        if each:
            said = {"to_english": round(float(there.mean()), 4), "from_english": round(float(back.mean()), 4)}
            ends = (float(scores[lang].mean()), float(low), float(high))
            yield Row(NAME, f"retrieval.{name}.{lang}{suffix}", *ends, len(texts), "share", said)
    generator = np.random.default_rng(0)
    for group, langs in groups(name, list(scores)).items():
        if (group.startswith("script.") and not each) or only not in (None, group):
            continue
        drawn = np.mean([generator.choice(scores[x], (DRAWS, len(scores[x]))).mean(1) for x in langs], axis=0)
        low, high = np.quantile(drawn, (0.025, 0.975))
        about = {
            "directions": "both, their mean",
            "pool": POOL,
            "model": model.fingerprint,
            "n": "languages",
            "pairs": sum(len(scores[lang]) for lang in langs),
            "interval": "bootstrap over pairs within languages",
            # A criterion of retrieval that corrects for hubs (Conneau et al. 2018); no other figure uses it.
            "with_csls": round(float(np.mean([corrected[lang] for lang in langs])), 4),
        }
        value = float(np.mean([scores[lang].mean() for lang in langs]))
        yield Row(
            NAME, f"retrieval.{name}.{group}{suffix}", value, float(low), float(high), len(langs), "share",
            {} if group.startswith("script.") else about,
        )  # fmt: skip


def csls(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the accuracy by cross-domain similarity local scaling: 2·s_ij − r_i − r_j, r the mean of 10 neighbours."""
    found = one @ other.T
    rows, columns = (np.sort(side, axis=1)[:, -NEIGHBOURS:].mean(1) for side in (found, found.T))
    scaled = 2 * found - rows[:, None] - columns[None, :]
    right = scaled.diagonal()
    hit = [((side >= right[:, None]).sum(1) == 1).mean() for side in (scaled, scaled.T)]
    return float(np.mean(hit))


def mean_of(pairs: Pairs, model: Embedder) -> float:
    """Return the mean accuracy over languages."""
    found = [np.mean(hits(model.embed(texts), model.embed(english))) for texts, english in pairs.values()]
    return float(np.mean(found))


def texts_of(*many: Pairs) -> list[str]:
    """Return every text of some sets, each once."""
    given: Iterable[str] = (text for pairs in many for sides in pairs.values() for side in sides for text in side)
    return sorted(set(given))
