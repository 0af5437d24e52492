"""Training a static embedder from parallel text, and from a teacher's vectors if there are any.

The model is a sum of vectors, one per word and n-gram (`features`). Every pair's two sides shall be near (`contrast`);
with a teacher, both sides shall also be near the teacher's vector of the pair's English side (Reimers & Gurevych 2020,
arXiv 2004.09813, with the cosine in place of their squared error). Steps are Adagrad's, with one rate per row:
rare features move far, common ones little. It needs numpy alone.

What is drawn at step t depends on the seed and on t alone, so that a run which is killed and taken up again from its
checkpoint ends as the same bytes.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.core import json_text
from glotmix.core.errors import DataError, RequestError
from glotmix.embed import features, vocabulary
from glotmix.embed.contrast import info_nce, through_unit, unit
from glotmix.native import bags, ngrams

Floats = NDArray[np.float32]
_BLOCK = 65_536


@dataclass(frozen=True)
class Settings:
    """How to train. All of it is part of what the model is.

    Args:
        width: numbers per vector.
        vocabulary: words and n-grams that the model knows, at most.
        steps: batches.
        batch: pairs per batch, `buckets` times as many of one language and source each.
        buckets: languages and sources in one batch.
        balance: a language's source with n pairs is drawn as often as one of n^balance pairs.
        favour: source → how many times as often as that its pairs are drawn.
        temperature: of the softmax over a batch.
        rate: of the first step; it falls to nothing in a straight line.
        teacher: weight of the teacher's part of the loss.
        max_chars: longer texts are cut.
        keep: share of a text's features that a step looks at, drawn anew each time (word dropout, Iyyer et al. 2015,
            10.3115/v1/P15-1162): a text shall be known by any part of it, and a step costs that much less.
        seed: of everything that is drawn.
    """

    width: int = 256
    vocabulary: int = 500_000
    steps: int = 10_000
    batch: int = 1024
    buckets: int = 4
    balance: float = 0.5
    favour: dict[str, float] = field(default_factory=dict)
    temperature: float = 0.05
    rate: float = 0.05
    teacher: float = 1.0
    max_chars: int = 400
    keep: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch % self.buckets or min(self.width, self.vocabulary, self.steps, self.batch, self.buckets) < 1:
            raise RequestError(f"a batch of {self.batch} cannot be cut into {self.buckets} buckets", "batch=1024")
        if not 0 < self.keep <= 1:
            raise RequestError(f"keep is a share of the features, {self.keep} is none", "keep=0.5")


class Bags(NamedTuple):
    """Texts as numbers of rows: bag i is ``ids[starts[i]:starts[i + 1]]``."""

    starts: NDArray[np.int64]
    ids: NDArray[np.int32]

    def take(self, which: NDArray[np.int64]) -> "Bags":
        """Return some of the bags."""
        sizes = self.starts[which + 1] - self.starts[which]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        at = np.repeat(self.starts[which] - starts[:-1], sizes) + np.arange(starts[-1])
        return Bags(starts, self.ids[at])

    def thinned(self, keep: float, generator: np.random.Generator) -> "Bags":
        """Return the bags with a share of what is in them, drawn."""
        if keep >= 1:
            return self
        kept = generator.random(len(self.ids), np.float32) < keep
        before = np.concatenate([[0], np.cumsum(kept)])
        return Bags(before[self.starts], self.ids[kept])


@dataclass(frozen=True)
class Corpus:
    """Pairs as bags: `english` of the distinct English sides, `other` of the other sides.

    `number` (pairs,) says which English text belongs to each pair; `buckets` are the pairs of one language and source,
    `weights` how often each is drawn. `shares` (rows,) is how large a part of a language's features each row is, in
    the language where it is the largest.
    """

    keys: NDArray[np.uint32]
    shares: NDArray[np.float64]
    english: Bags
    other: Bags
    number: NDArray[np.int64]
    buckets: tuple[NDArray[np.int64], ...]
    weights: NDArray[np.float64]


def corpus(pairs: pa.Table, settings: Settings) -> Corpus:
    """Choose the vocabulary of some pairs and turn them into bags.

    Args:
        pairs: columns ``source lang eng text``.
        settings: see `Settings`.

    Raises:
        DataError: if nothing is left of them.
    """
    if not pairs.num_rows:
        raise DataError("there are no pairs to train on")
    english = pairs["eng"].combine_chunks().dictionary_encode()
    number = english.indices.to_numpy().astype(np.int64)
    sides = [_hashed(english.dictionary, settings), _hashed(pairs["text"], settings)]
    langs = pairs["lang"].combine_chunks().dictionary_encode()
    code = langs.indices.to_numpy()
    order = np.argsort(code, kind="stable")
    bounds = np.searchsorted(code[order], np.arange(len(langs.dictionary) + 1))
    counted = {"": vocabulary.count([sides[0].ids.view(np.uint32)])}
    for i, lang in enumerate(langs.dictionary.to_pylist()):
        mine = sides[1].take(order[bounds[i] : bounds[i + 1]])
        counted[lang] = vocabulary.count([mine.ids.view(np.uint32)])
    keys = vocabulary.choose(counted, settings.vocabulary)
    table = ngrams.table(keys)
    kept = [_kept(side, table) for side in sides]
    if not len(keys):
        raise DataError("no word or n-gram stands twice in the pairs: there is nothing to learn from")
    sources = pairs["source"].combine_chunks().dictionary_encode()
    source = sources.indices.to_numpy()
    bucket = code.astype(np.int64) * len(sources.dictionary) + source
    order = np.argsort(bucket, kind="stable")
    cuts = np.flatnonzero(np.diff(bucket[order])) + 1
    # A bucket of one pair would teach nothing.
    buckets = tuple(b for b in np.split(order, cuts) if len(b) > 1)
    favour = np.array([settings.favour.get(name, 1.0) for name in sources.dictionary.to_pylist()])
    weights = np.array([favour[source[b[0]]] * len(b) ** settings.balance for b in buckets])
    shares = vocabulary.shares(keys, counted)
    return Corpus(keys, shares, kept[0], kept[1], number, buckets, weights / weights.sum())


def _hashed(texts: pa.Array, settings: Settings) -> Bags:
    """Return the keys of texts, as bags of int32 whose bits are the keys."""
    strings = features.cut(texts, settings.max_chars)
    starts, found = [np.zeros(1, np.int64)], []
    for at in range(0, len(strings), _BLOCK):
        where, keys = features.hashes(strings.slice(at, _BLOCK))
        starts.append(where[1:] + starts[-1][-1])
        found.append(keys.view(np.int32))
    return Bags(np.concatenate(starts), np.concatenate(found))


def _kept(side: Bags, table: tuple[NDArray[np.uint32], NDArray[np.int32]]) -> Bags:
    """Return the bags with rows for keys, those that are not known left out."""
    rows = ngrams.rows_of(side.ids.view(np.uint32), *table)
    known = rows >= 0
    before = np.concatenate([[0], np.cumsum(known)])
    return Bags(before[side.starts], rows[known])


class State(NamedTuple):
    """What a checkpoint holds: `vectors` (rows, width), Adagrad's `squares` (rows,), and the next step."""

    vectors: Floats
    squares: Floats
    step: int


def start(data: Corpus, settings: Settings, teacher: Floats | None = None) -> State:
    """Return the state before the first step.

    Every English text has a vector, the teacher's or (where there is none) a random one; a feature starts in the
    direction of the mean vector of the texts that it stands in, translations counting as their English sides: random
    indexing (Sahlgren 2005) over pairs, which finds translations before anything is trained. Its length is a smooth
    inverse frequency (Arora et al. 2017): a / (a + p).
    """
    generator = np.random.default_rng([settings.seed, 0])
    vectors = generator.standard_normal((len(data.keys), settings.width), np.float32)
    vectors *= np.float32(0.1 / np.sqrt(settings.width))
    if teacher is None:
        texts = unit(generator.standard_normal((len(data.english.starts) - 1, settings.width), np.float32))[0]
    else:
        texts = teacher
    for bucket in data.buckets:
        for which in np.array_split(bucket, 1 + len(bucket) // 4_096):
            values = texts[data.number[which]]
            for side in (data.other.take(which), data.english.take(data.number[which])):
                bags.spread(side.starts, side.ids, values, vectors)
    vectors = unit(vectors)[0] * (1e-3 / (1e-3 + data.shares)).astype(np.float32)[:, None]
    return State(vectors, np.full(len(data.keys), 1e-10, np.float32), 0)


def run(
    data: Corpus,
    settings: Settings,
    teacher: Floats | None = None,
    state: State | None = None,
    each: Callable[[State, float], None] = lambda state, loss: None,
) -> State:
    """Train, from `state` on if one is given.

    Args:
        data: what to train on.
        settings: see `Settings`.
        teacher: (English texts, width) unit vectors around a mean of zero; a zero vector for a text without one.
        state: of a checkpoint.
        each: called after every step with the state and the loss; the arrays are those that training goes on with.
    """
    state = start(data, settings, teacher) if state is None else state
    slots = np.full(len(data.keys), -1, np.int32)
    for t in range(state.step, settings.steps):
        which = _draw(data, settings, t)
        rate = settings.rate * (1 - t / settings.steps)
        loss = _step(state, data, which, settings, teacher, rate, slots, np.random.default_rng([settings.seed, 2, t]))
        state = State(state.vectors, state.squares, t + 1)
        each(state, loss)
    return state


def _draw(data: Corpus, settings: Settings, t: int) -> NDArray[np.int64]:
    generator = np.random.default_rng([settings.seed, 1, t])
    size = settings.batch // settings.buckets
    parts = []
    for b in generator.choice(len(data.buckets), settings.buckets, p=data.weights):
        bucket = data.buckets[b]
        parts.append(bucket[generator.choice(len(bucket), min(size, len(bucket)), replace=False, shuffle=False)])
    return np.unique(np.concatenate(parts))


def _step(
    state: State,
    data: Corpus,
    which: NDArray[np.int64],
    settings: Settings,
    teacher: Floats | None,
    rate: float,
    slots: NDArray[np.int32],
    generator: np.random.Generator,
) -> float:
    number = data.number[which]
    one = data.english.take(number).thinned(settings.keep, generator)
    other = data.other.take(which).thinned(settings.keep, generator)
    a, a_length = unit(bags.add(one.starts, one.ids, state.vectors))
    b, b_length = unit(bags.add(other.starts, other.ids, state.vectors))
    loss, a_slope, b_slope = info_nce(a, b, number, settings.temperature)
    if teacher is not None:
        # 1 − cos to the teacher's vector of the English side, for both sides; nothing where there is none.
        target = teacher[number] * np.float32(settings.teacher / len(which))
        for side, slope in ((a, a_slope), (b, b_slope)):
            loss -= float((side * target).sum())
            np.subtract(slope, target, out=slope)
    # Both sides are one bag each, so that a row which stands in both takes one step.
    bag = Bags(np.concatenate([one.starts, one.starts[-1] + other.starts[1:]]), np.concatenate([one.ids, other.ids]))
    gradient = np.concatenate([through_unit(a_slope, a, a_length), through_unit(b_slope, b, b_length)])
    bags.step(bag.starts, bag.ids, gradient * np.float32(len(which)), state.vectors, state.squares, slots, rate)
    return loss


# ---------------------------------------------------------------------------------------------- checkpoints


def save(path: Path, state: State, data: Corpus, settings: Settings) -> None:
    """Write a checkpoint, by rename."""
    from safetensors.numpy import save_file

    scratch = path.with_suffix(".writing")
    save_file(
        {"vectors": state.vectors, "squares": state.squares, "keys": data.keys},
        scratch,
        {"step": str(state.step), "settings": json.dumps(asdict(settings))},
    )
    scratch.replace(path)


def load(path: Path, data: Corpus, settings: Settings) -> State:
    """Read a checkpoint.

    Raises:
        RequestError: if it belongs to other settings or other pairs.
    """
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        found = file.metadata()
        if json_text.loads(found["settings"]) != asdict(settings) or not np.array_equal(
            file.get_tensor("keys"), data.keys
        ):
            raise RequestError(f"{path} belongs to other settings or other pairs", f"delete {path} or choose another")
        return State(file.get_tensor("vectors"), file.get_tensor("squares"), int(found["step"]))
