"""A finished rater in a recipe: its folder is copied, what it reads of texts is a signal, and nothing is trained."""

import shutil
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from glotmix.core.context import RunContext
from glotmix.core.errors import DataError, RequestError
from glotmix.core.record import Counts, Output, digest_file
from glotmix.core.step import StepSpec
from glotmix.embed import choose
from glotmix.embed.protocol import Embedder
from glotmix.quality import rater_features
from glotmix.quality.cross_lingual import AUDIT
from glotmix.quality.rater import RATER, TENSORS, Rater
from glotmix.quality.raters_config import FLOW, FORM, WORDING
from glotmix.signals import embed
from glotmix.signals.annotate import annotate

VERSION = 1
SEEN = "signals/rater_features"
"""What a rater reads of texts and no other signal holds: ``id`` and columns of form, wording and flow."""

WRITTEN = (FORM, WORDING, FLOW)


def features(context: RunContext) -> tuple[str, ...]:
    """Return what the rater reads, as a recipe names features; its vectors must be signals of the recipe.

    Raises:
        RequestError: naming the embedder that the recipe does not ask for, or that sees less or more of a text than
            the rater learned from.
    """
    for name in finished(context).embedders:
        own, seen = embed.configured(context.recipe, name), finished(context).max_chars.get(name)
        if own is None:
            raise RequestError(f"the rater in {folder(context)} reads vectors of {name}", f"signals.embed={name}")
        if seen not in (None, own.max_chars):
            raise RequestError(
                f"the rater in {folder(context)} learned from vectors of {name} of the first {seen:,} characters; "
                f"signals.embed looks at {own.max_chars:,}",
                f"signals.embed={{model: {own.model}, max_chars: {seen}}}",
            )
    return rater_features.features_of(finished(context))


def folder(context: RunContext) -> Path:
    """Return the folder of the finished rater that the recipe names.

    Raises:
        RequestError: if it names none.
        DataError: if the folder holds no rater.
    """
    section = context.recipe.quality
    if section is None or section.pretrained is None:
        raise RequestError("the recipe names no finished rater", "quality.pretrained=FOLDER")
    found = context.path(section.pretrained)
    if not (found / RATER).is_file():
        raise DataError(f"quality.pretrained: there is no rater in {found}", "glotmix raters train RECIPE -o FOLDER")
    return found


def finished(context: RunContext) -> Rater:
    """Return that rater, read once."""
    return context.once("finished rater", lambda: Rater.read(folder(context)))


def _named(context: RunContext) -> bool:
    return context.recipe.quality is not None and context.recipe.quality.pretrained is not None


def _files(context: RunContext) -> list[str]:
    return [name for name in (RATER, TENSORS, AUDIT) if (folder(context) / name).is_file()]


def _copy(context: RunContext, output: Output) -> Counts:
    names = _files(context)
    for name in names:
        shutil.copyfile(folder(context) / name, output.path / name)
    return {"files": len(names)}


def _wanted(context: RunContext) -> list[str]:
    return [name for name in features(context) if name in WRITTEN]


def _seen(context: RunContext, output: Output) -> Counts:
    rater = context.step_dir("rater")
    models = tuple((name, _model(context, name)) for name in finished(context).embedders)
    mark, wanted = digest_file(rater / TENSORS), tuple(_wanted(context))
    look = partial(_look, folder=rater, mark=mark, wanted=wanted, models=models, base=context.base)
    # The type of what is seen of nothing is the type of what is seen.
    returns = look(pa.array([], pa.string()), pa.array([], pa.string())).type
    return annotate(output, context.corpus, ["text", "lang"], look, returns)


def _identity(context: RunContext) -> dict[str, Any]:
    known = {name: embed.embedder(context, name).fingerprint for name in finished(context).embedders}
    return {"features": _wanted(context), "embedders": known}


def _model(context: RunContext, name: str) -> str:
    known = embed.configured(context.recipe, name)
    return name if known is None else known.model


def _look(
    texts: pa.Array,
    langs: pa.Array,
    *,
    folder: Path,
    mark: str,
    wanted: tuple[str, ...],
    models: tuple[tuple[str, str], ...],
    base: Path,
) -> pa.StructArray:
    """See texts, with a rater and embedders that each process loads once: a query's function travels without them."""
    embedders = {name: _embedder(model, base) for name, model in models}
    texts, langs = (a.combine_chunks() if isinstance(a, pa.ChunkedArray) else a for a in (texts, langs))
    empty = pa.table({"lang": langs})
    table = rater_features.written(empty, texts, langs, wanted, embedders, _scorer(folder, mark).wording).drop_columns(
        ["lang"]
    )
    columns = [column.combine_chunks().cast(pa.float32()) for column in table.columns]
    fields = [pa.field(name, pa.float32()) for name in table.column_names]
    return pa.StructArray.from_arrays(columns, fields=fields)


@lru_cache(maxsize=4)
def _scorer(folder: Path, mark: str) -> Rater:
    # The mark tells a rater from another one that stood in the same folder before.
    return Rater.read(folder)


@lru_cache(maxsize=4)
def _embedder(model: str, base: Path) -> Embedder:
    return choose.load(model, base)


STEPS = (
    StepSpec(
        name="rater",
        code=(__name__,),
        make=_copy,
        wanted=_named,
        needs=lambda context: (),
        inputs=lambda context: {name: digest_file(folder(context) / name) for name in _files(context)},
        reported=True,
        meaning="a finished rater, copied",
        place=50,
    ),
    StepSpec(
        name=SEEN,
        code=(
            "glotmix.signals.layout",
            "glotmix.quality.word_order",
            "glotmix.quality.coherence",
        ),
        make=_seen,
        wanted=lambda context: _named(context) and bool(_wanted(context)),
        needs=lambda context: (*context.corpus_steps, "rater"),
        config=_identity,
        meaning="what a finished rater reads of texts and no other signal holds",
        place=51,
    ),
)
