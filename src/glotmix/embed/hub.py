"""Embedders of the Hugging Face hub: sentence-transformers, model2vec, and encoders with mean pooling.

``hub:NAME@REVISION``; a folder with such a model is named by its path, ``hub:./folder``, and its revision is a digest
of its files. Needs the extra ``hub``.

- a model2vec model is applied by model2vec;
- a sentence-transformers model (``modules.json``) by sentence-transformers, with its own pooling and normalisation;
- any other encoder by transformers: the mask-weighted mean of the last layer over the first 512 tokens,
  ``Σ_t m_t h_t / max(Σ_t m_t, 1e-9)``, as FineWeb2-HQ has it for XLM-R (arXiv 2502.10361).

Texts are batched by length. A batch always has the same shape (rows are added, and texts padded to a multiple of
`STEP` tokens), so that a text's vector never depends on the others that it was embedded with.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glotmix.core import json_text
from glotmix.core.errors import DataError, MissingExtraError, RequestError

ROWS, STEP, TOKENS = 16, 64, 512
PREFIXES = {"multilingual-e5": "query: "}
"""What a model wants before every text: part of its name → prefix. E5's authors advise ``query: `` for features."""


class HubEmbedder:
    """A model of the hub.

    Args:
        name: of the model, or the path of a folder.
        revision: commit of the model on the hub; None for a folder.
        device: ``cuda`` or ``cpu``; by default a GPU if there is one. On a GPU numbers have half precision.
        rows: texts per batch.

    Raises:
        MissingExtraError: if the extra is not installed.
        RequestError: if there is no such model, or its revision is not said.
        DataError: if it cannot be used.
    """

    def __init__(self, name: str, revision: str | None, device: str | None = None, rows: int = ROWS) -> None:
        self.name, self.rows = name, rows
        self.folder, self.revision = _folder(name, revision)
        self.prefix = next((p for part, p in PREFIXES.items() if part in name.lower()), "")
        self._lock = threading.Lock()
        if _is_static(self.folder):
            self._load_model2vec()
        else:
            self._load_encoder(device)

    @cached_property
    def fingerprint(self) -> str:
        """The name, the revision, and what changes the numbers: prefix, tokens and precision."""
        return f"hub:{self.name}@{self.revision} {json.dumps([self.prefix, self.tokens, self.precision, self.rows])}"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector per text, (texts, width); zero for an empty one."""
        found = np.zeros((len(texts), self.width), np.float32)
        said = [i for i, text in enumerate(texts) if text.strip()]
        if said:
            with self._lock:
                found[said] = self._embed([self.prefix + texts[i] for i in said])
        return found

    def truncated(self, texts: Sequence[str]) -> list[bool]:
        """Return for each text whether it has more tokens than the model takes in."""
        with self._lock:
            return [n > self.tokens for n in self._lengths([self.prefix + text for text in texts])]

    # -------------------------------------------------------------------------------------------- model2vec

    def _load_model2vec(self) -> None:
        try:
            from model2vec import StaticModel
        except ImportError as error:
            raise MissingExtraError(f"the embedder hub:{self.name}", "hub") from error
        model: Any = StaticModel.from_pretrained(str(self.folder))
        self.width, self.tokens, self.precision = int(model.dim), TOKENS, "float32"
        # model2vec's own tokenizer cuts texts in silence.
        tokenizer = type(model.tokenizer).from_str(model.tokenizer.to_str())
        tokenizer.no_truncation()
        self._lengths: Callable[[list[str]], list[int]] = lambda texts: [
            len(e.ids) for e in tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        ]
        # A text at a time: model2vec sums the tokens of each by itself, no neighbour is looked at.
        self._embed: Callable[[list[str]], NDArray[np.float32]] = lambda texts: np.asarray(
            model.encode(texts, max_length=self.tokens, use_multiprocessing=False), np.float32
        )

    # -------------------------------------------------------------------------------- transformers of any kind

    def _load_encoder(self, device: str | None) -> None:
        try:
            import torch
            from sentence_transformers import SentenceTransformer
            from transformers import AutoModel, AutoTokenizer
        except ImportError as error:
            raise MissingExtraError(f"the embedder hub:{self.name}", "hub") from error
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        half = device != "cpu"
        self.precision = "float16" if half else "float32"
        try:
            if (self.folder / "modules.json").is_file():
                whole: Any = SentenceTransformer(str(self.folder), device=device)
                tokenizer, most = whole.tokenizer, whole.max_seq_length
                call: Callable[[dict[str, Any]], Any] = lambda tokens: whole(tokens)["sentence_embedding"]  # noqa: E731
                model = whole
            else:
                tokenizer, most = AutoTokenizer.from_pretrained(str(self.folder)), TOKENS
                model = AutoModel.from_pretrained(str(self.folder)).to(device)
                call = lambda tokens: _mean(model(**tokens).last_hidden_state, tokens["attention_mask"])  # noqa: E731
        except (OSError, ValueError) as error:
            raise DataError(f"{self.folder} holds no model that can be read: {error}") from error
        model = model.half() if half else model.float()
        model.eval()
        # Some tokenizers say 10^30 for no limit.
        self.tokens = int(min(most or TOKENS, tokenizer.model_max_length, 8_192))

        def tokenised(texts: list[str], longest: int | None) -> list[list[int]]:
            kept: list[list[int]] = tokenizer(texts, truncation=longest is not None, max_length=longest, verbose=False)[
                "input_ids"
            ]
            return kept

        def embed(texts: list[str]) -> NDArray[np.float32]:
            return _batches(
                tokenised(texts, self.tokens), call, tokenizer.pad_token_id or 0, device, self.rows, self.tokens
            )

        self._lengths = lambda texts: [len(ids) for ids in tokenised(texts, None)]
        self._embed = embed
        self.width = int(embed(["a"]).shape[1])


def _mean(states: Any, mask: Any) -> Any:
    """Return the mean of the states of tokens that are there, (rows, width), summed in single precision."""
    weights = mask.unsqueeze(-1).float()
    return (states.float() * weights).sum(1) / weights.sum(1).clamp(min=1e-9)


def _batches(
    ids: list[list[int]], call: Callable[[dict[str, Any]], Any], pad: int, device: str, rows: int, most: int
) -> NDArray[np.float32]:
    """Run texts in batches of one shape per length class; returns their vectors in the order that they came in."""
    import torch

    classes: dict[int, list[int]] = {}
    for i, tokens in enumerate(ids):
        classes.setdefault(min(most, -(-len(tokens) // STEP) * STEP), []).append(i)
    found: NDArray[np.float32] | None = None
    for length, members in sorted(classes.items()):
        for at in range(0, len(members), rows):
            some = members[at : at + rows]
            batch = torch.full((rows, length), pad, dtype=torch.long)
            mask = torch.zeros((rows, length), dtype=torch.long)
            for row, i in enumerate(some):
                batch[row, : len(ids[i])] = torch.tensor(ids[i])
                mask[row, : len(ids[i])] = 1
            # Rows that stand for nobody: one token, so that nothing is divided by zero.
            mask[len(some) :, 0] = 1
            with torch.inference_mode():
                vectors = call({"input_ids": batch.to(device), "attention_mask": mask.to(device)})
            got = vectors.float().cpu().numpy()[: len(some)]
            if found is None:
                found = np.zeros((len(ids), got.shape[1]), np.float32)
            found[some] = got
    assert found is not None
    return found


def _is_static(folder: Path) -> bool:
    """Return whether a folder holds a model2vec model: older ones say so in one file, newer ones in another."""

    def read(name: str) -> Any:
        return json_text.loads((folder / name).read_text("utf-8")) if (folder / name).is_file() else None

    modules, config = read("modules.json"), read("config.json") or {}
    named = config.get("model_type") == "model2vec" or "StaticModel" in (config.get("architectures") or ())
    return named or bool(modules and modules[0]["type"].endswith("StaticEmbedding"))


def _folder(name: str, revision: str | None) -> tuple[Path, str]:
    """Return where a model lies and what names its revision; one of the hub is fetched."""
    path = Path(name)
    if path.is_dir():
        digest = hashlib.blake2b(digest_size=16)
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            digest.update(f"{file.relative_to(path)}\0".encode() + file.read_bytes())
        return path, digest.hexdigest()
    if revision is None:
        raise RequestError(
            f"hub:{name} says no revision, and there is no folder of that name: what a branch holds may change",
            f"hub:{name}@COMMIT, with the 40 digits of a commit that https://huggingface.co/{name}/commits/main lists",
        )
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise MissingExtraError(f"the embedder hub:{name}", "hub") from error
    try:
        found = Path(snapshot_download(name, revision=revision))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise DataError(
            f"hub:{name}@{revision} cannot be fetched: {error}", "hub:./FOLDER takes a model from disk"
        ) from error
    # The cache names the folder of a snapshot by its commit, whatever branch or tag was asked for.
    return found, found.name
