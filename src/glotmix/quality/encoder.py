"""A full encoder instead of a frozen backbone: every weight learns from the pairs (torch and transformers, optional).

As MuRating trains BGE-M3 with a linear head: token states of the last layer, averaged over the text, one linear layer,
the loss of `ranker.pairwise`. An encoder of hundreds of millions of parameters wants a GPU; the code is the same.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from glotmix.core.errors import DataError, MissingExtraError
from glotmix.quality.bradley_terry import Floats
from glotmix.quality.pairs import PARALLEL, Pairs
from glotmix.quality.raters_config import PairLoss

HEAD = "rater_head.safetensors"


class EncoderConfig(PairLoss):
    """How an encoder learns from pairs."""

    model: str = Field(description="a folder of a transformers encoder with its tokenizer, or its name on the hub")
    max_tokens: int = Field(512, gt=0, description="tokens of a text that are read, from its beginning")
    epochs: int = Field(1, ge=1, description="passes over the pairs")
    batch: int = Field(16, ge=1, description="pairs per step")
    step: float = Field(2e-5, gt=0, description="AdamW's step of the encoder; it falls linearly to nothing")
    head_step: float = Field(1e-3, gt=0, description="of the head")
    seed: int = 0


class Encoder:
    """An encoder with a linear head: texts to one score each.

    Args:
        folder: of the encoder and its tokenizer, or a name on the hub.
        max_tokens: of a text.
        seed: of the head's first weights.

    Raises:
        MissingExtraError: without torch or transformers.
    """

    def __init__(self, folder: str, max_tokens: int = 512, seed: int = 0) -> None:
        try:
            import torch
            from transformers import AutoModel, AutoTokenizer
        except ImportError as error:
            raise MissingExtraError("a full encoder", "hub") from error
        self._torch = torch
        self.max_tokens = max_tokens
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self.model: Any = AutoModel.from_pretrained(folder)
        torch.manual_seed(seed)
        self.head: Any = torch.nn.Linear(self.model.config.hidden_size, 1)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model.to(self.device)
        self.head.to(self.device)

    def forward(self, texts: Sequence[str]) -> Any:
        """Return (n,) scores as a tensor that knows its derivative."""
        found = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        ).to(self.device)
        states = self.model(**found).last_hidden_state
        mask = found["attention_mask"].unsqueeze(-1).to(states.dtype)
        return self.head((states * mask).sum(1) / mask.sum(1).clamp(min=1e-9)).squeeze(-1)

    def score(self, texts: Sequence[str], batch: int = 32) -> Floats:
        """Return (n,) scores."""
        self.model.eval()
        # Texts of like length together: padding is work.
        order = np.argsort([len(text) for text in texts], kind="stable")
        found = np.empty(len(texts))
        with self._torch.no_grad():
            for start in range(0, len(texts), batch):
                rows = order[start : start + batch]
                found[rows] = self.forward([texts[i] for i in rows]).double().cpu().numpy()
        return found

    def write(self, folder: Path) -> None:
        """Write encoder, tokenizer and head into a folder, as safetensors and JSON."""
        from safetensors.torch import save

        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        head = {name: value.contiguous().cpu() for name, value in self.head.state_dict().items()}
        (folder / HEAD).write_bytes(save(head))

    @classmethod
    def read(cls, folder: Path, max_tokens: int = 512) -> "Encoder":
        """Read what `write` wrote.

        Raises:
            DataError: if there is no head.
        """
        if not (folder / HEAD).is_file():
            raise DataError(f"there is no rater in {folder}: {HEAD} is missing")
        from safetensors.torch import load_file

        made = cls(str(folder), max_tokens)
        made.head.load_state_dict(load_file(folder / HEAD))
        return made


def train(texts: Sequence[str], pairs: Pairs, config: EncoderConfig) -> Encoder:
    """Learn an encoder and its head from pairs; see `ranker.pairwise` for the loss.

    Args:
        texts: n texts.
        pairs: rows of them.
        config: how.

    Raises:
        DataError: if there is no pair.
        MissingExtraError: without torch or transformers.
    """
    if not len(pairs.p):
        raise DataError("there is nothing to learn from: no pair was labelled")
    made = Encoder(config.model, config.max_tokens, config.seed)
    torch = made._torch
    groups = [
        {"params": made.model.parameters(), "lr": config.step},
        {"params": made.head.parameters(), "lr": config.head_step},
    ]
    optimiser = torch.optim.AdamW(groups)
    steps = -(-len(pairs.p) // config.batch) * config.epochs
    falling = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda at: 1 - at / steps)
    parallel = pairs.kind == PARALLEL
    share = float(parallel.mean())
    weight = np.where(parallel, 2 * config.parallel / max(share, 1e-12), 1 / max(1 - share, 1e-12))
    p = np.where(parallel, 0.5, pairs.p)
    made.model.train()
    for rows in _batches(len(pairs.p), config):
        both = [texts[i] for i in (*pairs.left[rows], *pairs.right[rows])]
        scores = made.forward(both)
        difference = (scores[: len(rows)] - scores[len(rows) :]) / config.temperature
        target, heavy = (torch.as_tensor(v[rows], dtype=difference.dtype, device=made.device) for v in (p, weight))
        # −log σ(d) − log σ(−d) is twice the cross-entropy at ½.
        each = torch.nn.functional.binary_cross_entropy_with_logits(difference, target, reduction="none")
        optimiser.zero_grad()
        (each * heavy).mean().backward()
        optimiser.step()
        falling.step()
    made.model.eval()
    return made


def _batches(count: int, config: EncoderConfig) -> Iterator[Any]:
    rng = np.random.default_rng(config.seed)
    for _ in range(config.epochs):
        order = rng.permutation(count)
        for start in range(0, count, config.batch):
            yield order[start : start + config.batch]
