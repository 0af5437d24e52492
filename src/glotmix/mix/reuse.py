"""Sources change: which runs still hold, and how few to add."""

from collections.abc import Sequence
from dataclasses import dataclass

from glotmix.core.errors import RequestError, did_you_mean
from glotmix.mix.runs import Runs


@dataclass(frozen=True)
class Reuse:
    """What of a table of runs still holds when sources change.

    Args:
        valid: names of the runs that drew nothing from what changed.
        spent: names of those that did.
        wanted: how many further runs bring each changed or new cell the runs that its parameters need.
    """

    valid: tuple[str, ...]
    spent: tuple[str, ...]
    wanted: int


def reuse(runs: Runs, changed: Sequence[str], added: Sequence[str] = ()) -> Reuse:
    """Say which runs still hold when cells change or are added, and how few runs to add (as Olmix does for domains).

    A run that drew nothing from a changed cell is what it was: its mixture and its losses are those of the new stock.
    A law of m cells needs three runs a cell and three more; each new or changed cell needs three that draw on it, and
    what the valid runs leave short.

    Raises:
        RequestError: for a changed cell that the runs do not know.
    """
    for name in changed:
        if name not in runs.domains:
            raise RequestError(
                f"the runs know of no {name}{did_you_mean(name, runs.domains)}",
                f"one of: {', '.join(runs.domains[:12])}",
            )
    at = [runs.domains.index(name) for name in changed]
    drew = runs.shares[:, at].sum(axis=1) > 0
    valid = tuple(name for name, used in zip(runs.names, drew, strict=True) if not used)
    spent = tuple(name for name, used in zip(runs.names, drew, strict=True) if used)
    wanted = 3 * (len(set(changed)) + len(set(added)))
    short = 3 * (len(runs.domains) + len(set(added)) + 1) - len(valid) - wanted
    return Reuse(valid, spent, wanted + max(short, 0))
