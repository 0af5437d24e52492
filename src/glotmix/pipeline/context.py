"""A recipe at work: its folders, and what its paths and names mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from glotmix.core.errors import DataError, RequestError
from glotmix.embed import choose
from glotmix.embed.protocol import Embedder
from glotmix.pipeline.recipe import Recipe
from glotmix.quality import anchors
from glotmix.quality.rater import RATER, Rater


@dataclass(frozen=True)
class RunContext:
    """A recipe, the folder that its paths start from, and the folder that it fills."""

    recipe: Recipe
    base: Path
    folder: Path

    def step_dir(self, step: str) -> Path:
        """Return the folder of a step's output."""
        return self.folder / step

    def path(self, name: str) -> Path:
        """Return a path that the recipe gives, as seen from its own folder."""
        return self.base / name

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

    def embedder(self, name: str) -> Embedder:
        """Return an embedder of `signals.embed` by its name, or any other that `choose.load` knows; loaded once."""
        known = self.recipe.signals.embedder(name)
        model = name if known is None else known.model
        if model not in self._loaded:
            self._loaded[model] = choose.load(model, self.base)
        return self._loaded[model]

    @cached_property
    def _loaded(self) -> dict[str, Embedder]:
        return {}

    @cached_property
    def embedders(self) -> dict[str, Embedder]:
        """The embedders whose vectors the rater reads, by the names that the recipe calls them."""
        section = self.recipe.quality
        if section is None:
            return {}
        named = section.embedders if section.rater is None else self.finished.embedders
        return {name: self.embedder(name) for name in named}

    @property
    def adopted(self) -> Path:
        """The folder of the finished rater that the recipe names.

        Raises:
            RequestError: if it names none.
            DataError: if the folder holds no rater.
        """
        section = self.recipe.quality
        if section is None or section.rater is None:
            raise RequestError("the recipe names no finished rater", "quality.rater=FOLDER")
        found = self.path(section.rater)
        if not (found / RATER).is_file():
            raise DataError(f"quality.rater: there is no rater in {found}", "glotmix raters train RECIPE -o FOLDER")
        return found

    @cached_property
    def finished(self) -> Rater:
        """That rater, read once."""
        return Rater.read(self.adopted)

    @property
    def identifier(self) -> str:
        """The model of identification: a name, or the path of a file."""
        model = self.recipe.signals.identify.model
        return model if model == "py3langid" else str(self.path(model))

    @property
    def cleaned(self) -> bool:
        """Whether repeated lines are taken out of the texts before anything else is measured."""
        boilerplate = self.recipe.signals.boilerplate
        return boilerplate is not None and boilerplate.remove

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

    @property
    def audited(self) -> bool:
        """Whether a rater is trained, and so audited, by the recipe."""
        return self.recipe.quality is not None and self.recipe.quality.rater is None

    @property
    def rated(self) -> bool:
        """Whether documents have a quality: by a rater, or by the quality scoring model of conversations."""
        return self.recipe.quality is not None or (self.instructs and self.recipe.instruct.scored)

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals that the ledger reads."""
        section = self.recipe.signals
        optional = {
            "signals/contamination": bool(section.contamination.sets),
            "signals/earlier": bool(section.earlier.signatures),
            "signals/tokens": section.tokens.tokenizer is not None,
            "signals/width": bool(section.width.groups),
            "signals/answers": self.instructs,
            "signals/prompts": self.instructs,
            "signals/meaning": self.instructs,
            "signals/quality": self.rated,
        }
        always = ("signals/identify", "signals/heuristics", "signals/duplicates")
        return always + tuple(name for name, wanted in optional.items() if wanted)
