"""The section `select.combinations` of the recipe: which sets of cells to try, and on what."""

from typing import Literal

from pydantic import Field

from glotmix.core.section import RecipeKey, Section


class CombinationsConfig(Section):
    """Sets of cells chosen for what they do together: small models read random subsets of cells, a law says what a set
    is worth, and the best set under it is tried against simple ways to choose.

    >>> CombinationsConfig().subsets
    96
    """

    by: str = Field(
        "source",
        description="what a cell is, beside a cluster of meaning in a language: source, quality (three bands), or a "
        "column of the documents, such as a domain or a register",
    )
    languages: tuple[str, ...] | None = Field(None, min_length=1, description="that are asked about; all by default")
    pooled: bool = Field(False, description="one choice over the cells of all languages, not one in each language")
    helped: str | None = Field(
        None,
        description="a language with little text: the choice is then which cells of the other languages to put beside "
        "all of its own",
    )
    own: float = Field(0.5, gt=0, lt=1, description="share of the tokens that are its own text (helped)")
    cells: int = Field(24, ge=4, description="in each language, about")
    subsets: int = Field(
        96, ge=16, description="random subsets of cells that are tried; fewer miss pairs that help only together"
    )
    tokens: int = Field(65_536, ge=512, description="that a model reads of a subset")
    budget: int | None = Field(None, ge=512, description="tokens of the set that is chosen; by default as many")
    blocks: int | None = Field(None, ge=2, description="blocks of a subset; by default a third of the cells")
    epochs: float = Field(4.0, ge=1, description="how often a document may be read, at most")
    embedder: str = Field("static", description="that meanings come from")
    targets: dict[str, str] = Field(
        default_factory=dict,
        description="other text that the set is chosen for, such as exam questions: name → a table of lang and text; "
        "then it alone counts",
    )
    start_tokens: int = Field(1_000_000, ge=512, description="of the warm start that all models go on from")
    start: float = Field(0.2, gt=0, lt=0.5, description="share of the documents that only the warm start reads")
    held_out: float = Field(0.1, gt=0, lt=0.4, description="share whose loss the laws are fitted to")
    test: float = Field(0.1, gt=0, lt=0.4, description="share that nothing sees before the verdict")
    held_bytes: int = Field(60_000, ge=1000, description="of them that are measured, per language and source")
    held_each: int = Field(1000, ge=100, description="bytes of one document that are measured: a passage")
    seeds: int = Field(5, ge=3, description="warm starts, and models of each chosen set")
    parameters: float = Field(1.5e5, ge=1e5, le=1e8, description="of a model")
    vocabulary: int | None = Field(None, ge=257, description="pieces of the tokenizer that is trained")
    tokenizer: str | None = Field(None, description="path of a tokenizer.json to use instead")
    context: int = Field(64, ge=8, description="tokens per window")
    batch: int = Field(4, ge=1, description="windows per step")
    rate: float | None = Field(None, gt=0, description="greatest learning rate; by default what suits the width")
    law: Literal["auto", "additive", "relational"] = Field(
        "auto", description="that chooses; auto: the one that ranks held-out subsets better"
    )
    seed: int = Field(0, ge=0, description="of clusters, subsets and orders")

    def rate_of(self, width: int) -> float:
        """Return the learning rate of a model: 0.007 at a width of 64, falling with the root of the width."""
        return self.rate or round(0.007 * (64 / width) ** 0.5, 4)


RECIPE = RecipeKey(
    "select.combinations",
    CombinationsConfig | None,
    None,
    "sets of documents chosen for what they do together, tried against simple ways; the data set itself stays as the "
    "ledger keeps it",
    place=75,
    seeds=("select.combinations.seed",),
)
