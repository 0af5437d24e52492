"""What a mixture must keep to: how often data may repeat, and a least and a greatest share per language.

All limits become one box, `low ≤ r ≤ high`, on the simplex of shares. A box that holds no mixture is refused before
anything is computed, naming the language that is short and by how much.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from glotmix.core.errors import RequestError, did_you_mean
from glotmix.mix import groups as grouping
from glotmix.mix.accounting import Array, Available
from glotmix.mix.config import GroupConfig

_SLACK = 1e-9


@dataclass(frozen=True)
class Limits:
    """What was asked of a mixture.

    Args:
        max_epochs: how often each language's tokens may be seen at most; None for no cap. Up to four epochs are worth
            nearly as much as fresh data (Muennighoff et al. 2023, arXiv 2305.16264).
        max_epochs_of: the same for single languages, over `max_epochs`.
        floors: least share of training tokens per language.
        ceilings: greatest share of training tokens per language.
        groups: least and greatest share of several languages together, by the group's name.
    """

    max_epochs: float | None = None
    max_epochs_of: Mapping[str, float] = field(default_factory=dict)
    floors: Mapping[str, float] = field(default_factory=dict)
    ceilings: Mapping[str, float] = field(default_factory=dict)
    groups: Mapping[str, GroupConfig] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Box:
    """Bounds on every share, shape (m,) each, and on sums of groups, with at least one mixture between them.

    No language is in two groups, so that the nearest mixture can be found exactly.
    """

    low: Array
    high: Array
    groups: tuple[grouping.Group, ...] = ()


def box(available: Available, tokens: int, limits: Limits) -> Box:
    """Turn limits into bounds on the shares of a budget of `tokens` training tokens.

    `high_i = min(ceiling_i, max_epochs_i · U_i / D)`, with U_i unique tokens and D the budget; `low_i = floor_i`.

    Raises:
        RequestError: for an unknown language, a limit out of range, or limits that no mixture can keep; the message
            names the language that is short, by how many tokens, and the settings that would make it possible.
    """
    _check(available, limits)
    names, sizes = available.languages, available.sizes
    caps = np.array(
        [
            np.inf if epochs is None else epochs * size / tokens
            for epochs, size in zip((_epochs(limits, lang) for lang in names), sizes, strict=True)
        ]
    )
    caps[sizes == 0] = 0.0
    high = np.minimum(np.minimum([limits.ceilings.get(lang, 1.0) for lang in names], caps), 1.0)
    low = np.array([limits.floors.get(lang, 0.0) for lang in names], dtype=np.float64)
    for i, lang in enumerate(names):
        if low[i] > high[i] + _SLACK:
            _refuse_floor(available, tokens, limits, i, float(high[i]), bool(caps[i] <= high[i]), lang)
    grouped = grouping.bounds(names, limits.groups)
    if low.sum() > 1 + _SLACK:
        parts = ", ".join(f"{lang} {floor:g}" for lang, floor in limits.floors.items())
        raise RequestError(
            f"the floors add up to {low.sum():.6g} of the training tokens, {low.sum() - 1:.6g} too many: {parts}",
            f"lower one of them, such as mix.floors.{max(limits.floors, key=lambda lang: limits.floors[lang])}",
        )
    if high.sum() < 1 - _SLACK:
        _refuse_budget(available, tokens, limits, caps, high)
    grouping.check(grouped, names, tokens, low, high)
    return Box(np.minimum(low, high), high, grouped)


def broken(available: Available, shares: Array, tokens: int, limits: Limits) -> tuple[str, ...]:
    """Say in words which limits a mixture does not keep.

    >>> there = Available.of({"fra_Latn": (10, 9_000, 3_000), "amh_Ethi": (2, 800, 400)})
    >>> broken(there, np.array([0.5, 0.5]), 4_000, Limits(max_epochs=4))
    ('amh_Ethi: 5 epochs, 4 allowed',)
    """
    said = []
    for lang, share, size in zip(available.languages, shares, available.sizes, strict=True):
        most = _epochs(limits, lang)
        epochs = share * tokens / size if size else 0.0
        if most is not None and epochs > most * (1 + _SLACK):
            said.append(f"{lang}: {epochs:.3g} epochs, {most:g} allowed")
        if share < limits.floors.get(lang, 0.0) - _SLACK:
            said.append(f"{lang}: share {share:.3g}, at least {limits.floors[lang]:g} asked")
        if share > limits.ceilings.get(lang, 1.0) + _SLACK:
            said.append(f"{lang}: share {share:.3g}, at most {limits.ceilings[lang]:g} asked")
    for name, group in limits.groups.items():
        held = sum(share for lang, share in zip(available.languages, shares, strict=True) if lang in group.languages)
        if not group.floor - _SLACK <= held <= group.ceiling + _SLACK:
            said.append(f"the group {name}: share {held:.3g}, {group.floor:g} to {group.ceiling:g} asked")
    return tuple(said)


def nearest(weights: Array, within: Box) -> Array:
    """Return the mixture within the box that is nearest to `weights` in Kullback–Leibler divergence, shape (m,).

    `argmin_r Σ r_i ln(r_i / w_i)` over `low ≤ r ≤ high, Σ r = 1` is `r_i = clip(λ w_i, low_i, high_i)` for the λ that
    makes it sum to one: what cannot be taken from one language is spread over the others in proportion. The sum is
    piecewise linear in λ, so λ is found exactly, between two sorted breakpoints.

    Args:
        weights: non-negative, not all zero, any scale.
        within: the bounds; a language without weight must have a zero lower and upper bound, or stays at its lower one.

    >>> nearest(np.array([8.0, 1.0, 1.0]), Box(np.zeros(3), np.array([0.5, 1.0, 1.0])))
    array([0.5 , 0.25, 0.25])
    """
    w = np.asarray(weights, dtype=np.float64)
    w = w / w.sum()
    if within.groups:
        return np.asarray(_nearest_grouped(w[None], within)[0])
    on = w > 0
    points = np.unique(np.concatenate([within.low[on] / w[on], within.high[on] / w[on]]))
    totals = np.clip(points[:, None] * w, within.low, within.high).sum(axis=1)
    after = int(np.searchsorted(totals, 1.0, side="left"))
    if after == len(points):
        # Rounding alone can leave a feasible box a hair under one.
        after -= 1
    upper = points[after]
    lower = points[after - 1] if after else 0.0
    middle = 0.5 * (lower + upper)
    clipped = np.clip(middle * w, within.low, within.high)
    free = (middle * w > within.low) & (middle * w < within.high)
    if not free.any():
        clipped = np.clip(upper * w, within.low, within.high)
        return np.asarray(clipped / clipped.sum())
    scale = (1.0 - clipped[~free].sum()) / w[free].sum()
    clipped[free] = scale * w[free]
    return np.asarray(np.clip(clipped, within.low, within.high))


def nearest_rows(weights: Array, within: Box) -> Array:
    """`nearest` for many rows at once, shape (k, m) → (k, m), by halving: sums to one within 1e-12."""
    w = weights / weights.sum(axis=1, keepdims=True)
    return _nearest_grouped(w, within) if within.groups else _scaled_to(w, within.low, within.high, 1.0)


def _nearest_grouped(w: Array, within: Box) -> Array:
    """`nearest_rows` with groups: a group that would leave its bounds is scaled to the bound, the rest of it as it is.

    The share of a group rises with λ, so the sum of all does, and λ is found by halving.
    """
    # A language without weight may be needed to fill a group.
    w = np.maximum(w, 1e-15 * (within.high > 0))
    ends = [
        [_scaled_to(w[:, g.members], within.low[g.members], within.high[g.members], bound) for bound in (g.low, g.high)]
        for g in within.groups
    ]

    def mixture(scale: Array) -> Array:
        r = np.clip(scale * w, within.low, within.high)
        for group, (least, most) in zip(within.groups, ends, strict=True):
            held = r[:, group.members].sum(axis=1, keepdims=True)
            inside = np.where(held < group.low, least, np.where(held > group.high, most, r[:, group.members]))
            r[:, group.members] = inside
        return r

    lower, upper = np.zeros((len(w), 1)), np.full((len(w), 1), 1e18)
    for _ in range(150):
        middle = np.sqrt(np.maximum(lower, 1e-18) * upper)
        short = mixture(middle).sum(axis=1, keepdims=True) < 1
        lower, upper = np.where(short, middle, lower), np.where(short, upper, middle)
    return mixture(upper)


def _scaled_to(w: Array, low: Array, high: Array, total: float) -> Array:
    """Rows `clip(λ w, low, high)` that sum to `total`, each with its own λ, by halving; shape (k, m) → (k, m)."""
    lower, upper = np.zeros((len(w), 1)), np.full((len(w), 1), 1.0)
    total = min(total, float(high.sum()))
    for _ in range(60):
        short = np.clip(upper * w, low, high).sum(axis=1) < total - _SLACK
        if not short.any():
            break
        upper[short] *= 4.0
    for _ in range(60):
        middle = 0.5 * (lower + upper)
        short = np.clip(middle * w, low, high).sum(axis=1, keepdims=True) < total
        lower, upper = np.where(short, middle, lower), np.where(short, upper, middle)
    clipped = np.clip(upper * w, low, high)
    return np.asarray(clipped * (total / np.maximum(clipped.sum(axis=1, keepdims=True), 1e-300)))


def _epochs(limits: Limits, lang: str) -> float | None:
    return limits.max_epochs_of.get(lang, limits.max_epochs)


def _check(available: Available, limits: Limits) -> None:
    known = set(available.languages)
    for setting in ("max_epochs_of", "floors", "ceilings"):
        given: Mapping[str, float] = getattr(limits, setting)
        for lang, value in given.items():
            if lang not in known:
                raise RequestError(
                    f"mix.{setting} names {lang!r}, of which there is no text{did_you_mean(lang, known)}",
                    f"remove it, or use one of: {', '.join(available.languages[:12])}",
                )
            top = np.inf if setting == "max_epochs_of" else 1.0
            if not 0 <= value <= top:
                raise RequestError(f"mix.{setting}.{lang} is {value:g}, outside 0 to {top:g}")
    if limits.max_epochs is not None and not limits.max_epochs > 0:
        raise RequestError(f"mix.max_epochs is {limits.max_epochs:g}; it must be more than 0", "mix.max_epochs=4")


def _refuse_floor(
    available: Available, tokens: int, limits: Limits, i: int, high: float, by_epochs: bool, lang: str
) -> None:
    floor = limits.floors[lang]
    want, can = floor * tokens, high * tokens
    if not by_epochs:
        raise RequestError(
            f"mix.floors.{lang}={floor:g} is above mix.ceilings.{lang}={limits.ceilings[lang]:g}",
            f"lower the floor or raise the ceiling of {lang}",
        )
    size = available.tokens[i]
    epochs = _epochs(limits, lang)
    fix = f"mix.floors.{lang}={_down(high)}"
    if size:
        fix += f", or mix.max_epochs_of.{lang}={_up(want / size)}"
    raise RequestError(
        f"asked: at least {floor:g} of {tokens:,} training tokens in {lang}, {_count(want)} tokens\n"
        f"  possible: {_count(can)} tokens ({size:,} unique"
        + (f", {epochs:g} epochs at most)" if epochs is not None else ")")
        + f"\n  short: {lang} by {_count(want - can)} tokens",
        fix,
    )


def _refuse_budget(available: Available, tokens: int, limits: Limits, caps: Array, high: Array) -> None:
    names = available.languages
    fair = 1.0 / len(names)
    # Named first are the languages furthest below an equal share: those are what the budget waits for.
    order = [int(i) for i in np.argsort(high - fair, kind="stable") if high[i] < 1]
    lines = []
    for i in order[:5]:
        if caps[i] <= high[i]:
            epochs = _epochs(limits, names[i])
            why = f"{available.tokens[i]:,} unique" + (f" × {epochs:g} epochs" if epochs is not None else "")
        else:
            why = f"ceiling {limits.ceilings[names[i]]:g}"
        under = max(fair - high[i], 0.0) * tokens
        lines.append(
            f"    {names[i]}: {_count(high[i] * tokens)} tokens ({why})"
            + (f", {_count(under)} under an equal share" if under else "")
        )
    if len(order) > 5:
        lines.append(f"    and {len(order) - 5} more")
    possible = high.sum() * tokens
    fixes = [f"mix.tokens={int(possible):d}"]
    if limits.max_epochs is not None:
        fixes.append(f"mix.max_epochs={_enough_epochs(available, tokens, limits)}")
    if limits.ceilings:
        fixes.append("raise mix.ceilings")
    raise RequestError(
        f"asked: {tokens:,} training tokens\n"
        f"  possible: {_count(possible)} tokens under these limits, {_count(tokens - possible)} too few\n"
        "  short:\n" + "\n".join(lines),
        ", or ".join(f for f in fixes if f),
    )


def _enough_epochs(available: Available, tokens: int, limits: Limits) -> str:
    """Return the least `max_epochs` that makes the budget possible, rounded up (ceilings kept where they allow it)."""
    ceilings = np.array([limits.ceilings.get(lang, 1.0) for lang in available.languages]) * tokens
    own = np.array([limits.max_epochs_of.get(lang, np.nan) for lang in available.languages])
    sizes = available.sizes
    fixed = np.where(np.isnan(own), 0.0, np.minimum(np.nan_to_num(own) * sizes, ceilings)).sum()
    free = np.isnan(own) & (sizes > 0)
    if not free.any() or fixed + ceilings[free].sum() < tokens:
        return _up(tokens / available.total)
    lower, upper = 0.0, float(tokens / sizes[free].min())
    for _ in range(200):
        middle = 0.5 * (lower + upper)
        enough = fixed + np.minimum(middle * sizes[free], ceilings[free]).sum() >= tokens
        lower, upper = (lower, middle) if enough else (middle, upper)
    return _up(upper)


def _up(value: float) -> str:
    return f"{np.ceil(value * (1 - _SLACK / 10) * 100) / 100:.2f}".rstrip("0").rstrip(".")


def _down(value: float) -> str:
    return f"{np.floor(value * 1e6) / 1e6:.6g}"


def _count(tokens: float) -> str:
    return f"{round(tokens):,}"
