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


def of(name: str) -> str:
    """Return the language of a cell, and any other name as it is: what a loss is measured on.

    >>> of("eng_Latn/web"), of("eng_Latn"), of("pile_cc")
    ('eng_Latn', 'eng_Latn', 'pile_cc')
    """
    return language_of(name) or name


def canonical(name: str) -> str:
    """Return a language's canonical code, or a cell with that of its language.

    Raises:
        RequestError: for an unknown language.

    >>> canonical("fr"), canonical("fr/web")
    ('fra_Latn', 'fra_Latn/web')
    """
    lang, cut, part = name.partition(SOURCE)
    return parse(lang).code + cut + part


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
        found[of(name)] = found.get(of(name), 0.0) + share
    return found


def within(shares: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Return, for each language that is cut in cells, the part of its share that each has, the largest first.

    >>> within({"eng_Latn/web": 0.125, "eng_Latn/books": 0.375, "tha_Thai": 0.5})
    {'eng_Latn': {'books': 0.75, 'web': 0.25}}
    """
    whole, found = by_language(shares), dict[str, dict[str, float]]()
    for name, share in sorted(shares.items(), key=lambda pair: (-pair[1], pair[0])):
        if (lang := language_of(name)) is not None:
            found.setdefault(lang, {})[name.partition(SOURCE)[2]] = share / whole[lang] if whole[lang] else 0.0
    return found
