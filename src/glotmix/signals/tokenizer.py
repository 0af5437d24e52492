"""A tokenizer of Hugging Face's library at work: texts to pieces, and how much of a text the pieces do not hold.

A vocabulary without an unknown piece, without bytes, or with some of its bytes missing drops what it lacks and says
nothing: such text costs no tokens, and the language that it is in looks cheap. `lost` finds it by decoding again.
"""

import importlib.util
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glotmix.core import json_text
from glotmix.core.errors import DataError, MissingExtraError, RequestError

LOST = 0.05
"""The share of a language's letters that may be lost: with more, what the tokens say of it is not believed."""

_FALLBACK = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_OPTIONAL = ((0x0300, 0x036F), (0x0591, 0x05C7), (0x064B, 0x065F), (0x0670, 0x0670), (0x06D6, 0x06ED), (0x0640, 0x0640))
"""Accents, Hebrew points, Arabic vowels and the stretching sign: what tokenizers may leave out on purpose."""


def _byte_of_sign() -> dict[str, int]:
    """GPT-2's alphabet: printable bytes are themselves, the others are signs from U+0100 on."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in own]
    return {chr(b): b for b in own} | {chr(256 + n): b for n, b in enumerate(others)}


BYTES = _byte_of_sign()
"""The bytes that the signs of a byte-level vocabulary stand for."""


def opened(file: Path) -> Any:
    """Return the tokenizer of a ``tokenizer.json`` as the library `tokenizers` has it.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no tokenizer.
    """
    from tokenizers import Tokenizer as Loaded

    text = file.read_text("utf-8")
    _check_merges(json_text.loads(text))
    try:
        return Loaded.from_str(text)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # the library raises a bare Exception, and panics at some files
        raise ValueError(str(error)) from error


def _check_merges(told: Any) -> None:
    """Refuse merges whose second piece lacks the prefix that goes on with a word.

    The library cuts as many bytes off without a look; within a character, what is left ends the whole process.
    """
    model = told.get("model") if isinstance(told, dict) else None
    if not isinstance(model, dict) or not (prefix := model.get("continuing_subword_prefix")):
        return
    for merge in model.get("merges") or ():
        second = merge.split(" ")[-1] if isinstance(merge, str) else merge[-1]
        if not str(second).startswith(str(prefix)):
            raise ValueError(f"the merge {merge!r} goes on with a word, and not by {prefix!r}")


class Tokenizer:
    """A loaded tokenizer, without padding, truncation and special tokens.

    Args:
        file: a ``tokenizer.json``.
        what: who asks for it, as a user would name it, for errors.

    Raises:
        MissingExtraError: if the library `tokenizers` is not installed.
        RequestError: if there is no such file, or it is no tokenizer.
    """

    def __init__(self, file: Path, what: str) -> None:
        if importlib.util.find_spec("tokenizers") is None:
            raise MissingExtraError(what, "train")
        if not file.is_file():
            raise RequestError(f"{what}: there is no file {file}", "the path of a tokenizer.json")
        try:
            self.library: Any = opened(file)
            self.told: dict[str, Any] = json_text.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise RequestError(f"{what}: {file} is no tokenizer.json: {error}") from error
        self.library.no_padding()
        self.library.no_truncation()
        self.file, self.what = file, what
        # Where neither names it, the pieces tell: only GPT-2's signs write a space so.
        spelled = json.dumps([self.told.get("pre_tokenizer"), self.told.get("decoder")])
        self.byte_level = '"ByteLevel"' in spelled
        model = self.told["model"]
        self.unknown: set[str] = {model["unk_token"]} if model.get("unk_token") else set()
        if model.get("unk_id") is not None:
            self.unknown.add(str(model["vocab"][model["unk_id"]][0]))

    def encode(self, texts: Sequence[str], lang: str | None = None) -> list[Any]:
        """Return the encodings of texts.

        Args:
            texts: any.
            lang: their language, for errors.

        Raises:
            DataError: if a text cannot be encoded: the vocabulary lacks a sign of it, and has no unknown piece.
        """
        try:
            return list(self.library.encode_batch_fast(list(texts), add_special_tokens=False))
        except Exception as error:  # the library raises a bare Exception
            raise self._cannot([lang] if lang else [], self._first_bad(texts), error) from error

    def check(self, texts: Mapping[str, Sequence[str]]) -> None:
        """Check that the texts of all languages can be encoded.

        Raises:
            DataError: naming the languages whose text cannot.
        """
        failed: list[str] = []
        bad, why = "", Exception()
        for lang, some in texts.items():
            try:
                self.library.encode_batch_fast(list(some), add_special_tokens=False)
            except Exception as error:  # the library raises a bare Exception
                failed.append(lang)
                bad, why = bad or self._first_bad(some), error
        if failed:
            raise self._cannot(failed, bad, why) from why

    def _first_bad(self, texts: Sequence[str]) -> str:
        for text in texts:
            try:
                self.library.encode(text, add_special_tokens=False)
            except Exception:  # the library raises a bare Exception
                return text
        return ""

    def _cannot(self, langs: Sequence[str], bad: str, error: Exception) -> DataError:
        shown = bad if len(bad) <= 60 else f"{bad[:57]}…"
        whose = f"the text of {', '.join(langs)}" if langs else "a text"
        return DataError(
            f"{self.what}: {self.file.name} cannot encode {whose}, such as {shown!r}: it has no unknown token, "
            f"and lacks signs of it ({error})",
            "a tokenizer with bytes or byte fallback; of one by SentencePiece, unk_id",
        )

    def decoded(self, ids: Iterable[int]) -> str:
        """Return the text that pieces hold, unknown ones left out, whatever decoder the tokenizer names."""
        held: list[bytes] = []
        for number in ids:
            piece = self.library.id_to_token(number)
            if piece is None or piece in self.unknown:
                continue
            if self.byte_level and all(sign in BYTES for sign in piece):
                held.append(bytes(BYTES[sign] for sign in piece))
            elif found := _FALLBACK.fullmatch(piece):
                held.append(bytes([int(found[1], 16)]))
            else:
                held.append(piece.encode())
        return b"".join(held).decode("utf-8", "ignore")

    def lost(self, texts: Sequence[str], encoded: Sequence[Any] | None = None) -> float:
        """Return the share of the letters of texts that their pieces do not hold: 0 where all comes back.

        Letters, numbers and vowel signs count, whatever their case, width and accents: those are normalised on purpose.
        """
        encoded = self.encode(texts) if encoded is None else encoded
        whole = gone = 0
        for text, each in zip(texts, encoded, strict=True):
            given = _letters(text)
            whole += given.total()
            gone += (given - _letters(self.decoded(each.ids))).total()
        return gone / whole if whole else 0.0

    def losses(self, texts: Mapping[str, Sequence[str]]) -> dict[str, float]:
        """Return by language the share of its letters that is lost, where it is more than `LOST`."""
        found = {}
        for lang, some in texts.items():
            share = self.lost(some, self.encode(some, lang))
            if share > LOST:
                found[lang] = share
        return found

    def refuse(self, texts: Mapping[str, Sequence[str]], for_what: str) -> None:
        """Check that the tokenizer holds the text of all languages.

        Raises:
            RequestError: naming the languages and how much of each is lost.
            DataError: if a text cannot be encoded at all.
        """
        self.check(texts)
        found = self.losses(texts)
        if found:
            said = ", ".join(f"{lang} ({share:.0%})" for lang, share in sorted(found.items(), key=lambda e: -e[1]))
            raise RequestError(
                f"{self.what}: {self.file.name} loses letters of {said}: it has no pieces for them, so its tokens are "
                f"no {for_what}",
                "a tokenizer with bytes or byte fallback, or none: sizes are then in UTF-8 bytes",
            )


def overlap_of(one: NDArray[np.int64], two: NDArray[np.int64]) -> float | None:
    """Return 1 less the Jensen–Shannon divergence (base 2) of two languages' counts of pieces, (pieces,) each.

    None where one has no piece.

    >>> overlap_of(np.array([1, 1, 0]), np.array([2, 2, 0])), overlap_of(np.array([1, 0]), np.array([0, 3]))
    (1.0, 0.0)
    """
    if not (one.any() and two.any()):
        return None
    p, q = one / one.sum(), two / two.sum()
    middle = (p + q) / 2
    divergence = 0.0
    for each in (p, q):
        there = each > 0
        divergence += float(each[there] @ np.log2(each[there] / middle[there])) / 2
    return 1.0 - divergence


def _letters(text: str) -> Counter[str]:
    return Counter(c for sign in text for c in _folded(sign))


@lru_cache(1 << 16)
def _folded(sign: str) -> str:
    wide = unicodedata.normalize("NFKD", sign).casefold()
    return "".join(
        c for c in wide if unicodedata.category(c)[0] in "LMN" and not any(a <= ord(c) <= b for a, b in _OPTIONAL)
    )
