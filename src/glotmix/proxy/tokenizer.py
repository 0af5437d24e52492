"""The tokenizer of the proxies: byte-level BPE over a balanced sample, or a given one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glotmix.core.errors import RequestError

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
        from tokenizers import Tokenizer

        if not path.is_file():
            raise RequestError(f"there is no tokenizer {path}", "the path of a tokenizer.json")
        try:
            self._tokenizer: Any = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises a bare Exception
            raise RequestError(f"{path} is no tokenizer.json: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        names = (END, "</s>", "<|endoftext|>", "<eos>")
        found = [at for name in names if (at := self._tokenizer.token_to_id(name)) is not None]
        if not found:
            raise RequestError(f"{path} has no piece for the end of a document: {', '.join(names)}")
        self.end: int = found[0]

    def __len__(self) -> int:
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    def encode(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """Return the pieces of every text, without special ones."""
        encoded = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(one.ids, dtype=np.int32) for one in encoded]
