"""The recipe's section on quality."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from glotmix.quality.names import Kind, Normalise, Strategy
from glotmix.quality.raters_config import STRUCTURE

Negatives: TypeAlias = Literal["random", "q3"]


def _many(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class ParallelConfig(BaseModel):
    """Parallel documents: the same ones in several languages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Annotated[tuple[str, ...], BeforeValidator(_many)] = Field(min_length=1, description="Parquet or JSON lines")
    group: str = Field("group", description="column of what translations of one another share")
    text: str = "text"
    lang: str = "lang"
    pivot: str | None = Field(None, description="the language that others are compared with; null for the best linked")


class QualityConfig(BaseModel):
    """The rater: trained on labelled documents, applied to all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rater: str | None = Field(
        None, description="folder of a finished rater, as `glotmix raters train` writes it: applied, nothing is trained"
    )
    anchors: tuple[str, ...] = Field(
        ("builtin",), description="files of labelled documents (text, lang, label); 'builtin' is the set that ships"
    )
    positives: tuple[str, ...] = Field(
        (), description="files of good documents (text, lang); as many bad ones are drawn from the corpus"
    )
    negatives: Negatives = Field(
        "random", description="drawn from the corpus: any, or those of the third quarter of a first rater's scores"
    )
    per_language: int = Field(10_000, ge=1, description="documents of each label that a language gives at most")
    upsample: float = Field(3.0, ge=1, description="how often a document of a scarce language counts at most")
    features: tuple[str, ...] = Field(
        (STRUCTURE,), min_length=1, description="structure (the heuristics), and names of embedders, such as static"
    )
    head: Kind = Field(
        "both", description="logistic regression, gradient boosting, both (their mean), or mlp (256 units; needs torch)"
    )
    strategy: Strategy = Field("pooled", description="whose labels teach the rater of a language")
    normalise: Normalise = Field("shared", description="how a feature is held against its own language")
    seeds: int = Field(3, ge=1, description="boosters or layers trained and averaged")
    parallel: ParallelConfig | None = Field(None, description="documents that make scores comparable across languages")
    human: tuple[str, ...] = Field((), description="files of people's labels that only the audit sees")
    audits: int = Field(3, ge=1, description="raters with other seeds that the audit trains per held-out language")
    audit: Literal["brief", "full"] = Field(
        "brief", description="full: also from each language to each other, and what more labels would bring"
    )

    @model_validator(mode="after")
    def _taught(self) -> "QualityConfig":
        if self.rater is not None and (self.positives or self.human):
            raise ValueError("a finished rater learns nothing more: quality.rater, or quality.positives and human")
        if not self.anchors and not self.positives:
            raise ValueError("a rater needs anchors or positives: quality.anchors=[builtin]")
        if len(set(self.features)) < len(self.features):
            raise ValueError(f"features: {', '.join(self.features)}: each only once")
        return self

    @property
    def embedders(self) -> tuple[str, ...]:
        """The embedders whose vectors the rater reads."""
        return tuple(f for f in self.features if f != STRUCTURE)
