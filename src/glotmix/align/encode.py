"""From samples to tokens, with what bears loss and what it is: a mask and labels of one number a token."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glotmix.align.packing import Sample
from glotmix.export.token_files import NO_LOSS

VERSION = 1

IGNORED = NO_LOSS


@dataclass(frozen=True, eq=False)
class Encoded:
    """Tokens of one sample.

    Args:
        tokens: (t,) uint32; the last is the end of the document, if there is one.
        loss: (t,) bool, whether predicting the token itself counts.
        labels: (t,) int64, the token that is to be predicted in its place, `IGNORED` where nothing is.
        begins: (b,) int64, tokens where a window of training may begin.
    """

    tokens: NDArray[np.uint32]
    loss: NDArray[np.bool_]
    labels: NDArray[np.int64]
    begins: NDArray[np.int64]


def encode(samples: Sequence[Sample], tokenizer: Any, end: int | None = None) -> Iterator[Encoded]:
    """Encode samples, each as one text, and say of every token whether it bears loss.

    A token bears loss where its last character stands in a piece that does: the space before a target's first word is
    the target's, and a token that joins a separator with it counts. Tokens of single bytes of a character count as it
    does. In a piece with a label of its own only the first token is learned, and it is the label's first.

    Args:
        samples: what to encode.
        tokenizer: of the library `tokenizers`.
        end: the token behind every document, which bears loss; None for none.
    """
    for sample, found in zip(samples, tokenizer.encode_batch([s.text for s in samples], False, False), strict=True):
        ids = np.array(found.ids, np.int64)
        offsets = np.array(found.offsets, np.int64).reshape(-1, 2)
        edges = np.cumsum([0, *(len(piece.text) for piece in sample.pieces)])
        # An empty token (a mark that a tokenizer puts in) belongs to what follows it.
        last = np.where(offsets[:, 1] > offsets[:, 0], offsets[:, 1] - 1, offsets[:, 0])
        of = np.clip(np.searchsorted(edges, last, side="right") - 1, 0, len(sample.pieces) - 1)
        bears = np.array([piece.loss for piece in sample.pieces], bool)[of]
        labels = np.where(bears, ids, IGNORED)
        for number, piece in enumerate(sample.pieces):
            if piece.label is None:
                continue
            mine = np.flatnonzero(of == number)
            bears[mine] = False
            labels[mine] = IGNORED
            if len(mine) and piece.loss:
                # The label with the space that stood before its word, as the tokenizer would have met it.
                lead = piece.text[: len(piece.text) - len(piece.text.lstrip())]
                own = tokenizer.encode(lead + piece.label, add_special_tokens=False).ids
                labels[mine[0]] = own[0] if own else IGNORED
        begins = np.unique(np.searchsorted(of, np.array(sample.begins, np.int64)))
        if end is not None:
            ids, bears, labels = np.append(ids, end), np.append(bears, True), np.append(labels, end)
        yield Encoded(ids.astype(np.uint32), bears, labels, begins[begins < len(ids)])
