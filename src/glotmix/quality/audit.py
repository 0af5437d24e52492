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

from glotmix.quality import checks
from glotmix.quality.anchors import folds
from glotmix.quality.auc import auc, percentiles, resampled
from glotmix.quality.checks import Figure
from glotmix.quality.heads import Head
from glotmix.quality.transfer import MIN_EACH, Labelled, leave_one_out

VERSION = 1
DRAWS = 1_000

Samples: TypeAlias = dict[str, NDArray[np.float64]]

WEAK, ENOUGH, FEW = 0.6, 0.7, 20
"""An AUC below `WEAK` is no use; one whose interval lies above `ENOUGH` is; fewer good or bad documents than `FEW`
leave doubt whatever they say. These lines are our own."""

FAR = 0.5
"""An offset between languages, in standard deviations, that is worth a note."""


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
        matched: AUC among pairs of one length (`checks.length_matched`).
        follows: Spearman's ρ of score and length among documents of one label.
        offset: how far its scores stand from other languages' on the same documents, in standard deviations.
        human: of the finished rater, on people's labels that it never saw.
        notes: what to know, though it speaks not against the rater in this language.
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
    matched: float | None = None
    follows: float | None = None
    offset: float | None = None
    human: Figure | None = None
    notes: tuple[str, ...] = ()


def audit(
    data: Labelled,
    lengths: NDArray[np.int64],
    head: Head,
    seeds: Sequence[int],
    sources: Sequence[str | None] | None = None,
    draws: int = DRAWS,
    offsets: Sequence[Mapping[str, Any]] = (),
    human: Sequence[Mapping[str, Any]] = (),
    full: bool = False,
) -> dict[str, Any]:
    """Audit a head on labelled documents.

    Args:
        data: the labelled documents.
        lengths: (n,) characters.
        head: how the rater is trained.
        seeds: one rater each; figures are means over them.
        sources: (n,) where each document comes from, if that is known.
        draws: bootstrap samples per language.
        offsets: what `checks.offsets` says of the finished rater on parallel documents.
        human: what `checks.agreement` says of the finished rater on people's labels.
        full: also the matrix from each language to each other and the learning curves: minutes instead of seconds.

    Returns:
        plain data: ``documents, good, bad, head, seeds, draws``; ``mean`` over the languages that can be measured
        (`rater`, `raw`, `gain`, `length`: figures; `between_languages`: the interval of the rater's mean over other
        such languages); one `Judged` per language in ``languages``; ``normalisation``, a sentence; ``offsets`` and
        ``human`` as given; ``matrix`` and ``curve``, see `checks`, null unless `full`.
    """
    if len(set(data.langs)) > 1:
        scores = {
            # One booster for each seed: the seeds are averaged, and they are what is varied.
            "rater": leave_one_out(data, replace(head, seeds=1), seeds),
            "raw": leave_one_out(data, replace(head, seeds=1, normalise="none"), seeds),
            "length": _length_alone(data, lengths, head, seeds),
        }
    else:
        # Of one language nothing can be left out: nothing is measured, and the verdict says so.
        scores = dict.fromkeys(("rater", "raw", "length"), np.full((len(seeds), len(data.labels)), np.nan))
    given = np.array([None] * len(data.labels) if sources is None else list(sources), object)
    judged: list[Judged] = []
    drawn: dict[str, Samples] = {}
    for number, lang in enumerate(sorted(set(data.langs))):
        mine = np.flatnonzero(data.langs == lang)
        own = {name: found[:, mine] for name, found in scores.items()}
        row, samples = _judge(
            lang, data, mine, own, lengths[mine], given[mine], draws, np.random.default_rng([number, *seeds])
        )
        judged.append(_known(row, offsets, human))
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
        "offsets": [dict(o) for o in offsets],
        "human": [dict(h) for h in human],
        "matrix": checks.matrix(data, head, seeds) if full else None,
        "curve": checks.curve(data, head, seeds, draws=draws) if full else None,
    }


def _known(row: Judged, offsets: Sequence[Mapping[str, Any]], human: Sequence[Mapping[str, Any]]) -> Judged:
    """Add to a language what the finished rater says of parallel documents and of people's labels."""
    offset = next((float(o["offset"]) for o in offsets if o["lang"] == row.lang), None)
    told = next((h["auc"] for h in human if h["lang"] == row.lang and h["auc"] is not None), None)
    row = replace(row, offset=offset, human=None if told is None else Figure(**told))
    notes = []
    if offset is not None and abs(offset) > FAR:
        notes.append(
            f"its scores stand {abs(offset):.1f} sd {'above' if offset > 0 else 'below'} other languages' on the same "
            "documents: compare quantiles or calibrated scores"
        )
    return replace(_with_verdict(row), notes=tuple(notes))


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
    from scipy.stats import spearmanr

    labels = data.labels[mine]
    good = int(labels.sum())
    bad = len(labels) - good
    mean_score = scores["rater"].mean(axis=0)
    follows = None
    unseen = bool(np.isnan(mean_score).any())
    if not unseen and len(set(lengths.tolist())) > 1 and len(set(mean_score.tolist())) > 1:
        follows = float(spearmanr(mean_score, lengths).statistic)
    if unseen or not data.measured(lang):
        return Judged(lang, good, bad, None, None, None, None, None, follows, None, None), None
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
        checks.within(labels, mean_score, sources),
    )
    matched, inside = checks.length_matched(labels, mean_score, lengths)
    return replace(row, matched=matched, follows=inside), samples


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
    return checks.within(labels, score, fold)


def _with_verdict(row: Judged) -> Judged:
    verdict, reasons = judge(row)
    return replace(row, verdict=verdict, reasons=reasons)


def judge(row: Judged) -> tuple[str, tuple[str, ...]]:
    """Return the verdict on a language and its reasons."""
    scarce = f"{min(row.good, row.bad)} {'bad' if row.bad <= row.good else 'good'} documents only"
    if row.auc is None:
        few = min(row.good, row.bad) < MIN_EACH
        return "doubtful", (f"not measured: {scarce if few else 'without its labels there are none to learn from'}",)
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
    if row.matched is not None and row.matched < WEAK <= row.auc.value:
        reasons.append(f"among documents of one length it is at {row.matched:.2f}")
    # A source that does as well as the rater may: then nothing says that the rater knows more than it.
    if row.source is not None and row.source >= max(WEAK, row.auc.low):
        reasons.append(f"the source alone reaches {row.source:.2f}")
    if row.within_source is not None and row.within_source < WEAK <= row.auc.value:
        reasons.append(f"within a source it is at {row.within_source:.2f}")
    if row.human is not None and row.human.high < ENOUGH:
        reasons.append(f"people's other labels say {row.human.value:.2f} ({row.human.low:.2f} to {row.human.high:.2f})")
    if row.seed_sd is not None and row.seed_sd > 0.03:
        reasons.append(f"seeds differ by {row.seed_sd:.2f} (sd)")
    return ("doubtful", tuple(reasons)) if reasons else ("usable", ())


def _mean(judged: Sequence[Judged], drawn: Mapping[str, Samples]) -> dict[str, Any] | None:
    """Return the means over the languages that were measured, and the interval that other languages might give."""

    from scipy.stats import t

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
