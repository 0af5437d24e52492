"""Raters joined and carried, end to end: the heuristics and the embedders meet the raters here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core import files, language
from glotmix.core.errors import DataError, RequestError
from glotmix.embed.protocol import Embedder
from glotmix.quality import cross_lingual, joined, judgements, pairs
from glotmix.quality.rater_features import see
from glotmix.quality.raters_config import WORDING, RatersConfig
from glotmix.quality.word_order import Wording

LATER = ("list_share", "capital_run_ratio", "opens_small", "top_word_share", "top_words_share")
"""Heuristics that a carried rater does not see: what they would do for it was not measured."""


def _early(table: pa.Table) -> pa.Table:
    return table.drop_columns([name for name in LATER if name in table.column_names])


def make(
    section: RatersConfig,
    base: Path,
    seed: int,
    output: Path,
    embedders: Mapping[str, Embedder] | None = None,
    models: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Join the raters of a recipe, train the carried rater, audit it, and write everything.

    Args:
        section: the recipe's.
        base: the folder that its paths start from.
        seed: of pairs and splits.
        output: gets ``scores.parquet`` and ``raters.json`` (see `joined`), ``rater.json``, ``rater.safetensors`` and
            ``carried.json`` (see `carried`).
        embedders: those that the section's features name.
        models: what each is loaded by, where that is not its name.

    Returns:
        the audit.

    Raises:
        RequestError: if an embedder is not given.
    """
    embedders = dict(embedders or {})
    if missing := [name for name in section.embedders if name not in embedders]:
        raise RequestError(f"raters.features: there is no embedder '{missing[0]}'", "raters.features=[structure]")
    with files.prepared(output):
        together = joined.join(section, base, seed)
        texts, langs = (together.documents[name].combine_chunks() for name in ("text", "lang"))
        wording = None
        if WORDING in section.features:
            sources = np.asarray(together.documents["source"].to_pylist(), object)
            # The same split as `carried.carry` makes: no model of word order has seen a text that is audited.
            wording = _wording(section, base, texts, langs, ~pairs.hold_out(sources, section.held_out, seed))
        found = cross_lingual.carry(
            together,
            _early(see(texts, langs, section.features, embedders, wording)),
            section,
            {name: one.fingerprint for name, one in embedders.items()},
            seed,
            {name: model for name, model in (models or {}).items() if name in embedders},
            wording,
        )
        joined.write(together, output)
        found.write(output)
    return found.audit


def _wording(section: RatersConfig, base: Path, texts: pa.Array, langs: pa.Array, kept: NDArray[np.bool_]) -> Wording:
    """Learn word order from the unlabelled files, or from the documents of the training half where there are none."""
    if not section.unlabelled:
        mine = pa.array(kept)
        return Wording.fit(texts.filter(mine).to_pylist(), langs.filter(mine).to_pylist())
    found: list[str] = []
    codes: list[str] = []
    for name in section.unlabelled:
        path = files.placed(base, name)
        given = judgements.read(path, ("text", "lang"))
        if empty := given["text"].null_count + given["lang"].null_count:
            raise DataError(f"{path}: {empty} values of text and lang are missing")
        known = {code: language.parse(code).code for code in pc.unique(given["lang"]).to_pylist()}
        found += given["text"].to_pylist()
        codes += [known[code] for code in given["lang"].to_pylist()]
    return Wording.fit(found, codes)
