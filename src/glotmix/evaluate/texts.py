"""Texts in many languages, parallel where they share a key."""

from collections.abc import Sequence
from pathlib import Path

from glotmix import language
from glotmix.errors import DataError, RequestError
from glotmix.evaluate.items import load


def read(path: Path, key: str = "id", langs: Sequence[str] | None = None) -> dict[str, dict[str, str]]:
    """Read a table of ``lang, text`` and a key: by canonical language, texts by key.

    Raises:
        RequestError: if a column is missing, or a language of `langs` is not there.
        DataError: if a key comes twice in a language.
    """
    table = load(path)
    for column in ("lang", "text", key):
        if column not in table.column_names:
            raise RequestError(f"{path}: there is no column {column!r}; it has {', '.join(table.column_names)}")
    codes = {code: language.parse(code.replace("-", "_")).code for code in table["lang"].unique().to_pylist()}
    found: dict[str, dict[str, str]] = {}
    for code, text, name in zip(*(table[c].to_pylist() for c in ("lang", "text", key)), strict=True):
        lang = codes[code]
        if (langs is not None and lang not in langs) or not text:
            continue
        of_language = found.setdefault(lang, {})
        if str(name) in of_language:
            raise DataError(f"{path}: the key {name!r} comes twice in {lang}", "--key COLUMN, unique in each language")
        of_language[str(name)] = text
    for lang in langs or ():
        if lang not in found:
            raise RequestError(f"{path}: there is no text in {lang}", f"one of {', '.join(sorted(codes.values()))}")
    return found
