"""The vocabulary of a Hugging Face tokenizer: what each piece is."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from glotmix.core.errors import RequestError
from glotmix.signals.tokenizer import BYTES, Tokenizer

_FALLBACK = re.compile(r"<0x[0-9A-Fa-f]{2}>")


@dataclass(frozen=True)
class Pieces:
    """A loaded tokenizer.

    Args:
        name: where it came from.
        tokenizer: at work.
        size: pieces in the vocabulary.
        unknown: (size,) whether a piece stands for what the vocabulary lacks.
        below: (size,) whether a piece is less than a character: a byte of a fallback (``<0xE1>``), or, in a byte-level
            vocabulary, bytes that are no whole characters.
    """

    name: str
    tokenizer: Tokenizer
    size: int
    unknown: npt.NDArray[np.bool_]
    below: npt.NDArray[np.bool_]


def load(path: Path) -> Pieces:
    """Load ``tokenizer.json``, or the folder of a model that holds one.

    Raises:
        MissingExtraError: if the library `tokenizers` is not installed.
        RequestError: if there is no such file, or it is no tokenizer.
    """
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise RequestError(f"there is no {file}", "the path of a tokenizer.json, or of the folder that holds it")
    loaded = Tokenizer(file, "the audit of a tokenizer")
    size = loaded.library.get_vocab_size(with_added_tokens=True)
    unknown, below = np.zeros(size, bool), np.zeros(size, bool)
    special = {token["content"] for token in loaded.told.get("added_tokens", ()) if token.get("special")}
    for piece, number in loaded.library.get_vocab(with_added_tokens=True).items():
        if number >= size:
            continue
        unknown[number] = piece in loaded.unknown
        below[number] = piece not in special and (
            not _whole(piece) if loaded.byte_level else _FALLBACK.fullmatch(piece) is not None
        )
    # A tokenizer.json is called as its folder is, and by its own name where that has none.
    name = file.resolve().parent.name if file.name == "tokenizer.json" else file.stem
    return Pieces(name or file.stem, loaded, size, unknown, below)


def _whole(piece: str) -> bool:
    """Say whether a piece of a byte-level vocabulary is whole characters.

    >>> [_whole(p) for p in ("Ġthe", "Ã©", "Ã")]
    [True, True, False]
    """
    try:
        bytes(BYTES[sign] for sign in piece).decode("utf-8")
    except (KeyError, UnicodeDecodeError):
        return all(sign not in BYTES for sign in piece)
    return True
