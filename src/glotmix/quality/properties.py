"""Heads of further properties that labels hold: whether a text is adult, machine-translated, or in the wrong language.

Each property has a head of its own, a logistic regression on the heuristics against the reference, as the rater has;
its probabilities are Platt's (1999), and its audit is over groups of documents that were held out in turn. A property
with too few labels has no head, and says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core import table
from glotmix.core.context import RunContext
from glotmix.core.errors import DataError
from glotmix.core.record import Counts, Output, digest_file
from glotmix.core.rules import LanguageSetting, LedgerView, Rule, RuleHits, Through, share
from glotmix.core.step import Column, StepSpec
from glotmix.quality import anchors, normalizer, probability, reference, train_rater
from glotmix.quality.anchors import PROPERTIES
from glotmix.quality.auc import auc, percentiles, resampled
from glotmix.quality.heads import Classifier, Head
from glotmix.quality.load import feature_extractor
from glotmix.quality.normalizer import LanguageNormalizer
from glotmix.quality.steps import labelled_files
from glotmix.quality.transfer import Labelled
from glotmix.signals import heuristics
from glotmix.signals.annotate import parts

VERSION = 1

LEAST, FOLDS, DRAWS = 10, 5, 500
"""Documents that have a property, and that have not, from which it has a head; folds and bootstrap samples of its
audit."""
HEAD = Head(kind="logistic")
_FIELDS = ("text", "lang", "group", "source", *PROPERTIES)


@dataclass(frozen=True)
class PropertyHead:
    """What tells one property.

    Args:
        head: gives the log odds of not having it.
        slope: of the sigmoid on them; also `offset`.
    """

    head: Classifier
    slope: float
    offset: float

    def chance(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n,) P(the text has the property) of (n, d) features."""
        from scipy.special import expit

        return np.asarray(1 - expit(self.slope * self.head.log_odds(matrix) + self.offset), np.float64)


def read(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Return the rows of label files that say something of a property: ``text, lang, group, source``, and each property
    as true, false or None.

    Raises:
        DataError: for a property that is neither true nor false, a text that is missing, or a language that is none.
    """
    found = []
    for path in files:
        for where, row in anchors.rows(path):
            held = {name: row.get(name) for name in PROPERTIES}
            if all(value is None for value in held.values()):
                continue
            for name, value in held.items():
                if value not in (None, 0, 1):
                    raise DataError(f"{where}: {name} is {value!r}", "write 1 or true, 0 or false, or leave it out")
            # Text and language are checked as anchors' are; the label of naturalness is not needed.
            checked = anchors.checked([(where, row | {"label": 0})], where).to_pylist()[0]
            found.append(checked | {name: None if value is None else bool(value) for name, value in held.items()})
    return found


def train(
    rows: Sequence[Mapping[str, Any]], seed: int
) -> tuple[LanguageNormalizer, dict[str, PropertyHead], dict[str, dict[str, Any]]]:
    """Train a head for each property that enough rows speak of.

    Returns:
        what features are held against; the heads by property; the audits: ``n, has, languages, auc, low, high, why``.
    """
    held = anchors.ordered(pa.Table.from_pylist([dict(row) | {"label": False} for row in rows], _SCHEMA))
    eyes = feature_extractor(("structure",), {})
    seen = eyes.see(held["text"].combine_chunks(), held["lang"].combine_chunks())
    columns = train_rater.taught(seen)
    usual = normalizer.fit(seen, columns, "reference")
    group = anchors.groups(held)
    heads: dict[str, PropertyHead] = {}
    told: dict[str, dict[str, Any]] = {}
    for name in PROPERTIES:
        said = held[name].combine_chunks()
        known = np.flatnonzero(said.is_valid().to_numpy(zero_copy_only=False))
        has = np.array([bool(value) for value in said.take(pa.array(known)).to_pylist()], bool)
        langs = sorted(set(held["lang"].take(pa.array(known)).to_pylist()))
        audit: dict[str, Any] = {"n": len(known), "has": int(has.sum()), "languages": langs}
        told[name] = audit
        if min(has.sum(), (~has).sum()) < LEAST or len(np.unique(group[known])) < FOLDS:
            audit["why"] = f"needs {LEAST} labels with it and {LEAST} without: no head"
            continue
        data = Labelled(seen.take(pa.array(known)), ~has, group[known], columns, usual)
        matrix = data.normalised(HEAD.normalise)
        fold = anchors.folds(data.group, FOLDS, seed)
        odds = np.full(len(known), np.nan)
        for one in range(FOLDS):
            rest = np.flatnonzero(fold != one)
            if data.labels[rest].any() and not data.labels[rest].all():
                odds[fold == one] = data.rater(matrix, rest, HEAD, seed).log_odds(matrix[fold == one])
        fair = np.isfinite(odds)
        slope, offset = probability.sigmoid(odds[fair], data.labels[fair])
        drawn = resampled(data.labels[fair], odds[None, fair], DRAWS, np.random.default_rng(seed))
        low, high = percentiles(drawn[0])
        audit |= {"auc": auc(data.labels[fair], odds[fair]), "low": low, "high": high}
        heads[name] = PropertyHead(data.rater(matrix, np.arange(len(known)), HEAD, seed), slope, offset)
    return usual, heads, told


_SCHEMA = pa.schema([*anchors.SCHEMA, *(pa.field(name, pa.bool_()) for name in PROPERTIES)])


def _make(context: RunContext, output: Output) -> Counts:
    rows = read(labelled_files(context))
    if not rows:
        raise DataError(
            f"no label of quality.anchors says anything of {', '.join(PROPERTIES)}",
            "glotmix label RECIPE LANGUAGE, or quality.properties=false",
        )
    usual, heads, told = train(rows, context.recipe.seed)
    output.notes["audits"] = dict(told)
    output.notes["warnings"] = [f"{name}: {one['why']}" for name, one in told.items() if "why" in one]
    units = parts(context.corpus)

    def rate(part: str, folder: Path) -> Counts:
        found = pq.read_table(context.step_dir("signals/heuristics") / f"{part}.parquet")
        seen = found.append_column("lang", table.read(units[part], ["lang"])["lang"])
        matrix = usual.apply(seen, HEAD.normalise)
        columns = {
            name: pa.array(heads[name].chance(matrix), pa.float32())
            if name in heads
            else pa.nulls(len(matrix), pa.float32())
            for name in PROPERTIES
        }
        table.write(pa.table({"id": found["id"], **columns}), folder / f"{part}.parquet")
        return {"documents": found.num_rows}

    return output.each({part: part for part in units}, rate, here=True) | {"heads": len(heads)}


def _dropped(view: LedgerView) -> list[RuleHits]:
    found = view.signal("signals/properties")
    names = list(zip(view.documents["lang"].to_pylist(), view.documents["source"].to_pylist(), strict=True))
    hits = []
    for name in PROPERTIES:
        lines = {one: view.setting(*one, f"properties.{name}") for one in set(names)}
        at = np.array([np.nan if lines[one] is None else float(lines[one]) for one in names], np.float64)
        chance = found[name].to_numpy(zero_copy_only=False).astype(np.float64)
        rows = np.flatnonzero(chance >= at)
        evidence = [f"P({name}) {chance[row]:.2f} of at least {at[row]:g}" for row in rows.tolist()]
        hits.append(RuleHits(f"properties.{name}", rows, evidence))
    return hits


def _asked(context: RunContext) -> bool:
    return context.recipe.quality is not None and bool(context.recipe.quality.properties)


STEPS = StepSpec(
    name="signals/properties",
    code=("glotmix.quality.properties", "glotmix.quality.train_rater"),
    make=_make,
    wanted=_asked,
    needs=lambda context: (*context.corpus_steps, "signals/heuristics"),
    config=lambda context: {
        "seed": context.recipe.seed,
        "heuristics": heuristics.VERSION,
        "reference": reference.digests("reference"),
    },
    inputs=lambda context: {f"anchors {n}": digest_file(path) for n, path in enumerate(labelled_files(context))},
    per_document=True,
    columns=tuple(
        Column(name, "float32", f"how likely it is {name.replace('_', ' ')}; null without enough labels", "probability")
        for name in PROPERTIES
    ),
    rules=(
        Rule(
            "properties",
            _dropped,
            55,
            tuple(
                LanguageSetting(
                    f"properties.{name}",
                    ...,
                    "a probability, or null",
                    lambda v: v is None or share(v),
                    Through((f"properties.{name}",), "from", f"properties.{name}"),
                )
                for name in PROPERTIES
            ),
            "a head of the recipe's labels says that it has a property that is not wanted",
        ),
    ),
    meaning="what the recipe's labels teach of further properties",
    place=53,
)
