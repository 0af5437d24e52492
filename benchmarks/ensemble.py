"""Proxies trained together: tokens per second of K models as one program against one after another, and their memory.

The smallest size that the dial has (0.1M parameters) and the default (0.3M, metrics end in `.300k`); windows of 64
tokens. `speedup.{device}.k{K}` is against the same code with one model at a time, `over_plain.{device}.k{K}` against a
plain loop in the manner of nanoGPT with as many weights. Each single model takes the better of one thread and all
cores; K models on a CPU are a process a core, as training has them: all take the same number of steps, and the slowest
of them says how long it took. The sides take turns, and the interval is over the rounds. `tokens_per_cpu_second` is
what a busy machine changes least. Metrics end in the windows per step and model where these are not one. On a GPU
where there is one; null otherwise.

Metrics that end in `.bfloat16` are of products in bfloat16 on a CPU, which proxies have there only where they are asked
for: where the processor has instructions for it, null otherwise. They are against the same single model as float32's:
one, with the better of the two kinds of product and of numbers of threads.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from benchmarks import harness
from benchmarks.harness import ROOT, Row
from glotmix.proxy.cores import parts
from glotmix.proxy.size import SMALLEST, shape

NAME = "ensemble"
COUNTS = {(1e5, 1): (1, 8, 32, 128), (3e5, 1): (1, 8, 32, 128), (3e5, 2): (1, 32)}
"""Models together, by parameters and windows per step and model."""
ROUGH = [(1e5, 1), (3e5, 1)]
"""Where on a CPU bfloat16 is tried, too."""
CONTEXT = 64
"""Tokens per window."""


def together(size: float, count: int, batch: int, device: str, precision: str):
    """Return a function that takes so many steps of `count` models."""
    import torch

    from glotmix.proxy import ensemble, model
    from glotmix.proxy.texts import Texts, starts

    formed = shape(size, context=CONTEXT)
    rng = np.random.default_rng(0)
    langs = ("a", "b", "c")
    stream = {lang: rng.integers(0, formed.vocabulary, 500_000).astype(np.int32) for lang in langs}
    texts = Texts(langs, formed.vocabulary, 0, stream, {key: [] for key in langs}, dict.fromkeys(langs, 0))
    steps = 4000
    where = torch.device(device)
    windows = [starts(texts, rng.dirichlet([1.0] * 3), steps * batch, CONTEXT, i, [np.inf] * 3) for i in range(count)]
    streams = ensemble.Streams(texts, windows, CONTEXT, where)
    state = ensemble.State.begin(model.begin(formed, range(count)), where)

    def run(n: int) -> None:
        # The training itself, stopped after n steps: the schedule's length changes no cost.
        training = ensemble.Training(batch, state.step + n, 0.005)
        ensemble.train(state, formed, training, streams, getattr(torch, precision))
        if device == "cuda":
            torch.cuda.synchronize()

    return run


def plain(size: float, batch: int):
    import torch

    from benchmarks._nano import Loop

    formed = shape(size, context=CONTEXT)
    loop = Loop(torch.randint(0, formed.vocabulary, (1_500_000,)), formed, batch)

    def run(n: int) -> None:
        for _ in range(n):
            loop.step()

    return run


def worker(kind: str, size: float, count: int, batch: int, device: str, threads: int, seconds: float) -> None:
    """Print tokens, seconds and bytes of memory as JSON: runs in a process of its own.

    A kind is ``plain``, or what the products of an ensemble are made in.
    It prints the steps that would take so many seconds, and takes as many as it is told.
    """
    import torch

    from glotmix.proxy import cores

    torch.set_num_threads(threads)
    if count == 1:
        # A single small model would keep to one thread; here it is tried on all.
        cores.NEAR = 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run = plain(size, batch) if kind == "plain" else together(size, count, batch, device, kind)
    data = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run(2)
    began = time.perf_counter()
    run(3)
    print(max(3, round(3 * seconds / (time.perf_counter() - began))), flush=True)
    steps = int(sys.stdin.readline())
    began, busy = time.perf_counter(), time.process_time()
    run(steps)
    spent, busy = time.perf_counter() - began, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    held = torch.cuda.max_memory_allocated() if device == "cuda" else (peak - min(before, data)) * 1024
    print(json.dumps({"tokens": steps * count * batch * CONTEXT, "spent": spent, "busy": busy, "bytes": held}))


def timed(kind: str, size: float, count: int, batch: int, device: str, threads: int, seconds: float):
    """Time `worker` in processes of their own; K models on a CPU as `proxy.train` has them, a process a core."""
    shares = [count] if count == 1 or device != "cpu" else [len(range(count)[part]) for part in parts(count, threads)]
    each = threads if len(shares) == 1 else 1
    running = []
    for share in shares:
        arguments = (kind, size, share, batch, device, each, seconds)
        call = f"from benchmarks.ensemble import worker; worker({', '.join(map(repr, arguments))})"
        command = [sys.executable, "-c", call]
        pipe = subprocess.PIPE
        running.append(subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True))
    steps = max(int(process.stdout.readline() or 0) for process in running)
    found = []
    for process in running:
        process.stdin.write(f"{steps}\n")
        process.stdin.flush()
    for process in running:
        said, words = process.communicate()
        if process.returncode:
            raise harness.BenchmarkError(
                f"{kind} with {count} models ended with {process.returncode}:\n{words[-2000:]}"
            )
        found.append(json.loads(said))
    tokens = sum(row["tokens"] for row in found)
    return {
        "rate": tokens / max(row["spent"] for row in found),
        "busy": tokens / sum(row["busy"] for row in found),
        "bytes": sum(row["bytes"] for row in found) / count,
    }


def rough(device: str) -> bool:
    """Whether there is a second kind of product to measure: a CPU with instructions for bfloat16."""
    import torch

    return device == "cpu" and torch.cpu._is_avx512_bf16_supported()


def compared(device: str, small: bool) -> Iterable[Row]:
    """Measure one device."""
    cores = len(os.sched_getaffinity(0))
    seconds, rounds = (0.3, 1) if small else (2.0, 3)
    usual = "bfloat16" if device == "cuda" else "float32"
    for (size, batch), counts in {(1e5, 1): (1, 8)}.items() if small else COUNTS.items():
        precisions = [usual, "bfloat16"] if rough(device) and (size, batch) in ROUGH else [usual]
        kinds = [("plain", 1), *((precision, k) for precision in precisions for k in counts)]
        found: dict[tuple[str, int, int], list[dict[str, float]]] = {}
        for _ in range(rounds):
            for kind, count in kinds:
                # A large ensemble on one thread only repeats what its bytes already say.
                for threads in {1, cores} if count == 1 else {cores}:
                    found.setdefault((kind, count, threads), []).append(
                        timed(kind, size, count, batch, device if kind != "plain" else "cpu", threads, seconds)
                    )
        best = {
            (kind, count): max(
                (rows for (k, c, _), rows in found.items() if (k, c) == (kind, count)),
                key=lambda rows: np.mean([row["rate"] for row in rows]),
            )
            for kind, count in kinds
        }
        rates = {key: np.array([row["rate"] for row in rows]) for key, rows in best.items()}
        alone = max((rates[precision, 1] for precision in precisions), key=np.mean)
        told = {
            "parameters": shape(size, context=CONTEXT).parameters,
            "context": CONTEXT,
            "batch": batch,
            "cores": cores,
            "seconds": seconds,
        }
        for kind, k in kinds:
            name = "plain" if kind == "plain" else f"k{k}"
            end = ending(size, batch) + (".bfloat16" if kind not in ("plain", usual) else "")
            rate = rates[kind, k]
            yield row(f"tokens_per_second.{device}.{name}{end}", rate, "tokens/s", told)
            if device == "cpu":
                busy = [each["busy"] for each in best[kind, k]]
                yield row(f"tokens_per_cpu_second.cpu.{name}{end}", busy, "tokens/s", told)
            if kind != "plain":
                yield row(f"speedup.{device}.{name}{end}", rate / alone, "×", told)
                yield row(f"over_plain.{device}.{name}{end}", rate / rates["plain", 1], "×", told)
                held = [each["bytes"] for each in best[kind, k]]
                yield Row(
                    NAME, f"bytes_per_proxy.{device}.{name}{end}", float(np.mean(held)), n=rounds, unit="B",
                    settings=told,
                )  # fmt: skip


def ending(size: float, batch: int) -> str:
    """Return what metrics end in: nothing for the smallest size and one window."""
    return ("" if size == SMALLEST else f".{size / 1000:.0f}k") + ("" if batch == 1 else f".batch{batch}")


def row(metric: str, values: Sequence[float], unit: str, told: Mapping[str, object]) -> Row:
    """Return the mean over the rounds with its interval."""
    low, high = harness.interval(values)
    return Row(NAME, metric, float(np.mean(values)), low, high, len(values), unit, told)


def run(small: bool) -> Iterable[Row]:
    import torch

    yield from compared("cpu", small)
    if not rough("cpu"):
        for size, batch in ROUGH:
            for k in COUNTS[size, batch][1:]:
                why = {"why": "the processor where this was measured has no instructions for bfloat16"}
                yield Row(NAME, f"speedup.cpu.k{k}{ending(size, batch)}.bfloat16", None, unit="×", settings=why)
    if torch.cuda.is_available():
        yield from compared("cuda", small)
    else:
        for k in COUNTS[1e5, 1]:
            why = {"why": "no GPU where this was measured; the same command measures one"}
            yield Row(NAME, f"speedup.cuda.k{k}", None, unit="×", settings=why)


if __name__ == "__main__":
    harness.main(NAME, run)
