"""The step that makes a rater from labelled documents, and the function that it becomes over a corpus.

A rater folder holds ``rater.json`` and ``booster-N.txt`` (the rater; see `heads.Rater`), ``reference.parquet`` (what is
usual in the languages of the anchors) and ``audit.json`` (see `audit.audit`): text and tables, nothing executable.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.errors import DataError
from glotmix.quality import anchors, features
from glotmix.quality.audit import DRAWS, audit
from glotmix.quality.features import Statistics
from glotmix.quality.heads import Head, Rater
from glotmix.quality.transfer import Labelled
from glotmix.record import Counts, Output

VERSION = 1

Measure: TypeAlias = Callable[[pa.Array, pa.Array], pa.StructArray]
"""From texts and their languages to one struct of numbers each, such as `glotmix.signals.heuristics.measure`."""

SIZES = ("chars", "bytes", "units", "lines")
"""Columns that a rater does not see: anchors are excerpts, and how long an excerpt is says nothing of documents."""


def make(
    output: Output,
    files: Sequence[Path],
    measure: Measure,
    head: Head,
    seed: int,
    audits: int = 3,
    per_class: int = 10_000,
    draws: int = DRAWS,
) -> Counts:
    """Train a rater on anchors and audit it.

    Args:
        output: the rater's folder.
        files: anchor sets, see `anchors.read`.
        measure: makes the features; the same must be applied to the corpus.
        head: how to train.
        seed: of everything that is drawn.
        audits: raters with other seeds that the audit trains, for each language that it leaves out.
        per_class: at most so many good and so many bad anchors of each language.
        draws: bootstrap samples of the audit.

    Returns:
        ``{"documents", "good", "bad", "languages"}``.

    Raises:
        DataError: if the anchors cannot be used, see `anchors.read` and `heads.train`.
    """
    drawn = anchors.draw(anchors.read(files), per_class, seed)
    data = labelled(drawn, measure, per_class)
    rater = data.rater(data.normalised(head.normalise), np.arange(len(data.labels)), head, seed)
    rater.write(output.path)
    features.fit(data.features, data.columns).write(output.path / "reference.parquet")
    lengths = pc.utf8_length(drawn["text"]).to_numpy().astype(np.int64)
    sources = drawn["source"].to_pylist()
    found = audit(data, lengths, head, range(seed, seed + audits), sources, draws)
    (output.path / "audit.json").write_text(json.dumps(found, indent=1, allow_nan=False), "utf-8")
    good = int(data.labels.sum())
    return {
        "documents": len(data.labels),
        "good": good,
        "bad": len(data.labels) - good,
        "languages": len(rater.languages),
    }


def labelled(
    documents: pa.Table, measure: Measure, per_class: int = 10_000, reference: Statistics | None = None
) -> Labelled:
    """Measure anchors (a table of `anchors.SCHEMA`) and return them as a rater sees them."""
    table = documents.combine_chunks()
    langs = table["lang"].combine_chunks()
    found = measure(table["text"].combine_chunks(), langs)
    measured = pa.table({"lang": langs, **{field.name: found.field(at) for at, field in enumerate(found.type)}})
    return Labelled(
        measured,
        np.asarray(table["label"].to_numpy(zero_copy_only=False), bool),
        anchors.groups(table),
        tuple(name for name in features.names(measured) if name not in SIZES),
        reference,
        per_class,
    )


def over(rater: Rater, documents: pa.Table) -> Callable[[pa.Table], NDArray[np.float32]]:
    """Return the rater as a function over a corpus.

    Args:
        rater: a trained rater (`Rater.read` reads one from its folder).
        documents: `lang` and the rater's features of the corpus, or of a fair sample of each of its languages: what
            is usual in the corpus is learned from them. `signals.rate.sample` draws one.

    Returns:
        a function from a table of `lang` and features to (rows,) scores from 0 (bad) to 1 (good).

    Raises:
        DataError: if a feature of the rater is missing.
    """
    if missing := [c for c in rater.columns if c not in documents.column_names]:
        raise DataError(
            f"the rater was trained on {', '.join(missing)}, which the corpus's signal does not have",
            "train the rater again with the signals that you have now",
        )
    usual = features.fit(documents, rater.columns)

    def rate(table: pa.Table) -> NDArray[np.float32]:
        return rater.score(usual.apply(table, rater.head.normalise))

    return rate
