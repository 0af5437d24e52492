"""The recipe's section on what is read."""

from pydantic import Field

from glotmix.core.section import RecipeKey, Section
from glotmix.corpus.sources import Source


class CorpusSection(Section):
    """What is read."""

    sources: tuple[Source, ...] = Field(min_length=1, description="where the text comes from")
    max_chars: int = Field(1_000_000, gt=0, description="longer documents are quarantined")
    max_quarantined: float = Field(
        0.01, ge=0, le=1, description="a larger share of a source's rows in quarantine is an error"
    )
    max_unknown_language: int = Field(
        1_000, ge=0, description="more rows with one language code that is none are an error; fewer are a warning"
    )


RECIPE = RecipeKey("corpus", CorpusSection, place=10)
