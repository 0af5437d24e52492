"""The text of proxies: which documents are held out, pieces at rest, and what each model reads in which order."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glotmix.core.errors import DataError, RequestError, did_you_mean
from glotmix.mix import cells
from glotmix.proxy.tokenizer import Pieces

Ids = NDArray[np.int32]


def place(text: str) -> float:
    """Return where a document falls in [0, 1), by a hash of its text: the same in every corpus and on every machine.

    >>> place("Guten Morgen") == place("Guten Morgen"), 0 <= place("ສະບາຍດີ") < 1
    (True, True)
    """
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest()) / 256**7


@dataclass(frozen=True, eq=False)
class Texts:
    """Tokenized documents.

    Args:
        languages: in their order; or cells of them (``eng_Latn/web``), which are trained on as languages are, and held
            out together.
        pieces: size of the vocabulary.
        end: the piece between two documents.
        train: per language or cell, all its training documents as one row of pieces, each followed by `end`: (n,).
        held: per language, its held-out documents, each as a row of pieces without `end`.
        held_bytes: per language, UTF-8 bytes of its held-out documents.
        unigram: per language, the entropy of single bytes of its held-out documents, in bits per byte.
    """

    languages: tuple[str, ...]
    pieces: int
    end: int
    train: Mapping[str, Ids]
    held: Mapping[str, Sequence[Ids]]
    held_bytes: Mapping[str, int]
    unigram: Mapping[str, float] = field(default_factory=dict)

    @property
    def targets(self) -> tuple[str, ...]:
        """What a loss is measured on: the languages, also those of cells."""
        return tuple(dict.fromkeys(map(cells.of, self.languages)))

    def weights(self, unit: str) -> NDArray[np.float64]:
        """Return pieces per unit of each language, shape (m,): what turns shares of bytes into shares of pieces.

        A cell's are taken to be its language's.
        """
        if unit == "tokens":
            return np.ones(len(self.languages))
        langs = map(cells.of, self.languages)
        return np.array([sum(map(len, self.held[lang])) / self.held_bytes[lang] for lang in langs])

    def choose(self, languages: Sequence[str]) -> "Texts":
        """Return the texts of some of the languages, in the given order.

        Raises:
            RequestError: for a language that is not here.
        """
        for lang in languages:
            if lang not in self.languages:
                raise RequestError(
                    f"there is no text of {lang}{did_you_mean(lang, self.languages)}",
                    f"languages with text: {', '.join(self.languages)}",
                )
        return replace(self, languages=tuple(languages))


def passage(text: str, most: int) -> str:
    """Return a passage of at most so many bytes, whole characters, from a place that a hash of the text tells.

    >>> passage("ein kurzer Text", 100), len(passage("ข้าวหอมมะลิ" * 50, 100).encode())
    ('ein kurzer Text', 99)
    """
    data = text.encode()
    if len(data) <= most:
        return text
    at = int(place(f"passage of {text}") * (len(data) - most + 1))
    return data[at : at + most].decode("utf-8", "ignore")


def divide(
    documents: Iterable[tuple[str, str]], share: float, most: int, each: int
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Divide documents into those to train on and those held out, by a hash of their text.

    Equal texts fall on one side, whatever the corpus around them. Near-duplicates may not: remove them before.

    Args:
        documents: pairs of language and text; one whose text came before is left out. A cell (``eng_Latn/web``) stands
            for a language: what is held out of a language is held out of all its cells.
        share: of the documents held out.
        most: bytes of held-out documents per language that are used, those of least hash first; the others are neither
            trained on nor measured.
        each: bytes that one of them gives, at most: a passage, so that a language's loss is that of many documents.

    Returns:
        documents to train on, by language or cell, and documents held out, by language (sorted), each in the order of
        the hash: the order of the corpus does not matter.

    Raises:
        DataError: if a language has no document on one of the sides.
    """
    train: dict[str, dict[float, str]] = {}
    held: dict[str, dict[float, str]] = {}
    seen: set[str] = set()
    for lang, text in documents:
        at = place(text)
        seen.add(lang)
        side = held.setdefault(cells.of(lang), {}) if at < share else train.setdefault(lang, {})
        side[at] = text
    for lang in sorted(seen):
        for what, there, other in (("train on", train.get(lang), held), ("hold out", held.get(cells.of(lang)), train)):
            if there is None:
                raise DataError(
                    f"{lang} has no document to {what}: {len(other.get(lang, {}))} documents, of which "
                    f"{share:.0%} are held out by their hash",
                    "give it more documents, hold out more of them (mix.proxies.held_out), or leave the language out",
                )
    used: dict[str, list[str]] = {}
    for lang in sorted(held):
        left = most
        used[lang] = []
        for at in sorted(held[lang]):
            if left <= 0:
                break
            used[lang].append(passage(held[lang][at], each))
            left -= len(used[lang][-1].encode())
    return {lang: [train[lang][at] for at in sorted(train[lang])] for lang in sorted(train)}, used


def encode(
    train: Mapping[str, Sequence[str]],
    held: Mapping[str, Sequence[str]],
    pieces: Pieces,
    folder: Path,
    earlier: Path | None = None,
) -> None:
    """Tokenize every language and leave its pieces in ``<lang>.npz`` below a folder, those of its cells by name.

    What is held out is that of an `earlier` folder, where one is given: its losses then compare.

    Raises:
        RequestError: if the tokenizer loses letters of a language.
        DataError: if it cannot encode a text.
    """
    pieces.check(train)
    folder.mkdir(parents=True, exist_ok=True)
    for lang in dict.fromkeys(map(cells.of, train)):
        streams: dict[str, Any] = {}
        for name in (name for name in train if cells.of(name) == lang):
            rows = pieces.encode(train[name], lang)
            stream = np.concatenate([np.append(row, np.int32(pieces.end)) for row in rows])
            streams[f"train{name.removeprefix(lang)}"] = stream.astype(np.int32)
        measured: dict[str, Any]
        if earlier is not None:
            with np.load(earlier / f"{lang}.npz") as found:
                measured = {key: found[key] for key in found.files if not key.startswith("train")}
        else:
            documents = pieces.encode(held[lang], lang)
            measured = {
                "held": np.concatenate(documents),
                "lengths": np.array([len(d) for d in documents], np.int64),
                "bytes": np.array(sum(len(text.encode()) for text in held[lang])),
                "unigram": np.array(entropy(held[lang])),
            }
        np.savez(folder / f"{lang}.npz", **streams, **measured)


def entropy(texts: Iterable[str]) -> float:
    """Return the entropy of single UTF-8 bytes of texts, in bits per byte.

    No model that knows only how often each byte comes does better, so a proxy that does not has learned nothing.

    >>> entropy(["abab"]), round(entropy(["ወፍጮ ዳቦ"]), 2)
    (1.0, 3.02)
    """
    counts = np.bincount(np.frombuffer("".join(texts).encode(), np.uint8), minlength=256)
    part = counts[counts > 0] / counts.sum()
    return float(-(part * np.log2(part)).sum())


def load(folder: Path, pieces: Pieces) -> Texts:
    """Read what `encode` left."""
    train: dict[str, Ids] = {}
    held: dict[str, list[Ids]] = {}
    sizes: dict[str, int] = {}
    unigram: dict[str, float] = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as found:
            train |= {
                path.stem + key.removeprefix("train"): found[key] for key in found.files if key.startswith("train")
            }
            held[path.stem] = np.split(found["held"], np.cumsum(found["lengths"])[:-1])
            sizes[path.stem] = int(found["bytes"])
            unigram[path.stem] = float(found["unigram"])
    if not train:
        raise DataError(f"{folder} holds no tokenized text")
    return Texts(tuple(train), len(pieces), pieces.end, train, held, sizes, unigram)


def starts(
    texts: Texts,
    shares: Sequence[float],
    windows: int,
    context: int,
    seed: int,
    unique: Sequence[float],
    phases: Sequence[Sequence[float]] = (),
) -> Ids:
    """Say which window of which language a model reads, in order: its data stream.

    Every language gets its share of the windows exactly (largest remainder) and reads its own windows in an order of
    their own, none twice before all were read: repeats are epochs, as in the training that the proxy stands for.

    Args:
        texts: what there is.
        shares: of the training tokens per language of `texts`, shape (m,).
        windows: to read in all.
        context: tokens per window.
        seed: of both orders.
        unique: tokens per language that may be used, shape (m,), infinite for all: so a proxy
            repeats as its target will.
        phases: of a schedule the shares of each phase, in order, summing to one in all; `shares` are then not used.

    Returns:
        shape (windows, 2): language and first token of each window.

    Raises:
        DataError: if a language that is wanted has not one window.
    """
    exact = np.asarray(phases or [shares], dtype=np.float64)
    exact = (exact / exact.sum() * windows).ravel()
    every = np.floor(exact).astype(np.int64)
    every[np.argsort(-(exact - every), kind="stable")[: windows - int(every.sum())]] += 1
    by_phase = every.reshape(-1, len(texts.languages))
    rng = np.random.default_rng([seed, 1])
    parts = [np.repeat(np.arange(len(row)), row) for row in by_phase]
    for part in parts:
        rng.shuffle(part)
    order, counts = np.concatenate(parts), by_phase.sum(axis=0)
    stream = np.empty((windows, 2), np.int32)
    stream[:, 0] = order
    for i, lang in enumerate(texts.languages):
        if not counts[i]:
            continue
        there = (len(texts.train[lang]) - 1) // context
        usable = min(there, max(1, int(min(unique[i], 2.0**60) // context)))
        if usable < 1:
            raise DataError(
                f"{lang} has {len(texts.train[lang]):,} tokens to train on, and a window needs {context + 1}",
                "a smaller context, or leave the language out",
            )
        # The same windows are the unique ones for every seed, as a smaller corpus would have been.
        pool = np.random.default_rng([i, 2]).permutation(there)[:usable]
        rng = np.random.default_rng([seed, i, 3])
        rounds = [rng.permutation(pool) for _ in range(-(-int(counts[i]) // usable))]
        stream[order == i, 1] = np.concatenate(rounds)[: counts[i]] * context
    return stream
