"""Schedules: does the law over phases rank schedules that it has not seen, and better than one that knows no order?

Six of the languages of `unequal` in two phases, 0.7 and 0.3 of the tokens; models of 0.13M parameters on schedules
around UniMax, a quarter of them constant. Laws are fitted to the first and judged on the others, which differ in every
share. `rank.{law}`: Spearman of predicted and measured loss on unseen schedules, mean of the languages with an interval
over them. Controls: `totals`, effective data on the shares over both phases, which knows no order; `shuffled`, the law
with the phases of every run exchanged; `seeds`, what a second seed of the same schedules says: none can be better.
`gain.schedule`: predicted gain of the best schedule over the best constant mixture.

Trained in parts, a file a run in .bench/unequal/losses: interrupted, the same command goes on.
"""

from collections.abc import Iterable

import numpy as np
from scipy.stats import spearmanr

from benchmarks import harness
from benchmarks._halves import Wanted
from benchmarks._unequal_runs import HERE, LANGUAGES, TOKENS
from benchmarks.harness import Row
from glotmix.mix import baselines
from glotmix.mix.accounting import Array, Available
from glotmix.mix.config import MixConfig
from glotmix.mix.law_fit import fit, predict
from glotmix.mix.laws import law
from glotmix.mix.limits import Limits, box
from glotmix.mix.phases import schedules, staged_by
from glotmix.mix.runs import Runs
from glotmix.native.threads import one_thread

NAME = "phases"
MINE = ("ces_Latn", "deu_Latn", "eng_Latn", "fra_Latn", "hin_Deva", "rus_Cyrl")
PARTS = (0.7, 0.3)
SIZE, FITTED, UNSEEN = 1.3e5, 48, 16


def stock() -> Available:
    unique = dict(zip(LANGUAGES, HERE.tokens(), strict=True))
    return Available.of({lang: (1, int(unique[lang]), int(unique[lang])) for lang in MINE})


def drawn(fitted: int, unseen: int) -> tuple[Array, Array]:
    """Return schedules to fit and to judge on, shape (n, phases · languages) each."""
    prior = baselines.unimax(stock(), box(stock(), TOKENS, Limits(4)))
    # Of the second draw the constant ones come first; the order of phases is what is asked.
    return schedules(prior, PARTS, fitted, 23), schedules(prior, PARTS, 2 * unseen, 24)[-unseen:]


def wanted(rows: Array, kind: str, tokens: int, first: int) -> list[Wanted]:
    found = []
    for i, row in enumerate(rows.reshape(len(rows), len(PARTS), len(MINE))):
        phases = np.zeros((len(PARTS), len(LANGUAGES)))
        phases[:, [LANGUAGES.index(lang) for lang in MINE]] = row
        whole = tuple(map(float, phases.sum(axis=0)))
        name = f"phases-{tokens}-{kind}-{i:03d}"
        found.append(Wanted(name, SIZE, first + i, whole, 1, tokens, tuple(tuple(map(float, p)) for p in phases)))
    return found


def table(rows: Array, runs: list[Wanted], domains: tuple[str, ...]) -> Runs:
    losses = np.array([HERE.losses(run.name) for run in runs])[:, [LANGUAGES.index(lang) for lang in MINE]]
    return Runs(tuple(run.name for run in runs), domains, MINE, rows, losses)


def run(small: bool) -> Iterable[Row]:
    tokens = 8192 if small else TOKENS
    fitted, unseen = drawn(*((16, 6) if small else (FITTED, UNSEEN)))
    learned, judged, again = (
        wanted(rows, kind, tokens, first)
        for rows, kind, first in ((fitted, "fit", 0), (unseen, "new", 500), (unseen, "again", 900))
    )
    HERE.train([*learned, *judged, *again])
    domains = tuple(f"{lang}@{k}" for k in range(1, len(PARTS) + 1) for lang in MINE)
    whole = np.tile(np.eye(len(MINE)), (len(PARTS), 1))
    order = np.roll(np.arange(len(domains)), len(MINE))
    here, there, twice = (
        table(rows, runs, domains) for rows, runs in ((fitted, learned), (unseen, judged), (unseen, again))
    )
    told = {"parameters": SIZE, "tokens": tokens, "languages": MINE, "parts": PARTS, "fitted": len(fitted),
            "n": "unseen schedules"}  # fmt: skip

    def asked(runs: Runs, how: str) -> Runs:
        if how == "totals":
            return Runs(runs.names, MINE, MINE, runs.shares @ whole, runs.losses)
        return Runs(runs.names, domains, MINE, runs.shares[:, order] if how == "shuffled" else runs.shares, runs.losses)

    with one_thread():
        for name, by, how, test in (
            ("pooled_cells", "pooled_cells", "", ""), ("effective_data", "effective_data", "", ""),
            ("totals", "effective_data", "totals", "totals"), ("shuffled", "pooled_cells", "shuffled", ""),
        ):  # fmt: skip
            mine, others = asked(here, how), asked(there, test)
            found = [(predict(fit(mine, t, law(by)), others, t), there.loss(t)) for t in MINE]
            ranks = [100 * spearmanr(*pair).statistic for pair in found]
            low, high = harness.interval(np.array(ranks))
            yield Row(NAME, f"rank.{name}", float(np.mean(ranks)), low, high, len(unseen), "ρ × 100", told)
        ranks = [100 * spearmanr(twice.loss(t), there.loss(t)).statistic for t in MINE]
        low, high = harness.interval(np.array(ranks))
        yield Row(NAME, "rank.seeds", float(np.mean(ranks)), low, high, len(unseen), "ρ × 100", told)
        best = staged_by(stock(), MixConfig(tokens=TOKENS, bootstrap=4 if small else 24), here)
        yield Row(NAME, "gain.schedule", *best.gain, len(fitted), "bpb", told | {"proven": best.proven})


if __name__ == "__main__":
    harness.main(NAME, run)
