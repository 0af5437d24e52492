"""The section `mix.proxies` of the recipe: which proxies to train."""

from typing import Literal

from pydantic import Field

from glotmix.core.section import Code, RecipeKey, Section


class ProxiesConfig(Section):
    """Small models, each on another mixture, whose losses say how much of each language to take.

    >>> ProxiesConfig(parameters=1e6).rate_of(96)
    0.0057
    """

    runs: int | None = Field(
        None, ge=1, description="mixtures to train on; by default three per language and three more (Olmix)"
    )
    design: str | None = Field(
        None,
        description="a file of runs instead: run_id, a share per language; and, where given, parameters, tokens, "
        "seed, unique.<language> (glotmix mix design writes one)",
    )
    earlier: str | None = Field(
        None,
        description="of cells: a copy of the folder `proxies` of an earlier run, from before a source was added or "
        "changed; its runs that drew on nothing that changed still count, and only what they leave short is trained",
    )
    languages: tuple[Code, ...] | None = Field(
        None,
        min_length=2,
        description="languages that the runs draw on, by default all; the others keep their share of the prior. "
        "Where time is short, few languages that each get much of it say more than many that get little",
    )
    parameters: float = Field(3e5, ge=1e5, le=1e8, description="of a proxy, where the design does not say")
    tokens: int = Field(1_000_000, ge=1, description="training tokens of a proxy, where the design does not say")
    target: Literal["auto"] | float | None = Field(
        "auto",
        description="training tokens of the model to be: proxies then repeat as it would, half of the mixtures are "
        "trained at twice the size, too, and some repeat less. auto: mix.tokens, where that is at least four times the "
        "proxies'; null: one size, all the text there is",
    )
    one_size: bool = Field(False, description="with a target: no second size, no runs that repeat less")
    vocabulary: int | None = Field(
        None, ge=257, description="pieces of the tokenizer that is trained; by default what suits the smallest proxy"
    )
    tokenizer: str | None = Field(None, description="path of a tokenizer.json to use instead")
    unit: Literal["tokens", "bytes"] = Field(
        "tokens", description="what a share is a share of: pieces of the proxies' tokenizer, or bytes of text"
    )
    text_bytes: int = Field(20_000_000, ge=10_000, description="text per language that proxies draw from, at most")
    context: int = Field(64, ge=8, description="tokens per window")
    batch: int = Field(2, ge=1, description="windows per step")
    rate: float | None = Field(None, gt=0, description="greatest learning rate; by default what suits the width")
    held_out: float = Field(0.05, gt=0, lt=0.5, description="share of the documents never trained on, by their hash")
    held_bytes: int = Field(30_000, ge=1000, description="bytes of them that are measured, per language")
    held_each: int = Field(1000, ge=100, description="bytes of one of them that are measured: a passage")
    together: int = Field(32, ge=1, description="proxies trained as one program; changes no result")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: the GPU where there is one")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of products; auto: bfloat16 on a GPU, float32 on a CPU"
    )
    seed: int = Field(0, ge=0, description="of the mixtures, and of proxies whose design gives none")

    def rate_of(self, width: int) -> float:
        """Return the learning rate of a model: 0.007 at a width of 64, falling with the root of the width."""
        return self.rate or round(0.007 * (64 / width) ** 0.5, 4)


RECIPE = RecipeKey(
    "mix.proxies",
    ProxiesConfig | None,
    None,
    "proxies to train on what is kept, instead of given runs",
    place=71,
    seeds=("mix.proxies.seed",),
)
