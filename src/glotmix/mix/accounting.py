"""One accounting of documents, bytes, tokens and epochs.

A share is always a share of **training tokens**: of the tokens that the model will see, repeats included. The share
of documents that this amounts to is written beside it, because the two differ whenever documents differ in length.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from glotmix.core.errors import DataError, RequestError

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Available:
    """What there is of each language, before any repeat.

    Args:
        languages: names, each once.
        documents: documents of each language.
        bytes: UTF-8 bytes of each language.
        tokens: unique tokens of each language, in whatever token the budget is counted in.

    Raises:
        DataError: if columns differ in length, a language comes twice, a number is negative, a language has
            documents without tokens or the reverse, or nothing has any token.

    >>> Available.of({"fra_Latn": (10, 9_000, 3_000), "amh_Ethi": (2, 800, 400)}).total
    3400
    """

    languages: tuple[str, ...]
    documents: tuple[int, ...]
    bytes: tuple[int, ...]
    tokens: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.languages) == len(self.documents) == len(self.bytes) == len(self.tokens):
            raise DataError("the columns languages, documents, bytes and tokens differ in length")
        if len(set(self.languages)) < len(self.languages):
            twice = next(lang for lang in self.languages if self.languages.count(lang) > 1)
            raise DataError(f"{twice} comes twice in the account")
        for lang, *numbers in zip(self.languages, self.documents, self.bytes, self.tokens, strict=True):
            if min(numbers) < 0:
                raise DataError(f"{lang} has a negative count (documents, bytes, tokens = {numbers})")
            if (numbers[0] == 0) != (numbers[2] == 0):
                raise DataError(f"{lang} has {numbers[0]:,} documents but {numbers[2]:,} tokens")
        if not any(self.tokens):
            raise DataError("no language has a single token: there is nothing to mix")

    @classmethod
    def of(cls, counts: Mapping[str, tuple[int, int, int]]) -> "Available":
        """Build it from (documents, bytes, tokens) per language."""
        rows = list(counts.values())
        return cls(tuple(counts), tuple(r[0] for r in rows), tuple(r[1] for r in rows), tuple(r[2] for r in rows))

    @property
    def sizes(self) -> Array:
        """Unique tokens per language, shape (m,)."""
        return np.array(self.tokens, dtype=np.float64)

    @property
    def total(self) -> int:
        """Unique tokens of all languages."""
        return sum(self.tokens)


@dataclass(frozen=True)
class Share:
    """One language in a mixture.

    Args:
        lang: the language.
        documents: documents available.
        bytes: bytes available.
        tokens: unique tokens available.
        share: share of the training tokens.
        low: lower end of the share's interval, None where there is none.
        high: upper end of it.
        document_share: share of the documents drawn, repeats counted.
        tokens_used: training tokens; the languages' sum is the budget exactly.
        bytes_used: training bytes, repeats counted.
        epochs: how often each unique token is seen; None for a language without tokens.
    """

    lang: str
    documents: int
    bytes: int
    tokens: int
    share: float
    low: float | None
    high: float | None
    document_share: float
    tokens_used: int
    bytes_used: int
    epochs: float | None


@dataclass(frozen=True)
class Mixture:
    """A share per language, counted out for a budget of `tokens` training tokens.

    `breaks` says in words which of the asked limits the mixture does not keep (a baseline as published knows of none).
    """

    name: str
    tokens: int
    rows: tuple[Share, ...]
    breaks: tuple[str, ...] = ()

    @property
    def shares(self) -> Array:
        """Shares of training tokens, shape (m,)."""
        return np.array([row.share for row in self.rows])


def account(
    name: str,
    available: Available,
    shares: Sequence[float] | Array,
    tokens: int,
    interval: tuple[Array, Array] | None = None,
    breaks: Sequence[str] = (),
) -> Mixture:
    """Count a mixture out.

    Args:
        name: the mixture's name.
        available: what there is.
        shares: shares of training tokens, shape (m,), in the order of `available.languages`, summing to 1.
        tokens: the budget D in training tokens.
        interval: lower and upper end of each share.
        breaks: the limits that it does not keep.

    Raises:
        RequestError: if the shares are not a mixture of these languages, or draw on a language without tokens.

    >>> there = Available.of({"fra_Latn": (10, 9_000, 3_000), "amh_Ethi": (2, 800, 400)})
    >>> [(row.lang, row.tokens_used, row.epochs) for row in account("half", there, [0.5, 0.5], 2_000).rows]
    [('fra_Latn', 1000, 0.3333333333333333), ('amh_Ethi', 1000, 2.5)]
    """
    r = np.asarray(shares, dtype=np.float64)
    if r.shape != (len(available.languages),):
        raise RequestError(f"{name} gives {r.size} shares for {len(available.languages)} languages")
    if not np.all(np.isfinite(r)) or r.min() < 0 or abs(r.sum() - 1) > 1e-9:
        raise RequestError(f"{name} is no mixture: its shares sum to {r.sum():.12g}, the least is {r.min():.6g}")
    used = apportion(r, tokens)
    epochs = [None if size == 0 else drawn / size for drawn, size in zip(used, available.tokens, strict=True)]
    for lang, drawn, repeat in zip(available.languages, used, epochs, strict=True):
        if drawn and repeat is None:
            raise RequestError(f"{name} wants {drawn:,} tokens of {lang}, which has none")
    times = np.array([repeat or 0.0 for repeat in epochs])
    drawn_documents = times * np.array(available.documents, dtype=np.float64)
    document_shares = drawn_documents / drawn_documents.sum()
    low, high = interval if interval is not None else (None, None)
    rows = tuple(
        Share(
            lang=lang,
            documents=available.documents[i],
            bytes=available.bytes[i],
            tokens=available.tokens[i],
            share=float(r[i]),
            low=None if low is None else float(low[i]),
            high=None if high is None else float(high[i]),
            document_share=float(document_shares[i]),
            tokens_used=used[i],
            bytes_used=round(times[i] * available.bytes[i]),
            epochs=epochs[i],
        )
        for i, lang in enumerate(available.languages)
    )
    return Mixture(name, tokens, rows, tuple(breaks))


def together(name: str, rows: Sequence[Share]) -> Share:
    """Return several rows of a mixture as one: sums, without an interval, which their own do not tell.

    >>> there = Available.of({"tha_Thai/web": (10, 9_000, 3_000), "tha_Thai/books": (2, 800, 1_000)})
    >>> row = together("tha_Thai", account("half", there, [0.5, 0.5], 4_000).rows)
    >>> row.share, row.tokens_used, row.tokens, row.epochs
    (1.0, 4000, 4000, 1.0)
    """
    tokens, used = sum(row.tokens for row in rows), sum(row.tokens_used for row in rows)
    return Share(
        lang=name,
        documents=sum(row.documents for row in rows),
        bytes=sum(row.bytes for row in rows),
        tokens=tokens,
        share=sum(row.share for row in rows),
        low=None,
        high=None,
        document_share=sum(row.document_share for row in rows),
        tokens_used=used,
        bytes_used=sum(row.bytes_used for row in rows),
        epochs=used / tokens if tokens else None,
    )


def apportion(shares: Array, tokens: int) -> list[int]:
    """Split `tokens` whole tokens by shares so that the parts sum to it exactly (largest remainder, ties to the first).

    >>> apportion(np.array([1 / 3, 1 / 3, 1 / 3]), 100)
    [34, 33, 33]
    """
    if tokens <= 0:
        raise RequestError(f"a budget of {tokens:,} tokens cannot be split", "mix.tokens=1000000000")
    exact = shares / shares.sum() * tokens
    whole = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - whole), kind="stable")
    whole[order[: int(tokens - whole.sum())]] += 1
    return [int(count) for count in whole]
