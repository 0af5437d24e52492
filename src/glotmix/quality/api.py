"""A rater in two calls: `glotmix.quality.train(labels).score(texts, langs)`; `read` opens one that was saved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.core.errors import RequestError
from glotmix.core.shown import Sheet, Shown
from glotmix.core.tabular import as_table, texts
from glotmix.embed import choose
from glotmix.embed.protocol import Embedder
from glotmix.quality import anchors, classifier_bank, load, probability, train_rater
from glotmix.quality.heads import Head, both
from glotmix.quality.names import Against, Kind, Strategy
from glotmix.quality.rater import Rater
from glotmix.quality.raters_config import STRUCTURE


@dataclass(frozen=True, eq=False, repr=False)
class TrainedRater(Shown):
    """A model that says how good a text is, for its language.

    Args:
        rater: the model.
        embedders: those whose vectors it reads, by name.
        labels: language → good and bad documents that it learned from; empty for one that was read from a folder.
    """

    rater: Rater
    embedders: Mapping[str, Embedder] = field(default_factory=dict)
    labels: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def score(
        self, documents: Any, langs: Sequence[str] | str | None = None, as_: str = "score"
    ) -> NDArray[np.float64]:
        """Return how good each document is.

        Args:
            documents: texts, or a table with ``text`` and ``lang``: Arrow, pandas, Polars, a dict of columns, a list of
                dicts.
            langs: languages of texts: one code for all, or one each.
            as_: ``score``; ``quantile`` (within the language) or ``calibrated`` (comparable across languages), for a
                rater that rated a corpus.

        Returns:
            (n,) numbers from 0 (bad) to 1 (good), in the order of the documents.

        Raises:
            RequestError: if there is no text or no language.
            DataError: for ``quantile`` and ``calibrated`` where the rater has seen no corpus.
        """
        table = texts(documents, langs)
        if "lang" not in table.column_names:
            raise RequestError("a text is rated within its language, and none is given", 'score(texts, "fra_Latn")')
        rated = load.function(self.rater, self.embedders, as_)
        if not table.num_rows:
            return np.empty(0)
        return rated(table["text"].to_pylist(), table["lang"].to_pylist())

    def save(self, folder: str | Path) -> Path:
        """Write it into a folder, for `read`, a recipe's ``quality.pretrained`` and datatrove; return the folder."""
        at = Path(folder)
        at.mkdir(parents=True, exist_ok=True)
        self.rater.write(at)
        return at

    def sheet(self) -> Sheet:
        """See `Shown`."""
        reads = " + ".join(f"{part['name']} ({part['numbers']})" for part in self.rater.reads)
        rows = [(lang, good, bad) for lang, (good, bad) in sorted(self.labels.items())]
        return Sheet(f"a rater that reads {reads}", ("language", "good", "bad"), rows)


def train(
    labels: Any = "builtin",
    features: Sequence[str] = (STRUCTURE,),
    head: Kind = "logistic",
    strategy: Strategy = "pooled",
    per_language: int = 10_000,
    upsample: float = 3.0,
    against: Against = "reference",
    seed: int = 0,
) -> TrainedRater:
    """Train a rater on labelled documents.

    Args:
        labels: a table with ``text, lang, label`` (true or 1 is good), maybe ``group`` (what belongs together) and
            ``source``; files of such, ``.jsonl`` or ``.parquet``; or ``builtin``, the set that ships.
        features: ``structure`` (the heuristics), and names of embedders, such as ``static``.
        head: logistic regression, gradient ``boosting``, ``both`` (their mean), or ``mlp`` (needs torch).
        strategy: whose labels teach the rater of a language.
        per_language: documents of each label that a language gives at most.
        upsample: how often a document of a scarce language counts at most.
        against: what features are held against: the ``reference`` that ships, or what is usual among the labelled
            documents (``corpus``).
        seed: of everything that is drawn.

    Raises:
        DataError: naming the first document that cannot be used; if all labels are one.
        RequestError: if there is no embedder of that name.
    """
    documents = anchors.draw(_labels(labels), per_language, seed)
    both(documents["label"].to_numpy(zero_copy_only=False))
    embedders = {name: choose.load(name) for name in features if name != STRUCTURE}
    eyes = load.feature_extractor(features, embedders)
    data = train_rater.labelled(documents, eyes, per_language, upsample, against=against)
    bank = classifier_bank.train(data, Head(kind=head), seed, strategy)
    chance = probability.fit(data, probability.hold_out(data, Head(kind=head), seed), bank)
    marks = {name: one.fingerprint for name, one in embedders.items()}
    return TrainedRater(Rater(bank, data.usual, marks, probability=chance), embedders, anchors.counts(documents))


def read(folder: str | Path, embedders: Mapping[str, Embedder] | None = None) -> TrainedRater:
    """Open a rater that was saved, by `TrainedRater.save`, ``glotmix quality export`` or ``glotmix raters train``.

    Args:
        folder: the rater's.
        embedders: those whose vectors it reads, by name; those that glotmix knows by name need not be given.

    Raises:
        DataError: if there is no rater.
        RequestError: if an embedder is missing, one too many, or another than in training.
    """
    rater, given = load.opened(Path(folder), embedders)
    return TrainedRater(rater, given)


def _labels(given: Any) -> pa.Table:
    if isinstance(given, str | Path):
        return anchors.read([anchors.shipped() if given == "builtin" else Path(given)])
    if isinstance(given, list | tuple) and given and all(isinstance(one, str | Path) for one in given):
        return anchors.read([anchors.shipped() if one == "builtin" else Path(one) for one in given])
    table = as_table(given, "the labels")
    return anchors.checked((f"labels, row {at}", row) for at, row in enumerate(table.to_pylist()))
