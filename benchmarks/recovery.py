"""Synthetic worlds whose law and optimum are known: how far from the optimum is the mixture that each method chooses.

A world has m languages of very unlike size, a budget of one epoch of all of them, at most four epochs of each, and
repeats that are worth less. Runs see RegMix's design of mixtures, without repeats, and report each language's loss with
the noise of a seed. Every method gets the same runs and the same limits. `excess_loss` is the mean loss of its mixture
in the true world over that of the true optimum, in percent of the optimum's reducible loss.

Worlds: in `linear` ones transfer is what the law `effective_data` can express; in `decaying` ones it fades as the
target's own share grows, in the form of `fading_transfer`; in `saturating` ones a donor's first tokens give most, in
that of `saturating_transfer`. `symmetric`: neighbours help each other; `donor`: the largest language helps all.

`n4m`: 4 mixtures a language. ATLAS and Climb's laws see beside them three runs of each language alone, at a half, a
quarter and an eighth of the budget: 0.9 budgets a language more. So does `chosen_alone`, which takes any law of the
form `E + B r̃^−β` (at 4m, up to 16 languages). `two_step` solves what `effective_data` found in Climb's two steps.

`next_run`: from 2 mixtures a language to 3, the new ones as `proposals.propose` says, four at a time, or drawn from the
design as the first ones were; the law is `effective_data` in either case.

The rule of `glotmix mix solve` is tried in these worlds and in ones of five forms that no law contains
(`_strange_worlds`), from 4 runs a language in two rounds, which repeat as the target does: 2 mixtures a language of the
design and four seeds of UniMax, then around what they say four seeds of that and one mixture a language
(`mix design --after`). `excess_loss.{world}.chosen.n4m` (of all worlds: `excess_loss.chosen.n4m`), where the prior
(UniMax) is taken if no gain is proven; `found`: what the rule found, taken or not; `first_round`: what it found after
the first; `today`: as many wide runs and the law of least error alone, without a prior, as it was before.
`coverage.gain`: how often the true gain of the mixture taken over a baseline lies in its interval; `coverage.share`:
how often the true optimum's share lies in the range that is as good.
"""

import json
import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from benchmarks import _parts, harness
from benchmarks._strange_worlds import FORMS
from benchmarks._strange_worlds import laws as strange
from benchmarks.harness import Row
from glotmix.mix import baselines, optimum
from glotmix.mix.accounting import Array, Available
from glotmix.mix.design import FIRST_NEAR, Design, design, dirichlet, first, further
from glotmix.mix.law_fit import choose, fit, missing
from glotmix.mix.laws import specs
from glotmix.mix.limits import Limits, box, nearest
from glotmix.mix.proposals import candidates, propose
from glotmix.mix.repeats import Repeats
from glotmix.mix.runs import Runs, joined
from glotmix.mix.solve import Goal, Optimum, solve
from glotmix.mix.two_step import two_step
from glotmix.mix.worlds import worlds
from glotmix.native.threads import one_thread

NAME = "recovery"
T = TypeVar("T")
R = TypeVar("R")
KINDS = tuple(f"{form}_{shape}" for form in ("linear", "decaying", "saturating") for shape in ("symmetric", "donor"))
NOISE = 0.003
"""Standard deviation of the log loss between seeds: 0.3 %."""
FADES = 8.0
"""κ of decaying transfer: a tenth of the tokens in the own language leaves 45 % of it."""
BUDGET = 1e6
"""Training tokens of a run with a mixture; what it is does not matter, the others are parts of it."""
RULED = ("effective_data", "fading_transfer", "saturating_transfer", "own_share")
"""Laws that choose, and need runs of one size alone."""
SATURATES = 0.1
"""s of saturating transfer `r_j / (1 + r_j / s)`: a donor's first tenth of the tokens gives half of all it can."""


def irreducible(truth: Goal) -> float:
    """Return the mean loss of a world's targets that no mixture takes away."""
    return float(np.mean([law.irreducible for law in truth.laws]))  # type: ignore[attr-defined]


@dataclass(frozen=True, eq=False)
class TrueLaw:
    """`E + B r̃^−β` with `r̃ = r_i + exp(−κ r_i) Σ_j τ_j r_j / (1 + r_j / s)`; κ = 0, s = ∞ is linear transfer."""

    own: int
    irreducible: float
    scale: float
    beta: float
    tau: Array
    fades: float
    saturates: float

    def _dose(self, shares: Array) -> tuple[Array, Array, Array]:
        given, left = (shares / (1 + shares / self.saturates)) @ self.tau, np.exp(-self.fades * shares[:, self.own])
        return shares[:, self.own] + given * left + 1e-9, given, left

    def predict(self, shares: Array) -> Array:
        return self.irreducible + self.scale * self._dose(shares)[0] ** -self.beta

    def gradient(self, shares: Array) -> Array:
        dose, given, left = self._dose(shares)
        by = left[:, None] * self.tau / (1 + shares / self.saturates) ** 2
        by[:, self.own] += 1 - self.fades * given * left
        return (-self.beta * self.scale * dose ** (-self.beta - 1))[:, None] * by


@dataclass(frozen=True)
class World:
    """A kind of world, its number of languages, and the seed of everything in it."""

    kind: str
    m: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.kind}_{self.m}"

    def languages(self) -> Available:
        rng = np.random.default_rng([1, self.m, self.seed])
        sizes = np.sort(10 ** rng.uniform(6, 9, self.m))[::-1].astype(int)
        return Available.of({f"l{i}": (int(n // 1000), int(4 * n), int(n)) for i, n in enumerate(sizes)})

    def laws(self) -> list:
        if self.kind in FORMS:
            return strange(self.kind, self.m, self.seed)
        rng = np.random.default_rng([2, KINDS.index(self.kind), self.m, self.seed])
        place = rng.uniform(0, 2.5, (self.m, 2))
        apart = np.linalg.norm(place[:, None] - place[None], axis=2)
        tau = 0.3 * np.exp(-(apart**2)) + 0.01
        if self.kind.endswith("donor"):
            tau = 0.1 * tau
            # A token of the donor is worth one and a half to all others together.
            tau[:, 0] = 1.5 / self.m * rng.uniform(0.5, 1.5, self.m)
        np.fill_diagonal(tau, 0.0)
        fades = FADES if self.kind.startswith("decaying") else 0.0
        saturates = SATURATES if self.kind.startswith("saturating") else np.inf
        e, b, beta = rng.uniform(0.6, 1.0, self.m), rng.uniform(0.2, 0.5, self.m), rng.uniform(0.2, 0.45, self.m)
        return [TrueLaw(i, e[i], b[i], beta[i], tau[i], fades, saturates) for i in range(self.m)]

    def measured(self, shares: Array, budgets: Array, seed: int) -> Array:
        """Loss of every language under mixtures at parts of the budget, with the noise of a seed, shape (k, m)."""
        rng = np.random.default_rng([4, self.m, self.seed, seed])
        losses = np.column_stack(
            [law.irreducible + (law.predict(shares) - law.irreducible) * budgets**-law.beta for law in self.laws()]
        )
        return losses * np.exp(NOISE * rng.standard_normal(losses.shape))

    def with_alone(self, runs: Runs) -> Runs:
        """The same runs, and each language alone at three budgets."""
        alone = np.tile(np.eye(self.m), (3, 1))
        budgets = np.repeat([0.5, 0.25, 0.125], self.m)
        shares, tokens = np.vstack([runs.shares, alone]), np.concatenate([np.ones(len(runs)), budgets]) * BUDGET
        losses = np.vstack([runs.losses, self.measured(alone, budgets, len(runs))])
        names = tuple(map(str, range(len(shares))))
        return Runs(names, runs.domains, runs.targets, shares, losses, None, tokens)

    def runs(self, n: int) -> Runs:
        rng = np.random.default_rng([3, self.m, self.seed, n])
        prior = baselines.temperature(self.languages(), 2.0)
        shares = dirichlet(prior, n, int(rng.integers(2**31)))
        losses = np.column_stack([law.predict(shares) for law in self.laws()])
        names = self.languages().languages
        noisy = losses * np.exp(NOISE * rng.standard_normal(losses.shape))
        return Runs(tuple(map(str, range(n))), names, names, shares, noisy)

    def designed(self, best: Mapping[str, float] | None = None) -> Runs:
        """Runs of a round that glotmix designs: the first, or one around what was found; they repeat as the target."""
        there = self.languages()
        asked = Design(
            BUDGET, (1e5,), first(self.m), FIRST_NEAR, target=there.total, one_size=True, seed=self.seed
        )  # fmt: skip
        planned = design(there, asked) if best is None else further(there, replace(asked, runs=None), best)
        rng = np.random.default_rng([6, self.m, self.seed, len(planned)])
        worth = planned.worth()
        losses = np.column_stack([law.predict(worth) for law in self.laws()])
        names = there.languages
        return replace(planned, targets=names, losses=losses * np.exp(NOISE * rng.standard_normal(losses.shape)))

    def goal(self, laws: list) -> Goal:
        there = self.languages()
        return Goal(
            laws=laws,
            weights=np.full(self.m, 1 / self.m),
            within=box(there, there.total, Limits(max_epochs=4)),
            repeats=Repeats(there.sizes / there.total),
            natural=baselines.natural(there),
        )


@dataclass(frozen=True)
class Answer:
    world: World
    k: int
    excess: dict[str, float]
    taken: dict[str, Counter[str]]


def work(task: tuple[World, int]) -> Answer:
    """Fit, choose and solve everything in one world at n = k·m runs."""
    world, k = task
    powers = [name for name, one in specs().items() if one.power]
    with one_thread():
        truth, there = world.goal(world.laws()), world.languages()
        best = solve(truth, starts=8)
        reducible = best.value - irreducible(truth)
        runs = world.runs(k * world.m)
        more = world.with_alone(runs)
        fitted = {}
        for name, one in specs().items():
            law = one.law
            seen = more if {"scale", "monolingual"} & set(law.needs) else runs
            if missing(seen, seen.targets[0], law) is None:
                fitted[name] = [fit(seen, t, law) for t in seen.targets]
        choices = [choose(runs, target) for target in runs.targets]
        freely = [choose(more, target, powers) for target in more.targets] if k == 4 and world.m <= 16 else []
        taken = {
            "least_error_structured": [choice.law.name for choice in choices],
            "least_error": [choice.scores[0].law for choice in choices],
        }
        if freely:
            taken["chosen_alone"] = [choice.law.name for choice in freely]
        for rule, names in taken.items():
            fitted[rule] = [fitted[name][i] for i, name in enumerate(names)]
        solved = {name: solve(world.goal(mine)).shares for name, mine in fitted.items()}
        solved["two_step"] = two_step(
            world.goal(fitted["effective_data"]), fitted["effective_data"], range(world.m)
        ).shares
        within = truth.within
        mixtures = {
            "natural": baselines.natural(there, within),
            "temperature": baselines.temperature(there, 3.3, within),
            "unimax": baselines.unimax(there, within),
        } | solved
        excess = {name: 100 * float(truth.value(r[None])[0] - best.value) / reducible for name, r in mixtures.items()}
    return Answer(world, k, excess, {rule: Counter(names) for rule, names in taken.items()})


def grown(world: World) -> tuple[World, dict[str, float]]:
    """Excess loss after 2 runs a language, and after a third that were proposed or drawn."""
    with one_thread():
        truth, there = world.goal(world.laws()), world.languages()
        best = solve(truth, starts=8)
        reducible = best.value - irreducible(truth)
        law, found = specs()["effective_data"].law, {}

        def excess(runs: Runs) -> tuple[Goal, Optimum, list, float]:
            choices = [choose(runs, t, (law.name,)) for t in runs.targets]
            goal = world.goal([c.fitted for c in choices])
            optimum = solve(goal)
            return goal, optimum, choices, 100 * float(truth.value(optimum.shares[None])[0] - best.value) / reducible

        begun = world.runs(2 * world.m)
        found["before"] = excess(begun)[-1]
        drawn = world.runs(4 * world.m).take(range(2 * world.m, 3 * world.m))
        found["drawn"] = excess(with_more(begun, drawn.shares, drawn.losses))[-1]
        runs = begun
        prior = baselines.temperature(there, 2.0)
        while len(runs) < 3 * world.m:
            goal, found_, choices, _ = excess(runs)
            could = candidates(prior, found_.shares, goal.within, len(runs))
            many = worlds(goal, runs, choices, prior, 40, len(runs), dosed=False)
            contend = np.vstack([found_.shares, *(solve(one, near=found_.shares).shares for one in many.goals[:8])])
            noise = NOISE * float(np.mean(runs.losses)) / np.sqrt(world.m)
            asked = propose(many.goals, could, contend, noise, min(4, 3 * world.m - len(runs)))
            shares = np.array([run.shares for run in asked])
            runs = with_more(runs, shares, world.measured(shares, np.ones(len(shares)), len(runs)))
        found["proposed"] = excess(runs)[-1]
    return world, found


def with_more(runs: Runs, shares: Array, losses: Array) -> Runs:
    names = tuple(map(str, range(len(runs) + len(shares))))
    return Runs(names, runs.domains, runs.targets, np.vstack([runs.shares, shares]), np.vstack([runs.losses, losses]))


def growth(answers: list[tuple[World, dict[str, float]]]) -> Iterable[Row]:
    for name in sorted({world.name for world, _ in answers}):
        mine = [found for world, found in answers if world.name == name]
        for how in mine[0]:
            values = [found[how] for found in mine]
            low, high = harness.interval(values)
            unit = "% of the optimum's reducible loss"
            settings = {
                "law": "effective_data",
                "noise": NOISE,
                "n": "worlds",
                "runs": "2m" if how == "before" else "3m",
            }
            yield Row(NAME, f"next_run.{name}.{how}", float(np.mean(values)), low, high, len(values), unit, settings)


@dataclass(frozen=True)
class Ruled:
    """What the rule chose in one world, and what it said of it."""

    world: World
    excess: dict[str, float]
    gain_inside: list[float]
    gain_width: float
    share_inside: list[float]
    share_width: float
    proven: bool


def ruled(world: World) -> Ruled:
    """Apply the rule to 4 runs a language in two rounds, the law of least error to as many of the wide design."""
    with one_thread():
        truth, there = world.goal(world.laws()), world.languages()
        best = solve(truth, starts=2)
        within, natural = truth.within, baselines.natural(there)
        others = {
            "natural": natural, "unimax": baselines.unimax(there, within),
            "temperature": baselines.temperature(there, 3.3, within), "uniform": baselines.uniform(there),
        }  # fmt: skip
        ask = optimum.Ask(RULED, {}, None, draws=24, next_runs=0)
        runs = world.designed()
        # Where to go next is asked of the laws fitted to all runs: draws are what intervals need.
        before = optimum.find(there, there.total, within, runs, others, replace(ask, draws=0)).verdict.best
        runs = joined([runs, world.designed(before)])
        made = optimum.find(there, there.total, within, runs, others, ask)
        wide = world.runs(len(runs))
        today = solve(world.goal([choose(wide, target).fitted for target in wide.targets])).shares
        mixtures = {k: nearest(r, within) for k, r in others.items()} | {"today": today}
        for name, best_found in (("first_round", before), ("found", made.verdict.best)):
            mixtures[name] = np.array([best_found[lang] for lang in there.languages])
        mixtures["chosen"] = made.shares
        reducible = best.value - irreducible(truth)
        excess = {n: 100 * float(truth.value(r[None])[0] - best.value) / reducible for n, r in mixtures.items()}
        # The gains are of the mixture taken, over each baseline as it is.
        true = truth.score(truth.losses(np.array([made.shares, *others.values()])))
        told = {gain.over: gain for gain in made.gains}
        inside = [
            float(told[name].low <= value - true[0] <= told[name].high)
            for name, value in zip(others, true[1:], strict=True)
            if np.abs(others[name] - made.shares).max() > 1e-6
        ]
        low, high = made.interval
        share = [float(low[i] - 1e-4 <= r <= high[i] + 1e-4) for i, r in enumerate(best.shares)]
        widths = [gain.high - gain.low for gain in made.gains if gain.over in others]
    width = float(np.mean(widths))
    return Ruled(world, excess, inside, width, share, float((high - low).mean()), made.verdict.proven)


def rules(answers: list[Ruled]) -> Iterable[Row]:
    """Rows of the rule: by kind of world, and of all."""
    kinds = sorted({a.world.name for a in answers})
    for name in (*kinds, "all"):
        mine = [a for a in answers if name in (a.world.name, "all")]
        mark = "" if name == "all" else f".{name}"
        told = {
            "noise": NOISE, "runs": "4m", "n": "worlds", "proven": float(np.mean([a.proven for a in mine])),
            "design": "2m mixtures, 0.4 of them near UniMax in pairs, and four seeds of it; then m near what was "
            "found, and four seeds of it; repeats as the target's "
            "(`today`: all wide, as RegMix, the law of least error alone, no prior)",
        }  # fmt: skip
        for method in mine[0].excess:
            values = [a.excess[method] for a in mine]
            low, high = harness.interval(values)
            unit = "% of the optimum's reducible loss"
            # Baselines are in the rows of the laws, too, in fewer worlds.
            method_ = method if method in ("chosen", "found", "first_round", "today") else f"{method}.beside_the_rule"
            metric = f"excess_loss{mark}.{method_}.n4m"
            yield Row(NAME, metric, float(np.mean(values)), low, high, len(mine), unit, told)
        for what, hits, widths in (
            ("gain", [a.gain_inside for a in mine], [a.gain_width for a in mine]),
            ("share", [a.share_inside for a in mine], [a.share_width for a in mine]),
        ):
            each = [float(np.mean(h)) for h in hits if h]
            low, high = harness.interval(each) if len(each) > 1 else (None, None)
            yield Row(NAME, f"coverage.{what}{mark}", float(np.mean(each)), low, high, len(each), "part inside", told)
            yield Row(NAME, f"width.{what}{mark}", float(np.mean(widths)), None, None, len(mine), "mean width", told)


def mapped(function: Callable[[T], R], tasks: Iterable[T]) -> list[R]:
    """Apply a function to every task, one process a core."""
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("forkserver")) as pool:
        return list(pool.map(function, tasks))


def by_law(small: bool) -> Iterable[Row]:
    """Rows of every law by itself, and of how laws are chosen."""
    if small:
        tasks = [(World(kind, 8, 0), 4) for kind in ("linear_donor", "decaying_symmetric")]
    else:
        tasks = [(World(kind, 32, 0), 4) for kind in ("decaying_symmetric", "saturating_donor")]
        tasks += [(World(kind, 16, seed), 4) for kind in KINDS for seed in range(2)]
        tasks += [(World(kind, 8, seed), k) for kind in KINDS for k in (8, 4, 2) for seed in range(3 if k == 4 else 2)]
    answers = mapped(work, tasks)
    for name, k in sorted({(a.world.name, a.k) for a in answers}):
        mine = [a for a in answers if (a.world.name, a.k) == (name, k)]
        for method in mine[0].excess:
            values = [a.excess[method] for a in mine]
            low, high = harness.interval(values)
            alone = method in ("atlas", "chosen_alone") or method.startswith("climb")
            settings = {
                "noise": NOISE,
                "runs": (k + 3 * alone) * mine[0].world.m,
                "n": "worlds",
                "design": "RegMix's Dirichlet around natural at temperature 2",
            }
            if method in mine[0].taken:
                settings["laws_taken"] = dict(sum((a.taken[method] for a in mine), Counter()).most_common())
            yield Row(
                NAME,
                f"excess_loss.{name}.{method}.n{k}m",
                float(np.mean(values)),
                low,
                high,
                len(values),
                "% of the optimum's reducible loss",
                settings,
            )


def by_rule(small: bool) -> Iterable[Row]:
    """Rows of the rule of `glotmix mix solve`."""
    if small:
        return rules(mapped(ruled, [World("linear_donor", 8, 0), World("threshold", 8, 0)]))
    return rules(mapped(ruled, [World(kind, 8, seed) for kind in (*KINDS, *FORMS) for seed in range(6)]))


def next_runs(small: bool) -> Iterable[Row]:
    """Rows of runs that were proposed or drawn."""
    if small:
        return growth(mapped(grown, [World("linear_donor", 8, 0)]))
    return growth(mapped(grown, [World(kind, 8, seed) for kind in KINDS for seed in range(6)]))


def scale(small: bool) -> Iterable[Row]:
    """Rows of what the rule costs: 100 languages by 300 runs."""
    m, n = (8, 32) if small else (100, 300)
    cost = harness.measure([sys.executable, "-m", "benchmarks._scale", str(m), str(n)])
    if cost.exit:
        raise harness.BenchmarkError(f"the mixture of {m} languages ended with {cost.exit}:\n{cost.output}")
    told = json.loads(cost.output.splitlines()[-1]) | {"cpu_seconds": cost.cpu_seconds}
    yield Row(NAME, f"seconds.{m}x{n}", cost.wall_seconds, n=1, unit="s, on all cores", settings=told)
    yield Row(NAME, f"memory_mb.{m}x{n}", cost.peak_mb, n=1, unit="MB", settings=told)


PARTS: dict[str, _parts.Part] = {"rule": by_rule, "scale": scale, "next_run": next_runs, "laws": by_law}

if __name__ == "__main__":
    _parts.main(NAME, PARTS)
