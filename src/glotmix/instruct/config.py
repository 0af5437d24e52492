"""The recipe's section ``instruct``: how instruction data is rated, chosen and written."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from glotmix.core.section import Code, Recipe, RecipeKey, Section
from glotmix.instruct.qsm import QsmConfig


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class SelectionConfig(Section):
    """Which conversations are kept, of those that pass the rules."""

    method: Literal[
        "m-daq", "facility-location", "mmr", "dpp", "quality", "diversity", "random", "random-length"
    ] = Field("m-daq", description="how they are chosen; all but the first four are controls")  # fmt: skip
    size: int | None = Field(None, ge=1, description="conversations per language; null keeps all that pass the rules")
    sizes: dict[Code, int] = Field(default_factory=dict, description="other sizes, by language")
    ratio: float = Field(6.0, gt=0, description="m-daq: those taken by quality for each taken by diversity")
    clusters: int | None = Field(None, ge=1, description="k of the clustering; null for ⌊√(n/2)⌋")
    clustering: Literal["language", "joint"] = Field("language", description="cluster each language, or all together")
    variance: float = Field(0.95, gt=0, le=1, description="share of the variance that PCA keeps before clustering")
    topics: str | None = Field(
        None, description="column that names a conversation's topic; null for coarse clusters over all languages"
    )


class InstructConfig(Section):
    """What is done with instruction data beyond other documents."""

    embedder: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = Field(
        ("static",),
        min_length=1,
        description="what says how alike conversations are: an embedder, or several, side by side; by the names that "
        "signals.embed gives them, or as it names models",
    )
    pairs: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = Field(
        (), description="files of unrevised and revised answers; a quality scoring model is trained on them"
    )
    pairs_language: str | None = Field(None, description="language of pairs that have no column lang")
    model: str | None = Field(
        None, description="folder of a quality scoring model that was trained before; not beside pairs"
    )
    qsm: QsmConfig = QsmConfig()
    audits: int = Field(3, ge=1, description="splits by instruction on which the audit trains and judges a model")
    select: SelectionConfig = SelectionConfig()
    shapes: tuple[Literal["alpaca", "sharegpt", "openai", "aya", "trl", "oasst", "original"], ...] = Field(
        (), description="what is written beside the data set: shapes, and the sources with rows removed"
    )

    @property
    def scored(self) -> bool:
        """Whether a quality scoring model rates the answers."""
        return bool(self.pairs) or self.model is not None


def _one_scorer(recipe: Recipe) -> None:
    section, instructs = recipe.instruct, recipe.kind == "instructions"
    if section.pairs and section.model is not None:
        raise ValueError("instruct.pairs trains a model, and instruct.model names one: give one of them")
    if instructs and any(source.shape is None for source in recipe.corpus.sources):
        raise ValueError("every source of a recipe of kind instructions has a shape")
    chosen = section.select
    blind = instructs and not section.scored and (chosen.size or chosen.sizes)
    if blind and chosen.method not in ("random", "diversity"):
        raise ValueError(
            f"instruct.select.method={chosen.method} goes by quality, and nothing rates the answers: give "
            "instruct.pairs or instruct.model, or method=diversity"
        )


RECIPE = RecipeKey("instruct", InstructConfig, InstructConfig(), place=40, check=_one_scorer)
