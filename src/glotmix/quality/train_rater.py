"""The step that makes a rater from labelled documents.

A rater folder holds ``rater.json`` and ``rater.safetensors`` (see `scorer.Rater`) and ``training.parquet``: what it
learned from, as features, so that the audit can train others of its kind.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core import table
from glotmix.core.errors import DataError
from glotmix.core.record import Counts, Output
from glotmix.embed.protocol import Embedder
from glotmix.quality import anchors, classifier_bank, lengths, negatives, normalizer, probability
from glotmix.quality.config import Negatives
from glotmix.quality.heads import Head
from glotmix.quality.names import Against, Strategy
from glotmix.quality.normalizer import LanguageNormalizer
from glotmix.quality.rater import Rater
from glotmix.quality.raters_config import STRUCTURE
from glotmix.quality.reference import SIZE
from glotmix.quality.transfer import Labelled, Versions

VERSION = 5

Measure: TypeAlias = Callable[[pa.Array, pa.Array], pa.StructArray]
"""From texts and their languages to one struct of numbers each, such as `glotmix.signals.heuristics.measure`."""

SIZES = ("chars", "bytes", "units", "lines")
"""Columns that are no features: anchors are excerpts, and how long an excerpt is says nothing of documents. The
characters are looked at all the same: what is usual in a text depends on its length."""

TRAINING, VERSIONS = "training.parquet", "versions.parquet"
_ABOUT = ("label", "group", "source", "length", "held_out")
_EMBED_ROWS = 1_024


@dataclass(frozen=True)
class FeatureExtractor:
    """What a rater sees of a text.

    Args:
        measure: makes the structural columns; None where it sees none.
        embedders: by the names that the recipe calls them; their vectors stand in this order.
        max_chars: how much of a text each sees, by name; all of it where nothing is said.
        models: what each is loaded by (`glotmix.embed.choose.load`), where that is not its name.
    """

    measure: Measure | None
    embedders: Mapping[str, Embedder] = field(default_factory=dict)
    max_chars: Mapping[str, int] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)

    def see(self, texts: pa.Array, langs: pa.Array) -> pa.Table:
        """Return the features of texts: ``lang``, the structural columns, and a column of vectors per embedder."""
        columns: dict[str, pa.Array] = {"lang": langs}
        if self.measure is not None:
            found = self.measure(texts, langs)
            columns |= {
                f.name: found.field(at) for at, f in enumerate(found.type) if f.name == SIZE or f.name not in SIZES
            }
        for name, embedder in self.embedders.items():
            columns[name] = embedded(texts, embedder, self.max_chars.get(name))
        return pa.table(columns)


def embedded(texts: pa.Array, embedder: Embedder, max_chars: int | None = None) -> pa.Array:
    """Return the vectors of texts in half precision, as the signal holds them."""
    plain = (texts if max_chars is None else pc.utf8_slice_codeunits(texts, 0, max_chars)).to_pylist()
    parts = [embedder.embed(plain[at : at + _EMBED_ROWS]) for at in range(0, len(plain), _EMBED_ROWS)]
    found = np.concatenate(parts) if parts else np.zeros((0, embedder.width), np.float32)
    return pa.FixedSizeListArray.from_arrays(pa.array(found.astype(np.float16).ravel()), embedder.width)


@dataclass(frozen=True)
class TrainingSpec:
    """What a rater learns from.

    Args:
        files: labelled anchors, see `anchors.read`.
        positives: files of good documents; bad ones are drawn from the corpus, for the languages that both have.
        corpus: where they are drawn from.
        negatives: how.
        per_class: at most so many good and so many bad documents of each language.
        upsample: see `anchors.weights`.
        strategy: see `panel`.
        against: what features are held against; with the reference, anchors are learned from at several lengths.
    """

    files: Sequence[Path] = ()
    positives: Sequence[Path] = ()
    corpus: Path | None = None
    negatives: Negatives = "random"
    per_class: int = 10_000
    upsample: float = 3.0
    strategy: Strategy = "pooled"
    against: Against = "corpus"


def make(output: Output, lesson: TrainingSpec, eyes: FeatureExtractor, head: Head, seed: int) -> Counts:
    """Train a rater.

    Args:
        output: the rater's folder.
        lesson: what it learns from.
        eyes: what it sees; the same must be applied to the corpus.
        head: how it learns.
        seed: of everything that is drawn.

    Returns:
        ``{"documents", "good", "bad", "languages"}``.

    Raises:
        DataError: if the anchors cannot be used, see `anchors.read` and `heads.train`.
    """
    data, about = gather(lesson, eyes, head, seed)
    trained = classifier_bank.train(data, head, seed, lesson.strategy)
    marks = {name: one.fingerprint for name, one in eyes.embedders.items()}
    held = probability.hold_out(data, head, seed)
    chance = probability.fit(data, held, trained)
    Rater(trained, data.usual, marks, max_chars=eyes.max_chars, models=eyes.models, probability=chance).write(
        output.path
    )
    about |= probability.as_table(held, data)
    table.write(pa.table({c: data.features[c] for c in data.features.column_names} | about), output.path / TRAINING)
    if data.versions is not None:
        parents = pa.array(data.versions.parents, pa.list_(pa.int32()))
        table.write(data.versions.features.append_column("parents", parents), output.path / VERSIONS)
    good = int(data.labels.sum())
    output.notes["anchors"] = {lang: list(count) for lang, count in anchors.counts(_counted(data)).items()}
    return {
        "documents": len(data.labels),
        "good": good,
        "bad": len(data.labels) - good,
        "languages": len(set(data.langs)),
    }


def _counted(data: Labelled) -> pa.Table:
    return pa.table({"lang": data.features["lang"], "label": data.labels})


def gather(lesson: TrainingSpec, eyes: FeatureExtractor, head: Head, seed: int) -> tuple[Labelled, dict[str, pa.Array]]:
    """Return the documents that a rater learns from, and their labels, groups, sources and lengths as columns.

    With Q3, a first rater of the same making learns from random negatives; it scores others of the corpus, and the
    negatives are drawn from the third quarter of its scores. No document serves in both rounds.

    Raises:
        DataError: if there are none, or no language of the positives is in the corpus.
    """
    drawn = [anchors.draw(anchors.read(lesson.files), lesson.per_class, seed)] if lesson.files else []
    if not lesson.positives:
        return _labelled(pa.concat_tables(drawn), eyes, lesson)
    good = anchors.draw(anchors.read(lesson.positives, label=True), lesson.per_class, seed)
    if lesson.corpus is None:
        raise DataError("negatives are drawn from a corpus, and there is none")
    have = {lang: count for lang, (count, _) in anchors.counts(good).items()}
    wanted = {lang: min(lesson.per_class, round(lesson.upsample * count)) for lang, count in have.items()}
    hard = lesson.negatives == "q3"
    pool = {lang: count * (1 + negatives.POOL if hard else 1) for lang, count in wanted.items()}
    others = negatives.draw(lesson.corpus, pool, set(good["text"].to_pylist()), seed)
    if others.num_rows == 0:
        raise DataError(
            f"the corpus has no document in a language of the positives ({', '.join(sorted(have))})",
            "add positives in the corpus's languages, or leave quality.positives empty",
        )
    # A language that the corpus has no documents of would be good throughout: it could only teach what a language is.
    good = good.filter(pc.is_in(good["lang"], value_set=pc.unique(others["lang"]).cast(pa.string())))
    langs = np.asarray(others["lang"].to_pylist(), object)
    early = negatives.first(langs, wanted)
    data, about = _labelled(pa.concat_tables([*drawn, good, others.filter(pa.array(early))]), eyes, lesson)
    if not hard:
        return data, about
    first = classifier_bank.train(data, head, seed, lesson.strategy)
    late = others.filter(pa.array(~early)).combine_chunks()
    if late.num_rows == 0:
        raise DataError(
            "Q3 has no documents to draw from: the corpus is no larger than its first round", "negatives=random"
        )
    seen = eyes.see(late["text"].combine_chunks(), late["lang"].combine_chunks())
    own = langs[~early]
    scores = first.log_odds(data.usual.apply(seen, head.normalise), own)
    inside = np.flatnonzero(negatives.band(scores, own))
    chosen = inside[negatives.first(own[inside], wanted)]
    return _labelled(pa.concat_tables([*drawn, good, late.take(pa.array(chosen))]), eyes, lesson)


def _labelled(
    documents: pa.Table, eyes: FeatureExtractor, lesson: TrainingSpec
) -> tuple[Labelled, dict[str, pa.Array]]:
    documents = anchors.ordered(documents)
    data = labelled(documents, eyes, lesson.per_class, lesson.upsample, against=lesson.against)
    return data, {
        "label": pa.array(data.labels),
        "group": pa.array(data.group),
        "source": documents["source"].combine_chunks(),
        "length": pc.utf8_length(documents["text"]).combine_chunks().cast(pa.int64()),
    }


def labelled(
    documents: pa.Table,
    eyes: FeatureExtractor,
    per_class: int = 10_000,
    upsample: float = 3.0,
    reference: LanguageNormalizer | None = None,
    against: Against = "corpus",
) -> Labelled:
    """Look at anchors (a table of `anchors.SCHEMA`) and return them as a rater sees them, in `anchors.ordered` order.

    Args:
        documents: the anchors.
        eyes: what is seen.
        per_class: see `anchors.weights`; also `upsample`.
        reference: what is usual; None to learn it from the anchors, or with `against` to take the reference that ships.
        against: see `normalizer.fit`; with the reference, the anchors are seen at other lengths too.
    """
    held = anchors.ordered(documents).combine_chunks()
    seen = eyes.see(held["text"].combine_chunks(), held["lang"].combine_chunks())
    labels = np.asarray(held["label"].to_numpy(zero_copy_only=False), bool)
    versions = None
    if against == "reference":
        reference = reference or normalizer.fit(seen, taught(seen), against)
        made = lengths.versions(held["text"].to_pylist(), held["lang"].to_pylist(), labels.tolist())
        langs = pa.array([held["lang"][own[0]].as_py() for _, own in made], pa.string())
        versions = Versions(
            eyes.see(pa.array([text for text, _ in made], pa.string()), langs), tuple(own for _, own in made)
        )
    return Labelled(
        seen,
        labels,
        anchors.groups(held),
        normalizer.names(seen) if against == "corpus" else taught(seen),
        reference,
        per_class,
        upsample,
        versions,
        edited=versions is not None,
    )


def taught(seen: pa.Table, least: float = 0.01) -> tuple[str, ...]:
    """Return the features that labelled documents can teach: numbers that differ in at least that share of them.

    Anchors that are excerpts of a few lines teach nothing of short lines; a rater that had seen three such documents
    would take every list for junk.
    """
    found = []
    for name in normalizer.names(seen):
        column = seen[name].combine_chunks()
        if not normalizer.is_vector(column.type):
            counts = pc.value_counts(column.drop_null())
            most = pc.max(counts.field("counts")).as_py() if len(counts) else 0
            if most > (1 - least) * max(len(column) - column.null_count, 1):
                continue
        found.append(name)
    return tuple(found)


def training(folder: Path, per_class: int, upsample: float) -> tuple[Labelled, NDArray[np.int64], list[str | None]]:
    """Return what a rater learned from: the documents, their lengths in characters and their sources.

    Raises:
        DataError: if the folder holds no rater.
    """
    path = folder / TRAINING
    if not path.is_file():
        raise DataError(f"{folder} does not say what its rater learned from", "glotmix signals RECIPE")
    rows = table.read([path])
    seen = rows.drop_columns([name for name in _ABOUT if name in rows.column_names])
    reference, versions = None, None
    if (folder / VERSIONS).is_file():
        reference = normalizer.fit(seen, taught(seen), "reference")
        others = table.read([folder / VERSIONS])
        parents = tuple(tuple(own) for own in others["parents"].to_pylist())
        versions = Versions(others.drop_columns(["parents"]), parents)
    data = Labelled(
        seen,
        np.asarray(rows["label"].to_numpy(zero_copy_only=False), bool),
        rows["group"].to_numpy(),
        normalizer.names(seen) if reference is None else taught(seen),
        reference,
        per_class,
        upsample,
        versions,
        edited=versions is not None,
    )
    return data, rows["length"].to_numpy(), rows["source"].to_pylist()


__all__ = ["STRUCTURE", "FeatureExtractor", "TrainingSpec", "gather", "labelled", "make", "training"]
