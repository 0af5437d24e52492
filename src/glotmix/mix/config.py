"""The `mix` section of the recipe."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class MixConfig(BaseModel):
    """How much of each language to train on. Shares are of training tokens; languages are canonical codes.

    >>> MixConfig(tokens=1e9, method="temperature", temperature=2).max_epochs
    4.0
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: int | None = Field(
        None, gt=0, description="training tokens, repeats counted; by default as many as there are, each once"
    )
    method: Literal["natural", "uniform", "temperature", "unimax"] = Field(
        "unimax", description="how the shares are chosen"
    )
    temperature: float = Field(3.3, gt=0, description="T of `r ∝ n^(1/T)`: 1 is natural, large is uniform")
    max_epochs: float | None = Field(4.0, gt=0, description="how often a token may be seen at most; null for no cap")
    max_epochs_of: dict[str, float] = Field(default_factory=dict, description="the same for single languages")
    floors: dict[str, float] = Field(default_factory=dict, description="least share per language")
    ceilings: dict[str, float] = Field(default_factory=dict, description="greatest share per language")
