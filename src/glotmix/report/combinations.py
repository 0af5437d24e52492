"""The page of sets chosen for what they do together: what each cell brings alone and beside the others, ways to choose.

It has the style, the scripts and the policy of the report (`glotmix.report.page`), and counts nothing itself.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glotmix.core import json_text, table
from glotmix.report import shell

Data = Mapping[str, Any]
PAGE = "combinations.html"
MOST = 40
"""Cells of a matrix that are shown: those that bring most alone."""


def render(folder: Path) -> str:
    """Return the page as HTML; its bytes depend on what the stages left in the folder alone.

    Args:
        folder: with ``design``, ``laws`` and ``choice`` (`glotmix.combine.stages`).
    """
    laws = _read(folder / "laws" / "laws.json")
    verdicts = {one["problem"]: one for one in _read(folder / "choice" / "verdict.json")}
    rows = table.read([folder / "design" / "cells.parquet"]).to_pylist()
    about = {row["name"]: row for row in rows}
    chosen: dict[tuple[str, str], float] = {}
    for path in sorted((folder / "choice" / "choices").glob("*.parquet")):
        for row in table.read([path]).to_pylist():
            if row["law"] == laws["problems"][row["problem"]]["law"]:
                chosen[row["problem"], row["cell"]] = row["blocks"]
    problems = [
        _problem(name, one, verdicts[name], about, {c: b for (p, c), b in chosen.items() if p == name})
        for name, one in laws["problems"].items()
    ]
    langs = sorted({row["lang"] for row in rows})
    return shell.render(
        "combinations.html",
        {"problems": problems, "selector": laws.get("selector"), "names": shell.names(langs), "cells": len(rows)},
    )


def _read(path: Path) -> Any:
    return json_text.loads(path.read_text("utf-8"))


def _problem(name: str, law: Data, verdict: Data, about: Data, chosen: Mapping[str, float]) -> dict[str, Any]:
    order = sorted(range(len(law["cells"])), key=lambda j: (-law["alone"][j][0], law["cells"][j]))
    shown = order[:MOST]
    cells = [
        {
            "number": place + 1,
            "name": law["cells"][j],
            "about": about[law["cells"][j]],
            "alone": law["alone"][j],
            "beside": [law["beside"][j][i] for i in shown],
            "chosen": chosen.get(law["cells"][j], 0.0),
        }
        for place, j in enumerate(shown)
    ]
    return {
        "name": name,
        "law": law,
        "verdict": verdict,
        "cells": cells,
        "left_out": len(order) - len(shown),
        "interchangeable": _pairs(law["interchangeable"], law["cells"]),
        "together": _pairs(law["together"], law["cells"]),
        "most": max((abs(cell["alone"][0]) for cell in cells), default=0.0) or 1.0,
    }


def _pairs(pairs: Sequence[Sequence[int]], names: Sequence[str]) -> list[tuple[str, str]]:
    return [(names[i], names[j]) for i, j in pairs]
