"""A source beside the languages of a mixture: a share of the training tokens of its own, with its tokens and epochs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glotmix.core import json_text
from glotmix.core.errors import RequestError

VERSION = 1

EXTRAS = "sources"
"""The key of ``mixture.json``."""


@dataclass(frozen=True)
class Extra:
    """A source with a share of its own.

    Args:
        name: what it is called, and its folder in blends.
        asked: the share of the training tokens that was asked for.
        share: the one that it gets.
        tokens: unique tokens that there are.
        tokens_used: training tokens, repeats counted.
        epochs: how often each is seen.
        phases: by phase of the training, in order: the phase's part of all training tokens, and the source's share of
            the phase's. One phase where it is spread.
    """

    name: str
    asked: float
    share: float
    tokens: int
    tokens_used: int
    epochs: float
    phases: tuple[tuple[float, float], ...]


def extra(
    name: str, asked: float, tokens: int, rest: int, budget: int | None, max_epochs: float, place: str | Sequence[float]
) -> Extra:
    """Give a source its share.

    Args:
        name: of the source.
        asked: share of the training tokens.
        tokens: unique tokens that there are of it.
        rest: unique tokens of the languages: they are all used, where there is no budget.
        budget: training tokens of everything together, or None.
        max_epochs: how often a token may be seen; a share that needs more shrinks.
        place: ``spread``, ``last``, or the part of it in each of several phases of equal length.

    Raises:
        RequestError: if a phase has no room for its part.

    >>> extra("align", 0.2, 1000, 9, 10000, 1.5, "last").share
    0.15
    """
    wanted = round(asked * budget if budget is not None else asked / (1 - asked) * rest)
    used = min(wanted, int(max_epochs * tokens))
    whole = budget if budget is not None else rest + used
    share = used / whole if whole else 0.0
    phases: tuple[tuple[float, float], ...] = ((1.0, share),)
    if place == "last":
        phases = ((1 - share, 0.0), (share, 1.0))
    elif not isinstance(place, str):
        each = 1 / len(place)
        phases = tuple((each, part * share / each) for part in place)
        if any(inside > 1 + 1e-9 for _, inside in phases):
            raise RequestError(
                f"align.pack.place={list(place)}: a phase of {each:.0%} of it has no room for {max(place):.0%} of "
                f"a share of {share:.1%}",
                "a smaller align.pack.share, or parts that are more even",
            )
    return Extra(name, asked, share, tokens, used, used / tokens if tokens else 0.0, phases)


def write(found: Extra, folder: Path) -> None:
    """Add a source to the ``mixture.json`` of a folder."""
    path = folder / "mixture.json"
    told = json_text.loads(path.read_text("utf-8"))
    told[EXTRAS] = [asdict(found)]
    path.write_text(json.dumps(told, ensure_ascii=False, indent=1, allow_nan=False) + "\n", "utf-8")


def read(folder: Path) -> list[dict[str, Any]]:
    """Return the sources that stand beside the languages in ``mixture.json``: the fields of `Extra`."""
    found: list[dict[str, Any]] = json_text.loads((folder / "mixture.json").read_text("utf-8")).get(EXTRAS, [])
    return found


def weights(shares: Mapping[str, float], extras: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """Return the weights of languages and sources, phase by phase; one phase where everything is spread.

    >>> weights({"a": 0.75, "b": 0.25}, [{"name": "align", "phases": [[0.9, 0.0], [0.1, 1.0]]}])
    [{'a': 0.75, 'b': 0.25, 'align': 0.0}, {'a': 0.0, 'b': 0.0, 'align': 1.0}]
    """
    if not extras:
        return [dict(shares)]
    (one,) = extras
    return [
        {lang: share * (1 - inside) for lang, share in shares.items()} | {one["name"]: inside}
        for _, inside in one["phases"]
    ]
