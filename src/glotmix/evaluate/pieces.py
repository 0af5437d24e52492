"""The vocabulary of a Hugging Face tokenizer: what each piece is, and texts as ids of pieces."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glotmix.core.errors import MissingExtraError, RequestError

_FALLBACK = re.compile(r"<0x[0-9A-Fa-f]{2}>")


@dataclass(frozen=True)
class Pieces:
    """A loaded tokenizer.

    Args:
        name: where it came from.
        tokenizer: the library's object.
        size: pieces in the vocabulary.
        unknown: (size,) whether a piece stands for what the vocabulary lacks.
        below: (size,) whether a piece is less than a character: a byte of a fallback (``<0xE1>``), or, in a byte-level
            vocabulary, bytes that are no whole characters.
    """

    name: str
    tokenizer: Any
    size: int
    unknown: npt.NDArray[np.bool_]
    below: npt.NDArray[np.bool_]


def load(path: Path) -> Pieces:
    """Load ``tokenizer.json``, or the folder of a model that holds one.

    Raises:
        MissingExtraError: if the library `tokenizers` is not installed.
        RequestError: if there is no such file, or it is no tokenizer.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtraError("the audit of a tokenizer", "train") from error
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise RequestError(f"there is no {file}", "the path of a tokenizer.json, or of the folder that holds it")
    try:
        tokenizer = Tokenizer.from_file(str(file))
        told = json.loads(file.read_text("utf-8"))
    except Exception as error:  # the library raises a bare Exception
        raise RequestError(f"{file} is no tokenizer.json: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    size = tokenizer.get_vocab_size(with_added_tokens=True)
    unknown, below = np.zeros(size, bool), np.zeros(size, bool)
    byte_level = '"ByteLevel"' in json.dumps([told.get("pre_tokenizer"), told.get("decoder")])
    named = {told["model"].get("unk_token"), *([_unigram(told)] if told["model"].get("unk_id") is not None else [])}
    special = {token["content"] for token in told.get("added_tokens", ()) if token.get("special")}
    for piece, number in tokenizer.get_vocab(with_added_tokens=True).items():
        if number >= size:
            continue
        unknown[number] = piece in named
        below[number] = piece not in special and (
            not _whole(piece) if byte_level else _FALLBACK.fullmatch(piece) is not None
        )
    name = path.name if path.is_dir() else (path.parent.name if path.name == "tokenizer.json" else path.stem)
    return Pieces(name, tokenizer, size, unknown, below)


def _unigram(told: dict[str, Any]) -> str:
    return str(told["model"]["vocab"][told["model"]["unk_id"]][0])


def _byte_of_sign() -> dict[str, int]:
    """GPT-2's alphabet: printable bytes are themselves, the others are signs from U+0100 on."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in own]
    return {chr(b): b for b in own} | {chr(256 + n): b for n, b in enumerate(others)}


_BYTES = _byte_of_sign()


def _whole(piece: str) -> bool:
    """Say whether a piece of a byte-level vocabulary is whole characters.

    >>> [_whole(p) for p in ("Ġthe", "Ã©", "Ã")]
    [True, True, False]
    """
    try:
        bytes(_BYTES[sign] for sign in piece).decode("utf-8")
    except (KeyError, UnicodeDecodeError):
        return all(sign not in _BYTES for sign in piece)
    return True
