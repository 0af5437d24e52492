"""Cells: does the law over language × source rank mixtures that it has not seen, and better than one of languages?

Three languages in three sources (a crawl, guides to open source, translations on a disease); models of 0.13M parameters
on the design that `glotmix mix design` makes for these nine cells. Laws are fitted to it and judged on other mixtures
near UniMax, with seeds of their own. A language's loss is on text held out of all its sources, as much of each.
`rank.{law}`: Spearman of predicted and measured loss on unseen mixtures of cells, mean of the languages, with an
interval over the mixtures. `pooled_cells`: partial pooling within a language; `effective_data`: every cell by itself.
Controls: `languages`, the best that laws of languages alone can say (`effective_data` on each language's sum over its
sources, fitted to the same runs); `shuffled`, the law with the sources of every run exchanged within each language;
`seeds`, what a second seed of the same mixtures says: none can be better. `over.{control}`: how much better
`pooled_cells` ranks than a control, the two on the same draws of mixtures.

Trained in parts, a file a run in .bench/cells/losses: interrupted, the same command goes on.
"""

import json
from collections.abc import Iterable
from functools import cache

import numpy as np
import pyarrow.parquet as pq
import torch
from scipy.stats import spearmanr

from benchmarks import harness
from benchmarks.harness import Row
from glotmix.mix import baselines
from glotmix.mix.accounting import Array, Available
from glotmix.mix.design import Design, design, local
from glotmix.mix.law_fit import fit, predict
from glotmix.mix.laws import law
from glotmix.mix.limits import Limits, box
from glotmix.mix.runs import Runs
from glotmix.native.threads import one_thread
from glotmix.proxy import texts as text
from glotmix.proxy.config import ProxiesConfig
from glotmix.proxy.design import Run
from glotmix.proxy.size import shape
from glotmix.proxy.texts import passage, place
from glotmix.proxy.tokenizer import Pieces, learn
from glotmix.proxy.train import Unit, train_unit

NAME = "cells"
LANGUAGES = {"hin_Deva": "hi", "rus_Cyrl": "ru", "tam_Taml": "ta"}
STOCK = {"crawl": 90_000, "guides": 45_000, "health": 45_000}
"""Bytes of each source to train on, in every language."""
CELLS = tuple(f"{lang}/{part}" for lang in LANGUAGES for part in STOCK)
HELD, HELD_BYTES, HELD_EACH = 0.2, 6_000, 300
"""Part of the documents held out; bytes of them that are measured, of each source; and of one document."""
SIZE, TOKENS, PIECES, CONTEXT, BATCH, TOGETHER = 1.3e5, 32_768, 1024, 64, 2, 16
FITTED, UNSEEN, DRAWS = 28, 16, 2_000
FOLDER = harness.BENCH / "cells"


def documents(lang: str, part: str) -> list[str]:
    """Return a source's documents in a language, in the order of their hash."""
    if part == "crawl":
        found = pq.read_table(harness.data("crawl.parquet"), filters=[("lang", "=", lang)])["text"].to_pylist()
    else:
        name = "opensource_guides.parquet" if part == "guides" else "tico19.parquet"
        rows = pq.read_table(harness.data(name), filters=[("lang", "=", LANGUAGES[lang])])["text"].to_pylist()
        # Guides are long: their paragraphs are documents; sentences on the disease stand by eight.
        found = (
            [p for row in rows for p in row.split("\n\n")]
            if part == "guides"
            else [" ".join(rows[at : at + 8]) for at in range(0, len(rows), 8)]
        )
    return sorted({text for text in found if len(text) > 100}, key=place)


@cache
def corpus() -> text.Texts:
    """Return the tokenized text; made once."""
    if not (FOLDER / "pieces" / "done").is_file():
        train: dict[str, list[str]] = {}
        held: dict[str, list[str]] = {lang: [] for lang in LANGUAGES}
        for cell in CELLS:
            lang, _, part = cell.partition("/")
            all_ = documents(lang, part)
            train[cell] = _cut([t for t in all_ if place(t) >= HELD], STOCK[part], 2_000)
            held[lang] += _cut([t for t in all_ if place(t) < HELD], HELD_BYTES, HELD_EACH)
        whole = {lang: sorted((t for part in STOCK for t in train[f"{lang}/{part}"]), key=place) for lang in LANGUAGES}
        learn(whole, PIECES, FOLDER / "tokenizer.json")
        text.encode(train, held, Pieces(FOLDER / "tokenizer.json"), FOLDER / "pieces")
        (FOLDER / "pieces" / "done").touch()
    return text.load(FOLDER / "pieces", Pieces(FOLDER / "tokenizer.json")).choose(CELLS)


def _cut(documents: list[str], most: int, each: int) -> list[str]:
    taken, left = [], most
    for one in documents:
        if left <= 0:
            return taken
        taken.append(passage(one, min(each, max(left, 100))))
        left -= len(taken[-1].encode())
    raise harness.BenchmarkError(f"{most:,} bytes are wanted and {most - left:,} are there: {documents[0][:40]!r}")


def stock() -> Available:
    sizes = [len(corpus().train[cell]) for cell in CELLS]
    return Available.of({cell: (1, n, n) for cell, n in zip(CELLS, sizes, strict=True)})


def trained(kind: str, rows: Array, first: int, tokens: int) -> Runs:
    """Return runs on mixtures of cells, shape (n, 9), each with a seed of its own; what is there is not made again."""
    (FOLDER / "losses").mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    formed = shape(SIZE, corpus().pieces, CONTEXT)
    config = ProxiesConfig(context=CONTEXT, batch=BATCH, device="cpu")
    paths = [FOLDER / "losses" / f"{kind}-{tokens}-{i:03d}.json" for i in range(len(rows))]
    runs = [
        Run(path.stem, SIZE, tokens, first + i, tuple(row), (np.inf,) * len(CELLS))
        for i, (path, row) in enumerate(zip(paths, rows.tolist(), strict=True))
    ]
    missing = [run for run, path in zip(runs, paths, strict=True) if not path.is_file()]
    for at in range(0, len(missing), TOGETHER):
        some = tuple(missing[at : at + TOGETHER])
        found = train_unit(Unit(kind, formed, tokens // (BATCH * CONTEXT), some), corpus(), config)
        for run, losses in zip(some, found, strict=True):
            path = FOLDER / "losses" / f"{run.name}.json"
            path.with_suffix(".part").write_text(json.dumps(losses), "utf-8")
            path.with_suffix(".part").rename(path)
        print(f"{kind}: {at + len(some)} of {len(missing)}", flush=True)
    losses = np.array([json.loads(path.read_text("utf-8")) for path in paths])
    return Runs(tuple(run.name for run in runs), CELLS, tuple(LANGUAGES), rows, losses)


def languages(runs: Runs) -> Runs:
    """Return the same runs as mixtures of languages."""
    shares = runs.shares.reshape(len(runs), len(LANGUAGES), len(STOCK)).sum(axis=2)
    return Runs(runs.names, tuple(LANGUAGES), tuple(LANGUAGES), shares, runs.losses)


def exchanged(runs: Runs) -> Runs:
    """Return the same runs with the sources of a language exchanged, in each run otherwise."""
    rng = np.random.default_rng(0)
    shares = runs.shares.reshape(len(runs), len(LANGUAGES), len(STOCK)).copy()
    rng.permuted(shares, axis=2, out=shares)
    return Runs(runs.names, runs.domains, runs.targets, shares.reshape(len(runs), -1), runs.losses)


def rank(predicted: Array, measured: Array) -> float:
    """Mean over the languages of Spearman's ρ × 100; shape (n, t) each."""
    return float(np.mean([100 * spearmanr(p, m).statistic for p, m in zip(predicted.T, measured.T, strict=True)]))


def run(small: bool) -> Iterable[Row]:
    tokens, fitted, unseen = (8_192, 12, 8) if small else (TOKENS, FITTED, UNSEEN)
    prior = baselines.unimax(stock(), box(stock(), TOKENS, Limits(4)))
    planned = design(stock(), Design(tokens=TOKENS, runs=fitted, seed=31))
    here = trained("fit", planned.shares, 0, tokens)
    there, again = (trained(kind, local(prior, unseen, 32), at, tokens) for kind, at in (("new", 500), ("again", 900)))
    targets = tuple(LANGUAGES)
    with one_thread():
        said = {
            name: np.column_stack([predict(fit(mine, t, law(by)), others, t) for t in targets])
            for name, by, mine, others in (
                ("pooled_cells", "pooled_cells", here, there), ("effective_data", "effective_data", here, there),
                ("languages", "effective_data", languages(here), languages(there)),
                ("shuffled", "pooled_cells", exchanged(here), there),
            )
        }  # fmt: skip
    said["seeds"] = again.losses
    rng = np.random.default_rng(0)
    # A draw of one mixture alone, however often, has no order.
    draws = [at for at in rng.integers(0, unseen, (DRAWS, unseen)) if len(set(at)) > 2]
    drawn = {name: np.array([rank(p[at], there.losses[at]) for at in draws]) for name, p in said.items()}
    told = {"parameters": SIZE, "tokens": tokens, "cells": CELLS, "fitted": len(here), "n": "unseen mixtures"}
    for name, predicted in said.items():
        low, high = np.quantile(drawn[name], [0.025, 0.975])
        yield Row(NAME, f"rank.{name}", rank(predicted, there.losses), low, high, unseen, "ρ × 100", told)
    for name in ("effective_data", "languages", "shuffled"):
        off = rank(said["pooled_cells"], there.losses) - rank(said[name], there.losses)
        low, high = np.quantile(drawn["pooled_cells"] - drawn[name], [0.025, 0.975])
        yield Row(NAME, f"over.{name}", off, low, high, unseen, "ρ × 100", told)


if __name__ == "__main__":
    harness.main(NAME, run)
