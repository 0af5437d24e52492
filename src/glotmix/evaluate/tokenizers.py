"""What a tokenizer charges each language: fertility, premium on parallel text, allocation and overlap of vocabulary.

- **fertility**: tokens per word, where white space separates words; null elsewhere. **continued**: share of words cut
  into two or more.
- **premium** (Petrov et al. 2023, arXiv 2305.15425): tokens of the same sentences in this language and in the
  reference; by a Bayesian bootstrap over sentences.
- **allocation** (Limisiewicz et al. 2023, arXiv 2305.17179): the average rank of the pieces that a language uses, by
  its own frequencies: the larger, the more of the vocabulary works for it. **overlap**: 1 less the Jensen–Shannon
  divergence (base 2) of two languages' frequencies of pieces.
- **below**: share of tokens that are less than a character (byte fallback, cut characters); **unknown** likewise.
- **lost**: share of the letters that do not come back when the tokens are decoded, be it that an unknown token stands
  for them or none at all. Where it is more than `LOST`, text that costs nothing would make the language cheap: it has
  no premium.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from glotmix.core import warning
from glotmix.core.errors import DataError, RequestError
from glotmix.core.language import parse
from glotmix.core.shown import Sheet, Shown
from glotmix.evaluate.consistency import Figure, figures, told
from glotmix.evaluate.intervals import DRAWS, weights
from glotmix.evaluate.pieces import Pieces
from glotmix.signals.tokenizer import LOST, overlap_of

Texts = Mapping[str, Mapping[str, str]]
"""By canonical language, texts by the key that parallel texts share."""


@dataclass(frozen=True)
class OfLanguage:
    """One language under one tokenizer. Counts are of texts, bytes and tokens; the rest as in the module.

    What is by the token is None where there is none.
    """

    lang: str
    texts: int
    bytes: int
    tokens: int
    bytes_per_token: float | None
    chars_per_token: float | None
    fertility: float | None
    continued: float | None
    parallel: int
    premium: Figure | None
    pieces: int
    rank: float | None
    unknown: float | None
    below: float | None
    lost: float


@dataclass(frozen=True, repr=False)
class Audit(Shown):
    """One tokenizer: each language, and `overlap` of every two (sorted codes), None where one has no token."""

    tokenizer: str
    size: int
    reference: str
    languages: tuple[OfLanguage, ...]
    overlap: tuple[tuple[str, str, float | None], ...]
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, ready for JSON: missing is None."""
        return asdict(self)

    @property
    def dearest(self) -> "list[OfLanguage]":
        """The languages, the dearest first."""
        return sorted(self.languages, key=lambda o: (-(o.premium.value or 0) if o.premium else 0, o.lang))

    def sheet(self) -> Sheet:
        """See `Shown`."""
        rows = [
            (one.lang, told(one.premium), one.bytes_per_token, one.fertility, one.pieces, one.lost)
            for one in self.dearest
        ]
        columns = ("language", "premium", "bytes/token", "tokens/word", "pieces", "lost")
        title = f"{self.tokenizer}: {self.size:,} pieces, against {self.reference}"
        return Sheet(title, columns, rows, [warning.line(text) for text in self.warnings])


def audit(pieces: Pieces, texts: Texts, reference: str, draws: int = DRAWS, seed: int = 0) -> Audit:
    """Audit a tokenizer.

    Args:
        pieces: see `pieces.load`.
        texts: parallel where keys are equal.
        reference: the language that others are compared with, a canonical code.
        draws: of the bootstrap over sentences.
        seed: of the draws.

    Raises:
        RequestError: if the reference is not among the languages.
        DataError: if a language has no text, or text that cannot be encoded.
    """
    if reference not in texts:
        raise RequestError(
            f"the reference {reference} is not among the languages of the texts", f"one of {', '.join(sorted(texts))}"
        )
    counts: dict[str, dict[str, int]] = {}
    used: dict[str, npt.NDArray[np.int64]] = {}
    words: dict[str, tuple[int, int, int] | None] = {}
    lost: dict[str, float] = {}
    for lang in sorted(texts):
        if not any(texts[lang].values()):
            raise DataError(f"there is no text in {lang}")
    pieces.tokenizer.check({lang: [*texts[lang].values()] for lang in sorted(texts)})
    for lang in sorted(texts):
        counts[lang], used[lang], words[lang], lost[lang] = _encode(pieces, lang, texts[lang])
    told = []
    for lang in sorted(texts):
        total = int(used[lang].sum())
        size = sum(len(text.encode()) for text in texts[lang].values())
        split = words[lang]
        shared = sorted(texts[lang].keys() & texts[reference].keys())
        ranked = np.sort(used[lang][used[lang] > 0])[::-1]
        held = max(lost[lang], lost[reference]) <= LOST
        told.append(
            OfLanguage(
                lang=lang,
                texts=len(texts[lang]),
                bytes=size,
                tokens=total,
                bytes_per_token=size / total if total else None,
                chars_per_token=sum(map(len, texts[lang].values())) / total if total else None,
                fertility=split[1] / split[0] if split and split[0] and held else None,
                continued=split[2] / split[0] if split and split[0] and held else None,
                parallel=len(shared),
                premium=_premium(counts[lang], counts[reference], shared, draws, seed) if held else None,
                pieces=len(ranked),
                rank=float(np.arange(1, len(ranked) + 1) @ ranked / total) if total else None,
                unknown=float(used[lang][pieces.unknown].sum() / total) if total else None,
                below=float(used[lang][pieces.below].sum() / total) if total else None,
                lost=lost[lang],
            )
        )
    langs = sorted(texts)
    overlap = tuple((a, b, overlap_of(used[a], used[b])) for i, a in enumerate(langs) for b in langs[i + 1 :])
    return Audit(pieces.name, pieces.size, reference, tuple(told), overlap, tuple(_warnings(lost, reference)))


def _warnings(lost: Mapping[str, float], reference: str) -> list[str]:
    gone = sorted((lang for lang in lost if lost[lang] > LOST), key=lambda lang: -lost[lang])
    if not gone:
        return []
    said = ", ".join(f"{lang} ({lost[lang]:.0%})" for lang in gone)
    told = [f"letters that no token holds: {said}: these languages are not covered, and have no premium"]
    if reference in gone:
        told.append(f"the reference {reference} is not covered itself: nothing has a premium against it")
    return told


def _encode(
    pieces: Pieces, lang: str, texts: Mapping[str, str]
) -> tuple[dict[str, int], npt.NDArray[np.int64], tuple[int, int, int] | None, float]:
    """Return tokens of each text, how often each piece is used, (words, their tokens, words of two or more), and the
    share of letters that is lost.
    """
    keys = sorted(texts)
    encoded = pieces.tokenizer.encode([texts[k] for k in keys], lang)
    lost = pieces.tokenizer.lost([texts[k] for k in keys], encoded)
    ids = [np.asarray(e.ids, np.int64) for e in encoded]
    used = np.bincount(np.concatenate(ids), minlength=pieces.size)
    if not parse(lang).spaced:
        return {k: len(i) for k, i in zip(keys, ids, strict=True)}, used, None, lost
    # A word is encoded as it stands after a space, which most vocabularies write into the piece.
    frequency: dict[str, int] = {}
    for text in texts.values():
        for word in text.split():
            frequency[word] = frequency.get(word, 0) + 1
    vocabulary = sorted(frequency)
    lengths = [
        len(whole.ids) - len(alone.ids)
        for whole, alone in zip(
            pieces.tokenizer.encode([f"a {word}" for word in vocabulary], lang),
            pieces.tokenizer.encode(["a"] * len(vocabulary), lang),
            strict=True,
        )
    ]
    times = [frequency[word] for word in vocabulary]
    tokens = sum(n * t for n, t in zip(lengths, times, strict=True))
    cut = sum(t for n, t in zip(lengths, times, strict=True) if n > 1)
    return {k: len(i) for k, i in zip(keys, ids, strict=True)}, used, (sum(times), tokens, cut), lost


def _premium(
    counts: Mapping[str, int], reference: Mapping[str, int], shared: Sequence[str], draws: int, seed: int
) -> Figure | None:
    if not shared:
        return None
    both = np.array([[counts[k], reference[k]] for k in shared], float)
    sums = np.zeros((draws, 2))
    for block, drawn in weights(len(shared), draws, seed):
        sums += drawn.astype(float) @ both[block]
    total = both.sum(axis=0)
    if not total[1]:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn_ratios = np.where(sums[:, 1] > 0, sums[:, 0] / sums[:, 1], np.nan)
    return figures(np.array([total[0] / total[1]]), drawn_ratios[:, None])[0]
