"""The tokenizer of the proxies: byte-level BPE over a balanced sample, or a given one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glotmix.core.errors import RequestError
from glotmix.signals.tokenizer import Tokenizer

_CHECKED = 100
"""Documents of each language on which it is measured what the tokenizer loses."""

END = "<|end|>"
"""The piece between two documents; its number is 0."""


def learn(samples: Mapping[str, Sequence[str]], pieces: int, path: Path) -> None:
    """Train a byte-level BPE on as many bytes of each language, and write it as ``tokenizer.json``.

    The sample of a language is cut at the size of the median one, so that no language's pieces crowd out the others'; a
    smaller language gives all that it has.

    Args:
        samples: documents by language, whose order is the order of taking.
        pieces: vocabulary, the 256 bytes and the end of documents included.
        path: the file to write.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    if pieces < 257:
        raise RequestError(f"a vocabulary of {pieces} cannot hold the 256 bytes", "vocabulary=1024")
    sizes = [sum(len(text.encode()) for text in texts) for texts in samples.values()]
    limit = float(np.median(sizes))
    taken: list[str] = []
    for lang in sorted(samples):
        left = limit
        for text in samples[lang]:
            if left <= 0:
                break
            left -= len(text.encode())
            taken.append(text)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=pieces,
        special_tokens=[END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(taken, trainer)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(tokenizer.to_str(), "utf-8")


class Pieces:
    """A tokenizer at work.

    Args:
        path: a Hugging Face ``tokenizer.json``. One without the piece `END` uses the piece that it calls
            ``</s>``, ``<|endoftext|>`` or ``<eos>`` between documents.

    Raises:
        RequestError: if the file is no tokenizer or names no end of a document.
    """

    def __init__(self, path: Path) -> None:
        self._loaded = Tokenizer(path, "the tokenizer of the proxies")
        self.library = self._loaded.library
        names = (END, "</s>", "<|endoftext|>", "<eos>")
        found = [at for name in names if (at := self.library.token_to_id(name)) is not None]
        if not found:
            raise RequestError(f"{path} has no piece for the end of a document: {', '.join(names)}")
        self.end: int = found[0]

    def __len__(self) -> int:
        return int(self.library.get_vocab_size(with_added_tokens=True))

    def encode(self, texts: Sequence[str], lang: str | None = None) -> list[NDArray[np.int32]]:
        """Return the pieces of every text, without special ones.

        Raises:
            DataError: if a text of the language cannot be encoded.
        """
        return [np.array(one.ids, dtype=np.int32) for one in self._loaded.encode(texts, lang)]

    def check(self, texts: Mapping[str, Sequence[str]]) -> None:
        """Check on the beginnings of documents that no language loses its letters: its bits per byte would be none.

        Raises:
            RequestError: naming the languages.
        """
        some = {lang: [text[:1_000] for text in given[:_CHECKED]] for lang, given in texts.items()}
        self._loaded.refuse(some, "text to train on")
