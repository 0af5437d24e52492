"""Which proxies to train, and what came of them: tables that `glotmix mix` writes and reads.

A design is a CSV with a row per run: ``run_id``, a share per language, and, where they differ between runs,
``parameters``, ``tokens``, ``seed`` and ``unique.<language>`` (tokens of that language that may be used; empty for
all). What comes back is the same table with what was really trained, ``ratios.csv``, and ``metrics.csv``: ``run_id``
and bits per byte per language. That is Olmix's shape, which the room `mix` reads.
"""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from glotmix.core import utf8
from glotmix.core.errors import DataError, RequestError
from glotmix.core.language import parse
from glotmix.mix import cells
from glotmix.proxy.config import ProxiesConfig

_UNIQUE = "unique."
_PHASE = "@"


@dataclass(frozen=True)
class Run:
    """One proxy.

    Args:
        name: of the run.
        parameters: wanted; `size.shape` finds the nearest.
        tokens: in training, rounded up to whole steps.
        seed: of weights and order.
        shares: of the training tokens, one per language of the design, summing to one.
        unique: tokens per language that may be used, infinite for all.
        phases: of a schedule the shares of each phase, in order, all of them summing to one; `shares` are their sums.
    """

    name: str
    parameters: float
    tokens: int
    seed: int
    shares: tuple[float, ...]
    unique: tuple[float, ...]
    phases: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class Design:
    """Runs over languages (canonical codes, sorted), or over cells of them."""

    languages: tuple[str, ...]
    runs: tuple[Run, ...]


def of(languages: Sequence[str], mixtures: Sequence[Sequence[float]], config: ProxiesConfig) -> Design:
    """Return a design of plain mixtures: every other thing as configured, run i with the seed `config.seed + i`."""
    order = sorted(range(len(languages)), key=lambda i: languages[i])
    infinite = (math.inf,) * len(order)
    return Design(
        tuple(languages[i] for i in order),
        tuple(
            Run(
                f"run-{n:04d}",
                config.parameters,
                config.tokens,
                config.seed + n,
                tuple(float(row[i]) for i in order),
                infinite,
            )
            for n, row in enumerate(mixtures)
        ),
    )


def read(path: Path, config: ProxiesConfig) -> Design:
    """Read a design.

    Raises:
        RequestError: if there is no such file.
        DataError: if it cannot be used; the message names file, run and column.
    """
    if not path.is_file():
        raise RequestError(f"there is no design {path}", "glotmix mix design makes one")
    rows = list(csv.DictReader(io.StringIO(utf8.text(path), newline="")))
    if not rows:
        raise DataError(f"{path} holds no run: a header and one row per run are needed")
    header = [column for column in rows[0] if column]
    if "run_id" not in header:
        raise DataError(f"{path} has no column run_id; it has: {', '.join(header[:8])}")
    beside = ("run_id", "name", "index", "parameters", "tokens", "seed")
    mixed = [column for column in header if column not in beside and not column.startswith(_UNIQUE)]
    if any(_PHASE in column for column in mixed):
        return _schedules(path, rows, mixed, config)
    named = {column: cells.canonical(column) for column in mixed}
    by_code: dict[str, str] = {}
    for column, code in named.items():
        if code in by_code:
            raise DataError(f"{path} has columns {by_code[code]} and {column}, which are one language, {code}")
        by_code[code] = column
    languages = tuple(sorted(by_code))
    runs = []
    seen: set[str] = set()
    for number, row in enumerate(rows):
        name = row["run_id"].strip()
        if not name or name in seen:
            raise DataError(f"{path}, run {number + 1}: the run_id {name!r} is empty or comes twice")
        seen.add(name)
        shares = [_number(row.get(by_code[code]), path, name, by_code[code]) for code in languages]
        total = sum(shares)
        if min(shares) < 0 or abs(total - 1) > 0.01:
            raise DataError(f"{path}: the shares of run {name} sum to {total:.4g}, the least is {min(shares):.4g}")
        unique = [row.get(_UNIQUE + by_code[code]) for code in languages]
        runs.append(
            Run(
                name,
                _number(row.get("parameters") or config.parameters, path, name, "parameters"),
                round(_number(row.get("tokens") or config.tokens, path, name, "tokens")),
                round(_number(row.get("seed") or config.seed + number, path, name, "seed")),
                tuple(share / total for share in shares),
                tuple(_number(u, path, name, "unique") if u and u.strip() else math.inf for u in unique),
            )
        )
    return Design(languages, tuple(runs))


def _schedules(path: Path, rows: Sequence[Mapping[str, str]], columns: Sequence[str], config: ProxiesConfig) -> Design:
    """Read runs whose mixture changes: a share per language and phase, ``eng_Latn@1``."""
    cut = [column.partition(_PHASE) for column in columns]
    if not all(phase for _, _, phase in cut):
        raise DataError(f"{path} has columns with and without a phase: {', '.join(columns[:6])}")
    phases = tuple(dict.fromkeys(phase for _, _, phase in cut))
    languages = tuple(sorted({parse(lang).code for lang, _, _ in cut}))
    at = {(parse(lang).code, phase): column for (lang, _, phase), column in zip(cut, columns, strict=True)}
    if len(at) != len(languages) * len(phases) or len(at) != len(columns):
        raise DataError(f"{path} has {len(columns)} columns for {len(languages)} languages in {len(phases)} phases")
    runs = []
    for number, row in enumerate(rows):
        name = row["run_id"].strip()
        shares = [[_number(row.get(at[lang, p]), path, name, at[lang, p]) for lang in languages] for p in phases]
        total = sum(map(sum, shares))
        if abs(total - 1) > 0.01:
            raise DataError(f"{path}: the shares of run {name} sum to {total:.4g}")
        runs.append(
            Run(
                name,
                _number(row.get("parameters") or config.parameters, path, name, "parameters"),
                round(_number(row.get("tokens") or config.tokens, path, name, "tokens")),
                round(_number(row.get("seed") or config.seed + number, path, name, "seed")),
                tuple(sum(phase[i] for phase in shares) / total for i in range(len(languages))),
                (math.inf,) * len(languages),
                tuple(tuple(share / total for share in phase) for phase in shares),
            )
        )
    return Design(languages, tuple(runs))


def write(
    folder: Path,
    design: Design,
    trained: Mapping[str, tuple[int, int]],
    losses: Mapping[str, Sequence[float]],
) -> None:
    """Write ``ratios.csv`` and ``metrics.csv``.

    Args:
        folder: where.
        design: what was asked.
        trained: parameters and tokens that each run really had, by its name.
        losses: bits per byte per language (of cells: each language once, in their order), by the run's name.
    """
    stocks = [i for i in range(len(design.languages)) if any(math.isfinite(run.unique[i]) for run in design.runs)]
    phases = len(design.runs[0].phases)
    mixed = [f"{lang}{_PHASE}{k + 1}" for k in range(phases) for lang in design.languages] or list(design.languages)
    head = ["run_id", "parameters", "tokens", "seed", *mixed]
    head += [_UNIQUE + design.languages[i] for i in stocks]
    ratios = [
        [
            run.name,
            *trained[run.name],
            run.seed,
            *(repr(float(share)) for share in ([s for phase in run.phases for s in phase] or run.shares)),
            *(str(round(run.unique[i])) if math.isfinite(run.unique[i]) else "" for i in stocks),
        ]
        for run in design.runs
    ]
    _save(folder / "ratios.csv", head, ratios)
    metrics = [[run.name, *(f"{loss:.6f}" for loss in losses[run.name])] for run in design.runs]
    targets = dict.fromkeys(map(cells.of, design.languages))
    _save(folder / "metrics.csv", ["run_id", *targets], metrics)


def write_unigram(folder: Path, bits: Mapping[str, float]) -> None:
    """Write ``unigram.csv``: by language, what a model reaches that knows how often each byte comes and no more."""
    _save(folder / "unigram.csv", ["target", "bits_per_byte"], [[lang, f"{value:.6f}"] for lang, value in bits.items()])


def _save(path: Path, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(head)
        out.writerows(rows)


def _number(given: object, path: Path, run: str, column: str) -> float:
    try:
        value = float(str(given))
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise DataError(f"{path}: run {run} has {given!r} in column {column}")
    return value
