"""Blends: the mixture as the weighted lists of data that trainers take.

A share is one of training tokens. Megatron weighs samples of one fixed length in tokens, and nanotron does too, so a
share is the weight, whatever the size of the language's files. Neither reads text: the paths are those of the
tokenised data, one per language, which the user's own tokeniser run names.
"""

import re
from collections.abc import Mapping

import yaml

from glotmix.core.errors import DataError, RequestError
from glotmix.core.language import parse

_ODD = re.compile(r"[\s\x00-\x1f\x7f/\\\u200b-\u200f\u2028-\u202e\u2066-\u2069]|^\.*$")
"""What no name of a language has: white space, control, a folder's mark, marks of direction; and dots alone."""

PREFIX = "tokenized/{lang}_text_document"
"""Where Megatron's ``preprocess_data.py --output-prefix tokenized/fra_Latn`` puts a language."""

FOLDER = "tokenized/{lang}"
"""Where a language's folder of token files for nanotron may lie."""


def paths(shares: Mapping[str, float], pattern: str) -> dict[str, float]:
    """Return the weight of each path; languages with a share of 0 are left out, and the weights sum to 1.

    Args:
        shares: share of training tokens per language, or per cell of one (``fra_Latn/web``, in the language's folder).
        pattern: a path with ``{lang}`` in it.

    Raises:
        DataError: if a share is negative or none is positive, or a name would be more than one word to a trainer, or
            lead out of the folder of the pattern.
        RequestError: if the pattern has no ``{lang}``, or white space, at which Megatron would cut it.

    >>> paths({"fra_Latn": 3, "amh_Ethi": 1, "deu_Latn": 0}, "data/{lang}")
    {'data/fra_Latn': 0.75, 'data/amh_Ethi': 0.25}
    """
    if "{lang}" not in pattern or pattern.split() != [pattern]:
        raise RequestError(f"'{pattern}' is no pattern of paths", "write {lang} in it and no white space")
    negative = [lang for lang, share in shares.items() if not share >= 0]
    total = sum(shares.values())
    if negative or not total > 0:
        raise DataError(f"no blend can be made of the shares {dict(shares)}", "glotmix mix")
    odd = [lang for lang in shares if any(_ODD.search(name) for name in _words(lang))]
    if odd:
        raise DataError(f"{odd[0]!r} is no language code, and would be another path in a blend", "glotmix mix")
    return {pattern.replace("{lang}", lang): share / total for lang, share in shares.items() if share > 0}


def _words(name: str) -> list[str]:
    """Return what of a name has to be one word: of a cell the language and its part."""
    lang, cut, part = name.partition("/")
    try:
        return [parse(lang).code, part] if cut else [name]
    except RequestError:
        return [name]


def megatron(shares: Mapping[str, float], pattern: str = PREFIX) -> str:
    """Return the text of a file for Megatron's ``--data-args-path``, or to paste behind ``--data-path``.

    >>> print(megatron({"fra_Latn": 0.75, "amh_Ethi": 0.25}), end="")
    0.75 tokenized/fra_Latn_text_document
    0.25 tokenized/amh_Ethi_text_document
    """
    return "".join(f"{weight!r} {path}\n" for path, weight in paths(shares, pattern).items())


def nanotron(shares: Mapping[str, float], pattern: str = FOLDER) -> str:
    """Return the ``dataset`` of one of nanotron's ``data_stages``, as YAML.

    >>> print(nanotron({"fra_Latn": 0.75, "nob_Latn": 0.25}), end="")
    dataset:
      dataset_folder:
      - tokenized/fra_Latn
      - tokenized/nob_Latn
      dataset_weights:
      - 0.75
      - 0.25
    """
    weights = paths(shares, pattern)
    stage = {"dataset_folder": list(weights), "dataset_weights": list(weights.values())}
    return yaml.safe_dump({"dataset": stage}, sort_keys=False, allow_unicode=True)
