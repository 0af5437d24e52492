"""The audit of a rater: what it measures in a language that it has no labels of, and what it merely echoes.

Every figure comes from raters that saw no label of the language that they are judged on (`transfer.leave_one_out`).
Beside each stand the figures that a rater must beat: the same head without normalisation, length alone, and the
source alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import spearmanr, t

from glotmix.quality.anchors import folds
from glotmix.quality.auc import auc, percentiles, resampled
from glotmix.quality.heads import Head
from glotmix.quality.transfer import MIN_EACH, Labelled, leave_one_out

DRAWS = 1_000

Samples: TypeAlias = dict[str, NDArray[np.float64]]

WEAK, ENOUGH, FEW = 0.6, 0.7, 20
"""An AUC below `WEAK` is no use; one whose interval lies above `ENOUGH` is; fewer good or bad documents than `FEW`
leave doubt whatever they say. These lines are our own."""


@dataclass(frozen=True)
class Figure:
    """A number with its 95 % bootstrap interval (over documents and seeds)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Judged:
    """What the audit found in one language. None is what could not be measured.

    Args:
        lang: the language.
        good: its good documents.
        bad: its bad ones.
        auc: of the rater, as trained on the other languages.
        raw: of the same head on features as they are.
        gain: of normalisation: `auc` − `raw` on the same bootstrap samples.
        seed_sd: standard deviation of the AUC over seeds.
        length: AUC of a rater that sees the length alone, trained on the other languages.
        length_correlation: Spearman's, of score and length.
        source: AUC of the source alone (its share of good documents, by five-fold cross-validation).
        within_source: AUC among pairs of one source.
        verdict: ``usable``, ``doubtful`` or ``unusable``.
        reasons: why not usable.
    """

    lang: str
    good: int
    bad: int
    auc: Figure | None
    raw: Figure | None
    gain: Figure | None
    seed_sd: float | None
    length: float | None
    length_correlation: float | None
    source: float | None
    within_source: float | None
    verdict: str = ""
    reasons: tuple[str, ...] = ()


def audit(
    data: Labelled,
    lengths: NDArray[np.int64],
    head: Head,
    seeds: Sequence[int],
    sources: Sequence[str | None] | None = None,
    draws: int = DRAWS,
) -> dict[str, Any]:
    """Audit a head on labelled documents.

    Args:
        data: the labelled documents.
        lengths: (n,) characters.
        head: how the rater is trained.
        seeds: one rater each; figures are means over them.
        sources: (n,) where each document comes from, if that is known.
        draws: bootstrap samples per language.

    Returns:
        plain data: ``documents, good, bad, head, seeds, draws``; ``mean`` over the languages that can be measured
        (`rater`, `raw`, `gain`, `length`: figures; `between_languages`: the interval of the rater's mean over other
        such languages); one `Judged` per language in ``languages``; ``normalisation``, a sentence.
    """
    scores = {
        "rater": leave_one_out(data, head, seeds),
        "raw": leave_one_out(data, replace(head, normalise="none"), seeds),
        "length": _length_alone(data, lengths, head, seeds),
    }
    given = np.array([None] * len(data.labels) if sources is None else list(sources), object)
    judged: list[Judged] = []
    drawn: dict[str, Samples] = {}
    for number, lang in enumerate(sorted(set(data.langs))):
        mine = np.flatnonzero(data.langs == lang)
        own = {name: found[:, mine] for name, found in scores.items()}
        row, samples = _judge(
            lang, data, mine, own, lengths[mine], given[mine], draws, np.random.default_rng([number, *seeds])
        )
        judged.append(row)
        if samples is not None:
            drawn[lang] = samples
    mean = _mean(judged, drawn)
    return {
        "documents": len(data.labels),
        "good": int(data.labels.sum()),
        "bad": int((~data.labels).sum()),
        "columns": list(data.columns),
        "head": asdict(head),
        "seeds": list(seeds),
        "draws": draws,
        "min_each": MIN_EACH,
        "mean": mean,
        "normalisation": _normalisation(head, mean),
        "languages": [asdict(j) for j in judged],
    }


def _length_alone(data: Labelled, lengths: NDArray[np.int64], head: Head, seeds: Sequence[int]) -> NDArray[np.float64]:
    table = pa.table({"lang": data.features["lang"], "length": np.log1p(lengths)})
    alone = Labelled(table, data.labels, data.group, ("length",), per_class=data.per_class)
    # Of one feature a line is all there is to learn; without chance, one seed stands for all.
    found = leave_one_out(alone, replace(head, kind="logistic"), seeds[:1])
    return np.repeat(found, len(seeds), axis=0)


def _judge(
    lang: str,
    data: Labelled,
    mine: NDArray[np.int64],
    scores: Samples,
    lengths: NDArray[np.int64],
    sources: NDArray[np.object_],
    draws: int,
    rng: np.random.Generator,
) -> tuple[Judged, Samples | None]:
    labels = data.labels[mine]
    good = int(labels.sum())
    bad = len(labels) - good
    mean_score = scores["rater"].mean(axis=0)
    follows = None
    if len(set(lengths.tolist())) > 1 and len(set(mean_score.tolist())) > 1:
        follows = float(spearmanr(mean_score, lengths).statistic)
    if not data.measured(lang):
        row = Judged(lang, good, bad, None, None, None, None, None, follows, None, None)
        return _with_verdict(row), None
    samples = _samples(labels, scores, draws, rng)
    point = {name: [auc(labels, s) or 0.0 for s in found] for name, found in scores.items()}
    figures = {name: Figure(float(np.mean(point[name])), *percentiles(samples[name])) for name in ("rater", "raw")}
    gain = Figure(figures["rater"].value - figures["raw"].value, *percentiles(samples["rater"] - samples["raw"]))
    row = Judged(
        lang,
        good,
        bad,
        figures["rater"],
        figures["raw"],
        gain,
        float(np.std(point["rater"], ddof=1)) if len(point["rater"]) > 1 else None,
        float(np.mean(point["length"])),
        follows,
        source_alone(labels, sources, data.group[mine], seed=0),
        within_source(labels, mean_score, sources),
    )
    return _with_verdict(row), samples


def _samples(labels: NDArray[np.bool_], scores: Samples, draws: int, rng: np.random.Generator) -> Samples:
    """Return the draws of each rater: all from the same documents, and dealt over the seeds."""
    found = resampled(labels, np.concatenate(list(scores.values())), draws, rng)
    count = len(next(iter(scores.values())))
    deal = np.arange(draws) % count
    return {name: found[at * count + deal, np.arange(draws)] for at, name in enumerate(scores)}


def source_alone(
    labels: NDArray[np.bool_], sources: NDArray[np.object_], group: NDArray[np.int64], seed: int
) -> float | None:
    """Return the AUC of knowing nothing but a document's source: its share of good documents in the other folds.

    None where there are not two sources, or too few documents. Five folds, in which groups stay whole; a source's
    share is smoothed by one document of the language's mean.
    """
    known = np.array([s is not None for s in sources], bool)
    labels, sources, group = labels[known], sources[known], group[known]
    if len(set(sources)) < 2 or len(set(group.tolist())) < 5:
        return None
    fold = folds(group, 5, seed)
    score = np.empty(len(labels))
    for held in range(5):
        test, rest = fold == held, fold != held
        for source in set(sources[test]):
            seen = rest & (sources == source)
            score[test & (sources == source)] = (labels[seen].sum() + labels[rest].mean()) / (seen.sum() + 1)
    # Pairs of one fold only: what a source's share is in one fold and in another says more of the folds than of it.
    return within_source(labels, score, fold.astype(object))


def within_source(labels: NDArray[np.bool_], scores: NDArray[np.float64], sources: NDArray[np.object_]) -> float | None:
    """Return the AUC among the pairs (good, bad) that come from one source; None where there is no such pair."""
    won, pairs = 0.0, 0
    for source in {s for s in sources if s is not None}:
        mine = sources == source
        of = int(labels[mine].sum()) * int((~labels[mine]).sum())
        won += of * (auc(labels[mine], scores[mine]) or 0.0)
        pairs += of
    return won / pairs if pairs else None


def _with_verdict(row: Judged) -> Judged:
    verdict, reasons = judge(row)
    return replace(row, verdict=verdict, reasons=reasons)


def judge(row: Judged) -> tuple[str, tuple[str, ...]]:
    """Return the verdict on a language and its reasons."""
    scarce = f"{min(row.good, row.bad)} {'bad' if row.bad <= row.good else 'good'} documents only"
    if row.auc is None:
        return "doubtful", (f"not measured: {scarce}",)
    found = f"AUC {row.auc.value:.2f} ({row.auc.low:.2f} to {row.auc.high:.2f})"
    if row.auc.high < ENOUGH or row.auc.value < WEAK:
        return "unusable", (f"{found} on languages' labels that it has not seen",)
    reasons = []
    if row.auc.low < ENOUGH:
        reasons.append(f"{found}: it may be below {ENOUGH}")
    if min(row.good, row.bad) < FEW:
        reasons.append(scarce)
    if row.length is not None and row.length >= row.auc.value - 0.02:
        reasons.append(f"length alone reaches {row.length:.2f}")
    if row.length_correlation is not None and abs(row.length_correlation) > 0.5:
        reasons.append(f"it follows length (ρ = {row.length_correlation:.2f})")
    if row.source is not None and row.source >= row.auc.value - 0.02:
        reasons.append(f"the source alone reaches {row.source:.2f}")
    if row.within_source is not None and row.within_source < WEAK <= row.auc.value:
        reasons.append(f"within a source it is at {row.within_source:.2f}")
    if row.seed_sd is not None and row.seed_sd > 0.03:
        reasons.append(f"seeds differ by {row.seed_sd:.2f} (sd)")
    return ("doubtful", tuple(reasons)) if reasons else ("usable", ())


def _mean(judged: Sequence[Judged], drawn: Mapping[str, Samples]) -> dict[str, Any] | None:
    """Return the means over the languages that were measured, and the interval that other languages might give."""
    measured = [(j.auc, j.raw, j.gain, j.length) for j in judged if j.auc and j.raw and j.gain and j.length is not None]
    if not measured:
        return None
    draws = {name: np.mean([d[name] for d in drawn.values()], axis=0) for name in ("rater", "raw", "length")}
    draws["gain"] = draws["rater"] - draws["raw"]
    rater, raw, gain, length = zip(*measured, strict=True)
    points = {
        "rater": [f.value for f in rater],
        "raw": [f.value for f in raw],
        "gain": [f.value for f in gain],
        "length": list(length),
    }
    found: dict[str, Any] = {k: asdict(Figure(float(np.mean(v)), *percentiles(draws[k]))) for k, v in points.items()}
    between = None
    if len(measured) > 1:
        # Student's interval over the languages: they are few, and another draw of them would give another mean.
        reach = t.ppf(0.975, len(measured) - 1) * np.std(points["rater"], ddof=1) / np.sqrt(len(measured))
        between = [found["rater"]["value"] - float(reach), found["rater"]["value"] + float(reach)]
    return {"languages": len(measured), **found, "between_languages": between}


def _normalisation(head: Head, mean: Mapping[str, Any] | None) -> str:
    if mean is None:
        return "Not measured: no language has enough good and bad documents."
    if head.normalise == "none":
        return "The features are used as they are."
    gain = mean["gain"]
    effect = "makes no difference that these labels show"
    if gain["low"] > 0 or gain["high"] < 0:
        effect = "helps" if gain["low"] > 0 else "does harm"
    return (
        f"Normalisation per language ({head.normalise}) {effect}: {mean['rater']['value']:.3f} against "
        f"{mean['raw']['value']:.3f} without, {gain['value']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})."
    )
