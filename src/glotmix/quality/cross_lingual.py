"""A rater learned from joined raters and carried across languages: trained, compared with other ways, audited, saved.

Whole sources are held out, in all their languages. The raters that are compared (pairwise with all kinds of pair,
without parallel pairs, monolingual alone, English alone; pointwise) see the same features of the same documents; the
one that is saved is the pairwise one with all three kinds.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core import language
from glotmix.core.errors import DataError
from glotmix.quality import cross_lingual_audit, normalizer, pairs, ranker
from glotmix.quality.bradley_terry import Floats, Ints
from glotmix.quality.classifier_bank import POOLED, ClassifierBank
from glotmix.quality.cross_lingual_audit import Held, Measured
from glotmix.quality.joined import Joined
from glotmix.quality.normalizer import LanguageNormalizer
from glotmix.quality.pairs import CROSSLINGUAL, MONOLINGUAL, PARALLEL, Labels
from glotmix.quality.ranker import Ranker
from glotmix.quality.rater import Rater
from glotmix.quality.raters_config import RatersConfig, TrainConfig
from glotmix.quality.word_order import Wording

CHOSEN = "pairwise_all"
METHODS = (CHOSEN, "pairwise_cross", "pairwise_mono", "zero_shot", "pointwise_l1", "pointwise_bce")
"""All three kinds of pair; without the parallel ones; monolingual ones alone; those of the reference language alone;
regression on the joined score by L1, and by cross-entropy."""

AUDIT = "carried.json"
HELD_PAIRS = 4_000


@dataclass(frozen=True)
class Material:
    """What a rater is trained or measured on.

    Args:
        features: (n, d).
        groups: (n,) what translations share.
        langs: (n,) languages.
        sources: (n,) what is never divided.
        chars: (n,) lengths.
    """

    features: Floats
    groups: NDArray[np.object_]
    langs: NDArray[np.object_]
    sources: NDArray[np.object_]
    chars: Ints

    def rows(self, chosen: NDArray[np.bool_]) -> "Material":
        """Return some of the documents."""
        return Material(*(value[chosen] for value in vars(self).values()))

    @property
    def held(self) -> Held:
        """The documents as the audit sees them."""
        return Held(self.groups, self.langs, self.sources, self.chars)


def train(
    method: str, material: Material, labels: Labels, targets: Mapping[str, float], reference: str, config: TrainConfig
) -> Ranker:
    """Train one of `METHODS`.

    Args:
        method: which.
        material: training documents.
        labels: labelled pairs of groups.
        targets: group → joined score, for the pointwise ways.
        reference: the language of ``zero_shot``.
        config: how.

    Raises:
        DataError: if there is nothing to learn from.
    """

    from scipy.special import expit

    linked = [language.parse(code).code for code in config.linked]
    if method.startswith("pointwise"):
        rows = np.flatnonzero(
            np.array([group in targets for group in material.groups], bool) & ~np.isin(material.langs, linked)
        )
        y = np.array([targets[group] for group in material.groups[rows]])
        if not len(y):
            raise DataError("no document of the training half has a joined score")
        y = (y - y.mean()) / (y.std() or 1.0)
        # As many documents as pairs: both ways take as many steps.
        drawn = np.random.default_rng([config.seed, 2]).choice(rows.size, int(2.5 * config.pairs))
        if method == "pointwise_l1":
            return ranker.pointwise(material.features, rows[drawn], y[drawn], "l1", config)
        return ranker.pointwise(material.features, rows[drawn], expit(2 * y)[drawn], "bce", config)
    if method == "zero_shot":
        mine = material.langs == reference
        found = pairs.draw(material.groups[mine], material.langs[mine], labels, config.pairs, config.seed)
        return ranker.pairwise(material.features[mine], found.only([MONOLINGUAL]), config)
    kinds = {
        "pairwise_all": [MONOLINGUAL, CROSSLINGUAL, PARALLEL],
        "pairwise_cross": [MONOLINGUAL, CROSSLINGUAL],
        "pairwise_mono": [MONOLINGUAL],
    }[method]
    found = pairs.draw(material.groups, material.langs, labels, config.pairs, config.seed, linked)
    return ranker.pairwise(material.features, found.only(kinds), config)


def material(documents: pa.Table, features: Floats) -> Material:
    """Return documents (``lang, text, group, source``) with their features as material."""
    columns = [np.asarray(documents[name].to_pylist(), object) for name in ("group", "lang", "source")]
    chars = np.asarray(pc.utf8_length(documents["text"]).to_numpy(), np.int64)
    return Material(features, columns[0], columns[1], columns[2], chars)


@dataclass(frozen=True)
class Carried:
    """A carried rater and its audit.

    Args:
        scorer: applies it.
        audit: plain data: ``methods`` (each ``mean`` and ``languages``), ``differences``, ``told``, ``warnings``.
    """

    scorer: Rater
    audit: dict[str, Any]

    def write(self, folder: Path) -> None:
        """Write ``rater.json``, ``rater.safetensors`` and the audit."""
        folder.mkdir(parents=True, exist_ok=True)
        self.scorer.write(folder)
        text = json.dumps(self.audit, ensure_ascii=False, indent=1, allow_nan=False)
        (folder / AUDIT).write_text(text, "utf-8")


def carry(
    joined: Joined,
    seen: pa.Table,
    config: RatersConfig,
    embedders: Mapping[str, str],
    seed: int,
    models: Mapping[str, str] | None = None,
    wording: Wording | None = None,
) -> Carried:
    """Train the rater on what was joined, compare it with the other ways, and audit it.

    Args:
        joined: the raters' votes on the parallel documents.
        seen: the documents' features, row for row: ``lang``, measured columns, columns of vectors.
        config: how.
        embedders: name → fingerprint, of the columns of vectors.
        seed: of the split.
        models: what each embedder is loaded by, where that is not its name.
        wording: the models of word order that were looked at.

    Raises:
        DataError: if a split leaves nothing to train or to measure on.
    """
    sources = np.asarray(joined.documents["source"].to_pylist(), object)
    held = pairs.hold_out(sources, config.held_out, seed)
    columns = normalizer.names(seen)
    # What is usual is learned from the training half alone, labelled or not.
    known: LanguageNormalizer = normalizer.fit(seen.filter(pa.array(~held)), columns)
    every = material(joined.documents, known.apply(seen, config.train.normalise))
    learned, test = every.rows(~held), every.rows(held)
    labels = joined.labels()
    mine = labels.among(set(learned.groups.tolist()))
    reference = language.parse(config.reference).code
    judged = set(np.concatenate([mine.left, mine.right]).tolist())
    scores = joined.fit.scores
    total: dict[str, list[float]] = {}
    for group, score, rated in zip(every.groups, scores, joined.rated, strict=True):
        if rated and group in judged:
            total.setdefault(group, []).append(float(score))
    targets = {group: float(np.mean(values)) for group, values in total.items()}
    made = {method: train(method, learned, mine, targets, reference, config.train) for method in METHODS}
    theirs = labels.among(set(test.groups.tolist()))
    if not len(theirs.p):
        raise DataError(
            "no labelled pair has both its documents among those held out", "raters.held_out: a larger share"
        )
    examined = pairs.draw(test.groups, test.langs, theirs, HELD_PAIRS, seed)
    found = cross_lingual_audit.measure(
        np.stack([one.score(test.features) for one in made.values()]), test.held, examined, reference, seed=seed
    )
    chosen = made[CHOSEN].rater(known.names, config.train, sorted(set(learned.langs.tolist())))
    scorer = Rater(
        ClassifierBank("pooled", {POOLED: chosen}, {}), known, embedders, models=models or {}, wording=wording
    )
    return Carried(scorer, _audit(found, list(made), learned, test, mine, joined))


def _audit(
    found: Mapping[tuple[str, str], Measured],
    methods: list[str],
    learned: Material,
    test: Material,
    labels: Labels,
    joined: Joined,
) -> dict[str, Any]:
    differences = {
        f"{CHOSEN} − {other}": {
            quantity: found[quantity, cross_lingual_audit.MEAN].difference(0, at)
            for quantity in ("accuracy.monolingual", "accuracy.crosslingual", "gap.sd")
            if (quantity, cross_lingual_audit.MEAN) in found
        }
        for at, other in enumerate(methods)
        if other != CHOSEN
    }
    own = cross_lingual_audit.told(found, 0, test.held)
    warnings = list(joined.warnings)
    if len(set(learned.groups.tolist())) == len(learned.groups):
        warnings.append(
            "no document has a translation among the others (column group): nothing was learned across languages"
        )
    for lang, figures in own["languages"].items():
        length = figures.get("length")
        if length is not None and abs(length["value"]) > 0.5 and length["low"] * length["high"] > 0:
            warnings.append(f"{lang}: the score follows length (ρ = {length['value']:.2f})")
        accuracy = figures.get("accuracy.monolingual")
        if accuracy is not None and accuracy["low"] <= 0.5:
            warnings.append(f"{lang}: its pairs are not ordered better than by chance")
    return {
        "trained": {
            "documents": len(learned.langs),
            "sources": len(set(learned.sources.tolist())),
            "pairs": len(labels.p),
            "languages": sorted(set(learned.langs.tolist())),
        },
        "held": {"documents": len(test.langs), "sources": len(set(test.sources.tolist()))},
        "methods": {name: cross_lingual_audit.told(found, at, test.held) for at, name in enumerate(methods)},
        "differences": differences,
        "told": [_sentence(name, quantity, d) for name, row in differences.items() for quantity, d in row.items()],
        "where": where(found, methods),
        "warnings": warnings,
    }


def where(found: Mapping[tuple[str, str], Measured], methods: list[str]) -> dict[str, Any]:
    """Say in which languages pairwise is better than pointwise by L1, worse, or neither: by 95 % intervals."""
    verdicts: dict[str, Any] = {}
    if "pointwise_l1" not in methods:
        return verdicts
    one, other = methods.index(CHOSEN), methods.index("pointwise_l1")
    for (quantity, lang), measured in found.items():
        if quantity.startswith("accuracy.") and lang != cross_lingual_audit.MEAN:
            gain = measured.difference(one, other)
            word = "pairwise" if gain["low"] > 0 else "pointwise" if gain["high"] < 0 else "neither"
            verdicts.setdefault(quantity, {})[lang] = gain | {"better": word}
    return verdicts


def _sentence(name: str, quantity: str, d: Mapping[str, Any]) -> str:
    word = "differs" if d["low"] > 0 or d["high"] < 0 else "no difference is shown"
    return f"{quantity}, {name}: {d['value']:+.3f} ({d['low']:+.3f} to {d['high']:+.3f}): {word}"
