"""The recipe's section on many raters: what is joined, who is asked, how the result is carried across languages.

Plain models alone: a recipe is read without the numerics.
"""

from typing import Literal

from pydantic import Field, model_validator

from glotmix.core import language
from glotmix.core.section import RecipeKey, Section
from glotmix.quality.names import Normalise

CRITERION = (
    "Which document is of higher quality as training text for a language model: fluent, coherent, informative, free "
    "of boilerplate, spam and damage? The language of a document, its length and its topic are no reason."
)

RIDGE = 0.1
"""Of the scores: a Gaussian prior of variance 10, which holds scores in place that no chain of pairs connects."""

STRUCTURE, FORM, WORDING, FLOW = "structure", "form", "wording", "flow"
"""Features that are no embedder's vectors of texts."""


class RaterColumn(Section):
    """A rater that is a column of a table."""

    name: str = Field(min_length=1, description="what the rater is called")
    path: str = Field(description="a .parquet, .jsonl or .csv file, or a folder of them")
    column: str = Field(description="the column that holds its numbers")
    id: str = Field("id", description="the column that holds the documents' ids")
    better: Literal["high", "low"] = Field("high", description="which numbers mean a better document")
    order: tuple[str, ...] | None = Field(
        None,
        min_length=2,
        description="of a column of words (propella's properties): its words, from the worst to the best document",
    )
    languages: tuple[str, ...] | None = Field(None, description="the only languages that it is meant for; null for all")


class AskConfig(Section):
    """How a model is asked."""

    criterion: str = Field(CRITERION, min_length=1, description="what makes one document better than another")
    endpoint: str = Field(
        "http://localhost:8000/v1",
        pattern="^https?://",
        description="an OpenAI-compatible API, without /chat/completions",
    )
    model: str = Field("", description="the model's name there; also the judge's name")
    key: str | None = Field(None, description="the environment variable that holds the API key; null for none")
    max_chars: int = Field(4_000, gt=0, description="characters of a document that are shown, from its beginning")
    temperature: float = Field(0.0, ge=0, description="of the model's sampling")
    max_tokens: int = Field(16, gt=0, description="of an answer")
    at_once: int = Field(4, ge=1, description="requests under way at a time")
    per_minute: float | None = Field(None, gt=0, description="requests per minute; null for as many as are answered")
    retries: int = Field(5, ge=0, description="how often a request that failed is sent again")
    seconds: float = Field(60.0, gt=0, description="after which a request has failed")


class PairLoss(Section):
    """What is minimised, whatever learns: the loss on pairs plus λ times that on parallel pairs."""

    parallel: float = Field(0.5, ge=0, description="λ: weight of the loss on parallel pairs")
    temperature: float = Field(1.0, gt=0, description="T of σ((s_A − s_B) / T)")


class TrainConfig(PairLoss):
    """How a rater is learned from pairs in many languages."""

    hidden: int = Field(64, ge=0, description="units of the hidden layer; 0 for a linear head")
    pairs: int = Field(20_000, ge=2, description="monolingual pairs; as many cross-lingual, half as many parallel ones")
    epochs: int = Field(10, ge=1, description="passes over the pairs")
    batch: int = Field(512, ge=1, description="pairs per step")
    step: float = Field(2e-3, gt=0, description="Adam's step at the beginning; it falls linearly to nothing")
    decay: float = Field(1e-2, ge=0, description="weight decay, decoupled (AdamW)")
    normalise: Normalise = Field("shared", description="how a feature is held against its own language")
    linked: tuple[str, ...] = Field(
        (), description="languages whose translations inherit no label: they are in parallel pairs alone"
    )
    seed: int = Field(0, description="of pairs, weights and batches")


class RatersConfig(Section):
    """Many raters, joined by pairs and carried across languages by parallel text."""

    documents: str = Field(
        description="parallel documents: a table of id, lang, text, group (what translations share; the id by default) "
        "and source (what is never divided by a split; the group by default)"
    )
    reference: str = Field(description="the language that gaps are measured against: the raters' own, as a rule")
    columns: tuple[RaterColumn, ...] = Field((), description="raters that are columns of numbers")
    verdicts: tuple[str, ...] = Field((), description="files of verdicts on pairs, as `glotmix raters ask` writes them")
    per_document: int = Field(20, ge=2, description="pairs per document on which columns vote")
    ridge: float = Field(RIDGE, gt=0, description="holds the joined scores near 0")
    features: tuple[str, ...] = Field(
        ("structure",),
        min_length=1,
        description="what the carried rater sees: structure (the heuristics), form (how a text is put together), "
        "wording (whether its words stand where words stand), names of embedders, such as static, and flow (how "
        "sentences hang together, by the first of the embedders)",
    )
    unlabelled: tuple[str, ...] = Field(
        (), description="files of unlabelled texts (text, lang) that wording is learned from; none for the documents"
    )
    held_out: float = Field(0.25, gt=0, lt=1, description="share of the sources that the audit keeps from training")
    train: TrainConfig = TrainConfig()
    ask: AskConfig = AskConfig()

    @model_validator(mode="after")
    def _some(self) -> "RatersConfig":
        language.parse(self.reference)
        if len(set(self.features)) < len(self.features):
            raise ValueError(f"features: {', '.join(self.features)}: each only once")
        if FLOW in self.features and not self.embedders:
            raise ValueError("features: flow needs an embedder, such as [structure, static, flow]")
        return self

    @property
    def embedders(self) -> tuple[str, ...]:
        """The embedders whose vectors the rater reads."""
        return tuple(name for name in self.features if name not in (STRUCTURE, FORM, WORDING, FLOW))


RECIPE = RecipeKey(
    "raters",
    RatersConfig | None,
    None,
    "many raters, joined and carried across languages",
    place=50,
    seeds=("raters.train.seed",),
    renamed=(("raters.carry", "raters.train"),),
)
