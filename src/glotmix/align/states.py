"""What a model makes of sentences, layer by layer, and the lexical floor of its tokenizer.

A checkpoint is a folder (or a name) that transformers reads: decoders, encoders, and of an encoder with a decoder the
encoder; glotmix's own proxies are exported as such (`glotmix.proxy.export`). Or it is an embedder, as recipes name them
(``static``, ``use``, ``hybrid``, ``hub:NAME@REVISION``, or the folder of a static one): one layer.

Of a decoder a sentence is the mean of its tokens' states weighted by their position, as MEXA has it (arXiv 2410.05873):
only the last has seen all. Of an encoder it is the plain mean.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from glotmix.core import files
from glotmix.core.errors import DataError, MissingExtraError, RequestError
from glotmix.embed import choose, features
from glotmix.embed.protocol import Embedder
from glotmix.embed.static import HEADER

MOST = 512
"""Tokens of a sentence that are read."""
AT_ONCE = 4096
"""Tokens of a batch."""
_BLOCK = 64

States = NDArray[np.float32]


class Model(Protocol):
    """Something that turns sentences into states."""

    @property
    def name(self) -> str:
        """As it was asked for."""

    @property
    def layers(self) -> tuple[str, ...]:
        """What its layers are called, in order."""

    def states(self, texts: Sequence[str]) -> Iterator[tuple[NDArray[np.intp], States]]:
        """Yield numbers of texts and their states, (texts, layers, width), batch by batch, each text once."""

    def pieces(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Return the pieces of every text under the model's own tokenizer: what the lexical floor counts."""


def load(spec: str, base: Path = Path()) -> Model:
    """Return the model of a name.

    Raises:
        MissingExtraError: if what it needs is not installed.
        RequestError: if there is none of that name.
        DataError: if a folder holds none that can be read.
    """
    folder = files.placed(base, spec)
    if spec in choose.NAMES or spec.startswith("hub:") or (folder / HEADER).is_file():
        return OfEmbedder(spec, choose.load(spec, base))
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise RequestError(
            f"{folder} holds no config.json: it is no checkpoint that transformers reads",
            f"the folder of a checkpoint, or an embedder: {', '.join(choose.NAMES)}, hub:NAME@REVISION",
        )
    if not folder.is_dir() and ("/" not in spec or spec.startswith((".", "/"))):
        raise RequestError(
            f"there is no folder {folder}, and no embedder {spec!r}",
            f"the folder of a checkpoint, or an embedder: {', '.join(choose.NAMES)}, hub:NAME@REVISION",
        )
    return OfCheckpoint(spec, str(folder) if folder.is_dir() else spec)


@dataclass(frozen=True, eq=False)
class OfEmbedder:
    """An embedder: one layer."""

    name: str
    embedder: Embedder
    layers: tuple[str, ...] = ("vector",)

    def states(self, texts: Sequence[str]) -> Iterator[tuple[NDArray[np.intp], States]]:
        """See `Model`."""
        yield np.arange(len(texts)), self.embedder.embed(texts)[:, None]

    def pieces(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """See `Model`: of every embedder the words and n-grams of the static one, which it has in place of pieces."""
        starts, hashed = features.hashes(texts)
        return [hashed[a:b].astype(np.int64) for a, b in pairwise(starts)]


class OfCheckpoint:
    """A checkpoint in transformers.

    Args:
        name: as it was asked for.
        path: a folder, or a name of the hub.

    Raises:
        MissingExtraError: if transformers or torch is not installed.
        DataError: if it cannot be read.
    """

    def __init__(self, name: str, path: str) -> None:
        try:
            import torch
            from transformers import AutoModel, AutoTokenizer
        except ImportError as error:
            raise MissingExtraError("a report of a checkpoint", "align") from error
        self.name = name
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(path)
            model: Any = AutoModel.from_pretrained(path)
        except (OSError, ValueError, KeyError, json.JSONDecodeError) as error:
            raise DataError(
                f"transformers cannot read {name}: {str(error).splitlines()[0]}",
                "a folder with config.json, weights, and a tokenizer",
            ) from error
        config = model.config
        self.weighted = _causal(config)
        if getattr(config, "is_encoder_decoder", False):
            model = model.get_encoder()
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model = model.to(self._device).eval()
        most = getattr(config, "max_position_embeddings", None) or MOST
        self.most = int(min(MOST, most, self._tokenizer.model_max_length))
        some = self._run([self._ids(["a"])[0]])
        self.layers: tuple[str, ...] = ("embedding", *(str(n) for n in range(1, some.shape[1])))

    def states(self, texts: Sequence[str]) -> Iterator[tuple[NDArray[np.intp], States]]:
        """See `Model`: texts of one length together, so that no padding changes a state."""
        ids = self._ids(texts)
        order = sorted(range(len(texts)), key=lambda n: (len(ids[n]), n))
        at = 0
        while at < len(order):
            length = len(ids[order[at]])
            same = [n for n in order[at : at + max(1, AT_ONCE // length)] if len(ids[n]) == length]
            yield np.array(same, np.intp), self._run([ids[n] for n in same])
            at += len(same)

    def pieces(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """See `Model`."""
        return [np.array(i, np.int64) for i in self._tokenizer(list(texts), add_special_tokens=False)["input_ids"]]

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        found: list[list[int]] = self._tokenizer(list(texts), truncation=True, max_length=self.most)["input_ids"]
        # A tokenizer that makes nothing of a text, and puts nothing before it.
        spare = self._tokenizer.eos_token_id or self._tokenizer.pad_token_id or 0
        return [ids or [spare] for ids in found]

    def _run(self, ids: list[list[int]]) -> States:
        import torch

        with torch.inference_mode():
            told = self._model(
                input_ids=torch.tensor(ids, device=self._device),
                attention_mask=torch.ones((len(ids), len(ids[0])), dtype=torch.long, device=self._device),
                output_hidden_states=True,
            )
            length = len(ids[0])
            weights = torch.arange(1, length + 1, dtype=torch.float32) if self.weighted else torch.ones(length)
            weights = (weights / weights.sum()).to(self._device)
            found = torch.stack([torch.einsum("bth,t->bh", h.float(), weights) for h in told.hidden_states], dim=1)
        return np.asarray(found.cpu().numpy(), np.float32)


def _causal(config: Any) -> bool:
    """Say whether a model's tokens see none after them."""
    if getattr(config, "is_encoder_decoder", False):
        return False
    if getattr(config, "is_decoder", False):
        return True
    named = " ".join(getattr(config, "architectures", None) or ())
    if named:
        return "CausalLM" in named or "LMHead" in named
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as MASKED

    return config.model_type in CAUSAL and config.model_type not in MASKED


def tf_idf(one: Sequence[NDArray[np.int64]], other: Sequence[NDArray[np.int64]]) -> tuple[csr_array, csr_array]:
    """Return the pieces of two sides as weights `tf · ln(N / df)`, N and df over both: (n, pieces) each."""
    every = [*one, *other]
    names, columns = np.unique(np.concatenate([np.zeros(0, np.int64), *every]), return_inverse=True)
    starts = np.cumsum([0, *map(len, every)])
    counts = csr_array((np.ones(len(columns)), columns, starts), shape=(len(every), max(1, len(names))))
    counts.sum_duplicates()
    times = np.bincount(counts.indices, minlength=counts.shape[1])
    counts.data *= np.log(len(every) / np.maximum(times, 1))[counts.indices]
    return counts[: len(one)], counts[len(one) :]


def lexical(one: Sequence[NDArray[np.int64]], other: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    """Return the cosines of the lexical floor, (n, n): pieces in common, each side centred on its mean as states are.

    It knows no meaning: names, numbers and cognates that two languages write with the same pieces are all it finds.
    """
    a, b = (_parts(side) for side in tf_idf(one, other))
    (x, mean_x, length_x), (y, mean_y, length_y) = a, b
    dots = (x @ y.T).toarray() - (x @ mean_y)[:, None] - (y @ mean_x)[None] + mean_x @ mean_y
    lengths = length_x[:, None] * length_y[None]
    return np.asarray(np.divide(dots, lengths, out=np.zeros_like(dots), where=lengths > 1e-12))


def untrained(
    one: Sequence[NDArray[np.int64]], other: Sequence[NDArray[np.int64]], width: int, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the same floor as states of a width, (n, width) each: the weighted sum of a random vector a piece.

    d′ divides by the spread of cosines. Where most sentences have no piece in common that of `lexical` is near 0, and
    its d′ says nothing beside that of dense states. These are what a model of the same width would have that knows its
    pieces apart and nothing of what they mean.
    """
    x, y = tf_idf(one, other)
    rng = np.random.default_rng(seed)
    found: tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]] = [], []
    for at in range(0, width, _BLOCK):
        vectors = rng.standard_normal((x.shape[1], min(_BLOCK, width - at)))
        for side, states in zip((x, y), found, strict=True):
            states.append(side @ vectors)
    return np.concatenate(found[0], axis=1), np.concatenate(found[1], axis=1)


def _parts(side: csr_array) -> tuple[csr_array, NDArray[np.float64], NDArray[np.float64]]:
    mean = np.asarray(side.mean(axis=0)).ravel()
    squares = np.asarray(side.multiply(side).sum(axis=1)).ravel() - 2 * (side @ mean) + mean @ mean
    return side, mean, np.sqrt(np.maximum(squares, 0.0))
