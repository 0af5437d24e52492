"""From parallel text to samples of training text: who stands beside whom, and which pieces bear loss.

A `Unit` is one text in several languages; a way of packing makes `Sample`s of many, each a row of `Piece`s. What bears
loss is said of pieces of text, so that it holds for every tokenizer: `glotmix.align.encode` makes a mask of it.

A module declares its ways of packing under the top-level name ``PAIRING``; those of other packages are found by the
entry point group ``glotmix.packings``.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, TypeAlias

import numpy as np

from glotmix.core import language, registry
from glotmix.core.errors import RequestError, did_you_mean

VERSION = 1

Directions: TypeAlias = Literal["both", "forward", "backward"]
"""From which language to which: forward is the order of the codes (eng_Latn → spa_Latn); both takes turns."""


@dataclass(frozen=True)
class Unit:
    """One text in several languages.

    Args:
        id: what names it.
        versions: language (a canonical code) → its text; two or more.
        document: the id of the pair of documents that it stands in, empty where none is known; units of one document
            follow each other in the order of the text.
    """

    id: str
    versions: Mapping[str, str]
    document: str = ""


@dataclass(frozen=True)
class Piece:
    """A stretch of a sample.

    Args:
        text: its characters.
        lang: their language; empty for what belongs to none, such as the name of a language.
        loss: whether a model learns to predict them.
        label: where a word was put in another's place for the input alone: the word that stays the label. The tokens
            of `text` are then read, and only the first token of `label` is learned, in the place of the first.
    """

    text: str
    lang: str = ""
    loss: bool = True
    label: str | None = None


@dataclass(frozen=True)
class Sample:
    """One document of training text.

    Args:
        pieces: its text, in order.
        begins: numbers of the pieces where a window of training may begin: never inside of a source, nor between it
            and its target.
        direction: ``eng_Latn>spa_Latn``, or the languages joined by ``+`` where there is no direction.
    """

    pieces: tuple[Piece, ...]
    begins: tuple[int, ...] = (0,)
    direction: str = ""

    @property
    def text(self) -> str:
        """The whole of it."""
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True)
class Options:
    """What a way of packing may be told.

    Args:
        directions: see `Directions`.
        pairs: pairs per sample (OpenEuroLLM's training-data-packer puts 40 into a document).
        rate: share of words, or of sentences, that switch their language.
        labels: of a switched word: ``plain``, the word that stands there; ``input``, the word that stood there before
            (PreAlign, arXiv 2407.16222).
        lexicon: (language, word in lower case) → translations: (language, word).
    """

    directions: Directions = "both"
    pairs: int = 40
    rate: float = 0.2
    labels: Literal["plain", "input"] = "plain"
    lexicon: Mapping[tuple[str, str], Sequence[tuple[str, str]]] = field(default_factory=dict)


Pack: TypeAlias = Callable[[Sequence[Unit], Options, int], Iterable[Sample]]
"""From units, options and a seed to samples: the same for the same, whatever the machine."""


@dataclass(frozen=True)
class Pairing:
    """A way of packing, as a module declares it under the top-level name ``PAIRING``.

    Args:
        name: what the recipe calls it, in ``align.pack.kind``.
        pack: makes the samples.
        meaning: one line.
        masks: whether some of its text bears no loss.
        versions: least number of versions of a unit that it can use.
        control: whether it ties no languages together, and is what the others are measured against.
        version: raised when it would pack the same units differently.
    """

    name: str
    pack: Pack
    meaning: str
    masks: bool = False
    versions: int = 2
    control: bool = False
    version: int = 1


@cache
def pairings() -> dict[str, Pairing]:
    """Return every way of packing by name: glotmix's own, and those of other packages.

    Raises:
        GlotmixError: if two have one name.
    """
    return registry.by_name("PAIRING", "ways of packing")


def pairing(name: str) -> Pairing:
    """Return a way of packing by its name.

    Raises:
        RequestError: if there is none of that name.
    """
    if name not in pairings():
        raise RequestError(
            f"align.pack.kind: there is no way of packing {name!r}{did_you_mean(name, pairings())}",
            f"one of {', '.join(pairings())}",
        )
    return pairings()[name]


@dataclass(frozen=True)
class Couple:
    """Two versions of one unit, from one language to another."""

    unit: str
    source: str
    target: str
    one: str
    other: str


def couples(units: Sequence[Unit], directions: Directions, seed: int, chunk: int) -> list[list[Couple]]:
    """Divide units into chunks of pairs of one direction, the chunks in an order drawn from a seed.

    A unit with more than two versions is divided into pairs of its languages, drawn from the seed, each version once
    (of an odd number, the last goes with the first).

    Args:
        units: see `Unit`; those of a document stay in their order.
        directions: ``both`` gives every other chunk of two languages the other direction: balanced, not by a coin.
        seed: of the order and the choice.
        chunk: pairs per chunk.
    """
    rng = np.random.default_rng([seed, 11])
    by_pair: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for unit in units:
        langs = sorted(unit.versions)
        if len(langs) > 2:
            langs = [langs[at] for at in rng.permutation(len(langs))]
            if len(langs) % 2:
                langs.append(langs[0])
        for first, second in zip(langs[::2], langs[1::2], strict=True):
            a, b = sorted((first, second))
            by_pair.setdefault((a, b), []).append((unit.id, unit.versions[a], unit.versions[b]))
    chunks: list[list[Couple]] = []
    for (a, b), rows in sorted(by_pair.items()):
        parts = [rows[at : at + chunk] for at in range(0, len(rows), chunk)]
        turn = int(rng.integers(2))
        for number, place in enumerate(rng.permutation(len(parts)).tolist()):
            back = directions == "backward" or (directions == "both" and (number + turn) % 2 == 1)
            chunks.append([Couple(i, b, a, y, x) if back else Couple(i, a, b, x, y) for i, x, y in parts[place]])
    return [chunks[at] for at in rng.permutation(len(chunks)).tolist()]


def line(text: str) -> str:
    """Return a text as one line.

    >>> line(" Guten\\n Tag ")
    'Guten Tag'
    """
    return re.sub(r"\s+", " ", text).strip()


@cache
def name_of(lang: str) -> str:
    """Return what a language is called before its line.

    >>> name_of("spa_Latn"), name_of("zho_Hans")
    ('Spanish', 'Chinese')
    """
    return language.parse(lang).name


def _lines(couples: Sequence[Couple], masked: bool) -> Sample:
    """Write ``Language: text`` lines, source and target in turns (Just Go Parallel, arXiv 2506.13044)."""
    pieces: list[Piece] = []
    begins: list[int] = []
    for one in couples:
        begins.append(len(pieces))
        pieces += [
            Piece(f"{name_of(one.source)}:", "", not masked),
            Piece(f" {line(one.one)}\n", one.source, not masked),
            Piece(f"{name_of(one.target)}:", "", not masked),
            Piece(f" {line(one.other)}\n", one.target, True),
        ]
    return Sample(tuple(pieces), tuple(begins), f"{couples[0].source}>{couples[0].target}")


def in_lines(units: Sequence[Unit], options: Options, seed: int) -> Iterator[Sample]:
    """Pack pairs as lines, ``English: …`` and ``Spanish: …``, with loss on all of it."""
    for chunk in couples(units, options.directions, seed, options.pairs):
        yield _lines(chunk, masked=False)


def mapping(units: Sequence[Unit], options: Options, seed: int) -> Iterator[Sample]:
    """Pack pairs as lines, with loss on the target alone: `L_CL` of the Cross-Lingual Mapping Task (arXiv 2604.10590).

    Its separators and lengths are not public: these are those of `in_lines`.
    """
    for chunk in couples(units, options.directions, seed, options.pairs):
        yield _lines(chunk, masked=True)


def unpaired(units: Sequence[Unit], options: Options, seed: int) -> Iterator[Sample]:
    """Pack the same lines apart, a language a sample: the control that holds the sentences and not their pairing."""
    chunks = couples(units, options.directions, seed, options.pairs)
    apart: list[Sample] = []
    for chunk in chunks:
        for lang, texts in (
            (chunk[0].source, [one.one for one in chunk]),
            (chunk[0].target, [one.other for one in chunk]),
        ):
            pieces = [p for text in texts for p in (Piece(f"{name_of(lang)}:"), Piece(f" {line(text)}\n", lang))]
            apart.append(Sample(tuple(pieces), tuple(range(0, len(pieces), 2)), lang))
    order = np.random.default_rng([seed, 12]).permutation(len(apart))
    yield from (apart[at] for at in order.tolist())


def shuffled(units: Sequence[Unit], options: Options, seed: int) -> Iterator[Sample]:
    """Pack as `in_lines` does, every source with the target of another pair: the control that holds the format.

    Targets move by half of their two languages' pairs, so that none stays where it was; with one pair alone there is
    no other, and it is left out.
    """
    chunks = couples(units, options.directions, seed, options.pairs)
    places: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for number, chunk in enumerate(chunks):
        places.setdefault((chunk[0].source, chunk[0].target), []).extend((number, at) for at in range(len(chunk)))
    moved: dict[tuple[int, int], Couple] = {}
    for (source, target), at in places.items():
        if len(at) < 2:
            continue
        for place, (n, i) in zip(at, (*at[len(at) // 2 :], *at[: len(at) // 2]), strict=True):
            one = chunks[place[0]][place[1]]
            moved[place] = Couple(one.unit, source, target, one.one, chunks[n][i].other)
    for number, chunk in enumerate(chunks):
        if kept := [moved[number, at] for at in range(len(chunk)) if (number, at) in moved]:
            yield _lines(kept, masked=False)


PAIRING = (
    Pairing("format", in_lines, "lines of source and target, named by their language; loss on all of it"),
    Pairing("mapping", mapping, "the same lines, loss on the target alone", masks=True),
    Pairing("unpaired", unpaired, "control: the same lines, each language in samples of its own", control=True),
    Pairing("shuffled", shuffled, "control: the same lines, each source with another's target", control=True),
)
