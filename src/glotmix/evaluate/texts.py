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
        DataError: if a key comes twice in a language, or a row has no language or no key.
    """
    return of_table(load(path), key, only, str(path))


def of_table(
    table: pa.Table, key: str = "id", only: Sequence[str] | None = None, path: str = "the texts"
) -> dict[str, dict[str, str]]:
    """Return the texts of a table in memory: see `read`."""
    for column in ("lang", "text", key):
        if column not in table.column_names:
            raise RequestError(
                f"{path}: there is no column {column!r}; it has {', '.join(table.column_names)}",
                "--key COLUMN" if column == key else f"call one of them {column}",
            )
        if column != "text" and (gaps := sum(v in (None, "") for v in table[column].to_pylist())):
            raise DataError(
                f"{path}: nothing stands in {column!r} of {gaps:,} of {len(table):,} rows",
                "fill them, or leave these rows out",
            )
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


def single(path: Path, languages: Sequence[str]) -> dict[str, list[str]]:
    """Read documents of some languages, in the order of the files.

    Args:
        path: a table of ``lang, text``; or a folder of Parquet, of a data set say, whose files have both or stand in
            folders that are called like their language.
        languages: canonical codes.

    Raises:
        RequestError: if a column is missing.
        DataError: if there is no text of one of the languages.
    """
    found: dict[str, list[str]] = {lang: [] for lang in languages}
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    for file in files:
        table = load(file)
        named = file.parent.name if path.is_dir() and "lang" not in table.column_names else None
        missing = [c for c in ("text", *(() if named else ("lang",))) if c not in table.column_names]
        if missing:
            raise RequestError(
                f"{file}: there is no column {missing[0]!r}; it has {', '.join(table.column_names)}",
                f"call one of them {missing[0]}",
            )
        codes = [named] * len(table) if named else table["lang"].to_pylist()
        known = {code: _known(code) for code in set(codes)}
        for code, text in zip(codes, table["text"].to_pylist(), strict=True):
            if text and (lang := known[code]) in found:
                found[lang].append(text)
    if lost := [lang for lang in languages if not found[lang]]:
        raise DataError(f"{path}: there is no text of {', '.join(lost)}", "documents of every language, with its code")
    return found


def _known(code: str | None) -> str:
    """Return the canonical code of one of a file; of what is none, the empty string."""
    try:
        return language.parse(code).code if code else ""
    except RequestError:
        return ""


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
