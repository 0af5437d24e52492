"""A recipe at work: the folders that it fills, and what its paths mean."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from glotmix.core import files, remote
from glotmix.core.errors import RequestError
from glotmix.core.section import Recipe

if TYPE_CHECKING:
    from glotmix.core.step import StepSpec

Value = TypeVar("Value")


@dataclass(frozen=True)
class RunContext:
    """A recipe, the folder that its paths start from, the folder that it fills, and where in a store that belongs."""

    recipe: Recipe
    base: Path
    folder: Path
    address: str | None = None
    _kept: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def step_dir(self, step: str) -> Path:
        """Return the folder of a step's output."""
        return self.folder / step

    def path(self, name: str) -> Path:
        """Return a path that the recipe gives, as seen from its own folder."""
        return remote.fetched(name) if remote.is_remote(name) else files.placed(self.base, name)

    def paths(self, names: Sequence[str]) -> list[Path]:
        """Return several such paths.

        Raises:
            RequestError: for one that is not there.
        """
        found = [self.path(name) for name in names]
        for path in found:
            if not path.is_file():
                raise RequestError(f"there is no file {path}", "paths in a recipe start from its own folder")
        return found

    def once(self, key: Any, make: Callable[[], Value]) -> Value:
        """Return what `make` returns, made the first time that this key is asked for: a model that is loaded, say."""
        if key not in self._kept:
            self._kept[key] = make()
        value: Value = self._kept[key]
        return value

    @property
    def cleaned(self) -> bool:
        """Whether repeated lines are taken out of the texts before anything else is measured."""
        boilerplate = self.recipe.signals.boilerplate
        return boilerplate is not None and bool(boilerplate.remove)

    @property
    def corpus(self) -> Path:
        """The corpus that is measured and exported: as it was read, or without its repeated lines."""
        return self.step_dir("clean") / "documents" if self.cleaned else self.step_dir("corpus")

    @property
    def corpus_steps(self) -> tuple[str, ...]:
        """Names of the steps that `corpus` comes from."""
        return ("corpus", "clean") if self.cleaned else ("corpus",)

    @property
    def derived_from(self) -> dict[str, list[str]]:
        """Source → the sources that it was made from."""
        return {s.name: list(s.derived_from) for s in self.recipe.corpus.sources if s.derived_from}

    @property
    def instructs(self) -> bool:
        """Whether the documents are conversations."""
        return self.recipe.kind == "instructions"

    @cached_property
    def steps(self) -> "tuple[StepSpec, ...]":
        """The steps of this recipe, in the order of the work."""
        from glotmix.core import registry

        return registry.steps(self)

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals that hold a row for each document."""
        return tuple(step.name for step in self.steps if step.per_document)

    def has(self, step: str) -> bool:
        """Say whether this recipe has a step."""
        return any(each.name == step for each in self.steps)
