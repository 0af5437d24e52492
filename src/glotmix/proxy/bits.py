"""Loss per language in bits per byte, on documents that no model has seen.

Nats a token do not compare across languages or tokenizers: a tokenizer that cuts a language into many pieces makes each
easy to guess. Bits per byte divide what is left to guess of a document by its UTF-8 bytes, which no tokenizer changes:
`Σ −log₂ p(piece | before) / bytes`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glotmix.proxy import cores, model
from glotmix.proxy.size import Shape
from glotmix.proxy.texts import Ids, Texts

TOKENS_AT_ONCE = 2048
"""Of a model: not of all together, because the shape of a product may change its last bit."""


def windows(documents: list[Ids], end: int, context: int) -> tuple[Ids, Ids, NDArray[np.bool_]]:
    """Cut documents into windows such that every piece is guessed exactly once.

    A document is read as `end` and its pieces; a window begins with the piece before the first that it guesses and sees
    nothing earlier. The end of a document is not guessed: it has no bytes.

    Returns:
        inputs, targets and which targets count, shape (n, context) each.
    """
    ids: list[Ids] = []
    targets: list[Ids] = []
    for document in documents:
        row = np.concatenate([[end], document]).astype(np.int32)
        for at in range(0, len(document), context):
            ids.append(row[at : min(at + context, len(row) - 1)])
            targets.append(row[at + 1 : at + 1 + context])
    shape = (len(ids), context)
    inputs, wanted = np.full(shape, end, np.int32), np.full(shape, end, np.int32)
    counts = np.zeros(shape, bool)
    for i, (a, b) in enumerate(zip(ids, targets, strict=True)):
        inputs[i, : len(a)], wanted[i, : len(b)], counts[i, : len(b)] = a, b, True
    return inputs, wanted, counts


def per_byte(
    weights: Mapping[str, Tensor], shape: Shape, texts: Texts, kind: torch.dtype = torch.float32
) -> NDArray[np.float64]:
    """Return every model's bits per byte on the held-out documents of every language.

    Args:
        weights: of K models, (K, …) each.
        shape: of every model.
        texts: whose held-out side is read.
        kind: what products are made in.

    Returns:
        shape (K, t): a column for each of `texts.targets`.
    """
    cut = [windows(list(texts.held[lang]), texts.end, shape.context) for lang in texts.targets]
    groups = cores.near(len(weights["embed"]), shape.parameters)
    with cores.threads_for(shape.parameters):
        nats = np.concatenate(
            [
                np.stack([_nats({n: w[part] for n, w in weights.items()}, shape, *each, kind) for each in cut], axis=1)
                for part in groups
            ]
        )
    found: NDArray[np.float64] = nats / np.log(2) / [texts.held_bytes[lang] for lang in texts.targets]
    return found


def by_document(
    weights: Mapping[str, Tensor],
    shape: Shape,
    documents: Sequence[Ids],
    end: int,
    kind: torch.dtype = torch.float32,
    counted: Sequence[NDArray[np.bool_]] | None = None,
) -> NDArray[np.float64]:
    """Return the bits of every document under every model.

    Args:
        weights: of K models, (K, …) each.
        shape: of every model.
        documents: pieces of each, without the end.
        end: the piece between documents.
        kind: what products are made in.
        counted: which pieces of each document count; all of them by default.

    Returns:
        shape (K, n).
    """
    inputs, targets, counts = windows(list(documents), end, shape.context)
    if counted is not None:
        counts = windows([mask.astype(np.int32) for mask in counted], 0, shape.context)[1].astype(bool)
    of = np.repeat(np.arange(len(documents)), [-(-len(one) // shape.context) for one in documents])
    models, rows = len(weights["embed"]), max(1, TOKENS_AT_ONCE // shape.context)
    found = np.zeros((models, len(documents)))
    with cores.threads_for(shape.parameters):
        for part in cores.near(models, shape.parameters):
            mine = {name: w[part] for name, w in weights.items()}
            for at in range(0, len(inputs), rows):
                nats = _each(mine, shape, inputs[at : at + rows], targets[at : at + rows], kind)
                np.add.at(found[part].T, of[at : at + rows], (nats * counts[at : at + rows]).sum(axis=2).T)
    return np.asarray(found / np.log(2))


def _nats(
    weights: Mapping[str, Tensor], shape: Shape, inputs: Ids, targets: Ids, counts: NDArray[np.bool_], kind: torch.dtype
) -> NDArray[np.float64]:
    """Return the sum of every model's cross-entropy over the pieces that count, (K,)."""
    rows = max(1, TOKENS_AT_ONCE // shape.context)
    nats = np.zeros(len(weights["embed"]))
    for at in range(0, len(inputs), rows):
        each = _each(weights, shape, inputs[at : at + rows], targets[at : at + rows], kind)
        nats += (each * counts[at : at + rows]).sum(axis=(1, 2))
    return nats


def _each(
    weights: Mapping[str, Tensor], shape: Shape, inputs: Ids, targets: Ids, kind: torch.dtype
) -> NDArray[np.float64]:
    """Return every model's cross-entropy of every piece in nats, (K, n, T)."""
    ids, wanted = (
        torch.from_numpy(part.astype(np.int64)).to(weights["embed"].device).expand(len(weights["embed"]), -1, -1)
        for part in (inputs, targets)
    )
    return model.surprise(weights, shape, ids, wanted, kind).cpu().numpy().astype(np.float64)
