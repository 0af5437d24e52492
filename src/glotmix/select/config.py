"""The recipe's section on what is kept. Thresholds and shares per language stand in `settings`."""

from typing import Any, Literal

from pydantic import Field, model_validator

from glotmix.core.section import Recipe, RecipeKey, Section
from glotmix.select.licenses import LicenseConfig


class SelectSection(Section):
    """What is kept. Thresholds and shares per language stand in `settings`."""

    licenses: LicenseConfig | None = Field(None, description="licences that are kept; null for not asking")
    retain: Literal["lose", "share", "budget", "tokens", "all"] = Field(
        "lose",
        description="lose: all that the rater does not call unnatural, so that no more than `lose` of good text goes; "
        "share: the best `quality.keep` of each language; budget: the best documents of each language "
        "that mix.tokens needs at mix.max_epochs; tokens: the best of each language up to `tokens`; all: every "
        "document that passes the rules",
    )
    lose: float = Field(
        0.05, gt=0, le=0.5, description="the share of good text that may be lost, per language (retain: lose)"
    )
    within: Literal["language", "source", "domain"] = Field(
        "language",
        description="what retain: share ranks documents in: a language, a language's part of one source, or of one "
        "domain (needs signals.urls; documents without an address are ranked together)",
    )
    per_domain: int | None = Field(
        None,
        ge=1,
        description="documents of one domain in a language that are kept, the best ones (needs signals.urls)",
    )
    score: Literal["quantile", "score", "calibrated"] = Field(
        "quantile",
        description="what retain: share goes by. quantile: the best `quality.keep` of each language; score or "
        "calibrated: as many documents in all, the best of all languages by one line",
    )
    tokens: dict[str, float] = Field(
        default_factory=dict, description="tokens to keep per language, for retain: tokens; others are kept whole"
    )
    sample: Literal["top", "gumbel"] = Field(
        "top", description="top: the best are kept; gumbel: drawn, better ones likelier (QuRating's Gumbel top-k)"
    )
    temperature: float = Field(1.0, gt=0, description="of the draw: exp(z / temperature) weighs a document")
    min_documents: int = Field(100, ge=1, description="fewer documents of a language give no threshold of their own")
    rehydrate: float | None = Field(
        None, gt=1, description="weigh the kept member of large duplicate clusters by up to this much; null for 1"
    )
    prefer: tuple[Literal["quality", "length", "source"], ...] = Field(
        ("quality", "length", "source"), description="which member of a duplicate cluster is kept"
    )

    @model_validator(mode="before")
    @classmethod
    def _by_share(cls, given: Any) -> Any:
        """Take `share` where one line for all, sources for themselves, or a draw is asked for, and no more is said."""
        if isinstance(given, dict) and "retain" not in given:
            chosen = given.get("score", "quantile") != "quantile" or given.get("within", "language") != "language"
            if chosen or given.get("sample", "top") != "top":
                return given | {"retain": "share"}
        return given

    @model_validator(mode="after")
    def _drawn(self) -> "SelectSection":
        if self.sample == "gumbel" and self.score != "quantile":
            raise ValueError(f"sample: gumbel draws within each language, and score: {self.score} is one line for all")
        return self


def _checked(recipe: Recipe) -> None:
    select, quality = recipe.select, recipe.quality
    if recipe.signals.urls is None:
        asked = "per_domain" if select.per_domain else "within=domain" if select.within == "domain" else None
        if asked:
            raise ValueError(f"select.{asked} needs the domains of documents' addresses: signals.urls={{column: url}}")
    if quality is None and recipe.kind == "documents" and select.retain not in ("lose", "all"):
        raise ValueError(
            f"select.retain={select.retain} ranks documents by the rater's score, and the recipe has no rater: "
            "quality: {}, or select.retain=all"
        )
    if select.score == "quantile":
        return
    if select.retain != "share" or quality is None:
        raise ValueError(f"select.score={select.score} draws one line for all languages: select.retain=share")
    if select.score == "calibrated" and quality.parallel is None:
        raise ValueError("select.score=calibrated needs parallel documents: quality.parallel")


RECIPE = RecipeKey(
    "select",
    SelectSection,
    SelectSection(),
    place=60,
    check=_checked,
    renamed=(("signals.urls.most", "select.per_domain"),),
)
