"""What a run was expected to take, and what it took."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glotmix.core import json_text, record
from glotmix.core.lock import FOLDER

FILE = f"{FOLDER}/estimate.json"
"""Where an estimate is kept in the recipe's output, to be compared with the run: where no file of a user's stands."""


def keep(folder: Path, estimate: Mapping[str, Any]) -> None:
    """Keep an estimate (`Estimate.as_json`) in the recipe's output, for `compared`."""
    (folder / FILE).parent.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(json.dumps(estimate, indent=1), "utf-8")


def compared(folder: Path) -> list[dict[str, Any]]:
    """Return of each step that was estimated and made: ``{step, expected, low, high, took, ratio}``, CPU-seconds."""
    path = folder / FILE
    if not path.is_file():
        return []
    rows = []
    for told in json_text.loads(path.read_text("utf-8"))["steps"]:
        made = record.read(folder / told["step"])
        if made is not None and made.cpu_seconds:
            ratio = told["cpu"] / made.cpu_seconds
            rows.append(
                {name: told[name] for name in ("step", "low", "high")}
                | {"expected": told["cpu"], "took": made.cpu_seconds, "ratio": ratio}
            )
    return rows
