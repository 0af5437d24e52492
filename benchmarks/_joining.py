"""What joining raters costs, and what choosing their pairs saves: rows of `benchmarks.raters`, on made-up qualities."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import spearmanr

from benchmarks import harness
from benchmarks.harness import Row
from glotmix.quality import active, bradley_terry, judgements
from glotmix.quality.bradley_terry import Comparisons

NAME = "raters"


def votes(raters_: int, count: int, size: int, seed: int) -> tuple[NDArray[np.float64], Comparisons]:
    """Return true qualities and the votes of raters with errors of their own; the last two are random and inverted."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=size)
    left, right = judgements.draw_pairs(np.array(["x"] * size, object), 2 * round(count / size), seed)
    columns = [truth + rng.normal(scale=0.5 + at / 2, size=size) for at in range(raters_ - 2)]
    columns += [rng.normal(size=size), -truth + rng.normal(size=size)]
    return truth, Comparisons(left, right, judgements.compare(np.column_stack(columns), left, right), size)


def aggregate(count: int, size: int) -> None:
    """Join five raters of `count` pairs; a process of its own, so that its memory is its own."""
    truth, given = votes(5, count, size, 0)
    began, used = time.monotonic(), time.process_time()
    fit = bradley_terry.fit(given)
    seconds, used = time.monotonic() - began, time.process_time() - used
    status = " ".join(r.status.replace(" ", "-") for r in fit.raters)
    print(f"{seconds} {used} {len(given.left)} {spearmanr(fit.scores, truth).statistic} {status}")


def aggregation(small: bool) -> Iterator[Row]:
    """Yield seconds and memory of joining five raters of a million pairs."""
    count, size = (50_000, 5_000) if small else (1_000_000, 100_000)
    code = f"from benchmarks._joining import aggregate; aggregate({count}, {size})"
    cost = harness.measure([sys.executable, "-c", code], env={"PYTHONPATH": str(Path("src").resolve())})
    if cost.exit:
        raise harness.BenchmarkError(f"joining failed:\n{cost.output}")
    told = cost.output.split()
    pairs_, about = int(told[2]), {"raters": 5, "documents": size, "spearman": float(told[3]), "status": told[4:]}
    yield Row(NAME, "aggregation.seconds", float(told[0]), None, None, pairs_, "s", about)
    # On a machine that others keep busy, what it took of a processor is what can be compared.
    yield Row(NAME, "aggregation.cpu_seconds", float(told[1]), None, None, pairs_, "s", about)
    yield Row(NAME, "aggregation.peak_mb", cost.peak_mb, None, None, pairs_, "MB", about)


def learning(small: bool) -> Iterator[Row]:
    """Yield what active selection saves, for judges that are seldom and often wrong, with its learning curves."""
    size, worlds = (100, 2) if small else (300, 8)
    budgets = [size * k for k in range(1, 11)]
    for name, scale in (("sharp", 4.0), ("middling", 2.0), ("blunt", 1.0)):
        curves: dict[str, list[list[float]]] = {"active": [], "random": []}
        saved = []
        for seed in range(worlds):
            truth = np.random.default_rng([seed, 5]).normal(size=size) * scale

            def judge(a: NDArray[np.int64], b: NDArray[np.int64], number: int, truth=truth) -> NDArray[np.float64]:
                return (np.random.default_rng([number, 6]).random(len(a)) < expit(truth[a] - truth[b])).astype(float)

            def quality(s: NDArray[np.float64], truth=truth) -> float:
                return float(spearmanr(s, truth).statistic)

            both = [
                list(active.learning_curve(judge, quality, size, budgets, choose, seed=seed))
                for choose in (active.next_pairs, active.random_pairs)
            ]
            for label, curve in zip(curves, both, strict=True):
                curves[label].append([q for _, q in curve])
            # Where active selection does not get there, it saves nothing that was seen.
            saved.append(active.saved(*both) or 0.0)
        about = {"documents": size, "worlds": worlds, "sd_of_log_odds": scale}
        low, high = harness.interval(saved)
        yield Row(NAME, f"active.saved.{name}", float(np.mean(saved)), low, high, worlds, "share of judgements", about)
        for label, found in curves.items():
            for budget, column in zip(budgets, np.array(found).T, strict=True):
                if budget in (budgets[1], budgets[4], budgets[9]):
                    low, high = harness.interval(column.tolist())
                    metric = f"active.curve.{name}.{label}.{budget}"
                    yield Row(NAME, metric, float(column.mean()), low, high, worlds, "Spearman's ρ", about)
