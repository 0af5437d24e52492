"""Where there is something to win: twelve languages in four families, stocks 500:1, a budget that forces repeats.

Small models of 0.13M parameters are trained on mixtures around UniMax and some far from it (`design`); the rule of
`glotmix mix solve` chooses by their losses on the first half of the held-out text. Then the mixtures, fixed before, are
trained at that size and at twice it with the same seeds, and measured on the second half, which no law has seen.
`gain.{size}.over_{baseline}`: mean loss of the baseline less the chosen mixture's, in bits per byte, paired by seed,
with the interval over seeds; `worst.{size}.{mixture}`: loss of the worst language. `found` is what the rule finds,
whether it is taken or, no gain being proven, the prior is.
`rank.{size}`: Spearman of predicted and measured mean loss over the final mixtures.

Trained in parts, a file a run in .bench/unequal/losses: interrupted, the same command goes on. `--small` trains nothing
and reports what is there.
"""

import json
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
from scipy.stats import spearmanr

from benchmarks import harness
from benchmarks._halves import Wanted, distinct
from benchmarks._halves import fixed as fixed_by
from benchmarks._unequal_runs import HERE, LANGUAGES, TOKENS
from benchmarks._unequal_text import FOLDER
from benchmarks.harness import Row
from glotmix.mix import baselines, optimum
from glotmix.mix.accounting import Array, Available
from glotmix.mix.design import dirichlet, local
from glotmix.mix.limits import Box, Limits, box
from glotmix.mix.runs import Runs
from glotmix.native.threads import one_thread

NAME = "unequal"
SIZES = {"130k": 1.3e5, "270k": 2.7e5}
PROXIES = "130k"
SEEDS = tuple(range(1001, 1013))
_NEAR, _WIDE, _CENTRE = 40, 12, 8
LAWS = ("effective_data", "fading_transfer", "saturating_transfer", "similarity_transfer", "own_share")
"""Laws that choose, and need runs of one size alone."""


def stock() -> Available:
    return Available.of({lang: (1, int(u), int(u)) for lang, u in zip(LANGUAGES, HERE.tokens(), strict=True)})


def within(epochs: float) -> Box:
    return box(stock(), TOKENS, Limits(max_epochs=epochs))


def design() -> list[Wanted]:
    """Return the runs that laws are fitted to; kept in a file, so that what was trained stays valid."""
    path = FOLDER / "design.json"
    if not path.is_file():
        q = baselines.unimax(stock(), within(4))
        wide = dirichlet(baselines.temperature(stock(), 2.0), _WIDE, 17)
        wide = np.where(wide < 1e-6, 0, wide)
        wide = wide / wide.sum(axis=1, keepdims=True)
        parts = (("centre", np.tile(q, (_CENTRE, 1)), 200), ("near", local(q, _NEAR, 17), 0), ("wide", wide, 100))
        made = [
            [f"{PROXIES}-{kind}-{i:03d}", SIZES[PROXIES], first + i, [float(r) for r in row], 0]
            for kind, rows, first in parts
            for i, row in enumerate(rows)
        ]
        path.write_text(json.dumps(made), "utf-8")
    return [
        Wanted(name, size, seed, tuple(shares), half, TOKENS)
        for name, size, seed, shares, half in json.loads(path.read_text("utf-8"))
    ]


def table() -> Runs:
    """Return the designed runs with their losses on the first half."""
    mine = design()
    found = {run.name: HERE.losses(run.name) for run in mine}
    if missing := [name for name, losses in found.items() if losses is None]:
        raise harness.BenchmarkError(f"{len(missing)} of {len(mine)} runs are not trained: python -m benchmarks.{NAME}")
    n, unique = len(mine), HERE.tokens()
    return Runs(
        tuple(run.name for run in mine), LANGUAGES, LANGUAGES, np.array([run.shares for run in mine]),
        np.array([losses for losses in found.values() if losses is not None]), np.full(n, SIZES[PROXIES]),
        np.full(n, float(TOKENS)), np.tile(unique, (n, 1)), np.array([float(run.seed) for run in mine]),
        unigram=HERE.unigram(),
    )  # fmt: skip


@cache
def fixed() -> dict:
    """Return every mixture that is trained and what the rule says of them, fixed before any of them is; made once.

    UniMax 4 is the prior; at most 15 epochs.
    """
    path = FOLDER / "fixed.json"
    if not path.is_file():
        others = {
            "unimax4": baselines.unimax(stock(), within(4)), "unimax16": baselines.unimax(stock(), within(16)),
            "temperature": baselines.temperature(stock(), 3.3), "natural": baselines.natural(stock()),
            "uniform": baselines.uniform(stock()),
        }  # fmt: skip
        # Trees take part for RegMix's choice; they rank, and do not choose.
        ask = optimum.Ask((*LAWS, "lightgbm"), {}, None, prior="unimax4", draws=24, next_runs=0)
        with one_thread():
            made = optimum.find(stock(), TOKENS, within(15), table(), others, ask)
        told = fixed_by(made, LANGUAGES, len(table()), SIZES[PROXIES])
        told["predicted"] = {name: float(np.mean([p.losses[name] for p in made.predictions])) for name in made.others}
        path.write_text(json.dumps(told), "utf-8")
    return dict(json.loads(path.read_text("utf-8")))


def mixtures() -> dict[str, Array]:
    return {name: np.array(shares) for name, shares in fixed()["mixtures"].items()}


def finals(size: str, seeds: Sequence[int] = SEEDS) -> list[Wanted]:
    named = mixtures()
    return [
        Wanted(f"{size}-final-{name}-{seed}", SIZES[size], seed, tuple(map(float, named[name])), 1, TOKENS)
        for seed in seeds
        for name in dict.fromkeys(distinct(named).values())
    ]


def report(size: str) -> Iterable[Row]:
    """Rows of what is trained so far: each mixture on the seeds that it has, gains on those that both have."""
    named = mixtures()
    same = distinct(named)
    each = {
        name: {
            seed: np.array(final)
            for seed in SEEDS
            if (final := HERE.losses(f"{size}-final-{other}-{seed}")) is not None
        }
        for name, other in same.items()
    }
    told = {"parameters": SIZES[size], "tokens": TOKENS, "languages": len(LANGUAGES), **fixed()["told"]}
    for name, losses in each.items():
        seeds = [seed for seed in losses if seed in each["chosen"]]
        if name != "chosen" and seeds:
            over = np.array([(losses[seed] - each["chosen"][seed]).mean() for seed in seeds])
            low, high = harness.interval(over) if len(over) > 1 else (None, None)
            about = {**told, "same": same["chosen"] == same[name]}
            yield Row(NAME, f"gain.{size}.over_{name}", float(over.mean()), low, high, len(seeds), "bpb", about)
    for name, losses in each.items():
        if not losses:
            continue
        rows = np.array(list(losses.values()))
        shares = {lang: round(float(r), 4) for lang, r in zip(LANGUAGES, named[name], strict=True)}
        losing = {lang: round(float(v), 4) for lang, v in zip(LANGUAGES, rows.mean(axis=0), strict=True)}
        for metric, values in (("worst", rows.max(axis=1)), ("mean", rows.mean(axis=1))):
            low, high = harness.interval(values) if len(values) > 1 else (None, None)
            about = {**told, "shares": shares, "losses": losing}
            yield Row(NAME, f"{metric}.{size}.{name}", float(values.mean()), low, high, len(values), "bpb", about)
    predicted = fixed()["predicted"]
    trained = [name for name in predicted if each[name]]
    if len(trained) > 2:
        measured = [np.mean(list(each[name].values())) for name in trained]
        rank = 100 * float(spearmanr([predicted[name] for name in trained], measured).statistic)
        yield Row(NAME, f"rank.{size}", rank, None, None, len(trained), "ρ × 100", {**told, "mixtures": trained})


def run(small: bool) -> Iterable[Row]:
    if not small:
        HERE.train(design())
        # Seed by seed, the small size twice as fast: what is done when it is interrupted is of both sizes.
        for i in range(0, len(SEEDS), 2):
            HERE.train(finals("130k", SEEDS[i : i + 2]))
            HERE.train(finals("270k", SEEDS[i // 2 : i // 2 + 1]))
        for size in SIZES:
            HERE.train(finals(size))
    for size in SIZES:
        yield from report(size)


if __name__ == "__main__":
    harness.main(NAME, run)
