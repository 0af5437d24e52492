"""Runs of an earlier stock of text: which of them still hold, and which few to train beside them."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from glotmix.core import record, utf8
from glotmix.core.errors import DataError, RequestError, blame
from glotmix.mix import cells
from glotmix.mix import design as planning
from glotmix.mix.accounting import Available
from glotmix.mix.cell_tables import alike
from glotmix.mix.design import Design as Asked
from glotmix.mix.reuse import reuse
from glotmix.mix.run_tables import olmix
from glotmix.mix.runs import Runs
from glotmix.proxy import design as designs
from glotmix.proxy.config import ProxiesConfig
from glotmix.proxy.design import Run

STOCK = "stock.csv"
"""Beside the tables of runs over cells: how much there was of each cell, and a sketch of its documents."""

ALIKE = 0.9
"""Jaccard similarity of a cell's documents from which on it is the cell that it was.

Where a source is added, lines that follow a language's own documents move, and a few documents of other sources come
and go. How much of a cell may change before losses do was not measured.
"""

SAME = ("unit", "context", "batch", "rate", "held_out", "held_bytes", "held_each", "precision", "mix.cells")
"""What of the section has to be as it was, for losses to be of the same training and the same held-out text."""


@dataclass(frozen=True)
class Earlier:
    """Runs that still hold.

    Args:
        folder: where they were trained: their tokenizer and their held-out text are those of the further runs.
        runs: over the cells that there are now.
        losses: by the run's name, in the order of the languages that there are now.
        wanted: how many further runs to train.
        said: in a sentence, what became of them.
    """

    folder: Path
    runs: tuple[Run, ...]
    losses: Mapping[str, tuple[float, ...]]
    wanted: int
    said: str


def write_stock(path: Path, there: Available, sketches: Mapping[str, Sequence[int]]) -> None:
    """Write how much there is of each cell, and the sketch of its documents."""
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["lang", "documents", "bytes", "tokens", "sketch"])
        for row in zip(there.languages, there.documents, there.bytes, there.tokens, strict=True):
            out.writerow([*row, " ".join(f"{one:016x}" for one in sketches[row[0]])])


def read(folder: Path, config: ProxiesConfig, column: str, sketches: Mapping[str, Sequence[int]]) -> Earlier:
    """Say what of earlier runs over cells still holds (`mix.reuse`), and how few to add.

    Args:
        folder: an earlier output of the step `proxies`, or a copy of it.
        config: of the further runs.
        column: what cuts languages in cells now.
        sketches: of the documents of each cell, now.

    Raises:
        RequestError: if runs were trained otherwise, a language is new, or nothing has changed.
        DataError: if the folder holds no runs over cells.
    """
    was: Any = record.require(folder, "glotmix run, with mix.cells and mix.proxies").identity["config"]
    now: dict[str, object] = config.model_dump(mode="json") | {"mix.cells": column}
    if other := [key for key in SAME if was.get(key) != now[key]]:
        raise RequestError(
            f"the runs in {folder} were trained with {other[0]}={was.get(other[0])}, and these would "
            f"be with {now[other[0]]}: their losses do not compare",
            "take the same settings, or train all runs anew: mix.proxies.earlier=null",
        )
    path = folder / STOCK
    with blame(path):
        rows = list(csv.DictReader(io.StringIO(utf8.text(path), newline="")))
        before = {row["lang"]: [int(one, 16) for one in row["sketch"].split()] for row in rows}
    runs = olmix(folder / "ratios.csv", folder / "metrics.csv")
    langs = tuple(dict.fromkeys(map(cells.of, sorted(sketches))))
    if new := [lang for lang in langs if lang not in runs.targets]:
        raise RequestError(
            f"the runs in {folder} have no loss on {', '.join(new)}: with a new language none of them says all",
            "train all runs anew: mix.proxies.earlier=null",
        )
    changed = [name for name in runs.domains if alike(before[name], sketches.get(name, ())) < ALIKE]
    added = [name for name in sketches if name not in runs.domains]
    if not changed and not added:
        raise RequestError(
            f"no cell has changed since the runs in {folder}: all of them hold",
            f"mix.proxies=null mix.runs.mixtures={folder}/ratios.csv mix.runs.losses={folder}/metrics.csv",
        )
    found = reuse(runs, changed, added)
    if not found.valid:
        raise RequestError(
            f"every run in {folder} drew on {', '.join(changed[:6])}: none still holds",
            "train all runs anew: mix.proxies.earlier=null",
        )
    at = [runs.targets.index(lang) for lang in langs]
    losses = {name: tuple(row[at].tolist()) for name, row in zip(runs.names, runs.losses, strict=True)}
    trained = designs.read(folder / "ratios.csv", config)
    kept = tuple(
        _over(run, trained.languages, tuple(sorted(sketches))) for run in trained.runs if run.name in found.valid
    )
    named = ", ".join([*changed, *added][:6])
    said = (
        f"{len(kept)} of {len(runs)} earlier runs still hold; {len(found.spent)} drew on what changed ({named}); "
        f"{found.wanted} are trained beside them"
    )
    return Earlier(folder, kept, {run.name: losses[run.name] for run in kept}, found.wanted, said)


def further(there: Available, asked: Asked, earlier: Earlier) -> Runs:
    """Design the further runs: near UniMax, so that each draws on every cell, also on what is new.

    Raises:
        DataError: if an earlier run has the name of a further one.
    """
    made = planning.design(
        there,
        replace(asked, runs=earlier.wanted, near=1.0, centre=0, one_size=True, seed=asked.seed + len(earlier.runs)),
    )
    at = np.array([i for i, name in enumerate(made.names) if not name.endswith("-fresh")])
    names = tuple(f"added-{len(earlier.runs)}-{i:03d}" for i in range(len(at)))
    if twice := {*names} & {run.name for run in earlier.runs}:
        raise DataError(f"the run {min(twice)} is in {earlier.folder} already")
    return replace(made.take(at), names=names)


def _over(run: Run, before: tuple[str, ...], now: tuple[str, ...]) -> Run:
    shares, unique = dict(zip(before, run.shares, strict=True)), dict(zip(before, run.unique, strict=True))
    return replace(
        run,
        shares=tuple(shares.get(name, 0.0) for name in now),
        unique=tuple(unique.get(name, math.inf) for name in now),
    )
