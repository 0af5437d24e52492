"""What a step is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from glotmix.core.record import Counts, Output


@dataclass(frozen=True)
class Step:
    """One output of a recipe.

    Args:
        name: its folder below the recipe's output.
        version: of the code that makes it.
        make: fills it.
        needs: names of the steps that it reads.
        config: what else changes its result, from the recipe.
        inputs: fingerprints of what it reads from outside.
        may_be_empty: whether counts of zero are a result.
    """

    name: str
    version: int
    make: Callable[[Output], Counts]
    needs: tuple[str, ...] = ()
    config: Callable[[], Mapping[str, Any]] = field(default=dict)
    inputs: Callable[[], Mapping[str, str]] = field(default=dict)
    may_be_empty: bool = False
