"""Phases: a mixture for each part of the training, in order, and whether that is worth it.

A schedule is a mixture over languages × phases: the domain `eng_Latn@2` is English in the second phase, its share one
of all training tokens, so that the shares of a phase sum to its part of the budget. Proxies train schedules; the law
over cells says what a token of each language is worth in each phase. What is simpler stands until it is shown that more
brings more: UniMax, then a constant mixture, then a schedule, each as far on the way to the best one as is proven.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glotmix.core.errors import DataError, RequestError
from glotmix.mix.accounting import Array, Available
from glotmix.mix.baselines import unimax
from glotmix.mix.cells import PHASE, language_of
from glotmix.mix.config import MixConfig
from glotmix.mix.design import Design, design, local
from glotmix.mix.doubts import doubts
from glotmix.mix.law_fit import Choice, choose_each
from glotmix.mix.limits import Box, Limits, box
from glotmix.mix.optimum import weights_of
from glotmix.mix.repeats import Repeats
from glotmix.mix.rule import proven_way
from glotmix.mix.runs import Runs
from glotmix.mix.solve import Goal
from glotmix.mix.worlds import Worlds, worlds

_TINY = 1e-12


@dataclass(frozen=True)
class Staged:
    """A schedule, and what it is worth.

    Args:
        parts: part of the budget of each phase, in order.
        phases: the schedule that is judged: shares of each phase by language, each summing to one. As far on the way
            from the constant mixture that stands to the best schedule as is proven, all of the way if nothing is.
        way: that part of the way, 0 if nothing is proven.
        constant: likewise the constant mixture that is judged, on the way from the prior to the best.
        constant_way: likewise.
        prior: the constant mixture that stands until another is shown to be better.
        gain: predicted gain of the schedule over the constant mixture that stands, with the ends of its 95 % interval.
        proven: whether the lower end is above zero, and nothing speaks against the runs.
        constant_gain: the same of the constant mixture over the prior.
        constant_proven: likewise.
        said: the verdict in a sentence.
        warnings: what the runs cannot speak for.
    """

    parts: tuple[float, ...]
    phases: tuple[Mapping[str, float], ...]
    way: float
    constant: Mapping[str, float]
    constant_way: float
    prior: Mapping[str, float]
    gain: tuple[float, float, float]
    proven: bool
    constant_gain: tuple[float, float, float]
    constant_proven: bool
    said: str
    warnings: tuple[str, ...] = ()

    @property
    def total(self) -> dict[str, float]:
        """Shares over all phases of what is to be taken: of the schedule where it is proven, else of what stands."""
        if not self.proven:
            return dict(self.constant if self.constant_proven else self.prior)
        return {
            lang: sum(part * phase[lang] for part, phase in zip(self.parts, self.phases, strict=True))
            for lang in self.constant
        }


def parts_of(runs: Runs) -> tuple[tuple[str, ...], Array]:
    """Return the languages of a table of schedules, and the part of the budget of each phase, shape (p,).

    Raises:
        DataError: if the domains are no phases of languages, every language in every phase, or the runs' phases differ
            in length.
    """
    named = [(language_of(name), name.partition(PHASE)[2]) for name in runs.domains]
    langs = tuple(dict.fromkeys(lang or "" for lang, _ in named))
    phases = tuple(dict.fromkeys(phase for _, phase in named))
    if "" in langs or "" in phases or len(named) != len(langs) * len(phases):
        raise DataError(
            f"the runs are over {', '.join(runs.domains[:6])}: a schedule names every language in every phase",
            "columns eng_Latn@1, eng_Latn@2, …, whose shares of one phase sum to its part of the tokens",
        )
    parts = np.array([runs.shares[:, [p == phase for _, p in named]].sum(axis=1) for phase in phases])
    if np.ptp(parts, axis=1).max() > 0.01:
        raise DataError("the phases of the runs differ in length: a law is of schedules with the same phases")
    order = [runs.domains.index(f"{lang}{PHASE}{phase}") for phase in phases for lang in langs]
    if order != list(range(len(order))):
        raise DataError("the columns of a schedule stand phase by phase, the languages in one order")
    return langs, np.asarray(parts.mean(axis=1), dtype=np.float64)


def schedules(prior: Array, parts: Sequence[float], runs: int, seed: int, spread: float = 0.7) -> Array:
    """Draw schedules around a constant mixture, for proxies to train: shape (runs, p · m).

    A quarter are constant (pairs around the prior), the others move each phase by itself.

    Args:
        prior: shape (m,).
        parts: part of the budget of each phase, summing to one.
        runs: how many.
        seed: of the draws.
        spread: see `design.local`.
    """
    constant = max(runs // 4 // 2 * 2, 2)
    drawn = [np.tile(local(prior, runs - constant, seed + k, spread), 1) for k in range(1, len(parts) + 1)]
    same = local(prior, constant, seed, spread)
    return np.hstack([part * np.vstack([same, each]) for part, each in zip(parts, drawn, strict=True)])


def checked_parts(parts: Sequence[float]) -> tuple[float, ...]:
    """Return the parts of the tokens that phases have.

    Raises:
        RequestError: for no two numbers above zero, or more, that sum to one.
    """
    if len(parts) < 2 or min(parts) <= 0 or abs(sum(parts) - 1) > 1e-6:
        raise RequestError(
            f"{', '.join(f'{part:g}' for part in parts)}: phases are two parts or more that sum to one",
            "--phases 0.7,0.3, or mix.phases=[0.7, 0.3]",
        )
    return tuple(parts)


def staged_design(available: Available, asked: Design, parts: Sequence[float]) -> Runs:
    """Design schedules for proxies, around the mixture that `design.design` lies around.

    Args:
        available: what there is.
        asked: tokens, size and seed of the proxies; `runs` is how many, by default 4 a parameter of two phases.
        parts: of the tokens, in order, summing to one.

    Raises:
        RequestError: see `checked_parts`.
    """
    checked_parts(parts)
    few = design(
        available, replace(asked, runs=4, near=1.0, centre=1, one_size=True, monolingual=0, seeds=1, repeated=0)
    )
    prior = few.shares[list(few.names).index("centre-s0")]
    count = asked.runs or 4 * len(few.domains) * len(parts)
    shares = schedules(prior, parts, count, asked.seed)
    return Runs(
        tuple(f"schedule-{i:03d}" for i in range(count)),
        tuple(f"{lang}{PHASE}{k}" for k in range(1, len(parts) + 1) for lang in few.domains),
        (),
        shares,
        np.empty((count, 0)),
        np.full(count, asked.parameters[0]) if asked.parameters else None,
        np.full(count, float(asked.tokens)),
    )


LAWS = ("pooled_cells", "effective_data")
"""Laws of schedules: a language in a phase is a cell of the language."""


def staged_by(available: Available, config: MixConfig, runs: Runs) -> Staged:
    """Find the best schedule for a stock of text, by what a recipe's section `mix` says: see `staged`.

    Raises:
        DataError: see `parts_of`.
        RequestError: for languages without stock, limits that no mixture can keep, or settings that schedules do not
            heed.
    """
    usual = MixConfig()
    for name in ("groups", "objective", "prior"):
        if getattr(config, name) != getattr(usual, name):
            raise RequestError(f"mix.{name}: schedules over phases do not heed it", f"leave out mix.{name}, or phases")
    langs, _ = parts_of(runs)
    if missing := [lang for lang in langs if lang not in available.languages]:
        raise RequestError(f"the stock says nothing of {', '.join(missing)}", "a CSV with lang and tokens")
    order = [available.languages.index(lang) for lang in langs]
    limits = Limits(config.cap, config.max_epochs_of, config.floors, config.ceilings)
    within = box(available, config.tokens or available.total, limits)
    choices = list(choose_each(runs, LAWS, seed=config.seed))
    weights = weights_of(runs, config.weights)
    prior = unimax(available, within)[order]
    return staged(
        runs, choices, weights, prior / prior.sum(), np.asarray(within.high)[order],
        config.caution, config.kl_strength, config.keep, config.bootstrap, config.seed, np.asarray(within.low)[order],
        tuple(doubt.said for doubt in doubts(runs, choices, weights, tuple(config.floors))),
    )  # fmt: skip


def staged(
    runs: Runs,
    choices: Sequence[Choice],
    weights: Array,
    prior: Array,
    caps: Array,
    caution: float = 0.5,
    anchor: float = 0.003,
    keep: float = 0.02,
    draws: int = 40,
    seed: int = 0,
    floors: Array | None = None,
    warnings: tuple[str, ...] = (),
) -> Staged:
    """Find the best schedule and the best constant mixture by the rule of `rule.Rule`, and go as far as is proven.

    Args:
        runs: schedules with their final losses.
        choices: laws of each target, in the order of the runs' targets.
        weights: importance of each target, shape (t,), summing to one.
        prior: constant mixture that both are held to, in the order of the languages, shape (m,).
        caps: greatest share of each language over all phases, shape (m,).
        caution: standard deviations of doubt that a gain must pay for.
        anchor: strength of the pull of all phases together to the prior.
        keep: part of its share of the prior that every language keeps over all phases.
        draws: of the runs.
        seed: of the draws.
        floors: least share of each language over all phases, shape (m,).
        warnings: what the runs cannot speak for: where there is any, nothing is shown.

    Raises:
        DataError: see `parts_of`.
        RequestError: if the caps leave no mixture.
    """
    langs, parts = parts_of(runs)
    m, p = len(langs), len(parts)
    if caps.sum() < 1 - 1e-9:
        raise RequestError(
            f"the caps leave {caps.sum():.3g} of the budget", "raise mix.max_epochs, or lower mix.tokens"
        )
    whole = (parts[:, None] * prior).ravel()
    free = Box(np.zeros(p * m), np.ones(p * m))
    goal = Goal([], weights, free, Repeats(np.full(p * m, np.inf)), whole)
    drawn = worlds(goal, runs, choices, whole, draws, seed, dosed=False)
    value, slope = _objective(drawn, prior, (p, m), caution, anchor)
    low = np.minimum(np.maximum(keep * prior, 0 if floors is None else floors), caps)

    def constant(r: Array) -> Array:
        return np.asarray((parts[:, None] * r).ravel())

    best = _minimise(
        lambda r: value(constant(r)),
        lambda r: (parts[:, None] * slope(constant(r)).reshape(p, m)).sum(axis=0),
        prior, np.ones((1, m)), np.ones(1), np.eye(m), low, caps,
    )  # fmt: skip
    total = np.tile(np.eye(m), (1, p))
    phase = np.asarray(np.kron(np.eye(p), np.ones((1, m))), dtype=np.float64)
    found = _minimise(value, slope, constant(best), phase, parts, total, low, caps)
    staging = value(found) < value(constant(best))
    first_way, first, _ = proven_way(drawn, whole, constant(best))
    best = prior + (first_way or 1.0) * (best - prior)
    holds = first_way > 0 and not warnings
    stands = constant(best) if holds else whole
    # What is no better than the best constant mixture is no schedule to go to.
    found = found if staging else stands
    way, gain, _ = proven_way(drawn, stands, found)
    proven = way > 0 and not warnings
    shares = (stands + (way or 1.0) * (found - stands)).reshape(p, m) / parts[:, None]
    return Staged(
        tuple(map(float, parts)), tuple(dict(zip(langs, map(float, row), strict=True)) for row in shares), way,
        dict(zip(langs, map(float, best), strict=True)), first_way, dict(zip(langs, map(float, prior), strict=True)),
        gain, proven, first, holds,
        _said((way, gain), proven, (first_way, first), holds, bool(warnings)), warnings,
    )  # fmt: skip


def _said(
    schedule: tuple[float, tuple[float, float, float]],
    proven: bool,
    constant: tuple[float, tuple[float, float, float]],
    holds: bool,
    doubted: bool,
) -> str:
    """Return the verdict in a sentence or two, of how far each goes and what it gains."""
    if doubted:
        return "The runs cannot say whether anything is better than unimax: see the warnings. It is taken."
    (way, gain), (first_way, first) = schedule, constant
    figure, other = (f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]" for mean, low, high in (gain, first))
    of_best = "" if first_way in (0.0, 1.0) else f", {first_way:.0%} of the way from unimax to the best"
    named = f"the constant mixture that is proven{of_best}" if holds else "unimax"
    part = "" if way in (0.0, 1.0) else f", {way:.0%} of the way to the best,"
    said = (
        f"The schedule{part} is predicted to gain {figure} over {named}."
        if proven
        else f"Phases are not shown to bring anything: the best schedule is predicted to gain {figure} over {named}, "
        "which is simpler."
    )
    if holds:
        return said
    taken = "" if proven else ", which is taken"
    return (
        f"{said} No constant mixture is shown to be better than unimax{taken}: the best is predicted to gain {other}."
    )


def _objective(
    drawn: Worlds, prior: Array, shape: tuple[int, int], caution: float, anchor: float
) -> tuple[Callable[[Array], float], Callable[[Array], Array]]:
    at_prior = drawn.scores(drawn.point.natural[None])[:, 0]

    def doubt(r: Array) -> tuple[Array, float]:
        off = drawn.scores(r[None])[:, 0] - at_prior
        off = off - off.mean()
        return off, float(np.sqrt((off**2).mean() + 1e-8))

    def value(r: Array) -> float:
        total = np.maximum(r.reshape(shape).sum(axis=0), _TINY)
        pull = float((total * np.log(total / prior)).sum())
        return float(drawn.point.value(r[None])[0]) + caution * doubt(r)[1] + anchor * pull

    def slope(r: Array) -> Array:
        slopes = drawn.point.slopes(r)
        assert slopes is not None
        total = np.maximum(r.reshape(shape).sum(axis=0), _TINY)
        found = drawn.point.weights @ slopes + np.tile(anchor * (np.log(total / prior) + 1), shape[0])
        off, sd = doubt(r)
        for each, goal in zip(off, drawn.goals, strict=True):
            slopes = goal.slopes(r)
            assert slopes is not None
            found += caution * each / (len(off) * sd) * (goal.weights @ slopes)
        return np.asarray(found)

    return value, slope


def _minimise(
    value: Callable[[Array], float],
    slope: Callable[[Array], Array],
    start: Array,
    equal: Array,
    wanted: Array,
    total: Array,
    low: Array,
    high: Array,
) -> Array:
    """Minimise over `equal r = wanted`, `low ≤ total r ≤ high`, r ≥ 0."""
    from scipy.optimize import minimize

    found = minimize(
        value, start, jac=slope, bounds=[(0.0, 1.0)] * len(start), method="SLSQP",
        options={"maxiter": 200, "ftol": 1e-10},
        constraints=[
            {"type": "eq", "fun": lambda r: equal @ r - wanted, "jac": lambda r: equal},
            {"type": "ineq", "fun": lambda r: total @ r - low, "jac": lambda r: total},
            {"type": "ineq", "fun": lambda r: high - total @ r, "jac": lambda r: -total},
        ],
    ).x  # fmt: skip
    found = np.maximum(found, 0.0)
    scale = equal.T @ (wanted / np.maximum(equal @ found, _TINY))
    return np.asarray(found * scale)
