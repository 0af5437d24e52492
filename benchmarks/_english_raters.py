"""Eight raters of English text: honest, different and noisy. None is told the truth of a document that it rates, and
none reads another language.

Each is a model of its own kind and features, trained on English of other kinds than what is rated (health sentences,
essays on open source, children's stories), whole and damaged. A rater that was trained to is no judge of its own
making: the damage it learned from was drawn anew, on other texts. Their accuracies are among the benchmark's rows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import harness
from benchmarks._damaged import Document, documents
from glotmix.core.sentences import cut
from glotmix.quality.rater_features import see
from glotmix.quality.word_order import COLUMNS as WORDING
from glotmix.quality.word_order import Wording
from glotmix.signals.layout import COLUMNS as FORM

NAMES = ("structure", "form", "letters", "wording", "ridge", "net-1", "net-2", "trees")
FEATURES = ("structure", "form", "wording")
BLOCK = 14
HARM = 0.8
"""What the least damage costs of what the worst does, in the eyes of a trained rater: any damage is bad."""


@dataclass(frozen=True)
class TrainingSpec:
    """Texts with their features.

    Args:
        documents: the texts.
        names: d features.
        seen: (n, d) features against the mean and the spread of their own corpus; NaN is missing.
    """

    documents: Sequence[Document]
    names: tuple[str, ...]
    seen: NDArray[np.float64]

    def of(self, *kinds: str) -> NDArray[np.float64]:
        """Return the features of some kinds, missing ones at their mean."""
        own = {"form": list(FORM), "wording": [f"wording_{n}" for n in WORDING]}
        rest = {name for names in own.values() for name in names}
        wanted = {name for kind in kinds for name in own.get(kind, ())}
        kept = [n in wanted or ("structure" in kinds and n not in rest) for n in self.names]
        return np.clip(np.nan_to_num(self.seen[:, kept]), -5, 5)

    @property
    def worth(self) -> NDArray[np.float64]:
        """(n,) what a trained rater is told: 0 for whole texts, less for damaged ones."""
        grades = np.array([d.grade for d in self.documents])
        return np.where(grades > 0, -HARM - (1 - HARM) * grades, 0.0)


def lesson(given: Sequence[Document], wording: Wording) -> TrainingSpec:
    """Look at texts."""
    texts, langs = pa.array([d.text for d in given]), pa.array([d.lang for d in given])
    table = see(texts, langs, FEATURES, {}, wording).drop_columns(["lang"])
    values = np.column_stack([np.asarray(c.to_numpy(), float) for c in table.columns])
    spread = np.nanstd(values, axis=0)
    return TrainingSpec(
        given, tuple(table.column_names), (values - np.nanmean(values, axis=0)) / np.where(spread > 0, spread, 1)
    )


def rate(given: Sequence[Document], wording: Wording, seed: int) -> NDArray[np.float64]:
    """Return (documents, raters) scores of English documents, higher for better: `NAMES`, and one more to be turned."""
    taught = {name: lesson(made, wording) for name, made in training(seed).items()}
    rated = lesson(given, wording)
    health, essays, stories = ([taught[name]] for name in ("health", "essays", "stories"))
    return np.column_stack(
        [
            _trees(health + stories, rated, ("structure",), seed),
            _trees(essays + stories, rated, ("form",), seed),
            _letters(essays, rated),
            _trees(health, rated, ("form", "wording"), seed),
            _ridge(essays + health, rated, ("structure", "form")),
            _net(stories + essays, rated, ("structure", "form", "wording"), seed),
            _net(health + essays, rated, ("structure", "form", "wording"), seed + 1),
            _trees(stories, rated, ("structure", "form", "wording"), seed),
            _trees(essays + health, rated, ("structure", "form", "wording"), seed + 2),
        ]
    )


def training(seed: int) -> dict[str, list[Document]]:
    """Return English of three kinds, whole and damaged: each text in ten versions."""
    made = {}
    for at, (name, texts) in enumerate({"health": _health(), "essays": _essays(), "stories": _stories()}.items()):
        made[name] = documents({"eng_Latn": texts}, sorted(texts), 9, seed + 10 + at)
    return made


def _rows(file: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = pq.read_table(harness.data(file), filters=[("lang", "=", "en")]).to_pylist()
    return found


def _health() -> dict[str, list[str]]:
    rows = sorted(_rows("tico19.parquet"), key=lambda row: row["i"])
    lines = [row["text"].strip() for row in rows]
    return {f"health-{n}": lines[at : at + BLOCK] for n, at in enumerate(range(0, len(lines) - BLOCK, BLOCK))}


def _essays() -> dict[str, list[str]]:
    """Sections of the Open Source Guides, heading first."""
    found = {}
    for row in _rows("opensource_guides.parquet"):
        for number, section in enumerate(re.split(r"\n#+ ", row["text"])):
            plain = re.sub(r"<[^>]*>|\]\([^)]*\)|[*_`>#\[]", "", section)
            found[f"{row['article']}-{number}"] = _passage(plain)
    return {name: lines for name, lines in found.items() if len(lines) >= 6}


def _stories() -> dict[str, list[str]]:
    """Children's stories, title first."""
    found = {}
    for row in _rows("african_storybook.parquet"):
        plain = "\n".join(line.strip("# ") for line in row["text"].split("* License")[0].split("\n"))
        found[f"story-{row['story']}"] = _passage(plain)
    return {name: lines for name, lines in found.items() if len(lines) >= 6}


def _passage(text: str) -> list[str]:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return [*lines[:1], *(sentence for line in lines[1:] for sentence in cut(line, "eng_Latn"))][:BLOCK]


def _joined(lessons: Sequence[TrainingSpec], kinds: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.concatenate([one.of(*kinds) for one in lessons]), np.concatenate([one.worth for one in lessons])


def _trees(
    lessons: Sequence[TrainingSpec], rated: TrainingSpec, kinds: Sequence[str], seed: int
) -> NDArray[np.float64]:
    """Boosted trees on some features."""
    import lightgbm

    x, y = _joined(lessons, kinds)
    told: Mapping[str, Any] = {
        "objective": "l2", "num_leaves": 15, "learning_rate": 0.05, "feature_fraction": 0.5, "seed": seed,
        "deterministic": True, "num_threads": 1, "verbose": -1, "force_row_wise": True,
    }  # fmt: skip
    model = lightgbm.train(dict(told), lightgbm.Dataset(x, y), num_boost_round=300)
    return np.asarray(model.predict(rated.of(*kinds)), float)


def _letters(lessons: Sequence[TrainingSpec], rated: TrainingSpec) -> NDArray[np.float64]:
    """Logistic regression on hashed letters, whole or damaged: what a fastText rater looks at."""
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import LogisticRegression

    hashed = HashingVectorizer(analyzer="char", ngram_range=(1, 4), n_features=2**15)
    learned = [d for one in lessons for d in one.documents]
    model = LogisticRegression(C=30.0, max_iter=500, class_weight="balanced")
    model.fit(hashed.transform([d.text for d in learned]), [d.grade < 0.5 for d in learned])
    return np.asarray(model.decision_function(hashed.transform([d.text for d in rated.documents])), float)


def _ridge(lessons: Sequence[TrainingSpec], rated: TrainingSpec, kinds: Sequence[str]) -> NDArray[np.float64]:
    """Ridge regression on some features and their squares."""
    from sklearn.linear_model import Ridge

    x, y = _joined(lessons, kinds)
    z = rated.of(*kinds)
    model = Ridge(alpha=10.0).fit(np.hstack([x, x**2]), y)
    return np.asarray(model.predict(np.hstack([z, z**2])), float)


def _net(lessons: Sequence[TrainingSpec], rated: TrainingSpec, kinds: Sequence[str], seed: int) -> NDArray[np.float64]:
    """A layer of 64 units on some features."""
    from sklearn.neural_network import MLPRegressor

    x, y = _joined(lessons, kinds)
    # It ends when a tenth of what it is given is no longer told better, or after 60 rounds: either is meant.
    model = MLPRegressor(
        hidden_layer_sizes=(64,), alpha=1.0, max_iter=60, early_stopping=True, n_iter_no_change=60, random_state=seed
    )
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(x, y)
    return np.asarray(model.predict(rated.of(*kinds)), float)
