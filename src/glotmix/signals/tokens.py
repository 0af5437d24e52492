"""The signal `tokens`: how many tokens a document has, for a tokenizer that the user names.

Without one the accounting is in UTF-8 bytes and this signal is not made.
"""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from pydantic import Field

from glotmix.core.context import RunContext
from glotmix.core.errors import MissingExtraError, RequestError
from glotmix.core.record import Counts, Output, digest_file
from glotmix.core.section import RecipeKey, Section
from glotmix.core.step import Column, StepSpec
from glotmix.signals.annotate import annotate

VERSION = 1

FIELDS = pa.struct([pa.field("tokens", pa.int64())])


def counter(path: Path) -> Callable[[pa.Array], pa.StructArray]:
    """Return the function from texts, (n,) strings without nulls, to their number of tokens.

    Special tokens that a tokenizer would put around a document are not counted: packing adds them once per document
    whatever the language.

    Args:
        path: a Hugging Face ``tokenizer.json``.

    Raises:
        MissingExtraError: if the `tokenizers` library is not installed.
        RequestError: if the file is no tokenizer.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtraError("signals.tokens", "train") from error
    if not path.is_file():
        raise RequestError(f"signals.tokens.tokenizer: there is no file {path}", "the path of a tokenizer.json")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises a bare Exception
        raise RequestError(f"signals.tokens.tokenizer: {path} is no tokenizer.json: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()

    def count(texts: pa.Array) -> pa.StructArray:
        encoded = tokenizer.encode_batch_fast(texts.to_pylist(), add_special_tokens=False)
        return pa.StructArray.from_arrays([pa.array([len(e.ids) for e in encoded], pa.int64())], fields=list(FIELDS))

    return count


def make(output: Output, corpus: Path, tokenizer: Path) -> Counts:
    """Write ``id, tokens`` for every document of a corpus."""
    return annotate(output, corpus, ["text"], counter(tokenizer), FIELDS)


class TokensSection(Section):
    """The unit of budgets and shares."""

    tokenizer: str | None = Field(None, description="path of a tokenizer.json; null counts UTF-8 bytes")


def _tokenizer(context: RunContext) -> Path:
    return context.path(context.recipe.signals.tokens.tokenizer)


RECIPE = RecipeKey("signals.tokens", TokensSection, TokensSection(), place=21)

STEPS = StepSpec(
    name="signals/tokens",
    code=(__name__,),
    make=lambda context, output: make(output, context.corpus, _tokenizer(context)),
    wanted=lambda context: context.recipe.signals.tokens.tokenizer is not None,
    inputs=lambda context: {"tokenizer": digest_file(_tokenizer(context))},
    per_document=True,
    columns=(Column("tokens", "int64", "how many tokens the document has, special ones not counted", "tokens"),),
    meaning="tokens of each document, by the tokenizer that budgets are meant for",
    place=44,
)
