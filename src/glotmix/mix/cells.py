"""Cells: shares of language × source (or topic, register, quality band), named `eng_Latn/web`; phases, `eng_Latn@1`."""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from glotmix.core.errors import RequestError
from glotmix.core.language import parse
from glotmix.mix.accounting import Array, Available

SOURCE, PHASE = "/", "@"
"""What stands between a language and its source, or the phase of the training."""


def language_of(name: str) -> str | None:
    """Return the language of a cell, or None for a name that is no cell.

    >>> language_of("eng_Latn/web"), language_of("eng_Latn"), language_of("books/old")
    ('eng_Latn', None, None)
    """
    lang, cut, part = name.partition(SOURCE if SOURCE in name else PHASE)
    return _code(lang) if cut and part else None


@cache
def _code(name: str) -> str | None:
    try:
        return parse(name).code
    except RequestError:
        return None


def languages(names: Sequence[str]) -> tuple[str, ...] | None:
    """Return the language of every cell, None where one of the names is no cell."""
    found = [language_of(name) for name in names]
    return None if any(lang is None for lang in found) else tuple(lang or "" for lang in found)


def weights(available: Available) -> Array | None:
    """Return the part of each cell in its language's text, shape (m,); None where the account is not of cells.

    >>> weights(Available.of({"eng_Latn/web": (9, 90, 90), "eng_Latn/books": (1, 10, 10), "tha_Thai/web": (1, 5, 5)}))
    array([0.9, 0.1, 1. ])
    """
    langs = languages(available.languages)
    if langs is None:
        return None
    whole = dict.fromkeys(langs, 0.0)
    for lang, size in zip(langs, available.sizes, strict=True):
        whole[lang] += size
    return np.array(
        [size / whole[lang] if whole[lang] else 0.0 for lang, size in zip(langs, available.sizes, strict=True)]
    )


def by_language(shares: Mapping[str, float]) -> dict[str, float]:
    """Add the shares of cells up, by language.

    >>> by_language({"eng_Latn/web": 0.5, "eng_Latn/books": 0.25, "tha_Thai/web": 0.25})
    {'eng_Latn': 0.75, 'tha_Thai': 0.25}
    """
    found: dict[str, float] = {}
    for name, share in shares.items():
        lang = language_of(name) or name
        found[lang] = found.get(lang, 0.0) + share
    return found
