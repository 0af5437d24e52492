"""Texts in many languages, parallel where they share a key."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from glotmix.core import language
from glotmix.core.errors import DataError, RequestError
from glotmix.evaluate.items import load


def read(path: Path, key: str = "id", only: Sequence[str] | None = None) -> dict[str, dict[str, str]]:
    """Read a table of ``lang, text`` and a key: by canonical language, texts by key.

    Args:
        path: Parquet, JSON Lines or CSV.
        key: the column that parallel texts share.
        only: the languages to read, as the file writes them or in another form of their codes; None for all.

    Raises:
        RequestError: if a column is missing, a language of `only` is not there, or two codes of the file are one
            language (``eng`` and ``eng-GB``).
        DataError: if a key comes twice in a language.
    """
    return of_table(load(path), key, only, str(path))


def of_table(
    table: pa.Table, key: str = "id", only: Sequence[str] | None = None, path: str = "the texts"
) -> dict[str, dict[str, str]]:
    """Return the texts of a table in memory: see `read`."""
    for column in ("lang", "text", key):
        if column not in table.column_names:
            raise RequestError(f"{path}: there is no column {column!r}; it has {', '.join(table.column_names)}")
    codes = _codes(path, sorted(table["lang"].unique().to_pylist()), only)
    found: dict[str, dict[str, str]] = {}
    for code, text, name in zip(*(table[c].to_pylist() for c in ("lang", "text", key)), strict=True):
        if code not in codes or not text:
            continue
        of_language = found.setdefault(codes[code], {})
        if str(name) in of_language:
            raise DataError(f"{path}: the key {name!r} comes twice in {code}", "--key COLUMN, unique in each language")
        of_language[str(name)] = text
    return found


def _codes(path: str, there: Sequence[str], only: Sequence[str] | None) -> dict[str, str]:
    """Return the canonical codes of the file's codes that are wanted."""
    if only is None:
        chosen = {code: language.parse(code).code for code in there}
    else:
        chosen = {}
        for wanted in only:
            lang = language.parse(wanted).code
            fits = [wanted] if wanted in there else [code for code in there if language.parse(code).code == lang]
            if not fits:
                raise RequestError(f"{path}: there is no text in {lang}", f"one of {', '.join(there)}")
            chosen |= dict.fromkeys(fits, lang)
    first: dict[str, str] = {}
    for code, lang in chosen.items():
        if first.setdefault(lang, code) != code:
            raise RequestError(
                f"{path}: {first[lang]} and {code} are both {lang}", f"--only {first[lang]}, and each other language"
            )
    return chosen
