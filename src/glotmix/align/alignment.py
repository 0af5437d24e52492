"""The alignment of a model: layer by layer and pair by pair, beside the lexical floor of its tokenizer.

Alignment of states says that translations look alike inside a model; it does not say that the model uses one language
in another. A trial does (`glotmix.align.trial`): tiny models gain by pairs with a d′ near 0, and models of 1B and more
end aligned with and without parallel text (arXiv 2603.29026). Accept no data by these figures alone.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.align import measures
from glotmix.align.measures import DRAWS, LEAST, NAMES, Array, Figure
from glotmix.align.states import Model, lexical, untrained
from glotmix.core.errors import DataError, RequestError, did_you_mean
from glotmix.proxy.texts import place

MOST = 500
"""Sentences of a language that are read by default; 50 are enough for d′."""
_FEW = 12
"""Languages up to which every two are compared by default; of more, each with the pivot."""

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Layer:
    """One layer of one pair: `figures` by name (`measures.NAMES`); `shown`: above the lexical floor beyond chance."""

    layer: str
    figures: Mapping[str, Figure]
    shown: bool


@dataclass(frozen=True)
class Pair:
    """Two languages: n sentences, the lexical floor, and every layer."""

    a: str
    b: str
    n: int
    floor: Mapping[str, Figure]
    layers: tuple[Layer, ...]

    @property
    def best(self) -> Layer | None:
        """The layer of the greatest d′ among those that are above the floor; None where none is."""
        return max(
            (one for one in self.layers if one.shown), key=lambda one: one.figures["d_prime"].value, default=None
        )


@dataclass(frozen=True)
class Alignment:
    """A model's alignment, pairs in the order of their codes."""

    model: str
    layers: tuple[str, ...]
    languages: tuple[str, ...]
    pairs: tuple[Pair, ...]
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, ready for JSON."""
        return asdict(self)

    def table(self) -> pa.Table:
        """Return a row per pair, layer and figure."""
        rows = [
            {"model": self.model, "a": p.a, "b": p.b, "n": p.n, "layer": one.layer, "figure": name}
            | {"value": f.value, "low": f.low, "high": f.high}
            | {
                f"floor{end}": getattr(p.floor[name], at)
                for end, at in (("", "value"), ("_low", "low"), ("_high", "high"))
            }
            | {"shown": one.shown}
            for p in self.pairs
            for one in p.layers
            for name, f in one.figures.items()
        ]
        return pa.Table.from_pylist(rows)


def chosen(
    texts: Mapping[str, Mapping[str, str]], pivot: str | None, most: int
) -> tuple[dict[str, tuple[str, ...]], list[tuple[str, str]]]:
    """Choose what is compared: by language the keys that are read, and the pairs of languages.

    Without a pivot every two of up to twelve languages are compared, and of more each with English, or with the first.

    Raises:
        RequestError: for fewer than two languages, or a pivot that is not there.
    """
    langs = sorted(texts)
    if len(langs) < 2:
        raise RequestError(
            f"there is text in {', '.join(langs) or 'no language'}: a pair needs two", "a table of parallel text"
        )
    if pivot is not None and pivot not in langs:
        raise RequestError(f"the pivot {pivot} is not there{did_you_mean(pivot, langs)}", f"one of {', '.join(langs)}")
    if pivot is None and len(langs) > _FEW:
        pivot = "eng_Latn" if "eng_Latn" in langs else langs[0]
    pairs = [pair for pair in every_two(texts) if pivot is None or pivot in pair]
    keys = {key for lang in langs for key in texts[lang]}
    # The keys of least hash: the same sentences in every language, in an order that no file has a say in.
    ranked = sorted(keys, key=lambda key: (place(f"key {key}"), key))
    if pivot is not None:
        ranked = [key for key in ranked if key in texts[pivot]]
    common = [key for key in ranked if all(key in texts[lang] for lang in langs)]
    taken = (common if len(common) >= most else ranked)[: most if len(common) >= most else None]
    return {lang: tuple(key for key in taken if key in texts[lang]) for lang in langs}, pairs


def every_two(texts: Mapping[str, Mapping[str, str]]) -> list[tuple[str, str]]:
    """Return every two languages."""
    return list(combinations(sorted(texts), 2))


def report(
    model: Model,
    texts: Mapping[str, Mapping[str, str]],
    pivot: str | None = None,
    most: int = MOST,
    draws: int = DRAWS,
    seed: int = 0,
    tell: Tell = lambda what, done, total: None,
    pairs: Sequence[tuple[str, str]] | None = None,
) -> Alignment:
    """Measure the alignment of a model.

    Args:
        model: see `states.load`.
        texts: by canonical language, sentences by the key that translations share.
        pivot: the language that each other one is compared with; see `chosen`.
        most: sentences that are read of a language.
        draws: of the bootstrap over sentences.
        seed: of the draws.
        tell: told of languages read and pairs measured.
        pairs: the pairs to compare, instead of those that `chosen` takes.

    Raises:
        RequestError: see `chosen`.
        DataError: if no pair has `LEAST` sentences.
    """
    keys, usual = chosen(texts, pivot, most)
    pairs = usual if pairs is None else pairs
    warnings: list[str] = []
    found: list[Pair] = []
    with tempfile.TemporaryDirectory(prefix="glotmix-states-") as scratch:
        held = {}
        for number, lang in enumerate(sorted(keys)):
            said = [texts[lang][key] for key in keys[lang]]
            held[lang] = _states(model, said, Path(scratch) / f"{number}.f32")
            tell("reading", number + 1, len(keys))
        for number, (a, b) in enumerate(pairs):
            shared = [key for key in keys[a] if key in texts[b]][:most]
            if len(shared) < LEAST:
                warnings.append(f"{a} and {b} share {len(shared)} sentences and are not compared: {LEAST} are needed")
            else:
                found.append(_pair(model, texts, held, keys, (a, b), shared, draws, seed))
            tell("comparing", number + 1, len(pairs))
    if not found:
        raise DataError(f"no two languages share {LEAST} sentences", "--key COLUMN, which translations share")
    if min(p.n for p in found) < 50:
        warnings.append(f"some pairs have {min(p.n for p in found)} sentences: their figures move; 50 are stable")
    return Alignment(model.name, model.layers, tuple(sorted(keys)), tuple(found), tuple(warnings))


def _states(model: Model, said: Sequence[str], path: Path) -> NDArray[np.float32]:
    """Return states on disk, (layers, texts, width): of a large model and many languages they are gigabytes."""
    held: NDArray[np.float32] | None = None
    for at, states in model.states(said):
        if held is None:
            shape = (states.shape[1], len(said), states.shape[2])
            held = np.memmap(path, np.float32, "w+", shape=shape)
        held[:, at] = states.swapaxes(0, 1)
    assert held is not None
    return held


def _pair(
    model: Model,
    texts: Mapping[str, Mapping[str, str]],
    held: Mapping[str, NDArray[np.float32]],
    keys: Mapping[str, Sequence[str]],
    languages: tuple[str, str],
    shared: Sequence[str],
    draws: int,
    seed: int,
) -> Pair:
    a, b = languages
    weights = measures.drawn(len(shared), draws, seed)
    one, other = (model.pieces([texts[lang][key] for key in shared]) for lang in languages)
    floor = measures.measure(lexical(one, other), weights)
    dense = measures.cosines(*untrained(one, other, held[a].shape[2], seed))
    floor |= {"d_prime": measures.measure(dense, weights)["d_prime"]}
    rows = {}
    for lang in languages:
        place_of = {key: n for n, key in enumerate(keys[lang])}
        rows[lang] = np.array([place_of[key] for key in shared])
    layers = []
    for number, name in enumerate(model.layers):
        c = measures.cosines(held[a][number][rows[a]], held[b][number][rows[b]])
        told = measures.measure(c, weights)
        shown = measures.above(told, floor, len(model.layers))
        layers.append(Layer(name, _figures(told), shown))
    return Pair(a, b, len(shared), _figures(floor), tuple(layers))


def _figures(told: Mapping[str, tuple[float, Array]]) -> dict[str, Figure]:
    return {name: measures.figure(*told[name]) for name in NAMES}
