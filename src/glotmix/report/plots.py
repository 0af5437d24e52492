"""The plots of the report: small tables in, Vega-Lite specifications out (made and checked by Altair).

Colours are variables of the page's style sheet, so one drawing fits a light screen, a dark one, and paper. Nothing here
counts or chooses: that is done in `figures` and `scores`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from glotmix.report.figures import Funnel, Identified, Rule, in_order

if TYPE_CHECKING:
    import altair as alt

Spec: TypeAlias = dict[str, Any]

_ROW = 24
"""Height of a horizontal bar and its gap, pixels."""

MOST = 40
"""Languages that a plot draws, the largest; all stand in the table beside it."""

LABELS = 150
"""Widest that names beside an axis may be, pixels."""


def funnel(rows: Sequence[Funnel], names: Mapping[str, str]) -> Spec:
    """Draw, for each language, the share of its documents that was kept and that each stage dropped."""
    rows = rows[:MOST]
    stages = in_order(s for row in rows for s in row.dropped)
    colours = {"kept": "var(--kept)"} | {s: f"var(--stage-{s}, var(--unknown))" for s in stages}
    values = [
        {"name": names[row.key], "part": part, "documents": row.kept if part == "kept" else row.dropped.get(part, 0)}
        | {"whole": row.read}
        for row in rows
        for part in colours
    ]
    return _shares(values, colours, "share of the documents read", "read")


def identified(rows: Sequence[Identified], names: Mapping[str, str]) -> Spec:
    """Draw, for each declared language, the share of documents that read as it, as another, or cannot be judged."""
    colours = {
        "reads as declared": "var(--kept)",
        "reads as another": "var(--stage-language)",
        "not known to the model": "var(--unknown)",
    }
    values = [
        {"name": names[row.lang], "part": part, "documents": documents, "whole": row.documents}
        for row in rows[:MOST]
        for part, documents in zip(colours, (row.agree, row.differ, row.unknown), strict=True)
    ]
    return _shares(values, colours, "share of the documents", "identified")


def rules(rows: Sequence[Rule]) -> Spec:
    """Draw, for each rule, how many documents fail it alone and how many together with others."""

    import altair as alt

    colours = {"fail this rule alone": "var(--dropped)", "fail others too": "var(--dropped-soft)"}
    values = [
        {"name": row.name.removeprefix("heuristics."), "part": part, "documents": documents, "whole": row.failing}
        for row in rows
        for part, documents in zip(colours, (row.alone, row.together), strict=True)
    ]
    axis = alt.Axis(format="~s", tickMinStep=1, tickCount=6)
    x = alt.X("documents:Q", title="documents", axis=axis)
    return _bars(values, colours, x, [alt.Tooltip("whole:Q", title="fail it in all", format=",")], 210)


def _shares(values: list[Spec], colours: Mapping[str, str], title: str, whole: str) -> Spec:
    import altair as alt

    shares = [v | {"share": v["documents"] / v["whole"]} for v in values]
    axis = alt.Axis(format="%", tickCount=6)
    x = alt.X("share:Q", title=title, stack="zero", axis=axis, scale=alt.Scale(domain=[0, 1]))
    told = [alt.Tooltip("whole:Q", title=whole, format=","), alt.Tooltip("share:Q", format=".1%")]
    return _bars(shares, colours, x, told, LABELS)


def _bars(values: list[Spec], colours: Mapping[str, str], x: "alt.X", told: "list[alt.Tooltip]", labels: int) -> Spec:
    """Draw one bar per name, its parts stacked in the order of `colours`."""

    import altair as alt

    order = {part: number for number, part in enumerate(colours)}
    names = list(dict.fromkeys(v["name"] for v in values))
    chart = (
        alt.Chart(alt.NamedData("rows"))
        .mark_bar(height={"band": 0.78})
        .encode(
            y=_names(names, limit=labels),
            x=x,
            color=alt.Color("part:N", legend=None, scale=_scale(colours)),
            order="order:O",
            tooltip=[
                alt.Tooltip("name:N", title="of"),
                alt.Tooltip("part:N", title="part"),
                alt.Tooltip("documents:Q", format=","),
                *told,
            ],
        )
        .properties(width="container", height=_ROW * len(names))
    )
    rows = [v | {"order": order[v["part"]]} for v in values]
    return finish(chart, {"rows": rows}, [("■", colour, part) for part, colour in colours.items()])


def clusters(sizes: Sequence[tuple[int, int]]) -> Spec:
    """Draw how many clusters of duplicates there are of each size (sizes in ranges of a power of two)."""

    import altair as alt

    counts: dict[int, int] = {}
    for size, number in sizes:
        power = size.bit_length() - 1
        counts[power] = counts.get(power, 0) + number
    ranges = {p: f"{2**p:,}–{2 ** (p + 1) - 1:,} documents" for p in counts}
    values = [{"size": ranges[p], "clusters": counts[p]} for p in sorted(counts)]
    base = alt.Chart(alt.NamedData("rows")).encode(
        y=_names([str(v["size"]) for v in values], column="size"),
        x=alt.X("clusters:Q", title="clusters", axis=alt.Axis(format="~s", tickMinStep=1, tickCount=6)),
        tooltip=[alt.Tooltip("size:N", title="clusters of"), alt.Tooltip("clusters:Q", format=",")],
    )
    bars = base.mark_bar(height={"band": 0.78}, color="var(--stage-duplicates)")
    numbers = base.mark_text(align="left", dx=4, color="var(--ink)").encode(text=alt.Text("clusters:Q", format=","))
    return finish(alt.layer(bars, numbers).properties(width="container", height=_ROW * len(values)), {"rows": values})


def intervals(
    rows: Sequence[Mapping[str, Any]],
    order: Sequence[str],
    series: Sequence[str],
    title: str,
    form: str,
    reference: float | None = None,
) -> Spec:
    """Draw points with intervals: one row per name, one colour and shape per series.

    Args:
        rows: ``name, series, value, low, high, note``; low and high are None where there is no interval.
        order: the names from top to bottom.
        series: the series, the most important first.
        title: of the axis.
        form: a number format of D3.
        reference: a value to draw a line at, such as the AUC of chance.
    """

    import altair as alt

    shapes = {n: tuple(_SHAPES.items())[i % len(_SHAPES)] for i, n in enumerate(series)}
    colours = {n: f"var(--series-{i % len(_SHAPES)})" for i, n in enumerate(series)}
    colour = alt.Color("series:N", legend=None, scale=_scale(colours))
    shape = alt.Shape("series:N", legend=None, scale=_scale({n: drawn for n, (drawn, _) in shapes.items()}))
    values = [row | {"span": _span(row, form)} for row in map(dict, rows)]
    base = alt.Chart(alt.NamedData("rows")).encode(
        y=_names(list(order)),
        tooltip=[
            alt.Tooltip("name:N", title="language"),
            alt.Tooltip("series:N", title="series"),
            alt.Tooltip("value:Q", title=title, format=form),
            alt.Tooltip("span:N", title="interval"),
            alt.Tooltip("note:N", title="n"),
        ],
    )
    axis = alt.Axis(format=form, grid=True, tickCount=6, orient="top")
    x = alt.X("value:Q", title=title, axis=axis, scale=alt.Scale(zero=False, padding=10))
    offset = alt.YOffset("series:N", sort=list(series), scale=alt.Scale(paddingOuter=0.5))
    layers = [base.mark_point(filled=True, size=46, opacity=1).encode(x=x, yOffset=offset, color=colour, shape=shape)]
    if any(row["low"] is not None for row in rows):
        bars = base.transform_filter("datum.low !== null").mark_rule(strokeWidth=2, opacity=0.55)
        layers.insert(0, bars.encode(x="low:Q", x2="high:Q", yOffset=offset, color=colour))
    if reference is not None:
        line = alt.Chart(alt.NamedData("reference")).mark_rule(strokeDash=[4, 3], color="var(--muted)")
        layers.insert(0, line.encode(x="at:Q"))
    height = len(order) * max(_ROW, 7 * len(series) + 6)
    key = [(glyph, colours[n], n) for n, (_, glyph) in shapes.items()]
    chart = alt.layer(*layers).properties(width="container", height=height)
    return finish(chart, {"rows": values, "reference": [{"at": reference}]}, key)


def layers(values: Sequence[Mapping[str, Any]], order: Sequence[str], across: Sequence[str], title: str) -> Spec:
    """Draw a figure of every name and layer as a heat map; a dot marks a cell that is not `shown`.

    Args:
        values: rows of ``name, layer, value, floor, span, shown``.
        order: of the names.
        across: of the layers.
        title: of the figure.
    """

    import altair as alt

    base = alt.Chart(alt.NamedData("rows")).encode(
        x=alt.X("layer:N", title="layer", sort=list(across), axis=alt.Axis(labelAngle=0, ticks=False, domain=False)),
        y=_names(list(order)),
        tooltip=[
            alt.Tooltip("name:N", title="languages"),
            alt.Tooltip("layer:N"),
            alt.Tooltip("value:Q", title=title, format=".3f"),
            alt.Tooltip("span:N", title="interval"),
            alt.Tooltip("floor:Q", title="lexical floor", format=".3f"),
        ],
    )
    # Colours are variables: a scale cannot mix them, so that how much of one is seen says the value.
    seen = alt.Opacity("value:Q", legend=None, scale=alt.Scale(range=[0.03, 1], zero=True))
    chart = alt.layer(
        base.mark_rect(color="var(--accent)").encode(opacity=seen),
        base.transform_filter("!datum.shown").mark_point(color="var(--muted)", filled=True, size=14),
    ).properties(width="container", height=_ROW * len(order))
    key = [
        ("■", "var(--accent)", f"{title}: the darker, the greater"),
        ("●", "var(--muted)", "not above the lexical floor"),
    ]
    return finish(chart, {"rows": [dict(row) for row in values]}, key)


_SHAPES = {
    "circle": "●",
    "diamond": "◆",
    "square": "■",
    "triangle-up": "▲",
    "cross": "✚",
    "triangle-down": "▼",
    "triangle-right": "▶",
    "triangle-left": "◀",
}
"""Shapes of Vega, and the signs that stand for them in a key."""


def _span(row: Mapping[str, Any], form: str) -> str:
    if row["low"] is None:
        return "no interval"
    return " to ".join(f"{row[end]:.1%}" if "%" in form else f"{row[end]:.3f}" for end in ("low", "high"))


def _names(order: list[str], column: str = "name", limit: int = LABELS) -> "alt.Y":
    import altair as alt

    axis = alt.Axis(labelLimit=limit, ticks=False, domain=False, grid=False)
    return alt.Y(f"{column}:N", title=None, sort=order, axis=axis)


def _scale(of: Mapping[str, str]) -> "alt.Scale":
    import altair as alt

    return alt.Scale(domain=list(of), range=list(of.values()))


def finish(chart: Any, data: Mapping[str, Any], key: Sequence[tuple[str, str, str]] = ()) -> Spec:
    """Set the style that all plots share, check the specification against Vega-Lite's schema, and return it.

    Args:
        chart: the plot.
        data: what it names, by name; put in last, since Altair copies and hashes what it is given early.
        key: (sign, colour, meaning) of each series; the page writes it beside the plot, where it can wrap.
    """

    import altair as alt

    text = "system-ui, sans-serif"
    styled = chart.configure(
        background="transparent",
        font=text,
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            labelColor="var(--ink)",
            titleColor="var(--muted)",
            titleFontWeight="normal",
            gridColor="var(--grid)",
            tickColor="var(--grid)",
            domainColor="var(--grid)",
            labelFontSize=12,
            titleFontSize=12,
            labelPadding=6,
            titlePadding=8,
        ),
    )
    spec: Spec = styled.properties(usermeta={"key": [list(entry) for entry in key]}).to_dict()
    # The page names the library's version; a link to the schema would be the only address in it.
    spec.pop("$schema", None)
    return spec | {"datasets": dict(data)}
