"""The plot of a score: a ridge for each language, with the thresholds as lines."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from glotmix.report.plots import LABELS, MOST, Spec, finish
from glotmix.report.scores import Histogram

if TYPE_CHECKING:
    import altair as alt

_RIDGE = 40
"""Height of one language in a histogram, pixels."""

FEW = 20
"""A language of which fewer documents have a score has no ridge: a handful of them has no shape."""

_CELLS = "r,b,k,h,o"
"""Columns of a histogram's data: row, bin, documents kept, failing a rule here, dropped for other reasons."""

_FOOT = 0.96
"""Where the bars of a ridge stand, as a part of its height from above."""

_FATES = (
    ("■", "var(--kept)", "kept"),
    ("■", "var(--dropped)", "fail a rule on this score"),
    ("■", "var(--dropped-soft)", "dropped for other reasons"),
)


def histogram(shown: Histogram, order: Sequence[str], names: Mapping[str, str]) -> Spec:
    """Draw one score as a ridge per language, its documents stacked by their fate, with the thresholds as lines.

    Heights are shares of the language's documents, on one scale for all languages: ridges compare. See `drawn`.
    """
    scale, measured = shown.scale, shown.measured()
    langs = drawn(shown, order)
    row = {lang: number for number, lang in enumerate(langs)}
    cells = sorted((row[lang], number, *documents) for (lang, number), documents in shown.cells.items() if lang in row)
    lines = [
        {
            "at": scale.inside(line.value),
            "row": row[line.lang],
            "value": line.value,
            "side": line.side,
            "origin": line.origin,
        }
        for line in shown.lines
        if line.value is not None and line.lang in row
    ]
    design = _ridges(scale.log, bool(lines))
    numbers = {
        "low": scale.low,
        "step": scale.step,
        "first": scale.edge(0),
        "last": scale.edge(scale.bins),
        "names": [names[lang] for lang in langs],
        "labels": [f"{names[lang]} ({measured[lang]:,})" for lang in langs],
        "rows": len(langs),
        "totals": [measured[lang] for lang in langs],
        "peak": max((sum(cell[2:]) / measured[langs[cell[0]]] for cell in cells), default=1.0),
        "feet": [number + _FOOT for number in range(len(langs))],
    }
    return design | {
        "height": _RIDGE * len(langs),
        "params": [{"name": name, "value": value} for name, value in numbers.items()],
        "datasets": {"cells": _csv(cells), "lines": lines},
    }


def drawn(shown: Histogram, order: Sequence[str]) -> list[str]:
    """Return the languages that a histogram draws: the largest of those with enough documents, all where none has."""
    measured = shown.measured()
    enough = [lang for lang in order if measured.get(lang, 0) >= FEW]
    return (enough or [lang for lang in order if lang in measured])[:MOST]


@cache
def _ridges(log: bool, lines: bool) -> Spec:
    """Return the design of every histogram; its numbers are parameters, so that it is made and checked once."""

    import altair as alt

    edge = "pow(10, low + step * {})" if log else "low + step * {}"
    parse = dict.fromkeys(_CELLS.split(","), "number")
    base = (
        alt.Chart(alt.NamedData("cells", format=alt.CsvDataFormat(type="csv", parse=parse)))
        .transform_calculate(
            x=edge.format("datum.b"),
            x2=edge.format("(datum.b + 1)"),
            n="datum.k + datum.h + datum.o",
            name="names[datum.r]",
            foot=f"datum.r + {_FOOT}",
        )
        .transform_calculate(
            first=f"datum.foot - {_FOOT - 0.08} * datum.k / (totals[datum.r] * peak)",
            second=f"datum.first - {_FOOT - 0.08} * datum.h / (totals[datum.r] * peak)",
            third=f"datum.second - {_FOOT - 0.08} * datum.o / (totals[datum.r] * peak)",
            share="datum.n / totals[datum.r]",
            values="format(datum.x, '.4~g') + ' to ' + format(datum.x2, '.4~g')",
        )
    )
    ends = {"domainMin": alt.ExprRef("first"), "domainMax": alt.ExprRef("last")}
    x = alt.X(
        "x:Q",
        title=None,
        scale=alt.Scale(type="log", nice=False, **ends) if log else alt.Scale(nice=False, zero=False, **ends),
        axis=alt.Axis(format="~s" if log else "~g", tickCount=6, grid=True, orient="top"),
    )
    y_axis = alt.Axis(
        values=alt.ExprRef("feet"),
        labelExpr="labels[floor(datum.value)]",
        labelLimit=LABELS + 30,
        labelBaseline="bottom",
        labelOffset=2,
        grid=True,
        domain=False,
        ticks=False,
    )
    y_scale = alt.Scale(domainMin=0, domainMax=alt.ExprRef("rows"), reverse=True, nice=False, zero=False)
    tooltip = [
        alt.Tooltip("name:N", title="language"),
        alt.Tooltip("values:N", title="value"),
        alt.Tooltip("share:Q", title="of the language's documents", format=".1%"),
        alt.Tooltip("k:Q", title="kept", format=","),
        alt.Tooltip("h:Q", title="fail a rule on this score", format=","),
        alt.Tooltip("o:Q", title="dropped for other reasons", format=","),
    ]
    heights = ("foot", "first", "second", "third")
    layers: list[alt.Chart] = [
        base.mark_rect(color=colour).encode(
            x=x, x2="x2:Q", y=alt.Y(f"{foot}:Q", title=None, scale=y_scale, axis=y_axis), y2=f"{top}:Q", tooltip=tooltip
        )
        for (_, colour, _), foot, top in zip(_FATES, heights[:3], heights[1:], strict=True)
    ]
    if lines:
        layers += _threshold_layers()
    key = [*_FATES, ("│", "var(--line)", "threshold")] if lines else _FATES
    return finish(alt.layer(*layers).properties(width="container"), {}, key)


def _threshold_layers() -> "list[alt.Chart]":
    import altair as alt

    base = (
        alt.Chart(alt.NamedData("lines"))
        .transform_calculate(
            name="names[datum.row]",
            foot=f"datum.row + {_FOOT}",
            top="datum.row + 0.08",
            sign="datum.side === 'high' ? '▸' : '◂'",
            drops="datum.side === 'high' ? 'larger values' : 'smaller values'",
        )
        .encode(
            x="at:Q",
            y="top:Q",
            tooltip=[
                alt.Tooltip("name:N", title="language"),
                alt.Tooltip("value:Q", title="threshold", format=".4~g"),
                alt.Tooltip("drops:N", title="drops"),
                alt.Tooltip("origin:N", title="from"),
            ],
        )
    )
    beside = alt.ExprRef("datum.side === 'high' ? 6 : -6")
    return [
        base.mark_rule(color="var(--line)", strokeWidth=1.5).encode(y2="foot:Q"),
        base.mark_text(color="var(--line)", fontSize=11, dx=beside, dy=5).encode(text="sign:N"),
    ]


def _csv(rows: Sequence[Sequence[int]]) -> str:
    """Give whole numbers as CSV, a third of the bytes of JSON in a page that holds tens of thousands of them."""
    return "\n".join([_CELLS, *(",".join(map(str, row)) for row in rows)])
