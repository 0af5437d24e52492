"""Heads: from features to the probability that a document is good. One head for all languages, pooled.

Deterministic: the same documents in any order give the same rater, bit for bit, on any number of threads.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from glotmix.errors import DataError
from glotmix.quality.features import Matrix, Normalise

if TYPE_CHECKING:
    import lightgbm

Kind: TypeAlias = Literal["logistic", "boosting", "both"]
HEADS = ("logistic", "boosting", "both")


@dataclass(frozen=True)
class Head:
    """How a rater learns.

    The sizes (penalty, trees, leaves, rate) are first guesses that were never searched. `kind` and `normalise` were
    chosen on the labels that ship: figures for these defaults on those labels flatter them; `transfer.nested` does not.

    Args:
        kind: ``logistic`` regression, gradient ``boosting`` of small trees, or ``both``: the mean of their log odds.
        normalise: how it sees its features; see `features.Normalise`.
        seeds: boosters that are trained and averaged (each on other halves of columns and rows). A logistic head has
            no chance in it and is trained once.
        inverse_penalty: of the logistic head: scikit-learn's C, for features of unit variance.
        trees: of one booster.
        learning_rate: of a booster.
        leaves: of a tree.
        min_documents: in a leaf.
    """

    kind: Kind = "both"
    normalise: Normalise = "shared"
    seeds: int = 3
    inverse_penalty: float = 0.03
    trees: int = 150
    learning_rate: float = 0.05
    leaves: int = 7
    min_documents: int = 20


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
        return np.asarray(self._booster.predict(features, raw_score=True), np.float64)

    @cached_property
    def _booster(self) -> "lightgbm.Booster":
        import lightgbm

        return lightgbm.Booster(model_str=self.text)


@dataclass(frozen=True)
class Rater:
    """A trained head and everything that is needed to apply it to normalised features.

    Args:
        columns: the features, in the order of the matrix.
        head: how it was trained.
        seed: of its training.
        languages: whose documents it learned from.
        logistic: the linear part, if it has one.
        boosters: the boosters, if it has them.
    """

    columns: tuple[str, ...]
    head: Head
    seed: int
    languages: tuple[str, ...]
    logistic: Logistic | None
    boosters: tuple[Boosting, ...]

    def log_odds(self, features: Matrix) -> NDArray[np.float64]:
        """Return (n,) log odds of being good: the mean over the kinds of head of the mean over their seeds.

        The mean of log odds is the geometric pool of opinions (Genest & Zidek 1986), renormalised.
        """
        if features.shape[1] != len(self.columns):
            raise DataError(f"{features.shape[1]} features were given to a rater of {len(self.columns)}")
        kinds = []
        if self.logistic is not None:
            kinds.append(self.logistic.log_odds(features))
        if self.boosters:
            kinds.append(sum((b.log_odds(features) for b in self.boosters), np.zeros(len(features))))
            kinds[-1] /= len(self.boosters)
        return sum(kinds, np.zeros(len(features))) / len(kinds)

    def score(self, features: Matrix) -> NDArray[np.float32]:
        """Return (n,) probabilities of being good, for classes of equal size, from (n, d) normalised features."""
        return np.asarray(expit(self.log_odds(features)), np.float32)

    def write(self, folder: Path) -> None:
        """Write ``rater.json`` and, for each booster, ``booster-0.txt`` …: numbers in full, nothing executable."""
        about: dict[str, Any] = {
            "columns": list(self.columns),
            "head": asdict(self.head),
            "seed": self.seed,
            "languages": list(self.languages),
            "boosters": [f"booster-{n}.txt" for n in range(len(self.boosters))],
            "logistic": None,
        }
        if self.logistic is not None:
            about["logistic"] = {
                k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in vars(self.logistic).items()
            }
        for name, booster in zip(about["boosters"], self.boosters, strict=True):
            (folder / name).write_text(booster.text, "utf-8")
        (folder / "rater.json").write_text(json.dumps(about, indent=1), "utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Rater":
        """Read what `write` wrote.

        Raises:
            DataError: if it is not there, or damaged.
        """
        path = folder / "rater.json"
        if not path.is_file():
            raise DataError(f"there is no rater in {folder}", "glotmix signals RECIPE")
        try:
            about = json.loads(path.read_text("utf-8"))
            return cls(
                tuple(about["columns"]),
                Head(**about["head"]),
                about["seed"],
                tuple(about["languages"]),
                None if about["logistic"] is None else _logistic(about["logistic"]),
                tuple(Boosting((folder / name).read_text("utf-8")) for name in about["boosters"]),
            )
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise DataError(f"{path} is damaged: {error!r}", f"delete {folder} and run again") from error


def _logistic(about: Mapping[str, Any]) -> Logistic:
    return Logistic(
        np.array(about["centre"], np.float64),
        np.array(about["scale"], np.float64),
        np.array(about["missing"], np.int64),
        np.array(about["weight"], np.float64),
        float(about["bias"]),
    )


def train(
    features: Matrix,
    labels: NDArray[np.bool_],
    weights: NDArray[np.float64],
    columns: tuple[str, ...],
    languages: tuple[str, ...],
    head: Head,
    seed: int,
) -> Rater:
    """Train a rater on normalised features.

    Args:
        features: (n, d); NaN is missing.
        labels: (n,) true = good.
        weights: (n,) as `anchors.weights` makes them.
        columns: d names.
        languages: of the documents; noted in the rater.
        head: how.
        seed: of the boosters' draws of columns and rows.

    Raises:
        DataError: if one of the classes has no document.
    """
    if labels.all() or not labels.any():
        raise DataError(
            f"a rater needs good and bad documents: all {len(labels)} are {'good' if labels.all() else 'bad'}",
            "add anchors of the other label",
        )
    # Boosters draw rows by position, and sums depend on their order: so the order is made one of the data's own.
    order = np.lexsort((weights, labels, *features.T))
    features, labels, weights = features[order], labels[order], weights[order]
    logistic = _train_logistic(features, labels, weights, head) if head.kind != "boosting" else None
    boosters = (
        tuple(_train_booster(features, labels, weights, head, seed * 1_000 + n) for n in range(head.seeds))
        if head.kind != "logistic"
        else ()
    )
    return Rater(columns, head, seed, languages, logistic, boosters)


def _design(features: Matrix, centre: Matrix, scale: Matrix, missing: NDArray[np.int64]) -> Matrix:
    gaps = np.isnan(features)
    filled = np.where(gaps, 0.0, (features - centre) / scale)
    return np.concatenate([filled, gaps[:, missing]], axis=1)


def _train_logistic(features: Matrix, labels: NDArray[np.bool_], weights: NDArray[np.float64], head: Head) -> Logistic:
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    seen = ~np.isnan(features)
    number = np.maximum(seen.sum(axis=0), 1)
    centre = np.where(seen, features, 0.0).sum(axis=0) / number
    spread = np.sqrt(np.where(seen, (features - centre) ** 2, 0.0).sum(axis=0) / number)
    scale = np.where(spread > 0, spread, 1.0)
    missing = np.flatnonzero(~seen.all(axis=0) & seen.any(axis=0))
    model = LogisticRegression(C=head.inverse_penalty, max_iter=2_000)
    # On several threads a sum is cut elsewhere, and its last bits differ.
    with threadpool_limits(1):
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
