"""The quality scoring model: how good an answer is for its instruction.

``triplet`` is M-DaQ's (arXiv 2509.15549): an instruction shall be nearer to its revised answer than to the unrevised
one, ``max(‖v_i − v_p‖ − ‖v_i − v_n‖ + ε, 0)``, and the score of an answer is ``−‖v_i − v_r‖``. ``regression`` is CaR's
form (arXiv 2402.18191): a head on the pair, mean squared error against 0 (original) and 1 (revised).

A reconstruction: encoder, ε, rate and size are not public. Ours: any embedder of the project, frozen, its unit vectors
under a trained linear projection ``v = P e``; ε = 0.3. With ``looks: both`` the projection also sees the answer's
`structure`, of which an instruction has none: ``v_r = P e_r + Q s + c``. CaR's head is a neural one; ours is linear, by
ridge regression on ``(e_i, e_r, e_i ∘ e_r, s)``. NumPy alone trains and applies both; `encoder` trains a whole encoder.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from safetensors.numpy import load_file, save

from glotmix.core import json_text
from glotmix.core.errors import DataError, blame
from glotmix.instruct import structure
from glotmix.instruct.pairs import Pairs
from glotmix.instruct.structure import Measure
from glotmix.native.threads import one_thread

VERSION = 2

Vectors = NDArray[np.float32]
Scores = NDArray[np.float64]

_BATCH = 64
_STRUCTURE = 0.3
"""What a standard deviation of a column weighs beside a unit vector; chosen on validation pairs (docs/log.md)."""
_TINY = 1e-9


class QsmConfig(BaseModel):
    """How a model is trained: everything that changes it, but the pairs and the embedder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    form: Literal["triplet", "regression"] = Field("triplet", description="M-DaQ's triplets, or CaR's regression")
    looks: Literal["meaning", "both"] = Field(
        "both", description="meaning: at embeddings alone (M-DaQ's own form); both: at the answer's structure, too"
    )
    width: int = Field(128, ge=1, description="numbers of a projected vector")
    margin: float = Field(0.3, ge=0, description="ε of the triplet loss")
    epochs: int = Field(15, ge=1, description="passes over the pairs; the best on validation pairs is kept")
    rate: float = Field(1e-3, gt=0, description="learning rate (Adam)")
    decay: float = Field(1e-3, ge=0, description="weight decay of the projection")
    ridge: float = Field(1_000.0, gt=0, description="penalty of the regression")
    seeds: int = Field(3, ge=1, description="models that are trained and averaged")


@dataclass(frozen=True)
class Sides:
    """What a model sees of n answers.

    Args:
        instructions: (n, w) unit vectors.
        responses: (n, w) unit vectors.
        form: (n, k) standardised columns of `structure`.
    """

    instructions: Vectors
    responses: Vectors
    form: Vectors

    def take(self, rows: NDArray[np.int64]) -> "Sides":
        """Return some of them."""
        return Sides(self.instructions[rows], self.responses[rows], self.form[rows])


def unit(vectors: Vectors) -> Vectors:
    """Return vectors of length one; the zero vector stays."""
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norm > 0, norm, 1)).astype(np.float32)


def sides(pairs: Pairs, vectors: tuple[Vectors, Vectors], measure: Measure) -> Sides:
    """Return what a model sees of the 2n sides of pairs.

    Args:
        pairs: n pairs.
        vectors: of the 2n instructions and the 2n responses, in the order of `Pairs.sides`.
        measure: see `structure.columns`.
    """
    instructions, responses, langs = pairs.sides()
    values = structure.columns(pa.array(instructions), pa.array(responses), pa.array(langs), measure)
    known = np.array(langs)
    return Sides(unit(vectors[0]), unit(vectors[1]), structure.standard(values, known, structure.usual(values, known)))


@dataclass(frozen=True)
class Scorer:
    """A trained model.

    Args:
        config: how it was trained.
        embedder: fingerprint of the embedder whose vectors it takes.
        weights: (seeds, d, width) projections, or (seeds, d) heads.
    """

    config: QsmConfig
    embedder: str
    weights: NDArray[np.float32]

    def score(self, seen: Sides) -> Scores:
        """Return (n,) scores, the mean over the seeds; higher is better, and only the order means anything."""
        return np.asarray(self.by_seed(seen).mean(axis=0))

    @one_thread()
    def by_seed(self, seen: Sides) -> Scores:
        """Return (seeds, n) scores."""
        found = _features(seen, self.config)
        if self.config.form == "regression":
            return (self.weights @ found.T).astype(np.float64)
        return np.stack([-np.linalg.norm(found @ w, axis=1) for w in self.weights]).astype(np.float64)

    def write(self, folder: Path) -> None:
        """Write ``qsm.safetensors`` and ``qsm.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "qsm.safetensors").write_bytes(save({"weights": np.ascontiguousarray(self.weights)}))
        about = {"version": VERSION, "config": self.config.model_dump(), "embedder": self.embedder}
        about["columns"] = list(structure.COLUMNS)
        (folder / "qsm.json").write_text(json.dumps(about, indent=1), "utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Scorer":
        """Read a model.

        Raises:
            DataError: if there is none, or it was trained on other columns.
        """
        with blame(folder / "qsm.json", "glotmix instruct train"):
            about: dict[str, Any] = json_text.loads((folder / "qsm.json").read_text("utf-8"))
            weights = load_file(folder / "qsm.safetensors")["weights"]
            if tuple(about.get("columns", ())) != structure.COLUMNS:
                raise DataError(f"{folder} was trained on other columns than glotmix has now", "glotmix instruct train")
            return cls(QsmConfig.model_validate(about["config"]), str(about["embedder"]), weights)


def train(
    seen: Sides,
    rows: NDArray[np.int64],
    stop: NDArray[np.int64],
    config: QsmConfig,
    embedder: str,
    seed: int,
) -> Scorer:
    """Train on pairs.

    Args:
        seen: the 2n sides of n pairs, see `sides`.
        rows: pairs to train on.
        stop: pairs on which the best pass is chosen; none for the last pass.
        config: how.
        embedder: fingerprint of the embedder.
        seed: of the first of `config.seeds` models.

    Raises:
        DataError: if there is no pair.
    """
    if not len(rows):
        raise DataError("there are no pairs to train on")
    found = _features(seen, config).reshape(-1, 2, _width(seen, config))
    fit = _triplet if config.form == "triplet" else _regression
    return Scorer(config, embedder, np.stack([fit(found, rows, stop, config, seed + s) for s in range(config.seeds)]))


def _width(seen: Sides, config: QsmConfig) -> int:
    none = np.zeros(0, np.int64)
    return int(_features(seen.take(none), config).shape[1])


def _features(seen: Sides, config: QsmConfig) -> Vectors:
    """Return (n, d): for triplets ``(e_i − e_r, −s, −1)``, so that ``v_i − v_r`` is one product with ``(P; Q; c)``."""
    n = len(seen.responses)
    constant = np.ones((n, 1), np.float32)
    if config.form == "triplet":
        parts = [seen.instructions - seen.responses]
        if config.looks == "both":
            parts += [-_STRUCTURE * seen.form, -constant]
        return np.concatenate(parts, axis=1).astype(np.float32)
    scale = np.float32(np.sqrt(seen.instructions.shape[1]) / 3)
    parts = [scale * seen.instructions, scale * seen.responses, scale**2 * seen.instructions * seen.responses]
    if config.looks == "both":
        parts.append(seen.form)
    return np.concatenate([*parts, constant], axis=1).astype(np.float32)


@one_thread()
def _triplet(
    found: Vectors, rows: NDArray[np.int64], stop: NDArray[np.int64], config: QsmConfig, seed: int
) -> NDArray[np.float32]:
    """Return a (d, width) projection, trained by Adam (Kingma and Ba 2015) on the triplet loss."""
    rng = np.random.default_rng(seed)
    d = found.shape[2]
    weights = (rng.normal(size=(d, config.width)) / np.sqrt(d)).astype(np.float32)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    best, step = -1.0, 0
    kept: NDArray[np.float32] = weights
    for _ in range(config.epochs):
        order = rng.permutation(rows)
        for start in range(0, len(order), _BATCH):
            batch = found[order[start : start + _BATCH]]
            near, far = batch[:, 1] @ weights, batch[:, 0] @ weights
            to_near, to_far = (np.linalg.norm(v, axis=1, keepdims=True) + _TINY for v in (near, far))
            active = (to_near - to_far + config.margin > 0) / np.float32(len(batch))
            slope = batch[:, 1].T @ (active * near / to_near) - batch[:, 0].T @ (active * far / to_far)
            slope = slope.astype(np.float32) + np.float32(config.decay) * weights
            step += 1
            first = 0.9 * first + 0.1 * slope
            second = 0.999 * second + 0.001 * slope * slope
            move = (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
            weights = (weights - config.rate * move).astype(np.float32)
        if not len(stop):
            kept = weights
            continue
        scores = -np.linalg.norm(found[stop] @ weights, axis=2)
        right = float(np.mean(wins(scores)))
        if right > best:
            best, kept = right, weights
    return kept


@one_thread()
def _regression(
    found: Vectors, rows: NDArray[np.int64], stop: NDArray[np.int64], config: QsmConfig, seed: int
) -> NDArray[np.float32]:
    """Return a (d,) head by ridge regression on a bootstrap sample of the pairs."""
    drawn = np.random.default_rng(seed).choice(rows, len(rows))
    x = found[drawn].reshape(-1, found.shape[2]).astype(np.float64)
    y = np.tile([0.0, 1.0], len(drawn))
    gram = x.T @ x + config.ridge * np.diag(np.r_[np.ones(x.shape[1] - 1), _TINY])
    return np.asarray(np.linalg.solve(gram, x.T @ y), np.float32)


def wins(scores: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return (n,) of (n, 2) scores: 1 where the second is higher, ½ where they are equal.

    >>> wins(np.array([[0.1, 0.2], [0.3, 0.3], [0.5, 0.1]])).tolist()
    [1.0, 0.5, 0.0]
    """
    higher, equal = scores[:, 1] > scores[:, 0], scores[:, 1] == scores[:, 0]
    return np.where(higher, 1.0, np.where(equal, 0.5, 0.0))
