"""Several identifiers side by side: what each says of a document, and one verdict.

A model that does not know the declared language can only be wrong about it, so it has no voice where another knows it.
The verdict is the language that the voices give the largest sum of scores, languages that cannot be told apart counting
as one; its score is the mean over all voices, so that one voice for another language halves it. A reconciliation of our
own: no paper's.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from glotmix.core.errors import RequestError
from glotmix.signals import confusions

VERSION = 1

_OWN = ("label", "score")


def names(models: Sequence[str]) -> list[str]:
    """Return the short name of each model: ``py3langid``, or its file's name without the ending.

    >>> names(["py3langid", "models/glotlid-v3.bin"])
    ['py3langid', 'glotlid_v3']

    Raises:
        RequestError: if two have one name.
    """
    found = [model if model == "py3langid" else re.sub(r"\W", "_", Path(model).stem) for model in models]
    if again := next((name for at, name in enumerate(found) if name in found[:at]), None):
        raise RequestError(f"signals.identify names {again} twice", "another name for one of the files")
    return found


def fields(returns: pa.StructType, models: Sequence[str]) -> pa.StructType:
    """Return the verdict's fields, and after them ``label_NAME`` and ``score_NAME`` of each model."""
    own = [pa.field(f"{what}_{name}", returns.field(what).type) for name in models for what in _OWN]
    return pa.struct([*returns, *own])


def reconcile(said: Mapping[str, pa.StructArray], declared: pa.Array) -> pa.StructArray:
    """Return one verdict on each text, and what each model said.

    Args:
        said: name → what a model says, as `language_id.RETURNS`; the first breaks ties.
        declared: the languages that the texts are declared to be in.
    """
    first = next(iter(said.values()))
    rows = [
        _verdict(list(of), lang)
        for lang, *of in zip(declared.to_pylist(), *(one.to_pylist() for one in said.values()), strict=True)
    ]
    kind = fields(first.type, list(said))
    verdict = pa.array(rows, first.type)
    columns = [verdict.field(at) for at in range(first.type.num_fields)]
    columns += [one.field(one.type.get_field_index(what)) for one in said.values() for what in _OWN]
    return pa.StructArray.from_arrays(columns, fields=list(kind))


def _verdict(said: list[dict[str, Any]], declared: str) -> dict[str, Any]:
    voices = [one for one in said if one["label"] is not None]
    if any(one["agrees"] is not None for one in voices):
        voices = [one for one in voices if one["agrees"] is not None]
    if not voices:
        return said[0]
    labels = list(dict.fromkeys(one["label"] for one in voices))
    total = {
        label: sum(one["score"] for one in voices if not _apart(one["label"], label)) / len(voices) for label in labels
    }
    ranked = sorted(labels, key=lambda label: (-total[label], labels.index(label)))
    chosen = ranked[0]
    # Of languages that cannot be told apart, the declared one is not contradicted.
    if any(one["agrees"] and not _apart(one["label"], chosen) for one in voices):
        chosen = next(one["label"] for one in voices if one["agrees"] and not _apart(one["label"], chosen))
    own = next(one for one in voices if one["label"] == chosen)
    others = [label for label in ranked if _apart(label, chosen)]
    second = (others[0], total[others[0]]) if others else (own["runner_up"], own["runner_up_score"])
    return own | {"score": total[chosen], "runner_up": second[0], "runner_up_score": second[1]}


def _apart(one: str, other: str) -> bool:
    return one != other and confusions.apart(one, other)
