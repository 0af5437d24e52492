"""A recipe at work: its folders, and what its paths and names mean."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from glotmix.errors import RequestError
from glotmix.quality import anchors
from glotmix.recipe import Recipe


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
        found = [anchors.shipped() if a == "builtin" else self.path(a) for a in self.recipe.quality.anchors]
        for path in found:
            if not path.is_file():
                raise RequestError(f"quality.anchors: there is no file {path}", "quality.anchors=[builtin]")
        return found

    @property
    def identifier(self) -> str:
        """The model of identification: a name, or the path of a file."""
        model = self.recipe.signals.identify.model
        return model if model == "py3langid" else str(self.path(model))

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals that the ledger reads."""
        quality = () if self.recipe.quality is None else ("signals/quality",)
        return ("signals/identify", "signals/heuristics", "signals/duplicates", *quality)
