"""A whole encoder trained on M-DaQ's triplets (extras ``train`` and ``hub``); the projection of `qsm` needs neither.

The encoder is a sentence-transformers model in a folder. Each step embeds instructions, revised and unrevised answers,
and moves all weights along ``max(‖v_i − v_p‖ − ‖v_i − v_n‖ + ε, 0)``. The trained folder is an embedder like others:
its score of an answer is ``−‖v_i − v_r‖``.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from glotmix.core.errors import DataError, MissingExtraError
from glotmix.instruct.pairs import Pairs
from glotmix.instruct.qsm import wins


class EncoderConfig(BaseModel):
    """How an encoder is trained."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    margin: float = Field(0.3, ge=0, description="ε of the triplet loss")
    epochs: int = Field(2, ge=1, description="passes over the pairs; the best on validation pairs is kept")
    rate: float = Field(2e-5, gt=0, description="learning rate (AdamW)")
    batch: int = Field(16, ge=1, description="triplets per step")


def _libraries() -> tuple[Any, Any]:
    try:
        import sentence_transformers
        import torch
    except ImportError as error:
        raise MissingExtraError("training a whole encoder", "train,hub") from error
    return torch, sentence_transformers


def train(
    model: Path,
    pairs: Pairs,
    rows: NDArray[np.int64],
    stop: NDArray[np.int64],
    config: EncoderConfig,
    seed: int,
    to: Path,
) -> dict[str, Any]:
    """Train an encoder and write it.

    Args:
        model: folder of a sentence-transformers model.
        pairs: n pairs.
        rows: those to train on.
        stop: those on which the best pass is chosen.
        config: how.
        seed: of the order of the pairs and of dropout.
        to: the new folder.

    Returns:
        ``{"accuracy": [before, after each pass], "best": position}`` on the validation pairs.

    Raises:
        MissingExtraError: without torch or sentence-transformers.
        DataError: if there is no pair.
    """
    torch, library = _libraries()
    if not len(rows) or not len(stop):
        raise DataError("an encoder needs pairs to train on and pairs to stop on")
    torch.manual_seed(seed)
    encoder = library.SentenceTransformer(str(model), device="cpu")
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=config.rate)
    rng = np.random.default_rng(seed)
    told = [_accuracy(encoder, pairs, stop)]
    best = 0
    encoder.save(str(to))
    for epoch in range(1, config.epochs + 1):
        encoder.train()
        order = rng.permutation(rows)
        for start in range(0, len(order), config.batch):
            batch = order[start : start + config.batch].tolist()
            asked = [[pairs.instructions[i][side] for i in batch] for side in (0, 1)]
            answers = [[pairs.responses[i][side] for i in batch] for side in (0, 1)]
            far, near = (
                (_embed(encoder, a) - _embed(encoder, r)).norm(dim=1) for a, r in zip(asked, answers, strict=True)
            )
            loss = torch.relu(near - far + config.margin).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        told.append(_accuracy(encoder, pairs, stop))
        if told[-1] > max(told[:-1]):
            best = epoch
            encoder.save(str(to))
    return {"accuracy": told, "best": best}


def _embed(encoder: Any, texts: list[str]) -> Any:
    tokens = encoder.tokenize(texts)
    return encoder({k: v for k, v in tokens.items() if hasattr(v, "to")})["sentence_embedding"]


def _accuracy(encoder: Any, pairs: Pairs, rows: NDArray[np.int64]) -> float:
    return float(np.mean(wins(distances(encoder, pairs, rows))))


def distances(encoder: Any, pairs: Pairs, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (len(rows), 2) scores −‖v_i − v_r‖ of the sides of pairs by a loaded encoder, or the folder of one."""
    if isinstance(encoder, Path):
        encoder = _libraries()[1].SentenceTransformer(str(encoder), device="cpu")
    encoder.eval()
    scores = []
    for side in (0, 1):
        asked = encoder.encode([pairs.instructions[i][side] for i in rows.tolist()], show_progress_bar=False)
        answers = encoder.encode([pairs.responses[i][side] for i in rows.tolist()], show_progress_bar=False)
        scores.append(-np.linalg.norm(asked - answers, axis=1))
    return np.stack(scores, axis=1).astype(np.float64)
