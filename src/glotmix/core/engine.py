"""The recipe's section on where it runs."""

from typing import Literal

from pydantic import ByteSize, Field

from glotmix.core.section import RecipeKey, Section


class EngineSection(Section):
    """Where it runs: nothing here changes a result, so nothing here is part of a fingerprint."""

    runner: Literal["local", "ray"] = "local"
    workers: int | None = Field(None, ge=1, description="cores to use; all by default")
    memory: ByteSize | None = Field(
        None, description="what parts in flight may take, such as 8GB; half of the machine's by default"
    )


RECIPE = RecipeKey("engine", EngineSection, EngineSection(), place=90)
