"""Raters of English joined by Bradley–Terry and carried to languages that nobody labelled, where quality is known: news
stories, whole and damaged in six ways to three degrees (a third, two thirds, all of what a kind does at most).

Eight honest, different, noisy raters see the English training stories alone (`benchmarks._english_raters`). Their
joined votes on pairs are inherited by translations into 24 other languages, and the raters learned from them are
measured on other stories in 21 other languages of 14 scripts. No document in these was labelled, and none inherits a
label or is in a pair; training stories in them, unlabelled, say what is usual there. `pairwise_linked` alone has these
in parallel pairs, too: the same story and damage in two languages, equally good, whatever it is worth. Word order is
learned from excerpts of the web. The truth of a pair is that a whole story is better than a damaged one, and less of
one kind of damage better than more; nothing is claimed across kinds.

`pair_accuracy` is of pairs within a language, `pair_accuracy_crosslingual` of pairs in two. Features and settings were
chosen on 35 other stories in 10 other languages (`benchmarks._carried_world`); the test stories were measured once all
was settled. No embedder is used, so that nothing that was trained on these stories is.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import spearmanr

from benchmarks import _english_raters as english
from benchmarks import harness
from benchmarks._carried_world import REFERENCE, World, config, known_order, world
from benchmarks._damaged import KINDS
from benchmarks.harness import Row
from glotmix.quality import active, bradley_terry, carried, carried_audit, judgements, pairs
from glotmix.quality.bradley_terry import Comparisons
from glotmix.quality.carried_audit import Measured
from glotmix.quality.pairs import Labels

NAME = "raters"
DRAWS = 1_000
METHODS = ("pairwise_all", "pairwise_linked", "pairwise_cross", "pairwise_mono", "pointwise", "zero_shot")
"""All three kinds of pair; the same where a score that is even across languages is wanted (`LINKED`), with unlabelled
stories of the unseen languages in parallel pairs; no parallel pairs; monolingual ones alone; regression on the joined
score by L1; pairs of English alone."""
LINKED = {"parallel": 8.0, "pairs": 60_000, "hidden": 128, "step": 5e-3}
"""Settings of `pairwise_linked`, chosen on the stories and the languages for development."""
ACCURACY = {"pair_accuracy": "accuracy.monolingual", "pair_accuracy_crosslingual": "accuracy.crosslingual"}
LAMBDAS = (0.0, 0.5, 2.0, 8.0, 16.0)


def joined(world: World, scores: NDArray[np.float64], seed: int) -> tuple[Labels, dict[str, float], bradley_terry.Fit]:
    """Join raters of the English training stories: labelled pairs, the score of each group, the fit."""
    groups = np.array([d.group for d in world.english], object)
    left, right = judgements.draw_pairs(np.array([REFERENCE] * len(groups), object), 40, seed)
    votes = Comparisons(left, right, judgements.compare(scores, left, right), len(groups))
    fit = bradley_terry.fit(votes)
    p = bradley_terry.soft_labels(votes, fit.slopes)
    told = ~np.isnan(p)
    labels = Labels(groups[left[told]], groups[right[told]], p[told])
    return labels, dict(zip(groups.tolist(), fit.scores.tolist(), strict=True)), fit


def run(small: bool) -> Iterator[Row]:
    """Measure."""
    yield from aggregation(small)
    yield from learning(small)
    seeds = (0,) if small else (0, 1, 2)
    # A small run is tried on the stories for development: the test is not looked at by the way.
    made = world(small, 0, development=small)
    labels, targets, fit = joined(made, made.scores, 0)
    yield from raters(made, fit)
    clean = measured(made, labels, targets, METHODS, seeds)
    stories = len(set(made.held.sources.tolist()))
    about = {"seeds": list(seeds), "stories": stories, "lambda": config([]).parallel}
    yield from accuracies(clean, METHODS, seeds, about)
    yield from gaps(clean, METHODS, seeds, about)
    yield from by_kind(made, labels, targets, seeds)
    yield from tradeoff(made, labels, targets, seeds)
    yield from robustness(made, clean, seeds)


def measured(
    made: World, labels: Labels, targets: dict[str, float], methods: Sequence[str], seeds: Sequence[int]
) -> dict[tuple[str, str], Measured]:
    """Train every method with every seed and measure all of them on the same samples; one row per method and seed."""
    scores = [score(made, method, labels, targets, seed) for method in methods for seed in seeds]
    return carried_audit.measure(np.stack(scores), made.held.held, made.examined, REFERENCE, DRAWS)


def score(
    made: World, method: str, labels: Labels, targets: dict[str, float], seed: int, parallel: float | None = None
) -> NDArray[np.float64]:
    """Return the scores of the held-out documents by one method."""
    linked = method == "pairwise_linked"
    told = (LINKED if linked else {}) | {"seed": seed} | ({} if parallel is None else {"parallel": parallel})
    settings = config(made.unseen if linked else []).model_copy(update=told)
    name = {"pointwise": "pointwise_l1", "pairwise_linked": "pairwise_all"}.get(method, method)
    learned = made.learned if linked else made.learned.rows(~np.isin(made.learned.langs, made.unseen))
    ranker = carried.train(name, learned, labels, targets, REFERENCE, settings)
    return ranker.score(made.held.features)


def _mean(found: Measured, method: int, seeds: int, draws: NDArray[np.int64]) -> tuple[float, NDArray[np.float64]]:
    """Return the mean over seeds, and draws dealt over the seeds."""
    own = slice(method * seeds, (method + 1) * seeds)
    return float(found.values[own].mean()), found.draws[own][draws % seeds, draws]


def accuracies(
    found: dict[tuple[str, str], Measured], methods: Sequence[str], seeds: Sequence[int], about: dict[str, object]
) -> Iterator[Row]:
    """Yield accuracies per language and their means over the unseen languages, and how much the first method gains."""
    draws = np.arange(DRAWS)
    for label, quantity in ACCURACY.items():
        langs = sorted(lang for q, lang in found if q == quantity and lang not in (REFERENCE, carried_audit.MEAN))
        means = {}
        for at, method in enumerate(methods):
            each = {lang: _mean(found[quantity, lang], at, len(seeds), draws) for lang in langs}
            for lang, (value, drawn) in each.items():
                n = found[quantity, lang].n
                yield Row(NAME, f"{label}.{method}.{lang}", value, *_ends(drawn), n, "share of pairs", about)
            value = float(np.mean([v for v, _ in each.values()]))
            means[method] = (value, np.mean([d for _, d in each.values()], axis=0))
            told = about | {
                "languages": len(langs),
                "between_languages_sd": float(np.std([v for v, _ in each.values()])),
            }
            yield Row(
                NAME, f"{label}.{method}.mean", value, *_ends(means[method][1]), len(langs), "share of pairs", told
            )
        for method in methods[1:]:
            gain = means[methods[0]][1] - means[method][1]
            point = means[methods[0]][0] - means[method][0]
            yield Row(NAME, f"{label}_gain.over_{method}", point, *_ends(gain), len(langs), "share of pairs", about)


def gaps(
    found: dict[tuple[str, str], Measured], methods: Sequence[str], seeds: Sequence[int], about: dict[str, object]
) -> Iterator[Row]:
    """Yield the spread of parallel gaps, and the ratio of the first method's to each other's."""
    draws = np.arange(DRAWS)
    gap = found["gap.sd", carried_audit.MEAN]
    means = {method: _mean(gap, at, len(seeds), draws) for at, method in enumerate(methods)}
    unit = "standard deviations of the score"
    for method, (value, drawn) in means.items():
        yield Row(NAME, f"parallel_gap_sd.{method}", value, *_ends(drawn), gap.n, unit, about)
    for one, other in [*((methods[0], m) for m in methods[1:]), (methods[1], methods[2])]:
        ratio = means[one][1] / means[other][1]
        name = f"to_{other}" if one == methods[0] else f"{one.removeprefix('pairwise_')}_to_{other}"
        point = means[one][0] / means[other][0]
        yield Row(NAME, f"parallel_gap_ratio.{name}", point, *_ends(ratio), gap.n, "ratio", about)


def by_kind(made: World, labels: Labels, targets: dict[str, float], seeds: Sequence[int]) -> Iterator[Row]:
    """Yield the accuracy by kind of damage, and by how far apart two degrees are, in the unseen languages."""
    told = (made.examined.kind == pairs.MONOLINGUAL) & (made.held.langs[made.examined.left] != REFERENCE)
    left, right = made.examined.left[told], made.examined.right[told]
    scores = np.stack([score(made, METHODS[0], labels, targets, seed) for seed in seeds])
    right_way = ((scores[:, left] > scores[:, right]) == (made.examined.p[told] > 0.5)).mean(axis=0)
    whole = (made.kinds[left] == "none") | (made.kinds[right] == "none")
    thirds = np.rint(3 * np.abs(made.grades[left] - made.grades[right])).astype(int)
    cells = [
        (f"by_kind.{kind}.{name}", ((made.kinds[left] == kind) | (made.kinds[right] == kind)) & mine)
        for kind in KINDS
        for name, mine in (("whole", whole), ("degree", ~whole))
    ]
    for name, mine in (("whole", whole), ("degree", ~whole)):
        cells += [(f"by_step.{name}.{n}_thirds", mine & (thirds == n)) for n in (1, 2, 3)]
    for name, mine in cells:
        if mine.any():
            value, n = float(right_way[mine].mean()), int(mine.sum())
            yield Row(NAME, f"pair_accuracy_{name}", value, None, None, n, "share of pairs", {"seeds": list(seeds)})


def tradeoff(made: World, labels: Labels, targets: dict[str, float], seeds: Sequence[int]) -> Iterator[Row]:
    """Yield what λ buys and costs, for `pairwise_all` and for `pairwise_linked`: all rows are shown."""
    ways = [(METHODS[0], weight) for weight in LAMBDAS] + [(METHODS[1], weight) for weight in (0.5, 8.0, 16.0)]
    scores = [score(made, method, labels, targets, seed, weight) for method, weight in ways for seed in seeds]
    found = carried_audit.measure(np.stack(scores), made.held.held, made.examined, REFERENCE, DRAWS)
    gap, draws = found["gap.sd", carried_audit.MEAN], np.arange(DRAWS)
    without = _mean(gap, 0, len(seeds), draws)
    for at, (method, weight) in enumerate(ways):
        name = f"tradeoff.{method.removeprefix('pairwise_')}.lambda_{weight:g}".replace("0.5", "half")
        about = {"lambda": weight, "seeds": list(seeds)}
        for metric, quantity in ACCURACY.items():
            langs = [lang for q, lang in found if q == quantity and lang not in (REFERENCE, carried_audit.MEAN)]
            each = [_mean(found[quantity, lang], at, len(seeds), draws) for lang in langs]
            value, drawn = float(np.mean([v for v, _ in each])), np.mean([d for _, d in each], axis=0)
            yield Row(NAME, f"{name}.{metric}", value, *_ends(drawn), len(langs), "share of pairs", about)
        value, drawn = _mean(gap, at, len(seeds), draws)
        yield Row(NAME, f"{name}.parallel_gap_sd", value, *_ends(drawn), gap.n, None, about)
        if at:
            ends = _ends(drawn / without[1])
            yield Row(NAME, f"{name}.parallel_gap_ratio", value / without[0], *ends, gap.n, "ratio", about)


def raters(made: World, fit: bradley_terry.Fit) -> Iterator[Row]:
    """Yield how good each rater and the joined score are on the training stories: by the truth, which none was told."""
    truth = known_order(made.english, 0)
    at = {d.group: number for number, d in enumerate(made.english)}
    left, right = (np.array([at[g] for g in side]) for side in (truth.left, truth.right))
    for name, column, rater in zip(english.NAMES, made.scores.T, fit.raters, strict=True):
        vote = judgements.compare(column[:, None], left, right)[:, 0]
        known = ~np.isnan(vote)
        value = float(np.where(truth.p[known] > 0.5, vote[known], 1 - vote[known]).mean())
        about = {"slope": rater.slope, "low": rater.low, "high": rater.high, "status": rater.status}
        yield Row(NAME, f"rater_accuracy.{name}", value, None, None, int(known.sum()), "share of pairs", about)
    value = float(((fit.scores[left] > fit.scores[right]) == (truth.p > 0.5)).mean())
    yield Row(NAME, "rater_accuracy.joined", value, None, None, len(left), "share of pairs")


def robustness(made: World, clean: dict[tuple[str, str], Measured], seeds: Sequence[int]) -> Iterator[Row]:
    """Yield what three random raters and an inverted one, of twelve, cost."""
    rng = np.random.default_rng(9)
    n = len(made.english)
    planted = np.column_stack([made.scores, rng.normal(size=(n, 3)), -made.reverse])
    labels, targets, fit = joined(made, planted, 0)
    for name, rater in zip(
        ("random-1", "random-2", "random-3", "inverted"), fit.raters[len(english.NAMES) :], strict=True
    ):
        yield Row(
            NAME,
            f"planted.{name}.slope",
            rater.slope,
            rater.low,
            rater.high,
            rater.votes,
            None,
            {"status": rater.status},
        )
    bad = measured(made, labels, targets, METHODS[:1], seeds)
    draws = np.arange(DRAWS)
    quantity = "accuracy.monolingual"
    langs = [lang for q, lang in clean if q == quantity and lang not in (REFERENCE, carried_audit.MEAN)]
    one, two = ([_mean(found[quantity, lang], 0, len(seeds), draws) for lang in langs] for found in (clean, bad))
    value = float(np.mean([v for v, _ in two]))
    yield Row(
        NAME, "pair_accuracy.pairwise_all_planted.mean", value, *_ends(np.mean([d for _, d in two], axis=0)), len(langs)
    )
    loss = np.mean([a - b for (_, a), (_, b) in zip(one, two, strict=True)], axis=0)
    point = float(np.mean([v for v, _ in one])) - value
    about = {"raters": "8 honest, 3 random, 1 inverted"}
    yield Row(NAME, "robustness.loss", point, *_ends(loss), len(langs), "share of pairs", about)


def _ends(drawn: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def votes(raters_: int, count: int, size: int, seed: int) -> tuple[NDArray[np.float64], Comparisons]:
    """Return true qualities and the votes of raters with errors of their own; the last two are random and inverted."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=size)
    left, right = judgements.draw_pairs(np.array(["x"] * size, object), 2 * round(count / size), seed)
    columns = [truth + rng.normal(scale=0.5 + at / 2, size=size) for at in range(raters_ - 2)]
    columns += [rng.normal(size=size), -truth + rng.normal(size=size)]
    return truth, Comparisons(left, right, judgements.compare(np.column_stack(columns), left, right), size)


def aggregate(count: int, size: int) -> None:
    """Join five raters of `count` pairs; a process of its own, so that its memory is its own."""
    truth, given = votes(5, count, size, 0)
    began, used = time.monotonic(), time.process_time()
    fit = bradley_terry.fit(given)
    seconds, used = time.monotonic() - began, time.process_time() - used
    status = " ".join(r.status.replace(" ", "-") for r in fit.raters)
    print(f"{seconds} {used} {len(given.left)} {spearmanr(fit.scores, truth).statistic} {status}")


def aggregation(small: bool) -> Iterator[Row]:
    """Yield seconds and memory of joining five raters of a million pairs."""
    count, size = (50_000, 5_000) if small else (1_000_000, 100_000)
    code = f"from benchmarks.raters import aggregate; aggregate({count}, {size})"
    cost = harness.measure([sys.executable, "-c", code], env={"PYTHONPATH": str(Path("src").resolve())})
    if cost.exit:
        raise harness.BenchmarkError(f"joining failed:\n{cost.output}")
    told = cost.output.split()
    pairs_, about = int(told[2]), {"raters": 5, "documents": size, "spearman": float(told[3]), "status": told[4:]}
    yield Row(NAME, "aggregation.seconds", float(told[0]), None, None, pairs_, "s", about)
    # On a machine that others keep busy, what it took of a processor is what can be compared.
    yield Row(NAME, "aggregation.cpu_seconds", float(told[1]), None, None, pairs_, "s", about)
    yield Row(NAME, "aggregation.peak_mb", cost.peak_mb, None, None, pairs_, "MB", about)


def learning(small: bool) -> Iterator[Row]:
    """Yield what active selection saves, for judges that are seldom and often wrong, with its learning curves."""
    size, worlds = (100, 2) if small else (300, 8)
    budgets = [size * k for k in range(1, 11)]
    for name, scale in (("sharp", 4.0), ("middling", 2.0), ("blunt", 1.0)):
        curves: dict[str, list[list[float]]] = {"active": [], "random": []}
        saved = []
        for seed in range(worlds):
            truth = np.random.default_rng([seed, 5]).normal(size=size) * scale

            def judge(a: NDArray[np.int64], b: NDArray[np.int64], number: int, truth=truth) -> NDArray[np.float64]:
                return (np.random.default_rng([number, 6]).random(len(a)) < expit(truth[a] - truth[b])).astype(float)

            def quality(s: NDArray[np.float64], truth=truth) -> float:
                return float(spearmanr(s, truth).statistic)

            both = [
                list(active.learning_curve(judge, quality, size, budgets, choose, seed=seed))
                for choose in (active.next_pairs, active.random_pairs)
            ]
            for label, curve in zip(curves, both, strict=True):
                curves[label].append([q for _, q in curve])
            # Where active selection does not get there, it saves nothing that was seen.
            saved.append(active.saved(*both) or 0.0)
        about = {"documents": size, "worlds": worlds, "sd_of_log_odds": scale}
        low, high = harness.interval(saved)
        yield Row(NAME, f"active.saved.{name}", float(np.mean(saved)), low, high, worlds, "share of judgements", about)
        for label, found in curves.items():
            for budget, column in zip(budgets, np.array(found).T, strict=True):
                if budget in (budgets[1], budgets[4], budgets[9]):
                    low, high = harness.interval(column.tolist())
                    metric = f"active.curve.{name}.{label}.{budget}"
                    yield Row(NAME, metric, float(column.mean()), low, high, worlds, "Spearman's ρ", about)


if __name__ == "__main__":
    harness.main(NAME, run)
