"""The files that `glotmix mix` leaves and reads: a stock of text, a fit, a mixture; each says what it was made from."""

import csv
import hashlib
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from glotmix.core import json_text, utf8
from glotmix.core.errors import DataError, RequestError, blame
from glotmix.mix.accounting import Array, Available
from glotmix.mix.doubts import doubts
from glotmix.mix.law_fit import Choice, Score, choice, isolated, of_main_size
from glotmix.mix.repeat_worth import discounted
from glotmix.mix.run_tables import olmix, write
from glotmix.mix.runs import Runs, code

FIT = "fit.json"
MIXTURE = "mixture.json"
_RUNS = ("ratios.csv", "metrics.csv")


def digest(path: Path) -> str:
    """Return the SHA-256 (hexadecimal) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save(path: Path, told: Mapping[str, Any]) -> None:
    """Write JSON, one key a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, ensure_ascii=False, indent=1, allow_nan=False) + "\n", "utf-8")


def read_stock(path: Path) -> Available:
    """Read what there is of each language.

    Args:
        path: a ``mixture.json`` (or the folder of one), or a CSV with ``lang`` and ``tokens``, and ``documents`` and
            ``bytes`` where they are known.

    Raises:
        RequestError: if there is no such file.
        DataError: if it says nothing of languages and tokens.
    """
    rows = _rows(path)
    counts: dict[str, tuple[int, int, int]] = {}
    for number, row in enumerate(rows, start=2):
        try:
            tokens = int(float(row["tokens"]))
            documents = int(float(row.get("documents") or min(tokens, 1)))
            lang = code(row["lang"])
            size = (documents, int(float(row.get("bytes") or tokens)), tokens)
        except (KeyError, ValueError, TypeError, OverflowError, AttributeError) as error:
            raise DataError(
                f"{path}, row {number}: {error} in {dict(row)}", "a CSV of languages with the columns lang and tokens"
            ) from error
        if not lang or lang in counts:
            raise DataError(f"{path}, row {number}: {f'{lang} comes twice' if lang else 'it names no language'}")
        counts[lang] = size
    return Available.of(counts)


def unit(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return what the ``tokens`` of rows with ``bytes`` are: bytes where they are as many in every language.

    >>> unit([{"bytes": 9_000, "tokens": 9_000}]), unit([{"bytes": 9_000, "tokens": 3_000}]), unit([{"tokens": 3_000}])
    ('bytes', 'tokens', 'tokens')
    """
    alike = [row.get("bytes") not in (None, "") and float(row["bytes"]) == float(row["tokens"]) for row in rows]
    return "bytes" if rows and all(alike) else "tokens"


def stock_unit(path: Path) -> str:
    """Return the `unit` of what `read_stock` reads."""
    return unit(_rows(path))


def read_mixture(path: Path) -> dict[str, dict[str, float]]:
    """Read mixtures as shares by language: the chosen one and its baselines of a ``mixture.json``, or one of a CSV.

    A CSV has the columns ``lang`` and ``share``; its mixture is named after the file.
    """
    if path.suffix == ".csv":
        try:
            given = [(code(row["lang"]), float(row["share"])) for row in _rows(path)]
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise DataError(f"{path}: {error}", "a CSV with the columns lang and share") from error
        shares = dict(given)
        if len(shares) < len(given):
            raise DataError(f"{path}: a language comes twice")
        total = sum(shares.values())
        if min(shares.values()) < 0 or not abs(total - 1) <= 0.01:
            raise DataError(f"{path}: the shares sum to {total:.4g}, not to one")
        return {path.stem: {lang: share / total for lang, share in shares.items()}}
    told = _json(found := _file(path, MIXTURE))
    with blame(found):
        mixtures = {"chosen": told["languages"], **told["baselines"]}
        return {name: {code(row["lang"]): _finite(row["share"]) for row in rows} for name, rows in mixtures.items()}


def read_unique(path: Path) -> dict[str, float] | None:
    """Read the unique tokens of each language in units of the budget from a ``mixture.json``; None from a CSV."""
    if path.suffix == ".csv":
        return None
    told = _json(found := _file(path, MIXTURE))
    with blame(found):
        return {code(row["lang"]): _finite(row["tokens"]) / _finite(told["tokens"]) for row in told["languages"]}


def read_best(folder: Path) -> dict[str, float] | None:
    """Read the mixture that the rule found, taken or not, from a ``mixture.json``; None where no rule was applied."""
    verdict = (_json(_file(folder, MIXTURE)).get("evidence") or {}).get("verdict")
    return None if verdict is None else dict(verdict["best"])


def settled(folder: Path) -> bool:
    """Whether a ``mixture.json`` says that further runs are not expected to change the choice."""
    verdict = (_json(_file(folder, MIXTURE)).get("evidence") or {}).get("verdict")
    return bool(verdict and verdict["settled"])


def write_fit(folder: Path, runs: Runs, choices: Sequence[Choice], told: Mapping[str, Any]) -> dict[str, Any]:
    """Write the runs as Olmix's two files, and ``fit.json``: the law of every target, how it was chosen, from what.

    Where languages were run alone at enough budgets, ``measured.csv`` has Climb's measured ratio of every run: empty
    where the loss is below all that the language alone could reach.
    """
    write(runs, folder)
    laws = {target: found for target in runs.targets if (found := isolated(runs, target)) is not None}
    if laws:
        names = of_main_size(runs).names
        with (folder / "measured.csv").open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(["run_id", *laws])
            for i, name in enumerate(names):
                ratios = [float(ratio[i]) for _, ratio in laws.values()]
                out.writerow([name, *("" if math.isnan(ratio) else f"{ratio:.6g}" for ratio in ratios)])
    made: dict[str, Any] = {
        "made_from": {name: digest(folder / name) for name in _RUNS},
        **told,
        "runs": len(runs),
        "languages": list(runs.domains),
        "doubts": [asdict(doubt) for doubt in doubts(runs, choices)],
        "monolingual": {target: asdict(found) for target, (found, _) in laws.items()},
        "targets": [
            {
                "target": c.target,
                "law": c.law.name,
                "transfer_law": c.transfer_law.name,
                "scores": [asdict(score) for score in c.scores],
                "warning": c.warning,
                "residuals": [float(f"{off:.6g}") for off in c.residuals],
            }
            for c in choices
        ],
    }
    save(folder / FIT, made)
    return made


def read_fit(folder: Path) -> tuple[Runs, list[Choice], dict[str, Any]]:
    """Read what `write_fit` left; the laws are fitted again, which is quick and gives the same.

    Raises:
        DataError: if the runs are not those that the laws were chosen on.
    """
    with blame(folder / FIT, f"glotmix mix fit {folder}"):
        return _read_fit(folder)


def _read_fit(folder: Path) -> tuple[Runs, list[Choice], dict[str, Any]]:
    told = _json(_file(folder, FIT))
    for name, known in told["made_from"].items():
        if digest(folder / name) != known:
            raise DataError(
                f"{folder / name} is not the file that {folder / FIT} was made from", f"glotmix mix fit {folder}"
            )
    runs = discounted(olmix(*(folder / name for name in _RUNS)))
    choices = [
        choice(
            runs,
            t["target"],
            t["law"],
            t["transfer_law"],
            [Score(**s) for s in t["scores"]],
            t["warning"],
            np.array(t["residuals"]),
            told["seed"],
        )
        for t in told["targets"]
    ]
    return runs, choices, told


def shares_of(mixture: Mapping[str, float], domains: Sequence[str], name: str) -> Array:
    """Return a mixture in the order of the runs' domains, shape (m,).

    Raises:
        RequestError: if it draws on a language that the runs do not know.
    """
    unknown = [lang for lang, share in mixture.items() if lang not in domains and share > 0]
    if unknown:
        raise RequestError(
            f"{name} draws on {', '.join(unknown[:5])}, of which the runs say nothing; they are over: "
            f"{', '.join(domains[:12])}"
        )
    return np.array([mixture.get(lang, 0.0) for lang in domains])


def _file(path: Path, name: str) -> Path:
    found = path / name if path.is_dir() else path
    if not found.is_file():
        raise RequestError(f"there is no {found}")
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        told: Any = json_text.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    if not isinstance(told, dict):
        raise DataError(f"{path} holds no object")
    return told


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _rows(path: Path) -> list[dict[str, Any]]:
    found = _file(path, MIXTURE)
    if found.suffix == ".json":
        told = _json(found)
        rows = told.get("languages")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise DataError(f"{found} is no mixture: it has no languages")
        return rows
    rows = list(csv.DictReader(io.StringIO(utf8.text(found), newline="")))
    if not rows:
        raise DataError(f"{found} has no row")
    return rows
