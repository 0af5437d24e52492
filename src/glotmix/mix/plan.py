"""From what there is and what was asked to a mixture with its baselines, and the two files that say so."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glotmix.core import json_text
from glotmix.core.errors import RequestError, blame
from glotmix.mix import baselines as plain
from glotmix.mix import cells
from glotmix.mix.accounting import Array, Available, Mixture, Share, account, together
from glotmix.mix.cell_limits import of_cells
from glotmix.mix.config import CAP, MixConfig
from glotmix.mix.limits import Box, Limits, box, broken

if TYPE_CHECKING:
    from glotmix.mix.law_fit import Choice
    from glotmix.mix.runs import Runs

__all__ = ["MixConfig", "Plan", "plan", "read_shares", "write"]

_JSON, _CSV = "mixture.json", "mixture.csv"


@dataclass(frozen=True)
class Plan:
    """A mixture, what it was measured against, and what to know of it.

    Args:
        method: how the shares were chosen.
        tokens: the budget in training tokens.
        mixture: the chosen mixture.
        baselines: natural, uniform, temperature (each as published, knowing no limits: see their `breaks`), UniMax;
            with runs also what MSL and RegMix would choose from them.
        predictions: with runs, per target: law, scores, loss under each mixture; as plain data (`optimum.Prediction`).
        gains: with runs, the predicted gain over each baseline; as plain data (`uncertainty.Gain`).
        warnings: what a reader must know, in sentences.
        evidence: with runs, as plain data: ``two_step``, ``bound``, ``transfer``, ``widths``, ``next_runs`` of
            `optimum.Measured`, and the number of runs.
        phases: with schedules, as plain data: `phases.Staged`.
    """

    method: str
    tokens: int
    mixture: Mixture
    baselines: tuple[Mixture, ...]
    predictions: tuple[Mapping[str, Any], ...]
    gains: tuple[Mapping[str, Any], ...]
    warnings: tuple[str, ...]
    evidence: Mapping[str, Any] | None = None
    phases: Mapping[str, Any] | None = None


def plan(
    available: Available,
    config: MixConfig,
    beside: Path = Path(),
    fitted: "tuple[Runs, Sequence[Choice]] | None" = None,
) -> Plan:
    """Choose how much of each language to train on.

    Args:
        available: documents, bytes and unique tokens per language.
        config: what is asked.
        beside: the folder that paths in `config.runs` are relative to (the recipe's).
        fitted: runs with the laws chosen on them, instead of `config.runs`; the method is then law.

    Raises:
        RequestError: if no mixture keeps the limits, naming the language that is short and by how much; if the method
            needs runs and there are none, or they say nothing of a language.
        DataError: if the table of runs cannot be used.

    >>> there = Available.of({"fra_Latn": (90, 900_000, 300_000), "amh_Ethi": (20, 80_000, 20_000)})
    >>> [(row.lang, row.tokens_used, row.epochs) for row in plan(there, MixConfig()).mixture.rows]
    [('fra_Latn', 240000, 0.8), ('amh_Ethi', 80000, 4.0)]
    """
    tokens = config.tokens if config.tokens is not None else available.total
    asked = Limits(config.cap, config.max_epochs_of, config.floors, config.ceilings, config.groups)
    limits = of_cells(asked, available.languages)
    within = box(available, tokens, limits)
    others = dict(plain.baselines(available, within, config.temperature))
    if config.how == "law" or fitted is not None:
        return _from_runs(available, config, tokens, limits, within, others, beside, fitted)
    chosen: dict[str, Callable[[], Array]] = {
        "natural": lambda: plain.natural(available, within),
        "uniform": lambda: plain.uniform(available, within),
        "temperature": lambda: plain.temperature(available, config.temperature, within),
        "unimax": lambda: plain.unimax(available, within),
    }
    mixture = account("chosen", available, chosen[config.how](), tokens)
    counted = _counted(available, others, tokens, limits)
    return Plan(config.how, tokens, mixture, counted, (), (), tuple(_repeats(mixture)))


def write(made: Plan, folder: Path) -> None:
    """Write ``mixture.json`` (everything) and ``mixture.csv`` (a row per mixture and language)."""
    folder.mkdir(parents=True, exist_ok=True)
    told: dict[str, Any] = {
        "method": made.method,
        "tokens": made.tokens,
        "languages": [asdict(row) for row in made.mixture.rows],
        "baselines": {m.name: [asdict(row) for row in m.rows] for m in made.baselines},
        "breaks": {m.name: list(m.breaks) for m in made.baselines if m.breaks},
        "predictions": list(made.predictions),
        "gains": list(made.gains),
        "warnings": list(made.warnings),
        "evidence": made.evidence,
        "phases": made.phases,
    }
    if (whole := by_language(made.mixture)) is not None:
        told["by_language"] = [asdict(row) for row in whole]
    (folder / _JSON).write_text(json.dumps(told, ensure_ascii=False, indent=1, allow_nan=False) + "\n", "utf-8")
    columns = [field.name for field in fields(Share)]
    with (folder / _CSV).open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["mixture", *columns])
        for mixture in (made.mixture, *made.baselines):
            out.writerows([mixture.name, *asdict(row).values()] for row in mixture.rows)


def read_shares(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Return the chosen mixture that `write` left in a folder: the fields of `Share` by language, or by cell."""
    with blame(folder / _JSON):
        told = json_text.loads((folder / _JSON).read_text("utf-8"))
        return {row["lang"]: row for row in told["languages"]}


def read_languages(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Return the same by language, where the mixture is of cells the sum of each language's."""
    with blame(folder / _JSON):
        told = json_text.loads((folder / _JSON).read_text("utf-8"))
        return {row["lang"]: row for row in told.get("by_language", told["languages"])}


def read_verdict(folder: Path) -> str | None:
    """Return the sentence on what runs say of the mixture; None for one that no runs led to."""
    with blame(folder / _JSON):
        told = json_text.loads((folder / _JSON).read_text("utf-8"))
        found = told.get("phases") or (told.get("evidence") or {}).get("verdict") or {}
        said: str | None = found.get("said")
        return said


def by_language(mixture: Mixture) -> tuple[Share, ...] | None:
    """Return a mixture of cells as one of languages, a row for each; None for a mixture of anything else."""
    langs = cells.languages([row.lang for row in mixture.rows])
    if langs is None:
        return None
    rows = list(zip(langs, mixture.rows, strict=True))
    return tuple(together(lang, [row for of, row in rows if of == lang]) for lang in dict.fromkeys(langs))


def _counted(available: Available, shares: Mapping[str, Array], tokens: int, limits: Limits) -> tuple[Mixture, ...]:
    return tuple(
        account(name, available, r, tokens, breaks=broken(available, r, tokens, limits)) for name, r in shares.items()
    )


def _from_runs(
    available: Available,
    config: MixConfig,
    tokens: int,
    limits: Limits,
    within: Box,
    others: Mapping[str, Array],
    beside: Path,
    fitted: "tuple[Runs, Sequence[Choice]] | None",
) -> Plan:
    # Only this method needs the fitting libraries, and they are slow to import.
    from glotmix.mix import optimum
    from glotmix.mix.repeat_worth import cap, discounted, estimate
    from glotmix.mix.run_tables import read
    from glotmix.native.threads import one_thread

    if fitted is None:
        if config.runs is None:
            raise RequestError(
                "mix.method=law needs a table of proxy runs, and mix.runs is not given",
                "mix.runs.mixtures=ratios.csv mix.runs.losses=metrics.csv, or mix.method=unimax",
            )
        table = read(config.runs.format, beside / config.runs.mixtures, beside / config.runs.losses)
        runs, choices = discounted(table.canonical()), None
    else:
        runs, choices = fitted
    measured = estimate(runs)
    if config.phases is not None:
        return _from_schedules(available, config, tokens, limits, others, runs)
    if config.max_epochs == "auto" and (most := cap(measured)) > CAP:
        # The baselines, the prior among them, stay where nothing needs to be measured.
        limits = replace(limits, max_epochs=most)
        within = box(available, tokens, limits)
    quantile = {"mean": None, "worst": 1.0, "quantile": config.quantile}[config.objective]
    scale = (config.parameters, float(tokens)) if config.at_scale else None
    ask = optimum.Ask(
        config.laws, config.weights, quantile, config.prior, config.kl_strength, config.caution, config.keep,
        config.bootstrap, config.seed, scale, config.next_runs,
        keep_others=config.runs is not None and config.runs.others == "prior", parameters=config.parameters,
    )  # fmt: skip
    with one_thread():
        # Sums in another order, on another number of threads, would be other bytes; and the matrices are small.
        found = optimum.find(available, tokens, within, runs, others, ask, choices)
    mixture = account("chosen", available, found.shares, tokens, found.interval)
    return Plan(
        method="law",
        tokens=tokens,
        mixture=mixture,
        baselines=_counted(available, found.others, tokens, limits),
        predictions=tuple(asdict(prediction) for prediction in found.predictions),
        gains=tuple(asdict(gain) for gain in found.gains),
        warnings=(*found.warnings, *_repeats(mixture)),
        evidence={
            "runs": len(runs),
            "verdict": asdict(found.verdict),
            "repeats": {"rate": runs.repeats, "measured": [asdict(one) for one in measured], "cap": limits.max_epochs},
            "doubts": [asdict(doubt) for doubt in found.doubts],
            "two_step": None if found.two_step is None else asdict(found.two_step),
            "bound": None if found.bound is None else asdict(found.bound),
            "transfer": None if found.transfer is None else asdict(found.transfer),
            "widths": [asdict(width) for width in found.widths],
            "next_runs": [asdict(run) for run in found.next_runs],
        },
    )


def _from_schedules(
    available: Available, config: MixConfig, tokens: int, limits: Limits, others: Mapping[str, Array], runs: "Runs"
) -> Plan:
    """Choose a mixture for each phase, or one for all where phases are not shown to bring anything."""
    from glotmix.mix.phases import staged_by
    from glotmix.native.threads import one_thread

    with one_thread():
        found = staged_by(available, config, runs)
    shares = np.array([found.total.get(lang, 0.0) for lang in available.languages])
    mixture = account("chosen", available, shares / shares.sum(), tokens)
    return Plan(
        method="phases",
        tokens=tokens,
        mixture=mixture,
        baselines=_counted(available, others, tokens, limits),
        predictions=(),
        gains=(),
        warnings=(*found.warnings, *_repeats(mixture)),
        phases=asdict(found),
    )


def _repeats(mixture: Mixture) -> list[str]:
    most = max(mixture.rows, key=lambda row: row.epochs or 0.0)
    if most.epochs is not None and most.epochs > 4.001:
        return [
            f"{most.lang} is repeated {most.epochs:.3g} times; past about four epochs repeats are worth much less "
            "than new text"
        ]
    return []
