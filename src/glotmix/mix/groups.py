"""Bounds on several languages together: a family, a script, the ones that a grant is for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glotmix.core.errors import RequestError, did_you_mean
from glotmix.mix.accounting import Array
from glotmix.mix.config import GroupConfig

_SLACK = 1e-9


@dataclass(frozen=True, eq=False)
class Group:
    """Bounds on the sum of several shares: their positions, the least and the greatest sum."""

    name: str
    members: NDArray[np.intp]
    low: float
    high: float


def bounds(languages: Sequence[str], asked: Mapping[str, GroupConfig]) -> tuple[Group, ...]:
    """Find the groups' languages.

    Raises:
        RequestError: for an unknown language, one in two groups, or a floor above the ceiling.
    """
    position = {lang: i for i, lang in enumerate(languages)}
    belongs: dict[str, str] = {}
    found = []
    for name, group in asked.items():
        for lang in group.languages:
            if lang not in position:
                raise RequestError(
                    f"mix.groups.{name} names {lang!r}, of which there is no text{did_you_mean(lang, position)}",
                    f"remove it, or use one of: {', '.join(languages[:12])}",
                )
            if lang in belongs:
                raise RequestError(
                    f"{lang} is in the groups {belongs[lang]} and {name}; a language belongs to one group at most",
                    f"remove {lang} from mix.groups.{name}.languages",
                )
            belongs[lang] = name
        if group.floor > group.ceiling:
            raise RequestError(
                f"mix.groups.{name}: the floor {group.floor:g} is above the ceiling {group.ceiling:g}",
                f"mix.groups.{name}.floor={group.ceiling:g}",
            )
        members = np.array([position[lang] for lang in group.languages], dtype=np.intp)
        found.append(Group(name, members, group.floor, group.ceiling))
    return tuple(found)


def check(groups: Sequence[Group], languages: Sequence[str], tokens: int, low: Array, high: Array) -> None:
    """Refuse groups that no mixture can keep, naming the group that is short, its languages, and by how much.

    Args:
        groups: the groups.
        languages: all languages.
        tokens: the budget.
        low: least share of each language.
        high: greatest share of each language.
    """
    least, most = float(low.sum()), float(high.sum())
    for group in groups:
        names = ", ".join(languages[i] for i in group.members[:6]) + (" …" if len(group.members) > 6 else "")
        can, must = float(high[group.members].sum()), float(low[group.members].sum())
        if group.low > can + _SLACK:
            raise RequestError(
                f"asked: at least {group.low:g} of {tokens:,} training tokens in the group {group.name} ({names}), "
                f"{_count(group.low * tokens)} tokens\n"
                f"  possible: {_count(can * tokens)} tokens under the limits of its languages\n"
                f"  short: {group.name} by {_count((group.low - can) * tokens)} tokens",
                f"mix.groups.{group.name}.floor={np.floor(can * 1e6) / 1e6:.6g}, or raise mix.max_epochs",
            )
        if group.high < must - _SLACK:
            raise RequestError(
                f"the group {group.name} ({names}) may have {group.high:g} of the training tokens, and the floors of "
                f"its languages add up to {must:.6g}, {must - group.high:.6g} too many",
                f"mix.groups.{group.name}.ceiling={np.ceil(must * 1e6) / 1e6:.6g}",
            )
        least += max(group.low - must, 0.0)
        most -= max(can - group.high, 0.0)
    if least > 1 + _SLACK:
        parts = ", ".join(f"{group.name} {group.low:g}" for group in groups)
        raise RequestError(
            f"the floors of groups and languages add up to {least:.6g} of the training tokens, {least - 1:.6g} too "
            f"many: {parts}",
            f"lower one of them, such as mix.groups.{max(groups, key=lambda g: g.low).name}.floor",
        )
    if most < 1 - _SLACK:
        parts = ", ".join(f"{group.name} {group.high:g}" for group in groups)
        raise RequestError(
            f"asked: {tokens:,} training tokens\n"
            f"  possible: {_count(most * tokens)} tokens under the ceilings of the groups ({parts}), "
            f"{_count((1 - most) * tokens)} too few",
            f"raise mix.groups.{min(groups, key=lambda g: g.high).name}.ceiling, or mix.tokens={int(most * tokens):d}",
        )


def _count(tokens: float) -> str:
    return f"{round(tokens):,}"
