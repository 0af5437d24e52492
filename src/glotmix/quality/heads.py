"""Heads: from features to the probability that a document is good.

Deterministic: the same documents in any order give the same rater, bit for bit, on any number of threads.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glotmix.core.errors import DataError
from glotmix.quality import perceptron
from glotmix.quality.features import Matrix
from glotmix.quality.names import Kind, Normalise
from glotmix.quality.perceptron import Perceptron

if TYPE_CHECKING:
    import lightgbm

HEADS = ("logistic", "boosting", "both", "mlp")


@dataclass(frozen=True)
class Head:
    """How a rater learns.

    The sizes of trees and layers are first guesses that were never searched. `kind`, `normalise` and `inverse_penalty`
    were chosen on the labels that ship: figures for these defaults on those labels flatter them; `transfer.nested` does
    not.

    Args:
        kind: ``logistic`` regression; gradient ``boosting`` of small trees; ``both``: the mean of their log odds, where
            the trees see no vectors if there is anything else (of hundreds of weak numbers they learn little, slowly);
            or ``mlp``, the 256-unit layer of FineWeb2-HQ (`perceptron.Perceptron`).
        normalise: how it sees its features; see `features.Normalise`.
        seeds: boosters (each on other halves of columns and rows) or layers that are trained and averaged. A logistic
            head has no chance in it and is trained once.
        inverse_penalty: of the logistic head: scikit-learn's C, for features of unit variance.
        vector_penalty: how many times more a weight of one of a vector's numbers costs. There are hundreds, and each
            says little.
        trees: of one booster.
        learning_rate: of a booster.
        leaves: of a tree.
        min_documents: in a leaf.
        hidden: units of the layer of ``mlp``; also `dropout`, `epochs`, `batch` and `step`: as published.
    """

    kind: Kind = "logistic"
    normalise: Normalise = "shared"
    seeds: int = 3
    inverse_penalty: float = 0.01
    vector_penalty: float = 100.0
    trees: int = 150
    learning_rate: float = 0.05
    leaves: int = 7
    min_documents: int = 20
    hidden: int = 256
    dropout: float = 0.2
    epochs: int = 6
    batch: int = 256
    step: float = 3e-4


@dataclass(frozen=True)
class Logistic:
    """A linear head on standardised features; a missing value is the mean, and says so where `missing` asks.

    Args:
        centre: (d,) means of the training features.
        scale: (d,) their standard deviations.
        missing: (m,) features with missing values in training: each has an indicator of its own.
        weight: (d + m,) per standard deviation; the indicators' come last.
        bias: log odds of a document with all features at their mean.
    """

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    missing: NDArray[np.int64]
    weight: NDArray[np.float64]
    bias: float

    def log_odds(self, features: Matrix) -> NDArray[np.float64]:
        """Return (n,) log odds of being good."""
        # Column by column in one order: a matrix product's last bits depend on how many rows it is given.
        total = np.full(len(features), self.bias)
        for column, weight in enumerate(self._design(features).T):
            total += weight * self.weight[column]
        return total

    def _design(self, features: Matrix) -> Matrix:
        return _design(features, self.centre, self.scale, self.missing)


@dataclass(frozen=True)
class Boosting:
    """A booster in LightGBM's text form, which holds every number in full."""

    text: str

    def log_odds(self, features: Matrix) -> NDArray[np.float64]:
        """Return (n,) log odds of being good."""
        if len(features) == 0:
            return np.zeros(0)
        return np.asarray(self._booster.predict(features, raw_score=True, num_threads=1), np.float64)

    @cached_property
    def _booster(self) -> "lightgbm.Booster":
        import lightgbm

        return lightgbm.Booster(model_str=self.text)


@dataclass(frozen=True)
class Classifier:
    """A trained head and everything that is needed to apply it to normalised features.

    Args:
        columns: the features, in the order of the matrix.
        head: how it was trained.
        seed: of its training.
        languages: whose documents it learned from.
        logistic: the linear part, if it has one.
        boosters: the boosters, if it has them.
        perceptrons: the layers, if it has them.
    """

    columns: tuple[str, ...]
    head: Head
    seed: int
    languages: tuple[str, ...]
    logistic: Logistic | None
    boosters: tuple[Boosting, ...]
    perceptrons: tuple[Perceptron, ...] = ()

    def log_odds(self, features: Matrix) -> NDArray[np.float64]:
        """Return (n,) log odds of being good: the mean over the kinds of head of the mean over their seeds.

        The mean of log odds is the geometric pool of opinions (Genest & Zidek 1986), renormalised.
        """
        if features.shape[1] != len(self.columns):
            raise DataError(f"{features.shape[1]} features were given to a rater of {len(self.columns)}")
        kinds = []
        if self.logistic is not None:
            kinds.append(self.logistic.log_odds(features))
        for several, seen in ((self.boosters, _boosted(self.columns, self.head)), (self.perceptrons, slice(None))):
            if several:
                kinds.append(sum((one.log_odds(features[:, seen]) for one in several), np.zeros(len(features))))
                kinds[-1] /= len(several)
        return sum(kinds, np.zeros(len(features))) / len(kinds)

    def score(self, features: Matrix) -> NDArray[np.float32]:
        """Return (n,) probabilities of being good, for classes of equal size, from (n, d) normalised features."""

        from scipy.special import expit

        return np.asarray(expit(self.log_odds(features)), np.float32)

    def tensors(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the rater as plain data and named arrays: numbers in full, nothing executable."""
        about = {
            "columns": list(self.columns),
            "head": asdict(self.head),
            "seed": self.seed,
            "languages": list(self.languages),
            "boosters": len(self.boosters),
            "perceptrons": len(self.perceptrons),
            "logistic": self.logistic is not None,
        }
        held: dict[str, NDArray[Any]] = {}
        if self.logistic is not None:
            held |= {f"logistic.{k}": np.asarray(v) for k, v in vars(self.logistic).items()}
        for number, booster in enumerate(self.boosters):
            held[f"booster.{number}"] = np.frombuffer(booster.text.encode(), np.uint8)
        for number, layer in enumerate(self.perceptrons):
            held |= {f"perceptron.{number}.{k}": np.asarray(v) for k, v in vars(layer).items()}
        return about, held

    @classmethod
    def of(cls, about: Mapping[str, Any], held: Mapping[str, NDArray[Any]]) -> "Classifier":
        """Return the rater that `tensors` took apart.

        Raises:
            KeyError, TypeError, ValueError: if something is missing or another.
        """
        logistic = None
        if about["logistic"]:
            centre, scale, missing, weight, bias = (
                held[f"logistic.{n}"] for n in ("centre", "scale", "missing", "weight", "bias")
            )
            logistic = Logistic(centre, scale, missing, weight, float(bias))
        layers = []
        for number in range(about["perceptrons"]):
            first, first_bias, second, second_bias = (
                held[f"perceptron.{number}.{n}"] for n in ("first", "first_bias", "second", "second_bias")
            )
            layers.append(Perceptron(first, first_bias, second, float(second_bias)))
        if logistic is None and not layers and not about["boosters"]:
            raise ValueError("there is nothing to rate with")
        return cls(
            tuple(about["columns"]),
            Head(**about["head"]),
            about["seed"],
            tuple(about["languages"]),
            logistic,
            tuple(Boosting(held[f"booster.{n}"].tobytes().decode()) for n in range(about["boosters"])),
            tuple(layers),
        )


def both(labels: NDArray[np.bool_]) -> None:
    """Refuse labels of one kind alone.

    Raises:
        DataError: saying which.
    """
    if labels.all() or not labels.any():
        raise DataError(
            f"a rater needs good and bad documents: all labels are {'good' if labels.all() else 'bad'}",
            "add anchors of the other label",
        )


def train(
    features: Matrix,
    labels: NDArray[np.bool_],
    weights: NDArray[np.float64],
    columns: tuple[str, ...],
    languages: tuple[str, ...],
    head: Head,
    seed: int,
) -> Classifier:
    """Train a rater on normalised features.

    Args:
        features: (n, d); NaN is missing.
        labels: (n,) true = good.
        weights: (n,) as `anchors.weights` makes them.
        columns: d names.
        languages: of the documents; noted in the rater.
        head: how.
        seed: of all that is drawn: the boosters' columns and rows, the layers' beginnings.

    Raises:
        DataError: if one of the classes has no document.
    """
    both(labels)
    # Boosters draw rows by position, and sums depend on their order: so the order is made one of the data's own.
    order = np.lexsort((weights, labels, *features.T))
    features, labels, weights = features[order], labels[order], weights[order]
    trees = features[:, _boosted(columns, head)]
    own = [seed * 1_000 + n for n in range(head.seeds)]
    layer = (head.hidden, head.dropout, head.epochs, head.batch, head.step)
    return Classifier(
        columns,
        head,
        seed,
        languages,
        _train_logistic(features, labels, weights, columns, head) if head.kind in ("logistic", "both") else None,
        tuple(_train_booster(trees, labels, weights, head, s) for s in own if head.kind in ("boosting", "both")),
        tuple(perceptron.train(features, labels, weights, s, *layer) for s in own if head.kind == "mlp"),
    )


def _boosted(columns: tuple[str, ...], head: Head) -> NDArray[np.int64]:
    """Return the positions of the features that boosters see (see `Head.kind`)."""
    narrow = [at for at, name in enumerate(columns) if "." not in name]
    return np.array(narrow if head.kind == "both" and narrow else range(len(columns)), np.int64)


def _design(features: Matrix, centre: Matrix, scale: Matrix, missing: NDArray[np.int64]) -> Matrix:
    gaps = np.isnan(features)
    filled = np.where(gaps, 0.0, (features - centre) / scale)
    return np.concatenate([filled, gaps[:, missing]], axis=1)


def _train_logistic(
    features: Matrix, labels: NDArray[np.bool_], weights: NDArray[np.float64], columns: tuple[str, ...], head: Head
) -> Logistic:
    from sklearn.linear_model import LogisticRegression

    from glotmix.native.threads import one_thread

    seen = ~np.isnan(features)
    number = np.maximum(seen.sum(axis=0), 1)
    centre = np.where(seen, features, 0.0).sum(axis=0) / number
    spread = np.sqrt(np.where(seen, (features - centre) ** 2, 0.0).sum(axis=0) / number)
    scale = np.where(spread > 0, spread, 1.0)
    # A feature made smaller needs a larger weight, and so pays more. Names of vectors have dots (`LanguageNormalizer`).
    scale[["." in name for name in columns]] *= np.sqrt(head.vector_penalty)
    missing = np.flatnonzero(~seen.all(axis=0) & seen.any(axis=0))
    model = LogisticRegression(C=head.inverse_penalty, max_iter=2_000)
    # On several threads a sum is cut elsewhere, and its last bits differ.
    with one_thread():
        model.fit(_design(features, centre, scale, missing), labels, sample_weight=weights)
    return Logistic(centre, scale, missing, model.coef_[0].astype(np.float64), float(model.intercept_[0]))


def _train_booster(
    features: Matrix, labels: NDArray[np.bool_], weights: NDArray[np.float64], head: Head, seed: int
) -> Boosting:
    import lightgbm

    settings = {
        "objective": "binary",
        "learning_rate": head.learning_rate,
        "num_leaves": head.leaves,
        "min_data_in_leaf": head.min_documents,
        "lambda_l2": 1.0,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }
    data = lightgbm.Dataset(features, labels.astype(np.float64), weight=weights, params={"verbose": -1})
    return Boosting(lightgbm.train(settings, data, num_boost_round=head.trees).model_to_string())
