"""The recipe's section on how the data set is written."""

from typing import Literal

from pydantic import Field

from glotmix.core.section import RecipeKey, Section
from glotmix.export.tokens import TokenFilesSection


class ExportSection(Section):
    """How the data set is written."""

    formats: tuple[Literal["parquet", "jsonl.zst", "jsonl.gz", "jsonl"], ...] = ("parquet",)
    shard_mb: int = Field(200, ge=1, description="uncompressed megabytes of text per shard")
    dropped: bool = Field(False, description="write the dropped documents beside, with rule and evidence")
    tokens: TokenFilesSection | None = Field(None, description="the data set as token files, too; null for none")


RECIPE = RecipeKey("export", ExportSection, ExportSection(), place=80)
