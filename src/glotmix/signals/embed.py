"""The embedding signal: a vector per document and embedder, stored once, for raters, diversity and clustering.

Each embedder is a signal of its own, ``signals/embed/NAME``; whoever reads several puts their vectors side by side.

The first `max_chars` characters of a document are embedded. Columns: ``embedding``, a list of `width` float16 numbers
at length one (zero where the embedder knows nothing of the text), and ``truncated``, whether the embedder saw less
than the whole text: it is longer than `max_chars`, or than the model takes in.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from glotmix.core import table
from glotmix.core.context import RunContext
from glotmix.core.errors import DataError
from glotmix.core.record import Counts, Output
from glotmix.core.section import Recipe, RecipeKey
from glotmix.core.step import Column, StepSpec
from glotmix.embed import choose
from glotmix.embed.protocol import Embedder
from glotmix.signals.annotate import annotate

VERSION = 2
SIGNAL = "signals/embed"
MAX_CHARS = 2_000

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


class EmbedConfig(BaseModel):
    """Which embedder, what it is called, and how much of a document it sees.

    >>> EmbedConfig().called, EmbedConfig(model="hub:BAAI/bge-m3@5617a9f6").called
    ('static', 'bge-m3')
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field("static", description="static, use, hybrid, hub:NAME@REVISION, or a folder with a model")
    name: str | None = Field(
        None, description="what its vectors are called; null for the last part of the model's name"
    )
    max_chars: int = Field(MAX_CHARS, gt=0, description="characters of a document that are looked at")

    @model_validator(mode="after")
    def _named(self) -> "EmbedConfig":
        if not _NAME.fullmatch(self.called):
            raise ValueError(f"{self.called!r} names no column: letters, digits, dots and dashes, such as name: bge-m3")
        return self

    @property
    def called(self) -> str:
        """Its name, which is that of its folder and of its column."""
        plain = self.model.removeprefix("hub:").partition("@")[0] if self.model.startswith("hub:") else self.model
        return self.name or plain.rstrip("/").rpartition("/")[2]

    @property
    def signal(self) -> str:
        """The signal that holds its vectors."""
        return f"{SIGNAL}/{self.called}"


def several(given: Any) -> Any:
    """Return what a recipe may say (nothing, a model, a mapping, or a list of these) as a list of mappings.

    >>> several("static"), several(["use", {"hub": "BAAI/bge-m3@5617a9f6"}])
    ([{'model': 'static'}], [{'model': 'use'}, {'model': 'hub:BAAI/bge-m3@5617a9f6'}])
    """
    if given is None:
        return []
    if not isinstance(given, list | tuple):
        given = [given]
    return [_one(each) for each in given]


def _one(given: Any) -> Any:
    if isinstance(given, str):
        return {"model": given}
    # `- hub: NAME@REVISION`, with the space that YAML makes a mapping of.
    if isinstance(given, Mapping) and "hub" in given and "model" not in given:
        rest = {key: value for key, value in given.items() if key != "hub"}
        return {"model": f"hub:{given['hub']}"} | rest
    return given


def make(output: Output, corpus: Path, embedder: Embedder, max_chars: int = MAX_CHARS) -> Counts:
    """Write the signal: ``id``, ``embedding``, ``truncated``.

    Args:
        output: the signal under construction.
        corpus: the corpus.
        embedder: called on several threads.
        max_chars: characters of a document that are looked at.

    Returns:
        ``{"documents": n}``.
    """
    returns = kind(embedder.width)
    return annotate(output, corpus, ["text"], lambda texts: embed(texts, embedder, max_chars), returns)


def kind(width: int) -> pa.StructType:
    """Return the type of what the signal says of a document."""
    return pa.struct([("embedding", pa.list_(pa.float16(), width)), ("truncated", pa.bool_())])


def embed(texts: pa.Array, embedder: Embedder, max_chars: int = MAX_CHARS) -> pa.StructArray:
    """Embed documents: one struct of `kind` per text."""
    strings = texts.cast(pa.large_string())
    seen = pc.utf8_slice_codeunits(strings, 0, max_chars)
    cut = pc.greater(pc.utf8_length(strings), max_chars)
    plain = seen.to_pylist()
    vectors = embedder.embed(plain)
    over = getattr(embedder, "truncated", None)
    if over is not None:
        cut = pc.or_(cut, pa.array(over(plain), pa.bool_()))
    numbers = pa.array(np.ascontiguousarray(vectors, np.float16).ravel(), pa.float16())
    lists = pa.FixedSizeListArray.from_arrays(numbers, embedder.width)
    return pa.StructArray.from_arrays([lists, cut], fields=list(kind(embedder.width)))


def together(
    signals: Sequence[Path], ids: Sequence[str] | pa.Array | None = None
) -> tuple[pa.Array, NDArray[np.float16]]:
    """Read the vectors of several embedders side by side: ids, and (documents, sum of widths) float16.

    Args:
        signals: the folder of each embedder's signal; their order is that of the numbers.
        ids: the documents that are wanted, see `read`.

    Raises:
        DataError: if one is missing, or they are not of the same documents.
    """
    held, first = read(signals[0], ids)
    parts = [first]
    for signal in signals[1:]:
        names, vectors = read(signal, ids)
        if not names.equals(held):
            raise DataError(
                f"{signals[0]} and {signal} are not of the same documents", f"delete {signal} and run again"
            )
        parts.append(vectors)
    return held, np.concatenate(parts, axis=1)


def read(signal: Path, ids: Sequence[str] | pa.Array | None = None) -> tuple[pa.Array, NDArray[np.float16]]:
    """Read vectors of the signal: ids, and (documents, width) float16.

    Args:
        signal: the folder of the signal.
        ids: the documents that are wanted, in this order; all by default, in the order of the corpus.

    Raises:
        DataError: if there is no signal, or one of the documents is not in it.
    """
    files = table.shards(signal) if signal.is_dir() else []
    if not files:
        raise DataError(f"there are no embeddings in {signal}", "signals.embed=static, and run again")
    wanted = None if ids is None else pa.array(ids, pa.string()) if not isinstance(ids, pa.Array) else ids
    found, names = [], []
    for file in files:
        rows = pq.read_table(file, columns=["id", "embedding"]).combine_chunks()
        if wanted is not None:
            rows = rows.filter(pc.is_in(rows["id"], wanted)).combine_chunks()
        lists = rows["embedding"].combine_chunks()
        found.append(lists.flatten().to_numpy(zero_copy_only=False).reshape(-1, lists.type.list_size))
        names.append(rows["id"].combine_chunks())
    vectors, held = np.concatenate(found), pa.concat_arrays(names)
    if wanted is None:
        return held, vectors
    at = pc.index_in(wanted, held)
    if at.null_count:
        missing = wanted.filter(pc.is_null(at))
        raise DataError(
            f"{signal} has no embedding of {missing.slice(0, 3).to_pylist()}", f"delete {signal}, run again"
        )
    return wanted, vectors[at.to_numpy()]


Embedders: TypeAlias = str | EmbedConfig | tuple[str | EmbedConfig, ...] | None
"""How a recipe may name embedders; see `several`."""


def configured(recipe: Recipe, name: str) -> EmbedConfig | None:
    """Return the embedder of a recipe that others call by its name, or by its model; None if there is none."""
    known: tuple[EmbedConfig, ...] = recipe.signals.embed
    by_name = (one for one in known if one.called == name)
    return next(by_name, next((one for one in known if one.model == name), None))


def embedder(context: RunContext, name: str) -> Embedder:
    """Return an embedder of ``signals.embed`` by its name, or any other that `choose.load` knows; loaded once."""
    known = configured(context.recipe, name)
    model = name if known is None else known.model
    return context.once(("embedder", model), lambda: choose.load(model, context.base))


def _distinct(recipe: Recipe) -> None:
    called = [one.called for one in recipe.signals.embed]
    if twice := next((name for name in called if called.count(name) > 1), None):
        raise ValueError(f"embed: two embedders are called {twice}: give one another name, {{model: …, name: …}}")


RECIPE = RecipeKey(
    "signals.embed",
    Annotated[tuple[EmbedConfig, ...], BeforeValidator(several, json_schema_input_type=Embedders)],
    (),
    "vectors of each document: an embedder or a list of them, such as [static, use]; null for none",
    place=26,
    check=_distinct,
)


def _one_each(context: RunContext) -> list[StepSpec]:
    return [_spec(wanted) for wanted in context.recipe.signals.embed]


def _spec(wanted: EmbedConfig) -> StepSpec:
    # The embedder is loaded when the step runs or its fingerprint is asked for, and kept.
    return StepSpec(
        name=wanted.signal,
        code=(__name__,),
        make=lambda context, output: make(output, context.corpus, embedder(context, wanted.called), wanted.max_chars),
        config=lambda context: {"max_chars": wanted.max_chars},
        inputs=lambda context: {"embedder": embedder(context, wanted.called).fingerprint},
        columns=(
            Column("embedding", "list<float16>", "the vector of the document's beginning, at length one"),
            Column("truncated", "bool", "whether the embedder saw less than the whole text"),
        ),
        meaning="a vector for each document",
        place=43,
    )


STEPS = (_one_each,)
