"""What a rater that was carried across languages sees of texts: the rooms' measurements side by side."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from glotmix.core.errors import RequestError
from glotmix.embed.protocol import Embedder
from glotmix.quality import coherence
from glotmix.quality.rater import Rater
from glotmix.quality.raters_config import FLOW, FORM, STRUCTURE, WORDING
from glotmix.quality.train_rater import FeatureExtractor
from glotmix.quality.word_order import COLUMNS, Wording
from glotmix.signals import heuristics, layout


def see(
    texts: pa.Array,
    langs: pa.Array,
    features: Sequence[str],
    embedders: Mapping[str, Embedder],
    wording: Wording | None = None,
    max_chars: Mapping[str, int] | None = None,
) -> pa.Table:
    """Return the features of texts: ``lang``, the columns of each kind of feature, and columns of vectors.

    Args:
        texts: n texts.
        langs: their languages.
        features: ``structure`` (the heuristics), ``form`` (how a text is put together), ``wording`` (needs its models),
            ``flow`` (needs an embedder), and names of embedders.
        embedders: by name; the first one gives the flow its sentences' vectors.
        wording: models of word order.
        max_chars: how much of a text each embedder sees, by name; all of it where nothing is said.

    Raises:
        RequestError: if what a feature needs is missing.
    """
    vectors = {name: one for name, one in embedders.items() if name in features}
    eyes = FeatureExtractor(heuristics.measure if STRUCTURE in features else None, vectors, max_chars or {})
    table = eyes.see(texts, langs)
    return written(table, texts, langs, features, embedders, wording)


def written(
    table: pa.Table,
    texts: pa.Array,
    langs: pa.Array,
    features: Sequence[str],
    embedders: Mapping[str, Embedder],
    wording: Wording | None,
) -> pa.Table:
    """Add to a table what is made of the texts themselves: form, wording and flow, as far as `features` name them."""
    if FORM in features:
        found = layout.measure(texts, langs)
        for at, name in enumerate(layout.COLUMNS):
            table = table.append_column(name, found.field(at))
    if WORDING in features:
        if wording is None:
            raise RequestError("the feature wording needs models of word order")
        table = _with(table, WORDING, COLUMNS, wording.measure(texts.to_pylist(), langs.to_pylist()))
    if FLOW in features:
        if not embedders:
            raise RequestError("the feature flow needs an embedder", "raters.features=[structure, static, flow]")
        hangs = coherence.measure(texts.to_pylist(), langs.to_pylist(), next(iter(embedders.values())))
        table = _with(table, FLOW, coherence.COLUMNS, hangs)
    return table


def _with(table: pa.Table, kind: str, names: Sequence[str], found: np.ndarray) -> pa.Table:
    for name, column in zip(names, found.T, strict=True):
        table = table.append_column(f"{kind}_{name}", pa.array(column, mask=np.isnan(column)))
    return table


def features_of(scorer: Rater) -> tuple[str, ...]:
    """Return the features that a finished rater reads, as a recipe names them."""
    columns = () if scorer.usual.structure is None else scorer.usual.structure.columns
    kinds = {
        STRUCTURE: any(name in heuristics.COLUMNS for name in columns),
        FORM: any(name in layout.COLUMNS for name in columns),
        WORDING: any(name.startswith(f"{WORDING}_") for name in columns),
        FLOW: any(name.startswith(f"{FLOW}_") for name in columns),
    }
    return (*(kind for kind, wanted in kinds.items() if wanted), *scorer.usual.centres)
