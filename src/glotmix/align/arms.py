"""The arms of a trial: the same text and the same sentences, presented to a model in ways that tie languages or do not.

Every arm reads the same windows of single texts. Between them, in the same places, stand windows of parallel text,
which each arm packs in its own way (`glotmix.align.packing`): controls are packings, too. A window begins
with a sample and ends where it is full: what does not fit any more is cut, so that none begins inside of a source.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from glotmix.align.encode import IGNORED, Encoded, encode
from glotmix.align.packing import Options, Unit, pairing
from glotmix.core.errors import DataError
from glotmix.proxy.texts import Ids
from glotmix.proxy.tokenizer import Pieces

_AT_ONCE = 256
"""Samples that are tokenized together: of many, few may be read."""

Labels = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Windows:
    """What one model reads: tokens and labels, (windows, T + 1) each; a label is `IGNORED` where no loss is borne."""

    ids: Ids
    labels: Labels

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def bearing(self) -> float:
        """The share of guessed tokens that bear loss."""
        return float((self.labels[:, 1:] != IGNORED).mean()) if len(self) else 0.0


@dataclass(frozen=True)
class Places:
    """Which windows of a training are parallel text; the same for every arm of a seed.

    Args:
        windows: in all.
        start: how many at the beginning hold none: what all arms have in common.
        share: of parallel windows among the later ones.
    """

    windows: int
    start: int
    share: float

    def parallel(self, seed: int) -> NDArray[np.bool_]:
        """Say of every window whether it is parallel text, (windows,)."""
        found = np.zeros(self.windows, bool)
        later = self.windows - self.start
        found[self.start : self.start + round(self.share * later)] = True
        np.random.default_rng([seed, 21]).shuffle(found[self.start :])
        return found


def streams(texts: Mapping[str, Sequence[str]], pieces: Pieces) -> dict[str, Ids]:
    """Return by language its documents as one row of tokens, each followed by the end."""
    found = {}
    for lang in sorted(texts):
        rows = [np.append(row, np.int32(pieces.end)) for row in pieces.encode(texts[lang], lang)]
        found[lang] = np.concatenate(rows).astype(np.int32)
    return found


def single(stream: Mapping[str, Ids], windows: int, context: int, seed: int) -> Ids:
    """Return so many windows of single texts, the languages in turns, (windows, T + 1).

    A language's windows are read in an order of their own, none twice before all were read; the first are the same,
    however many are wanted.

    Raises:
        DataError: if a language has not one window.
    """
    langs = sorted(stream)
    found = np.empty((windows, context + 1), np.int32)
    for number, lang in enumerate(langs):
        row = stream[lang]
        there = (len(row) - 1) // context
        if there < 1:
            raise DataError(
                f"{lang} has {len(row):,} tokens of single text, and a window needs {context + 1}",
                "more text of it, or a smaller context",
            )
        wanted = len(range(number, windows, len(langs)))
        rng = np.random.default_rng([seed, number, 22])
        rounds = [rng.permutation(there) for _ in range(-(-wanted // there))]
        at = np.concatenate([np.zeros(0, np.int64), *rounds])[:wanted] * context
        found[number :: len(langs)] = row[at[:, None] + np.arange(context + 1)]
    return found


def packed(
    kind: str, units: Sequence[Unit], options: Options, pieces: Pieces, windows: int, context: int, seed: int
) -> Windows:
    """Return so many windows of parallel text, packed in one way; where all was read, it is packed anew, from the next
    seed, and read again.

    Raises:
        DataError: if a way of packing makes nothing of the units.
    """
    ids = np.full((windows, context + 1), pieces.end, np.int32)
    labels = np.full((windows, context + 1), IGNORED, np.int32)
    row, at = 0, 0
    for one in _encoded(kind, units, options, pieces, seed):
        if row == windows:
            break
        # At the end of a window the document before it ends, too: nothing is asked of what is cut.
        took = min(len(one.tokens), context + 1 - at)
        ids[row, at : at + took] = one.tokens[:took]
        labels[row, at : at + took] = one.labels[:took]
        at += took
        if at == context + 1:
            row, at = row + 1, 0
    return Windows(ids, labels)


def _encoded(kind: str, units: Sequence[Unit], options: Options, pieces: Pieces, seed: int) -> Iterator[Encoded]:
    pack = pairing(kind).pack
    for epoch in count():
        samples = list(pack(units, options, 1000 * seed + epoch))
        if not samples:
            raise DataError(f"{kind} makes no sample of {len(units)} units", "more parallel text")
        for at in range(0, len(samples), _AT_ONCE):
            yield from encode(samples[at : at + _AT_ONCE], pieces.library, pieces.end)


def woven(alone: Ids, tied: Windows, where: NDArray[np.bool_]) -> Windows:
    """Put windows of single and of parallel text into their places."""
    ids = np.empty((len(where), alone.shape[1]), np.int32)
    labels = np.empty_like(ids)
    ids[~where] = labels[~where] = alone
    ids[where], labels[where] = tied.ids, tied.labels
    return Windows(ids, labels)
