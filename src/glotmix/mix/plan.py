"""From what there is and what was asked to a mixture with its baselines, and the two files that say so."""

import csv
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from glotmix.mix import baselines as plain
from glotmix.mix.accounting import Available, Mixture, Share, account
from glotmix.mix.config import MixConfig
from glotmix.mix.limits import Limits, box, broken

__all__ = ["MixConfig", "Plan", "plan", "read_shares", "write"]

VERSION = 1

_JSON, _CSV = "mixture.json", "mixture.csv"


@dataclass(frozen=True)
class Plan:
    """A mixture, what it was measured against, and what to know of it.

    Args:
        method: how the shares were chosen.
        tokens: the budget in training tokens.
        mixture: the chosen mixture.
        baselines: natural, uniform, temperature (each as published, knowing no limits: see their `breaks`), UniMax.
        warnings: what a reader must know, in sentences.
    """

    method: str
    tokens: int
    mixture: Mixture
    baselines: tuple[Mixture, ...]
    warnings: tuple[str, ...]


def plan(available: Available, config: MixConfig) -> Plan:
    """Choose how much of each language to train on.

    Args:
        available: documents, bytes and unique tokens per language.
        config: what is asked.

    Raises:
        RequestError: if no mixture keeps the limits, naming the language that is short and by how much.

    >>> there = Available.of({"fra_Latn": (90, 900_000, 300_000), "amh_Ethi": (20, 80_000, 20_000)})
    >>> [(row.lang, row.tokens_used, row.epochs) for row in plan(there, MixConfig()).mixture.rows]
    [('fra_Latn', 240000, 0.8), ('amh_Ethi', 80000, 4.0)]
    """
    tokens = config.tokens if config.tokens is not None else available.total
    limits = Limits(config.max_epochs, config.max_epochs_of, config.floors, config.ceilings)
    within = box(available, tokens, limits)
    chosen = {
        "natural": lambda: plain.natural(available, within),
        "uniform": lambda: plain.uniform(available, within),
        "temperature": lambda: plain.temperature(available, config.temperature, within),
        "unimax": lambda: plain.unimax(available, within),
    }[config.method]()
    beside = tuple(
        account(name, available, shares, tokens, breaks=broken(available, shares, tokens, limits))
        for name, shares in plain.baselines(available, within, config.temperature).items()
    )
    mixture = account("chosen", available, chosen, tokens)
    return Plan(config.method, tokens, mixture, beside, tuple(_repeats(mixture)))


def write(made: Plan, folder: Path) -> None:
    """Write ``mixture.json`` (everything) and ``mixture.csv`` (a row per mixture and language)."""
    folder.mkdir(parents=True, exist_ok=True)
    told: dict[str, Any] = {
        "method": made.method,
        "tokens": made.tokens,
        "languages": [asdict(row) for row in made.mixture.rows],
        "baselines": {m.name: [asdict(row) for row in m.rows] for m in made.baselines},
        "breaks": {m.name: list(m.breaks) for m in made.baselines if m.breaks},
        "warnings": list(made.warnings),
    }
    (folder / _JSON).write_text(json.dumps(told, ensure_ascii=False, indent=1, allow_nan=False) + "\n", "utf-8")
    columns = [field.name for field in fields(Share)]
    with (folder / _CSV).open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["mixture", *columns])
        for mixture in (made.mixture, *made.baselines):
            out.writerows([mixture.name, *asdict(row).values()] for row in mixture.rows)


def read_shares(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Return the chosen mixture that `write` left in a folder: the fields of `Share` by language."""
    told = json.loads((folder / _JSON).read_text("utf-8"))
    return {row["lang"]: row for row in told["languages"]}


def _repeats(mixture: Mixture) -> list[str]:
    most = max(mixture.rows, key=lambda row: row.epochs or 0.0)
    if most.epochs is not None and most.epochs > 4:
        return [
            f"{most.lang} is repeated {most.epochs:.3g} times; past about four epochs repeats are worth much less "
            "than new text"
        ]
    return []
