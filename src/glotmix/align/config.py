"""The recipe's section `align`: parallel text that is declared or mined, how it is packed, and what is written."""

from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from glotmix.align.packing import pairing, pairings
from glotmix.core.errors import RequestError, did_you_mean
from glotmix.core.section import Code, Recipe, RecipeKey, Section
from glotmix.corpus.sources import Source
from glotmix.export.token_files import packings


class ParallelSource(Source):
    """Parallel text that is declared: a source, and what its translations share."""

    key: str = Field(
        "group",
        min_length=1,
        description="column that translations share: a number of the sentence, say; TMX, XLIFF and Moses give 'group'. "
        "file: the path of a text file, for folders with a language each",
    )
    of: str | None = Field(
        None, description="sources with the same name here are translations of one another; null for its own name"
    )

    @model_validator(mode="before")
    @classmethod
    def _nameless(cls, data: Any) -> Any:
        # Nothing asks for ids of declared text, and translations may share them: they are made.
        columns = data.get("columns", {}) if isinstance(data, dict) else None
        return data | {"columns": columns | {"id": None}} if isinstance(columns, dict) else data

    @property
    def whole(self) -> str:
        """The name of the set that it belongs to."""
        return self.of or self.name


class MineSection(Section):
    """Parallel text from what the run kept."""

    sentences: bool = Field(True, description="take documents apart into sentences; false pairs whole documents")
    embedder: str = Field("static", description="an embedder of signals.embed, or any other, for sentences")
    precision: float = Field(
        0.98, gt=0.5, lt=1, description="part of the pairs that is to be right; the lines follow from the corpus itself"
    )
    languages: tuple[Code, ...] = Field(
        (), description="one of these stands in every pair; by default all pairs of languages are looked at"
    )


def _kind(name: str) -> str:
    try:
        return pairing(name).name
    except RequestError as error:
        raise ValueError(f"{error.message.removeprefix('align.pack.kind: ')}; {error.fix}") from error


class PackSection(Section):
    """How parallel text is packed for training."""

    kind: Annotated[str, AfterValidator(_kind)] = Field("format", description="see docs/align.md")
    share: float = Field(0.05, gt=0, lt=1, description="of the training tokens; the other languages get the rest")
    max_epochs: float = Field(
        4.0, gt=0, description="how often a token of it may be seen: a share that needs more shrinks"
    )
    place: Literal["spread", "last"] | tuple[float, ...] = Field(
        "spread", description="spread over the training, last, or its part in each of several phases: [0, 0.2, 0.8]"
    )
    directions: Literal["both", "forward", "backward"] = Field(
        "both", description="forward is from the language whose code comes first; both take turns"
    )
    pairs: int = Field(40, ge=1, description="pairs per sample")
    rate: float = Field(0.2, gt=0, le=1, description="switch_word, switch_sentence: part that changes its language")
    labels: Literal["plain", "input"] = Field(
        "plain", description="switch_word: what is learned in a switched word's place, itself or the word before it"
    )
    lexicon: str | None = Field(
        None,
        description="switch_word: Parquet of lang, eng, word (GATITOS), or lang_one, word_one, lang_other, "
        "word_other; null for one that is induced from the pairs",
    )
    seed: int = Field(0, description="of every order and choice")

    @field_validator("place")
    @classmethod
    def _parts(cls, value: Any) -> Any:
        if isinstance(value, tuple) and (not value or min(value) < 0 or abs(sum(value) - 1) > 1e-6):
            raise ValueError("parts of phases are 0 and more, and sum to 1: [0, 0.2, 0.8]")
        return value


def _form(name: str) -> str:
    if name not in packings():
        raise ValueError(f"there is no form {name!r}{did_you_mean(name, packings())}; one of {', '.join(packings())}")
    return name


class WriteSection(Section):
    """Packed text as files of tokens."""

    tokenizer: str = Field(description="path of a tokenizer.json, or a name on the Hub, owner/name[@revision]")
    formats: tuple[Annotated[str, AfterValidator(_form)], ...] = Field(
        ("parquet",), min_length=1, description="datatrove, megatron, numpy, parquet"
    )
    end: str | None = Field(None, description="the token behind every sample; null for the tokenizer's own")
    length: int | None = Field(
        None, ge=8, description="windows of exactly so many tokens, cut only before a source, filled up without loss"
    )
    shard_tokens: int = Field(100_000_000, ge=1, description="tokens per shard")


class AlignSection(Section):
    """Parallel text: declared, mined, packed, written."""

    parallel: tuple[ParallelSource, ...] = Field((), description="parallel text that there is")
    mine: MineSection | None = Field(None, description="parallel text from what the run kept; null for none")
    earlier: str | None = Field(
        None,
        description="output of an earlier run that mined this text: its pairs are signals.multiway_parallel.groups and "
        "quality.parallel where these say nothing",
    )
    measured: str | None = Field(
        None, description="table of `glotmix align report MODEL TEXT --table`, for the report's heat map by layer"
    )
    identify: bool = Field(True, description="drop versions that surely read as another language")
    tmx: bool = Field(True, description="write the pairs as TMX, too")
    moses: bool = Field(False, description="write them as Moses's files, too, a sentence a line")
    pack: PackSection | None = Field(None, description="pack for training; null for pairs alone")
    write: WriteSection | None = Field(None, description="the packed text as files of tokens; null for text alone")

    @property
    def finds(self) -> bool:
        """Whether this run makes pairs."""
        return bool(self.parallel) or self.mine is not None


def _fill(data: dict[str, Any]) -> dict[str, Any]:
    """Say what an earlier run's pairs are for, where the recipe does not."""
    section = data.get("align")
    if not isinstance(section, dict) or not isinstance(section.get("earlier"), str):
        return data
    pairs = PurePath(section["earlier"], "align", "pairs")
    signals, quality = data.get("signals") or {}, data.get("quality", {})
    if isinstance(signals, dict):
        data["signals"] = {"multiway_parallel": {"groups": [str(pairs / "groups.parquet")]}} | signals
    if isinstance(quality, dict):
        data["quality"] = {"parallel": {"path": str(pairs / "parallel.parquet")}} | quality
    return data


def _check(recipe: Recipe) -> None:
    section: AlignSection | None = recipe.align
    if section is None:
        return
    if not section.finds and (section.pack is not None or (section.earlier is None and section.measured is None)):
        raise ValueError("align: there is no parallel text; align.parallel=[…], or align.mine={}")
    if section.earlier is not None and PurePath(section.earlier) == PurePath(recipe.output):
        raise ValueError("align.earlier is the output of this run itself; output=another")
    if recipe.kind != "documents":
        raise ValueError("align is for documents; kind: documents")
    if section.write is not None and section.pack is None:
        raise ValueError("align.write writes what is packed: align.pack={}")
    if section.pack is not None and section.write is not None:
        refuse(section.pack, section.write)


def refuse(pack: PackSection, write: WriteSection) -> None:
    """Refuse forms of files that cannot say what a way of packing needs them to say.

    Raises:
        ValueError: with what to choose.
    """
    masked = pairings()[pack.kind].masks or write.length is not None
    input_labels = pack.kind == "switch_word" and pack.labels == "input"
    for form in write.formats:
        if pairings()[pack.kind].masks and not packings()[form].masks:
            able = ", ".join(name for name, one in packings().items() if one.masks)
            raise ValueError(
                f"align.write.formats: files of the form {form} cannot say which tokens bear loss, and {pack.kind} "
                f"needs it; one of {able}, or align.pack.kind=format"
            )
        if masked and not packings()[form].masks:
            raise ValueError(
                f"align.write.formats: files of the form {form} cannot say that what fills a window bears no loss; "
                "align.write.length=null, or another form"
            )
        if input_labels and not packings()[form].labels:
            raise ValueError(
                f"align.write.formats: files of the form {form} have no labels of their own; "
                "align.write.formats=[parquet], or align.pack.labels=plain"
            )


RECIPE = RecipeKey(
    "align",
    AlignSection | None,
    None,
    "parallel text: declared or mined, packed for training, written; null for none",
    place=75,
    seeds=("align.pack.seed",),
    fill=_fill,
    check=_check,
)
