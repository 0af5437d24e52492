"""A finished rater in a recipe: its folder is copied, what it reads of texts is a signal, and nothing is trained."""

import shutil
from functools import lru_cache, partial
from pathlib import Path

import pyarrow as pa

from glotmix.core.errors import RequestError
from glotmix.core.record import Counts, Output, digest_file
from glotmix.core.step import Step
from glotmix.embed import choose
from glotmix.embed.protocol import Embedder
from glotmix.pipeline.context import RunContext
from glotmix.quality import rater_features
from glotmix.quality.cross_lingual import AUDIT
from glotmix.quality.rater import RATER, TENSORS, Rater
from glotmix.quality.raters_config import FLOW, FORM, WORDING
from glotmix.signals.annotate import annotate
from glotmix.signals.layout import VERSION as FORM_VERSION

VERSION = 1
SEEN = "signals/seen"
"""What a rater reads of texts and no other signal holds: ``id`` and columns of form, wording and flow."""

WRITTEN = (FORM, WORDING, FLOW)


def features(work: RunContext) -> tuple[str, ...]:
    """Return what the rater reads, as a recipe names features; its vectors must be signals of the recipe.

    Raises:
        RequestError: naming the embedder that the recipe does not ask for, or that sees less or more of a text than
            the rater learned from.
    """
    for name in work.finished.embedders:
        own, seen = work.recipe.signals.embedder(name), work.finished.max_chars.get(name)
        if own is None:
            raise RequestError(f"the rater in {work.adopted} reads vectors of {name}", f"signals.embed={name}")
        if seen not in (None, own.max_chars):
            raise RequestError(
                f"the rater in {work.adopted} learned from vectors of {name} of the first {seen:,} characters; "
                f"signals.embed looks at {own.max_chars:,}",
                f"signals.embed={{model: {own.model}, max_chars: {seen}}}",
            )
    return rater_features.features_of(work.finished)


def steps(work: RunContext) -> list[Step]:
    """Return the copy of the rater, and the signal of what it reads of texts, if it does."""
    wanted = [name for name in features(work) if name in WRITTEN]
    return [_copied(work), *([_seen(work, wanted)] if wanted else [])]


def _copied(work: RunContext) -> Step:
    given = work.adopted
    names = [name for name in (RATER, TENSORS, AUDIT) if (given / name).is_file()]

    def copy(output: Output) -> Counts:
        for name in names:
            shutil.copyfile(given / name, output.path / name)
        return {"files": len(names)}

    return Step("rater", VERSION, copy, inputs=lambda: {name: digest_file(given / name) for name in names})


def _seen(work: RunContext, wanted: list[str]) -> Step:
    corpus, rater = work.corpus, work.step_dir("rater")
    models = tuple((name, _model(work, name)) for name in work.finished.embedders)

    def make(output: Output) -> Counts:
        mark = digest_file(rater / TENSORS)
        look = partial(_look, folder=rater, mark=mark, wanted=tuple(wanted), models=models, base=work.base)
        # The type of what is seen of nothing is the type of what is seen.
        returns = look(pa.array([], pa.string()), pa.array([], pa.string())).type
        return annotate(output, corpus, ["text", "lang"], look, returns)

    return Step(
        SEEN,
        FORM_VERSION,
        make,
        needs=(*work.corpus_steps, "rater"),
        config=lambda: {"features": wanted, "embedders": {n: one.fingerprint for n, one in work.embedders.items()}},
    )


def _model(work: RunContext, name: str) -> str:
    known = work.recipe.signals.embedder(name)
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
