"""Sets for documents on which nothing was trained: the selector of other languages, or of other text, chooses them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from glotmix.combine import carried, choice, sets
from glotmix.combine.carried import Measured
from glotmix.combine.cells import Cells
from glotmix.combine.streams import encoded
from glotmix.combine.training import Bench, losses
from glotmix.core import table
from glotmix.core.errors import DataError
from glotmix.core.record import Counts, Output


def make(output: Output, design: Path, learned: Path) -> Counts:
    """Choose a set for every problem of a design, and leave ``choices.parquet``, ``chosen.parquet``, ``selector.json``.

    The traits are those that both designs know of all their cells; the loss of a warm start is none of them, for there
    is none here.

    Args:
        output: where.
        design: folder of the first stage, of the documents to choose among.
        learned: folder of all stages of others, whose subsets are trained.

    Returns:
        ``{sets, documents}``.
    """
    bench, other = Bench.of(design), Bench.of(learned / "design")
    known = {
        one.name: Measured(other.plan.cells(one), other.plan.subsets(one), losses(learned / "losses", other, one))
        for one in other.plan.problems
    }
    asked = {one.name: bench.plan.cells(one) for one in bench.plan.problems}
    common = _common([*(one.cells for one in known.values()), *asked.values()])
    known = {name: replace(one, cells=_with(one.cells, common)) for name, one in known.items()}
    selector = carried.learn(known)
    blocks, rows = [], []
    for problem in bench.plan.problems:
        config = bench.config
        count = max(1, round((config.budget or config.tokens) * (1 - problem.share) / problem.block))
        found = choice.best(selector.law(_with(asked[problem.name], common)), count, config.epochs)
        blocks += [
            {"problem": problem.name, "cell": name, "blocks": float(b)}
            for name, b in zip(problem.cells, found, strict=True)
        ]
        held = {name: bench.plan.documents("pool", name) for name in problem.cells}
        documents = [one for name in problem.cells for one in held[name]]
        tokens = np.array([len(row) + 1 for row in encoded(documents, bench.plan.pieces)], np.float64)
        ends = np.cumsum([len(held[name]) for name in problem.cells]).tolist()
        members = {n: range(e - len(held[n]), e) for n, e in zip(problem.cells, ends, strict=True)}
        at, times = np.unique(sets.of_cells(members, problem.cells, found, problem.block, tokens), return_counts=True)
        rows += [
            {"problem": problem.name, "id": documents[i].id, "times": int(n)} for i, n in zip(at, times, strict=True)
        ]
    table.write(pa.Table.from_pylist(blocks), output.path / "choices.parquet")
    table.write(pa.Table.from_pylist(rows), output.path / "chosen.parquet")
    said: dict[str, Any] = {
        "learned_from": list(selector.languages),
        "traits": dict(zip(selector.names, selector.weights.tolist(), strict=True)),
        "left_out_rank": carried.left_out(known) if len(known) > 1 else {},
    }
    (output.path / "selector.json").write_text(json.dumps(said, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return {"sets": len(bench.plan.problems), "documents": len(rows)}


def _common(cells: list[Cells]) -> tuple[str, ...]:
    found = tuple(name for name in cells[0].trait_names if all(name in one.trait_names for one in cells))
    if not found:
        raise DataError("nothing is known of all these cells")
    return found


def _with(cells: Cells, names: tuple[str, ...]) -> Cells:
    assert cells.traits is not None
    at = [cells.trait_names.index(name) for name in names]
    return replace(cells, traits=cells.traits[:, at], trait_names=names)
