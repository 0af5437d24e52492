"""The head of FineWeb2-HQ (arXiv 2502.10361): Linear(d, 256), ReLU, Dropout(0.2), Linear(256, 1); torch only to train.

As its authors' code trains it: AdamW at 3e-4, binary cross-entropy with logits, batches of 256, six epochs, the last
one kept. Theirs reads 768 numbers of XLM-R; this one whatever it is given.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glotmix.core.errors import MissingExtraError
from glotmix.quality.features import Matrix

_BLOCK = 256


@dataclass(frozen=True)
class Perceptron:
    """One hidden layer.

    Args:
        first: (hidden, d) weights, ``first_bias`` (hidden,).
        second: (hidden,) weights, ``second_bias``.
    """

    first: NDArray[np.float32]
    first_bias: NDArray[np.float32]
    second: NDArray[np.float32]
    second_bias: float

    def log_odds(self, features: Matrix) -> NDArray[np.float64]:
        """Return (n,) log odds of being good, from (n, d) features (NaN, a missing value, is its mean: 0)."""
        found = np.empty(len(features))
        # Always in blocks of one size: a matrix product's last bits depend on how many rows it is given.
        block = np.zeros((_BLOCK, self.first.shape[1]))
        first = self.first.T.astype(np.float64)
        for start in range(0, len(features), _BLOCK):
            rows = np.nan_to_num(features[start : start + _BLOCK])
            block[: len(rows)] = rows
            hidden = np.maximum(block @ first + self.first_bias, 0.0)
            found[start : start + len(rows)] = (hidden * self.second).sum(axis=1)[: len(rows)]
        return found + self.second_bias


def train(
    features: Matrix,
    labels: NDArray[np.bool_],
    weights: NDArray[np.float64],
    seed: int,
    hidden: int = 256,
    dropout: float = 0.2,
    epochs: int = 6,
    batch: int = 256,
    step: float = 3e-4,
) -> Perceptron:
    """Train the head.

    Args:
        features: (n, d); NaN is missing.
        labels: (n,) true = good.
        weights: (n,) of the documents in the loss.
        seed: of the first weights, the order of the documents, and what is dropped out.
        hidden: units of the layer between.
        dropout: share of them that a batch does without.
        epochs: times that each document is seen.
        batch: documents of a step.
        step: AdamW's learning rate.

    Raises:
        MissingExtraError: if torch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("quality.head: mlp", "train") from error

    threads = torch.get_num_threads()
    # On several threads a sum is cut elsewhere; and the caller's own random numbers are left alone.
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            first, second = torch.nn.Linear(features.shape[1], hidden), torch.nn.Linear(hidden, 1)
            model = torch.nn.Sequential(first, torch.nn.ReLU(), torch.nn.Dropout(dropout), second)
            x = torch.from_numpy(np.nan_to_num(features).astype(np.float32))
            y = torch.from_numpy(labels.astype(np.float32))
            w = torch.from_numpy(weights.astype(np.float32))
            optimiser = torch.optim.AdamW(model.parameters(), lr=step)
            for _ in range(epochs):
                for rows in torch.split(torch.randperm(len(x)), batch):
                    optimiser.zero_grad()
                    loss = torch.nn.functional.binary_cross_entropy_with_logits(
                        model(x[rows])[:, 0], y[rows], weight=w[rows]
                    )
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimiser.step()
            return Perceptron(
                first.weight.detach().numpy().copy(),
                first.bias.detach().numpy().copy(),
                second.weight.detach().numpy()[0].copy(),
                float(second.bias.detach()[0]),
            )
    finally:
        torch.set_num_threads(threads)
