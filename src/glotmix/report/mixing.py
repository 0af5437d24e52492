"""The mixture in a page: its shares, what the runs promise, who helps whom."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glotmix.core.errors import RequestError, blame
from glotmix.mix import cells
from glotmix.mix.files import unit
from glotmix.report import evidence, plots, shell

_MOST = 8
"""Languages of a further run that are named."""


def render(path: Path) -> str:
    """Return the page of a ``mixture.json`` as HTML; its bytes depend on that file alone."""
    with blame(path):
        told = read(path)
        assert told is not None
        names = {code: name for row in told["rows"] for code, name in _name(cells.of(row["lang"])).items()}
        names |= cell_names(told, names)
        return shell.render("mixing.html", {"mixture": told, "names": names, "plots": drawn(told, names)})


def read(path: Path | None) -> dict[str, Any] | None:
    """Read ``mixture.json`` as the template shows it; None where there is none."""
    told = evidence.mixture(path)
    if told is not None:
        told = told | {"unit": unit(told["rows"])}
    if told is None or not told["evidence"]:
        return told
    beside = dict(told["evidence"])
    beside["next_runs"] = [run | {"most": _most(run["shares"])} for run in beside["next_runs"]]
    if beside.get("verdict") is not None:
        beside["verdict"] = beside["verdict"] | {"most": _most(beside["verdict"]["best"])}
    if beside["two_step"] is not None:
        beside["two_step"] = beside["two_step"] | {"most": _most(beside["two_step"]["shares"])}
    return told | {"evidence": beside}


def cell_names(told: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    """Return the name of each cell of a mixture, where it is of cells: its language's and its own."""
    return {
        f"{row['lang']}{cells.SOURCE}{part}": f"{names.get(row['lang'], row['lang'])} · {part}"
        for row in told["by_language"]
        for part in row["cells"]
    }


def drawn(told: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, plots.Spec]:
    """Return the plots of a mixture by name: its shares, and with runs the gains and who gives and receives."""
    made = {"mixture": plots.intervals(**evidence.mixture_points(told, names))}
    gains = [g for g in told["gains"] if g["low"] is not None]
    if gains:
        points = [
            {
                "name": g["over"],
                "series": "gain",
                "value": g["gain"],
                "low": g["low"],
                "high": g["high"],
                "note": "loss",
            }
            for g in gains
        ]
        order = [g["over"] for g in gains]
        made["gains"] = plots.intervals(points, order, ["gain"], "predicted gain, loss", "+.3f", reference=0.0)
    transfer = (told["evidence"] or {}).get("transfer")
    if transfer is not None:
        order = [names.get(code, code) for code in transfer["languages"]]
        points = [
            {"name": name, "series": series, "note": law, **figure}
            for series in ("gives", "receives")
            for name, law, figure in zip(order, transfer["laws"], transfer[series], strict=True)
        ]
        made["transfer"] = plots.intervals(points, order, ["gives", "receives"], "tokens for a token", ".2f")
    return made


def _most(shares: Mapping[str, float]) -> list[tuple[str, float]]:
    return [pair for pair in sorted(shares.items(), key=lambda pair: (-pair[1], pair[0])) if pair[1] > 5e-4][:_MOST]


def _name(code: str) -> dict[str, str]:
    try:
        return shell.names([code])
    except RequestError:
        # A domain that is no language stands under its own name.
        return {}
