"""The last stage: sets chosen by the laws and by simple ways, each read on from every warm start, and compared.

Left in the folder: ``choices.parquet`` (blocks of each cell under each law), ``chosen.parquet`` (the documents of every
set) and ``tried/PROBLEM.npz``: bits of every test document, which nothing saw before.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from glotmix.combine import choice, sets
from glotmix.combine.documents import Document
from glotmix.combine.judge import Judged
from glotmix.combine.problems import Problem
from glotmix.combine.streams import Reading, encoded, joined
from glotmix.combine.training import Bench, Tell, silent
from glotmix.core import table
from glotmix.core.record import Counts, Output
from glotmix.mix.accounting import Array
from glotmix.select.diversify import Rows

CONTROL = "lengths"
"""The set that is as the law's choice in the lengths of its documents, and in nothing else: no way to choose."""
_READ = 600
"""Bytes of a document on which a warm start says how usual it is, where nobody rated it."""


def make(output: Output, bench: Bench, started: Path, judged: Mapping[str, Judged], tell: Tell = silent) -> Counts:
    """Choose sets for every problem, and try them.

    Args:
        output: where.
        bench: plan and config.
        started: folder of the second stage, with the warm starts.
        judged: by problem, what its subsets said.
        tell: told of a problem's steps.

    Returns:
        ``{sets, tokens}``.
    """
    units = {f"{number:03d}": problem for number, problem in enumerate(bench.plan.problems)}

    def one(problem: Problem, scratch: Path) -> Counts:
        number = bench.plan.problems.index(problem)
        documents = [d for name in problem.cells for d in bench.plan.documents("pool", name)]
        found, blocks = chosen(bench, started, problem, judged[problem.name], documents)
        bits = tried(bench, started, problem, found, documents, scratch.with_suffix(".checkpoint"), tell)
        (scratch / "tried").mkdir()
        np.savez(scratch / "tried" / f"{number:03d}.npz", allow_pickle=False, **bits)
        rows = [
            {"problem": problem.name, "set": name, "id": documents[at].id, "times": int(times)}
            for name, each in found.items()
            for at, times in zip(*np.unique(each, return_counts=True), strict=True)
        ]
        table.write(pa.Table.from_pylist(rows), scratch / "chosen" / f"{number:03d}.parquet")
        held = [
            {"problem": problem.name, "law": law, "cell": name, "blocks": float(count)}
            for law, each in blocks.items()
            for name, count in zip(problem.cells, each, strict=True)
        ]
        table.write(pa.Table.from_pylist(held), scratch / "choices" / f"{number:03d}.parquet")
        models = bench.config.seeds * len(arms(found))
        steps = bench.steps_of(bench.config.budget or bench.config.tokens)
        return {"sets": len(found), "tokens": models * steps * bench.config.batch * bench.config.context}

    return output.each(units, one, here=True, one_by_one=True)


def chosen(
    bench: Bench, started: Path, problem: Problem, judged: Judged, documents: list[Document]
) -> tuple[dict[str, Rows], dict[str, Array]]:
    """Return the sets of a problem, positions of documents by name, and the blocks of those that a law chose.

    ``random/0``, … are one draw a seed: what chance gives is not one set.
    """
    config, plan = bench.config, bench.plan
    tokens = np.array([len(row) + 1 for row in encoded(documents, plan.pieces)], np.float64)
    budget = (config.budget or config.tokens) * (1 - problem.share)
    count = max(1, round(budget / problem.block))
    quality = _quality(bench, started, documents)
    pool = sets.pool_of(documents, plan.meaning(documents), quality, config.seed)
    found = {f"random/{s}": sets.at_random(tokens, budget, config.seed + s) for s in range(config.seeds)}
    found |= sets.simple(pool, tokens, budget, config.seed)
    members: dict[str, list[int]] = {}
    for at, name in enumerate(_cells(bench, problem)):
        members.setdefault(name, []).append(at)
    blocks = {law: choice.best(fitted, count, config.epochs) for law, fitted in sorted(judged.fitted.items())}
    for law, each in blocks.items():
        found[law] = sets.of_cells(members, problem.cells, each, problem.block, tokens)
    sizes = np.array([one.size for one in documents], np.float64)
    found[CONTROL] = sets.of_lengths(found[judged.chosen.law], sizes, tokens, budget, config.seed)
    return found, blocks


def arms(found: Mapping[str, object]) -> list[str]:
    """Return the ways to choose among sets, the draws of chance as one, the simplest first.

    >>> arms({"random/0": 0, "random/1": 0, "quality": 0, "relational": 0, "additive": 0})
    ['random', 'quality', 'additive', 'relational']
    """
    return [
        name
        for name in ("random", CONTROL, *sets.SIMPLE, "additive", "relational")
        if name in found or name == "random"
    ]


def tried(
    bench: Bench,
    started: Path,
    problem: Problem,
    found: Mapping[str, Rows],
    documents: list[Document],
    checkpoint: Path,
    tell: Tell,
) -> dict[str, Array]:
    """Read every set on from every warm start; return the bits of test documents by set and target, (S, n) each."""
    config, pieces = bench.config, bench.plan.pieces
    coded = encoded(documents, pieces)
    text = {name: joined([coded[at] for at in rows], pieces.end) for name, rows in found.items()}
    text |= {name: bench.row(name) for name in problem.own}
    names, ways = list(text), arms(found)
    own = np.array([len(text[name]) for name in problem.own], np.float64)
    models = [(way, seed) for way in ways for seed in range(config.seeds)]
    shares = np.zeros((len(models), len(names)))
    for row, (way, seed) in enumerate(models):
        shares[row, names.index(way if way in found else f"{way}/{seed}")] = 1 - problem.share
        if problem.own:
            shares[row, len(found) :] = own / own.sum() * problem.share
    steps = bench.steps_of(config.budget or config.tokens)
    reading = Reading(
        text, shares, steps * config.batch, config.context, [config.seed + 7 * (s + 1) for _, s in models]
    )
    weights = bench.follow(
        bench.begun(started, [seed for _, seed in models]), reading, steps, checkpoint, repr((config, problem, names)),
        lambda step: tell(problem.name, step, steps),
    )  # fmt: skip
    bits = {}
    for target, asked in bench.asked("test", problem).items():
        each = asked.bits(weights, bench.shape, pieces.end)
        bits[f"size {target}"] = asked.sizes.astype(np.float64)
        for way in ways:
            bits[f"{way} {target}"] = each[[row for row, (name, _) in enumerate(models) if name == way]]
    return bits


def _cells(bench: Bench, problem: Problem) -> list[str]:
    """Return the cell of every document of a problem, in the order of `chosen`."""
    return [name for name in problem.cells for _ in bench.plan.documents("pool", name)]


def _quality(bench: Bench, started: Path, documents: list[Document]) -> Array:
    """Return the quality of every document; where it is not known of all, how usual the warm start finds it (CCNet)."""
    known = [one.quality for one in documents]
    if all(value is not None for value in known):
        return np.array(known, np.float64)
    from glotmix.combine.streams import asked

    found = asked(documents, bench.plan.pieces, sum(one.size for one in documents), _READ)
    bits = found.bits(bench.begun(started, [0]), bench.shape, bench.plan.pieces.end)[0]
    return np.asarray(-bits / found.sizes)
