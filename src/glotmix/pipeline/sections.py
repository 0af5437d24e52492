"""The sections of the recipe, each checked by what it can see of itself; `glotmix.pipeline.recipe` puts them together.

A section that one room needs and no other is that room's own (`QualityConfig`, `InstructConfig`, `RatersConfig`).
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ByteSize, ConfigDict, Field, model_validator

from glotmix.corpus.sources import Source, as_tuple
from glotmix.mix.config import MixConfig
from glotmix.proxy.config import ProxiesConfig
from glotmix.select.licenses import LicenseConfig
from glotmix.signals.boilerplate import BoilerplateConfig
from glotmix.signals.clusters import DuplicatesConfig
from glotmix.signals.contamination import ContaminationConfig
from glotmix.signals.cross_corpus_duplicates import EarlierConfig
from glotmix.signals.embed import EmbedConfig, several

Embedders: TypeAlias = str | EmbedConfig | tuple[str | EmbedConfig, ...] | None
"""How a recipe may name embedders; see `glotmix.signals.embed.several`."""


class Section(BaseModel):
    """A part of the recipe: frozen, and closed to keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CorpusSection(Section):
    """What is read."""

    sources: tuple[Source, ...] = Field(min_length=1, description="where the text comes from")
    max_chars: int = Field(1_000_000, gt=0, description="longer documents are quarantined")
    max_quarantined: float = Field(
        0.01, ge=0, le=1, description="a larger share of a source's rows in quarantine is an error"
    )


class IdentifySection(Section):
    """Language identification."""

    model: str = Field("py3langid", description="py3langid, or the path of a fastText model (GlotLID, OpenLID)")
    max_chars: int = Field(1_000, gt=0, description="characters of a document that are looked at")


class TokensSection(Section):
    """The unit of budgets and shares."""

    tokenizer: str | None = Field(None, description="path of a tokenizer.json; null counts UTF-8 bytes")


class BoilerplateSection(BoilerplateConfig):
    """Lines that many documents of one source repeat."""

    remove: bool = Field(False, description="take them out of the texts; what went is recorded in clean/removed")


class EvaluationSet(Section):
    """An evaluation set that the data must not hold."""

    name: str = Field(min_length=1)
    path: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(
        description="Parquet, JSON lines or a JSON array"
    )
    columns: tuple[str, ...] = Field(
        min_length=1,
        description="columns of text, or of lists and objects of texts, such as question and choices",
    )
    id: str | None = Field(None, description="column that names the items; by default they are numbered")


class ContaminationSection(ContaminationConfig):
    """Evaluation items in the documents."""

    sets: tuple[EvaluationSet, ...] = Field((), description="evaluation sets to look for")


class EarlierSection(EarlierConfig):
    """Documents that corpora made before hold already."""

    signatures: dict[str, str] = Field(
        default_factory=dict, description="name → folder of signals/signatures of a corpus made before"
    )


class WidthSection(Section):
    """In how many languages a document's sentences stand."""

    groups: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(
        (), description="Parquet files of sentence groups: group, lang, id"
    )


class SignalsSection(Section):
    """What is measured of every document."""

    identify: IdentifySection = IdentifySection()
    tokens: TokensSection = TokensSection()
    boilerplate: BoilerplateSection | None = Field(BoilerplateSection(), description="null for not looking")
    contamination: ContaminationSection = ContaminationSection()
    earlier: EarlierSection = EarlierSection()
    width: WidthSection = WidthSection()
    embed: Annotated[tuple[EmbedConfig, ...], BeforeValidator(several, json_schema_input_type=Embedders)] = Field(
        (), description="vectors of each document: an embedder or a list of them, such as [static, use]; null for none"
    )
    duplicates: DuplicatesConfig = DuplicatesConfig()

    @model_validator(mode="after")
    def _distinct(self) -> "SignalsSection":
        called = [one.called for one in self.embed]
        if twice := next((name for name in called if called.count(name) > 1), None):
            raise ValueError(f"embed: two embedders are called {twice}: give one another name, {{model: …, name: …}}")
        return self

    def embedder(self, name: str) -> EmbedConfig | None:
        """Return the embedder that others call by its name, or by its model; None if there is none."""
        by_name = (one for one in self.embed if one.called == name)
        return next(by_name, next((one for one in self.embed if one.model == name), None))


class SelectSection(Section):
    """What is kept. Thresholds and shares per language stand in `settings`."""

    licenses: LicenseConfig | None = Field(None, description="licences that are kept; null for not asking")
    retain: Literal["share", "budget", "tokens", "all"] = Field(
        "share",
        description="share: the best `quality.keep` of each language; budget: the best documents of each language "
        "that mix.tokens needs at mix.max_epochs; tokens: the best of each language up to `tokens`; all: every "
        "document that passes the rules",
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

    @model_validator(mode="after")
    def _drawn(self) -> "SelectSection":
        if self.sample == "gumbel" and self.score != "quantile":
            raise ValueError(f"sample: gumbel draws within each language, and score: {self.score} is one line for all")
        return self


class ExportSection(Section):
    """How the data set is written."""

    formats: tuple[Literal["parquet", "jsonl.zst"], ...] = ("parquet",)
    shard_mb: int = Field(200, ge=1, description="uncompressed megabytes of text per shard")
    dropped: bool = Field(False, description="write the dropped documents beside, with rule and evidence")


class EngineSection(Section):
    """Where it runs: nothing here changes a result, so nothing here is part of a fingerprint."""

    runner: Literal["local", "ray"] = "local"
    workers: int | None = Field(None, ge=1, description="cores to use; all by default")
    memory: ByteSize | None = Field(
        None, description="what parts in flight may take, such as 8GB; half of the machine's by default"
    )


class MixSection(MixConfig):
    """How much of each language, and the proxies to train where it is to be measured."""

    proxies: ProxiesConfig | None = Field(None, description="proxies to train on what is kept, instead of given runs")

    @model_validator(mode="after")
    def _one_table(self) -> "MixSection":
        if self.runs is not None and self.proxies is not None:
            raise ValueError("give runs, or proxies to be trained, not both")
        return self

    @property
    def how(self) -> str:
        """The method, its default resolved."""
        return self.method or ("law" if self.proxies is not None else super().how)
