"""What each step of a recipe is: its identity, what it needs, and how it is made. The rooms meet here and nowhere else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow as pa

from glotmix import decide, record
from glotmix.corpus import read, write
from glotmix.errors import RequestError
from glotmix.quality import rater
from glotmix.recipe import Recipe
from glotmix.record import Counts, Output, digest, digest_file
from glotmix.select import ledger
from glotmix.signals import duplicates, heuristics, identify, rate, signatures


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


@dataclass(frozen=True)
class Work:
    """A recipe, the folder that its paths start from, and the folder that it fills."""

    recipe: Recipe
    base: Path
    folder: Path

    def at(self, step: str) -> Path:
        """Return the folder of a step's output."""
        return self.folder / step

    def path(self, name: str) -> Path:
        """Return a path that the recipe gives, as seen from its own folder."""
        return self.base / name

    @cached_property
    def anchors(self) -> list[Path]:
        """Files of labelled documents."""
        if self.recipe.quality is None:
            return []
        builtin = Path(str(files("glotmix") / "data" / "anchors" / "unnatural.parquet"))
        found = [builtin if a == "builtin" else self.path(a) for a in self.recipe.quality.anchors]
        for path in found:
            if not path.is_file():
                raise RequestError(f"quality.anchors: there is no file {path}", "quality.anchors=[builtin]")
        return found

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals that the ledger reads."""
        quality = () if self.recipe.quality is None else ("signals/quality",)
        return ("signals/identify", "signals/heuristics", "signals/duplicates", *quality)


def steps_of(work: Work) -> list[Step]:
    """Return the steps of a recipe in the order of the work."""
    return [
        _corpus(work),
        *_signals(work),
        *(_quality(work) if work.recipe.quality is not None else ()),
        decide.ledger_step(work),
        decide.mixture_step(work),
        _dataset(work),
        _report(work),
    ]
