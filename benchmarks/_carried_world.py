"""News stories in many languages, whole and damaged, for raters that are carried: who is trained on, chosen on, tested.

NTREX-128 has 123 stories. On 35 of them features and settings were chosen: they are for development, and tell a test
nothing but that a translation is as good as its original. The other 88 are cut into three: each third is tested by
raters that learned from the other two. Languages are divided likewise: 25 inherit labels, 10 were for development, 21
others are tested.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import _english_raters as english
from benchmarks import harness
from benchmarks._damaged import GRADES, KINDS, Document, documents, sentences
from glotmix.core.language import parse
from glotmix.quality import normalizer, pairs
from glotmix.quality.cross_lingual import Material
from glotmix.quality.names import Normalise
from glotmix.quality.pairs import Labels, Pairs
from glotmix.quality.rater_features import see
from glotmix.quality.raters_config import TrainConfig
from glotmix.quality.word_order import Wording

REFERENCE = "eng_Latn"
TRAINED = [
    "eng", "pol", "zul", "ell", "kaz", "heb", "urd", "ben", "tam", "mya", "hye", "nld", "por", "swe", "ces", "hun",
    "ron", "ita", "ibo", "som", "uzb", "nep", "ind", "zho-CN", "mkd",
]  # fmt: skip
"""Languages that labels are carried to, as NTREX writes them."""
DEVELOPED = ["fra", "vie", "hau", "ukr", "fas", "mar", "tha", "kor", "kat", "amh"]
"""Languages, never labelled, in which features and settings were chosen."""
TESTED = [
    "deu", "spa", "fin", "swa", "tur", "isl", "rus", "bul", "arb", "ckb-Arab", "hin", "guj", "tel", "kan", "pan",
    "sin", "mal", "lao", "khm", "jpn", "tir",
]  # fmt: skip
"""Languages, never labelled, that are measured: 14 scripts."""
LOOKED_AT = [
    "abcnews.306758", "abcnews.306764", "bbc.381680", "bbc.381736", "bbc.381760", "bbc.381765", "bbc.381790",
    "cbsnews.248471", "cnbc.com.6772", "cnn.304400", "cnn.304404", "cnn.304447", "dailymail.co.uk.298732",
    "dailymail.co.uk.298759", "euronews-en.153800", "foxnews.94512", "guardian.221756", "independent.226317",
    "independent.226346", "newsweek.51300", "newsweek.51318", "newsweek.51338", "newsweek.51340", "nytimes.184822",
    "nytimes.184853", "nytimes.184860", "nytimes.184862", "reuters.218911", "scotsman.133758", "telegraph.405404",
    "telegraph.405408", "telegraph.405413", "telegraph.405422", "upi.176249", "upi.176266",
]  # fmt: skip
"""Stories for development."""
FOLDS = 3

FEATURES = ("structure", "form", "wording")
"""No embedder: `flow`, by the one that ships, was no better on the stories for development."""
PAIRS = 3_000
"""Of each kind that are measured, per language."""
VERSIONS = 10
"""Damaged versions of each training story, the same in all languages."""


WAYS: tuple[Normalise, ...] = ("none", "z")
"""Features as they are, as MuRating's encoder has them, and held against what is usual in their language."""


def config(how: Normalise, linked: Sequence[str], seed: int) -> TrainConfig:
    """Return the settings of all methods: chosen on the stories and the languages for development."""
    return TrainConfig(
        normalise=how, linked=tuple(linked), seed=seed, parallel=1.5, pairs=120_000, hidden=256, step=5e-3, decay=0.5
    )


def divide(stories: Sequence[str], fold: int) -> tuple[list[str], list[str]]:
    """Return the stories for training and for the test."""
    rest = [s for s in sorted(stories) if s not in LOOKED_AT]
    held = np.array_split(np.random.default_rng(2026).permutation(len(rest)), FOLDS)[fold]
    return [s for i, s in enumerate(rest) if i not in held], [s for i, s in enumerate(rest) if i in held]


@dataclass(frozen=True)
class World:
    """Training and held-out documents, with features, and what the English raters say.

    Args:
        learned: by way of seeing: training documents in languages that inherit labels, and in those that do not.
        unseen: the latter languages.
        held: by way of seeing: held-out documents in the unseen languages and in English.
        kinds: (n,) damage of the held-out documents.
        grades: (n,) its degree.
        examined: pairs of held-out documents whose order is known.
        english: the English training documents.
        scores: (documents, raters) what the English raters say of them.
        reverse: (documents,) what one more says, to be read the wrong way round.
    """

    learned: Mapping[Normalise, Material]
    unseen: list[str]
    held: Mapping[Normalise, Material]
    kinds: NDArray[np.object_]
    grades: NDArray[np.float64]
    examined: Pairs
    english: list[Document]
    scores: NDArray[np.float64]
    reverse: NDArray[np.float64]


def world(fold: int, small: bool, development: bool = False, seed: int = 0) -> World:
    """Read, damage, measure, rate.

    Args:
        fold: which third of the stories is held out.
        small: a few languages and stories.
        development: the stories and the languages for development are held out instead; the third is not seen.
        seed: of the damage and of the pairs.
    """
    trained, unseen = TRAINED, DEVELOPED if development else TESTED
    if small:
        trained, unseen = TRAINED[:6], [*unseen[:2], unseen[-1]]
    texts = sentences([*trained, *unseen])
    training, held = divide(list(texts[REFERENCE]), fold)
    further = LOOKED_AT
    if development:
        held, further = LOOKED_AT, []
    if small:
        training, held, further = training[:25], held[:15], further[:10]
    codes = [parse(name).code for name in unseen]
    wording = learn_wording(tuple(texts))
    # Training stories in unseen languages are in parallel pairs, and teach what is usual there; they have no label.
    # Of further stories nobody rates a version: they are in parallel pairs in all languages.
    given = documents(texts, training, VERSIONS, seed)
    unrated = documents(texts, further, VERSIONS, seed + 2)
    ours = {lang: own for lang, own in texts.items() if lang in (*codes, REFERENCE)}
    tested = documents(ours, held, len(KINDS) * len(GRADES), seed + 1)
    seen, seen_held = (features(part, wording) for part in ([*given, *unrated], tested))
    known = normalizer.fit(seen, normalizer.names(seen))
    learned = {how: material([*given, *unrated], known.apply(seen, how)) for how in WAYS}
    measured = {how: material(tested, known.apply(seen_held, how)) for how in WAYS}
    ours_english = [d for d in given if d.lang == REFERENCE]
    said = english.rate(ours_english, wording, seed)
    truth = known_order([d for d in tested if d.lang == REFERENCE], seed)
    groups, langs = measured["none"].groups, measured["none"].langs
    return World(
        learned,
        codes,
        measured,
        np.array([d.kind for d in tested], object),
        np.array([d.grade for d in tested]),
        pairs.draw(groups, langs, truth, PAIRS * (len(unseen) + 1), seed),
        ours_english,
        said[:, :-1],
        said[:, -1],
    )


@cache
def learn_wording(langs: tuple[str, ...]) -> Wording:
    """Learn word order from up to 600 unlabelled excerpts of the web in each language."""
    crawl = pq.read_table(harness.data("crawl.parquet"), columns=["lang", "text"])
    known = {code: parse(code).code for code in crawl["lang"].unique().to_pylist()}
    wanted = [code for code, canonical in known.items() if canonical in set(langs)]
    crawl = crawl.filter(pa.compute.is_in(crawl["lang"], pa.array(wanted)))
    return Wording.fit(crawl["text"].to_pylist(), [known[code] for code in crawl["lang"].to_pylist()])


def features(given: Sequence[Document], wording: Wording) -> pa.Table:
    """Return what a rater sees."""
    texts, langs = pa.array([d.text for d in given]), pa.array([d.lang for d in given])
    return see(texts, langs, FEATURES, {}, wording)


def material(given: Sequence[Document], matrix: NDArray[np.float64]) -> Material:
    """Return documents with their features."""
    group, lang, source = (np.array([getattr(d, n) for d in given], object) for n in ("group", "lang", "source"))
    return Material(matrix, group, lang, source, np.array([len(d.text) for d in given]))


def known_order(given: Sequence[Document], seed: int, count: int = 150_000) -> Labels:
    """Return pairs whose order is known: whole against damaged, and two degrees of one kind."""
    rng = np.random.default_rng(seed)
    kept = []
    for one, other in rng.integers(0, len(given), (count, 2)):
        a, b = given[one], given[other]
        if a.grade != b.grade and ("none" in (a.kind, b.kind) or a.kind == b.kind):
            kept.append((a.group, b.group, float(a.grade < b.grade)))
    left, right, p = zip(*kept, strict=True)
    return Labels(np.array(left, object), np.array(right, object), np.array(p))
