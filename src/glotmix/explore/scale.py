"""The places of a slider: where a line may stand, and how many documents lie beyond each place."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glotmix.select.thresholds import Side

BINS = 64
"""Bars of the histogram."""

_GRID = np.unique(
    np.concatenate(
        [np.linspace(0, 0.9, 91), np.linspace(0.9, 0.99, 91), np.linspace(0.99, 0.999, 91), np.linspace(0.999, 1, 41)]
    ).round(6)
)
"""Quantiles of a high line: finer where few documents lie beyond, for there the lines stand."""


@dataclass(frozen=True)
class Scale:
    """The places of a slider, from the loosest to the strictest.

    Args:
        places: where the line stands.
        beyond: how many documents lie beyond each.
        bytes: their bytes.
        now: which of them stands nearest to the present line; None for no line.
        quantiles: the quantile that draws each place; empty where none does.
        shares: the share of good text that draws it; empty where none does.
        edges: ends of the bars of the histogram of all values.
        heights: their heights.
        present: where the line stands now.
    """

    places: list[float]
    beyond: list[int]
    bytes: list[int]
    now: int | None
    quantiles: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    edges: list[float] = field(default_factory=list)
    heights: list[int] = field(default_factory=list)
    present: float | None = None

    @classmethod
    def at(
        cls, values: NDArray[np.float64], sizes: NDArray[np.int64], places: NDArray[np.float64], side: Side,
        now: float | None = None, touching: bool = False,
    ) -> "Scale":  # fmt: skip
        """Count what lies beyond some places; `touching`: what lies on a line is beyond it, too."""
        there = ~np.isnan(values)
        order = np.argsort(values[there], kind="stable")
        held, total = values[there][order], np.concatenate([[0], np.cumsum(sizes[there][order])])
        left = np.searchsorted(held, places, "left" if (side == "low") or touching else "right")
        beyond = left if side == "low" else len(held) - left
        size = total[left] if side == "low" else total[-1] - total[left]
        edges, heights = _histogram(held)
        nearest = None if now is None or not len(places) else int(np.abs(places - now).argmin())
        return cls(
            [float(p) for p in places], [int(n) for n in beyond], [int(n) for n in size], nearest,
            edges=edges, heights=heights, present=now,
        )  # fmt: skip

    def given(self, shares: Sequence[float], places: Sequence[float], now: float) -> "Scale":
        """Return it with what is written for each place."""
        nearest = int(np.abs(np.array(shares) - now).argmin())
        return replace(self, shares=list(shares), places=list(places), now=nearest, present=places[nearest])

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return dict(self.__dict__)


def of_values(
    values: NDArray[np.float64], sizes: NDArray[np.int64], side: Side, now: float | None, whole: bool
) -> Scale:
    """Return a slider over the values that documents have, at quantiles that are finer at the line's end."""
    held = np.sort(values[~np.isnan(values)])
    if not len(held):
        return Scale([], [], [], None)
    at = np.clip(np.ceil((_GRID * len(held)).round(9)).astype(int) - 1, 0, len(held) - 1)
    # From the loosest to the strictest, each value once: the line that each quantile draws.
    quantiles = _GRID[::-1]
    places = held[at][::-1]
    if side == "low":
        places, quantiles = held[len(held) - 1 - at][::-1], 1 - quantiles
    first = np.concatenate([[True], np.diff(places) != 0])
    scale = Scale.at(values, sizes, places[first], side, now)
    return replace(scale, quantiles=[float(q) for q in quantiles[first].round(6)])


def of_probability(values: NDArray[np.float64], sizes: NDArray[np.int64], now: float | None) -> Scale:
    """Return a slider over 0 to 1, from 1 down; what lies on the line is beyond it."""
    return Scale.at(values, sizes, np.linspace(1, 0, 101).round(6), "high", now, touching=True)


def _histogram(held: NDArray[np.float64]) -> tuple[list[float], list[int]]:
    if not len(held):
        return [], []
    # A single far value must not press all others into one bar: the last bars take what lies outside.
    low, high = held[int(0.002 * (len(held) - 1))], held[int(np.ceil(0.998 * (len(held) - 1)))]
    if low == high:
        low, high = held[0], held[-1]
    if low == high:
        return [float(low), float(high)], [len(held)]
    heights, edges = np.histogram(np.clip(held, low, high), bins=BINS, range=(low, high))
    return [float(e) for e in edges], [int(h) for h in heights]
