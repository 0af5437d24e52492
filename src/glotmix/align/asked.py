"""What a trial asks its models: held-out targets after their own source and after a wrong one, and sentences alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from glotmix.align.encode import IGNORED, encode
from glotmix.align.packing import Piece, Sample, Unit, line, name_of
from glotmix.core.errors import DataError
from glotmix.proxy import model
from glotmix.proxy.size import Shape
from glotmix.proxy.texts import Ids
from glotmix.proxy.tokenizer import Pieces

LEAST = 30
"""Held-out pairs below which nothing is said of a gain."""
AT_ONCE = 2048
"""Tokens of a model: not of all together, because the shape of a product may change its last bit."""


@dataclass(frozen=True, eq=False)
class Asked:
    """One kind of question: windows, one an item, and the bytes that each asks for.

    Args:
        ids: (n, T + 1), filled up with the end.
        labels: (n, T + 1), `IGNORED` where nothing is asked.
        size: (n,) UTF-8 bytes of what is asked.
    """

    ids: Ids
    labels: NDArray[np.int32]
    size: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Questions:
    """Everything that is asked of every model of a trial.

    Args:
        own: by direction (``eng_Latn>spa_Latn``), targets after their own source.
        wrong: the same targets after the source of another pair, that of the next length.
        alone: by language, the same sentences with nothing before them.
    """

    own: Mapping[str, Asked]
    wrong: Mapping[str, Asked]
    alone: Mapping[str, Asked]

    @property
    def pairs(self) -> int:
        """Pairs that are asked for in both directions."""
        return len(next(iter(self.own.values())).size)


def questions(units: Sequence[Unit], languages: tuple[str, str], pieces: Pieces, context: int) -> Questions:
    """Make the questions of held-out pairs.

    A pair is asked for where it fits into a window in both directions, with its own source and with the wrong one. The
    wrong source is that of the pair whose source is next in tokens, so that a target stands in the same place after
    both; the longest's is the shortest's.

    Raises:
        DataError: if fewer than `LEAST` pairs fit.
    """
    a, b = languages
    texts = [(line(u.versions[a]), line(u.versions[b])) for u in units if a in u.versions and b in u.versions]
    room = context - 2
    lengths = [len(asked[0]) for asked in _encode([_sample(a, x, b, y) for x, y in texts], pieces)]
    back = [len(asked[0]) for asked in _encode([_sample(b, y, a, x) for x, y in texts], pieces)]
    fits = [t for t, n, m in zip(texts, lengths, back, strict=True) if max(n, m) <= room]
    ways = {f"{a}>{b}": (a, b, 0, 1), f"{b}>{a}": (b, a, 1, 0)}
    own, wrong, held = {}, {}, np.ones(len(fits), bool)
    for way, (source, target, i, j) in ways.items():
        own[way] = _encode([_sample(source, t[i], target, t[j]) for t in fits], pieces)
        begins = [int((labels != IGNORED).argmax()) for _, labels in own[way]]
        other = _next([t[i] for t in fits], begins)
        wrong[way] = _encode([_sample(source, fits[other[n]][i], target, t[j]) for n, t in enumerate(fits)], pieces)
        held &= np.array([len(ids) <= room for ids, _ in wrong[way]], bool)
    kept = np.flatnonzero(held)
    if len(kept) < LEAST:
        raise DataError(
            f"{len(kept)} of {len(texts)} held-out pairs of {a} and {b} fit into a window of {context} tokens, and "
            f"{LEAST} are needed",
            "more pairs, shorter ones, or a larger --context",
        )
    size = {lang: np.array([len(fits[n][k].encode()) for n in kept], float) for k, lang in enumerate(languages)}
    alone = {
        lang: _encode([Sample((Piece(fits[n][k], lang),)) for n in kept], pieces) for k, lang in enumerate(languages)
    }
    return Questions(
        {way: _stacked([own[way][n] for n in kept], size[ways[way][1]], pieces.end, context) for way in ways},
        {way: _stacked([wrong[way][n] for n in kept], size[ways[way][1]], pieces.end, context) for way in ways},
        {lang: _stacked(found, size[lang], pieces.end, context) for lang, found in alone.items()},
    )


def _next(texts: Sequence[str], lengths: Sequence[int]) -> list[int]:
    """Return for each text the number of the next longer one that is another text; after the longest, the shortest."""
    order = sorted(range(len(texts)), key=lambda n: (lengths[n], texts[n]))
    found = [0] * len(texts)
    for at in reversed(range(len(order))):
        following = order[(at + 1) % len(order)]
        found[order[at]] = found[following] if texts[following] == texts[order[at]] else following
    return found


def _sample(source: str, one: str, target: str, other: str) -> Sample:
    """Return a pair as lines, of which the target alone is asked for: the form of the packing ``mapping``."""
    return Sample(
        (
            Piece(f"{name_of(source)}:", "", False),
            Piece(f" {one}\n", source, False),
            Piece(f"{name_of(target)}:", "", False),
            Piece(f" {other}\n", target),
        )
    )


def _encode(samples: Sequence[Sample], pieces: Pieces) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    return [(one.tokens.astype(np.int64), one.labels) for one in encode(samples, pieces.library)]


def _stacked(
    rows: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]], size: NDArray[np.float64], end: int, context: int
) -> Asked:
    """Put each behind the end of a document; a sentence longer than a window ends with it."""
    ids = np.full((len(rows), context + 1), end, np.int32)
    labels = np.full((len(rows), context + 1), IGNORED, np.int32)
    for n, (tokens, asked) in enumerate(rows):
        ids[n, 1 : 1 + len(tokens)], labels[n, 1 : 1 + len(asked)] = tokens[:context], asked[:context]
    return Asked(ids, labels, size)


def bits(weights: Mapping[str, torch.Tensor], shape: Shape, asked: Asked) -> NDArray[np.float64]:
    """Return what every model is surprised by every item, in bits, (K, n)."""
    models, device = len(weights["embed"]), weights["embed"].device
    counts = asked.labels[:, 1:] != IGNORED
    # Nothing is asked behind an item's last token, so that nothing behind it need be read; like lengths together.
    lengths = shape.context - counts[:, ::-1].argmax(axis=1)
    order = np.argsort(lengths, kind="stable")
    found, at = np.empty((models, len(order))), 0
    while at < len(order):
        some = order[at : at + max(1, AT_ONCE // int(lengths[order[min(at + 8, len(order) - 1)]]))]
        length = int(lengths[some].max())
        ids = torch.from_numpy(asked.ids[some, : length + 1].astype(np.int64)).to(device).expand(models, -1, -1)
        said = model.surprise(weights, shape, ids[..., :-1], ids[..., 1:]).cpu().numpy().astype(np.float64)
        found[:, some] = (said * counts[some, :length]).sum(axis=2)
        at += len(some)
    return np.asarray(found / np.log(2))
