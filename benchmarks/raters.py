"""Raters of English joined by Bradley–Terry and carried to languages that nobody labelled, where quality is known: news
stories, whole and damaged in six ways to three degrees (a third, two thirds, all of what a kind does at most).

Eight honest, different, noisy raters see the English training stories alone (`benchmarks._english_raters`). Their
joined votes on pairs are inherited by translations into 24 other languages, and the raters learned from them are
measured on other stories in 21 other languages of 14 scripts. No document in these was labelled. Word order is learned
from excerpts of the web. The truth of a pair is that a whole story is better than a damaged one, and less of one kind
of damage better than more; nothing is claimed across kinds.

The same settings for all methods, and features as they are, as MuRating's encoder has them. Parallel pairs need no
label: those of `pairwise_all` hold translations of training stories into the unseen languages, too, and versions that
nobody rated; those of `pairwise_unlinked` only the languages that inherit labels. `….normalised` are the same methods
where each feature is held against what is usual in its language, as unlabelled training stories in that language tell.

88 stories are tested, a third at a time, by raters that learned from the other two thirds; features and settings were
chosen on 35 other stories in 10 other languages (`benchmarks._carried_world`). Intervals are over stories (bootstrap
within each third) and seeds. `pair_accuracy` is of pairs within a language, `pair_accuracy_crosslingual` of pairs in
two. No embedder is used, so that nothing that was trained on these stories is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks import _english_raters as english
from benchmarks import harness
from benchmarks._carried_world import FOLDS, REFERENCE, World, config, known_order, world
from benchmarks._damaged import KINDS
from benchmarks._joining import aggregation, learning
from benchmarks.harness import Row
from glotmix.quality import bradley_terry, cross_lingual, cross_lingual_audit, judgements, pairs
from glotmix.quality.bradley_terry import Comparisons
from glotmix.quality.cross_lingual_audit import MEAN, Measured
from glotmix.quality.names import Normalise
from glotmix.quality.pairs import Labels

NAME = "raters"
DRAWS = 1_000


@dataclass(frozen=True)
class Method:
    """A way to learn a rater.

    Args:
        train: its name in `carried.train`.
        how: how its features are normalised.
        linked: whether parallel pairs hold documents in the unseen languages.
        parallel: λ, where it is not the benchmark's.
    """

    train: str
    how: Normalise = "none"
    linked: bool = False
    parallel: float | None = None


METHODS = {
    "pairwise_all": Method("pairwise_all", linked=True),
    "pairwise_unlinked": Method("pairwise_all"),
    "pairwise_cross": Method("pairwise_cross"),
    "pairwise_mono": Method("pairwise_mono"),
    "pointwise": Method("pointwise_l1"),
    "zero_shot": Method("zero_shot"),
    "pairwise_all.normalised": Method("pairwise_all", "z", linked=True),
    "pairwise_mono.normalised": Method("pairwise_mono", "z"),
    "zero_shot.normalised": Method("zero_shot", "z"),
}
"""All three kinds of pair, with the unseen languages and without; no parallel pairs; monolingual ones alone; regression
on the joined score by L1; pairs of English alone."""
FIRST = "pairwise_all"
AGAINST = {
    FIRST: (
        "pairwise_unlinked",
        "pairwise_cross",
        "pairwise_mono",
        "pointwise",
        "zero_shot",
        "pairwise_all.normalised",
    ),
    "pairwise_all.normalised": ("pairwise_mono.normalised", "zero_shot.normalised"),
}
"""What is compared with what, on the same samples."""
ACCURACY = {"pair_accuracy": "accuracy.monolingual", "pair_accuracy_crosslingual": "accuracy.crosslingual"}
LAMBDAS = (0.0, 0.5, 4.0)
LABELLED = (10, 30)
"""Training stories that raters rate, for the curve of labels."""


@dataclass(frozen=True)
class Task:
    """A world with its joined raters."""

    world: World
    labels: Labels
    targets: dict[str, float]
    fit: bradley_terry.Fit


def joined(made: World, scores: NDArray[np.float64], stories: int | None = None) -> Task:
    """Join raters of the English training stories, or of some of them."""
    rows = np.arange(len(made.english))
    if stories is not None:
        names = sorted({d.source for d in made.english})
        some = set(np.random.default_rng(3).permutation(names)[:stories].tolist())
        rows = np.array([i for i in rows if made.english[i].source in some])
    groups = np.array([made.english[i].group for i in rows], object)
    left, right = judgements.draw_pairs(np.array([REFERENCE] * len(groups), object), 40, 0)
    votes = Comparisons(left, right, judgements.compare(scores[rows], left, right), len(groups))
    fit = bradley_terry.fit(votes)
    p = bradley_terry.soft_labels(votes, fit.slopes)
    told = ~np.isnan(p)
    labels = Labels(groups[left[told]], groups[right[told]], p[told])
    return Task(made, labels, dict(zip(groups.tolist(), fit.scores.tolist(), strict=True)), fit)


def score(task: Task, method: Method, seed: int) -> NDArray[np.float64]:
    """Return the scores of the held-out documents by one method."""
    made = task.world
    settings = config(method.how, made.unseen if method.linked else [], seed)
    if method.parallel is not None:
        settings = settings.model_copy(update={"parallel": method.parallel})
    learned = made.learned[method.how]
    if not method.linked:
        learned = learned.rows(~np.isin(learned.langs, made.unseen))
    ranker = cross_lingual.train(method.train, learned, task.labels, task.targets, REFERENCE, settings)
    return ranker.score(made.held[method.how].features)


@dataclass(frozen=True)
class Found:
    """What was measured of some methods, each with every seed, over all thirds of the stories.

    Args:
        names: the methods.
        seeds: how many.
        measured: by quantity and language; a row per method and seed.
    """

    names: tuple[str, ...]
    seeds: int
    measured: Mapping[tuple[str, str], Measured]

    def of(self, name: str, quantity: str, lang: str) -> tuple[float, NDArray[np.float64]]:
        """Return a method's mean over seeds, and the same of seeds drawn anew in each bootstrap sample of stories."""
        found, at = self.measured[quantity, lang], self.names.index(name) * self.seeds
        own = slice(at, at + self.seeds)
        dealt = np.random.default_rng(0).integers(0, self.seeds, (self.seeds, DRAWS))
        return float(found.values[own].mean()), np.take_along_axis(found.draws[own], dealt, 0).mean(axis=0)

    def over_languages(self, name: str, quantity: str) -> tuple[float, NDArray[np.float64]]:
        """Return the mean over the unseen languages."""
        each = [self.of(name, quantity, lang) for lang in self.langs(quantity)]
        return float(np.mean([value for value, _ in each])), np.mean([drawn for _, drawn in each], axis=0)

    def langs(self, quantity: str) -> list[str]:
        """Return the unseen languages."""
        return sorted(lang for q, lang in self.measured if q == quantity and lang not in (REFERENCE, MEAN))

    def n(self, quantity: str, lang: str = MEAN) -> int:
        """Return the pairs, or gaps, that something was measured on."""
        return self.measured[quantity, lang].n


def measured(tasks: Sequence[Task], methods: Mapping[str, Method], seeds: Sequence[int]) -> Found:
    """Train every method with every seed in every fold, and measure all of them on the same samples."""
    folds = []
    for number, task in enumerate(tasks):
        scores = np.stack([score(task, method, seed) for method in methods.values() for seed in seeds])
        held = task.world.held["none"].held
        folds.append(cross_lingual_audit.measure(scores, held, task.world.examined, REFERENCE, DRAWS, seed=number))
    pooled = {
        key: Measured(
            np.mean([fold[key].values for fold in folds], axis=0),
            np.mean([fold[key].draws for fold in folds], axis=0),
            sum(fold[key].n for fold in folds),
        )
        for key in folds[0]
    }
    return Found(tuple(methods), len(seeds), pooled)


def run(small: bool) -> Iterator[Row]:
    """Measure."""
    yield from aggregation(small)
    yield from learning(small)
    seeds = (0,) if small else (0, 1, 2)
    # A small run is tried on the stories for development: the test is not looked at by the way.
    tasks = []
    for fold in range(1 if small else FOLDS):
        made = world(fold, small, development=small)
        tasks.append(joined(made, made.scores))
    yield from raters(tasks)
    clean = measured(tasks, METHODS, seeds)
    stories = sum(len(set(task.world.held["none"].sources.tolist())) for task in tasks)
    about = {"seeds": list(seeds), "stories": stories, "lambda": config("none", [], 0).parallel}
    yield from accuracies(clean, about)
    yield from gaps(clean, about)
    yield from by_kind(tasks, seeds[:1])
    yield from tradeoff(tasks, clean, seeds)
    yield from robustness(tasks, clean, seeds)
    for count in LABELLED[:1] if small else LABELLED:
        yield from labelled(tasks, count, seeds)


def accuracies(found: Found, about: Mapping[str, object]) -> Iterator[Row]:
    """Yield accuracies per language, their means over the unseen languages, and who is how much above whom."""
    unit = "share of pairs"
    for label, quantity in ACCURACY.items():
        langs = found.langs(quantity)
        means = {name: found.over_languages(name, quantity) for name in found.names}
        for name in found.names:
            each = {lang: found.of(name, quantity, lang) for lang in langs}
            for lang, (value, drawn) in each.items():
                yield Row(NAME, f"{label}.{name}.{lang}", value, *_ends(drawn), found.n(quantity, lang), unit, about)
            spread = float(np.std([value for value, _ in each.values()]))
            told = {**about, "languages": len(langs), "between_languages_sd": spread}
            value, drawn = means[name]
            yield Row(NAME, f"{label}.{name}.mean", value, *_ends(drawn), len(langs), unit, told)
        for one, others in AGAINST.items():
            for other in others:
                end = f"over_{other}" if one == FIRST else f"{one}.over_{other}"
                gain = means[one][1] - means[other][1]
                point = means[one][0] - means[other][0]
                yield Row(NAME, f"{label}_gain.{end}", point, *_ends(gain), len(langs), unit, about)


def gaps(found: Found, about: Mapping[str, object]) -> Iterator[Row]:
    """Yield the spread of parallel gaps, and the ratio of one method's to another's."""
    means = {name: found.of(name, "gap.sd", MEAN) for name in found.names}
    n, unit = found.n("gap.sd"), "standard deviations of the score within a language"
    for name, (value, drawn) in means.items():
        yield Row(NAME, f"parallel_gap_sd.{name}", value, *_ends(drawn), n, unit, about)
    for one, others in AGAINST.items():
        for other in others:
            end = f"to_{other}" if one == FIRST else f"{one}.to_{other}"
            ratio = means[one][1] / means[other][1]
            yield Row(
                NAME, f"parallel_gap_ratio.{end}", means[one][0] / means[other][0], *_ends(ratio), n, "ratio", about
            )


def by_kind(tasks: Sequence[Task], seeds: Sequence[int]) -> Iterator[Row]:
    """Yield the accuracy by kind of damage, and by how far apart two degrees are, in the unseen languages."""
    columns = []
    for task in tasks:
        made, held = task.world, task.world.held["none"]
        told = (made.examined.kind == pairs.MONOLINGUAL) & (held.langs[made.examined.left] != REFERENCE)
        left, right = made.examined.left[told], made.examined.right[told]
        scores = np.stack([score(task, METHODS[FIRST], seed) for seed in seeds])
        right_way = ((scores[:, left] > scores[:, right]) == (made.examined.p[told] > 0.5)).mean(axis=0)
        # Two that are both damaged are so in one way.
        kind = np.where(made.kinds[left] == "none", made.kinds[right], made.kinds[left])
        whole = (made.kinds[left] == "none") | (made.kinds[right] == "none")
        thirds = np.rint(3 * np.abs(made.grades[left] - made.grades[right])).astype(int)
        columns.append((right_way, kind, whole, thirds))
    right_way, kind, whole, thirds = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    sides = (("whole", whole), ("degree", ~whole))
    cells = [(f"by_kind.{each}.{name}", (kind == each) & mine) for each in KINDS for name, mine in sides]
    cells += [(f"by_step.{name}.{n}_thirds", (thirds == n) & mine) for n in (1, 2, 3) for name, mine in sides]
    for name, mine in cells:
        if mine.any():
            value, n = float(right_way[mine].mean()), int(mine.sum())
            yield Row(NAME, f"pair_accuracy_{name}", value, None, None, n, "share of pairs", {"seeds": list(seeds)})


def tradeoff(tasks: Sequence[Task], clean: Found, seeds: Sequence[int]) -> Iterator[Row]:
    """Yield what λ buys and costs: accuracy and gap of all three kinds of pair, and the gap's ratio to λ = 0."""
    ways = {f"{weight:g}".replace("0.5", "half"): replace(METHODS[FIRST], parallel=weight) for weight in LAMBDAS}
    found = measured(tasks, ways, seeds)
    without = found.of("0", "gap.sd", MEAN)
    for end, way in ways.items():
        about = {"lambda": way.parallel, "seeds": list(seeds)}
        for metric, quantity in ACCURACY.items():
            value, drawn = found.over_languages(end, quantity)
            n = len(found.langs(quantity))
            yield Row(NAME, f"tradeoff.lambda_{end}.{metric}", value, *_ends(drawn), n, "share of pairs", about)
        value, drawn = found.of(end, "gap.sd", MEAN)
        n = found.n("gap.sd")
        yield Row(NAME, f"tradeoff.lambda_{end}.parallel_gap_sd", value, *_ends(drawn), n, None, about)
        if way.parallel:
            ratio = value / without[0]
            ends = _ends(drawn / without[1])
            yield Row(NAME, f"tradeoff.lambda_{end}.parallel_gap_ratio", ratio, *ends, n, "ratio", about)


def labelled(tasks: Sequence[Task], count: int, seeds: Sequence[int]) -> Iterator[Row]:
    """Yield accuracies where raters rate some of the training stories alone; the others are parallel text."""
    some = [joined(task.world, task.world.scores, count) for task in tasks]
    methods = {name: METHODS[name] for name in (FIRST, "pairwise_mono")}
    found = measured(some, methods, seeds)
    about = {"seeds": list(seeds), "stories_labelled": count}
    for metric, quantity in ACCURACY.items():
        langs = len(found.langs(quantity))
        means = {name: found.over_languages(name, quantity) for name in methods}
        for name, (value, drawn) in means.items():
            yield Row(NAME, f"labelled.{count}.{metric}.{name}", value, *_ends(drawn), langs, "share of pairs", about)
        (value, drawn), (base, base_drawn) = means.values()
        name = f"labelled.{count}.{metric}_gain.over_pairwise_mono"
        yield Row(NAME, name, value - base, *_ends(drawn - base_drawn), langs, "share of pairs", about)


def raters(tasks: Sequence[Task]) -> Iterator[Row]:
    """Yield how good each rater and the joined score are on the training stories: by the truth, which none was told."""
    told: dict[str, list[NDArray[np.float64]]] = {}
    for task in tasks:
        made = task.world
        truth = known_order(made.english, 0)
        at = {d.group: number for number, d in enumerate(made.english)}
        left, right = (np.array([at[g] for g in side]) for side in (truth.left, truth.right))
        for name, column in zip((*english.NAMES, "joined"), [*made.scores.T, task.fit.scores], strict=True):
            vote = judgements.compare(column[:, None], left, right)[:, 0]
            known = ~np.isnan(vote)
            told.setdefault(name, []).append(np.where(truth.p[known] > 0.5, vote[known], 1 - vote[known]))
    for number, (name, parts) in enumerate(told.items()):
        right_way = np.concatenate(parts)
        about = {"slopes": [t.fit.raters[number].slope for t in tasks]} if name != "joined" else {}
        yield Row(
            NAME, f"rater_accuracy.{name}", float(right_way.mean()), None, None, len(right_way), "share of pairs", about
        )


def robustness(tasks: Sequence[Task], clean: Found, seeds: Sequence[int]) -> Iterator[Row]:
    """Yield what three random raters and an inverted one, of twelve, cost."""
    planted = []
    for number, task in enumerate(tasks):
        made, n = task.world, len(task.world.english)
        noise = np.random.default_rng([9, number]).normal(size=(n, 3))
        planted.append(joined(made, np.column_stack([made.scores, noise, -made.reverse])))
    for at, name in enumerate(("random-1", "random-2", "random-3", "inverted"), len(english.NAMES)):
        each = [task.fit.raters[at] for task in planted]
        about = {"slopes": [r.slope for r in each], "status": [r.status for r in each]}
        slope, votes = float(np.mean([r.slope for r in each])), sum(r.votes for r in each)
        low, high = min(r.low for r in each), max(r.high for r in each)
        yield Row(NAME, f"planted.{name}.slope", slope, low, high, votes, None, about)
    quantity = "accuracy.monolingual"
    bad = measured(planted, {FIRST: METHODS[FIRST]}, seeds)
    one, two = (found.over_languages(FIRST, quantity) for found in (clean, bad))
    langs, told = len(bad.langs(quantity)), {"raters": "8 honest, 3 random, 1 inverted"}
    yield Row(NAME, f"pair_accuracy.{FIRST}_planted.mean", two[0], *_ends(two[1]), langs, "share of pairs", told)
    yield Row(NAME, "robustness.loss", one[0] - two[0], *_ends(one[1] - two[1]), langs, "share of pairs", told)


def _ends(drawn: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    harness.main(NAME, run)
