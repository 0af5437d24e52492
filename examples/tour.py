"""The demo in pictures: `marimo edit examples/tour.py` (pip install marimo), or `python examples/tour.py`.

It runs the demo's small corpus into a folder of its own, once; from then on it reads what is there.
"""

import marimo

app = marimo.App(width="medium", app_title="glotmix: the demo in pictures")


@app.cell
def _():
    import os
    from pathlib import Path

    import altair as alt
    import marimo as mo

    import glotmix as gm
    from glotmix.pipeline.run import demo_recipe

    folder = Path(os.environ.get("GLOTMIX_TOUR", "demo-tour")).resolve()
    return alt, demo_recipe, folder, gm, mo


@app.cell
def _(mo):
    mo.md(
        """
        # The demo in pictures

        A small corpus ships with glotmix: web pages, guides, health texts, stories in 33 languages. This notebook takes
        a quarter of it from raw files to a data set, and looks at each decision.
        """
    )


@app.cell
def _(demo_recipe, folder, gm):
    # The first time this takes a minute; after that everything is reused.
    path, overrides = demo_recipe(folder, small=True, proxies=False)
    run = gm.run(path, *overrides)
    ledger = run.ledger.to_pandas()
    return ledger, run


@app.cell
def _(alt, ledger, mo):
    _counts = ledger.assign(fate=ledger["rule"].str.split(".").str[0].fillna("kept"))
    _counts = _counts.groupby(["lang", "fate"], as_index=False).size()
    _chart = (
        alt.Chart(_counts, title="What became of each language's documents")
        .mark_bar()
        .encode(x=alt.X("size:Q", title="documents"), y=alt.Y("lang:N", title=None), color="fate:N")
    )
    mo.vstack([mo.md("## What was kept"), _chart])


@app.cell
def _(alt, ledger, mo):
    _chart = (
        alt.Chart(ledger[["quality", "kept"]].dropna(), title="Scores of all documents")
        .mark_bar()
        .encode(x=alt.X("quality:Q", bin=alt.Bin(maxbins=25)), y="count()", color="kept:N")
    )
    mo.vstack(
        [
            mo.md("## How scores spread\n\nA score is the chance that a fluent reader calls the document natural."),
            _chart,
        ]
    )


@app.cell
def _(ledger, mo):
    _clusters = ledger[ledger["cluster_size"] > 1].groupby("source", as_index=False)["id"].count()
    mo.vstack(
        [mo.md("## Which sources hold copies"), mo.ui.table(_clusters.rename(columns={"id": "documents in clusters"}))]
    )


@app.cell
def _(ledger, mo, run):
    _dropped = ledger[ledger["rule"].notna()].sort_values("id")
    story = run.why(_dropped["id"].iloc[0])
    _said = f"`{story.id}` was dropped by `{story.rule}`: {story.evidence}"
    mo.md(f"## One document's story\n\n{_said}\n\n> {story.text[:300]}")
    return (story,)


@app.cell
def _(alt, gm, ledger, mo):
    _stock = ledger[ledger["kept"]].groupby("lang")["bytes"].sum().nlargest(12).to_dict()
    _made = gm.mix.allocate({lang: int(size) for lang, size in _stock.items()}, tokens=2_000_000, max_epochs=4)
    _all = sum(_stock.values())
    _rows = [{"lang": lang, "mixture": "UniMax", "share": share} for lang, share in _made.shares.items()]
    _rows += [{"lang": lang, "mixture": "natural", "share": size / _all} for lang, size in _stock.items()]
    _chart = (
        alt.Chart(alt.Data(values=_rows), title="Twelve languages: as much as there is, or as even as the cap allows")
        .mark_bar()
        .encode(x="share:Q", y="lang:N", yOffset="mixture:N", color="mixture:N")
    )
    shares = _made.shares
    mo.vstack([mo.md("## How much of each language"), _chart])
    return (shares,)


@app.cell
def _(mo, run):
    mo.md(f"The whole report: `{run.files['report']}`")


if __name__ == "__main__":
    app.run()
