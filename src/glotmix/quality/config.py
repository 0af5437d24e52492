"""The recipe's section on quality."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from glotmix.core.errors import did_you_mean
from glotmix.core.section import Recipe, RecipeKey, Section
from glotmix.quality.names import Against, Kind, Normalise, Strategy
from glotmix.quality.raters_config import STRUCTURE
from glotmix.signals import embed, heuristics
from glotmix.signals.embed import EmbedConfig

Negatives: TypeAlias = Literal["random", "q3"]


def _many(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class ParallelConfig(Section):
    """Parallel documents: the same ones in several languages."""

    path: Annotated[tuple[str, ...], BeforeValidator(_many)] = Field(min_length=1, description="Parquet or JSON lines")
    group: str = Field("group", description="column of what translations of one another share")
    text: str = "text"
    lang: str = "lang"
    pivot: str | None = Field(None, description="the language that others are compared with; null for the best linked")


class QualityConfig(Section):
    """The rater: trained on labelled documents, applied to all."""

    pretrained: str | None = Field(
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
        "logistic",
        description="logistic regression, boosting, both (their mean), or mlp (256 units; needs torch)",
    )
    strategy: Strategy = Field("pooled", description="whose labels teach the rater of a language")
    against: Against = Field(
        "reference", description="what features are held against: the reference that ships, or the corpus itself"
    )
    normalise: Normalise = Field("shared", description="how a feature is held against its own language")
    seeds: int = Field(3, ge=1, description="boosters or layers trained and averaged")
    properties: bool = Field(
        False,
        description="a head for each further property of labels: adult, machine_translated, wrong_language",
    )
    parallel: ParallelConfig | None = Field(None, description="documents that make scores comparable across languages")
    human: tuple[str, ...] = Field((), description="files of people's labels that only the audit sees")
    audits: int = Field(3, ge=1, description="raters with other seeds that the audit trains per held-out language")
    audit: Literal["brief", "full"] = Field(
        "brief", description="full: also from each language to each other, and what more labels would bring"
    )

    @model_validator(mode="after")
    def _taught(self) -> "QualityConfig":
        if self.pretrained is not None and (self.positives or self.human):
            raise ValueError("a finished rater learns nothing more: quality.pretrained, or quality.positives and human")
        if not self.anchors and not self.positives:
            raise ValueError("a rater needs anchors or positives: quality.anchors=[builtin]")
        if self.against == "reference" and self.normalise not in ("shared", "none"):
            raise ValueError(
                f"normalise: {self.normalise} needs quality.against=corpus; the reference knows shared, none"
            )
        if len(set(self.features)) < len(self.features):
            raise ValueError(f"features: {', '.join(self.features)}: each only once")
        return self

    @property
    def embedders(self) -> tuple[str, ...]:
        """The embedders whose vectors the rater reads."""
        return tuple(f for f in self.features if f != STRUCTURE)


RESERVED = frozenset({"structure", "form", "wording", "flow", "id", "lang", "label", "group", "source", "length"})
"""Columns of a rater's table that are no vectors."""


def _seen(recipe: Recipe) -> None:
    """Check that the rater's embedders are signals of the recipe, each once, under names of their own."""
    found: list[EmbedConfig] = []
    for name in recipe.quality.embedders if recipe.quality else ():
        one = embed.configured(recipe, name)
        called = [each.called for each in recipe.signals.embed]
        if one is None:
            hint = did_you_mean(name, called)
            fix = f"signals.embed=[{', '.join([*called, name])}]" if called else f"signals.embed={name}"
            raise ValueError(f"quality.features names the embedder {name}, which is no signal{hint}: {fix}")
        if one in found:
            raise ValueError(f"quality.features names the embedder {one.called} twice")
        if one.called in heuristics.COLUMNS or one.called in RESERVED:
            raise ValueError(f"signals.embed: {one.called} names a column of another kind; give the embedder a name")
        found.append(one)


RECIPE = RecipeKey(
    "quality",
    QualityConfig | None,
    QualityConfig(),
    "null for no rater",
    place=30,
    check=_seen,
    renamed=(("quality.rater", "quality.pretrained"),),
)
