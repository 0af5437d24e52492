"""Where there is something to win: twelve languages in four families, stocks 500:1, a budget that forces repeats.

Small models of 0.13M parameters are trained on mixtures around UniMax, some far from it, some at twice the size
(`design`); the rule of `glotmix mix solve` chooses by their losses on the first half of the held-out text, at each
size. Then every mixture, fixed before, is trained at both sizes with the same seeds, and measured on the second half,
which no law has seen. `gain.{size}.over_{baseline}`: mean loss of the baseline less the chosen mixture's, in bits per
byte, paired by seed, with the interval over seeds; `worst.{size}.{mixture}`: loss of the worst language. `.found` is
the mixture that the rule found where it took the prior, because no gain was proven. `rank.{size}`: Spearman of
predicted and measured mean loss over the final mixtures.

Trained in parts, a file a run in .bench/unequal/losses: interrupted, the same command goes on. `--small` trains nothing
and reports what is there.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np
from scipy.stats import spearmanr
from threadpoolctl import threadpool_limits

from benchmarks import _unequal_runs as runs_
from benchmarks import harness
from benchmarks._unequal_runs import LANGUAGES, TOKENS, Wanted
from benchmarks._unequal_text import FOLDER
from benchmarks.harness import Row
from glotmix.mix import baselines, optimum
from glotmix.mix.accounting import Array, Available
from glotmix.mix.design import dirichlet, local
from glotmix.mix.laws import competing
from glotmix.mix.limits import Box, Limits, box
from glotmix.mix.runs import Runs

NAME = "unequal"
SIZES = {"130k": 1.3e5, "270k": 2.7e5}
SEEDS = tuple(range(1001, 1013))
_NEAR, _WIDE, _CENTRE = {"130k": 28, "270k": 14}, {"130k": 12, "270k": 5}, 4


def stock() -> Available:
    return Available.of({lang: (1, int(u), int(u)) for lang, u in zip(LANGUAGES, runs_.tokens(), strict=True)})


def within(epochs: float) -> Box:
    return box(stock(), TOKENS, Limits(max_epochs=epochs))


def design() -> list[Wanted]:
    """The runs that laws are fitted to, the larger size last; kept in a file, so that what was trained stays valid."""
    path = FOLDER / "design.json"
    if not path.is_file():
        q = baselines.unimax(stock(), within(4))
        near = local(q, _NEAR["130k"], 17)
        wide = dirichlet(baselines.temperature(stock(), 2.0), _WIDE["130k"], 17)
        wide = np.where(wide < 1e-6, 0, wide)
        wide = wide / wide.sum(axis=1, keepdims=True)
        made: list[list[object]] = []
        parts = (("centre", [q] * _CENTRE, 200, None), ("near", near, 0, _NEAR), ("wide", wide, 100, _WIDE))
        for size, parameters in SIZES.items():
            for kind, rows, first, counts in parts:
                made += [
                    [f"{size}-{kind}-{i:03d}", parameters, first + i, [float(r) for r in rows[i]]]
                    for i in range(_CENTRE if counts is None else counts[size])
                ]
        path.write_text(json.dumps(made), "utf-8")
    return [Wanted(name, size, seed, tuple(shares)) for name, size, seed, shares in json.loads(path.read_text("utf-8"))]


def table(size: str) -> Runs:
    """The designed runs of one size, their losses on the first half."""
    mine = [run for run in design() if run.parameters == SIZES[size]]
    found = {run.name: runs_.losses(run.name) for run in mine}
    if missing := [name for name, losses in found.items() if losses is None]:
        raise harness.BenchmarkError(f"{len(missing)} of {len(mine)} runs are not trained: python -m benchmarks.{NAME}")
    n, unique = len(mine), runs_.tokens()
    return Runs(
        tuple(run.name for run in mine), LANGUAGES, LANGUAGES, np.array([run.shares for run in mine]),
        np.array([losses[0] for losses in found.values() if losses is not None]), np.full(n, SIZES[size]),
        np.full(n, float(TOKENS)), np.tile(unique, (n, 1)), np.array([float(run.seed) for run in mine]),
        unigram=runs_.unigram(),
    )  # fmt: skip


@cache
def found(size: str) -> optimum.Measured:
    """What the rule says of the runs of one size, UniMax 4 the prior, at most 15 epochs."""
    others = {
        "unimax4": baselines.unimax(stock(), within(4)), "unimax16": baselines.unimax(stock(), within(16)),
        "temperature": baselines.temperature(stock(), 3.3), "natural": baselines.natural(stock()),
        "uniform": baselines.uniform(stock()),
    }  # fmt: skip
    ask = optimum.Ask(competing(), {}, None, prior="unimax4", next_runs=0)
    with threadpool_limits(1):
        return optimum.find(stock(), TOKENS, within(15), table(size), others, ask)


def mixtures(size: str) -> dict[str, Array]:
    """Every mixture that is trained at a size, fixed before any of them is."""
    path = FOLDER / f"mixtures-{size}.json"
    if not path.is_file():
        made = found(size)
        best = np.array([made.verdict.best[lang] for lang in LANGUAGES])
        told = {"chosen": made.shares, "found": best, **made.others}
        path.write_text(json.dumps({name: [float(r) for r in shares] for name, shares in told.items()}), "utf-8")
    return {name: np.array(shares) for name, shares in json.loads(path.read_text("utf-8")).items()}


def distinct(named: Mapping[str, Array]) -> dict[str, str]:
    """Say for each mixture which one it is the same as: itself, or an earlier one."""
    same: dict[str, str] = {}
    for name, shares in named.items():
        same[name] = next((o for o in same.values() if np.abs(named[o] - shares).max() < 1e-4), name)
    return same


def finals(size: str) -> list[Wanted]:
    named = mixtures(size)
    return [
        Wanted(f"{size}-final-{name}-{seed}", SIZES[size], seed, tuple(map(float, named[name])))
        for seed in SEEDS
        for name in dict.fromkeys(distinct(named).values())
    ]


def report(size: str) -> Iterable[Row]:
    named = mixtures(size)
    same = distinct(named)
    seeds = [s for s in SEEDS if all(runs_.losses(f"{size}-final-{name}-{s}") is not None for name in same.values())]
    if len(seeds) < 2:
        raise harness.BenchmarkError(f"the final models of {size} are not trained: python -m benchmarks.{NAME}")
    each = {
        name: np.array([(runs_.losses(f"{size}-final-{other}-{s}") or ([], []))[1] for s in seeds])
        for name, other in same.items()
    }
    made = found(size)
    told = {
        "parameters": SIZES[size], "tokens": TOKENS, "languages": len(LANGUAGES), "proxies": len(table(size)),
        "seeds": len(seeds), "proven": made.verdict.proven, "predicted": made.verdict.gain.value,
        "predicted_low": made.verdict.gain.low, "predicted_high": made.verdict.gain.high,
        "unlearned": [name for d in made.doubts if d.kind == "unlearned" for name in d.names],
    }  # fmt: skip
    for taken in ("chosen", "found"):
        for name in named:
            if name in ("chosen", "found"):
                continue
            over = (each[name] - each[taken]).mean(axis=1)
            low, high = harness.interval(over)
            mark = "" if taken == "chosen" else ".found"
            about = {**told, "same": same[taken] == same[name]}
            yield Row(NAME, f"gain.{size}.over_{name}{mark}", float(over.mean()), low, high, len(seeds), "bpb", about)
    for name, losses in each.items():
        for metric, values in (("worst", losses.max(axis=1)), ("mean", losses.mean(axis=1))):
            low, high = harness.interval(values)
            shares = {lang: round(float(r), 4) for lang, r in zip(LANGUAGES, named[name], strict=True)}
            yield Row(
                NAME, f"{metric}.{size}.{name}", float(values.mean()), low, high, len(seeds), "bpb",
                {**told, "shares": shares},
            )  # fmt: skip
    predicted = np.mean([[p.losses[n if n != "found" else "chosen"] for n in made.others] for p in made.predictions], 0)
    measured = [each[n].mean() for n in made.others]
    rank = 100 * float(spearmanr(predicted, measured).statistic)
    yield Row(NAME, f"rank.{size}", rank, None, None, len(measured), "ρ × 100", told)


def run(small: bool) -> Iterable[Row]:
    for size, parameters in SIZES.items():
        if not small:
            runs_.train([wanted for wanted in design() if wanted.parameters == parameters])
            runs_.train(finals(size))
        yield from report(size)


if __name__ == "__main__":
    harness.main(NAME, run)
