"""A head that turns features into one number per document, learned from pairs or from numbers; numpy alone.

Linear, or one hidden layer of rectified units. It is trained by Adam (Kingma & Ba 2015) on losses that know only its
scores, so the pairwise and the pointwise way differ in nothing else.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from glotmix.core.errors import DataError
from glotmix.native.threads import one_thread
from glotmix.quality.bradley_terry import Floats, Ints
from glotmix.quality.heads import Classifier, Head
from glotmix.quality.pairs import PARALLEL, Pairs
from glotmix.quality.perceptron import Perceptron
from glotmix.quality.raters_config import TrainConfig

Matrix: TypeAlias = NDArray[np.floating]
Batch: TypeAlias = tuple[Ints, Callable[[Floats], Floats]]
"""Rows of the features, and the gradient of the loss in the scores of these rows."""

_BLOCK = 512


@dataclass(frozen=True)
class Ranker:
    """A trained head.

    Args:
        centre: (d,) means of the training features.
        scale: (d,) their standard deviations; 1 for constants.
        first: (d, h) weights of the hidden layer, (d, 0) for none.
        bias: (h,).
        second: (h,) weights of its units.
        direct: (d,) weights of the features themselves.
    """

    centre: Floats
    scale: Floats
    first: Floats
    bias: Floats
    second: Floats
    direct: Floats

    def score(self, features: Matrix) -> Floats:
        """Return (n,) scores of (n, d) features; NaN, a missing value, counts as 0: what is usual in the language.

        Raises:
            DataError: for another number of features.
        """
        if features.shape[1] != len(self.centre):
            raise DataError(f"{features.shape[1]} features were given to a rater of {len(self.centre)}")
        found = np.empty(len(features))
        # Always in blocks of one size: a matrix product's last bits depend on how many rows it is given.
        block = np.zeros((_BLOCK, len(self.centre)))
        with one_thread():
            for start in range(0, len(features), _BLOCK):
                rows = self._seen(features[start : start + _BLOCK])
                block[: len(rows)] = rows
                hidden = np.maximum(block @ self.first + self.bias, 0.0)
                found[start : start + len(rows)] = (hidden @ self.second + block @ self.direct)[: len(rows)]
        return found

    def _seen(self, features: Matrix) -> Floats:
        return np.asarray((np.nan_to_num(features) - self.centre) / self.scale, float)

    def rater(self, columns: Sequence[str], config: TrainConfig, languages: Sequence[str]) -> Classifier:
        """Return the same head as a rater of normalised features, whose scores are σ of these.

        A linear part is two rectified units, w·x = max(w·x, 0) − max(−w·x, 0), so one layer holds both.
        """
        first = np.concatenate([self.first, self.direct[:, None], -self.direct[:, None]], axis=1) / self.scale[:, None]
        bias = np.concatenate([self.bias, [0.0, 0.0]]) - self.centre @ first
        layer = Perceptron(
            np.ascontiguousarray(first.T, np.float32),
            bias.astype(np.float32),
            np.concatenate([self.second, [1.0, -1.0]]).astype(np.float32),
            0.0,
        )
        head = Head(
            kind="mlp",
            normalise=config.normalise,
            seeds=1,
            hidden=len(bias),
            dropout=0.0,
            epochs=config.epochs,
            batch=config.batch,
        )
        return Classifier(tuple(columns), head, config.seed, tuple(sorted(languages)), None, (), (layer,))

    def write(self, path: Path) -> None:
        """Write the weights as safetensors: nothing executable, the same bytes for the same head."""
        path.write_bytes(save({name: np.ascontiguousarray(value) for name, value in vars(self).items()}))

    @classmethod
    def read(cls, path: Path) -> "Ranker":
        """Read what `write` wrote."""
        return cls(**load_file(path))


def pairwise(features: Matrix, pairs: Pairs, config: TrainConfig) -> Ranker:
    """Learn a head from pairs.

    L = L_pair + λ L_parallel (MuRating, arXiv 2507.01785), each a mean over its pairs, with d = (s_left − s_right) / T:

        L_pair     = E[ −p log σ(d) − (1 − p) log σ(−d) ]        monolingual and cross-lingual pairs
        L_parallel = E[ −log σ(d) − log σ(−d) ]                  parallel pairs; least, 2 log 2, at equal scores

    Args:
        features: (n, d); NaN is missing.
        pairs: rows of them.
        config: how.
    """

    from scipy.special import expit

    parallel = pairs.kind == PARALLEL
    share = parallel.mean() if len(parallel) else 0.0
    # Each loss is a mean over its own pairs; a batch holds both as they come.
    weight = np.where(parallel, 2 * config.parallel / max(share, 1e-12), 1 / max(1 - share, 1e-12))
    rng = np.random.default_rng([config.seed, 1])

    def batches() -> Iterator[Batch]:
        for chosen in _shuffled(len(pairs.p), config, rng):
            many = len(chosen)
            # −log σ(d) − log σ(−d) is twice the cross-entropy at p = ½: one formula for all three kinds.
            p = np.where(parallel[chosen], 0.5, pairs.p[chosen])
            heavy = weight[chosen] / many / config.temperature

            def gradient(scores: Floats, p: Floats = p, heavy: Floats = heavy, many: int = many) -> Floats:
                pull = heavy * (expit((scores[:many] - scores[many:]) / config.temperature) - p)
                return np.concatenate([pull, -pull])

            yield np.concatenate([pairs.left[chosen], pairs.right[chosen]]), gradient

    used = np.unique(np.concatenate([pairs.left, pairs.right]))
    return _train(features, used, batches, len(pairs.p), config)


def pointwise(features: Matrix, rows: Ints, targets: Floats, loss: Literal["l1", "bce"], config: TrainConfig) -> Ranker:
    """Learn the same head from a number per document.

    ``l1``: E|s − y| (as the open pointwise rater, EPFL 2026); ``bce``: E[ −y log σ(s) − (1 − y) log σ(−s) ].

    Args:
        features: (n, d); NaN is missing.
        rows: (m,) rows of them.
        targets: (m,) any numbers for ``l1``, from 0 to 1 for ``bce``.
        loss: which.
        config: how; as many epochs over as many documents as there are pairs, so that both ways see as much.
    """

    from scipy.special import expit

    if loss == "bce" and len(targets) and not (targets.min() >= 0 and targets.max() <= 1):
        raise DataError("a target of the cross-entropy is a share from 0 to 1")
    rng = np.random.default_rng([config.seed, 1])

    def batches() -> Iterator[Batch]:
        for chosen in _shuffled(len(rows), config, rng):
            y = targets[chosen]

            def gradient(scores: Floats, y: Floats = y) -> Floats:
                return (np.sign(scores - y) if loss == "l1" else expit(scores) - y) / len(y)

            yield rows[chosen], gradient

    return _train(features, np.unique(rows), batches, len(rows), config)


def _shuffled(count: int, config: TrainConfig, rng: np.random.Generator) -> Iterator[Ints]:
    for _ in range(config.epochs):
        order = rng.permutation(count)
        for start in range(0, count, config.batch):
            yield order[start : start + config.batch]


def _train(
    features: Matrix, used: Ints, batches: Callable[[], Iterator[Batch]], count: int, config: TrainConfig
) -> Ranker:
    """Train on batches; what is usual comes from the used rows alone."""
    if not count:
        raise DataError("there is nothing to learn from: no pair or no document was labelled")
    known = np.nan_to_num(features[used].astype(float))
    centre, spread = known.mean(axis=0), known.std(axis=0)
    scale = np.where(spread > 1e-9, spread, 1.0)
    inputs = ((np.nan_to_num(features) - centre) / scale).astype(np.float32)
    width, hidden = features.shape[1], config.hidden
    rng = np.random.default_rng([config.seed, 0])
    weights = {
        "first": rng.normal(scale=np.sqrt(2 / width), size=(width, hidden)).astype(np.float32),
        "bias": np.zeros(hidden, np.float32),
        "second": rng.normal(scale=np.sqrt(1 / max(hidden, 1)) / 4, size=hidden).astype(np.float32),
        "direct": np.zeros(width, np.float32),
    }
    adam = _Adam(weights, config, -(-count // config.batch) * config.epochs)
    with one_thread():
        for rows, gradient in batches():
            x = inputs[rows]
            active = np.maximum(x @ weights["first"] + weights["bias"], 0)
            scores = (active @ weights["second"] + x @ weights["direct"]).astype(float)
            pull = gradient(scores).astype(np.float32)
            through = np.outer(pull, weights["second"]) * (active > 0)
            adam.step(
                {
                    "first": x.T @ through,
                    "bias": through.sum(axis=0),
                    "second": active.T @ pull,
                    "direct": x.T @ pull,
                }
            )
    return Ranker(centre, scale, **{name: value.astype(float) for name, value in weights.items()})


class _Adam:
    """Adam with decoupled weight decay, in place; the step falls linearly to 0."""

    def __init__(self, weights: dict[str, NDArray[np.float32]], config: TrainConfig, steps: int) -> None:
        self._weights, self._config, self._steps, self._at = weights, config, steps, 0
        self._mean = {name: np.zeros_like(value) for name, value in weights.items()}
        self._square = {name: np.zeros_like(value) for name, value in weights.items()}

    def step(self, gradients: dict[str, NDArray[np.float32]]) -> None:
        """Move all weights once."""
        rate = self._config.step * (1 - self._at / self._steps)
        self._at += 1
        for name, gradient in gradients.items():
            mean, square = self._mean[name], self._square[name]
            mean += 0.1 * (gradient - mean)
            square += 0.001 * (gradient**2 - square)
            corrected = np.sqrt(square / (1 - 0.999**self._at)) + 1e-8
            self._weights[name] -= np.float32(rate) * (
                mean / np.float32(1 - 0.9**self._at) / corrected + self._config.decay * self._weights[name]
            )
