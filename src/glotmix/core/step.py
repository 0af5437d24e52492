"""What a step is, said once: `StepSpec` in the room whose work it is, under the top-level name ``STEPS``.

From the specs come the order of the work, fingerprints, the plan of ``--dry-run`` and the reference tables of the docs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

from glotmix.core.errors import MissingExtraError
from glotmix.core.record import Counts, Output
from glotmix.core.rules import Rule

if TYPE_CHECKING:
    from glotmix.core.context import RunContext

Asked: TypeAlias = "Callable[[RunContext], bool]"
Names: TypeAlias = "Callable[[RunContext], Sequence[str]]"
Values: TypeAlias = "Callable[[RunContext], Mapping[str, Any]]"


def always(context: "RunContext") -> bool:
    """A step that every recipe has."""
    return True


def nothing(context: "RunContext") -> dict[str, Any]:
    """Nothing of the recipe, or of outside, changes the step's result."""
    return {}


def of_corpus(context: "RunContext") -> tuple[str, ...]:
    """What reads the corpus alone needs."""
    return context.corpus_steps


@dataclass(frozen=True)
class Column:
    """A column of the table that a step makes.

    Args:
        name: its name.
        type: its Arrow type, in words: ``int64``.
        meaning: one line.
        unit: of its numbers; empty where they have none.
    """

    name: str
    type: str
    meaning: str
    unit: str = ""


@dataclass(frozen=True)
class Extra:
    """An extra of glotmix that a step needs whenever it is made.

    Args:
        name: the extra.
        wanted: what needs it, as a user would name it.
        modules: what it brings, by the names that Python imports.
    """

    name: str
    wanted: str
    modules: tuple[str, ...]

    def require(self) -> None:
        """Check that it is installed; nothing of it is imported.

        Raises:
            MissingExtraError: naming what to install.
        """
        if any(find_spec(module) is None for module in self.modules):
            raise MissingExtraError(self.wanted, self.name)


@dataclass(frozen=True, kw_only=True)
class StepSpec:
    """One output of a recipe: a folder, and everything that says what is in it.

    Args:
        name: its folder below the recipe's output.
        code: modules whose ``VERSION`` its result depends on; the first is its own, the others are called by it.
        make: fills the output.
        wanted: whether a recipe has the step.
        needs: names of the steps that it reads.
        config: what of the recipe changes its result.
        inputs: fingerprints of what it reads from outside.
        may_be_empty: whether counts of zero are a result.
        per_document: it writes a row for each document of the corpus, in parts: the ledger's rules may read it; the
            report shows its numbers, and ``glotmix why`` its row.
        reported: the report tells of its record, though it has no row per document.
        extras: without which it cannot be made: asked for before any work.
        columns: of its table.
        rules: that read it.
        meaning: one line for the reference.
        place: its order among steps that do not need each other.
    """

    name: str
    code: "tuple[str, ...] | Names"
    make: "Callable[[RunContext, Output], Counts]"
    wanted: Asked = always
    needs: Names = of_corpus
    config: Values = nothing
    inputs: Values = nothing
    may_be_empty: bool = False
    per_document: bool = False
    reported: bool = False
    extras: tuple[Extra, ...] = ()
    columns: tuple[Column, ...] = ()
    rules: tuple[Rule, ...] = ()
    meaning: str = ""
    place: int = 500


StepFamily: TypeAlias = "Callable[[RunContext], Sequence[StepSpec]]"
"""Steps whose number depends on the recipe: one for each embedder."""
