"""Why a step is made again, in words."""

import re
from collections.abc import Collection, Sequence

MOST = 3
"""Reasons that a line of progress has room for."""


def told(changes: Sequence[str], steps: Collection[str]) -> list[str]:
    """Say in words why a step is made again: settings with both values, then inputs and code by name, no digests.

    >>> told(["config.select.lose: 0.05 → 0.1", "inputs.ledger: b636b3af → cee5c12a", "version: 1 → 2"], ["ledger"])
    ['select.lose: 0.05 → 0.1', 'its code is newer', 'after ledger']
    >>> told(["config.code.glotmix.quality.rater: 3 → 4", "inputs.web: d7523af8 → 023ee93f"], [])
    ['the code of quality.rater is newer', 'the files of web changed']
    """
    said: list[str] = []
    code: list[str] = []
    files: list[str] = []
    after: list[str] = []
    for change in changes:
        field, _, values = change.partition(": ")
        if field.startswith("inputs."):
            name = field.removeprefix("inputs.")
            (after if name in steps else files).append(name.removeprefix("signals/"))
        elif field.startswith("config.code."):
            code.append(field.removeprefix("config.code.").removeprefix("glotmix."))
        elif field == "version":
            said.append("its code is newer")
        else:
            said.append(f"{field.removeprefix('config.').removeprefix('recipe.')}: {values}")
    said += [f"the code of {', '.join(code)} is newer"] if code else []
    said += [f"the files of {', '.join(files)} changed"] if files else []
    return [*said, *([f"after {', '.join(after)}"] if after else [])]


def line(detail: str, steps: Collection[str]) -> str:
    """Return the reasons of a step in one line: the first of them, and how many more there are.

    >>> line("config.select.lose: 0.05 → 0.1; inputs.ledger: b636b3af → cee5c12a", ["ledger"])
    'select.lose: 0.05 → 0.1; after ledger'
    """
    said = told(re.split(r"; (?=(?:config|inputs)\.|version: )", detail), steps)
    return "; ".join(said[:MOST]) + (f"; and {len(said) - MOST} more" if len(said) > MOST else "")
