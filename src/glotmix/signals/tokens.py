"""The signal `tokens`: how many tokens a document has, for a tokenizer that the user names.

Without one the accounting is in UTF-8 bytes and this signal is not made.
"""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from glotmix.core import table
from glotmix.core.context import RunContext
from glotmix.core.record import digest_file
from glotmix.core.section import RecipeKey, Section
from glotmix.core.step import Column, StepSpec
from glotmix.signals.annotate import Measure, Measured
from glotmix.signals.tokenizer import Tokenizer

VERSION = 2

SAMPLE = 200
"""Documents of each language, and characters of each in thousands, on which it is measured what the tokenizer loses."""

FIELDS = pa.struct([pa.field("tokens", pa.int64())])


def counter(path: Path) -> Callable[[pa.Array], pa.StructArray]:
    """Return the function from texts, (n,) strings without nulls, to their number of tokens.

    Special tokens that a tokenizer would put around a document are not counted: packing adds them once per document
    whatever the language.

    Args:
        path: a Hugging Face ``tokenizer.json``.

    Raises:
        MissingExtraError: if the library `tokenizers` is not installed.
        RequestError: if the file is no tokenizer.
        DataError: by the function, if a text cannot be encoded.
    """
    tokenizer = Tokenizer(path, "signals.tokens.tokenizer")

    def count(texts: pa.Array) -> pa.StructArray:
        encoded = tokenizer.encode(texts.to_pylist())
        return pa.StructArray.from_arrays([pa.array([len(e.ids) for e in encoded], pa.int64())], fields=list(FIELDS))

    return count


def measure(corpus: Path, tokenizer: Path) -> Measure:
    """Return how the tokens of every document of a corpus are counted.

    Raises:
        RequestError: before anything is counted, if the tokenizer drops letters of a language: its counts would be no
            measure of a budget.
        DataError: if it cannot encode the text of a language.
    """
    Tokenizer(tokenizer, "signals.tokens.tokenizer").refuse(_sample(corpus), "measure of a budget")
    return Measure(["text"], counter(tokenizer), FIELDS)


def _sample(corpus: Path) -> dict[str, list[str]]:
    """Return the first documents of each language, cut."""
    found: dict[str, list[str]] = {}
    for shard in table.shards(corpus):
        for batch in table.read([shard], ["text", "lang"]).to_batches(SAMPLE):
            for lang in batch.column("lang").unique().to_pylist():
                mine = found.setdefault(lang, [])
                if len(mine) < SAMPLE:
                    texts = batch.column("text").filter(pc.equal(batch.column("lang"), lang))
                    mine += pc.utf8_slice_codeunits(texts, 0, 1_000)[: SAMPLE - len(mine)].to_pylist()
    return found


class TokensSection(Section):
    """The unit of budgets and shares."""

    tokenizer: str | None = Field(None, description="path of a tokenizer.json; null counts UTF-8 bytes")


def _tokenizer(context: RunContext) -> Path:
    return context.path(context.recipe.signals.tokens.tokenizer)


RECIPE = RecipeKey("signals.tokens", TokensSection, TokensSection(), place=21)

STEPS = StepSpec(
    name="signals/tokens",
    code=(__name__,),
    make=Measured(lambda context: measure(context.corpus, _tokenizer(context))),
    wanted=lambda context: context.recipe.signals.tokens.tokenizer is not None,
    inputs=lambda context: {"tokenizer": digest_file(_tokenizer(context))},
    per_document=True,
    columns=(Column("tokens", "int64", "how many tokens the document has, special ones not counted", "tokens"),),
    meaning="tokens of each document, by the tokenizer that budgets are meant for",
    place=44,
)
