"""Combinations from Python: `glotmix.combine.design(documents, folder)`, then `.train()`, `.fit()`, `.choose()`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glotmix.combine.config import CombinationsConfig
from glotmix.core.section import checked
from glotmix.core.shown import Sheet, Shown


@dataclass(frozen=True, repr=False)
class Combinations(Shown):
    """Sets of cells in a folder, as far as they are made. Each call goes on where an interrupted one stopped.

    Args:
        folder: with what the stages left: ``design``, ``losses``, ``laws``, ``choice``.
    """

    folder: Path

    def train(self) -> "Combinations":
        """Train a warm start, and every subset on from it.

        Raises:
            MissingExtraError: if torch is not installed.
        """
        from glotmix.combine import stages

        stages.train(self.folder)
        return self

    def fit(self) -> Mapping[str, Any]:
        """Fit the laws, and return what they say: by problem its law, scores, and what cells bring beside others."""
        from glotmix.combine import stages

        return stages.fit(self.folder)

    def choose(self) -> list[Any]:
        """Choose sets, try them, and return a verdict for each problem (`glotmix.combine.verdict.Verdict`).

        Raises:
            MissingExtraError: if torch is not installed.
        """
        from glotmix.combine import stages

        return list(stages.choose(self.folder))

    def sheet(self) -> Sheet:
        """See `Shown`."""
        from glotmix.combine.plan import Plan

        rows = [
            (one.name, len(one.cells), len(one.own), one.blocks, round(one.block))
            for one in Plan(self.folder / "design").problems
        ]
        columns = ("problem", "cells", "own cells", "blocks of a subset", "tokens of a block")
        return Sheet(f"{len(rows)} choices in {self.folder}", columns, rows)


def design(
    documents: Any, folder: str | Path, targets: Mapping[str, Any] | None = None, **settings: Any
) -> Combinations:
    """Make cells of documents, and draw random subsets of them.

    Args:
        documents: a table or rows with ``lang`` and ``text`` (or ``instruction`` and ``response``, or ``messages``);
            ``source`` and ``quality``, where there are such; or the path of a file or folder that holds one.
        folder: to fill.
        targets: other text to choose for, by name.
        settings: of `select.combinations` in a recipe.

    Raises:
        RequestError: for a setting that there is not, or documents without a language or text.
        DataError: for too little text.
        MissingExtraError: if torch and tokenizers are not installed.
    """
    from glotmix.combine import stages

    config = checked("select.combinations", CombinationsConfig, settings)
    given = Path(documents) if isinstance(documents, str) else documents
    stages.design(Path(folder), given, config, targets)
    return Combinations(Path(folder))


def read(folder: str | Path) -> Combinations:
    """Open combinations that were begun before."""
    return Combinations(Path(folder))
